//! A key is paused and let go on, each on a page of its own, which says before what stops and when.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::{living, path};
use crate::broker::keys::{KeyChange, ShownKey};
use crate::dashboard::done::Done;
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::language::Text;
use crate::dashboard::place::Topic;
use crate::dashboard::view::{Form, Notice, Page, Part, Tone, Value};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::id::KeyId;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// The start of a page on which something is done to a key.
pub(super) fn page(key: &ShownKey, title: Text, wrong: &Wrong) -> Page {
    let id = key.stored.key.id;
    let mut page = Page::new(title)
        .narrow()
        .crumb(key.stored.key.name.as_str(), path(&id, ""));
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    page
}

/// When it was last used, as the last thing to think of before it stops.
pub(super) fn used(person: &Person, key: &ShownKey) -> Value {
    let words = person.words;
    match key.stored.last_used_at {
        Some(at) => Value::Html(words.mix("stop-used", [("when", &person.times().tell(at))])),
        None => Value::Words(words.t("stop-unused")),
    }
}

/// Asks whether it is to be paused.
///
/// # Errors
/// Not there, not his, or revoked.
pub async fn ask_disable(person: Person, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    let (key, place) = living(&person, id).await?;
    let page = disabling(&person, &key, &Wrong::new());
    person.page(place, Topic::Keys, page).await
}

fn disabling(person: &Person, key: &ShownKey, wrong: &Wrong) -> Page {
    let words = person.words;
    let id = key.stored.key.id;
    let told = vec![
        Value::Words(words.t("disable-now")),
        Value::Words(words.t("stop-tokens")),
        Value::Words(words.t("disable-back")),
        used(person, key),
    ];
    let form = Form::new(path(&id, "/disable"), words.t("disable"))
        .part(Part::Sentences(told))
        .tone(Tone::Danger)
        .cancel(words.t("cancel"), path(&id, ""));
    page(key, words.t("disable-key"), wrong).block(form)
}

/// Pauses it.
///
/// # Errors
/// Not there, not his, or the database does not answer.
pub async fn disable(sent: PersonForm, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    pause(sent.person, id, true).await
}

/// Asks whether it is to go on.
///
/// # Errors
/// Not there, not his, or revoked.
pub async fn ask_enable(person: Person, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    let (key, place) = living(&person, id).await?;
    let page = enabling(&person, &key, &Wrong::new());
    person.page(place, Topic::Keys, page).await
}

fn enabling(person: &Person, key: &ShownKey, wrong: &Wrong) -> Page {
    let words = person.words;
    let id = key.stored.key.id;
    let told = vec![Value::Words(words.t("enable-now"))];
    let form = Form::new(path(&id, "/enable"), words.t("enable"))
        .part(Part::Sentences(told))
        .cancel(words.t("cancel"), path(&id, ""));
    page(key, words.t("enable-key"), wrong).block(form)
}

/// Lets it go on.
///
/// # Errors
/// Not there, not his, or the database does not answer.
pub async fn enable(sent: PersonForm, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    pause(sent.person, id, false).await
}

async fn pause(person: Person, id: KeyId, disabled: bool) -> Result<HttpResponse, Problem> {
    let (key, place) = living(&person, id).await?;
    let change = KeyChange {
        disabled: Some(disabled),
        ..KeyChange::default()
    };
    let changed = person
        .broker
        .update_key(id, change, person.caller(), person.origin(), |_| true)
        .await;
    let (done, page) = match changed {
        Ok(_) if disabled => return Ok(person.done(&path(&id, ""), Done::KeyDisabled)),
        Ok(_) => return Ok(person.done(&path(&id, ""), Done::KeyEnabled)),
        Err(error) => {
            let wrong = of_form(person.words, error, &[])?;
            if disabled {
                (place, disabling(&person, &key, &wrong))
            } else {
                (place, enabling(&person, &key, &wrong))
            }
        }
    };
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    person.page_with(status, (done, Topic::Keys), page).await
}
