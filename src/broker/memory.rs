//! The memory of keys: bounded, dropped entry by entry when something about a key changes, never revived by a late reader.
//!
//! A reader takes a [`Ticket`] before it reads the row. What it read is kept only if nothing changed since: keeping and forgetting
//! hold one lock, so no row that was read before a revocation is ever remembered after it was answered.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;

use super::record::Record;
use crate::domain::id::{KeyId, OrganizationId};
use crate::domain::plaintext_key::UserName;

/// Remembered generations by user name.
pub(super) struct Memory {
    cache: Cache<UserName, Arc<Record>>,
    /// Counts what was forgotten; changed under the lock alone.
    changes: AtomicU64,
    keeping: Mutex<()>,
    /// Keys whose revocation is not durable yet, with the number of calls that are at it.
    stopping: Mutex<HashMap<KeyId, usize>>,
    any_stopping: AtomicBool,
}

/// The state of the memory at the moment before a row was read.
#[derive(Clone, Copy)]
pub(super) struct Ticket(u64);

impl Memory {
    /// Room for `keys` generations.
    pub(super) fn new(keys: usize) -> Self {
        Self {
            cache: Cache::new(keys),
            changes: AtomicU64::new(0),
            keeping: Mutex::new(()),
            stopping: Mutex::default(),
            any_stopping: AtomicBool::new(false),
        }
    }

    /// What is remembered of a generation.
    pub(super) fn recall(&self, name: &UserName) -> Option<Arc<Record>> {
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
    pub(super) fn keep(&self, ticket: Ticket, name: UserName, record: &Arc<Record>) {
        let _keeping = self.lock();
        if self.is_current(ticket) {
            self.cache.insert(name, Arc::clone(record));
        }
    }

    /// Forgets generations.
    pub(super) fn forget(&self, names: &[UserName]) {
        let _keeping = self.lock();
        self.changes.fetch_add(1, Ordering::SeqCst);
        for name in names {
            self.cache.remove(name);
        }
    }

    /// Forgets every key of an organization.
    pub(super) fn forget_organization(&self, organization: &OrganizationId) {
        let _keeping = self.lock();
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.cache
            .retain(|_, record| record.organization_id() != *organization);
    }

    /// Forgets all.
    pub(super) fn forget_all(&self) {
        let _keeping = self.lock();
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.cache.clear();
    }

    /// How many generations are remembered.
    pub(super) fn len(&self) -> usize {
        self.cache.len()
    }

    /// Refuses a key from now on, although its revocation is not durable yet, for as long as the guard lives.
    pub(super) fn stop(self: &Arc<Self>, key: KeyId) -> Stopping {
        let mut stopping = self.stopping.lock().unwrap_or_else(PoisonError::into_inner);
        *stopping.entry(key).or_default() += 1;
        self.any_stopping.store(true, Ordering::SeqCst);
        Stopping {
            memory: Arc::clone(self),
            key,
        }
    }

    /// Whether a revocation of this key is under way.
    pub(super) fn is_stopping(&self, key: &KeyId) -> bool {
        // No revocation under way, as almost always: one load, no lock.
        self.any_stopping.load(Ordering::SeqCst)
            && self
                .stopping
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .contains_key(key)
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.keeping.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a key refused while its revocation is under way.
pub(super) struct Stopping {
    memory: Arc<Memory>,
    key: KeyId,
}

impl Drop for Stopping {
    fn drop(&mut self) {
        let mut stopping = self
            .memory
            .stopping
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(calls) = stopping.get_mut(&self.key) {
            *calls -= 1;
            if *calls == 0 {
                stopping.remove(&self.key);
            }
        }
        self.memory
            .any_stopping
            .store(!stopping.is_empty(), Ordering::SeqCst);
    }
}
