//! What the holder of a key can do with it beside trading it: look at it, rotate it, and stop it.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::access::to_the_end;
use super::api::key::RotateKey;
use super::etag::{IfMatch, etag};
use super::facts::Facts;
use super::idempotency_key::OptionalIdempotencyKey;
use super::json::{Json, OptionalRawJson};
use super::key_holder::{Refuser, unverified_key};
use super::key_object::{IssuedKeyObject, KeyObject};
use super::management::{kept, once, respond};
use super::problem::Problem;
use super::query::NoQuery;
use crate::broker::Broker;
use crate::broker::idempotency::{Attempt, KeptAnswer};
use crate::broker::keys::IssuedKey;
use crate::telemetry::request_log::RequestLog;

/// The longest body of a report of leaked keys.
const LEAKED_BODY: usize = 256 * 1024;
/// The most keys in one.
const MOST_LEAKED: usize = 1000;

/// Look at the presented key
///
/// The key's own object: what it may do, until when, when it was last used.
#[utoipa::path(
    get, path = "/v1/key", tag = "keys in hand",
    responses((
        status = 200, description = "The key", body = KeyObject,
        headers(("ETag" = String, description = "Its version.")),
    )),
)]
pub async fn show(
    request: HttpRequest,
    _: NoQuery,
    facts: Facts,
    broker: web::Data<Broker>,
    log: web::Data<RequestLog>,
) -> Result<HttpResponse, Problem> {
    let key = unverified_key(request.headers())?;
    let refuser = Refuser {
        broker: &broker,
        log: &log,
        facts: &facts,
    };
    let record = broker
        .identify(key, Some(facts.client()))
        .await
        .map_err(|refusal| refuser.refuse(refusal))?;
    facts.key(record.key_id());
    facts.organization(record.organization_id());
    broker
        .admit(&record, facts.client(), broker.now())
        .map_err(|refusal| refuser.refuse(refusal))?;
    let shown = broker
        .own_key(&record)
        .await
        .map_err(|refusal| refuser.refuse(refusal))?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header((ETAG, etag(shown.stored.key.epoch)))
        .json(KeyObject::of_holder(&shown)))
}

/// Rotate the presented key
///
/// For keys with `"self_rotate": true`. The id stays, the answer shows the new key this once; the old one is dead at once, or when the
/// grace is over. Only the newest key rotates. Rotate with a grace and an `Idempotency-Key`: if the answer is lost, the old key repeats
/// the call and gets the same new key, until that one is first used, or for 24 hours.
#[utoipa::path(
    post, path = "/v1/key/rotate", tag = "keys in hand",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Names this attempt, so that it can be repeated."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be rotated."),
    ),
    request_body(content = Option<RotateKey>),
    responses((
        status = 200, description = "The key with its new secret", body = IssuedKeyObject,
        headers(("ETag" = String, description = "Its new version.")),
    )),
)]
pub async fn rotate(
    request: HttpRequest,
    _: NoQuery,
    (facts, broker, log): (Facts, web::Data<Broker>, web::Data<RequestLog>),
    key: OptionalIdempotencyKey,
    if_match: IfMatch,
    body: OptionalRawJson<RotateKey>,
) -> Result<HttpResponse, Problem> {
    to_the_end(async move {
        let presented = unverified_key(request.headers())?;
        let rotation = body.value.rotation()?;
        let refuser = Refuser {
            broker: &broker,
            log: &log,
            facts: &facts,
        };
        let holder = broker
            .rotating_holder(presented, facts.client())
            .await
            .map_err(|refusal| refuser.refuse(refusal))?;
        let id = holder.record.key_id();
        facts.key(id);
        facts.organization(holder.record.organization_id());
        // Before a kept answer is given: a key that may not rotate any more gets none.
        holder.may_rotate()?;
        let OptionalIdempotencyKey(key) = key;
        let place = "POST /v1/key/rotate";
        let attempt = key.map(|key| Attempt::new(id.as_str(), place, key.as_str(), &body.bytes));
        let answer = once(&broker, attempt, &rotated, async |keep| {
            let expected = |version| if_match.allows(version);
            broker
                .rotate_own_key(holder, rotation, facts.origin(id.as_str()), expected, keep)
                .await
        });
        Ok(respond(answer.await?, true))
    })
    .await
}

fn rotated(issued: &IssuedKey) -> KeptAnswer {
    let headers = vec![("ETag", format!("\"v{}\"", issued.shown.stored.key.epoch))];
    kept(StatusCode::OK, headers, &IssuedKeyObject::of_holder(issued))
}

/// Stop the presented key
///
/// For ever. A key that another one replaced and that is still taken for a while ends its own while and leaves its successor alone.
/// Neither addresses nor rate limits nor a pause stand in the way.
#[utoipa::path(post, path = "/v1/key/revoke", tag = "keys in hand", responses((status = 204, description = "Stopped")))]
pub async fn revoke(
    request: HttpRequest,
    _: NoQuery,
    facts: Facts,
    broker: web::Data<Broker>,
    log: web::Data<RequestLog>,
) -> Result<HttpResponse, Problem> {
    to_the_end(async move {
        let key = unverified_key(request.headers())?;
        let broker: Arc<Broker> = broker.into_inner();
        let outcome = broker.revoke_own_key(key, facts.origin("")).await;
        let refuser = Refuser {
            broker: &broker,
            log: &log,
            facts: &facts,
        };
        let record = outcome.map_err(|refusal| refuser.refuse(refusal))?;
        facts.key(record.key_id());
        facts.organization(record.organization_id());
        Ok(HttpResponse::NoContent().finish())
    })
    .await
}

/// Keys that somebody found.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LeakedKeys {
    /// Whole keys, up to 1000.
    #[schema(example = json!(["kgy_10…"]), max_items = 1000)]
    keys: Vec<String>,
}

/// What became of them.
#[derive(Serialize, ToSchema)]
pub struct LeakedAnswer {
    /// How many were stopped.
    revoked: usize,
    /// How many prove nothing: malformed, forged, unknown or dead already.
    unknown: usize,
}

/// Stop keys that leaked
///
/// For whoever finds keys where they should not be. The whole key is the proof; no other credential is needed.
#[utoipa::path(
    post, path = "/v1/keys/revoke-leaked", tag = "keys in hand",
    request_body = LeakedKeys, responses((status = 200, description = "How many were stopped", body = LeakedAnswer)),
)]
pub async fn revoke_leaked(
    _: NoQuery,
    facts: Facts,
    broker: web::Data<Broker>,
    log: web::Data<RequestLog>,
    Json(body): Json<LeakedKeys, LEAKED_BODY>,
) -> Result<HttpResponse, Problem> {
    if body.keys.len() > MOST_LEAKED {
        return Err(Problem::invalid_parameter("keys", "must be at most 1000"));
    }
    if let Err(wait) = broker.take_leaked_call(facts.client()) {
        return Err(Problem::rate_limited(
            "too many reports from this address",
            wait,
        ));
    }
    to_the_end(async move {
        let keys: Vec<Zeroizing<String>> = body.keys.into_iter().map(Zeroizing::new).collect();
        let texts: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes()).collect();
        let broker: Arc<Broker> = broker.into_inner();
        let outcome = broker.revoke_leaked(&texts, facts.origin("")).await;
        let refuser = Refuser {
            broker: &broker,
            log: &log,
            facts: &facts,
        };
        let leaked = outcome.map_err(|refusal| refuser.refuse(refusal))?;
        Ok(HttpResponse::Ok().json(LeakedAnswer {
            revoked: leaked.revoked,
            unknown: leaked.unknown,
        }))
    })
    .await
}
