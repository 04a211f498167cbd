//! What a key may do is changed: ticked on one page, what that takes away and adds told on the next, then saved.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::review::review;
use super::{living, path};
use crate::broker::keys::ShownKey;
use crate::dashboard::done::Done;
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::form_parts::{Ticked, permissions, picker, ticked, ticked_of};
use crate::dashboard::place::Topic;
use crate::dashboard::view::{Form, Notice, Page, Tone};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::id::KeyId;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// Asks what it may do. With `narrow=used` what it never used is not ticked any more.
///
/// # Errors
/// Not there, not his, or revoked.
pub async fn ask(person: Person, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    let (key, place) = living(&person, id).await?;
    let mut now = ticked_of(&key.permissions);
    if person.query.text("narrow") == "used" {
        let used = person.broker.used_permissions(&[id]).await?.remove(&id);
        if let Some(Some(used)) = used {
            let used = ticked_of(&used);
            now.retain(|pair| used.contains(pair));
        }
    }
    let page = boxes(&person, &key, &now, &Wrong::new()).await?;
    person.page(place, Topic::Keys, page).await
}

async fn boxes(
    person: &Person,
    key: &ShownKey,
    now: &Ticked,
    wrong: &Wrong,
) -> Result<Page, Problem> {
    let words = person.words;
    let id = key.stored.key.id;
    let organization = key.stored.key.organization_id;
    let grantable = person
        .broker
        .grantable(person.caller(), organization)
        .await?;
    // What it holds stays to be seen, whoever gave it.
    let mut shown = now.clone();
    shown.extend(ticked_of(&key.permissions));
    let mut asked = picker(words, &grantable, &shown, wrong);
    for group in &mut asked.groups {
        for choice in &mut group.choices {
            let pair = choice.value.split_once(' ');
            choice.chosen = pair.is_some_and(|(resource, scope)| {
                now.contains(&(resource.to_owned(), scope.to_owned()))
            });
        }
    }
    let form = Form::new(path(&id, "/permissions"), words.t("permissions-review"))
        .hidden("version", key.stored.key.epoch.to_string())
        .part(asked)
        .cancel(words.t("cancel"), path(&id, ""));
    let mut page = Page::new(words.t("permissions-edit"))
        .narrow()
        .crumb(key.stored.key.name.as_str(), path(&id, ""));
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    Ok(page.block(form))
}

/// Tells what the change is, or makes it.
///
/// # Errors
/// Not there, not his, or the database does not answer.
pub async fn change(sent: PersonForm, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    let (key, place) = living(&person, id).await?;
    let wanted = ticked(&fields);
    if !fields.ticked("confirmed") {
        let page = review(&person, &key, &wanted);
        return person.page(place, Topic::Keys, page).await;
    }
    let version = fields.version();
    let changed = person
        .broker
        .set_key_permissions(
            id,
            permissions(&wanted),
            person.caller(),
            person.origin(),
            |now| now == version,
        )
        .await;
    match changed {
        Ok(_) => Ok(person.done(&path(&id, ""), Done::KeyPermissions)),
        Err(error) => {
            let wrong = of_form(person.words, error, &["permissions"])?;
            let page = boxes(&person, &key, &wanted, &wrong).await?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            person.page_with(status, (place, Topic::Keys), page).await
        }
    }
}
