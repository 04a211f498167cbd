//! `POST /v1/keys/{id}/explain`: why a key would be refused or allowed.

use std::net::IpAddr;

use actix_web::web;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Call;
use crate::broker::TokenRequest;
use crate::domain::id::KeyId;
use crate::http::json::OptionalJson;
use crate::http::key_holder::refusal_code;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;

/// The exchange to be judged. All of it may be left out.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"resource": "https://payment.example.com/api", "scope": "write:payment", "address": "192.0.2.7"}))]
pub struct ExplainKey {
    /// The `resource` that it would name.
    #[schema(value_type = Option<String>)]
    resource: Option<String>,
    /// The `scope` that it would name.
    #[schema(value_type = Option<String>)]
    scope: Option<String>,
    /// The address that it would come from.
    #[schema(value_type = Option<String>)]
    address: Option<IpAddr>,
}

/// What would come of it.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyExplanation)]
pub struct Explanation {
    /// Whether it would get a token.
    allowed: bool,
    /// The code that it would be refused with.
    #[schema(required)]
    code: Option<&'static str>,
    /// Every check, in the order in which an exchange makes them.
    checks: Vec<Check>,
}

/// One check.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyCheck)]
pub struct Check {
    /// `status`, `organization`, `identity_provider`, `address`, `rate_limit`, `resource`, `scope` or `signing_key`.
    check: &'static str,
    /// Whether it passes.
    ok: bool,
    /// What was looked at.
    detail: String,
}

/// Explain what a key gets
///
/// Why it would be refused or allowed, told without its secret. Nothing is counted, and no identity provider is asked: what it said last
/// is taken for what it says.
#[utoipa::path(
    post, path = "/v1/keys/{id}/explain", tag = "keys",
    params(("id" = String, Path, description = "The key's id, `key_…`.")),
    request_body = Option<ExplainKey>,
    responses((status = 200, description = "What would come of it", body = Explanation)),
)]
pub async fn explain_key(
    call: Call,
    _: NoQuery,
    Id(id): Id<KeyId>,
    OptionalJson(body): OptionalJson<ExplainKey>,
) -> Result<web::Json<Explanation>, Problem> {
    call.about(id);
    let request = TokenRequest {
        resource: body.resource.as_deref(),
        scope: body.scope.as_deref(),
        ..TokenRequest::default()
    };
    let explained = call
        .broker
        .explain_key(id, request, body.address, &call.caller)
        .await?;
    let first = explained
        .checks
        .iter()
        .find_map(|check| check.refusal.as_ref());
    let code = first.map(|refusal| refusal_code(refusal).as_str());
    let checks = explained.checks.into_iter().map(|check| Check {
        check: check.name,
        ok: check.refusal.is_none(),
        detail: check.detail,
    });
    Ok(web::Json(Explanation {
        allowed: code.is_none(),
        code,
        checks: checks.collect(),
    }))
}
