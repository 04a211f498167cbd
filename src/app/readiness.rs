//! What this node needs in order to serve, as last seen: asked of it all the time, told from memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::broker::Broker;
use crate::config;
use crate::http::health::{Check, CheckState, Readiness};
use crate::idp::{IdentityProvider, RightsAge};
use crate::store::{self, idp_operations};

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
    /// What is told of providers that give no answer.
    silent: Mutex<Vec<String>>,
    /// Work at providers that was tried in vain, and as much of it as needs a person.
    pending: AtomicU64,
    stuck: AtomicU64,
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
            silent: Mutex::default(),
            pending: AtomicU64::new(0),
            stuck: AtomicU64::new(0),
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
            // At once: one that hangs must not keep the state of the others from being told.
            let asked = self.broker.providers().iter().map(|provider| async move {
                let health = tokio::time::timeout(PROVIDERS, provider.health()).await;
                (!matches!(health, Ok(Ok(())))).then(|| silence_of(&**provider))
            });
            let told = futures_util::future::join_all(asked).await;
            *self.silent.lock().unwrap_or_else(PoisonError::into_inner) =
                told.into_iter().flatten().collect();
            let counts = self.broker.store().read(|connection| {
                let pending = idp_operations::tried_in_vain(connection)?;
                Ok::<_, store::Error>((pending, idp_operations::stuck(connection)?))
            });
            if let Ok((pending, stuck)) = counts.await {
                let (pending, stuck) = (pending.unsigned_abs(), stuck.unsigned_abs());
                self.pending.store(pending, Ordering::Relaxed);
                self.stuck.store(stuck, Ordering::Relaxed);
                self.broker.metrics().set_stuck_operations(stuck);
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
        let stuck = match self.stuck.load(Ordering::Relaxed) {
            0 => String::new(),
            stuck => format!(", {stuck} of it for a day (kagiya idp pending)"),
        };
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
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
                silent.is_empty(),
                CheckState::Degraded,
                Some(silent.join("; ")),
            ),
            check(
                "open_operations",
                pending == 0,
                CheckState::Degraded,
                Some(format!("{pending} tried in vain so far{stuck}")),
            ),
        ]
    }
}

/// What is told of a provider that gives no answer: what becomes of its keys.
fn silence_of(provider: &dyn IdentityProvider) -> String {
    let name = provider.name();
    match provider.policy().outlast {
        _ if provider.rights_age() == RightsAge::UntilChanged => {
            format!("{name} gives no answer")
        }
        None => format!("{name} gives no answer: its keys are answered 503 (fail_closed)"),
        Some(outlast) => format!(
            "{name} gives no answer: its keys go on for {} s by what it said last (serve_last_known)",
            outlast.as_secs()
        ),
    }
}
