//! What runs beside the requests: the outbox, the secrets and signing keys, the audit trail, the counting of use, and retention.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::Broker;
use crate::store::audit_chains::Heads;

/// How often it is looked whether another process changed something.
const EPOCH: Duration = Duration::from_secs(1);
/// How often it is looked whether an announced secret's time has come.
const SECRETS: Duration = Duration::from_secs(1);
/// How often the signing keys' ages are looked at.
const SIGNING_KEYS: Duration = Duration::from_secs(60);
/// How often the chains of the audit trail are looked at.
const TRAIL: SignedDuration = SignedDuration::from_secs(60);
/// How often it is looked for what has served its purpose.
const FORGETTING: SignedDuration = SignedDuration::from_secs(600);
/// How often it is asked whether the time for these two has come.
const BY_THE_CLOCK: Duration = Duration::from_secs(1);

/// The running tasks; they stop when this is dropped.
pub struct Maintenance(Vec<JoinHandle<()>>);

impl Maintenance {
    /// These and one more, which stops with them.
    pub fn beside(mut self, task: JoinHandle<()>) -> Self {
        self.0.push(task);
        self
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

impl Broker {
    /// Starts what runs beside the requests, on the runtime that this is called in.
    pub fn maintain(self: &Arc<Self>) -> Maintenance {
        Maintenance(vec![
            tokio::spawn(Arc::clone(self).keep_outbox()),
            tokio::spawn(Arc::clone(self).watch_owners()),
            tokio::spawn(Arc::clone(self).keep_secrets()),
            tokio::spawn(Arc::clone(self).keep_signing_keys()),
            tokio::spawn(Arc::clone(self).keep_trail()),
            tokio::spawn(Arc::clone(self).keep_usage()),
            tokio::spawn(Arc::clone(self).keep_forgetting()),
            tokio::spawn(Arc::clone(self).keep_epoch()),
        ])
    }

    async fn keep_secrets(self: Arc<Self>) {
        let mut ticks = every(SECRETS);
        loop {
            tokio::select! {
                _ = ticks.tick() => if let Err(error) = self.tend_secrets().await {
                    tracing::error!(error = &error as &dyn std::error::Error, "an announced secret could not be taken into use");
                },
                () = self.secrets_changed.notified() => if let Err(error) = self.reload_secrets().await {
                    tracing::error!(error = &error as &dyn std::error::Error, "the secrets could not be read again");
                },
            }
        }
    }

    async fn keep_signing_keys(self: Arc<Self>) {
        let mut ticks = every(SIGNING_KEYS);
        loop {
            let outcome = tokio::select! {
                _ = ticks.tick() => self.tend_signing_keys().await,
                () = self.signing_changed.notified() => self.reload_signing_keys().await,
            };
            if let Err(error) = outcome {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the signing keys could not be tended"
                );
            }
        }
    }

    async fn keep_trail(self: Arc<Self>) {
        let mut ticks = every(BY_THE_CLOCK);
        let mut logged = Heads::default();
        // Not at once: a command that runs a node for the moment of its call writes down what it does and no more.
        let mut last = self.now();
        loop {
            ticks.tick().await;
            if !self.is_due(&mut last, TRAIL) {
                continue;
            }
            if let Err(error) = self.tend_trail(&mut logged).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the chains of the audit trail could not be looked at"
                );
            }
        }
    }

    async fn keep_usage(self: Arc<Self>) {
        let mut ticks = every(Duration::from_secs(1));
        let mut since = Duration::ZERO;
        loop {
            ticks.tick().await;
            since += Duration::from_secs(1);
            if since >= self.settings.usage_flush {
                since = Duration::ZERO;
                self.usage.allow();
                self.write_tally().await;
                self.write_refusals().await;
            }
            self.write_some_usage().await;
            self.metrics.set_cached_keys(self.memory.len() as u64);
            self.revoked.clean(self.now());
        }
    }

    /// What another process changed is forgotten within a second.
    async fn keep_epoch(self: Arc<Self>) {
        if self.store.backend() == crate::store::Backend::Sqlite {
            return;
        }
        let mut ticks = every(EPOCH);
        loop {
            ticks.tick().await;
            if let Err(error) = self.catch_up().await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "whether others changed something could not be asked"
                );
            }
        }
    }

    async fn keep_forgetting(self: Arc<Self>) {
        let mut ticks = every(BY_THE_CLOCK);
        let mut last = Timestamp::MIN;
        loop {
            ticks.tick().await;
            if self.is_due(&mut last, FORGETTING) {
                self.forget_what_is_old().await;
            }
        }
    }

    /// Whether so much time has passed since `last`, which is then now. A clock that was set back counts too.
    fn is_due(&self, last: &mut Timestamp, period: SignedDuration) -> bool {
        let now = self.now();
        let is_due = now.duration_since(*last).abs() >= period;
        if is_due {
            *last = now;
        }
        is_due
    }
}

/// Ticks that do not pile up while the machine sleeps.
pub(super) fn every(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
