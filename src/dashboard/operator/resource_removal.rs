//! API resources and permissions are removed, each on a page that says before how many keys lose it.

use actix_web::HttpResponse;

use super::operators_alone;
use crate::dashboard::done::Done;
use crate::dashboard::language::Text;
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{Form, Page, Part, Tone, Value};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::id::{PermissionId, ResourceId};
use crate::http::path::{Id, Ids};
use crate::http::problem::Problem;

fn confirm(
    person: &Person,
    title: Text,
    (heading, action, back): (String, String, String),
    told: Vec<Value>,
) -> Page {
    let words = person.words;
    let form = Form::new(action, words.t("delete"))
        .part(Part::Sentences(told))
        .tone(Tone::Danger)
        .cancel(words.t("cancel"), back);
    Page::new(title)
        .heading(heading)
        .narrow()
        .crumb(words.t("resources"), "/dashboard/resources")
        .block(form)
}

/// Asks whether a permission is to go.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn ask_delete_permission(
    person: Person,
    Ids(id, permission): Ids<ResourceId, PermissionId>,
) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let words = person.words;
    let (broker, caller) = (&person.broker, person.caller());
    let found = broker.permission(id, permission, caller).await?;
    let keys = broker.keys_holding(&[permission], caller).await?;
    let back = format!("/dashboard/resources/{id}");
    let told = vec![
        Value::Words(words.one("delete-permission-keys", "count", keys)),
        Value::Words(words.t("delete-permission-now")),
        Value::Words(words.t("stop-tokens")),
    ];
    let page = confirm(
        &person,
        words.t("permission-delete"),
        (
            found.name.to_string(),
            format!("{back}/permissions/{permission}/delete"),
            back,
        ),
        told,
    );
    person.page(Place::All, Topic::Resources, page).await
}

/// Removes it.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn delete_permission(
    sent: PersonForm,
    Ids(id, permission): Ids<ResourceId, PermissionId>,
) -> Result<HttpResponse, Problem> {
    let person = sent.person;
    operators_alone(&person)?;
    person
        .broker
        .delete_permission(id, permission, true, person.caller(), person.origin())
        .await?;
    let to = format!("/dashboard/resources/{id}");
    Ok(person.done(&to, Done::PermissionDeleted))
}

/// Asks whether a resource is to go.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn ask_delete(person: Person, Id(id): Id<ResourceId>) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let words = person.words;
    let (broker, caller) = (&person.broker, person.caller());
    let (resource, permissions) = broker.resource_with_permissions(id, caller).await?;
    let ids: Vec<PermissionId> = permissions.iter().map(|permission| permission.id).collect();
    let keys = broker.keys_holding(&ids, caller).await?;
    let back = format!("/dashboard/resources/{id}");
    let told = vec![
        Value::Words(words.one("delete-permission-keys", "count", keys)),
        Value::Words(words.t("delete-resource-now")),
        Value::Words(words.t("stop-tokens")),
    ];
    let name = resource.name.clone();
    let page = confirm(
        &person,
        words.t("resource-delete"),
        (
            name.unwrap_or_else(|| resource.identifier.to_string()),
            format!("{back}/delete"),
            back,
        ),
        told,
    );
    person.page(Place::All, Topic::Resources, page).await
}

/// Removes it.
///
/// # Errors
/// Not an operator, not there, reserved, or the database does not answer.
pub async fn delete(sent: PersonForm, Id(id): Id<ResourceId>) -> Result<HttpResponse, Problem> {
    let person = sent.person;
    operators_alone(&person)?;
    person
        .broker
        .delete_resource(id, true, person.caller(), person.origin(), |_| true)
        .await?;
    Ok(person.done("/dashboard/resources", Done::ResourceDeleted))
}
