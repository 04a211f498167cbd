//! The time, passed in: [`Clock`] is the only way that kagiya learns what time it is.
//!
//! A lint forbids every other source, so a test that holds the clock holds every expiry, grace and rotation.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Tells the time in UTC.
pub trait Clock: Send + Sync + 'static {
    /// The present moment, in whole microseconds: what is answered now reads the same when it comes back from a table.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the time"
    )]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}

/// A clock that stands still until it is told to go on; clones share the same time.
#[derive(Clone, Debug)]
pub struct MockClock(Arc<AtomicI64>);

impl MockClock {
    /// A clock that stands at `moment` (whole microseconds).
    pub fn at(moment: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(moment.as_microsecond())))
    }

    /// Moves on by `duration`, backwards if it is negative.
    pub fn advance(&self, duration: SignedDuration) {
        let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(microseconds, Ordering::SeqCst);
    }
}

impl Clock for MockClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_one_that_a_table_keeps() {
        assert_eq!(SystemClock.now().as_nanosecond() % 1000, 0);
    }
}
