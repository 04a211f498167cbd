//! `/v1/signing-keys`: the keys that tokens are signed with, as their operator sees them. Verifiers read [`crate::http::jwks`].

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Call, item};
use crate::broker::idempotency::KeptAnswer;
use crate::broker::{Conflict, Error, PublishedSigningKey};
use crate::domain::algorithm::SigningAlgorithm;
use crate::http::idempotency_key::OptionalIdempotencyKey;
use crate::http::json::{OptionalJson, OptionalRawJson};
use crate::http::management::{kept, once_within, respond};
use crate::http::page::{Cursor, Limit, Page};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};

/// A signing key; its private part is never shown.
#[derive(Serialize, ToSchema)]
#[schema(as = SigningKey, example = json!({
    "kid": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "algorithm": "ES256", "state": "active",
    "created_at": "2026-11-22T09:00:00Z", "retired_at": null, "remove_at": null,
}))]
pub struct SigningKeyBody {
    /// Its id in the JWK set and in the header of tokens: the RFC 7638 thumbprint.
    kid: String,
    /// How it signs: `ES256`, `EdDSA` or `RS256`.
    #[schema(value_type = String)]
    algorithm: SigningAlgorithm,
    /// `next` (published, signs nothing yet), `active` (signs), `retired` (signs no more, its tokens may live) or `withdrawn`.
    #[schema(value_type = String)]
    state: &'static str,
    /// Since when it is published.
    created_at: Timestamp,
    /// When it stopped signing.
    #[schema(required)]
    retired_at: Option<Timestamp>,
    /// When its last token will have expired, so that it leaves the JWK set.
    #[schema(required)]
    remove_at: Option<Timestamp>,
}

impl SigningKeyBody {
    /// Nothing of a key changes but its state, which only moves on, so its place in life is its version.
    fn version(&self) -> i64 {
        match self.state {
            "next" => 1,
            "active" => 2,
            "retired" => 3,
            _ => 4,
        }
    }
}

impl From<PublishedSigningKey> for SigningKeyBody {
    fn from(key: PublishedSigningKey) -> Self {
        Self {
            kid: key.kid,
            algorithm: key.algorithm,
            state: key.state,
            created_at: key.created_at,
            retired_at: key.retired_at,
            remove_at: key.remove_at,
        }
    }
}

/// Which keys are to be rotated.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"algorithm": "ES256"}))]
pub struct RotateSigningKeys {
    /// Only the key of this algorithm, `ES256`, `EdDSA` or `RS256`; without it, the keys of all.
    #[schema(value_type = Option<String>)]
    algorithm: Option<SigningAlgorithm>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListSigningKeys {
    /// How many at most, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// List signing keys
///
/// Newest first. Only for the deployment's operator; whoever verifies tokens reads `/.well-known/jwks.json`.
#[utoipa::path(
    get, path = "/v1/signing-keys", tag = "signing keys", params(ListSigningKeys),
    responses((status = 200, description = "A page of signing keys", body = Page<SigningKeyBody>)),
)]
pub async fn list_signing_keys(
    call: Call,
    Query(query): Query<ListSigningKeys>,
) -> Result<web::Json<Page<SigningKeyBody>>, Problem> {
    let keys = call.broker.signing_keys(&call.caller)?;
    let rows = behind(keys, query.cursor.as_ref()).take(query.limit.rows_and_one());
    let page = Page::cut(rows.collect(), query.limit, place);
    Ok(web::Json(page.map(SigningKeyBody::from)))
}

/// Show a signing key
#[utoipa::path(
    get, path = "/v1/signing-keys/{kid}", tag = "signing keys",
    params(("kid" = String, Path, description = "The key's id in the JWK set.")),
    responses((
        status = 200, description = "The signing key", body = SigningKeyBody,
        headers(("ETag" = String, description = "Its version, which is that of its state.")),
    )),
)]
pub async fn show_signing_key(
    call: Call,
    _: NoQuery,
    Id(kid): Id<String>,
) -> Result<HttpResponse, Problem> {
    let keys = call.broker.signing_keys(&call.caller)?;
    let key = keys.into_iter().find(|key| key.kid == kid);
    let body = SigningKeyBody::from(key.ok_or_else(Problem::not_found)?);
    Ok(item(body.version(), &body))
}

/// Rotate signing keys
///
/// The next key signs from now on, the active one retires, and a new next one is published. No verifier that caches the JWK set
/// meets a key that it does not know: while the next key has not been published for twice the set's maximum age, the answer is
/// 409 `next_key_too_young` with `Retry-After`. Keys rotate by age without this. Only for the deployment's operator. With an
/// `Idempotency-Key` the request can be repeated: it gives the same answer for 24 hours.
#[utoipa::path(
    post, path = "/v1/signing-keys/rotate", tag = "signing keys",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this attempt, so that it can be repeated.")),
    request_body = Option<RotateSigningKeys>,
    responses((status = 200, description = "All signing keys as they are now", body = Page<SigningKeyBody>)),
)]
pub async fn rotate_signing_keys(
    call: Call,
    _: NoQuery,
    key: OptionalIdempotencyKey,
    body: OptionalRawJson<RotateSigningKeys>,
) -> Result<HttpResponse, Problem> {
    let attempt = call.attempt(key, "POST /v1/signing-keys/rotate", &body.bytes);
    let algorithm = body.value.algorithm;
    let render = |keys: &Vec<_>| shown_whole(keys);
    let answer = once_within(&call.broker, attempt, render, async |keep| {
        let by = (&call.caller, call.origin());
        let rotated = call.broker.rotate_signing_keys(algorithm, by, keep);
        rotated.await.map_err(|error| too_early(error, &call))
    });
    Ok(respond(answer.await?, false))
}

fn shown_whole(keys: &[PublishedSigningKey]) -> KeptAnswer {
    let page = Page {
        items: keys.iter().cloned().map(SigningKeyBody::from).collect(),
        next_cursor: None,
    };
    kept(StatusCode::OK, Vec::new(), &page)
}

/// Nothing is to be said.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nothing {}

/// Withdraw a signing key
///
/// For ever, and at once: it leaves the JWK set, and whatever it signed is refused here from now on. Services that keep the set refuse
/// it when they read the set again. If it was active, the next one signs from now on, known to them or not. Only for the deployment's
/// operator.
#[utoipa::path(
    post, path = "/v1/signing-keys/{kid}/withdraw", tag = "signing keys",
    params(("kid" = String, Path, description = "The key's id in the JWK set.")),
    responses((
        status = 200, description = "The signing key as it is now", body = SigningKeyBody,
        headers(("ETag" = String, description = "Its version, which is that of its state.")),
    )),
)]
pub async fn withdraw_signing_key(
    call: Call,
    _: NoQuery,
    Id(kid): Id<String>,
    _: OptionalJson<Nothing>,
) -> Result<HttpResponse, Problem> {
    let withdrawn = call
        .broker
        .withdraw_signing_key(&kid, &call.caller, call.origin())
        .await?;
    let body = SigningKeyBody::from(withdrawn);
    Ok(item(body.version(), &body))
}

/// Says when the next key will be old enough.
fn too_early(error: Error, call: &Call) -> Problem {
    let wait = match &error {
        Error::Conflict(Conflict::SigningKeyTooYoung(from)) => {
            Some(from.duration_since(call.broker.now()))
        }
        // It is made at the next tending, and then published for twice the maximum age of the set.
        Error::Conflict(Conflict::NoNextSigningKey(_)) => {
            SignedDuration::try_from(call.broker.settings().jwks_max_age * 2).ok()
        }
        _ => None,
    };
    match wait {
        Some(wait) => Problem::from(error).with_retry_after(whole_seconds(wait)),
        None => error.into(),
    }
}

/// Rounded up, and never 0: asked again that soon, the answer would be the same.
fn whole_seconds(wait: SignedDuration) -> u32 {
    let seconds = wait.as_secs() + i64::from(wait.subsec_nanos() > 0);
    u32::try_from(seconds.max(1)).unwrap_or(u32::MAX)
}

fn place(key: &PublishedSigningKey) -> Cursor {
    Cursor {
        created_at: key.created_at,
        id: key.kid.clone(),
    }
}

/// The keys, which are sorted newest first, that come behind a place.
fn behind(
    keys: Vec<PublishedSigningKey>,
    cursor: Option<&Cursor>,
) -> impl Iterator<Item = PublishedSigningKey> {
    keys.into_iter().skip_while(move |key| {
        cursor.is_some_and(|cursor| (key.created_at, &key.kid) >= (cursor.created_at, &cursor.id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(second: i64, kid: &str) -> PublishedSigningKey {
        PublishedSigningKey {
            kid: kid.to_owned(),
            algorithm: SigningAlgorithm::Es256,
            state: "next",
            created_at: Timestamp::from_second(second).unwrap(),
            retired_at: None,
            remove_at: None,
        }
    }

    #[test]
    fn a_page_begins_behind_the_last_key_of_the_one_before() {
        let keys = || vec![key(3, "a"), key(2, "c"), key(2, "b"), key(1, "d")];
        let kids = |cursor: Option<&Cursor>| {
            behind(keys(), cursor)
                .map(|key| key.kid)
                .collect::<Vec<_>>()
        };
        assert_eq!(kids(None), ["a", "c", "b", "d"]);
        assert_eq!(kids(Some(&place(&key(2, "c")))), ["b", "d"]);
        assert_eq!(kids(Some(&place(&key(1, "d")))), [""; 0]);
    }

    #[test]
    fn a_wait_is_rounded_up() {
        for (millis, seconds) in [
            (-5, 1),
            (0, 1),
            (1, 1),
            (1000, 1),
            (1001, 2),
            (600_000, 600),
        ] {
            assert_eq!(
                whole_seconds(SignedDuration::from_millis(millis)),
                seconds,
                "{millis}"
            );
        }
    }
}
