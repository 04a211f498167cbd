//! `POST /oauth/token` (RFC 6749 §3.2): a client gets a token.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, PRAGMA};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::client::Presented;
use super::error::{Error, ErrorCode};
use super::parameters::Parameters;
use crate::broker::{Broker, GrantRefusal, GrantRequest, GrantedToken};
use crate::http::facts::Facts;
use crate::http::management::database;
use crate::http::problem::Problem;

/// Seconds after which a caller may try again where nothing signs.
const SIGNING_RETRY: u32 = 30;

/// What a client asks for (RFC 6749 §4.4.2, RFC 8707 §2).
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the form, which is read by name")]
pub struct TokenForm {
    /// `client_credentials`.
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
}

/// Get a token
///
/// The token endpoint of the authorization server (RFC 6749 §3.2): a form in, JSON out. A client proves who it is by HTTP Basic, by
/// `client_secret` in the body, or by a signed assertion.
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
) -> Result<HttpResponse, Error> {
    let mut payload = payload.into_inner();
    let parameters = Parameters::read(&request, &mut payload).await?;
    match parameters.one("grant_type") {
        None => Err(Error::invalid_request("grant_type is missing")),
        Some("client_credentials") => {
            client_credentials(&request, &parameters, &facts, &broker).await
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
    Ok(answer(&granted))
}

fn refused(refusal: GrantRefusal, facts: &Facts) -> Error {
    facts.reason(refusal.reason());
    match refusal {
        GrantRefusal::InvalidTarget { possible } if possible.is_empty() => Error::new(
            ErrorCode::InvalidTarget,
            "the client has no permission at all",
        ),
        GrantRefusal::InvalidTarget { possible } => Error::new(
            ErrorCode::InvalidTarget,
            format!(
                "name one of the resources of this client: {}",
                possible.join(" ")
            ),
        ),
        GrantRefusal::InvalidScope => Error::new(
            ErrorCode::InvalidScope,
            "a scope was asked for that the client does not hold at this resource",
        ),
        GrantRefusal::Store(error) => database(error).into(),
        GrantRefusal::NoSigningKey(cause) => Problem::signing_key_unavailable(SIGNING_RETRY)
            .with_cause(cause)
            .into(),
    }
}

/// The answer that carries a token. By hand: a token is base64url and dots, and a scope has no character that JSON escapes (§3.3).
fn answer(granted: &GrantedToken) -> HttpResponse {
    let mut body = String::with_capacity(granted.access_token.len() + granted.scope.len() + 96);
    body.push_str(r#"{"access_token":""#);
    body.push_str(&granted.access_token);
    body.push_str(r#"","token_type":"Bearer","expires_in":"#);
    body.push_str(itoa::Buffer::new().format(granted.expires_in));
    body.push_str(r#","scope":""#);
    body.push_str(&granted.scope);
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
        };
        let by_hand = answer(&granted).into_body().try_into_bytes().unwrap();
        assert_eq!(by_hand, serde_json::to_string(&documented).unwrap());
    }
}
