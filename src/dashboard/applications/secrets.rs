//! An application's secrets: one is added, and shown once; one is removed, and lets nobody in from then on.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::{below, path, seen, shown_once};
use crate::broker::idempotency::{Attempt, Keep};
use crate::broker::{Conflict, Error, ShownApplication};
use crate::dashboard::done::Done;
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::format::end_of_day;
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{Field, Form, Kind, Part, Tone, Value};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::browser_secret::{BrowserSecret, SecretKind};
use crate::domain::id::{ApplicationId, ClientSecretId};
use crate::http::path::{Id, Ids};
use crate::http::problem::Problem;

/// Asks for one more.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn ask(person: Person, Id(id): Id<ApplicationId>) -> Result<HttpResponse, Problem> {
    let (shown, place) = seen(&person, id).await?;
    if !shown.application.uses_secrets() {
        return Err(Error::from(Conflict::SecretsUnused).into());
    }
    form(&person, (&shown, place), ("", &Wrong::new())).await
}

async fn form(
    person: &Person,
    (shown, place): (&ShownApplication, Place),
    (expires, wrong): (&str, &Wrong),
) -> Result<HttpResponse, Problem> {
    let words = person.words;
    let id = shown.application.id;
    let attempt = BrowserSecret::generate(SecretKind::Attempt, &**person.broker.random());
    let end = Field::text("expires", words.t("field-expires"))
        .kind(Kind::Date)
        .value(expires)
        .help(words.t("field-expires-help"))
        .error(wrong.of("expires"));
    let told = vec![
        Value::Words(words.t("client-secret-add-text")),
        Value::Words(words.t("client-secret-add-then")),
    ];
    let form = Form::new(path(&id, "/secrets/new"), words.t("client-secret-add"))
        .hidden("attempt", attempt.expose())
        .part(Part::Sentences(told))
        .part(end)
        .cancel(words.t("cancel"), path(&id, ""));
    let page = below(shown, words.t("client-secret-add"), wrong).block(form);
    let status = if wrong.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    person
        .page_with(status, (place, Topic::Applications), page)
        .await
}

/// Adds it.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn add(sent: PersonForm, Id(id): Id<ApplicationId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    let words = person.words;
    let (shown, place) = seen(&person, id).await?;
    let expires = fields.text("expires");
    let expires_at = fields.given("expires").map(end_of_day);
    if expires_at == Some(None) {
        let wrong = Wrong::one("expires", words.t("wrong-date"));
        return form(&person, (&shown, place), (expires, &wrong)).await;
    }
    let caller = person.caller();
    let mut attempt = Attempt::new(
        &caller.actor,
        &format!("page: add a secret to {id}"),
        fields.raw("attempt"),
        &fields.bytes(),
    )
    .of(caller.clone());
    let answer = match person.broker.begin(&mut attempt).await {
        Ok(Some(answer)) => answer,
        Ok(None) => {
            let keep = Keep {
                attempt: &attempt,
                render: &shown_once::added,
            };
            let added = person
                .broker
                .add_application_secret(
                    id,
                    expires_at.flatten(),
                    caller,
                    person.origin(),
                    Some(keep),
                )
                .await;
            match added {
                Ok(issued) => shown_once::added(&issued),
                Err(error) => {
                    person.broker.abandon(&attempt).await;
                    let wrong = of_form(words, error, &["expires"])?;
                    return form(&person, (&shown, place), (expires, &wrong)).await;
                }
            }
        }
        Err(Error::Conflict(Conflict::IdempotencyAnswerGone)) => {
            return shown_once::gone(&person, place).await;
        }
        Err(error) => return Err(error.into()),
    };
    shown_once::show(&person, &answer, &attempt).await
}

/// Asks whether one is to go.
///
/// # Errors
/// Not there, not his to see, or the database does not answer.
pub async fn ask_remove(
    person: Person,
    Ids(id, secret): Ids<ApplicationId, ClientSecretId>,
) -> Result<HttpResponse, Problem> {
    let words = person.words;
    let (shown, place) = seen(&person, id).await?;
    let stored = person
        .broker
        .application_secret(id, secret, person.caller())
        .await?;
    let told = vec![
        Value::Words(words.one(
            "client-secret-remove-which",
            "hint",
            format!("…{}", stored.hint),
        )),
        Value::Words(words.t("client-secret-remove-now")),
        Value::Words(words.t("client-secret-remove-tokens")),
    ];
    let form = Form::new(
        path(&id, &format!("/secrets/{secret}/remove")),
        words.t("remove"),
    )
    .part(Part::Sentences(told))
    .tone(Tone::Danger)
    .cancel(words.t("cancel"), path(&id, ""));
    let page = below(&shown, words.t("client-secret-remove"), &Wrong::new()).block(form);
    person.page(place, Topic::Applications, page).await
}

/// Removes it.
///
/// # Errors
/// Not there, not his to see, or the database does not answer.
pub async fn remove(
    sent: PersonForm,
    Ids(id, secret): Ids<ApplicationId, ClientSecretId>,
) -> Result<HttpResponse, Problem> {
    let person = sent.person;
    person
        .broker
        .remove_application_secret(id, secret, person.caller(), person.origin())
        .await?;
    Ok(person.done(&path(&id, ""), Done::ClientSecretRemoved))
}
