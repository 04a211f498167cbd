//! `/v1/roles`: permissions under one name, for people or for machine-to-machine applications.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::keys::{ScopesAtResource, at_its_place, permissions};
use super::{Call, created, item};
use crate::broker::idempotency::KeptAnswer;
use crate::broker::{NewRole, RoleChange, ShownRole};
use crate::domain::id::RoleId;
use crate::domain::role::RoleKind;
use crate::domain::text::{Description, Name};
use crate::http::cascade::Cascade;
use crate::http::etag::IfMatch;
use crate::http::idempotency_key::OptionalIdempotencyKey;
use crate::http::json::{Json, RawJson};
use crate::http::key_object::{ResourceScopes, in_words};
use crate::http::management::{once, respond};
use crate::http::object;
use crate::http::page::{Cursor, Limit, Page};
use crate::http::patch::Patch;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};

/// A role.
#[derive(Serialize, ToSchema)]
#[schema(as = Role, example = json!({
    "id": "rol_2qk5c7hnv3xw6yjz4m2tq7rdpa", "name": "checkout", "description": "Takes payments", "kind": "user",
    "permissions": [{"resource": "https://payment.example.com/api", "scopes": ["write:payment"]}],
    "created_at": "2026-11-22T09:00:00Z", "updated_at": "2026-11-22T09:00:00Z",
}))]
pub struct RoleBody {
    /// Its id, `rol_…`.
    #[schema(value_type = String)]
    id: RoleId,
    /// Its name, of which there is only one.
    name: String,
    /// What it is for.
    #[schema(required)]
    description: Option<String>,
    /// Who can hold it: `machine_to_machine` (applications) or `user` (members of organizations). It never changes.
    #[schema(value_type = String)]
    kind: RoleKind,
    /// What it bundles.
    permissions: Vec<ResourceScopes>,
    /// Since when it exists.
    created_at: Timestamp,
    /// When it last changed.
    updated_at: Timestamp,
}

impl From<&ShownRole> for RoleBody {
    fn from(shown: &ShownRole) -> Self {
        let role = &shown.role;
        Self {
            id: role.id,
            name: role.name.clone(),
            description: role.description.clone(),
            kind: role.kind,
            permissions: in_words(&shown.permissions),
            created_at: role.created_at,
            updated_at: role.updated_at,
        }
    }
}

/// A role to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "checkout", "kind": "machine_to_machine",
    "permissions": [{"resource": "https://payment.example.com/api", "scopes": ["write:payment"]}],
}))]
pub struct CreateRole {
    /// Its name: 1 to 120 characters, of which there is only one.
    #[schema(value_type = String)]
    name: Name,
    /// What it is for: 1 to 500 characters.
    #[schema(value_type = Option<String>)]
    description: Option<Description>,
    /// Who can hold it: `machine_to_machine` or `user`.
    #[schema(value_type = String)]
    kind: RoleKind,
    /// What it bundles; an empty list: nothing.
    #[serde(deserialize_with = "object::list")]
    permissions: Vec<ScopesAtResource>,
}

/// What is to change of a role; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"permissions": []}))]
pub struct UpdateRole {
    /// Its name.
    #[serde(default)]
    #[schema(value_type = String, required = false)]
    name: Patch<Name>,
    /// What it is for; null takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    description: Patch<Description>,
    /// All that it bundles, in place of what it does now.
    #[serde(default, deserialize_with = "object::optional_list")]
    #[schema(nullable = false)]
    permissions: Option<Vec<ScopesAtResource>>,
}

/// Which roles, and which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListRoles {
    /// `machine_to_machine` or `user`.
    #[param(value_type = Option<String>)]
    kind: Option<RoleKind>,
    /// How many at most, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Make a role
///
/// Only for the deployment's operator. With an `Idempotency-Key` the request can be repeated: it gives the same answer for 24 hours.
#[utoipa::path(
    post, path = "/v1/roles", tag = "roles",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this attempt, so that it can be repeated.")),
    request_body = CreateRole,
    responses((
        status = 201, description = "The role", body = RoleBody,
        headers(("Location" = String, description = "Where it is."), ("ETag" = String, description = "Its version.")),
    )),
)]
pub async fn create_role(
    call: Call,
    _: NoQuery,
    key: OptionalIdempotencyKey,
    body: RawJson<CreateRole>,
) -> Result<HttpResponse, Problem> {
    let attempt = call.attempt(key, "POST /v1/roles", &body.bytes);
    let body = body.value;
    let named = body.permissions.clone();
    let new = NewRole {
        name: body.name.into(),
        description: body.description.map(Into::into),
        kind: body.kind,
        permissions: permissions(body.permissions)?,
    };
    let answer = once(&call.broker, attempt, &shown_at_creation, async |keep| {
        let made = call
            .broker
            .create_role(new, &call.caller, call.origin(), keep)
            .await;
        made.map_err(|error| at_its_place(error, &named))
    });
    Ok(respond(answer.await?, false))
}

/// List roles
///
/// Newest first. A caller who is bound to an organization sees those that it may use whole.
#[utoipa::path(
    get, path = "/v1/roles", tag = "roles", params(ListRoles),
    responses((status = 200, description = "A page of roles", body = Page<RoleBody>)),
)]
pub async fn list_roles(
    call: Call,
    Query(query): Query<ListRoles>,
) -> Result<web::Json<Page<RoleBody>>, Problem> {
    let after = query.cursor.map(Into::into);
    let rows = call
        .broker
        .roles(
            &call.caller,
            (query.kind, None),
            after,
            query.limit.rows_and_one(),
        )
        .await?;
    let page = Page::cut(rows, query.limit, |row| Cursor {
        created_at: row.role.created_at,
        id: row.role.id.to_string(),
    });
    Ok(web::Json(page.map(|row| RoleBody::from(&row))))
}

/// Show a role
#[utoipa::path(
    get, path = "/v1/roles/{id}", tag = "roles",
    params(("id" = String, Path, description = "The role's id, `rol_…`.")),
    responses((
        status = 200, description = "The role", body = RoleBody,
        headers(("ETag" = String, description = "Its version, for `If-Match`.")),
    )),
)]
pub async fn show_role(
    call: Call,
    _: NoQuery,
    Id(id): Id<RoleId>,
) -> Result<HttpResponse, Problem> {
    Ok(shown(&call.broker.role(id, &call.caller).await?))
}

/// Change a role
///
/// Only the fields that are sent change; what its holders and their keys may do follows from the answer on. Only for the deployment's
/// operator. With `If-Match` the change is made only to the version that was read, else the answer is 412.
#[utoipa::path(
    patch, path = "/v1/roles/{id}", tag = "roles",
    params(
        ("id" = String, Path, description = "The role's id, `rol_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed."),
    ),
    request_body = UpdateRole,
    responses((
        status = 200, description = "The role as it is now", body = RoleBody,
        headers(("ETag" = String, description = "Its new version.")),
    )),
)]
pub async fn update_role(
    call: Call,
    _: NoQuery,
    Id(id): Id<RoleId>,
    if_match: IfMatch,
    Json(body): Json<UpdateRole>,
) -> Result<HttpResponse, Problem> {
    let named = body.permissions.clone().unwrap_or_default();
    let change = RoleChange {
        name: body.name.unless_null("name")?.map(Into::into),
        description: body.description.change().map(|text| text.map(Into::into)),
        permissions: body.permissions.map(permissions).transpose()?,
    };
    let expected = |version| if_match.allows(version);
    let changed = call
        .broker
        .update_role(id, change, &call.caller, call.origin(), expected)
        .await;
    Ok(shown(
        &changed.map_err(|error| at_its_place(error, &named))?,
    ))
}

/// Remove a role
///
/// While somebody holds it the answer is 409 `role_in_use`, which names them; with `cascade=true` they lose it. Only for the deployment's operator.
#[utoipa::path(
    delete, path = "/v1/roles/{id}", tag = "roles",
    params(
        ("id" = String, Path, description = "The role's id, `rol_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be removed."),
        Cascade,
    ),
    responses((status = 204, description = "It is removed")),
)]
pub async fn delete_role(
    call: Call,
    Query(Cascade { cascade }): Query<Cascade>,
    Id(id): Id<RoleId>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    let expected = |version| if_match.allows(version);
    call.broker
        .delete_role(id, cascade, &call.caller, call.origin(), expected)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

fn shown(role: &ShownRole) -> HttpResponse {
    item(role.role.version, &RoleBody::from(role))
}

fn shown_at_creation(role: &ShownRole) -> KeptAnswer {
    let location = format!("/v1/roles/{}", role.role.id);
    created(location, role.role.version, &RoleBody::from(role))
}
