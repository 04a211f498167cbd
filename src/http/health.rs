//! What supervisors and monitors ask: is the process up, may traffic be sent here, and what are the figures.
//!
//! `/livez` depends on nothing. `/readyz` is 503 only when this node itself cannot serve: a stopping node says so some seconds
//! before it stops accepting, and a sick identity provider never takes every node out of rotation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::header::{CACHE_CONTROL, RETRY_AFTER};
use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::query::NoQuery;

/// The media type of the figures (OpenMetrics 1.0).
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Set once, when the server is asked to stop. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stopping(Arc<AtomicBool>);

impl Stopping {
    /// From now on `/readyz` is 503.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Tells what this node needs in order to serve, from memory: it must neither wait nor ask anybody.
pub trait Readiness: Send + Sync + 'static {
    /// The state of each thing, as last seen.
    fn checks(&self) -> Vec<Check>;
}

/// The state of one thing.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Check {
    /// What: `database`, `signing_key`, `identity_providers`, `process`.
    #[schema(value_type = String)]
    pub check: &'static str,
    /// How it is.
    pub state: CheckState,
    /// More about it, in words fit for strangers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub detail: Option<String>,
}

/// How one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// Not as it should be, and this node serves all the same.
    Degraded,
    /// This node cannot serve.
    Failed,
}

/// Makes the text of `/metrics`.
pub struct Metrics(pub Box<dyn Fn() -> String + Send + Sync>);

/// Whether traffic may be sent here.
#[derive(Serialize, ToSchema)]
pub struct Ready {
    /// `ready`, `degraded` (serves all the same) or `unavailable`.
    #[schema(value_type = String)]
    status: &'static str,
    /// What it was made of.
    checks: Vec<Check>,
}

/// The process is up
///
/// Depends on nothing: a supervisor restarts the process when this does not answer.
#[utoipa::path(get, path = "/livez", tag = "operations", responses((status = 200, description = "The process is up", content_type = "text/plain", body = String)))]
pub async fn livez(_: NoQuery) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("text/plain; charset=utf-8")
        .body("ok\n")
}

/// Traffic may be sent here
///
/// 503 only when this node itself cannot serve: database out of reach, no signing key, stopping. What else is sick is in the
/// body and never changes the status.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses(
    (status = 200, description = "Serves", body = Ready),
    (status = 503, description = "Does not serve now", body = Ready),
))]
pub async fn readyz(
    _: NoQuery,
    readiness: web::Data<dyn Readiness>,
    stopping: web::Data<Stopping>,
) -> HttpResponse {
    let mut checks = readiness.checks();
    if stopping.has_begun() {
        checks.push(Check {
            check: "process",
            state: CheckState::Failed,
            detail: Some("stopping".to_owned()),
        });
    }
    let worst = checks
        .iter()
        .map(|check| check.state)
        .max()
        .unwrap_or(CheckState::Ok);
    let (mut answer, status) = match worst {
        CheckState::Ok => (HttpResponse::Ok(), "ready"),
        CheckState::Degraded => (HttpResponse::Ok(), "degraded"),
        CheckState::Failed => (HttpResponse::ServiceUnavailable(), "unavailable"),
    };
    if worst == CheckState::Failed {
        answer.insert_header((RETRY_AFTER, "1"));
    }
    answer
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(Ready { status, checks })
}

/// The figures
///
/// In OpenMetrics text, for Prometheus. They hold no secret and no name of a key.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200, description = "The figures", content_type = "application/openmetrics-text", body = String)))]
pub async fn metrics(_: NoQuery, metrics: web::Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type(METRICS_TYPE)
        .body((metrics.0)())
}
