//! `/v1/keys`: keys are issued and listed. What is done with one key is in [`super::key`].

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Call;
use crate::broker::Error;
use crate::broker::idempotency::KeptAnswer;
use crate::broker::keys::{IssuedKey, KeyFilter, NewKey};
use crate::domain::id::OrganizationId;
use crate::domain::lifecycle::KeyStatus;
use crate::domain::limits::{AllowedCidrs, RateLimit};
use crate::domain::metadata::Metadata;
use crate::domain::permission::Permissions;
use crate::domain::provider_name::ProviderName;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeToken;
use crate::domain::text::Name;
use crate::http::idempotency_key::OptionalIdempotencyKey;
use crate::http::json::RawJson;
use crate::http::key_object::{IssuedKeyObject, KeyObject};
use crate::http::management::{kept, once, respond};
use crate::http::may_act::MayAct;
use crate::http::moment::Moment;
use crate::http::object;
use crate::http::owner::{OwnerField, OwnerParameter};
use crate::http::page::{Cursor, Limit, Page};
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};

/// The most permissions that one request names.
const MOST_PERMISSIONS: usize = 500;

/// Scopes at one resource, as they are asked for.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PermissionsAtResource, example = json!({"resource": "https://payment.example.com/api", "scopes": ["write:payment"]}))]
pub struct ScopesAtResource {
    /// The resource's identifier.
    #[schema(value_type = String)]
    resource: ResourceIdentifier,
    /// At least one of its scopes.
    #[schema(value_type = Vec<String>, min_items = 1)]
    scopes: Vec<ScopeToken>,
}

/// A key to be issued.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "checkout in production", "organization_id": "org_2qk5c7hnv3xw6yjz4m2tq7rdpa",
    "permissions": [{"resource": "https://payment.example.com/api", "scopes": ["write:payment"]}],
}))]
pub struct CreateKey {
    /// What people call it: 1 to 120 characters.
    #[schema(value_type = String)]
    name: Name,
    /// The organization that it belongs to. May be left out by a caller who is bound to one.
    #[schema(value_type = String, required = false)]
    organization_id: Option<OrganizationId>,
    /// Whose it is: a person's id, `usr_…`, or his `iss` and `sub`. A member owns what he makes; where the owner is a member, the key
    /// never gives more than he may. Others than the deployment's operator name members alone.
    #[schema(value_type = Option<Object>, example = json!({"iss": "https://sso.example.com", "sub": "ann"}))]
    owner: Option<OwnerField>,
    /// What it may do; an empty list: nothing.
    #[serde(deserialize_with = "object::list")]
    permissions: Vec<ScopesAtResource>,
    /// The resource meant when an exchange names none; one of those in `permissions`.
    #[schema(value_type = Option<String>)]
    default_resource: Option<ResourceIdentifier>,
    /// When it ends. Left out: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Moment>,
    /// Up to 16 texts of up to 256 bytes; their names are 1 to 40 characters of a–z, 0–9 and _.
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    metadata: Option<Metadata>,
    /// The networks that it may be presented from. Left out: any.
    #[schema(value_type = Option<Vec<String>>, example = json!(["192.0.2.0/24"]))]
    allowed_cidrs: Option<AllowedCidrs>,
    /// How often it may be traded. Left out: as often as it likes.
    #[serde(default, deserialize_with = "object::optional")]
    #[schema(value_type = Option<Object>, example = json!({"requests": 100, "per_seconds": 60}))]
    rate_limit: Option<RateLimit>,
    /// Who may act for it in a token exchange. Left out: whoever a rule lets.
    #[serde(default, deserialize_with = "object::optional")]
    may_act: Option<MayAct>,
    /// The identity provider that holds its user. Left out: the default one.
    #[schema(value_type = Option<String>)]
    identity_provider: Option<ProviderName>,
    /// Whether its holder may rotate it (`POST /v1/key/rotate`). Left out: no.
    #[schema(value_type = bool, required = false)]
    self_rotate: Option<bool>,
}

/// Which keys, and which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListKeys {
    /// Keys of this organization.
    #[param(value_type = Option<String>)]
    organization_id: Option<OrganizationId>,
    /// Keys of this person: `usr_…`, or `{"iss":…,"sub":…}`.
    #[param(value_type = Option<String>)]
    owner: Option<OwnerParameter>,
    /// `active`, `pending`, `disabled`, `expired` or `revoked`.
    #[param(value_type = Option<String>)]
    status: Option<KeyStatus>,
    /// Keys whose name or id holds this text.
    #[param(value_type = Option<String>)]
    q: Option<Name>,
    /// How many at most, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u16>)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Issue a key
///
/// The answer shows the key itself, this once: it works from that moment and survives a crash. With an `Idempotency-Key` the request
/// can be repeated: it gives the same answer, the key included, for 24 hours or until the key is first rotated or revoked.
#[utoipa::path(
    post, path = "/v1/keys", tag = "keys",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this attempt, so that it can be repeated.")),
    request_body = CreateKey,
    responses((
        status = 201, description = "The key", body = IssuedKeyObject,
        headers(("Location" = String, description = "Where it is."), ("ETag" = String, description = "Its version.")),
    )),
)]
pub async fn create_key(
    call: Call,
    _: NoQuery,
    key: OptionalIdempotencyKey,
    body: RawJson<CreateKey>,
) -> Result<HttpResponse, Problem> {
    let attempt = call.attempt(key, "POST /v1/keys", &body.bytes);
    let body = body.value;
    let named = body.permissions.clone();
    let organization = body.organization_id.or(call.caller.organization_id);
    let new = NewKey {
        name: body.name.into(),
        organization: organization.ok_or_else(|| Problem::missing_field("organization_id"))?,
        owner: body.owner.map(|OwnerField(owner)| owner),
        permissions: permissions(body.permissions)?,
        default_resource: body.default_resource,
        expires_at: body.expires_at.map(|Moment(end)| end),
        metadata: body.metadata.unwrap_or_default(),
        allowed_cidrs: body.allowed_cidrs,
        rate_limit: body.rate_limit,
        may_act: body.may_act.map(|may_act| may_act.application_id),
        provider: body.identity_provider,
        self_rotate: body.self_rotate.unwrap_or(false),
    };
    let answer = once(&call.broker, attempt, &issued, async |keep| {
        let created = call
            .broker
            .create_key(new, &call.caller, call.origin(), keep)
            .await;
        created.map_err(|error| at_its_place(error, &named))
    });
    Ok(respond(answer.await?, true))
}

/// List keys
///
/// Newest first. A caller who is bound to an organization sees its keys alone.
#[utoipa::path(
    get, path = "/v1/keys", tag = "keys", params(ListKeys),
    responses((status = 200, description = "A page of keys", body = Page<KeyObject>)),
)]
pub async fn list_keys(
    call: Call,
    Query(query): Query<ListKeys>,
) -> Result<web::Json<Page<KeyObject>>, Problem> {
    let filter = KeyFilter {
        organization: query.organization_id,
        owner: query.owner.map(|OwnerParameter(owner)| owner),
        status: query.status,
        text: query.q.map(Into::into),
    };
    let after = query.cursor.map(Into::into);
    let rows = call
        .broker
        .keys(&call.caller, filter, after, query.limit.rows_and_one())
        .await?;
    let page = Page::cut(rows, query.limit, |row| Cursor {
        created_at: row.stored.key.lifecycle.created_at,
        id: row.stored.key.id.to_string(),
    });
    Ok(web::Json(page.map(|row| KeyObject::new(&row))))
}

fn issued(issued: &IssuedKey) -> KeptAnswer {
    let key = &issued.shown.stored.key;
    let headers = vec![
        ("Location", format!("/v1/keys/{}", key.id)),
        ("ETag", format!("\"v{}\"", key.epoch)),
    ];
    kept(StatusCode::CREATED, headers, &IssuedKeyObject::new(issued))
}

/// The permissions that a request names.
pub(super) fn permissions(named: Vec<ScopesAtResource>) -> Result<Permissions, Problem> {
    if named.iter().map(|at| at.scopes.len().max(1)).sum::<usize>() > MOST_PERMISSIONS {
        return Err(Problem::invalid_parameter(
            "permissions",
            "must be at most 500",
        ));
    }
    if let Some(index) = named.iter().position(|at| at.scopes.is_empty()) {
        let field = format!("permissions[{index}].scopes");
        return Err(Problem::invalid_parameter(
            field,
            "must not be empty; leave the resource out instead",
        ));
    }
    let pairs = |at: ScopesAtResource| {
        let resource = at.resource;
        at.scopes
            .into_iter()
            .map(move |scope| (resource.clone(), scope))
    };
    Ok(named.into_iter().flat_map(pairs).collect())
}

/// A permission that does not exist is named by its place in the request.
pub(super) fn at_its_place(error: Error, named: &[ScopesAtResource]) -> Error {
    let Error::NoSuchPermission { resource, scope } = &error else {
        return error;
    };
    let places = named
        .iter()
        .enumerate()
        .filter(|(_, at)| at.resource.as_str() == resource);
    let reason = error.to_string();
    for (index, at) in places {
        let Some(scope) = scope else {
            return Error::Invalid {
                field: format!("permissions[{index}].resource"),
                reason,
            };
        };
        if let Some(place) = at.scopes.iter().position(|named| named.as_str() == scope) {
            return Error::Invalid {
                field: format!("permissions[{index}].scopes[{place}]"),
                reason,
            };
        }
    }
    error
}
