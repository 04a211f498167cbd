//! The parameters of a token exchange (RFC 8693 §2.1), and its answer (§2.2).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;

use super::client::Presented;
use super::error::Error;
use super::introspect::API_KEY;
use super::parameters::Parameters;
use super::token::{ACCESS_TOKEN, answer, refused};
use crate::broker::{
    Broker, ExchangeRequest, GrantedToken, PresentedToken, Refusal, TokenKind, TokenRequest,
};
use crate::http::facts::Facts;
use crate::http::key_holder::Refuser;
use crate::telemetry::request_log::RequestLog;

const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// An exchange that is asked for.
pub(super) struct Call<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) parameters: &'a Parameters,
    pub(super) facts: &'a Facts,
    pub(super) broker: &'a Broker,
    pub(super) log: &'a RequestLog,
}

impl<'a> Call<'a> {
    /// Trades and answers.
    pub(super) async fn answer(self) -> Result<HttpResponse, Error> {
        let parameters = self.parameters;
        let client = Presented::read(self.headers, parameters)?;
        let wanted = parameters.one("requested_token_type");
        if wanted.is_some_and(|kind| kind != ACCESS_TOKEN) {
            return Err(Error::invalid_request(
                "this server issues access tokens alone",
            ));
        }
        let subject = parameters
            .one("subject_token")
            .ok_or_else(|| Error::invalid_request("subject_token is missing"))?;
        let kind = parameters
            .one("subject_token_type")
            .ok_or_else(|| Error::invalid_request("subject_token_type is missing"))?;
        let actor = self.actor()?;
        let resource = parameters.target()?;
        let scope = parameters.one("scope");
        if kind == API_KEY {
            if !client.is_none() {
                return Err(Error::invalid_request(
                    "an API key is its own proof: send no client credentials beside it",
                ));
            }
            if actor.is_some() {
                return Err(Error::invalid_request(
                    "an API key asks for itself: send no actor_token beside it",
                ));
            }
            return self
                .trade_key(
                    subject,
                    TokenRequest {
                        resource,
                        scope,
                        ..TokenRequest::default()
                    },
                )
                .await;
        }
        let subject = PresentedToken {
            token: subject,
            kind: kind_of(kind, "subject_token_type")?,
            issuer: parameters.one("subject_issuer"),
        };
        let client = client.authenticate(self.broker, self.facts).await?;
        let request = ExchangeRequest {
            subject,
            actor,
            resource,
            scope,
        };
        let origin = self.facts.origin(client.id().as_str());
        let granted = self
            .broker
            .exchange_token(&client, request, &origin)
            .await
            .map_err(|refusal| refused(refusal, self.facts))?;
        Ok(answer(&granted, Some(ACCESS_TOKEN)))
    }

    fn actor(&self) -> Result<Option<PresentedToken<'a>>, Error> {
        let token = self.parameters.one("actor_token");
        let kind = self.parameters.one("actor_token_type");
        match (token, kind) {
            (None, None) => Ok(None),
            (Some(token), Some(kind)) => Ok(Some(PresentedToken {
                token,
                kind: kind_of(kind, "actor_token_type")?,
                issuer: self.parameters.one("actor_issuer"),
            })),
            _ => Err(Error::invalid_request(
                "actor_token and actor_token_type go together",
            )),
        }
    }

    /// As `POST /v1/token`, in the words of this endpoint: a key that is not good is a subject token that is not (RFC 8693 §2.2.2).
    async fn trade_key(&self, key: &str, request: TokenRequest<'_>) -> Result<HttpResponse, Error> {
        let traded = self
            .broker
            .exchange(key.as_bytes(), None, self.facts.client(), request)
            .await;
        let exchanged = traded.map_err(|refused| {
            if let Some(holder) = &refused.holder {
                self.facts.key(holder.key_id());
                self.facts.organization(holder.organization_id());
            }
            self.refuse_key(refused.refusal)
        })?;
        self.facts.key(exchanged.record.key_id());
        self.facts.organization(exchanged.record.organization_id());
        let granted = GrantedToken {
            access_token: exchanged.access_token.to_string(),
            expires_in: exchanged.expires_in,
            scope: exchanged.scope,
        };
        Ok(answer(&granted, Some(ACCESS_TOKEN)))
    }

    fn refuse_key(&self, refusal: Refusal) -> Error {
        let code = match &refusal {
            Refusal::InvalidTarget { .. } => Some(super::error::ErrorCode::InvalidTarget),
            Refusal::InvalidScope => Some(super::error::ErrorCode::InvalidScope),
            _ => None,
        };
        let refuser = Refuser {
            broker: self.broker,
            log: self.log,
            facts: self.facts,
        };
        let problem = refuser.refuse(refusal);
        match (code, problem.code().status()) {
            (Some(code), _) => Error::new(code, problem.detail().clone()),
            (None, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                Error::invalid_request(problem.detail().clone())
            }
            _ => problem.into(),
        }
    }
}

fn kind_of(text: &str, parameter: &str) -> Result<TokenKind, Error> {
    match text {
        ACCESS_TOKEN => Ok(TokenKind::AccessToken),
        JWT => Ok(TokenKind::Jwt),
        ID_TOKEN => Ok(TokenKind::IdToken),
        _ => Err(Error::invalid_request(format!(
            "{parameter} is none that this server takes"
        ))),
    }
}
