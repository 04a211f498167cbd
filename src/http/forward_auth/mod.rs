//! `ANY /forward-auth`: a gateway asks whether to let a request through, and gets the token that the service behind it shall see.
//!
//! Answers 200, 401, 403, 429 or 503 and nothing else: gateways know no other. On 200 every identity header is set, empty where it has
//! no value, so that a gateway which copies them writes over whatever its client sent.

use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderName, HeaderValue, VARY};
use actix_web::{HttpRequest, HttpResponse, web};

use super::code::Code;
use super::facts::Facts;
use super::key_holder::{Refuser, rate_limit_headers};
use super::problem::Problem;
use crate::broker::{
    Asker, Broker, Exchanged, RateLimitState, Refusal, Refused, TokenRequest, TrustedGateway,
};
use crate::domain::gateway::Told;
use crate::domain::id::ApplicationId;
use crate::domain::route_table::Requirement;
use crate::telemetry::metrics::Refusal as Reason;
use crate::telemetry::request_log::RequestLog;

pub use self::requirement::Requirements;

use self::presented::Presented;

mod presented;
mod requirement;
mod token_holder;

const KEY_ID: HeaderName = HeaderName::from_static("x-kagiya-key-id");
const ORG_ID: HeaderName = HeaderName::from_static("x-kagiya-org-id");
const SCOPE: HeaderName = HeaderName::from_static("x-kagiya-scope");
/// Seconds after which a caller may try again what nobody foresaw.
const RETRY: u32 = 5;

/// How gateways are answered.
pub struct ForwardAuth {
    /// What their requests need.
    pub requirements: Requirements,
    /// The application that the gateway is, for callers who bring a token that is meant for it.
    pub application: Option<ApplicationId>,
    /// For how many seconds they may keep a yes.
    pub cache_seconds: u32,
}

/// Ask whether to let a request through
///
/// For reverse proxies, any method. The client's `X-API-Key` decides; without one an access token of ours in `Authorization`, which goes on
/// as it is where it is meant for the service, and is traded where it is meant for the gateway. What the request needs stands in the
/// query that the proxy's configuration writes (`resource`, `scope`), or in the table of routes, by the method and path that the proxy
/// passes on. The headers of the answer go to the service.
#[utoipa::path(
    get, path = "/forward-auth", tag = "gateways",
    params(
        ("resource" = Option<String>, Query, description = "The resource that the caller must hold permissions at."),
        ("scope" = Option<String>, Query, description = "Scopes that he must hold there, separated by spaces; none: any."),
    ),
    responses((
        status = 200, description = "Let it through, with these headers",
        headers(
            ("Authorization" = String, description = "`Bearer` and the JWT."),
            ("X-Kagiya-Key-Id" = String, description = "The key's id, or nothing."),
            ("X-Kagiya-Org-Id" = String, description = "The organization's id, or nothing."),
            ("X-Kagiya-Scope" = String, description = "What the token permits."),
        ),
    )),
)]
pub async fn forward_auth(
    request: HttpRequest,
    facts: Facts,
    broker: web::Data<Broker>,
    log: web::Data<RequestLog>,
    settings: web::Data<ForwardAuth>,
) -> Result<HttpResponse, Problem> {
    let required = settings.requirements.of(&request).inspect_err(|_| {
        broker.metrics().refused(Reason::InvalidRequest);
    })?;
    let presented = Presented::read(&request).inspect_err(|_| {
        broker.metrics().refused(Reason::InvalidRequest);
    })?;
    let refuser = Refuser {
        broker: &broker,
        log: &log,
        facts: &facts,
    };
    let yes = match presented {
        Presented::Key(key) => key_holder(key, &required, &refuser).await?,
        Presented::Token(token) => {
            let gateway = settings.trusted_gateway(&request, &facts);
            token_holder::admit(token, &required, gateway.as_ref(), &refuser).await?
        }
    };
    Ok(settings.let_through(&yes))
}

/// Ask whether to let a request through, as Envoy does
///
/// Envoy sends the client's own method, and his path and query behind this path. The table of routes alone says what it needs.
#[utoipa::path(
    get, path = "/forward-auth/{path}", tag = "gateways",
    params(("path" = String, Path, description = "The client's path, any number of segments.")),
    responses((status = 200, description = "Let it through, with the headers of `/forward-auth`")),
)]
pub async fn forward_auth_below(
    request: HttpRequest,
    facts: Facts,
    broker: web::Data<Broker>,
    log: web::Data<RequestLog>,
    settings: web::Data<ForwardAuth>,
) -> Result<HttpResponse, Problem> {
    forward_auth(request, facts, broker, log, settings).await
}

/// What the service behind a gateway is told.
struct Yes {
    access_token: Arc<str>,
    expires_in: i64,
    scope: Arc<str>,
    key_id: String,
    organization_id: String,
    rate_limit: Option<RateLimitState>,
}

impl From<Exchanged> for Yes {
    fn from(exchanged: Exchanged) -> Self {
        Self {
            key_id: exchanged.record.key_id().to_string(),
            organization_id: exchanged.record.organization_id().to_string(),
            access_token: exchanged.access_token,
            expires_in: exchanged.expires_in,
            scope: exchanged.scope,
            rate_limit: exchanged.rate_limit,
        }
    }
}

async fn key_holder(
    key: &[u8],
    required: &Requirement,
    refuser: &Refuser<'_>,
) -> Result<Yes, Problem> {
    let facts = refuser.facts;
    let asked = TokenRequest {
        resource: Some(&required.resource),
        scope: required.scope.as_deref(),
        asker: Asker::Gateway,
    };
    let outcome = refuser
        .broker
        .exchange(key, facts.tag_proof(), facts.client(), asked)
        .await;
    match outcome {
        Ok(exchanged) => {
            facts.key(exchanged.record.key_id());
            facts.organization(exchanged.record.organization_id());
            Ok(exchanged.into())
        }
        Err(refused) => Err(refuse(refused, required, refuser)),
    }
}

impl ForwardAuth {
    /// The gateway that asks, if it is a trusted one and is known as an application.
    fn trusted_gateway(&self, request: &HttpRequest, facts: &Facts) -> Option<TrustedGateway> {
        let application = self.application?;
        Some(TrustedGateway {
            application,
            address: self.requirements.trusted_proxy(request)?,
            origin: facts.origin(application.as_str()),
        })
    }

    fn let_through(&self, yes: &Yes) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        response
            .insert_header((AUTHORIZATION, header(&["Bearer ", &yes.access_token])))
            .insert_header((KEY_ID, header(&[&yes.key_id])))
            .insert_header((ORG_ID, header(&[&yes.organization_id])))
            .insert_header((SCOPE, header(&[&yes.scope])));
        if let Some(state) = yes.rate_limit {
            for (name, value) in rate_limit_headers(state) {
                response.insert_header((name, value));
            }
        }
        let half = u32::try_from(yes.expires_in / 2).unwrap_or(0);
        match self.cache_seconds.min(half) {
            0 => response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store"))),
            seconds => response
                .insert_header((CACHE_CONTROL, format!("max-age=0, s-maxage={seconds}")))
                .insert_header((VARY, self.vary())),
        };
        response.finish()
    }

    /// What the answer depends on beside its own target.
    fn vary(&self) -> String {
        let mut names = vec!["x-api-key", "authorization", "x-forwarded-for"];
        if let Some(Told::InHeaders { method, target }) =
            self.requirements.gateway.map(|gateway| gateway.told())
        {
            names.extend([method, target]);
        }
        names.join(", ")
    }
}

/// A header of these parts: tokens, ids and scopes are visible ASCII and spaces.
fn header(parts: &[&str]) -> HeaderValue {
    HeaderValue::try_from(parts.concat()).unwrap_or(HeaderValue::from_static(""))
}

fn refuse(refused: Refused, required: &Requirement, refuser: &Refuser<'_>) -> Problem {
    if let Some(holder) = &refused.holder {
        refuser.facts.key(holder.key_id());
        refuser.facts.organization(holder.organization_id());
    }
    match refused.refusal {
        Refusal::InvalidTarget { .. } | Refusal::InvalidScope => lacks(
            required,
            refuser,
            "the key does not hold what this request needs",
        ),
        refusal => in_few_words(refuser.refuse(refusal)),
    }
}

/// The caller lacks what the request needs, unless nobody can have it.
fn lacks(required: &Requirement, refuser: &Refuser<'_>, detail: &'static str) -> Problem {
    let known = refuser
        .broker
        .knows(&required.resource, required.scope.as_deref());
    if known {
        Problem::new(Code::InsufficientScope, detail)
    } else {
        requirement::misconfigured("the resource or the scope that is required does not exist")
    }
}

/// A gateway knows 401, 403, 429 and 503: whatever else went wrong is an outage to it.
fn in_few_words(problem: Problem) -> Problem {
    match problem.code().status().as_u16() {
        401 | 403 | 429 | 503 => problem,
        _ => {
            let outage = Problem::new(
                Code::CannotJudge,
                "the log has the cause under this request id",
            )
            .with_retry_after(RETRY);
            match problem.into_cause() {
                Some(cause) => outage.with_cause(cause),
                None => outage,
            }
        }
    }
}
