//! An application's name, proof and limits are changed.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::fields::{NAMES, of, read, rest, who};
use super::{below, path, seen};
use crate::broker::{ApplicationChange, ShownApplication};
use crate::dashboard::done::Done;
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::fields::Fields;
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{Form, Part};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::id::ApplicationId;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// Asks what is to change.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn ask(person: Person, Id(id): Id<ApplicationId>) -> Result<HttpResponse, Problem> {
    let (shown, place) = seen(&person, id).await?;
    let now = of(&shown.application, shown.default_resource.as_ref());
    form(&person, (&shown, place), (&now, &Wrong::new())).await
}

async fn form(
    person: &Person,
    (shown, place): (&ShownApplication, Place),
    (sent, wrong): (&Fields, &Wrong),
) -> Result<HttpResponse, Problem> {
    let words = person.words;
    let application = &shown.application;
    let id = application.id;
    let form = Form::new(path(&id, "/edit"), words.t("save"))
        .hidden("version", application.version.to_string());
    let form = who(words, form, sent, wrong);
    let form = rest(person, form, (sent, false), wrong)
        .await?
        .part(Part::Text(words.t("application-change-text").into()))
        .cancel(words.t("cancel"), path(&id, ""));
    let page = below(shown, words.t("edit"), wrong).block(form);
    let status = if wrong.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    person
        .page_with(status, (place, Topic::Applications), page)
        .await
}

/// Changes it.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn change(sent: PersonForm, Id(id): Id<ApplicationId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    let words = person.words;
    let (shown, place) = seen(&person, id).await?;
    let before = &shown.application;
    let mut wrong = Wrong::new();
    let read = read(words, &fields, &mut wrong);
    if let (Some(name), true) = (read.name, wrong.is_empty()) {
        let mut served = read.resources;
        served.sort_unstable();
        let other_default = read.default_resource != shown.default_resource;
        let change = ApplicationChange {
            name: (name != before.name).then_some(name),
            description: (read.description != before.description).then_some(read.description),
            resources: (person.is_operator() && served != before.resources).then_some(served),
            default_resource: other_default.then_some(read.default_resource),
            auth_method: (read.auth_method != before.auth_method).then_some(read.auth_method),
            jwks: (read.jwks != before.jwks).then_some(read.jwks),
            legacy_assertion_audience: (read.legacy_assertion_audience
                != before.legacy_assertion_audience)
                .then_some(read.legacy_assertion_audience),
            allowed_cidrs: (read.allowed_cidrs != before.allowed_cidrs)
                .then_some(read.allowed_cidrs),
            may_act: (read.may_act != before.may_act).then_some(read.may_act),
            disabled: None,
        };
        let version = fields.version();
        let changed = person
            .broker
            .update_application(id, change, person.caller(), person.origin(), |now| {
                now == version
            })
            .await;
        match changed {
            Ok(_) => return Ok(person.done(&path(&id, ""), Done::ApplicationChanged)),
            Err(error) => wrong = of_form(words, error, &NAMES)?,
        }
    }
    form(&person, (&shown, place), (&fields, &wrong)).await
}
