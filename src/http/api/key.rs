//! `/v1/keys/{id}`: one key is shown, changed, rotated and revoked.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use jiff::SignedDuration;
use serde::Deserialize;
use utoipa::ToSchema;

use super::keys::{ScopesAtResource, at_its_place, permissions};
use super::{Call, item};
use crate::broker::idempotency::KeptAnswer;
use crate::broker::keys::{IssuedKey, KeyChange, Rotation, ShownKey};
use crate::domain::id::KeyId;
use crate::domain::limits::{AllowedCidrs, RateLimit};
use crate::domain::metadata::Metadata;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::text::Name;
use crate::http::etag::IfMatch;
use crate::http::idempotency_key::OptionalIdempotencyKey;
use crate::http::json::{Json, OptionalRawJson};
use crate::http::key_object::{IssuedKeyObject, KeyObject};
use crate::http::management::{kept, once, respond};
use crate::http::may_act::MayAct;
use crate::http::moment::Moment;
use crate::http::object;
use crate::http::owner::OwnerField;
use crate::http::patch::Patch;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;

/// The longest grace: thirty days.
const LONGEST_GRACE: u32 = 2_592_000;

/// What is to change of a key; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"disabled": true}))]
pub struct UpdateKey {
    /// What people call it.
    #[serde(default)]
    #[schema(value_type = String, required = false)]
    name: Patch<Name>,
    /// All its texts, in place of those that it has; null takes them away.
    #[serde(default)]
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    metadata: Patch<Metadata>,
    /// Whether it is paused.
    #[serde(default)]
    #[schema(value_type = bool, required = false)]
    disabled: Patch<bool>,
    /// The networks that it may be presented from; null: any.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    allowed_cidrs: Patch<AllowedCidrs>,
    /// How often it may be traded; null: as often as it likes.
    #[serde(default, deserialize_with = "object::patch")]
    #[schema(value_type = Option<Object>)]
    rate_limit: Patch<RateLimit>,
    /// When it ends; null: never.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Patch<Moment>,
    /// The resource meant when an exchange names none; null: none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    default_resource: Patch<ResourceIdentifier>,
    /// Whose it is: a person's id, `usr_…`, or his `iss` and `sub`; null: nobody's in particular.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    owner: Patch<OwnerField>,
    /// Whether its holder may rotate it.
    #[serde(default)]
    #[schema(value_type = bool, required = false)]
    self_rotate: Patch<bool>,
    /// Who may act for it in a token exchange; null: whoever a rule lets.
    #[serde(default, deserialize_with = "object::patch")]
    #[schema(value_type = Option<Object>)]
    may_act: Patch<MayAct>,
}

/// What a key may do from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetKeyPermissions {
    /// All of it, in place of what it may do now; an empty list: nothing.
    #[serde(deserialize_with = "object::list")]
    permissions: Vec<ScopesAtResource>,
}

/// How a key is rotated.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"grace_seconds": 3600}))]
pub struct RotateKey {
    /// For how many seconds the old key is still taken, up to 30 days; 0, the default: it is dead at once.
    #[schema(value_type = u32, required = false, maximum = 2_592_000)]
    grace_seconds: Option<u32>,
}

impl RotateKey {
    /// What the body says.
    ///
    /// # Errors
    /// 422 for a grace that is too long.
    pub(in crate::http) fn rotation(&self) -> Result<Rotation, Problem> {
        let seconds = self.grace_seconds.unwrap_or(0);
        if seconds > LONGEST_GRACE {
            return Err(Problem::invalid_parameter(
                "grace_seconds",
                "must be 0 to 2592000",
            ));
        }
        Ok(Rotation {
            grace: SignedDuration::from_secs(seconds.into()),
        })
    }
}

/// Show a key
#[utoipa::path(
    get, path = "/v1/keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "The key's id, `key_…`.")),
    responses((
        status = 200, description = "The key", body = KeyObject,
        headers(("ETag" = String, description = "Its version, for `If-Match`.")),
    )),
)]
pub async fn show_key(call: Call, _: NoQuery, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    call.about(id);
    Ok(shown(&call.broker.key(id, &call.caller).await?))
}

/// Change a key
///
/// Only the fields that are sent change, and the change counts from the answer on. With `If-Match` it is made only to the version that
/// was read, else the answer is 412.
#[utoipa::path(
    patch, path = "/v1/keys/{id}", tag = "keys",
    params(
        ("id" = String, Path, description = "The key's id, `key_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed."),
    ),
    request_body = UpdateKey,
    responses((
        status = 200, description = "The key as it is now", body = KeyObject,
        headers(("ETag" = String, description = "Its new version.")),
    )),
)]
pub async fn update_key(
    call: Call,
    _: NoQuery,
    Id(id): Id<KeyId>,
    if_match: IfMatch,
    Json(body): Json<UpdateKey>,
) -> Result<HttpResponse, Problem> {
    call.about(id);
    let change = KeyChange {
        name: body.name.unless_null("name")?.map(Into::into),
        metadata: body.metadata.or_default(),
        disabled: body.disabled.unless_null("disabled")?,
        allowed_cidrs: body.allowed_cidrs.change(),
        rate_limit: body.rate_limit.change(),
        expires_at: body
            .expires_at
            .change()
            .map(|end| end.map(|Moment(end)| end)),
        default_resource: body.default_resource.change(),
        owner: body
            .owner
            .change()
            .map(|owner| owner.map(|OwnerField(owner)| owner)),
        self_rotate: body.self_rotate.unless_null("self_rotate")?,
        may_act: body
            .may_act
            .change()
            .map(|may_act| may_act.map(|may_act| may_act.application_id)),
    };
    let expected = |version| if_match.allows(version);
    Ok(shown(
        &call
            .broker
            .update_key(id, change, &call.caller, call.origin(), expected)
            .await?,
    ))
}

/// Replace what a key may do
///
/// The next exchange on this node carries it. What it could do and may not any more is gone from the answer on, whatever its identity
/// provider says; what it may do beyond that counts when the provider has it.
#[utoipa::path(
    put, path = "/v1/keys/{id}/permissions", tag = "keys",
    params(
        ("id" = String, Path, description = "The key's id, `key_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be changed."),
    ),
    request_body = SetKeyPermissions,
    responses((
        status = 200, description = "The key as it is now", body = KeyObject,
        headers(("ETag" = String, description = "Its new version.")),
    )),
)]
pub async fn set_key_permissions(
    call: Call,
    _: NoQuery,
    Id(id): Id<KeyId>,
    if_match: IfMatch,
    Json(body): Json<SetKeyPermissions>,
) -> Result<HttpResponse, Problem> {
    call.about(id);
    let named = body.permissions.clone();
    let wanted = permissions(body.permissions)?;
    let expected = |version| if_match.allows(version);
    let changed = call
        .broker
        .set_key_permissions(id, wanted, &call.caller, call.origin(), expected)
        .await;
    Ok(shown(
        &changed.map_err(|error| at_its_place(error, &named))?,
    ))
}

/// Rotate a key
///
/// The id stays, the answer shows the new key this once. The old one is dead at once, or when the grace is over; a rotation during a grace
/// ends the older key. Of two rotations at once one wins, the other is 409.
#[utoipa::path(
    post, path = "/v1/keys/{id}/rotate", tag = "keys",
    params(
        ("id" = String, Path, description = "The key's id, `key_…`."),
        ("Idempotency-Key" = Option<String>, Header, description = "Names this attempt, so that it can be repeated."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be rotated."),
    ),
    request_body(content = Option<RotateKey>),
    responses((
        status = 200, description = "The key with its new secret", body = IssuedKeyObject,
        headers(("ETag" = String, description = "Its new version.")),
    )),
)]
pub async fn rotate_key(
    call: Call,
    _: NoQuery,
    Id(id): Id<KeyId>,
    key: OptionalIdempotencyKey,
    if_match: IfMatch,
    body: OptionalRawJson<RotateKey>,
) -> Result<HttpResponse, Problem> {
    call.about(id);
    let attempt = call.attempt(key, &format!("POST /v1/keys/{id}/rotate"), &body.bytes);
    let rotation = body.value.rotation()?;
    let answer = once(&call.broker, attempt, &rotated, async |keep| {
        let expected = |version| if_match.allows(version);
        call.broker
            .rotate_key(id, rotation, &call.caller, call.origin(), (expected, keep))
            .await
    });
    Ok(respond(answer.await?, true))
}

/// Revoke a key
///
/// For ever, from the answer on. Repeating it is 204 too; the record stays.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", tag = "keys",
    params(
        ("id" = String, Path, description = "The key's id, `key_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be revoked."),
    ),
    responses((status = 204, description = "It is revoked")),
)]
pub async fn revoke_key(
    call: Call,
    _: NoQuery,
    Id(id): Id<KeyId>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    call.about(id);
    let broker = call.broker.clone().into_inner();
    broker
        .revoke_key(id, &call.caller, call.origin(), if_match.versions())
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

fn shown(key: &ShownKey) -> HttpResponse {
    item(key.stored.key.epoch, &KeyObject::new(key))
}

fn rotated(issued: &IssuedKey) -> KeptAnswer {
    let headers = vec![("ETag", format!("\"v{}\"", issued.shown.stored.key.epoch))];
    kept(StatusCode::OK, headers, &IssuedKeyObject::new(issued))
}
