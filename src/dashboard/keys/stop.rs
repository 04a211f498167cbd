//! A key is revoked for ever, on a page that offers the pause first and says what stops and when.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::pause::{page, used};
use super::{living, path};
use crate::broker::keys::ShownKey;
use crate::dashboard::done::Done;
use crate::dashboard::errors::Wrong;
use crate::dashboard::markup::Markup;
use crate::dashboard::place::Topic;
use crate::dashboard::view::{Action, Block, Field, Form, Notice, Page, Part, Tone, Value};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::id::KeyId;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// Asks whether it is to be revoked, and offers the pause first.
///
/// # Errors
/// Not there, not his, or revoked.
pub async fn ask_revoke(person: Person, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    let (key, place) = living(&person, id).await?;
    let page = revoking(&person, &key, &Wrong::new());
    person.page(place, Topic::Keys, page).await
}

fn revoking(person: &Person, key: &ShownKey, wrong: &Wrong) -> Page {
    let words = person.words;
    let id = key.stored.key.id;
    let told = vec![
        Value::Words(words.t("revoke-now")),
        Value::Words(words.t("stop-tokens")),
        Value::Words(words.t("revoke-for-ever")),
        used(person, key),
    ];
    let name = Markup::strong(&key.stored.key.name);
    let typed = Field::text("name", words.t("revoke-type"))
        .help(words.t("revoke-type-help"))
        .required()
        .error(wrong.of("name"));
    let form = Form::new(path(&id, "/revoke"), words.t("revoke"))
        .part(Part::Sentences(told))
        .part(Part::Text(
            words.mix("revoke-name", [("name", &name)]).into(),
        ))
        .part(typed)
        .tone(Tone::Danger)
        .cancel(words.t("cancel"), path(&id, ""));
    let mut page = page(key, words.t("revoke-key"), wrong);
    if key.stored.key.lifecycle.disabled_at.is_none() {
        page = page
            .block(Notice::new(Tone::Plain, words.t("revoke-disable-first")))
            .block(Block::Actions(vec![Action {
                label: words.t("disable-instead"),
                href: path(&id, "/disable"),
                tone: Tone::Plain,
            }]));
    }
    page.block(form)
}

/// Revokes it, if its name was typed.
///
/// # Errors
/// Not there, not his, or the database does not answer.
pub async fn revoke(sent: PersonForm, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    let (key, place) = living(&person, id).await?;
    if fields.text("name") != key.stored.key.name.trim() {
        let wrong = Wrong::one("name", person.words.t("wrong-typed-name"));
        let page = revoking(&person, &key, &wrong);
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return person.page_with(status, (place, Topic::Keys), page).await;
    }
    person
        .broker
        .revoke_key(id, person.caller(), person.origin(), None)
        .await?;
    Ok(person.done(&path(&id, ""), Done::KeyRevoked))
}
