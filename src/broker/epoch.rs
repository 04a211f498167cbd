//! Whether another process changed what is remembered here.
//!
//! On PostgreSQL a command on another machine, or another node, may do so; it counts the epoch of the deployment up. Where the epoch
//! went up by more than what this process did, everything is forgotten. A keeper looks every second; who must not miss even that
//! second looks himself ([`Broker::catch_up`]).

use std::sync::{Mutex, PoisonError};

use super::Broker;
use crate::store::{self, Backend, deployment};

/// The epoch less what this process added to it, as of the last time that everything older was forgotten.
#[derive(Default)]
pub(super) struct Epoch(Mutex<Option<i64>>);

impl Epoch {
    /// Whether another process changed something since.
    fn is_behind(&self, others: i64) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.is_none_or(|before| others > before)
    }

    /// Everything older was forgotten.
    fn caught_up(&self, others: i64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Some(seen.map_or(others, |before| before.max(others)));
    }
}

impl Broker {
    /// From here on nothing that is remembered is older than this call.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn catch_up(&self) -> Result<(), store::Error> {
        if self.store.backend() == Backend::Sqlite {
            // One process has the file.
            return Ok(());
        }
        // Before the epoch: a change of our own between the two counts as another's, so that too much is forgotten, never too little.
        let own = self.store.own_epochs();
        let epoch = self.store.read(deployment::epoch).await?;
        let others = epoch.saturating_sub(i64::try_from(own).unwrap_or(i64::MAX));
        if self.epoch.is_behind(others) {
            self.forget_everything();
            // The signing keys are replaced, not forgotten: until that is done, whoever comes finds this behind too.
            self.reload_signing_keys()
                .await
                .map_err(store::Error::unavailable)?;
            self.epoch.caught_up(others);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_behind_until_everything_older_was_forgotten() {
        let epoch = Epoch::default();
        assert!(epoch.is_behind(10), "nothing is known of before");
        epoch.caught_up(10);
        assert!(!epoch.is_behind(10));
        assert!(epoch.is_behind(11));
        assert!(epoch.is_behind(11));
        epoch.caught_up(11);
        // A late reading says nothing new.
        epoch.caught_up(10);
        assert!(!epoch.is_behind(11));
    }
}
