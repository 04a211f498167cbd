//! Tokens minted a moment ago, for whoever asks for the same again (`token.reuse_seconds`; off by default).
//!
//! A kept token belongs to the very record that it was minted from. Whatever changes about a key makes the memory read a new record,
//! and with it no kept token is found: none outlives a change that could alter the answer. None is given out in the second half of
//! its life.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use quick_cache::sync::Cache;

use super::record::Record;
use crate::domain::id::CredentialId;
use crate::domain::resource::ResourceIdentifier;

/// What is asked for: resource and scope as they were written.
type Asked<'a> = (Option<&'a str>, Option<&'a str>);

/// A kept token.
#[derive(Clone)]
pub(super) struct Token {
    /// The token.
    pub(super) token: Arc<str>,
    /// Where it is good.
    pub(super) resource: ResourceIdentifier,
    /// What it permits.
    pub(super) scope: Arc<str>,
    /// Until when, in seconds since 1970.
    pub(super) exp: i64,
    /// Since when, in seconds since 1970.
    pub(super) minted_at: i64,
}

struct Kept {
    record: Arc<Record>,
    resource: Option<Box<str>>,
    asked_scope: Option<Box<str>>,
    token: Token,
}

/// The kept tokens.
pub(super) struct Reuse {
    seconds: i64,
    hasher: RandomState,
    /// By generation and a hash of what was asked for. None if nothing is ever kept.
    kept: Option<Cache<(CredentialId, u64), Arc<Kept>>>,
}

impl Reuse {
    /// Keeps tokens for `seconds`, at most `most` of them.
    pub(super) fn new(seconds: u32, most: usize) -> Self {
        Self {
            seconds: seconds.into(),
            hasher: RandomState::new(),
            kept: (seconds > 0).then(|| Cache::new(most)),
        }
    }

    /// A token that was minted from this record for the same request, not too long ago.
    pub(super) fn find(&self, record: &Arc<Record>, asked: Asked<'_>, now: i64) -> Option<Token> {
        let kept = self.kept.as_ref()?.get(&self.place(record, asked))?;
        let same = Arc::ptr_eq(&kept.record, record)
            && kept.resource.as_deref() == asked.0
            && kept.asked_scope.as_deref() == asked.1;
        let half = (kept.token.exp - kept.token.minted_at) / 2;
        let fresh = now - kept.token.minted_at < self.seconds.min(half);
        (same && fresh).then(|| kept.token.clone())
    }

    /// Keeps a token, if any are kept.
    pub(super) fn keep(&self, record: &Arc<Record>, asked: Asked<'_>, token: impl Fn() -> Token) {
        let Some(cache) = &self.kept else { return };
        let token = token();
        // A list of scopes can be written in any length; only one that says nothing twice is worth the memory.
        if asked.1.is_some_and(|scope| scope.len() > token.scope.len()) {
            return;
        }
        let kept = Kept {
            record: Arc::clone(record),
            resource: asked.0.map(Into::into),
            asked_scope: asked.1.map(Into::into),
            token,
        };
        cache.insert(self.place(record, asked), Arc::new(kept));
    }

    /// Forgets all.
    pub(super) fn forget_all(&self) {
        if let Some(kept) = &self.kept {
            kept.clear();
        }
    }

    fn place(&self, record: &Record, asked: Asked<'_>) -> (CredentialId, u64) {
        (record.credential_id(), self.hasher.hash_one(asked))
    }
}
