//! What this node needs in order to serve, as last seen: asked of it all the time, told from memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::broker::Broker;
use crate::config;
use crate::http::health::{Check, CheckState, Readiness};
use crate::store::idp_operations;

/// How often the providers are asked, and how long they may take.
const PROVIDERS: Duration = Duration::from_secs(2);
/// How often the database is asked within its lease.
const ASKED_PER_LEASE: u32 = 4;

/// The node's state.
pub struct NodeReadiness {
    broker: Arc<Broker>,
    lease: Duration,
    memory: Duration,
    started: Instant,
    /// When the database answered last, in milliseconds after `started`.
    answered: AtomicU64,
    providers: AtomicBool,
    /// Operations at providers that were tried in vain.
    pending: AtomicU64,
}

impl NodeReadiness {
    /// Of a node that has just started, and so had its database a moment ago. It is without it when there was no answer for the
    /// lease, and what it remembers counts for as long as `settings` say beyond that.
    #[expect(
        clippy::disallowed_methods,
        reason = "measures how long the database has not answered, which must not depend on the clock being right"
    )]
    pub(super) fn new(broker: Arc<Broker>, settings: &config::Readiness) -> Self {
        Self {
            broker,
            lease: Duration::from_secs(settings.lease_seconds.into()),
            memory: Duration::from_secs(settings.memory_seconds.into()),
            started: Instant::now(),
            answered: AtomicU64::new(0),
            providers: AtomicBool::new(true),
            pending: AtomicU64::new(0),
        }
    }

    /// Keeps asking.
    pub(super) fn watch(self: &Arc<Self>) -> JoinHandle<()> {
        let readiness = Arc::clone(self);
        tokio::spawn(async move {
            tokio::join!(readiness.watch_database(), readiness.watch_the_rest());
        })
    }

    async fn watch_database(&self) {
        loop {
            // One that hangs is given up after the lease: by then the answer would be of no use.
            let answer = tokio::time::timeout(self.lease, self.broker.store().ping()).await;
            match answer {
                Ok(Ok(())) => self.answered.store(self.elapsed(), Ordering::Relaxed),
                Ok(Err(error)) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the database did not answer"
                ),
                Err(_) => tracing::warn!("the database did not answer in time"),
            }
            self.broker.trust_memory(self.silence() <= self.memory);
            tokio::time::sleep(self.lease / ASKED_PER_LEASE).await;
        }
    }

    async fn watch_the_rest(&self) {
        loop {
            let mut providers = true;
            for provider in self.broker.providers().iter() {
                let health = tokio::time::timeout(PROVIDERS, provider.health()).await;
                providers &= matches!(health, Ok(Ok(())));
            }
            self.providers.store(providers, Ordering::Relaxed);
            if let Ok(pending) = self
                .broker
                .store()
                .read(idp_operations::tried_in_vain)
                .await
            {
                self.pending
                    .store(pending.unsigned_abs(), Ordering::Relaxed);
            }
            tokio::time::sleep(PROVIDERS).await;
        }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How long the database has not answered.
    fn silence(&self) -> Duration {
        let answered = self.answered.load(Ordering::Relaxed);
        Duration::from_millis(self.elapsed().saturating_sub(answered))
    }

    /// Whether a key can sign for every algorithm that has keys.
    fn signs(&self) -> bool {
        let ring = &self.broker.signing().ring;
        let default = self.broker.settings().default_algorithm;
        let active = |algorithm| ring.active(algorithm).is_some();
        active(default) && ring.keys().iter().all(|key| active(key.algorithm()))
    }
}

impl Readiness for NodeReadiness {
    fn checks(&self) -> Vec<Check> {
        let check = |check, good: bool, otherwise, detail: Option<String>| Check {
            check,
            state: if good { CheckState::Ok } else { otherwise },
            detail: detail.filter(|_| !good),
        };
        let (silence, pending) = (self.silence(), self.pending.load(Ordering::Relaxed));
        vec![
            check(
                "database",
                silence <= self.lease,
                CheckState::Failed,
                Some(format!("no answer for {} s", silence.as_secs())),
            ),
            check("signing_key", self.signs(), CheckState::Failed, None),
            check(
                "identity_providers",
                self.providers.load(Ordering::Relaxed),
                CheckState::Degraded,
                None,
            ),
            check(
                "open_operations",
                pending == 0,
                CheckState::Degraded,
                Some(format!("{pending} tried in vain so far")),
            ),
        ]
    }
}
