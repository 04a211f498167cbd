//! `POST /v1/token`: a key is traded for a JWT. The hot path: no I/O for a warm key, few allocations, no layer but the outermost.

use actix_web::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::facts::Facts;
use super::key_holder::{Refuser, rate_limit_headers, unverified_key};
use super::parameters::OptionalParameters;
use super::problem::Problem;
use super::query::NoQuery;
use crate::broker::{Asker, Broker, TokenRequest};
use crate::telemetry::metrics::Refusal as Reason;
use crate::telemetry::request_log::RequestLog;

/// Tells where the token comes from.
const X_KAGIYA_ANSWER: HeaderName = HeaderName::from_static("x-kagiya-answer");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const JWT: HeaderValue = HeaderValue::from_static("application/jwt");

/// What to trade the key for. All of it may be left out, and an empty text is as good as none.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenParameters {
    /// The resource's identifier, the audience of the token. Left out: the key's default resource, else its only one.
    #[schema(example = "https://payment.example.com/api", nullable = false)]
    resource: Option<String>,
    /// Scopes, separated by spaces. Left out: all that the key holds at the resource.
    #[schema(example = "write:payment", nullable = false)]
    scope: Option<String>,
}

/// A token (RFC 6749 §5.1, RFC 8693 §2.2.1).
#[derive(Serialize, ToSchema)]
pub struct TokenAnswer {
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
    /// `urn:ietf:params:oauth:token-type:access_token`.
    #[schema(example = "urn:ietf:params:oauth:token-type:access_token")]
    issued_token_type: String,
}

/// Trade a key for a token
///
/// The permanent key goes in as `X-API-Key` (or `Authorization: Bearer`), a short-lived JWT with the permissions of this moment comes
/// out. Parameters as a form or as JSON, or none at all. With `Accept: application/jwt` the answer is the bare token.
#[utoipa::path(
    post, path = "/v1/token", tag = "keys in hand",
    request_body(content((TokenParameters = "application/x-www-form-urlencoded"), (TokenParameters = "application/json"))),
    responses((status = 200, description = "The token", body = TokenAnswer)),
)]
pub async fn trade(
    request: HttpRequest,
    _: NoQuery,
    facts: Facts,
    broker: web::Data<Broker>,
    log: web::Data<RequestLog>,
    OptionalParameters(parameters): OptionalParameters<TokenParameters>,
) -> Result<HttpResponse, Problem> {
    let key = unverified_key(request.headers())
        .inspect_err(|_| broker.metrics().refused(Reason::InvalidRequest))?;
    let asked = TokenRequest {
        resource: parameters.resource.as_deref(),
        scope: parameters.scope.as_deref(),
        asker: Asker::Holder,
    };
    let outcome = broker
        .exchange(key, facts.tag_proof(), facts.client(), asked)
        .await;
    let exchanged = match outcome {
        Ok(exchanged) => exchanged,
        Err(refused) => {
            if let Some(holder) = &refused.holder {
                facts.key(holder.key_id());
                facts.organization(holder.organization_id());
            }
            return Err(Refuser {
                broker: &broker,
                log: &log,
                facts: &facts,
            }
            .refuse(refused.refusal));
        }
    };
    facts.key(exchanged.record.key_id());
    facts.organization(exchanged.record.organization_id());
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, NO_STORE));
    let answer = HeaderValue::from_static(exchanged.answer.as_str());
    response.insert_header((X_KAGIYA_ANSWER, answer));
    if let Some(state) = exchanged.rate_limit {
        for header in rate_limit_headers(state) {
            response.insert_header(header);
        }
    }
    if wants_bare_token(request.headers()) {
        return Ok(response
            .insert_header((CONTENT_TYPE, JWT))
            .body(String::from(&*exchanged.access_token)));
    }
    let body = body(
        &exchanged.access_token,
        exchanged.expires_in,
        &exchanged.scope,
    );
    Ok(response.insert_header((CONTENT_TYPE, JSON)).body(body))
}

/// [`TokenAnswer`] as text. By hand: a token is base64url and dots, and a scope has no character that JSON escapes (RFC 6749 §3.3).
fn body(token: &str, expires_in: i64, scope: &str) -> String {
    let mut body = String::with_capacity(token.len() + scope.len() + 192);
    body.push_str(r#"{"access_token":""#);
    body.push_str(token);
    body.push_str(r#"","token_type":"Bearer","expires_in":"#);
    body.push_str(itoa::Buffer::new().format(expires_in));
    body.push_str(r#","scope":""#);
    body.push_str(scope);
    body.push_str(r#"","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}"#);
    body
}

/// Whether the first type that `Accept` names is `application/jwt`.
fn wants_bare_token(headers: &HeaderMap) -> bool {
    let Some(accept) = headers.get(ACCEPT) else {
        return false;
    };
    let ranges = accept.to_str().unwrap_or_default().split(',');
    let media_type = |range: &str| {
        range
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    };
    ranges
        .map(media_type)
        .next()
        .is_some_and(|first| first == "application/jwt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_by_hand_is_the_body_that_is_documented() {
        let answer = TokenAnswer {
            access_token: "a.b.c".to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in: 300,
            scope: "read:payment write:payment".to_owned(),
            issued_token_type: "urn:ietf:params:oauth:token-type:access_token".to_owned(),
        };
        let by_hand = body(&answer.access_token, answer.expires_in, &answer.scope);
        assert_eq!(by_hand, serde_json::to_string(&answer).unwrap());
    }

    #[test]
    fn the_bare_token_goes_only_to_who_asks_for_it() {
        for (accept, bare) in [
            ("application/jwt", true),
            ("Application/JWT;q=1", true),
            ("*/*", false),
            ("application/json, application/jwt", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(wants_bare_token(&headers), bare, "{accept}");
        }
        assert!(!wants_bare_token(&HeaderMap::new()));
    }
}
