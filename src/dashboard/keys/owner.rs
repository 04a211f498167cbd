//! A key is handed over to another owner, by those who oversee it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::{living, path};
use crate::broker::keys::{KeyChange, OwnerName, ShownKey};
use crate::dashboard::done::Done;
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{Choice, Field, Form, Kind, Notice, Page, Part, Tone, Value};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::id::KeyId;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// How many members may be chosen from.
const MEMBERS: usize = 200;

/// Asks whose it is to be.
///
/// # Errors
/// Not there, not his, or he may not hand keys over.
pub async fn ask(person: Person, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    let (key, place) = living(&person, id).await?;
    let page = owner_form(&person, &key, &Wrong::new()).await?;
    person.page(place, Topic::Keys, page).await
}

async fn owner_form(person: &Person, key: &ShownKey, wrong: &Wrong) -> Result<Page, Problem> {
    let words = person.words;
    let id = key.stored.key.id;
    let organization = key.stored.key.organization_id;
    if !person.oversees(Place::Organization(organization)) {
        return Err(Problem::not_found());
    }
    let members = person
        .broker
        .members(organization, person.caller(), None, None, MEMBERS)
        .await?;
    let now = key.stored.key.owner;
    let mut choices = vec![Choice::words("", words.t("owner-nobody"), now.is_none())];
    choices.extend(members.into_iter().map(|(_, user)| {
        let chosen = now == Some(user.id);
        let label = user.name.unwrap_or_else(|| user.subject.sub.to_string());
        Choice::data(user.id.to_string(), label, chosen)
    }));
    let field = Field::text("owner", words.t("owner-new"))
        .kind(Kind::Select(choices))
        .error(wrong.of("owner"));
    let told = vec![
        Value::Words(words.t("hand-over-sees")),
        Value::Words(words.t("hand-over-bound")),
        Value::Words(words.t("hand-over-works")),
    ];
    let form = Form::new(path(&id, "/owner"), words.t("hand-over"))
        .hidden("version", key.stored.key.epoch.to_string())
        .part(Part::Sentences(told))
        .part(field)
        .cancel(words.t("cancel"), path(&id, ""));
    let mut page = Page::new(words.t("hand-over"))
        .narrow()
        .crumb(key.stored.key.name.as_str(), path(&id, ""));
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    Ok(page.block(form))
}

/// Hands it over.
///
/// # Errors
/// Not there, not his, or the database does not answer.
pub async fn hand_over(sent: PersonForm, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    let (key, place) = living(&person, id).await?;
    let owner = fields.given("owner").and_then(|owner| owner.parse().ok());
    let change = KeyChange {
        owner: Some(owner.map(OwnerName::Id)),
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
        Ok(_) => Ok(person.done(&path(&id, ""), Done::KeyHandedOver)),
        Err(error) => {
            let wrong = of_form(person.words, error, &["owner"])?;
            let page = owner_form(&person, &key, &wrong).await?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            person.page_with(status, (place, Topic::Keys), page).await
        }
    }
}
