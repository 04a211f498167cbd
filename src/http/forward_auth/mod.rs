//! `ANY /forward-auth`: a gateway asks whether to let a request through, and gets the token that the service behind it shall see.
//!
//! Answers 200, 401, 403, 429 or 503 and nothing else: gateways know no other. On 200 every identity header is set, empty where it has
//! no value, so that a gateway which copies them writes over whatever its client sent.

use actix_web::http::header::{
    AUTHORIZATION, CACHE_CONTROL, HeaderName, HeaderValue, VARY, WWW_AUTHENTICATE,
};
use actix_web::{HttpRequest, HttpResponse, web};

use super::code::Code;
use super::facts::Facts;
use super::header::X_API_KEY;
use super::key_holder::{Refuser, rate_limit_headers};
use super::problem::Problem;
use crate::broker::{Asker, Broker, Exchanged, Refusal, Refused, TokenRequest};
use crate::domain::gateway::Told;
use crate::domain::route_table::Requirement;
use crate::telemetry::metrics::Refusal as Reason;
use crate::telemetry::request_log::RequestLog;

pub use self::requirement::Requirements;

mod requirement;

const KEY_ID: HeaderName = HeaderName::from_static("x-kagiya-key-id");
const ORG_ID: HeaderName = HeaderName::from_static("x-kagiya-org-id");
const SCOPE: HeaderName = HeaderName::from_static("x-kagiya-scope");
/// Seconds after which a caller may try again what nobody foresaw.
const RETRY: u32 = 5;
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"ApiKey realm="kagiya""#);

/// How gateways are answered.
pub struct ForwardAuth {
    /// What their requests need.
    pub requirements: Requirements,
    /// For how many seconds they may keep a yes.
    pub cache_seconds: u32,
}

/// Ask whether to let a request through
///
/// For reverse proxies, any method. The client's `X-API-Key` decides; what the request needs stands in the query that the proxy's
/// configuration writes (`resource`, `scope`), or in the table of routes, by the method and path that the proxy passes on. The headers of
/// the answer go to the service.
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
    let key = unverified_key(&request).inspect_err(|_| {
        broker.metrics().refused(Reason::InvalidRequest);
    })?;
    let asked = TokenRequest {
        resource: Some(&required.resource),
        scope: required.scope.as_deref(),
        asker: Asker::Gateway,
    };
    let outcome = broker
        .exchange(key, facts.tag_proof(), facts.client(), asked)
        .await;
    match outcome {
        Ok(exchanged) => {
            facts.key(exchanged.record.key_id());
            facts.organization(exchanged.record.organization_id());
            Ok(settings.let_through(&exchanged))
        }
        Err(refused) => {
            let refuser = Refuser {
                broker: &broker,
                log: &log,
                facts: &facts,
            };
            Err(refuse(refused, &required, &refuser))
        }
    }
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

/// The key in `X-API-Key`, which decides: a client's `Authorization` beside it is for nobody.
fn unverified_key(request: &HttpRequest) -> Result<&[u8], Problem> {
    let mut keys = request.headers().get_all(X_API_KEY);
    let (key, further) = (keys.next(), keys.next());
    match (key, further) {
        (Some(key), None) => Ok(key.as_bytes()),
        (Some(_), Some(_)) => Err(Problem::new(Code::Unauthorized, "send one X-API-Key")
            .with_header(WWW_AUTHENTICATE, CHALLENGE)),
        (None, _) => Err(Problem::api_key_required()),
    }
}

impl ForwardAuth {
    fn let_through(&self, exchanged: &Exchanged) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        let token = header(&["Bearer ", &exchanged.access_token]);
        response
            .insert_header((AUTHORIZATION, token))
            .insert_header((KEY_ID, header(&[exchanged.record.key_id().as_str()])))
            .insert_header((
                ORG_ID,
                header(&[exchanged.record.organization_id().as_str()]),
            ))
            .insert_header((SCOPE, header(&[&exchanged.scope])));
        if let Some(state) = exchanged.rate_limit {
            for (name, value) in rate_limit_headers(state) {
                response.insert_header((name, value));
            }
        }
        let half = u32::try_from(exchanged.expires_in / 2).unwrap_or(0);
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
    let known = refuser
        .broker
        .knows(&required.resource, required.scope.as_deref());
    match refused.refusal {
        Refusal::InvalidTarget { .. } | Refusal::InvalidScope if !known => {
            requirement::misconfigured("the resource or the scope that is required does not exist")
        }
        Refusal::InvalidTarget { .. } | Refusal::InvalidScope => Problem::new(
            Code::InsufficientScope,
            "the key does not hold what this request needs",
        ),
        refusal => in_few_words(refuser.refuse(refusal)),
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
