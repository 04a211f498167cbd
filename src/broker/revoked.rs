//! Which tokens were revoked before they expired (RFC 7009), in memory.
//!
//! A revocation is for ever, so the memory only grows, and forgets what has expired: whatever order it hears things in, no token that
//! it knew as revoked is ever good again. What another node revoked is learnt with every other change of that node
//! ([`super::epoch`]).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use jiff::Timestamp;

use super::Broker;
use crate::store;
use crate::store::revoked_tokens::{self, RevokedToken};

/// The memory.
#[derive(Default)]
pub(super) struct RevokedTokens {
    /// Until when each lives, by its id.
    tokens: RwLock<HashMap<String, Timestamp>>,
    any: AtomicBool,
    /// Counts how often all was to be read again.
    wanted: AtomicU64,
    read: AtomicU64,
}

impl RevokedTokens {
    /// One more.
    pub(super) fn add(&self, jti: &str, expires_at: Timestamp) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(jti.to_owned(), expires_at);
        self.any.store(true, Ordering::SeqCst);
    }

    /// Others may have been revoked elsewhere: all are read before the next answer.
    pub(super) fn expire(&self) {
        self.wanted.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether one of these is among them; `None` if that cannot be told before they are read.
    fn any_of(&self, ids: &[&str]) -> Option<bool> {
        let read = self.read.load(Ordering::SeqCst);
        // 0: never read.
        if read != self.wanted.load(Ordering::SeqCst) + 1 {
            return None;
        }
        if !self.any.load(Ordering::SeqCst) {
            return Some(false);
        }
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        Some(ids.iter().any(|id| tokens.contains_key(*id)))
    }

    /// Takes what was read after `wanted` was.
    fn take(&self, wanted: u64, read: Vec<RevokedToken>, now: Timestamp) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, expires_at| *expires_at > now);
        tokens.extend(read.into_iter().map(|one| (one.jti, one.expires_at)));
        self.any.store(!tokens.is_empty(), Ordering::SeqCst);
        self.read.fetch_max(wanted + 1, Ordering::SeqCst);
    }

    /// Forgets those that have expired anyway.
    pub(super) fn clean(&self, now: Timestamp) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, expires_at| *expires_at > now);
        self.any.store(!tokens.is_empty(), Ordering::SeqCst);
    }
}

impl Broker {
    /// Whether one of these tokens was revoked.
    ///
    /// # Errors
    /// When it is not in memory and the database does not answer.
    pub(super) async fn any_revoked(&self, ids: &[&str]) -> Result<bool, store::Error> {
        let trusted = !self.distrusts_memory.load(Ordering::Relaxed);
        if trusted && let Some(answer) = self.revoked.any_of(ids) {
            return Ok(answer);
        }
        let wanted = self.revoked.wanted.load(Ordering::SeqCst);
        let now = self.now();
        let read = self
            .store
            .read(move |connection| revoked_tokens::live(connection, now))
            .await?;
        self.revoked.take(wanted, read, now);
        let tokens = self
            .revoked
            .tokens
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(ids.iter().any(|id| tokens.contains_key(*id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_was_revoked_here_stays_so_whatever_is_read_later() {
        let revoked = RevokedTokens::default();
        assert_eq!(revoked.any_of(&["a"]), None);
        let wanted = revoked.wanted.load(Ordering::SeqCst);
        revoked.add("a", at(100));
        // Read before the revocation was committed, taken after it.
        revoked.take(wanted, Vec::new(), at(0));
        assert_eq!(revoked.any_of(&["a"]), Some(true));
        assert_eq!(revoked.any_of(&["b", "c"]), Some(false));
        revoked.clean(at(100));
        assert_eq!(revoked.any_of(&["a"]), Some(false));
    }

    #[test]
    fn what_may_have_changed_elsewhere_is_read_first() {
        let revoked = RevokedTokens::default();
        revoked.take(0, Vec::new(), at(0));
        assert_eq!(revoked.any_of(&["a"]), Some(false));
        let before = revoked.wanted.load(Ordering::SeqCst);
        revoked.expire();
        assert_eq!(revoked.any_of(&["a"]), None);
        // What was read before that is no answer.
        revoked.take(before, Vec::new(), at(0));
        assert_eq!(revoked.any_of(&["a"]), None);
        let found = RevokedToken {
            jti: "a".to_owned(),
            expires_at: at(9),
        };
        revoked.take(before + 1, vec![found], at(0));
        assert_eq!(revoked.any_of(&["b", "a"]), Some(true));
    }
}
