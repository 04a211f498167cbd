//! What the authorization server can do (RFC 8414), for clients that look it up: one document, also where libraries of OpenID Connect
//! look for theirs (RFC 9068 §4 wants the two to agree).
//!
//! Everything in it works, and a test tries each entry. It is made of the issuer alone, never of what a request says about its host.

use actix_web::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ETAG, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::token::TOKEN_EXCHANGE;
use crate::broker::Broker;
use crate::domain::issuer::Issuer;
use crate::http::etag;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;
use crate::token::outside::OutsideAlgorithm;

/// Seconds that a client may keep it.
const MAX_AGE: u32 = 3600;
/// How a client proves who it is, at each endpoint.
const METHODS: [&str; 3] = [
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
];
/// With what it signs its assertions.
const ALGORITHMS: [&str; OutsideAlgorithm::OF_CLIENTS.len()] = {
    let mut names = [""; OutsideAlgorithm::OF_CLIENTS.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = OutsideAlgorithm::OF_CLIENTS[index].as_str();
        index += 1;
    }
    names
};

/// Metadata of an authorization server (RFC 8414 §2).
#[derive(Serialize, ToSchema)]
#[schema(as = AuthorizationServerMetadata)]
pub struct Document {
    /// The issuer identifier.
    #[schema(example = "https://keys.example.com")]
    issuer: String,
    /// Where tokens are given.
    token_endpoint: String,
    /// How clients prove who they are there.
    token_endpoint_auth_methods_supported: [&'static str; 3],
    /// With what they may sign assertions.
    token_endpoint_auth_signing_alg_values_supported: [&'static str; ALGORITHMS.len()],
    /// Where tokens are asked about.
    introspection_endpoint: String,
    /// How clients prove who they are there.
    introspection_endpoint_auth_methods_supported: [&'static str; 3],
    /// With what they may sign assertions.
    introspection_endpoint_auth_signing_alg_values_supported: [&'static str; ALGORITHMS.len()],
    /// Where tokens are ended.
    revocation_endpoint: String,
    /// How clients prove who they are there; the holder of an API key need not be one.
    revocation_endpoint_auth_methods_supported: [&'static str; 3],
    /// With what they may sign assertions.
    revocation_endpoint_auth_signing_alg_values_supported: [&'static str; ALGORITHMS.len()],
    /// The public keys.
    jwks_uri: String,
    /// `client_credentials` and token exchange.
    grant_types_supported: [&'static str; 2],
    /// `none`: there is no authorization endpoint. (The member is required, and an empty list may not be.)
    response_types_supported: [&'static str; 1],
    /// For people.
    service_documentation: String,
}

impl Document {
    fn of(issuer: &Issuer) -> Self {
        Self {
            issuer: issuer.as_str().to_owned(),
            token_endpoint: format!("{issuer}/oauth/token"),
            token_endpoint_auth_methods_supported: METHODS,
            token_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
            introspection_endpoint: format!("{issuer}/oauth/introspect"),
            introspection_endpoint_auth_methods_supported: METHODS,
            introspection_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
            revocation_endpoint: format!("{issuer}/oauth/revoke"),
            revocation_endpoint_auth_methods_supported: METHODS,
            revocation_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
            jwks_uri: format!("{issuer}/.well-known/jwks.json"),
            grant_types_supported: ["client_credentials", TOKEN_EXCHANGE],
            response_types_supported: ["none"],
            service_documentation: format!("{issuer}/docs"),
        }
    }
}

/// What the authorization server can do
///
/// Its metadata (RFC 8414). Keep it for up to an hour.
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "oauth",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the copy that you have.")),
    responses(
        (status = 200, description = "The metadata", body = Document),
        (status = 304, description = "Your copy is still good"),
    ),
)]
pub async fn metadata(
    _: NoQuery,
    request: HttpRequest,
    broker: web::Data<Broker>,
) -> Result<HttpResponse, Problem> {
    answer(&request, &broker)
}

/// The same, for libraries of OpenID Connect
///
/// The document of `/.well-known/oauth-authorization-server`. There is no sign-in of people here.
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "oauth",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the copy that you have.")),
    responses(
        (status = 200, description = "The metadata", body = Document),
        (status = 304, description = "Your copy is still good"),
    ),
)]
pub async fn openid_configuration(
    _: NoQuery,
    request: HttpRequest,
    broker: web::Data<Broker>,
) -> Result<HttpResponse, Problem> {
    answer(&request, &broker)
}

/// The same, for an issuer with a path
///
/// The well-known part stands between host and path (RFC 8414 §3.1): `https://example.com/kagiya` is looked up at
/// `https://example.com/.well-known/oauth-authorization-server/kagiya`.
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server/{issuer_path}", tag = "oauth",
    params(("issuer_path" = String, Path, description = "The path of the issuer identifier.")),
    responses(
        (status = 200, description = "The metadata", body = Document),
        (status = 304, description = "Your copy is still good"),
    ),
)]
pub async fn metadata_of_path(
    _: NoQuery,
    path: web::Path<String>,
    request: HttpRequest,
    broker: web::Data<Broker>,
) -> Result<HttpResponse, Problem> {
    answer_at(&path, &request, &broker)
}

/// The same, where libraries of OpenID Connect look
///
/// The well-known part stands between host and path (RFC 8414 §5).
#[utoipa::path(
    get, path = "/.well-known/openid-configuration/{issuer_path}", tag = "oauth",
    params(("issuer_path" = String, Path, description = "The path of the issuer identifier.")),
    responses(
        (status = 200, description = "The metadata", body = Document),
        (status = 304, description = "Your copy is still good"),
    ),
)]
pub async fn openid_configuration_of_path(
    _: NoQuery,
    path: web::Path<String>,
    request: HttpRequest,
    broker: web::Data<Broker>,
) -> Result<HttpResponse, Problem> {
    answer_at(&path, &request, &broker)
}

fn answer_at(path: &str, request: &HttpRequest, broker: &Broker) -> Result<HttpResponse, Problem> {
    if path.is_empty() || path != broker.issuer().path() {
        return Err(Problem::not_found());
    }
    answer(request, broker)
}

fn answer(request: &HttpRequest, broker: &Broker) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_string(&Document::of(broker.issuer())).map_err(Problem::internal)?;
    let tag = format!("\"{}\"", &blake3::hash(body.as_bytes()).to_hex()[..32]);
    let tag = HeaderValue::from_str(&tag).map_err(Problem::internal)?;
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
        .content_type("application/json")
        .body(body))
}
