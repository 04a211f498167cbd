//! `/v1/resources`: the API resources that tokens are made for.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::permissions::{CreatePermission, PermissionBody};
use super::{Call, created, item};
use crate::broker::idempotency::KeptAnswer;
use crate::broker::{NewPermission, NewResource, ResourceChange};
use crate::domain::algorithm::SigningAlgorithm;
use crate::domain::id::ResourceId;
use crate::domain::permission::Permission;
use crate::domain::resource::{MetadataClaims, Resource, ResourceIdentifier, TokenLifetime};
use crate::domain::text::Name;
use crate::http::cascade::Cascade;
use crate::http::etag::IfMatch;
use crate::http::idempotency_key::OptionalIdempotencyKey;
use crate::http::json::{Json, RawJson};
use crate::http::management::{once, respond};
use crate::http::object;
use crate::http::page::{Cursor, Limit, Page};
use crate::http::patch::Patch;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};

/// An API resource: a service that tokens are made for.
#[derive(Serialize, ToSchema)]
#[schema(as = Resource, example = json!({
    "id": "res_2qk5c7hnv3xw6yjz4m2tq7rdpa", "identifier": "https://payment.example.com/api", "name": "Payment",
    "token_lifetime": 300, "signing_alg": "ES256", "metadata_claims": ["cost_center"],
    "permissions": [{
        "id": "per_2qk5c7hnv3xw6yjz4m2tq7rdpa", "name": "write:payment", "description": "Make a payment",
        "created_at": "2026-11-22T09:00:00Z",
    }],
    "reserved": false, "created_at": "2026-11-22T09:00:00Z", "updated_at": "2026-11-22T09:00:00Z",
}))]
pub struct ResourceBody {
    /// Its id, `res_…`.
    #[schema(value_type = String)]
    id: ResourceId,
    /// The audience (`aud`) of its tokens, an absolute URI. It never changes.
    #[schema(value_type = String)]
    identifier: ResourceIdentifier,
    /// What people call it.
    #[schema(required)]
    name: Option<String>,
    /// How long its tokens live, in seconds.
    #[schema(value_type = u32)]
    token_lifetime: TokenLifetime,
    /// How its tokens are signed: `ES256`, `EdDSA` or `RS256`.
    #[schema(value_type = String)]
    signing_alg: SigningAlgorithm,
    /// The members of a key's metadata that its tokens carry.
    #[schema(value_type = Vec<String>)]
    metadata_claims: MetadataClaims,
    /// Its permissions, in the order of their names. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    permissions: Option<Vec<PermissionBody>>,
    /// Whether it is this server's own management API, which cannot be changed.
    reserved: bool,
    /// Since when it exists.
    created_at: Timestamp,
    /// When it or its permissions last changed.
    updated_at: Timestamp,
}

impl ResourceBody {
    fn new(resource: Resource, permissions: Option<Vec<Permission>>) -> Self {
        let shown =
            |permissions: Vec<Permission>| permissions.into_iter().map(Into::into).collect();
        Self {
            id: resource.id,
            identifier: resource.identifier,
            name: resource.name,
            token_lifetime: resource.token_lifetime,
            signing_alg: resource.signing_algorithm,
            metadata_claims: resource.metadata_claims,
            permissions: permissions.map(shown),
            reserved: resource.reserved,
            created_at: resource.created_at,
            updated_at: resource.updated_at,
        }
    }
}

/// A resource to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "identifier": "https://payment.example.com/api", "name": "Payment",
    "permissions": [{"name": "read:payment"}, {"name": "write:payment", "description": "Make a payment"}],
}))]
pub struct CreateResource {
    /// The audience of its tokens: an absolute URI without query and fragment, compared character by character.
    #[schema(value_type = String)]
    identifier: ResourceIdentifier,
    /// What people call it: 1 to 120 characters.
    #[schema(value_type = Option<String>)]
    name: Option<Name>,
    /// How long its tokens live: 30 to 3600 seconds; the server's default without it.
    #[schema(value_type = Option<u32>, minimum = 30, maximum = 3600)]
    token_lifetime: Option<TokenLifetime>,
    /// How its tokens are signed: `ES256`, `EdDSA` or `RS256`; the server's default without it.
    #[schema(value_type = Option<String>)]
    signing_alg: Option<SigningAlgorithm>,
    /// The members of a key's metadata that its tokens carry: up to 16 names.
    #[schema(value_type = Option<Vec<String>>)]
    metadata_claims: Option<MetadataClaims>,
    /// Its first permissions.
    #[serde(default, deserialize_with = "object::optional_list")]
    permissions: Option<Vec<CreatePermission>>,
}

/// What is to change of a resource; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token_lifetime": 120}))]
pub struct UpdateResource {
    /// What people call it; null takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    name: Patch<Name>,
    /// How long its tokens live: 30 to 3600 seconds; null: the server's default. Tokens that were issued keep theirs.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 30, maximum = 3600)]
    token_lifetime: Patch<TokenLifetime>,
    /// How its tokens are signed: `ES256`, `EdDSA` or `RS256`; null: the server's default.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    signing_alg: Patch<SigningAlgorithm>,
    /// All members of a key's metadata that its tokens carry; null: none.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    metadata_claims: Patch<MetadataClaims>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListResources {
    /// How many at most, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Make a resource
///
/// With its first permissions, if you like. Only for the deployment's operator. With an `Idempotency-Key` the request can be
/// repeated: it gives the same answer for 24 hours.
#[utoipa::path(
    post, path = "/v1/resources", tag = "resources",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this attempt, so that it can be repeated.")),
    request_body = CreateResource,
    responses((
        status = 201, description = "The resource with its permissions", body = ResourceBody,
        headers(("Location" = String, description = "Where it is."), ("ETag" = String, description = "Its version.")),
    )),
)]
pub async fn create_resource(
    call: Call,
    _: NoQuery,
    key: OptionalIdempotencyKey,
    body: RawJson<CreateResource>,
) -> Result<HttpResponse, Problem> {
    let attempt = call.attempt(key, "POST /v1/resources", &body.bytes);
    let body = body.value;
    let permissions = body.permissions.unwrap_or_default();
    let new = NewResource {
        identifier: body.identifier,
        name: body.name.map(Into::into),
        token_lifetime: body.token_lifetime,
        signing_algorithm: body.signing_alg,
        metadata_claims: body.metadata_claims.unwrap_or_default(),
        permissions: permissions.into_iter().map(NewPermission::from).collect(),
    };
    let answer = once(&call.broker, attempt, &shown_at_creation, async |keep| {
        call.broker
            .create_resource(new, &call.caller, call.origin(), keep)
            .await
    });
    Ok(respond(answer.await?, false))
}

/// List resources
///
/// Newest first, without their permissions. A caller who is bound to an organization sees those that it may use something of.
#[utoipa::path(
    get, path = "/v1/resources", tag = "resources", params(ListResources),
    responses((status = 200, description = "A page of resources", body = Page<ResourceBody>)),
)]
pub async fn list_resources(
    call: Call,
    Query(query): Query<ListResources>,
) -> Result<web::Json<Page<ResourceBody>>, Problem> {
    let after = query.cursor.map(Into::into);
    let rows = call
        .broker
        .resources(&call.caller, None, after, query.limit.rows_and_one())
        .await?;
    let page = Page::cut(rows, query.limit, |row| Cursor {
        created_at: row.created_at,
        id: row.id.to_string(),
    });
    Ok(web::Json(
        page.map(|resource| ResourceBody::new(resource, None)),
    ))
}

/// Show a resource
///
/// With its permissions.
#[utoipa::path(
    get, path = "/v1/resources/{id}", tag = "resources",
    params(("id" = String, Path, description = "The resource's id, `res_…`.")),
    responses((
        status = 200, description = "The resource with its permissions", body = ResourceBody,
        headers(("ETag" = String, description = "Its version, for `If-Match`; a change of its permissions changes it too.")),
    )),
)]
pub async fn show_resource(
    call: Call,
    _: NoQuery,
    Id(id): Id<ResourceId>,
) -> Result<HttpResponse, Problem> {
    let found = call
        .broker
        .resource_with_permissions(id, &call.caller)
        .await?;
    Ok(shown(found))
}

/// Change a resource
///
/// Only the fields that are sent change; the next token carries the change. Only for the deployment's operator. With `If-Match` the
/// change is made only to the version that was read, else the answer is 412.
#[utoipa::path(
    patch, path = "/v1/resources/{id}", tag = "resources",
    params(
        ("id" = String, Path, description = "The resource's id, `res_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed."),
    ),
    request_body = UpdateResource,
    responses((
        status = 200, description = "The resource as it is now, with its permissions", body = ResourceBody,
        headers(("ETag" = String, description = "Its new version.")),
    )),
)]
pub async fn update_resource(
    call: Call,
    _: NoQuery,
    Id(id): Id<ResourceId>,
    if_match: IfMatch,
    Json(body): Json<UpdateResource>,
) -> Result<HttpResponse, Problem> {
    let change = ResourceChange {
        name: body.name.change().map(|name| name.map(Into::into)),
        token_lifetime: body.token_lifetime.change(),
        signing_algorithm: body.signing_alg.change(),
        metadata_claims: body.metadata_claims.or_default(),
    };
    let expected = |version| if_match.allows(version);
    let changed = call
        .broker
        .update_resource(id, change, &call.caller, call.origin(), expected)
        .await?;
    Ok(shown(changed))
}

/// Remove a resource
///
/// While it is in use, by keys, roles, organizations or applications, the answer is 409 `resource_in_use`, which names them; with
/// `cascade=true` every key and every role loses its permissions at once. Tokens that were issued live until they expire. Only for the
/// deployment's operator.
#[utoipa::path(
    delete, path = "/v1/resources/{id}", tag = "resources",
    params(
        ("id" = String, Path, description = "The resource's id, `res_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be removed."),
        Cascade,
    ),
    responses((status = 204, description = "It is removed")),
)]
pub async fn delete_resource(
    call: Call,
    Query(Cascade { cascade }): Query<Cascade>,
    Id(id): Id<ResourceId>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    let expected = |version| if_match.allows(version);
    call.broker
        .delete_resource(id, cascade, &call.caller, call.origin(), expected)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

fn shown((resource, permissions): (Resource, Vec<Permission>)) -> HttpResponse {
    let version = resource.version;
    item(version, &ResourceBody::new(resource, Some(permissions)))
}

fn shown_at_creation((resource, permissions): &(Resource, Vec<Permission>)) -> KeptAnswer {
    let location = format!("/v1/resources/{}", resource.id);
    let body = ResourceBody::new(resource.clone(), Some(permissions.clone()));
    created(location, resource.version, &body)
}
