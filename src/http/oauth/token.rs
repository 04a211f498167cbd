//! `POST /oauth/token` (RFC 6749 §3.2): a client gets a token.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, PRAGMA};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::client::Presented;
use super::error::{Error, ErrorCode};
use super::exchange;
use super::parameters::Parameters;
use crate::broker::{Broker, GrantRefusal, GrantRequest, GrantedToken};
use crate::http::facts::Facts;
use crate::http::management::{database, provider};
use crate::http::problem::Problem;
use crate::telemetry::request_log::RequestLog;

/// Seconds after which a caller may try again where nothing signs.
const SIGNING_RETRY: u32 = 30;

/// The grant of RFC 8693.
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The type of an access token (RFC 8693 §3).
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What a client asks for (RFC 6749 §4.4.2, RFC 8707 §2, RFC 8693 §2.1).
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the form, which is read by name")]
pub struct TokenForm {
    /// `client_credentials`, or `urn:ietf:params:oauth:grant-type:token-exchange`.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// The resource's identifier, the audience of the token. Left out: the client's default resource, else its only one. `audience` is
    /// another name for it.
    #[schema(example = "https://payment.example.com/api", nullable = false)]
    resource: Option<String>,
    /// Scopes, separated by spaces. Left out: all that the client holds at the resource.
    #[schema(example = "write:payment", nullable = false)]
    scope: Option<String>,
    /// The client, where it does not use HTTP Basic.
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// Its secret.
    #[schema(nullable = false)]
    client_secret: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, beside an assertion.
    #[schema(nullable = false)]
    client_assertion_type: Option<String>,
    /// A JWT that the client signed (RFC 7523), in place of a secret; its `aud` is the issuer, its `jti` is used once.
    #[schema(nullable = false)]
    client_assertion: Option<String>,
    /// Of an exchange: the token that is traded.
    #[schema(nullable = false)]
    subject_token: Option<String>,
    /// What it is: `urn:ietf:params:oauth:token-type:access_token`, `…:jwt`, `…:id_token`, or
    /// `urn:kagiya:params:oauth:token-type:api-key`, which takes no client.
    #[schema(nullable = false)]
    subject_token_type: Option<String>,
    /// Whose it is, where it does not say so: the identifier or the name of a trusted issuer.
    #[schema(nullable = false)]
    subject_issuer: Option<String>,
    /// Who acts, by a token of his own; without one the client does.
    #[schema(nullable = false)]
    actor_token: Option<String>,
    /// What that is; beside it always.
    #[schema(nullable = false)]
    actor_token_type: Option<String>,
    /// Whose that is, where it does not say so.
    #[schema(nullable = false)]
    actor_issuer: Option<String>,
    /// `urn:ietf:params:oauth:token-type:access_token`, which is the only kind that is given.
    #[schema(nullable = false)]
    requested_token_type: Option<String>,
}

/// A token (RFC 6749 §5.1).
#[derive(Serialize, ToSchema)]
#[schema(as = GrantedToken)]
pub struct TokenBody {
    /// The JWT (RFC 9068), to be sent to the resource as `Authorization: Bearer`.
    access_token: String,
    /// `Bearer`.
    #[schema(example = "Bearer")]
    token_type: String,
    /// For how many seconds it is good.
    #[schema(example = 300)]
    expires_in: i64,
    /// What it permits.
    #[schema(example = "write:payment")]
    scope: String,
    /// Of an exchange: `urn:ietf:params:oauth:token-type:access_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    issued_token_type: Option<&'static str>,
}

/// Get a token
///
/// The token endpoint of the authorization server (RFC 6749 §3.2): a form in, JSON out. A client proves who it is by HTTP Basic, by
/// `client_secret` in the body, or by a signed assertion. With `client_credentials` it gets a token for itself; with token exchange
/// (RFC 8693) one for the subject of the token, or of the API key, that it brings.
#[utoipa::path(
    post, path = "/oauth/token", tag = "oauth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token", body = TokenBody)),
)]
pub async fn token(
    request: HttpRequest,
    payload: web::Payload,
    facts: Facts,
    broker: web::Data<Broker>,
    log: web::Data<RequestLog>,
) -> Result<HttpResponse, Error> {
    let mut payload = payload.into_inner();
    let parameters = Parameters::read(&request, &mut payload).await?;
    match parameters.one("grant_type") {
        None => Err(Error::invalid_request("grant_type is missing")),
        Some("client_credentials") => {
            client_credentials(&request, &parameters, &facts, &broker).await
        }
        Some(TOKEN_EXCHANGE) => {
            let call = exchange::Call {
                headers: request.headers(),
                parameters: &parameters,
                facts: &facts,
                broker: &broker,
                log: &log,
            };
            call.answer().await
        }
        Some(_) => Err(Error::new(
            ErrorCode::UnsupportedGrantType,
            "this server has no such grant",
        )),
    }
}

async fn client_credentials(
    request: &HttpRequest,
    parameters: &Parameters,
    facts: &Facts,
    broker: &Broker,
) -> Result<HttpResponse, Error> {
    let client = Presented::read(request.headers(), parameters)?
        .authenticate(broker, facts)
        .await?;
    let asked = GrantRequest {
        resource: parameters.target()?,
        scope: parameters.one("scope"),
    };
    let granted = broker
        .client_credentials(&client, asked)
        .map_err(|refusal| refused(refusal, facts))?;
    Ok(answer(&granted, None))
}

/// The error of a refusal.
pub(super) fn refused(refusal: GrantRefusal, facts: &Facts) -> Error {
    facts.reason(refusal.reason());
    match refusal {
        GrantRefusal::InvalidTarget { possible } if possible.is_empty() => Error::new(
            ErrorCode::InvalidTarget,
            "no token can be issued for that resource",
        ),
        GrantRefusal::InvalidTarget { possible } => Error::new(
            ErrorCode::InvalidTarget,
            format!("name one of these resources: {}", possible.join(" ")),
        ),
        GrantRefusal::InvalidScope => Error::new(
            ErrorCode::InvalidScope,
            "a scope was asked for that is not held at this resource",
        ),
        GrantRefusal::Subject(cause) => {
            Error::invalid_request("the subject_token is not good here").with_cause(cause)
        }
        GrantRefusal::Actor(cause) => {
            Error::invalid_request("the actor_token is not good here").with_cause(cause)
        }
        GrantRefusal::SubjectLacksScope => Error::invalid_request(
            "the subject_token does not permit what the exchange rule requires",
        ),
        GrantRefusal::MayNotAct => Error::invalid_request(
            "the subject_token names in may_act who may act, and it is somebody else",
        ),
        GrantRefusal::ActorNotTaken => {
            Error::invalid_request("the exchange rule takes no actor_token")
        }
        GrantRefusal::TooManyActors => {
            Error::invalid_request("too many actors act for each other in the subject_token")
        }
        GrantRefusal::TooManyTrades => {
            Error::invalid_request("the subject_token was exchanged too often")
        }
        GrantRefusal::NoRules => Error::new(
            ErrorCode::UnauthorizedClient,
            "this client has no exchange rule and may trade its own tokens alone",
        ),
        GrantRefusal::Store(error) => database(error).into(),
        GrantRefusal::Provider(error) => provider(error).into(),
        GrantRefusal::NoSigningKey(cause) => Problem::signing_key_unavailable(SIGNING_RETRY)
            .with_cause(cause)
            .into(),
    }
}

/// The answer that carries a token. By hand: a token is base64url and dots, and a scope has no character that JSON escapes (§3.3).
pub(super) fn answer(granted: &GrantedToken, issued_token_type: Option<&str>) -> HttpResponse {
    let mut body = String::with_capacity(granted.access_token.len() + granted.scope.len() + 192);
    body.push_str(r#"{"access_token":""#);
    body.push_str(&granted.access_token);
    body.push_str(r#"","token_type":"Bearer","expires_in":"#);
    body.push_str(itoa::Buffer::new().format(granted.expires_in));
    body.push_str(r#","scope":""#);
    body.push_str(&granted.scope);
    if let Some(kind) = issued_token_type {
        body.push_str(r#"","issued_token_type":""#);
        body.push_str(kind);
    }
    body.push_str(r#""}"#);
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header((PRAGMA, HeaderValue::from_static("no-cache")))
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .body(body)
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody as _;

    use super::*;

    #[test]
    fn tok_11_the_body_by_hand_is_the_body_that_is_documented() {
        let granted = GrantedToken {
            access_token: "a.b.c".to_owned(),
            expires_in: 300,
            scope: "read write".into(),
        };
        let documented = TokenBody {
            access_token: "a.b.c".to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in: 300,
            scope: "read write".to_owned(),
            issued_token_type: None,
        };
        let by_hand = |kind| answer(&granted, kind).into_body().try_into_bytes().unwrap();
        let written = |body: &TokenBody| serde_json::to_string(body).unwrap();
        assert_eq!(by_hand(None), written(&documented));
        let exchanged = TokenBody {
            issued_token_type: Some(ACCESS_TOKEN),
            ..documented
        };
        assert_eq!(by_hand(Some(ACCESS_TOKEN)), written(&exchanged));
    }
}
