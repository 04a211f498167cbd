//! Signing in: at the provider, by password, by passkey. Each ends in a new session, whatever the browser held before.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::cookies::CookieName;
use super::errors::Wrong;
use super::forgery::is_own_path;
use super::language::{Text, Words};
use super::view::{Action, Block, Field, Form, Kind, Notice, Page, Tone};
use super::visit::{Visit, Visitor, VisitorForm};
use crate::broker::sign_in::{Callback, OpenedSession, SignInFailure};
use crate::domain::secret::SecretText;
use crate::http::problem::Problem;

/// The page where people sign in.
///
/// # Errors
/// The database does not answer.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, Problem> {
    let wanted = wanted(visitor.query.raw("return_to"));
    if visitor.is_signed_in() {
        return Ok(visitor.redirect(&wanted));
    }
    ask(&visitor, StatusCode::OK, &wanted, None, "").await
}

/// The page, with what is wrong.
async fn ask(
    visitor: &Visitor,
    status: StatusCode,
    wanted: &str,
    wrong: Option<Text>,
    name: &str,
) -> Result<HttpResponse, Problem> {
    let words = visitor.words;
    let broker = &visitor.broker;
    let provider = broker.sign_in_provider().map(str::to_owned);
    let local = broker.has_local_people().await?;
    let mut page = Page::new(words.t("sign-in")).narrow();
    if let Some(wrong) = wrong {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    if let Some(issuer) = &provider {
        let host = url::Url::parse(issuer).ok();
        let host = host.as_ref().and_then(url::Url::host_str);
        let to: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
        page = page.block(Block::Actions(vec![Action {
            label: words.one("sign-in-with", "provider", host.unwrap_or(issuer)),
            href: format!("/dashboard/sign-in/provider?return_to={to}"),
            tone: Tone::Accent,
        }]));
    }
    let mut ceremony = None;
    if local {
        if provider.is_some() {
            page = page.block(Block::Heading {
                text: words.t("sign-in-here"),
                id: "here",
            });
        }
        let login = Field::text("login_name", words.t("login-name"))
            .value(name)
            .required()
            .autocomplete("username");
        let password = Field::text("password", words.t("password"))
            .kind(Kind::Password)
            .required()
            .autocomplete("current-password");
        let form = Form::new("/dashboard/sign-in", words.t("sign-in"))
            .hidden("return_to", wanted)
            .part(login)
            .part(password);
        page = page.block(form);
        if let Some(site) = &visitor.dashboard.site {
            let begun = broker.begin_passkey_sign_in(site)?;
            let mut form = Form::new("/dashboard/sign-in/passkey", words.t("sign-in-passkey"))
                .hidden("return_to", wanted)
                .hidden("answer", "")
                .tone(Tone::Plain);
            form.script = Some(("passkey-get", begun.options.clone()));
            page = page.block(form);
            ceremony = Some(begun);
        }
    }
    if !local && provider.is_none() {
        page = page
            .block(Notice::new(Tone::Warn, words.t("sign-in-nobody")))
            .block(Block::Paragraph(words.t("sign-in-first").into()));
    }
    let mut response = visitor.page(status, page)?;
    if let Some(ceremony) = ceremony {
        let cookie = visitor
            .dashboard
            .cookies
            .set(CookieName::Passkey, ceremony.attempt);
        set(&mut response, &cookie)?;
    }
    Ok(response)
}

/// Adds a cookie to an answer.
///
/// # Errors
/// A defect.
pub fn set(
    response: &mut HttpResponse,
    cookie: &actix_web::cookie::Cookie<'_>,
) -> Result<(), Problem> {
    response
        .add_cookie(cookie)
        .map_err(|error| Problem::internal(error.to_string()))
}

/// Lets somebody in by name and password.
///
/// # Errors
/// The database does not answer.
pub async fn by_password(form: VisitorForm) -> Result<HttpResponse, Problem> {
    let VisitorForm { visitor, fields } = form;
    let wanted = wanted(fields.raw("return_to"));
    let name = fields.text("login_name");
    let outcome = visitor
        .broker
        .sign_in_with_password(name, &fields.secret("password"), &visitor.visitor())
        .await;
    match outcome {
        Ok(opened) => Ok(let_in(&visitor, &opened, &wanted)),
        Err(failure) => refused(&visitor, failure, &wanted, name).await,
    }
}

/// Lets somebody in by passkey.
///
/// # Errors
/// The database does not answer.
pub async fn by_passkey(form: VisitorForm) -> Result<HttpResponse, Problem> {
    let VisitorForm { visitor, fields } = form;
    let wanted = wanted(fields.raw("return_to"));
    let outcome = match (&visitor.dashboard.site, visitor.cookie(CookieName::Passkey)) {
        (Some(site), Some(attempt)) => {
            visitor
                .broker
                .sign_in_with_passkey(site, (&attempt, fields.raw("answer")), &visitor.visitor())
                .await
        }
        _ => Err(SignInFailure::NoAttempt),
    };
    match outcome {
        Ok(opened) => {
            let mut response = let_in(&visitor, &opened, &wanted);
            let forget = visitor.dashboard.cookies.forget(CookieName::Passkey);
            set(&mut response, &forget)?;
            Ok(response)
        }
        Err(failure) => refused(&visitor, failure, &wanted, "").await,
    }
}

/// Sends somebody to the provider.
///
/// # Errors
/// The database does not answer.
pub async fn to_provider(visitor: Visitor) -> Result<HttpResponse, Problem> {
    let wanted = wanted(visitor.query.raw("return_to"));
    let begun = visitor
        .broker
        .begin_provider_sign_in(
            &visitor.dashboard.redirect_uri(),
            &wanted,
            visitor.words.language().tag(),
        )
        .await;
    match begun {
        Ok(begun) => {
            let mut response = visitor.redirecting(&begun.url);
            let cookies = visitor.dashboard.cookies;
            response.cookie(cookies.set(CookieName::Attempt, begun.attempt));
            Ok(response.finish())
        }
        Err(failure) => refused(&visitor, failure, &wanted, "").await,
    }
}

/// Lets in who comes back from the provider.
///
/// # Errors
/// The database does not answer.
pub async fn from_provider(visitor: Visitor) -> Result<HttpResponse, Problem> {
    let query = &visitor.query;
    let given = |name: &str| query.given(name).map(str::to_owned);
    // RFC 6749 §3.1: a parameter that comes twice makes the answer none.
    let twice = ["code", "state", "iss", "error"]
        .iter()
        .any(|name| query.all(name).count() > 1);
    let callback = Callback {
        code: given("code").map(SecretText::new),
        state: given("state"),
        iss: given("iss"),
        error: given("error"),
    };
    let outcome = match visitor.cookie(CookieName::Attempt) {
        Some(attempt) if !twice => {
            visitor
                .broker
                .finish_provider_sign_in(
                    &attempt,
                    callback,
                    &visitor.dashboard.redirect_uri(),
                    &visitor.visitor(),
                )
                .await
        }
        _ => Err(SignInFailure::NoAttempt),
    };
    let mut response = match outcome {
        Ok((opened, wanted)) => let_in(&visitor, &opened, &self::wanted(&wanted)),
        Err(failure) => refused(&visitor, failure, "/dashboard", "").await?,
    };
    let forget = visitor.dashboard.cookies.forget(CookieName::Attempt);
    set(&mut response, &forget)?;
    Ok(response)
}

/// Opens the browser's session and sends it on. Whatever it held before opens nothing any more.
pub fn let_in(visit: &Visit, opened: &OpenedSession, wanted: &str) -> HttpResponse {
    let cookies = visit.dashboard.cookies;
    visit.facts.actor(opened.user.id.as_str().into());
    let mut response = visit.redirecting(wanted);
    response.cookie(cookies.set(CookieName::Session, opened.secret.expose()));
    response.cookie(cookies.forget(CookieName::Visit));
    response.finish()
}

async fn refused(
    visitor: &Visitor,
    failure: SignInFailure,
    wanted: &str,
    name: &str,
) -> Result<HttpResponse, Problem> {
    visitor.facts.reason(failure.reason());
    let wait = failure.wait();
    let (status, text) = failure_words(visitor.words, failure)?;
    let response = ask(visitor, status, wanted, Some(text), name).await?;
    Ok(match wait {
        Some(seconds) => visitor.wait(response, seconds),
        None => response,
    })
}

/// What a failure says, and with which status.
///
/// # Errors
/// An outage of ours, or a defect.
pub fn failure_words(words: Words, failure: SignInFailure) -> Result<(StatusCode, Text), Problem> {
    const WRONG: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(match failure {
        SignInFailure::Wrong => (WRONG, words.t("sign-in-wrong")),
        SignInFailure::TooMany(seconds) => (
            StatusCode::TOO_MANY_REQUESTS,
            words.one("sign-in-too-many", "count", i64::from(seconds)),
        ),
        SignInFailure::NoAttempt => (WRONG, words.t("sign-in-no-attempt")),
        SignInFailure::Refused(word) => (WRONG, words.one("sign-in-refused", "word", word)),
        SignInFailure::BadAnswer(what) => {
            tracing::warn!(what, "the sign-in provider's answer is not good");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                words.t("sign-in-bad-answer"),
            )
        }
        SignInFailure::NotThatWay => (WRONG, words.t("sign-in-not-that-way")),
        SignInFailure::Unavailable(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "nobody can sign in at the provider"
            );
            (
                StatusCode::SERVICE_UNAVAILABLE,
                words.t("sign-in-unavailable"),
            )
        }
        SignInFailure::NoSuchLink => (StatusCode::NOT_FOUND, words.t("link-gone-text")),
        SignInFailure::OnlyFromHere => (StatusCode::FORBIDDEN, words.t("link-only-here")),
        SignInFailure::Other(error) => return Err(error.into()),
    })
}

/// A failure as what is wrong with a form's fields.
///
/// # Errors
/// What belongs to no field: its words and status are an answer of their own.
pub fn wrong_of(
    words: Words,
    failure: SignInFailure,
    fields: &[&'static str],
) -> Result<Wrong, Problem> {
    match failure {
        SignInFailure::Other(error) => super::errors::of_form(words, error, fields),
        other => {
            let (_, text) = failure_words(words, other)?;
            Ok(Wrong::one("", text))
        }
    }
}

fn wanted(path: &str) -> String {
    if is_own_path(path) {
        path.to_owned()
    } else {
        "/dashboard".to_owned()
    }
}
