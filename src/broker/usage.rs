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
use super::tally::{self, Count, Place, Tally};
use crate::domain::id::CredentialId;
use crate::domain::resource::ResourceIdentifier;
use crate::store::key_usage::{self, DailyUse, LastUse};
use crate::store::{self, idempotency};

/// Rows in one transaction: few enough that a waiting change is not held up for long.
const BATCH: usize = 500;
/// Rows that are always written in a second, if there are so many.
const STEADY: usize = 2_000;
/// A list of more than this is written at a tenth of it a second.
const LONG: usize = 500_000;

/// Seconds of a day.
const DAY: u32 = 86_400;
const ONE_EXCHANGE: Count = Count {
    exchanges: 1,
    refusals: 0,
};
const ONE_REFUSAL: Count = Count {
    exchanges: 0,
    refusals: 1,
};

/// What an exchange granted.
pub(super) struct Granted<'a> {
    /// The resource's identifier.
    pub(super) resource: &'a ResourceIdentifier,
    /// The scope.
    pub(super) scope: &'a Arc<str>,
}

/// The records to write, and what is counted beside them.
#[derive(Default)]
pub(super) struct Usage {
    tally: Tally,
    unwritten: Mutex<VecDeque<Arc<Record>>>,
    /// How many of them, from the front, have waited long enough.
    allowed: AtomicUsize,
}

impl Usage {
    /// Counts one exchange: what was granted, and at which resource.
    pub(super) fn note(&self, record: &Arc<Record>, second: u32, granted: &Granted<'_>) {
        let before = record.last_used.swap(second, Relaxed);
        if before / DAY != second / DAY {
            self.set_aside(record, before);
        }
        if is_plain(record, granted) {
            record.exchanges.fetch_add(1, Relaxed);
        } else {
            let place = Place {
                key: record.packed_key(),
                day: second / DAY,
                resource: Some(granted.resource.clone()),
                scope: Some(granted.scope.clone()),
            };
            self.tally.add(place, ONE_EXCHANGE);
        }
        if !record.unwritten.swap(true, Relaxed) {
            self.unwritten
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_back(Arc::clone(record));
        }
    }

    /// Counts one refusal of a key that passed both proofs; `resource` is one of its own that was asked for.
    pub(super) fn note_refusal(
        &self,
        record: &Record,
        second: u32,
        resource: Option<&ResourceIdentifier>,
    ) {
        let place = Place {
            key: record.packed_key(),
            day: second / DAY,
            resource: resource.cloned(),
            scope: None,
        };
        self.tally.add(place, ONE_REFUSAL);
    }

    /// The counts of an earlier day wait apart, so that each day keeps its own.
    fn set_aside(&self, record: &Record, second: u32) {
        let exchanges = record.exchanges.swap(0, Relaxed);
        if let (1.., Some(place)) = (exchanges, plain_place(record, second)) {
            self.tally.add(
                place,
                Count {
                    exchanges,
                    refusals: 0,
                },
            );
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
        self.write_tally().await;
        self.write_refusals().await;
    }

    /// Whether there was something to write and it was written.
    async fn write_usage_batch(&self) -> bool {
        let batch = self.usage.take_batch();
        if batch.is_empty() {
            return false;
        }
        // The mark goes first: an exchange that comes between joins the list again, and none is lost.
        let counted: Vec<(u32, u32)> = batch
            .iter()
            .map(|record| {
                record.unwritten.store(false, Relaxed);
                let last = record.last_used.load(Relaxed);
                (last, record.exchanges.swap(0, Relaxed))
            })
            .collect();
        let last_uses: Vec<LastUse> = batch
            .iter()
            .zip(&counted)
            .map(|(record, (last, _))| LastUse {
                key_id: record.key_id(),
                at: Timestamp::from_second((*last).into()).unwrap_or_default(),
            })
            .collect();
        let daily: Vec<DailyUse> = batch
            .iter()
            .zip(&counted)
            .filter_map(|(record, (last, exchanges))| {
                let count = Count {
                    exchanges: *exchanges,
                    refusals: 0,
                };
                let place = plain_place(record, *last).filter(|_| *exchanges > 0)?;
                Some(tally::row(&place, count))
            })
            .collect();
        // Whoever uses a key has the answer that showed it.
        let received: Vec<CredentialId> =
            batch.iter().map(|record| record.credential_id()).collect();
        let written = self.store.write(move |tx| {
            key_usage::note(tx, &last_uses)?;
            key_usage::add(tx, &daily)?;
            idempotency::erase(tx, &received)
        });
        let written = self.tell_usage_written(written.await);
        if !written {
            self.take_back(batch, &counted);
        }
        written
    }

    /// Writes what is counted beside the records; what cannot be written is kept for later.
    pub(super) async fn write_tally(&self) {
        let mut taken = self.usage.tally.take();
        while !taken.is_empty() {
            let rest = taken.split_off(taken.len().min(BATCH));
            let rows: Vec<DailyUse> = taken
                .iter()
                .map(|(place, count)| tally::row(place, *count))
                .collect();
            let written = self.store.write(move |tx| key_usage::add(tx, &rows));
            if !self.tell_usage_written(written.await) {
                for (place, count) in taken.into_iter().chain(rest) {
                    self.usage.tally.add(place, count);
                }
                return;
            }
            taken = rest;
        }
    }

    fn tell_usage_written(&self, written: Result<(), store::Error>) -> bool {
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
                false
            }
        }
    }

    /// Gives the records their counts back after a failure.
    fn take_back(&self, batch: Vec<Arc<Record>>, counts: &[(u32, u32)]) {
        let mut again = Vec::with_capacity(batch.len());
        for (record, (last, exchanges)) in batch.into_iter().zip(counts) {
            if record.last_used.load(Relaxed) / DAY == last / DAY {
                record.exchanges.fetch_add(*exchanges, Relaxed);
            } else if let Some(place) = plain_place(&record, *last) {
                let count = Count {
                    exchanges: *exchanges,
                    refusals: 0,
                };
                self.usage.tally.add(place, count);
            }
            if !record.unwritten.swap(true, Relaxed) {
                again.push(record);
            }
        }
        self.usage.put_back(again);
    }
}

/// Whether it is what most exchanges are: all that a key of one resource holds. Those are counted in the record alone.
fn is_plain(record: &Record, granted: &Granted<'_>) -> bool {
    match &*record.policy().grants {
        [only] => Arc::ptr_eq(&only.scope, granted.scope),
        _ => false,
    }
}

/// Where exchanges of that kind are counted, on the day of `second`.
fn plain_place(record: &Record, second: u32) -> Option<Place> {
    let [only] = &*record.policy().grants else {
        return None;
    };
    Some(Place {
        key: record.packed_key(),
        day: second / DAY,
        resource: Some(only.resource.identifier.clone()),
        scope: Some(Arc::clone(&only.scope)),
    })
}
