//! `/v1/resources/{id}/permissions`: what may be done at a resource. A permission is made and removed, never changed.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Call, created, item};
use crate::broker::NewPermission;
use crate::broker::idempotency::KeptAnswer;
use crate::domain::id::{PermissionId, ResourceId};
use crate::domain::permission::Permission;
use crate::domain::scope::ScopeToken;
use crate::domain::text::Description;
use crate::http::cascade::Cascade;
use crate::http::etag::IfMatch;
use crate::http::idempotency_key::OptionalIdempotencyKey;
use crate::http::json::RawJson;
use crate::http::management::{once, respond};
use crate::http::page::{Cursor, Limit, Page};
use crate::http::path::{Id, Ids};
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};

/// The version of every permission, as none changes.
const VERSION: i64 = 1;

/// A permission: one scope at one resource.
#[derive(Serialize, ToSchema)]
#[schema(as = Permission, example = json!({
    "id": "per_2qk5c7hnv3xw6yjz4m2tq7rdpa", "name": "write:payment", "description": "Make a payment",
    "created_at": "2026-11-22T09:00:00Z",
}))]
pub struct PermissionBody {
    /// Its id, `per_…`.
    #[schema(value_type = String)]
    id: PermissionId,
    /// The scope, as it stands in tokens.
    #[schema(value_type = String)]
    name: ScopeToken,
    /// What it lets do.
    #[schema(required)]
    description: Option<String>,
    /// Since when it exists.
    created_at: Timestamp,
}

impl From<Permission> for PermissionBody {
    fn from(permission: Permission) -> Self {
        Self {
            id: permission.id,
            name: permission.name,
            description: permission.description,
            created_at: permission.created_at,
        }
    }
}

/// A permission to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "write:payment", "description": "Make a payment"}))]
pub struct CreatePermission {
    /// The scope: 1 to 128 visible ASCII characters without quotation mark and backslash (RFC 6749 §3.3).
    #[schema(value_type = String)]
    name: ScopeToken,
    /// What it lets do: 1 to 500 characters.
    #[schema(value_type = Option<String>)]
    description: Option<Description>,
}

impl From<CreatePermission> for NewPermission {
    fn from(body: CreatePermission) -> Self {
        Self {
            name: body.name,
            description: body.description.map(Into::into),
        }
    }
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListPermissions {
    /// How many at most, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Add a permission to a resource
///
/// Only for the deployment's operator. No key holds it until it is given to one. With an `Idempotency-Key` the request can be
/// repeated: it gives the same answer for 24 hours.
#[utoipa::path(
    post, path = "/v1/resources/{id}/permissions", tag = "resources",
    params(
        ("id" = String, Path, description = "The resource's id, `res_…`."),
        ("Idempotency-Key" = Option<String>, Header, description = "Names this attempt, so that it can be repeated."),
    ),
    request_body = CreatePermission,
    responses((
        status = 201, description = "The permission", body = PermissionBody,
        headers(("Location" = String, description = "Where it is."), ("ETag" = String, description = "Its version.")),
    )),
)]
pub async fn create_permission(
    call: Call,
    _: NoQuery,
    Id(resource): Id<ResourceId>,
    key: OptionalIdempotencyKey,
    body: RawJson<CreatePermission>,
) -> Result<HttpResponse, Problem> {
    let place = format!("POST /v1/resources/{resource}/permissions");
    let attempt = call.attempt(key, &place, &body.bytes);
    let new = NewPermission::from(body.value);
    let answer = once(&call.broker, attempt, &shown_at_creation, async |keep| {
        call.broker
            .create_permission(resource, new, &call.caller, call.origin(), keep)
            .await
    });
    Ok(respond(answer.await?, false))
}

/// List a resource's permissions
///
/// Newest first. A caller who is bound to an organization sees those that it may use.
#[utoipa::path(
    get, path = "/v1/resources/{id}/permissions", tag = "resources",
    params(("id" = String, Path, description = "The resource's id, `res_…`."), ListPermissions),
    responses((status = 200, description = "A page of permissions", body = Page<PermissionBody>)),
)]
pub async fn list_permissions(
    call: Call,
    Id(resource): Id<ResourceId>,
    Query(query): Query<ListPermissions>,
) -> Result<web::Json<Page<PermissionBody>>, Problem> {
    let after = query.cursor.map(Into::into);
    let rows = call
        .broker
        .permissions(resource, &call.caller, after, query.limit.rows_and_one())
        .await?;
    let page = Page::cut(rows, query.limit, |row| Cursor {
        created_at: row.created_at,
        id: row.id.to_string(),
    });
    Ok(web::Json(page.map(PermissionBody::from)))
}

/// Show a permission
#[utoipa::path(
    get, path = "/v1/resources/{id}/permissions/{permission_id}", tag = "resources",
    params(
        ("id" = String, Path, description = "The resource's id, `res_…`."),
        ("permission_id" = String, Path, description = "The permission's id, `per_…`."),
    ),
    responses((
        status = 200, description = "The permission", body = PermissionBody,
        headers(("ETag" = String, description = "Its version, which never changes.")),
    )),
)]
pub async fn show_permission(
    call: Call,
    _: NoQuery,
    Ids(resource, id): Ids<ResourceId, PermissionId>,
) -> Result<HttpResponse, Problem> {
    let permission = call.broker.permission(resource, id, &call.caller).await?;
    Ok(item(VERSION, &PermissionBody::from(permission)))
}

/// Remove a permission
///
/// While it is in use, by keys, roles or organizations, the answer is 409 `permission_in_use`, which names them; with `cascade=true` they
/// lose it at once. Tokens that were issued live until they expire. Only for the deployment's operator.
#[utoipa::path(
    delete, path = "/v1/resources/{id}/permissions/{permission_id}", tag = "resources",
    params(
        ("id" = String, Path, description = "The resource's id, `res_…`."),
        ("permission_id" = String, Path, description = "The permission's id, `per_…`."),
        ("If-Match" = Option<String>, Header, description = "The permission's `ETag`."),
        Cascade,
    ),
    responses((status = 204, description = "It is removed")),
)]
pub async fn delete_permission(
    call: Call,
    Query(Cascade { cascade }): Query<Cascade>,
    Ids(resource, id): Ids<ResourceId, PermissionId>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    if !if_match.allows(VERSION) {
        // What is not there is 404 whatever was expected of it.
        call.broker.permission(resource, id, &call.caller).await?;
        return Err(Problem::precondition_failed());
    }
    call.broker
        .delete_permission(resource, id, cascade, &call.caller, call.origin())
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

fn shown_at_creation(permission: &Permission) -> KeptAnswer {
    let location = format!(
        "/v1/resources/{}/permissions/{}",
        permission.resource_id, permission.id
    );
    created(location, VERSION, &PermissionBody::from(permission.clone()))
}
