//! The memory of keys ([`super::remembered`]), and which of them are being revoked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::record::Record;
use super::remembered::{Remembered, Ticket};
use crate::domain::id::{KeyId, OrganizationId};
use crate::domain::plaintext_key::UserName;

/// Remembered generations by user name.
pub(super) struct Memory {
    records: Remembered<UserName, Record>,
    /// Keys whose revocation is not durable yet, with the number of calls that are at it.
    stopping: Mutex<HashMap<KeyId, usize>>,
    any_stopping: AtomicBool,
}

impl Memory {
    /// Room for `keys` generations.
    pub(super) fn new(keys: usize) -> Self {
        Self {
            records: Remembered::new(keys),
            stopping: Mutex::default(),
            any_stopping: AtomicBool::new(false),
        }
    }

    /// What is remembered of a generation.
    pub(super) fn recall(&self, name: &UserName) -> Option<Arc<Record>> {
        self.records.recall(name)
    }

    /// To be taken before a row is read.
    pub(super) fn ticket(&self) -> Ticket {
        self.records.ticket()
    }

    /// Whether nothing was forgotten since the ticket was taken.
    pub(super) fn is_current(&self, ticket: Ticket) -> bool {
        self.records.is_current(ticket)
    }

    /// Keeps what was read with a ticket, unless something was forgotten since.
    pub(super) fn keep(&self, ticket: Ticket, name: UserName, record: &Arc<Record>) {
        self.records.keep(ticket, name, record);
    }

    /// Forgets generations.
    pub(super) fn forget(&self, names: &[UserName]) {
        self.records.forget(names);
    }

    /// Forgets every key of an organization.
    pub(super) fn forget_organization(&self, organization: &OrganizationId) {
        self.records
            .forget_unless(|record| record.organization_id() != *organization);
    }

    /// Forgets all.
    pub(super) fn forget_all(&self) {
        self.records.forget_all();
    }

    /// How many generations are remembered.
    pub(super) fn len(&self) -> usize {
        self.records.len()
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
