//! `POST /oauth/revoke` (RFC 7009): a token, or an API key, is ended before its time.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue, PRAGMA};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::ToSchema;

use super::client::Presented;
use super::error::{Error, ErrorCode};
use super::parameters::Parameters;
use crate::broker::{Broker, Refusal, RevocationRefusal};
use crate::http::access::to_the_end;
use crate::http::facts::Facts;
use crate::http::key_holder::Refuser;
use crate::http::management::database;
use crate::telemetry::request_log::RequestLog;

/// What is to be ended (RFC 7009 §2.1).
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the form, which is read by name")]
pub struct RevocationForm {
    /// An access token of the client, or an API key.
    token: String,
    /// Not needed: every kind is looked for.
    #[schema(nullable = false)]
    token_type_hint: Option<String>,
}

/// End a token
///
/// From the answer on it is refused here, and so is all that was made of it (RFC 7009); whoever verifies offline refuses it when he
/// reads `/.well-known/revocations` again. An API key is its own proof: whoever has it ends it, without being a client. A token that is
/// not good any more is done too; one of another client is refused.
#[utoipa::path(
    post, path = "/oauth/revoke", tag = "oauth",
    request_body(content = RevocationForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "It is not good any more")),
)]
pub async fn revoke(
    request: HttpRequest,
    payload: web::Payload,
    facts: Facts,
    broker: web::Data<Broker>,
    log: web::Data<RequestLog>,
) -> Result<HttpResponse, Error> {
    let mut payload = payload.into_inner();
    let parameters = Parameters::read(&request, &mut payload).await?;
    let headers = request.headers().clone();
    to_the_end(async move {
        let client = Presented::read(&headers, &parameters)?;
        let token = parameters
            .one("token")
            .ok_or_else(|| Error::invalid_request("token is missing"))?;
        let broker = broker.into_inner();
        if broker.looks_like_a_key(token) {
            // A client that names itself proves it, although it need not name itself.
            if !client.is_none() {
                client.authenticate(&broker, &facts).await?;
            }
            end_key(&broker, token, &facts, &log).await?;
        } else {
            let client = client.authenticate(&broker, &facts).await?;
            let origin = facts.origin(client.id().as_str());
            let ended = broker.revoke_token(&client, token, origin).await;
            ended.map_err(|refusal| match refusal {
                RevocationRefusal::AnothersToken => Error::new(
                    ErrorCode::UnauthorizedClient,
                    "the token was issued to another client",
                ),
                RevocationRefusal::Store(error) => database(error).into(),
            })?;
        }
        // Without a body and without a word of JSON: some libraries would read it.
        Ok(HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
            .insert_header((PRAGMA, HeaderValue::from_static("no-cache")))
            .finish())
    })
    .await
}

async fn end_key(
    broker: &Arc<Broker>,
    token: &str,
    facts: &Facts,
    log: &RequestLog,
) -> Result<(), Error> {
    match broker
        .revoke_presented_key(token.as_bytes(), facts.origin(""))
        .await
    {
        Ok(Some(record)) => {
            facts.key(record.key_id());
            facts.organization(record.organization_id());
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(refusal) => {
            let is_bad = matches!(
                refusal,
                Refusal::Malformed | Refusal::Forged | Refusal::Unknown
            );
            let refuser = Refuser { broker, log, facts };
            let problem = refuser.refuse(refusal);
            // What is no key of ours is done, until there are too many of them from one address.
            if is_bad && problem.code().status() == 401 {
                Ok(())
            } else {
                Err(problem.into())
            }
        }
    }
}
