//! What is removed when its time is over. Never a key that lives, nor what it needs.
//!
//! A little at a time, each bit in a transaction of its own, so that nobody waits for long behind it. Whatever else is to be kept for a
//! while only is a line in [`STEPS`].

use jiff::{SignedDuration, Timestamp};

use super::{Broker, idempotency, keys};
use crate::store::{
    self, Change, Transaction, assertions, credentials, exchanged_tokens, idempotency as requests,
    idp_operations, key_usage, revoked_tokens, sessions, sign_in_links,
};

/// Rows that go in one transaction.
const BATCH: usize = 500;

/// For how long what has served its purpose is kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Rows of the audit trail; none: for ever.
    pub audit: Option<SignedDuration>,
    /// Generations of keys that were rotated away or revoked.
    pub generations: SignedDuration,
    /// Operations at identity providers that are done.
    pub operations: SignedDuration,
    /// Requests with an Idempotency-Key; at least as long as their answers.
    pub requests: SignedDuration,
    /// The counts of a day.
    pub usage: SignedDuration,
}

/// Removes at most a batch of what is older than it may be; how many rows that were.
type Step = fn(&mut Transaction<'_>, &Retention, Timestamp) -> Result<usize, store::Error>;

/// THE list of what goes when its time is over, with its name in the log. Rows of the audit trail go by `audit_retention`.
const STEPS: [(&str, Step); 11] = [
    ("kept answers", |tx, _, now| {
        requests::erase_before(tx, before(now, idempotency::KEPT), BATCH)
    }),
    ("remembered requests", |tx, _, now| {
        requests::clean(tx, now, BATCH)
    }),
    ("used assertions", |tx, _, now| assertions::clean(tx, now)),
    ("revoked tokens", |tx, _, now| {
        revoked_tokens::clean(tx, now)
    }),
    ("exchanged tokens", |tx, _, now| {
        exchanged_tokens::clean(tx, now)
    }),
    ("ended sessions", |tx, _, now| {
        sessions::clean(tx, now, BATCH)
    }),
    ("attempts to sign in", |tx, _, now| {
        sessions::clean_attempts(tx, now, BATCH)
    }),
    ("old links", |tx, _, now| {
        sign_in_links::clean(tx, now, BATCH)
    }),
    ("finished operations", |tx, kept, now| {
        idp_operations::remove_done_before(tx, before(now, kept.operations), BATCH)
    }),
    ("dead generations", |tx, kept, now| {
        let gone = credentials::remove_ended_before(tx, before(now, kept.generations), BATCH)?;
        for generation in &gone {
            // What is told of it must not depend on who remembers it.
            tx.changed(Change::Key {
                key: generation.key_id,
                user_names: keys::names(std::slice::from_ref(generation)),
            });
        }
        Ok(gone.len())
    }),
    ("counts of days", |tx, kept, now| {
        let day = key_usage::day_of(before(now, kept.usage));
        key_usage::forget_before(tx, day, BATCH)
    }),
];

impl Broker {
    /// Removes what has served its purpose.
    pub(super) async fn forget_what_is_old(&self) {
        for (what, step) in STEPS {
            match self.repeat(step).await {
                Ok(0) => {}
                Ok(rows) => tracing::debug!(what, rows, "their time is over: removed"),
                Err(error) => tracing::warn!(
                    what,
                    error = &error as &dyn std::error::Error,
                    "what is old could not be removed"
                ),
            }
        }
        if let Err(error) = self.remove_old_events().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "old rows of the audit trail could not be removed"
            );
        }
    }

    async fn repeat(&self, step: Step) -> Result<usize, store::Error> {
        let (kept, now) = (self.settings.retention, self.now());
        let mut removed = 0;
        loop {
            let rows = self.store.write(move |tx| step(tx, &kept, now)).await?;
            removed += rows;
            if rows < BATCH {
                return Ok(removed);
            }
        }
    }
}

/// `duration` before `moment`, the beginning of time if that lies before it.
pub(super) fn before(moment: Timestamp, duration: SignedDuration) -> Timestamp {
    moment.checked_sub(duration).unwrap_or(Timestamp::MIN)
}
