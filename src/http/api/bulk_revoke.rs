//! `POST /v1/keys/revoke`: many keys are stopped by what they have in common.

use actix_web::web;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Call;
use crate::broker::keys::ManyKeys;
use crate::domain::id::OrganizationId;
use crate::domain::provider_name::ProviderName;
use crate::http::json::Json;
use crate::http::moment::Moment;
use crate::http::owner::OwnerField;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;

/// Which keys; at least one filter, and all that are named must fit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"organization_id": "org_2qk5c7hnv3xw6yjz4m2tq7rdpa", "dry_run": true}))]
pub struct RevokeKeys {
    /// Keys of this organization.
    #[schema(value_type = Option<String>)]
    organization_id: Option<OrganizationId>,
    /// Keys of this person: his id, `usr_…`, or his `iss` and `sub`.
    #[schema(value_type = Option<Object>)]
    owner: Option<OwnerField>,
    /// Keys whose users this identity provider holds.
    #[schema(value_type = Option<String>)]
    identity_provider: Option<ProviderName>,
    /// Keys created before this moment.
    #[schema(value_type = Option<String>, format = DateTime)]
    created_before: Option<Moment>,
    /// Whether they are only counted.
    #[serde(default)]
    dry_run: bool,
}

/// How many.
#[derive(Serialize, ToSchema)]
pub struct RevokedKeys {
    /// The keys that were stopped, or would be.
    count: u64,
}

/// Revoke many keys
///
/// All keys that fit and are not revoked yet, in one transaction: refused from the answer on. With `dry_run` they are only counted.
#[utoipa::path(
    post, path = "/v1/keys/revoke", tag = "keys",
    request_body = RevokeKeys,
    responses((status = 200, description = "How many", body = RevokedKeys)),
)]
pub async fn revoke_keys(
    call: Call,
    _: NoQuery,
    Json(body): Json<RevokeKeys>,
) -> Result<web::Json<RevokedKeys>, Problem> {
    let wanted = ManyKeys {
        organization: body.organization_id,
        owner: body.owner.map(|OwnerField(owner)| owner),
        provider: body.identity_provider,
        created_before: body.created_before.map(|Moment(moment)| moment),
    };
    let count = call
        .broker
        .revoke_keys(wanted, body.dry_run, &call.caller, call.origin())
        .await?;
    Ok(web::Json(RevokedKeys { count }))
}
