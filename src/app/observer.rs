//! Where finished requests go: to the request log and to the metrics.

use std::error::Error;
use std::sync::Arc;

use crate::domain::clock::Clock;
use crate::http::observer::{FinishedRequest, RequestObserver};
use crate::telemetry::metrics::{Metrics, RouteClass, RouteMetrics};
use crate::telemetry::request_log::{RequestLine, RequestLog};

/// Status that a client who went away is counted under, as reverse proxies do.
const CLIENT_GONE: u16 = 499;

/// Tells the log and the metrics.
pub struct Observer {
    log: RequestLog,
    clock: Arc<dyn Clock>,
    /// In the order of the routing table: the busiest are found first.
    routes: Vec<(&'static str, RouteMetrics)>,
    unmatched: RouteMetrics,
    metrics: Arc<Metrics>,
}

impl Observer {
    /// For an application with these route patterns.
    pub fn new(
        log: RequestLog,
        clock: Arc<dyn Clock>,
        metrics: &Arc<Metrics>,
        patterns: &[&'static str],
    ) -> Self {
        let mut routes: Vec<(&'static str, RouteMetrics)> = Vec::new();
        for pattern in patterns {
            if routes.iter().all(|(known, _)| known != pattern) {
                routes.push((pattern, metrics.route(pattern, class(pattern))));
            }
        }
        Self {
            log,
            clock,
            routes,
            unmatched: metrics.route("", RouteClass::Other),
            metrics: Arc::clone(metrics),
        }
    }
}

fn class(pattern: &str) -> RouteClass {
    match pattern {
        "/v1/token" | "/oauth/token" => RouteClass::TokenExchange,
        pattern if pattern.starts_with("/v1/") => RouteClass::Management,
        _ => RouteClass::Other,
    }
}

impl RequestObserver for Observer {
    fn finished(&self, line: &FinishedRequest<'_>) {
        let status = line.status.map_or(CLIENT_GONE, |status| status.as_u16());
        let route = line
            .route
            .and_then(|route| self.routes.iter().find(|(pattern, _)| *pattern == route));
        let metrics = route.map_or(&self.unmatched, |(_, metrics)| metrics);
        metrics.answered(status, line.duration);
        if let (Some(route), Some(error)) = (line.route, line.code)
            && route.starts_with(crate::http::oauth::PATHS)
        {
            self.metrics.oauth_refused(error);
        }
        if let Some(cause) = line.cause {
            let error: &(dyn Error + 'static) = cause;
            // Below 500 the cause is the caller's own making, and there may be any number of them.
            if status >= 500 {
                tracing::error!(request_id = line.request_id, error, "a request failed");
            } else {
                tracing::debug!(request_id = line.request_id, error, "a request was refused");
            }
        }
        if line.counted_only {
            return;
        }
        self.log.record(&RequestLine {
            time: self.clock.now(),
            request_id: line.request_id,
            method: line.method.as_str(),
            route: line.route.unwrap_or_default(),
            status,
            duration: line.duration,
            address: line.client,
            key_id: line.key_id.as_ref().map(|id| id.as_str()),
            organization_id: line.organization_id.as_ref().map(|id| id.as_str()),
            code: line.code,
            reason: line.reason,
            actor: line.actor.as_deref(),
        });
    }
}
