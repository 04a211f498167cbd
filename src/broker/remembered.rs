//! Rows in memory: bounded, dropped entry by entry when something about one changes, never revived by a late reader.
//!
//! A reader takes a [`Ticket`] before it reads the row. What it read is kept only if nothing changed since: keeping and forgetting
//! hold one lock, so no row that was read before a change is ever remembered after that change was answered.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;

/// What is remembered, by name.
pub(super) struct Remembered<K, V> {
    cache: Cache<K, Arc<V>>,
    /// Counts what was forgotten; changed under the lock alone.
    changes: AtomicU64,
    keeping: Mutex<()>,
}

/// The state of the memory at the moment before a row was read.
#[derive(Clone, Copy)]
pub(super) struct Ticket(u64);

impl<K: Eq + Hash + Clone, V> Remembered<K, V> {
    /// Room for so many.
    pub(super) fn new(room: usize) -> Self {
        Self {
            cache: Cache::new(room),
            changes: AtomicU64::new(0),
            keeping: Mutex::new(()),
        }
    }

    /// What is remembered of one.
    pub(super) fn recall(&self, name: &K) -> Option<Arc<V>> {
        self.cache.get(name)
    }

    /// To be taken before a row is read.
    pub(super) fn ticket(&self) -> Ticket {
        Ticket(self.changes.load(Ordering::SeqCst))
    }

    /// Whether nothing was forgotten since the ticket was taken.
    pub(super) fn is_current(&self, ticket: Ticket) -> bool {
        self.changes.load(Ordering::SeqCst) == ticket.0
    }

    /// Keeps what was read with a ticket, unless something was forgotten since.
    pub(super) fn keep(&self, ticket: Ticket, name: K, value: &Arc<V>) {
        let _keeping = self.lock();
        if self.is_current(ticket) {
            self.cache.insert(name, Arc::clone(value));
        }
    }

    /// Forgets these.
    pub(super) fn forget(&self, names: &[K]) {
        let _keeping = self.lock();
        self.changes.fetch_add(1, Ordering::SeqCst);
        for name in names {
            self.cache.remove(name);
        }
    }

    /// Forgets all but those that `stay`.
    pub(super) fn forget_unless(&self, stay: impl Fn(&V) -> bool) {
        let _keeping = self.lock();
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.cache.retain(|_, value| stay(value));
    }

    /// Forgets all.
    pub(super) fn forget_all(&self) {
        let _keeping = self.lock();
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.cache.clear();
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.cache.len()
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.keeping.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let memory = Remembered::<u8, &str>::new(10);
        let ticket = memory.ticket();
        memory.forget(&[1]);
        memory.keep(ticket, 1, &Arc::new("before"));
        assert!(memory.recall(&1).is_none());
        memory.keep(memory.ticket(), 1, &Arc::new("after"));
        assert_eq!(memory.recall(&1).as_deref(), Some(&"after"));
        memory.forget_unless(|value| *value != "after");
        assert!(memory.recall(&1).is_none());
    }
}
