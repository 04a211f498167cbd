//! `/v1/organizations`: the tenants that keys belong to.

use actix_web::HttpResponse;
use actix_web::web;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::keys::{ScopesAtResource, at_its_place, permissions};
use super::{Call, created, item};
use crate::broker::idempotency::KeptAnswer;
use crate::broker::{NewOrganization, OrganizationChange, ShownOrganization};
use crate::domain::id::OrganizationId;
use crate::domain::metadata::Metadata;
use crate::domain::organization::{OwnerGone, Slug};
use crate::domain::text::Name;
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

/// An organization.
#[derive(Serialize, ToSchema)]
#[schema(as = Organization, example = json!({
    "id": "org_2qk5c7hnv3xw6yjz4m2tq7rdpa", "name": "Cart team", "slug": "cart", "metadata": {"cost_center": "4711"},
    "disabled": false, "permissions": [{"resource": "https://payment.example.com/api", "scopes": ["write:payment"]}],
    "max_keys": 100, "owner_gone": "pause", "created_at": "2026-11-22T09:00:00Z", "updated_at": "2026-11-22T09:00:00Z",
}))]
pub struct OrganizationBody {
    /// Its id, `org_…`.
    #[schema(value_type = String)]
    id: OrganizationId,
    /// What people call it.
    name: String,
    /// A short name for addresses and command lines, of which there is only one; null without one.
    #[schema(value_type = Option<String>, required)]
    slug: Option<Slug>,
    /// Texts that people hang on it.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    metadata: Metadata,
    /// Whether all its keys are paused.
    disabled: bool,
    /// All that its keys may use, whatever they were given; null: everything, what is added later included.
    #[schema(required)]
    permissions: Option<Vec<ResourceScopes>>,
    /// How many keys it may have that are not revoked; null: as many as it likes.
    #[schema(required)]
    max_keys: Option<u32>,
    /// What becomes of the keys of a member who leaves: `pause`, `hand_over` or `keep`.
    #[schema(value_type = String)]
    owner_gone: OwnerGone,
    /// Since when it exists.
    created_at: Timestamp,
    /// When it last changed.
    updated_at: Timestamp,
}

impl From<ShownOrganization> for OrganizationBody {
    fn from(shown: ShownOrganization) -> Self {
        let organization = shown.organization;
        Self {
            permissions: shown.permissions.as_ref().map(in_words),
            max_keys: organization.max_keys,
            owner_gone: organization.owner_gone,
            id: organization.id,
            name: organization.name,
            slug: organization.slug,
            metadata: organization.metadata,
            disabled: organization.disabled_at.is_some(),
            created_at: organization.created_at,
            updated_at: organization.updated_at,
        }
    }
}

/// An organization to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Cart team", "slug": "cart"}))]
pub struct CreateOrganization {
    /// What people call it: 1 to 120 characters.
    #[schema(value_type = String)]
    name: Name,
    /// A short name: 1 to 63 lower-case letters, digits or hyphens, the first one no hyphen.
    #[schema(value_type = Option<String>)]
    slug: Option<Slug>,
    /// Up to 16 texts of up to 256 bytes; their names are 1 to 40 characters of a–z, 0–9 and _.
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    metadata: Option<Metadata>,
    /// All that its keys may use. Left out or null: what the server's `organizations.default_permissions` says; everything, if that
    /// says nothing.
    #[serde(default, deserialize_with = "object::optional_list")]
    permissions: Option<Vec<ScopesAtResource>>,
    /// How many keys it may have that are not revoked: 0 to 1000000. Left out: as many as it likes.
    #[schema(value_type = Option<u32>, maximum = 1_000_000)]
    max_keys: Option<MaxKeys>,
    /// What becomes of the keys of a member who leaves: `pause` (they are disabled), `hand_over` (they have no owner any more) or
    /// `keep`. Left out: `pause`.
    #[schema(value_type = Option<String>)]
    owner_gone: Option<OwnerGone>,
}

/// A number of keys, 0 to 1000000.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u32")]
struct MaxKeys(u32);

impl TryFrom<u32> for MaxKeys {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, &'static str> {
        (number <= 1_000_000)
            .then_some(Self(number))
            .ok_or("must be from 0 to 1000000")
    }
}

/// What an organization's keys may use from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"permissions": [{"resource": "https://payment.example.com/api", "scopes": ["write:payment"]}]}))]
pub struct SetOrganizationPermissions {
    /// All of it, in place of what they may use now; an empty list: nothing; null: everything, what is added later included.
    #[serde(deserialize_with = "object::optional_list")]
    #[schema(required)]
    permissions: Option<Vec<ScopesAtResource>>,
}

/// What is to change of an organization; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"disabled": true}))]
pub struct UpdateOrganization {
    /// What people call it.
    #[serde(default)]
    #[schema(value_type = String, required = false)]
    name: Patch<Name>,
    /// Its short name; null takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    slug: Patch<Slug>,
    /// All its texts, in place of those that it has; null takes them away.
    #[serde(default)]
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    metadata: Patch<Metadata>,
    /// Whether all its keys are paused. Only for the deployment's operator.
    #[serde(default)]
    #[schema(value_type = bool, required = false)]
    disabled: Patch<bool>,
    /// How many keys it may have that are not revoked: 0 to 1000000; null: as many as it likes. Only for the deployment's operator.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 1_000_000)]
    max_keys: Patch<MaxKeys>,
    /// What becomes of the keys of a member who leaves: `pause`, `hand_over` or `keep`.
    #[serde(default)]
    #[schema(value_type = String, required = false)]
    owner_gone: Patch<OwnerGone>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListOrganizations {
    /// How many at most, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Make an organization
///
/// Keys belong to an organization, so this comes first. Only for the deployment's operator. With an `Idempotency-Key` the request
/// can be repeated: it gives the same answer for 24 hours.
#[utoipa::path(
    post, path = "/v1/organizations", tag = "organizations",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this attempt, so that it can be repeated.")),
    request_body = CreateOrganization,
    responses((
        status = 201, description = "The organization", body = OrganizationBody,
        headers(("Location" = String, description = "Where it is."), ("ETag" = String, description = "Its version.")),
    )),
)]
pub async fn create_organization(
    call: Call,
    _: NoQuery,
    key: OptionalIdempotencyKey,
    body: RawJson<CreateOrganization>,
) -> Result<HttpResponse, Problem> {
    let attempt = call.attempt(key, "POST /v1/organizations", &body.bytes);
    let body = body.value;
    let named = body.permissions.clone().unwrap_or_default();
    let new = NewOrganization {
        name: body.name.into(),
        slug: body.slug,
        metadata: body.metadata.unwrap_or_default(),
        permissions: body.permissions.map(permissions).transpose()?,
        max_keys: body.max_keys.map(|MaxKeys(most)| most),
        owner_gone: body.owner_gone.unwrap_or_default(),
    };
    let answer = once(&call.broker, attempt, &shown_at_creation, async |keep| {
        let made = call
            .broker
            .create_organization(new, &call.caller, call.origin(), keep)
            .await;
        made.map_err(|error| at_its_place(error, &named))
    });
    Ok(respond(answer.await?, false))
}

/// List organizations
///
/// Newest first. A caller who is bound to an organization sees that one alone.
#[utoipa::path(
    get, path = "/v1/organizations", tag = "organizations", params(ListOrganizations),
    responses((status = 200, description = "A page of organizations", body = Page<OrganizationBody>)),
)]
pub async fn list_organizations(
    call: Call,
    Query(query): Query<ListOrganizations>,
) -> Result<web::Json<Page<OrganizationBody>>, Problem> {
    let after = query.cursor.map(Into::into);
    let rows = call
        .broker
        .organizations(&call.caller, None, after, query.limit.rows_and_one())
        .await?;
    let page = Page::cut(rows, query.limit, |row| Cursor {
        created_at: row.organization.created_at,
        id: row.organization.id.to_string(),
    });
    Ok(web::Json(page.map(OrganizationBody::from)))
}

/// Show an organization
#[utoipa::path(
    get, path = "/v1/organizations/{id}", tag = "organizations",
    params(("id" = String, Path, description = "The organization's id, `org_…`.")),
    responses((
        status = 200, description = "The organization", body = OrganizationBody,
        headers(("ETag" = String, description = "Its version, for `If-Match`.")),
    )),
)]
pub async fn show_organization(
    call: Call,
    _: NoQuery,
    Id(id): Id<OrganizationId>,
) -> Result<HttpResponse, Problem> {
    let organization = call.broker.shown_organization(id, &call.caller).await?;
    Ok(shown(organization))
}

/// Change an organization
///
/// Only the fields that are sent change. `disabled` pauses all keys of the organization from the answer on, and lets them work
/// again. With `If-Match` the change is made only to the version that was read, else the answer is 412.
#[utoipa::path(
    patch, path = "/v1/organizations/{id}", tag = "organizations",
    params(
        ("id" = String, Path, description = "The organization's id, `org_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed."),
    ),
    request_body = UpdateOrganization,
    responses((
        status = 200, description = "The organization as it is now", body = OrganizationBody,
        headers(("ETag" = String, description = "Its new version.")),
    )),
)]
pub async fn update_organization(
    call: Call,
    _: NoQuery,
    Id(id): Id<OrganizationId>,
    if_match: IfMatch,
    Json(body): Json<UpdateOrganization>,
) -> Result<HttpResponse, Problem> {
    let change = OrganizationChange {
        name: body.name.unless_null("name")?.map(Into::into),
        slug: body.slug.change(),
        metadata: body.metadata.or_default(),
        disabled: body.disabled.unless_null("disabled")?,
        max_keys: body
            .max_keys
            .change()
            .map(|most| most.map(|MaxKeys(most)| most)),
        owner_gone: body.owner_gone.unless_null("owner_gone")?,
    };
    let expected = |version| if_match.allows(version);
    let organization = call
        .broker
        .update_organization(id, change, &call.caller, call.origin(), expected)
        .await?;
    Ok(shown(organization))
}

/// Replace what an organization may use
///
/// It bounds what its keys give, whatever they were given: the next exchange of each follows. Only for the deployment's operator.
#[utoipa::path(
    put, path = "/v1/organizations/{id}/permissions", tag = "organizations",
    params(
        ("id" = String, Path, description = "The organization's id, `org_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed."),
    ),
    request_body = SetOrganizationPermissions,
    responses((
        status = 200, description = "The organization as it is now", body = OrganizationBody,
        headers(("ETag" = String, description = "Its new version.")),
    )),
)]
pub async fn set_organization_permissions(
    call: Call,
    _: NoQuery,
    Id(id): Id<OrganizationId>,
    if_match: IfMatch,
    Json(body): Json<SetOrganizationPermissions>,
) -> Result<HttpResponse, Problem> {
    let named = body.permissions.clone().unwrap_or_default();
    let wanted = body.permissions.map(permissions).transpose()?;
    let expected = |version| if_match.allows(version);
    let changed = call
        .broker
        .set_organization_permissions(id, wanted, &call.caller, call.origin(), expected)
        .await;
    Ok(shown(changed.map_err(|error| at_its_place(error, &named))?))
}

/// Remove an organization
///
/// Its keys must be revoked before (409 `organization_not_empty`); the records of those keys go with it, the audit trail stays.
/// Only for the deployment's operator.
#[utoipa::path(
    delete, path = "/v1/organizations/{id}", tag = "organizations",
    params(
        ("id" = String, Path, description = "The organization's id, `org_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be removed."),
    ),
    responses((status = 204, description = "It is removed")),
)]
pub async fn delete_organization(
    call: Call,
    _: NoQuery,
    Id(id): Id<OrganizationId>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    let expected = |version| if_match.allows(version);
    call.broker
        .delete_organization(id, &call.caller, call.origin(), expected)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

fn shown(shown: ShownOrganization) -> HttpResponse {
    item(shown.organization.version, &OrganizationBody::from(shown))
}

fn shown_at_creation(shown: &ShownOrganization) -> KeptAnswer {
    let organization = &shown.organization;
    let location = format!("/v1/organizations/{}", organization.id);
    let body = OrganizationBody::from(shown.clone());
    created(location, organization.version, &body)
}
