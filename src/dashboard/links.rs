//! Links that let somebody in once. A page that is fetched uses nothing up, so that whatever looks at links before people do cannot
//! spoil one.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::done::Done;
use super::errors::Wrong;
use super::fields::Fields;
use super::sign_in::{failure_words, let_in, wrong_of};
use super::view::{Action, Block, Field, Form, Kind, Notice, Page, Part, Tone};
use super::visit::{Visitor, VisitorForm};
use crate::broker::sign_in::{LinkUse, NewAccount, SeenLink, SignInFailure};
use crate::domain::browser_secret::{BrowserSecret, SecretKind};
use crate::domain::sign_in::LinkPurpose;
use crate::domain::user::MemberRole;
use crate::http::problem::Problem;

const FIELDS: [&str; 3] = ["name", "login_name", "password"];

/// What a link is for, and what is asked of whoever holds it.
///
/// # Errors
/// The database does not answer.
pub async fn show(visitor: Visitor, secret: web::Path<String>) -> Result<HttpResponse, Problem> {
    match look(&visitor, &secret).await {
        Ok(seen) => {
            let page = asked(&visitor, &seen, &secret, &Fields::default(), &Wrong::new());
            visitor.page(StatusCode::OK, page)
        }
        Err(failure) => gone(&visitor, failure),
    }
}

/// Uses it.
///
/// # Errors
/// The database does not answer.
pub async fn use_it(form: VisitorForm, secret: web::Path<String>) -> Result<HttpResponse, Problem> {
    let VisitorForm { visitor, fields } = form;
    let seen = match look(&visitor, &secret).await {
        Ok(seen) => seen,
        Err(failure) => return gone(&visitor, failure),
    };
    let parsed = parsed(&secret)?;
    let with = match (&seen.link.purpose, visitor.user()) {
        (LinkPurpose::Password { .. }, _) => LinkUse::Password(fields.secret("password")),
        (_, Some(user)) => LinkUse::By(user.clone()),
        (_, None) => LinkUse::NewAccount(NewAccount {
            name: fields.text("name").to_owned(),
            login_name: fields.text("login_name").to_owned(),
            password: fields.secret("password"),
        }),
    };
    let outcome = visitor
        .broker
        .use_link(&parsed, with, &visitor.visitor())
        .await;
    let (to, done) = match &seen.link.purpose {
        LinkPurpose::Operator => ("/dashboard/all/keys".to_owned(), Done::OperatorNow),
        LinkPurpose::Invitation { organization, .. } => (
            format!("/dashboard/organizations/{organization}/keys"),
            Done::Joined,
        ),
        LinkPurpose::Password { .. } => ("/dashboard".to_owned(), Done::PasswordChanged),
    };
    match outcome {
        Ok(Some(opened)) => {
            let mut response = let_in(&visitor, &opened, &to);
            let cookie = visitor
                .dashboard
                .cookies
                .set(super::cookies::CookieName::Done, done.as_str());
            super::sign_in::set(&mut response, &cookie)?;
            Ok(response)
        }
        Ok(None) => Ok(visitor.done(&to, done)),
        Err(failure @ (SignInFailure::NoSuchLink | SignInFailure::OnlyFromHere)) => {
            gone(&visitor, failure)
        }
        Err(failure) => {
            let wrong = wrong_of(visitor.words, failure, &FIELDS)?;
            let page = asked(&visitor, &seen, &secret, &fields, &wrong);
            visitor.page(StatusCode::UNPROCESSABLE_ENTITY, page)
        }
    }
}

fn parsed(secret: &str) -> Result<BrowserSecret, Problem> {
    BrowserSecret::parse(SecretKind::Link, secret).ok_or_else(Problem::not_found)
}

async fn look(visitor: &Visitor, secret: &str) -> Result<SeenLink, SignInFailure> {
    let parsed = BrowserSecret::parse(SecretKind::Link, secret);
    let parsed = parsed.ok_or(SignInFailure::NoSuchLink)?;
    visitor
        .broker
        .look_at_link(&parsed, &visitor.visitor())
        .await
}

fn gone(visitor: &Visitor, failure: SignInFailure) -> Result<HttpResponse, Problem> {
    visitor.facts.reason(failure.reason());
    let words = visitor.words;
    let wait = failure.wait();
    let (status, text) = failure_words(words, failure)?;
    let page = Page::new(words.t("link-gone"))
        .narrow()
        .block(Notice::new(Tone::Warn, text))
        .block(Block::Actions(vec![Action {
            label: words.t("sign-in"),
            href: "/dashboard".to_owned(),
            tone: Tone::Accent,
        }]));
    let response = visitor.page(status, page)?;
    Ok(match wait {
        Some(seconds) => visitor.wait(response, seconds),
        None => response,
    })
}

fn asked(visitor: &Visitor, seen: &SeenLink, secret: &str, fields: &Fields, wrong: &Wrong) -> Page {
    let words = visitor.words;
    let here = format!("/dashboard/links/{secret}");
    let (title, lead) = match &seen.link.purpose {
        LinkPurpose::Operator => (words.t("link-operator"), words.t("link-operator-text")),
        LinkPurpose::Invitation { role, .. } => {
            let organization = seen.organization.clone().unwrap_or_default();
            let key = match role {
                MemberRole::Admin => "link-invitation-admin",
                MemberRole::Member => "link-invitation-member",
            };
            let lead = match key {
                "link-invitation-admin" => {
                    words.one("link-invitation-admin", "organization", &organization)
                }
                _ => words.one("link-invitation-member", "organization", &organization),
            };
            (
                words.one("link-invitation", "organization", organization),
                lead,
            )
        }
        LinkPurpose::Password { .. } => (words.t("link-password"), words.t("link-password-text")),
    };
    let mut page = Page::new(title).narrow().lead(lead);
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    let password = |autofocus: &'static str| {
        Field::text("password", words.t("password-new"))
            .kind(Kind::Password)
            .help(words.t("password-help"))
            .required()
            .autocomplete(autofocus)
            .error(wrong.of("password"))
    };
    if let LinkPurpose::Password { .. } = &seen.link.purpose {
        let name = seen.login_name.clone().unwrap_or_default();
        let known = words.one("link-password-for", "name", name);
        let form = Form::new(here, words.t("password-set"))
            .part(Part::Text(known.into()))
            .part(password("new-password"));
        return page.block(form);
    }
    if let Some(user) = visitor.user() {
        let name = user
            .name
            .clone()
            .unwrap_or_else(|| user.subject.sub.to_string());
        let known = words.one("link-as", "name", name);
        let form = Form::new(here, words.t("link-accept")).part(Part::Text(known.into()));
        return page.block(form);
    }
    let to: String = url::form_urlencoded::byte_serialize(here.as_bytes()).collect();
    let sign_in = Action {
        label: words.t("link-sign-in"),
        href: format!("/dashboard/sign-in?return_to={to}"),
        tone: Tone::Plain,
    };
    page = page.block(Block::Actions(vec![sign_in]));
    if !visitor.broker.settings().sign_in.local_accounts {
        return page;
    }
    let name = Field::text("name", words.t("your-name"))
        .value(fields.text("name"))
        .help(words.t("your-name-help"))
        .required()
        .autocomplete("name")
        .error(wrong.of("name"));
    let login = Field::text("login_name", words.t("login-name"))
        .value(fields.text("login_name"))
        .help(words.t("login-name-help"))
        .required()
        .autocomplete("username")
        .error(wrong.of("login_name"));
    let form = Form::new(here, words.t("account-make"))
        .part(name)
        .part(login)
        .part(password("new-password"));
    page.block(Block::Heading {
        text: words.t("account-new"),
        id: "new",
    })
    .block(form)
}
