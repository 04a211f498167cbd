//! An application is paused, let go on, or removed. Each page says before what stops.

use actix_web::HttpResponse;

use super::{below, path, place_of, seen};
use crate::broker::ApplicationChange;
use crate::dashboard::done::Done;
use crate::dashboard::errors::Wrong;
use crate::dashboard::place::Topic;
use crate::dashboard::view::{Form, Part, Tone, Value};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::id::ApplicationId;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// Asks whether it is to be paused.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn ask_disable(
    person: Person,
    Id(id): Id<ApplicationId>,
) -> Result<HttpResponse, Problem> {
    let words = person.words;
    let (shown, place) = seen(&person, id).await?;
    let told = [
        "application-disable-now",
        "application-stop-tokens",
        "disable-back",
    ]
    .map(|key| Value::Words(words.t(key)));
    let form = Form::new(path(&id, "/disable"), words.t("disable"))
        .part(Part::Sentences(told.to_vec()))
        .tone(Tone::Danger)
        .cancel(words.t("cancel"), path(&id, ""));
    let page = below(&shown, words.t("application-disable"), &Wrong::new()).block(form);
    person.page(place, Topic::Applications, page).await
}

/// Pauses it.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn disable(sent: PersonForm, Id(id): Id<ApplicationId>) -> Result<HttpResponse, Problem> {
    pause(sent.person, id, true, Done::ApplicationDisabled).await
}

/// Lets it go on.
///
/// # Errors
/// Not his to see, more than he may give, or the database does not answer.
pub async fn enable(sent: PersonForm, Id(id): Id<ApplicationId>) -> Result<HttpResponse, Problem> {
    pause(sent.person, id, false, Done::ApplicationEnabled).await
}

async fn pause(
    person: Person,
    id: ApplicationId,
    disabled: bool,
    done: Done,
) -> Result<HttpResponse, Problem> {
    let change = ApplicationChange {
        disabled: Some(disabled),
        ..ApplicationChange::default()
    };
    person
        .broker
        .update_application(id, change, person.caller(), person.origin(), |_| true)
        .await?;
    Ok(person.done(&path(&id, ""), done))
}

/// Asks whether it is to go, and says what refers to it.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn ask_delete(
    person: Person,
    Id(id): Id<ApplicationId>,
) -> Result<HttpResponse, Problem> {
    let words = person.words;
    let (shown, place) = seen(&person, id).await?;
    let users = person.broker.application_users(id, person.caller()).await?;
    let mut told: Vec<Value> = [
        "application-delete-now",
        "application-stop-tokens",
        "revoke-for-ever",
    ]
    .map(|key| Value::Words(words.t(key)))
    .to_vec();
    if !users.is_empty() {
        told.push(Value::Words(words.t("application-delete-users")));
        told.push(Value::Lines(users.into_iter().map(Value::Code).collect()));
    }
    let form = Form::new(path(&id, "/delete"), words.t("delete"))
        .part(Part::Sentences(told))
        .hidden("version", shown.application.version.to_string())
        .tone(Tone::Danger)
        .cancel(words.t("cancel"), path(&id, ""));
    let page = below(&shown, words.t("application-delete"), &Wrong::new()).block(form);
    person.page(place, Topic::Applications, page).await
}

/// Removes it, with what refers to it: the page said so.
///
/// # Errors
/// Not his to see, changed since the page, or the database does not answer.
pub async fn delete(sent: PersonForm, Id(id): Id<ApplicationId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    let (shown, _) = seen(&person, id).await?;
    let version = fields.version();
    person
        .broker
        .delete_application(id, true, person.caller(), person.origin(), |now| {
            now == version
        })
        .await?;
    let list = format!("{}/applications", place_of(&shown.application).base());
    Ok(person.done(&list, Done::ApplicationDeleted))
}
