//! Fetches in the background: the list of what was revoked every few seconds, the keys when they are old or one is missing.
//!
//! It is the only one who fetches, so that any number of requests that miss the same key make one call.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::fetch::{FetchError, List, Source};
use crate::keys::Keys;
use crate::revoked::{Listed, Revoked};
use crate::verifier::{BETWEEN_KEYS, Inner, check, clock, read_header};

/// How soon what failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// How soon for somebody who needs it now.
const BETWEEN_FAILURES: Duration = Duration::from_millis(100);

pub(crate) struct Refresher {
    source: Source,
    inner: Weak<Inner>,
    list_every: Duration,
    etag: Option<String>,
    keys_at: Instant,
    list_at: Instant,
    /// Not before: somebody may invent names of keys.
    keys_not_before: Instant,
}

impl Refresher {
    pub(crate) fn new(source: Source, inner: Weak<Inner>, list_every: Duration) -> Self {
        let now = clock();
        Self {
            source,
            inner,
            list_every,
            etag: None,
            keys_at: now,
            list_at: now,
            keys_not_before: now,
        }
    }

    pub(crate) async fn run(mut self) {
        // Whoever drops the verifier ends this too.
        while let Some(inner) = self.inner.upgrade() {
            if self.keys_at <= clock() {
                self.fetch_keys(&inner).await;
            }
            let has_keys = inner.keys.load().is_some();
            // A list needs the key that signed it.
            if has_keys && self.list_at <= clock() {
                self.fetch_list(&inner).await;
            }
            inner.begun.send_replace(true);
            let wanted = Arc::clone(&inner.wanted);
            drop(inner);
            let due = match has_keys {
                true => self.keys_at.min(self.list_at),
                false => self.keys_at,
            };
            let rest = due.saturating_duration_since(clock());
            if tokio::time::timeout(rest, wanted.notified()).await.is_ok() {
                self.woken();
            }
        }
    }

    /// Somebody misses a key.
    fn woken(&mut self) {
        let now = clock();
        if now >= self.keys_not_before {
            self.keys_at = now;
        } else if let Some(inner) = self.inner.upgrade() {
            // It was looked for a moment ago.
            inner.attempts.send_modify(|attempts| *attempts += 1);
        }
    }

    async fn fetch_keys(&mut self, inner: &Inner) {
        let fetched = self.source.keys().await;
        let now = clock();
        match fetched {
            Ok((set, max_age)) => {
                let keys = Keys::read(&set, &inner.issuer, &inner.audience, now + max_age);
                self.keys_at = keys.good_until;
                self.keys_not_before = now + BETWEEN_KEYS;
                inner.keys.store(Some(Arc::new(keys)));
            }
            Err(error) => {
                // The keys that are held still tell good tokens from bad ones.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the issuer's keys cannot be fetched"
                );
                self.keys_at = now + AGAIN;
                self.keys_not_before = now + BETWEEN_FAILURES;
            }
        }
        inner.attempts.send_modify(|attempts| *attempts += 1);
    }

    async fn fetch_list(&mut self, inner: &Inner) {
        let now = clock();
        match self.list(inner, now).await {
            Ok(()) => self.list_at = now + self.list_every,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the list of revocations cannot be read"
                );
                self.list_at = now + AGAIN.min(self.list_every);
            }
        }
    }

    async fn list(&mut self, inner: &Inner, now: Instant) -> Result<(), FetchError> {
        let held = inner.revoked.load_full();
        let etag = self.etag.as_deref().filter(|_| held.is_some());
        match (self.source.list(etag).await?, held) {
            (List::Same, Some(held)) if now < held.good_until => {
                inner.revoked.store(Some(Arc::new(held.confirmed(now))));
            }
            // No issuer says so of a list that is over: somebody in between does.
            (List::Same, _) => {
                self.etag = None;
                return Err(FetchError::NoList);
            }
            (List::New { jwt, etag }, _) => {
                let header =
                    read_header(&jwt, "revocations+jwt").map_err(|_| FetchError::NoList)?;
                let keys = inner.keys.load_full();
                let kid = header.kid.as_deref().unwrap_or_default();
                let Some(key) = keys.as_ref().and_then(|keys| keys.find(kid)) else {
                    // Signed with a key that is newer than those held.
                    self.keys_at = self.keys_not_before;
                    return Err(FetchError::NoList);
                };
                let listed: Listed =
                    check(&jwt, &header, key, &key.list_rules).map_err(|_| FetchError::NoList)?;
                inner
                    .revoked
                    .store(Some(Arc::new(Revoked::new(listed, now))));
                self.etag = etag;
            }
        }
        Ok(())
    }
}
