//! `/.well-known/jwks.json`: the public keys that tokens are verified with (RFC 7517 §5).
//!
//! Served as `application/json`, which every JOSE library takes, rather than as the registered `application/jwk-set+json`, which
//! some do not. Any page may read it: it holds nothing that is not meant for everybody.

use actix_web::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ETAG, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};

use super::etag;
use super::problem::Problem;
use super::query::NoQuery;
use crate::broker::Broker;

/// The keys that tokens are verified with
///
/// A JWK set (RFC 7517). Keep it for `max-age`, and read it again when a token names a `kid` that is not in it; a key is in the set
/// for longer than that before it signs, and until its last token has expired.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "tokens",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the copy that you have.")),
    responses(
        (
            status = 200, description = "The JWK set", body = Object,
            headers(
                ("ETag" = String, description = "Changes with the set."),
                ("Cache-Control" = String, description = "How long the set may be kept."),
            ),
            example = json!({"keys": [{
                "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "use": "sig", "alg": "ES256",
                "kid": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            }]}),
        ),
        (status = 304, description = "Your copy is still good"),
    ),
)]
pub async fn jwks(
    _: NoQuery,
    request: HttpRequest,
    broker: web::Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let signing = broker.signing();
    let set = signing.ring.jwk_set();
    // The tag is made of hexadecimal digits.
    let tag = HeaderValue::from_str(set.etag()).map_err(Problem::internal)?;
    let unchanged = etag::is_unchanged(request.headers(), &tag);
    let head = |mut answer: HttpResponseBuilder| {
        let keep = if signing.is_complete() {
            let max_age = broker.settings().jwks_max_age.as_secs();
            format!("public, max-age={max_age}")
        } else {
            // The first second of a deployment: the keys to come sign as soon as they are there.
            "no-cache".to_owned()
        };
        answer
            .insert_header((ETAG, tag))
            .insert_header((CACHE_CONTROL, keep))
            .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
        answer
    };
    if unchanged {
        return Ok(head(HttpResponse::NotModified()).finish());
    }
    Ok(head(HttpResponse::Ok())
        .content_type("application/json")
        .body(set.json().to_owned()))
}
