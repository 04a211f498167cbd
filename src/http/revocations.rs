//! `/.well-known/revocations`: what is refused although it has not expired, for services that verify tokens by themselves.

use actix_web::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ETAG, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};

use super::etag;
use super::management::database;
use super::problem::Problem;
use super::query::NoQuery;
use crate::broker::{Broker, RevocationListError};

/// Seconds that a copy may be kept.
const MAX_AGE: u32 = 5;
/// Seconds after which a caller may try again where nothing signs.
const SIGNING_RETRY: u32 = 30;

/// What is refused before it expires
///
/// A JWT of `typ` `revocations+jwt`, signed like a token, good for a minute: read it every few seconds and refuse what it names, without
/// a call for each token. `keys`, `clients`, `generations`, `families`, `tokens` and `signing_keys` are lists of ids: refuse a token whose
/// `sub` or `client_id`, `gen`, `fam` or `jti`, `jti`, or `kid` is among them. A long list has its older ids in `short`: seven characters
/// each, the fifth to the eleventh of the id, without anything between them.
#[utoipa::path(
    get, path = "/.well-known/revocations", tag = "tokens",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the copy that you have.")),
    responses(
        (
            status = 200, description = "The list", body = String, content_type = "application/jwt",
            headers(
                ("ETag" = String, description = "Changes with the list, and before it expires."),
                ("Cache-Control" = String, description = "How long a copy may be kept."),
            ),
        ),
        (status = 304, description = "Your copy is still good"),
    ),
)]
pub async fn revocations(
    _: NoQuery,
    request: HttpRequest,
    broker: web::Data<Broker>,
) -> Result<HttpResponse, Problem> {
    let list = broker
        .revocation_list()
        .await
        .map_err(|error| match error {
            RevocationListError::Store(error) => database(error),
            RevocationListError::NoSigningKey(cause) => {
                Problem::signing_key_unavailable(SIGNING_RETRY).with_cause(cause)
            }
        })?;
    let tag = HeaderValue::from_str(&list.etag).map_err(Problem::internal)?;
    let unchanged = etag::is_unchanged(request.headers(), &tag);
    let head = |mut answer: HttpResponseBuilder| {
        answer
            .insert_header((ETAG, tag))
            .insert_header((CACHE_CONTROL, format!("public, max-age={MAX_AGE}")))
            .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
        answer
    };
    if unchanged {
        return Ok(head(HttpResponse::NotModified()).finish());
    }
    Ok(head(HttpResponse::Ok())
        .content_type("application/jwt")
        .body(list.jwt.clone()))
}
