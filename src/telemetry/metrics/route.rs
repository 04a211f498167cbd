//! Requests by route and status, and how long they took by class of route.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::Label;

/// Upper bounds in seconds, from below what a cached exchange takes to what nobody should wait for.
const BOUNDS: [f64; 14] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0,
    5.0,
];

/// First digits of a status.
const STATUSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Which requests take alike: a histogram for each route would be many series that say little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteClass {
    /// A key or a token is traded for a token.
    TokenExchange,
    /// The management API.
    Management,
    /// All others.
    Other,
}

/// The handles of one route; cloning shares them.
#[derive(Clone, Debug)]
pub struct RouteMetrics {
    by_status: [Counter; STATUSES.len()],
    seconds: Histogram,
}

impl RouteMetrics {
    /// Counts one answered request.
    pub fn answered(&self, status: u16, duration: Duration) {
        let class = usize::from(status / 100).clamp(1, STATUSES.len()) - 1;
        self.by_status[class].inc();
        self.seconds.observe(duration.as_secs_f64());
    }
}

/// The two families.
#[derive(Debug)]
pub(super) struct Routes {
    requests: Family<[(&'static str, &'static str); 2], Counter>,
    seconds: Family<Label, Histogram, Bounds>,
}

impl Routes {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let routes = Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(Bounds),
        };
        registry.register(
            "http_requests",
            "Requests answered, by route and status",
            routes.requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "How long a request took, by class of route",
            Unit::Seconds,
            routes.seconds.clone(),
        );
        routes
    }

    pub(super) fn of(&self, pattern: &'static str, class: RouteClass) -> RouteMetrics {
        let counter = |status| {
            self.requests
                .get_or_create_owned(&[("route", pattern), ("status", status)])
        };
        RouteMetrics {
            by_status: STATUSES.map(counter),
            seconds: self
                .seconds
                .get_or_create_owned(&[("class", class.as_str())]),
        }
    }
}

impl RouteClass {
    fn as_str(self) -> &'static str {
        match self {
            Self::TokenExchange => "token_exchange",
            Self::Management => "management",
            Self::Other => "other",
        }
    }
}

/// Makes a histogram with our bounds.
#[derive(Clone, Debug)]
struct Bounds;

impl MetricConstructor<Histogram> for Bounds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BOUNDS)
    }
}
