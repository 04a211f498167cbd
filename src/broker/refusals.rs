//! The last refusals of each key, for whoever asks why it does not work: sampled in memory and written in batches, never on a
//! request's way.
//!
//! Bounded: of each key the first few between two writings, of all keys together some thousand. What a caller asked for is kept only
//! where it names something that exists here, for anything can stand in a request, a secret too.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::authentication::Refusal;
use super::catalogue::Catalogue;
use super::exchange::TokenRequest;
use super::{Broker, Record};
use crate::domain::id::KeyId;
use crate::domain::refusal::KeyRefusal;
use crate::store::key_refusals;

/// Refusals of one key between two writings.
const OF_A_KEY: usize = 5;
/// Keys between two writings.
const KEYS: usize = 4_096;
/// Refusals in one transaction.
const BATCH: usize = 200;

/// The refusals that are not written yet.
#[derive(Default)]
pub(super) struct Refusals(Mutex<HashMap<KeyId, Vec<KeyRefusal>>>);

impl Refusals {
    fn note(&self, key: KeyId, refusal: impl FnOnce() -> KeyRefusal) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = held.len() >= KEYS;
        match held.get_mut(&key) {
            Some(of_key) if of_key.len() < OF_A_KEY => of_key.push(refusal()),
            Some(_) => {}
            None if full => {}
            None => {
                held.insert(key, vec![refusal()]);
            }
        }
    }

    fn take(&self) -> Vec<KeyRefusal> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *held).into_values().flatten().collect()
    }
}

impl Broker {
    /// Notes why a key that passed both proofs was refused.
    pub(super) fn note_why(
        &self,
        record: &Record,
        refusal: &Refusal,
        (request, address, at): (TokenRequest<'_>, IpAddr, Timestamp),
    ) {
        let key = record.key_id();
        self.refusals.note(key, || {
            let catalogue = self.catalogue.current();
            let (resource, scope) = match &catalogue {
                Some(catalogue) => known(catalogue, request),
                None => (None, None),
            };
            KeyRefusal {
                key_id: key,
                at,
                reason: refusal.reason().as_str().to_owned(),
                resource,
                scope,
                address: Some(address),
            }
        });
    }

    /// Writes what was noted. What cannot be written is lost: it is a sample.
    pub(super) async fn write_refusals(&self) {
        let mut taken = self.refusals.take();
        while !taken.is_empty() {
            let rest = taken.split_off(taken.len().min(BATCH));
            let written = self
                .store
                .write(move |tx| key_refusals::add(tx, &taken))
                .await;
            if let Err(error) = written {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the last refusals of keys could not be written"
                );
                return;
            }
            taken = rest;
        }
    }
}

/// What a request asked for, as far as it exists.
fn known(catalogue: &Catalogue, request: TokenRequest<'_>) -> (Option<String>, Option<String>) {
    let resource = request
        .resource
        .and_then(|asked| asked.parse().ok())
        .and_then(|asked| catalogue.resource(&asked));
    let scope = request.scope.map(|asked| {
        let exists = |word: &&str| catalogue.names_permission(word);
        asked
            .split(' ')
            .filter(exists)
            .take(20)
            .collect::<Vec<_>>()
            .join(" ")
    });
    (
        resource.map(|resource| resource.identifier.to_string()),
        scope.filter(|scope| !scope.is_empty()),
    )
}
