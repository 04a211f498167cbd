//! An application's roles are changed: they are all that it may do.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::make::{no_roles, roles_field};
use super::{ROLES, below, machine_roles, path, seen};
use crate::broker::{Error, ShownApplication};
use crate::dashboard::done::Done;
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{Form, Part};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::id::{ApplicationId, RoleId};
use crate::http::path::Id;
use crate::http::problem::Problem;

/// Asks which.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn ask(person: Person, Id(id): Id<ApplicationId>) -> Result<HttpResponse, Problem> {
    let (shown, place) = seen(&person, id).await?;
    let now: Vec<String> = texts(&shown.application.roles);
    form(&person, (&shown, place), (&now, &Wrong::new())).await
}

fn texts(roles: &[RoleId]) -> Vec<String> {
    roles.iter().map(ToString::to_string).collect()
}

async fn form(
    person: &Person,
    (shown, place): (&ShownApplication, Place),
    (chosen, wrong): (&[String], &Wrong),
) -> Result<HttpResponse, Problem> {
    let words = person.words;
    let application = &shown.application;
    let id = application.id;
    let chosen: Vec<&str> = chosen.iter().map(String::as_str).collect();
    let form = Form::new(path(&id, "/roles"), words.t("save"))
        .hidden("version", application.version.to_string());
    let form = match roles_field(person, &chosen, wrong).await? {
        Some(roles) => form
            .part(roles)
            .part(Part::Text(words.t("application-change-text").into())),
        None => form.part(no_roles(person)),
    };
    let page = below(shown, words.t("application-roles-edit"), wrong)
        .block(form.cancel(words.t("cancel"), path(&id, "")));
    let status = if wrong.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    person
        .page_with(status, (place, Topic::Applications), page)
        .await
}

/// Sets them. A role that the person does not see stays as it is.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn change(sent: PersonForm, Id(id): Id<ApplicationId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    let (shown, place) = seen(&person, id).await?;
    let known: Vec<RoleId> = machine_roles(&person)
        .await?
        .iter()
        .map(|shown| shown.role.id)
        .collect();
    let wanted: Vec<RoleId> = fields
        .all("roles")
        .filter_map(|id| id.parse().ok())
        .take(ROLES)
        .collect();
    let version = fields.version();
    let set = |held: &[RoleId]| {
        let unseen = held.iter().filter(|id| !known.contains(id));
        Ok::<_, Error>(unseen.chain(&wanted).copied().collect())
    };
    let changed = person
        .broker
        .set_application_roles(id, set, person.caller(), person.origin(), |now| {
            now == version
        })
        .await;
    match changed {
        Ok(_) => Ok(person.done(&path(&id, ""), Done::ApplicationRoles)),
        Err(error) => {
            let wrong = of_form(person.words, error, &["roles"])?;
            form(&person, (&shown, place), (&texts(&wanted), &wrong)).await
        }
    }
}
