//! A key's name and limits are changed.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::{living, name_again, path, read_name};
use crate::broker::keys::{KeyChange, ShownKey};
use crate::dashboard::done::Done;
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::form_parts::LimitTexts;
use crate::dashboard::place::Topic;
use crate::dashboard::view::{Field, Form, Notice, Page, Tone};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::id::KeyId;
use crate::http::path::Id;
use crate::http::problem::Problem;

const FIELDS: [&str; 4] = ["name", "expires", "addresses", "rate"];

/// Asks what is to change.
///
/// # Errors
/// Not there, not his, or revoked.
pub async fn ask(person: Person, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    let (key, place) = living(&person, id).await?;
    let texts = LimitTexts::of_key(&key.stored.key);
    let name = key.stored.key.name.clone();
    let page = form(&person, &key, (&name, &texts), &Wrong::new());
    person.page(place, Topic::Keys, page).await
}

fn form(
    person: &Person,
    key: &ShownKey,
    (name, texts): (&str, &LimitTexts),
    wrong: &Wrong,
) -> Page {
    let words = person.words;
    let id = key.stored.key.id;
    let field = Field::text("name", words.t("field-key-name"))
        .value(name)
        .required()
        .error(wrong.of("name"));
    let mut group = texts.group(words, wrong);
    group.folded = None;
    let form = Form::new(path(&id, "/edit"), words.t("save"))
        .hidden("version", key.stored.key.epoch.to_string())
        .part(field)
        .part(group)
        .cancel(words.t("cancel"), path(&id, ""));
    let mut page = Page::new(words.t("edit"))
        .narrow()
        .crumb(key.stored.key.name.as_str(), path(&id, ""));
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    page.block(form)
}

/// Changes it.
///
/// # Errors
/// Not there, not his, or the database does not answer.
pub async fn change(sent: PersonForm, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    let words = person.words;
    let (key, place) = living(&person, id).await?;
    let texts = LimitTexts::sent(&fields);
    let mut wrong = Wrong::new();
    let name = read_name(&person, fields.text("name"), &mut wrong);
    let before = &key.stored.key;
    let limits = texts.read(words, before.lifecycle.expires_at, &mut wrong);
    if let (Some(name), true) = (name, wrong.is_empty()) {
        let differs = |differs: bool| differs.then_some(());
        let change = KeyChange {
            expires_at: differs(limits.expires_at != before.lifecycle.expires_at)
                .map(|()| limits.expires_at),
            allowed_cidrs: differs(limits.allowed_cidrs != before.allowed_cidrs)
                .map(|()| limits.allowed_cidrs),
            rate_limit: differs(limits.rate_limit != before.rate_limit).map(|()| limits.rate_limit),
            name: differs(name != before.name).map(|()| name),
            ..KeyChange::default()
        };
        let version = fields.version();
        let changed = person
            .broker
            .update_key(id, change, person.caller(), person.origin(), |now| {
                now == version
            })
            .await;
        match changed {
            Ok(_) => return Ok(person.done(&path(&id, ""), Done::KeyChanged)),
            Err(error) => wrong = of_form(words, error, &FIELDS)?,
        }
    }
    let name = name_again(&person, fields.text("name"));
    let page = form(&person, &key, (name, &texts), &wrong);
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    person.page_with(status, (place, Topic::Keys), page).await
}
