//! How much a provider is asked: so many calls at once, so many in a second, and none while it has said that it wants none.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, QuantaClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// The longest that anybody waits for his turn: whoever stands behind him has four seconds in all.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest pause that a provider can impose on us by one answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The budget of one API.
pub(super) struct Budget {
    at_once: Semaphore,
    rate: Option<DefaultDirectRateLimiter>,
    clock: QuantaClock,
    paused_until: Mutex<Option<Instant>>,
}

/// There is nothing left of it for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UsedUp(pub(super) Duration);

impl Budget {
    /// So many at once, and, if said, so many in a second.
    pub(super) fn new(at_once: u32, per_second: Option<NonZeroU32>) -> Self {
        let clock = QuantaClock::default();
        Self {
            at_once: Semaphore::new(at_once as usize),
            rate: per_second.map(|rate| RateLimiter::direct(Quota::per_second(rate))),
            clock,
            paused_until: Mutex::new(None),
        }
    }

    /// Waits for a turn, which lasts as long as what is returned is held.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, UsedUp> {
        if let Some(left) = self.pause_left() {
            if left > PATIENCE {
                return Err(UsedUp(left));
            }
            tokio::time::sleep(left).await;
        }
        let permit = tokio::time::timeout(PATIENCE, self.at_once.acquire()).await;
        // It is never closed.
        let Ok(Ok(permit)) = permit else {
            return Err(UsedUp(PATIENCE));
        };
        if let Some(rate) = &self.rate {
            while let Err(not_until) = rate.check() {
                let wait = not_until.wait_time_from(self.clock.now());
                if wait > PATIENCE {
                    return Err(UsedUp(wait));
                }
                tokio::time::sleep(wait).await;
            }
        }
        Ok(permit)
    }

    /// Nobody asks for so long.
    pub(super) fn pause(&self, pause: Duration) {
        let until = now() + pause.min(LONGEST_PAUSE);
        let mut paused_until = self.lock();
        *paused_until = Some(paused_until.map_or(until, |before| before.max(until)));
    }

    fn pause_left(&self) -> Option<Duration> {
        let mut paused_until = self.lock();
        let left = paused_until.map(|until| until.saturating_duration_since(now()))?;
        if left.is_zero() {
            *paused_until = None;
            return None;
        }
        Some(left)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.paused_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a provider says how long to wait, not until when"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_pause_is_told_and_a_short_one_is_waited_for() {
        let budget = Budget::new(1, None);
        budget.pause(Duration::from_secs(30));
        let UsedUp(left) = budget.turn().await.map(drop).unwrap_err();
        assert!(left > Duration::from_secs(28), "{left:?}");
        let budget = Budget::new(1, None);
        budget.pause(Duration::from_millis(50));
        let began = now();
        drop(budget.turn().await.unwrap());
        assert!(began.elapsed() >= Duration::from_millis(50));
    }

    #[tokio::test]
    async fn of_more_than_are_let_in_at_once_the_rest_wait() {
        let budget = Budget::new(2, None);
        let (first, _second) = (budget.turn().await.unwrap(), budget.turn().await.unwrap());
        let third = async {
            let before = budget.at_once.available_permits();
            drop(budget.turn().await.unwrap());
            before
        };
        let leaving = async {
            tokio::task::yield_now().await;
            drop(first);
        };
        assert_eq!(tokio::join!(third, leaving).0, 0);
    }

    #[tokio::test]
    async fn a_rate_that_is_used_up_says_how_long() {
        let budget = Budget::new(8, NonZeroU32::new(1));
        drop(budget.turn().await.unwrap());
        // The second one waits a second, which is less than the patience.
        let began = now();
        drop(budget.turn().await.unwrap());
        assert!(began.elapsed() >= Duration::from_millis(900));
    }
}
