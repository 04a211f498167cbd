//! `/v1/applications/{id}/roles`: what an application may do.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Call;
use super::applications::{at_most, shown};
use super::roles::RoleBody;
use crate::broker::Error;
use crate::domain::id::{ApplicationId, RoleId};
use crate::http::etag::IfMatch;
use crate::http::json::Json;
use crate::http::page::{Cursor, Limit, Page};
use crate::http::path::{Id, Ids};
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};

/// Roles, by their ids.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"roles": ["rol_2qk5c7hnv3xw6yjz4m2tq7rdpa"]}))]
pub struct RoleIds {
    /// Machine-to-machine roles; up to 100.
    #[schema(value_type = Vec<String>)]
    roles: Vec<RoleId>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListApplicationRoles {
    /// How many at most, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// List an application's roles
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/applications/{id}/roles", tag = "applications",
    params(("id" = String, Path, description = "The application's id, `app_…`."), ListApplicationRoles),
    responses((status = 200, description = "A page of roles", body = Page<RoleBody>)),
)]
pub async fn list_application_roles(
    call: Call,
    Id(id): Id<ApplicationId>,
    Query(query): Query<ListApplicationRoles>,
) -> Result<web::Json<Page<RoleBody>>, Problem> {
    let after = query.cursor.map(Into::into);
    let rows = call
        .broker
        .application_roles(id, &call.caller, after, query.limit.rows_and_one())
        .await?;
    let page = Page::cut(rows, query.limit, |row| Cursor {
        created_at: row.role.created_at,
        id: row.role.id.to_string(),
    });
    Ok(web::Json(page.map(|row| RoleBody::from(&row))))
}

/// Add roles
///
/// Those that it has already change nothing. The next token carries what they bundle.
#[utoipa::path(
    post, path = "/v1/applications/{id}/roles", tag = "applications",
    params(
        ("id" = String, Path, description = "The application's id, `app_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed."),
    ),
    request_body = RoleIds,
    responses((
        status = 200, description = "The application as it is now", body = super::applications::ApplicationBody,
        headers(("ETag" = String, description = "Its new version.")),
    )),
)]
pub async fn add_application_roles(
    call: Call,
    _: NoQuery,
    Id(id): Id<ApplicationId>,
    if_match: IfMatch,
    Json(body): Json<RoleIds>,
) -> Result<HttpResponse, Problem> {
    let added = at_most("roles", body.roles)?;
    let change = |held: &[RoleId]| Ok([held, &added].concat());
    set(&call, id, if_match, change).await
}

/// Replace an application's roles
#[utoipa::path(
    put, path = "/v1/applications/{id}/roles", tag = "applications",
    params(
        ("id" = String, Path, description = "The application's id, `app_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed."),
    ),
    request_body = RoleIds,
    responses((
        status = 200, description = "The application as it is now", body = super::applications::ApplicationBody,
        headers(("ETag" = String, description = "Its new version.")),
    )),
)]
pub async fn set_application_roles(
    call: Call,
    _: NoQuery,
    Id(id): Id<ApplicationId>,
    if_match: IfMatch,
    Json(body): Json<RoleIds>,
) -> Result<HttpResponse, Problem> {
    let all = at_most("roles", body.roles)?;
    set(&call, id, if_match, |_| Ok(all.clone())).await
}

/// Take a role away
#[utoipa::path(
    delete, path = "/v1/applications/{id}/roles/{role_id}", tag = "applications",
    params(
        ("id" = String, Path, description = "The application's id, `app_…`."),
        ("role_id" = String, Path, description = "The role's id, `rol_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed."),
    ),
    responses((status = 204, description = "It is taken away")),
)]
pub async fn remove_application_role(
    call: Call,
    _: NoQuery,
    Ids(id, role): Ids<ApplicationId, RoleId>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    let change = |held: &[RoleId]| {
        if !held.contains(&role) {
            return Err(Error::NotFound);
        }
        Ok(held.iter().copied().filter(|id| *id != role).collect())
    };
    set(&call, id, if_match, change).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn set(
    call: &Call,
    id: ApplicationId,
    if_match: IfMatch,
    change: impl Fn(&[RoleId]) -> Result<Vec<RoleId>, Error>,
) -> Result<HttpResponse, Problem> {
    let expected = |version| if_match.allows(version);
    let changed = call
        .broker
        .set_application_roles(id, change, &call.caller, call.origin(), expected)
        .await?;
    Ok(shown(&changed))
}
