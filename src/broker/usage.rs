//! When keys are used and how often: counted in the records themselves, written in batches, never on a request's way.
//!
//! A record that is used for the first time since it was written joins the list of those to write. How many are written at a time
//! goes with the length of the list, so that the writing never takes more than a small part of a core and the list stays bounded.
//! With the first use of a key goes the kept answer that shows it ([`super::idempotency`]): it has arrived.

use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::Broker;
use super::record::Record;
use crate::domain::id::CredentialId;
use crate::store::idempotency;
use crate::store::key_usage::{self, Usage as Row};

/// Rows in one transaction: few enough that a waiting change is not held up for long.
const BATCH: usize = 500;
/// Rows that are always written in a second, if there are so many.
const STEADY: usize = 2_000;
/// A list of more than this is written at a tenth of it a second.
const LONG: usize = 500_000;

/// The records to write.
#[derive(Default)]
pub(super) struct Usage {
    unwritten: Mutex<VecDeque<Arc<Record>>>,
    /// How many of them, from the front, have waited long enough.
    allowed: AtomicUsize,
}

impl Usage {
    /// Counts one exchange.
    pub(super) fn note(&self, record: &Arc<Record>, second: u32) {
        record.last_used.store(second, Relaxed);
        record.exchanges.fetch_add(1, Relaxed);
        if !record.unwritten.swap(true, Relaxed) {
            self.unwritten
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_back(Arc::clone(record));
        }
    }

    /// Lets those that wait now be written in the coming seconds.
    pub(super) fn allow(&self) {
        let waiting = self
            .unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len();
        self.allowed.store(waiting, Relaxed);
    }

    /// How many batches are to be written in the coming second.
    fn due(&self) -> usize {
        let waiting = self.allowed.load(Relaxed);
        let rate = STEADY
            .max(waiting / 300)
            .max(if waiting > LONG { waiting / 10 } else { 0 });
        let rows = waiting.min(rate);
        self.allowed.store(waiting - rows, Relaxed);
        rows.div_ceil(BATCH)
    }

    fn take_batch(&self) -> Vec<Arc<Record>> {
        let mut unwritten = self
            .unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let batch = unwritten.len().min(BATCH);
        let taken = unwritten.drain(..batch).collect();
        if unwritten.is_empty() && unwritten.capacity() > 16 * BATCH {
            unwritten.shrink_to_fit();
        }
        taken
    }

    fn put_back(&self, records: Vec<Arc<Record>>) {
        self.unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(records);
    }
}

impl Broker {
    /// Writes what a second may write.
    pub(super) async fn write_some_usage(&self) {
        for _ in 0..self.usage.due() {
            if !self.write_usage_batch().await {
                return;
            }
        }
    }

    /// Writes all of it, as far as the database takes it. For the end.
    pub async fn flush_usage(&self) {
        while self.write_usage_batch().await {}
    }

    /// Whether there was something to write and it was written.
    async fn write_usage_batch(&self) -> bool {
        let batch = self.usage.take_batch();
        if batch.is_empty() {
            return false;
        }
        // The mark goes first: an exchange that comes between joins the list again, and none is lost.
        let row = |record: &Arc<Record>| {
            record.unwritten.store(false, Relaxed);
            let last =
                Timestamp::from_second(record.last_used.load(Relaxed).into()).unwrap_or_default();
            let exchanges = record.exchanges.swap(0, Relaxed).into();
            Row {
                key_id: record.key_id(),
                last_used_at: last,
                exchanges,
                refusals: 0,
            }
        };
        let rows: Vec<Row> = batch.iter().map(row).collect();
        let counts: Vec<i64> = rows.iter().map(|row| row.exchanges).collect();
        // Whoever uses a key has the answer that showed it.
        let received: Vec<CredentialId> =
            batch.iter().map(|record| record.credential_id()).collect();
        let written = self.store.write(move |tx| {
            key_usage::add(tx, &rows)?;
            idempotency::erase(tx, &received)
        });
        let written = written.await;
        match written {
            Ok(()) => {
                self.metrics.usage_flushed();
                true
            }
            Err(error) => {
                self.metrics.usage_flush_failed();
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "use of keys could not be written; it is kept for later"
                );
                self.take_back(batch, &counts);
                false
            }
        }
    }

    /// Gives the records their counts back after a failure.
    fn take_back(&self, batch: Vec<Arc<Record>>, counts: &[i64]) {
        let mut again = Vec::with_capacity(batch.len());
        for (record, count) in batch.into_iter().zip(counts) {
            record
                .exchanges
                .fetch_add(u32::try_from(*count).unwrap_or(u32::MAX), Relaxed);
            if !record.unwritten.swap(true, Relaxed) {
                again.push(record);
            }
        }
        self.usage.put_back(again);
    }
}
