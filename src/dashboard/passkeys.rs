//! A person's passkeys: seen, added, taken away.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::cookies::CookieName;
use super::done::Done;
use super::errors::Wrong;
use super::place::{Place, Topic};
use super::sign_in::{set, wrong_of};
use super::view::{Block, Field, Form, Notice, Page, Part, Tone};
use super::visit::{Person, PersonForm};
use crate::http::problem::Problem;

/// How somebody signs in here, on the page of the account: by password, and by passkeys where there can be any.
///
/// # Errors
/// The database does not answer.
pub(super) async fn section(person: &Person, page: Page) -> Result<Page, Problem> {
    let words = person.words;
    let heading = |key: &str, id| Block::Heading {
        text: words.t(key),
        id,
    };
    let mut page = page
        .block(heading("password", "password"))
        .block(Block::Actions(vec![super::view::Action {
            label: words.t("password-change"),
            href: "/dashboard/account/password".to_owned(),
            tone: Tone::Plain,
        }]));
    if person.dashboard.site.is_none() {
        return Ok(page);
    }
    page = page.block(heading("passkeys", "passkeys"));
    let held = person.broker.passkeys(person.who().id).await?;
    if held.is_empty() {
        page = page.block(Block::Paragraph(words.t("passkeys-none").into()));
    }
    let times = person.times();
    for passkey in held {
        let used = match passkey.last_used_at {
            Some(at) => words.mix("passkey-used", [("when", &times.tell(at))]),
            None => words.mix(
                "passkey-unused",
                [("when", &times.tell(passkey.created_at))],
            ),
        };
        let name = super::markup::Markup::strong(&passkey.name);
        let line = words.mix("passkey-line", [("name", &name), ("used", &used)]);
        let remove = Form::new("/dashboard/account/passkeys/remove", words.t("remove"))
            .hidden("id", passkey.id)
            .part(Part::Text(line.into()))
            .tone(Tone::Plain)
            .inline();
        page = page.block(remove);
    }
    Ok(page.block(Block::Actions(vec![super::view::Action {
        label: words.t("passkey-add"),
        href: "/dashboard/account/passkeys/new".to_owned(),
        tone: Tone::Plain,
    }])))
}

/// Asks for a passkey.
///
/// # Errors
/// There can be none here.
pub async fn ask(person: Person) -> Result<HttpResponse, Problem> {
    passkey_page(&person, StatusCode::OK, "", &Wrong::new()).await
}

async fn passkey_page(
    person: &Person,
    status: StatusCode,
    name: &str,
    wrong: &Wrong,
) -> Result<HttpResponse, Problem> {
    let words = person.words;
    let known = person.signed_in().person.as_ref();
    let local = known.is_some_and(|known| known.login_name.is_some());
    let site = person.dashboard.site.as_ref().filter(|_| local);
    let site = site.ok_or_else(Problem::not_found)?;
    let ceremony = person.broker.begin_passkey(site, person.who()).await?;
    let field = Field::text("name", words.t("passkey-name"))
        .value(name)
        .help(words.t("passkey-name-help"))
        .required()
        .error(wrong.of("name"));
    let mut form = Form::new("/dashboard/account/passkeys/new", words.t("passkey-add"))
        .hidden("answer", "")
        .part(field)
        .cancel(words.t("cancel"), "/dashboard/account");
    form.script = Some(("passkey-create", ceremony.options.clone()));
    let mut page = Page::new(words.t("passkey-add"))
        .narrow()
        .crumb(words.t("account"), "/dashboard/account")
        .lead(words.t("passkey-add-text"));
    for field in ["passkey", ""] {
        if let Some(wrong) = wrong.of(field) {
            page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
        }
    }
    let page = page.block(form);
    let place = (Place::Nowhere, Topic::None);
    let mut response = person.page_with(status, place, page).await?;
    let cookies = person.dashboard.cookies;
    set(
        &mut response,
        &cookies.set(CookieName::Passkey, ceremony.attempt),
    )?;
    Ok(response)
}

/// Adds a passkey.
///
/// # Errors
/// The database does not answer.
pub async fn add(form: PersonForm) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = form;
    let site = person.dashboard.site.clone();
    let site = site.ok_or_else(Problem::not_found)?;
    let attempt = person.cookie(CookieName::Passkey).unwrap_or_default();
    let name = fields.text("name");
    let added = person
        .broker
        .add_passkey(
            &site,
            person.who(),
            (&attempt, fields.raw("answer"), name),
            &person.origin(),
        )
        .await;
    match added {
        Ok(()) => {
            let mut response = person.done("/dashboard/account", Done::PasskeyAdded);
            let forget = person.dashboard.cookies.forget(CookieName::Passkey);
            set(&mut response, &forget)?;
            Ok(response)
        }
        Err(failure) => {
            let wrong = wrong_of(person.words, failure, &["name", "passkey"])?;
            passkey_page(&person, StatusCode::UNPROCESSABLE_ENTITY, name, &wrong).await
        }
    }
}

/// Takes a passkey away.
///
/// # Errors
/// Not his, or the database does not answer.
pub async fn remove(form: PersonForm) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = form;
    person
        .broker
        .remove_passkey(
            person.who().id,
            fields.text("id").to_owned(),
            person.signed_in().session.id,
            &person.origin(),
        )
        .await?;
    Ok(person.done("/dashboard/account", Done::PasskeyRemoved))
}
