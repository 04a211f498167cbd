//! A provider's HTTP API as its adapter calls it: one budget, one patience, one way to tell an outage from a refusal.
//!
//! What may be repeated is tried three times, with pauses that no two callers share; a provider that failed several times in a row is
//! left alone for a moment, so that nobody waits for what will not come. An adapter sees answers alone, and judges them by what they say.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use serde_json::Value;
use tokio::time::Instant;

use super::Error;
use super::budget::{Budget, UsedUp};
use super::outbound::{Call, Outbound, Reply};
use crate::telemetry::metrics::ProviderFigures;

/// Failures in a row after which a provider is left alone.
const FAILURES: u32 = 5;
/// For how long, at first and at most.
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(8);
/// What is waited after a refusal for its rate that does not say how long.
const PAUSE: Duration = Duration::from_secs(2);

/// Whether a call may be made again when nobody knows whether it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Doing it twice is doing it once.
    Safe,
    /// Whoever wants it done again looks first.
    Never,
}

/// What calls to a provider are for, in the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A machine user signs in.
    SignIn,
    /// Anything else.
    Management,
}

/// One API of a provider.
pub(super) struct Api {
    outbound: Outbound,
    budget: Budget,
    figures: ProviderFigures,
    failures: AtomicU32,
    rests_until: Mutex<Option<Instant>>,
}

/// Why an attempt came to nothing.
#[derive(Debug)]
enum Attempt {
    /// Not sent, or no use in sending it again.
    Final(Error),
    /// Perhaps done.
    Open(Error),
}

impl Api {
    pub(super) fn new(outbound: Outbound, budget: Budget, figures: ProviderFigures) -> Self {
        Self {
            outbound,
            budget,
            figures,
            failures: AtomicU32::new(0),
            rests_until: Mutex::new(None),
        }
    }

    /// The answer to a call: any but those that say that the provider has trouble, or that we ask too much.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Busy`].
    pub(super) async fn call(
        &self,
        call: &Call<'_>,
        purpose: Purpose,
        repeat: Repeat,
    ) -> Result<Reply, Error> {
        let policy = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_times(2)
            .with_jitter();
        let attempt = || self.attempt(call, purpose);
        let outcome = match repeat {
            Repeat::Never => attempt().await,
            Repeat::Safe => {
                attempt
                    .retry(policy)
                    .when(|attempt| matches!(attempt, Attempt::Open(_)))
                    .await
            }
        };
        outcome.map_err(|(Attempt::Final(error) | Attempt::Open(error))| error)
    }

    async fn attempt(&self, call: &Call<'_>, purpose: Purpose) -> Result<Reply, Attempt> {
        if let Some(left) = self.rest_left() {
            return Err(Attempt::Final(Error::unavailable(LeftAlone(left))));
        }
        let turn = self.budget.turn().await;
        let _turn = turn.map_err(|UsedUp(retry_after)| {
            self.figures.limited();
            Attempt::Final(Error::Busy { retry_after })
        })?;
        self.figures.called(purpose == Purpose::SignIn);
        let sent = self.outbound.call(call).await;
        let reply = match sent {
            Ok(reply) => reply,
            Err(error) => {
                self.failed();
                return Err(Attempt::Open(Error::unavailable(error)));
            }
        };
        if let Some(remaining) = reply.number("x-ratelimit-remaining") {
            self.figures.remaining(remaining);
        }
        if reply.status == 429 {
            let retry_after = pause_of(&reply);
            self.budget.pause(retry_after);
            self.figures.limited();
            return Err(Attempt::Final(Error::Busy { retry_after }));
        }
        if reply.status >= 500 {
            self.failed();
            let error = Error::unavailable(Trouble(reply.status));
            return Err(match reply.retry_after() {
                Some(pause) => {
                    self.budget.pause(pause);
                    Attempt::Final(error)
                }
                None => Attempt::Open(error),
            });
        }
        self.failures.store(0, Ordering::Relaxed);
        Ok(reply)
    }

    fn failed(&self) {
        self.figures.failed();
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures >= FAILURES {
            let rest = REST.saturating_mul(1 << (failures - FAILURES).min(8));
            *self.rests() = Some(now() + rest.min(LONGEST_REST));
        }
    }

    /// How long the provider is still left alone. Whoever comes first after that tries it, and the others wait for what he finds.
    fn rest_left(&self) -> Option<Duration> {
        let mut rests_until = self.rests();
        let left = (*rests_until)?.saturating_duration_since(now());
        if left.is_zero() {
            *rests_until =
                (self.failures.load(Ordering::Relaxed) >= FAILURES).then(|| now() + REST);
            return None;
        }
        Some(left)
    }

    fn rests(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.rests_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// It failed several times in a row.
#[derive(Debug, thiserror::Error)]
#[error("it failed several times in a row and is left alone for {0:?} more")]
struct LeftAlone(Duration);

/// It says that it has trouble.
#[derive(Debug, thiserror::Error)]
#[error("the answer has the status {0}")]
struct Trouble(u16);

/// How long an answer with the status 429 asks us to wait.
fn pause_of(reply: &Reply) -> Duration {
    reply.retry_after().unwrap_or(PAUSE)
}

/// What an answer says went wrong: OAuth's `error`, or a `code` of the provider's own, and what it says to people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Complaint {
    /// The word.
    pub(super) code: String,
    /// The text.
    pub(super) text: String,
}

impl Complaint {
    /// Of an answer, as far as it says one; each of the shapes that the providers here have.
    pub(super) fn of(reply: &Reply) -> Self {
        let Some(body) = reply.json() else {
            return Self::default();
        };
        let first = |names: &[&str]| {
            let found = names.iter().find_map(|name| body.get(name)?.as_str());
            found
                .unwrap_or_default()
                .chars()
                .take(200)
                .collect::<String>()
        };
        Self {
            code: first(&["errorCode", "error", "code"]),
            text: first(&["error_description", "errorMessage", "message"]),
        }
    }

    /// As a reason to refuse, with the status. Providers do not repeat secrets in it.
    pub(super) fn reason(&self, what: &str, status: u16) -> String {
        format!("{what}: {status} {} {}", self.code, self.text)
            .trim_end()
            .to_owned()
    }
}

impl Reply {
    /// The body, if it is JSON.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// A header that is a number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.headers.get(name)?.to_str().ok()?.trim().parse().ok()
    }

    /// How long it asks us to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.number("retry-after").map(Duration::from_secs)
    }

    /// Whether it says that all went well.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a provider is left alone must not depend on the clock being right"
)]
fn now() -> Instant {
    Instant::now()
}
