//! Metrics for Prometheus: `docs/metrics.md` lists them, and a test holds that list against the registry.
//!
//! The registry belongs to an instance, so several servers in one process do not mix. Every label is resolved when the
//! handles are made: on the way of a request nothing is looked up, only counted.

mod oauth;
mod providers;
mod refusal;
mod route;

use std::fmt;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use self::oauth::OAuth;
pub use self::providers::ProviderFigures;
use self::providers::Providers;
pub use self::refusal::Refusal;
use self::route::Routes;
pub use self::route::{RouteClass, RouteMetrics};

/// One label and its value, both known when the program is written.
type Label = [(&'static str, &'static str); 1];

/// The media type of [`Metrics::encode`]: OpenMetrics 1.0, which Prometheus reads.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All that is counted.
pub struct Metrics {
    registry: Registry,
    routes: Routes,
    minted: Counter,
    reused: Counter,
    passed: Counter,
    refusals: [Counter; Refusal::ALL.len()],
    oauth: OAuth,
    cache_hits: Counter,
    cache_misses: Counter,
    cached_keys: Gauge,
    keys_created: Counter,
    keys_rotated: Counter,
    keys_revoked: Counter,
    store_reads: Counter,
    store_writes: Counter,
    store_commits: Counter,
    usage_flushes: Counter,
    usage_flush_failures: Counter,
    dropped_lines: Counter,
    signing_key_activated: Gauge,
    providers: Providers,
    stuck_operations: Gauge,
}

impl Metrics {
    /// A registry with everything at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("kagiya");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", version);
        let routes = Routes::register(&mut registry);
        let exchanges = labelled(
            &mut registry,
            "exchanges",
            "Keys traded for a token, by where the token came from",
        );
        let refusals = labelled(&mut registry, "refusals", "Exchanges refused, by reason");
        Self {
            routes,
            minted: one(&exchanges, "token", "minted"),
            reused: one(&exchanges, "token", "reused"),
            passed: one(&exchanges, "token", "passed_through"),
            refusals: Refusal::ALL.map(|refusal| one(&refusals, "reason", refusal.as_str())),
            oauth: OAuth::register(&mut registry),
            cache_hits: counter(&mut registry, "key_cache_hits", "Keys found in memory"),
            cache_misses: counter(
                &mut registry,
                "key_cache_misses",
                "Keys read from the database",
            ),
            cached_keys: gauge(&mut registry, "key_cache_keys", "Keys held in memory"),
            keys_created: counter(&mut registry, "keys_created", "Keys created"),
            keys_rotated: counter(&mut registry, "keys_rotated", "Keys rotated"),
            keys_revoked: counter(
                &mut registry,
                "keys_revoked",
                "Keys revoked, in whatever way",
            ),
            store_reads: counter(
                &mut registry,
                "store_reads",
                "Reads that the database was asked for",
            ),
            store_writes: counter(
                &mut registry,
                "store_writes",
                "Writes that the database was asked for",
            ),
            store_commits: counter(
                &mut registry,
                "store_commits",
                "Commits that made those writes durable",
            ),
            usage_flushes: counter(
                &mut registry,
                "usage_flushes",
                "Times that use was written to the database",
            ),
            usage_flush_failures: counter(
                &mut registry,
                "usage_flush_failures",
                "Times that this failed; it is kept and tried again",
            ),
            dropped_lines: counter(
                &mut registry,
                "request_log_dropped_lines",
                "Lines of the request log that nobody read in time",
            ),
            signing_key_activated: gauge(
                &mut registry,
                "signing_key_activated_timestamp_seconds",
                "When the oldest active signing key began to sign, in Unix time",
            ),
            providers: Providers::register(&mut registry),
            stuck_operations: gauge(
                &mut registry,
                "identity_provider_stuck_operations",
                "Operations at identity providers that were tried in vain for a day",
            ),
            registry,
        }
    }

    /// The figures of an identity provider; asked for once, when the server starts.
    pub fn provider(&self, name: &str) -> ProviderFigures {
        self.providers.of(name)
    }

    /// Tells how many operations are stuck.
    pub fn set_stuck_operations(&self, operations: u64) {
        self.stuck_operations.set(operations.cast_signed());
    }

    /// The handle for one route; asked for once, when the routing table is built.
    pub fn route(&self, pattern: &'static str, class: RouteClass) -> RouteMetrics {
        self.routes.of(pattern, class)
    }

    /// A key was traded for a token minted for it.
    pub fn exchange_minted(&self) {
        self.minted.inc();
    }

    /// A key was traded for a token minted a moment ago.
    pub fn exchange_reused(&self) {
        self.reused.inc();
    }

    /// A key was traded for a token of its provider, fetched for it.
    pub fn exchange_passed(&self) {
        self.passed.inc();
    }

    /// An exchange was refused.
    pub fn refused(&self, refusal: Refusal) {
        self.refusals[refusal as usize].inc();
    }

    /// A client got a token for itself.
    pub fn client_credentials_granted(&self) {
        self.oauth.client_credentials.inc();
    }

    /// A token, or a key, was exchanged for a token at the token endpoint.
    pub fn token_exchange_granted(&self) {
        self.oauth.token_exchange.inc();
    }

    /// An OAuth endpoint answered this error.
    pub fn oauth_refused(&self, error: &'static str) {
        self.oauth.refused(error);
    }

    /// A key was found in memory.
    pub fn cache_hit(&self) {
        self.cache_hits.inc();
    }

    /// A key had to be read from the database.
    pub fn cache_miss(&self) {
        self.cache_misses.inc();
    }

    /// Tells how many keys are held in memory; told anew every second.
    pub fn set_cached_keys(&self, keys: u64) {
        self.cached_keys.set(keys.cast_signed());
    }

    /// A key was created.
    pub fn key_created(&self) {
        self.keys_created.inc();
    }

    /// A key was rotated.
    pub fn key_rotated(&self) {
        self.keys_rotated.inc();
    }

    /// So many keys were revoked.
    pub fn keys_revoked(&self, keys: u64) {
        self.keys_revoked.inc_by(keys);
    }

    /// Takes over what the store has counted since its start: it is on the same floor and knows nothing of metrics.
    pub fn set_store_totals(&self, reads: u64, writes: u64, commits: u64) {
        self.store_reads.inner().store(reads, Ordering::Relaxed);
        self.store_writes.inner().store(writes, Ordering::Relaxed);
        self.store_commits.inner().store(commits, Ordering::Relaxed);
    }

    /// Use was written to the database.
    pub fn usage_flushed(&self) {
        self.usage_flushes.inc();
    }

    /// Use could not be written to the database.
    pub fn usage_flush_failed(&self) {
        self.usage_flush_failures.inc();
    }

    /// The counter for the request log.
    pub fn dropped_lines(&self) -> Counter {
        self.dropped_lines.clone()
    }

    /// Tells since when the oldest active signing key signs.
    pub fn set_signing_key_activated(&self, at: Timestamp) {
        self.signing_key_activated.set(at.as_second());
    }

    /// Everything as text, for `GET /metrics`.
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        // It fails where the text does, and a String takes all.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

fn labelled(registry: &mut Registry, name: &str, help: &str) -> Family<Label, Counter> {
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

fn one(family: &Family<Label, Counter>, label: &'static str, value: &'static str) -> Counter {
    family.get_or_create_owned(&[(label, value)])
}

#[cfg(test)]
mod tests;
