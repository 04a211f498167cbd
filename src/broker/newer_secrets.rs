//! The secrets are read again: when they changed, and when something names a generation that is not held here.
//!
//! Of the second kind there is one reading a second at most, whoever asks, and all who wait share it. What it gives was on record after
//! each of them came, so a generation that is not in it is nobody's. A reading that fails is an outage, never a wrong key.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use super::Broker;
use super::secrets::{PurposeSecrets, SecretsError};
use crate::store;

/// How often the secrets are read again at most because of an unknown generation.
const BETWEEN_READINGS: Duration = Duration::from_secs(1);

/// Who reads them again, and when that was done last.
#[derive(Default)]
pub(super) struct Readings {
    begun: AtomicU64,
    last: Mutex<Last>,
}

/// The last reading that came to an end.
#[derive(Default)]
struct Last {
    number: u64,
    began_at: Option<Instant>,
    was_good: bool,
}

impl Broker {
    /// The secrets as they are on record now, for whoever met a generation that is not held here. Waits for its turn, up to a second.
    ///
    /// # Errors
    /// [`store::Error::Unavailable`] if they cannot be read, or not be opened by this process' root secret.
    pub(super) async fn newer_secrets(&self) -> Result<Arc<PurposeSecrets>, store::Error> {
        let came = self.readings.begun.load(Ordering::SeqCst);
        let mut last = self.readings.last.lock().await;
        // Somebody before us in the queue may have begun a reading after we came: then it is ours too.
        if last.number <= came {
            if let Some(began_at) = last.began_at {
                sleep_until(began_at + BETWEEN_READINGS).await;
            }
            if let Err(error) = self.read_secrets(&mut last).await {
                return Err(unreadable(error));
            }
        }
        if last.was_good {
            Ok(self.secrets.load_full())
        } else {
            Err(store::Error::unavailable(
                "the secrets could not be read again a moment ago",
            ))
        }
    }

    /// Reads them again now, after a change.
    pub(super) async fn reload_secrets(&self) -> Result<(), SecretsError> {
        let mut last = self.readings.last.lock().await;
        self.read_secrets(&mut last).await
    }

    /// Waits until no reading is under way that began before.
    pub(super) async fn no_reading_under_way(&self) {
        drop(self.readings.last.lock().await);
    }

    async fn read_secrets(&self, last: &mut Last) -> Result<(), SecretsError> {
        let number = self.readings.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let began_at = now();
        let root = self.root.load_full();
        let read = PurposeSecrets::load(&self.store, &root).await;
        // One whose caller went away in the middle is none: these lines are not reached.
        (last.number, last.began_at, last.was_good) = (number, Some(began_at), read.is_ok());
        let read = Arc::new(read?);
        self.store.seal_trail_as(read.author(&self.run));
        self.secrets.store(read);
        Ok(())
    }
}

/// A root secret that does not fit any more is an outage of this process: what it holds in memory goes on.
fn unreadable(error: SecretsError) -> store::Error {
    match error {
        SecretsError::Store(error @ store::Error::Unavailable { .. }) => error,
        other => {
            tracing::error!(
                error = &other as &dyn std::error::Error,
                "the secrets on record cannot be used; going on with those in memory"
            );
            store::Error::unavailable(other)
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures how long ago the last reading began; no answer depends on it"
)]
fn now() -> Instant {
    Instant::now()
}
