//! A key is revoked: in our record first, then at the provider. From the moment it is asked for, this node refuses the key from memory;
//! it is answered when it is durable.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::names;
use crate::broker::authentication::Refusal;
use crate::broker::memory::Stopping;
use crate::broker::{Broker, Caller, Error, Record, audit};
use crate::domain::api_key::ApiKey;
use crate::domain::audit::{AuditEvent, Origin};
use crate::domain::id::{CredentialId, KeyId, OperationId};
use crate::domain::lifecycle::{CredentialState, EndReason};
use crate::store::idp_operations::{self, Operation, OperationKind};
use crate::store::{self, Change, api_keys, credentials, idempotency};

/// What became of leaked keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leaked {
    /// Keys, or retiring generations, that were stopped.
    pub revoked: usize,
    /// Texts that prove nothing: malformed, forged, unknown or dead already.
    pub unknown: usize,
}

impl Broker {
    /// Revokes a key for ever. Doing it again is done.
    ///
    /// # Errors
    /// Not there or not the caller's. When the database does not answer, this node refuses the key all the same and goes on trying.
    pub async fn revoke_key(
        self: &Arc<Self>,
        id: KeyId,
        caller: &Caller,
        origin: Origin,
        expected: Option<&[i64]>,
    ) -> Result<(), Error> {
        match self.stored_key(id).await {
            Ok(stored) => {
                caller.sees_key(&stored.key)?;
                if expected.is_some_and(|versions| !versions.contains(&stored.key.epoch)) {
                    return Err(Error::Stale);
                }
            }
            // The operator may stop any key, so it is stopped here although nothing can be read; unless he bound it to a version.
            Err(Error::Store(store::Error::Unavailable { .. }))
                if caller.is_operator() && expected.is_none() => {}
            Err(error) => return Err(error),
        }
        let Some(versions) = expected else {
            return self.stop_key(id, origin, "revoked").await;
        };
        // Nobody is refused before the database has said that it is this version that is stopped.
        let event = self.revocation(id, &origin, "revoked");
        if self
            .write_revocation(id, event, Some(versions.to_vec()))
            .await?
        {
            self.metrics.keys_revoked(1);
        }
        self.work.notify_one();
        Ok(())
    }

    fn revocation(&self, id: KeyId, origin: &Origin, why: &str) -> AuditEvent {
        let details = json!({"why": why});
        self.event(origin, "key.revoked", id.as_str(), None, details)
    }

    /// The holder stops the key that he presents: the whole key by its active generation, the rest of a grace by a retiring one.
    ///
    /// # Errors
    /// As for a wrong key; a dead generation is told why it is dead and changes nothing.
    pub async fn revoke_own_key(
        self: &Arc<Self>,
        presented: &[u8],
        origin: Origin,
    ) -> Result<Arc<Record>, Refusal> {
        let record = self.identify(presented, origin.address).await?;
        let now = self.now();
        if let Some(stopped @ (super::super::Stopped::Revoked | super::super::Stopped::Rotated)) =
            record.stopped(now)
        {
            return Err(Refusal::Stopped(stopped));
        }
        let origin = Origin {
            actor: record.key_id().to_string(),
            ..origin
        };
        self.stop_presented(&record, origin, "revoked by its holder")
            .await
            .map_err(as_refusal)?;
        Ok(record)
    }

    /// Stops every key among texts that somebody found.
    ///
    /// # Errors
    /// When the database does not answer; what was stopped until then stays stopped.
    pub async fn revoke_leaked(
        self: &Arc<Self>,
        texts: &[&[u8]],
        origin: Origin,
    ) -> Result<Leaked, Refusal> {
        let mut outcome = Leaked::default();
        for text in texts {
            // These calls have a limit of their own.
            let record = match self.identify(text, None).await {
                Ok(record) => record,
                Err(Refusal::Malformed | Refusal::Forged | Refusal::Unknown) => {
                    outcome.unknown += 1;
                    continue;
                }
                Err(refusal) => return Err(refusal),
            };
            use super::super::Stopped::{Revoked, Rotated};
            if matches!(record.stopped(self.now()), Some(Revoked | Rotated)) {
                outcome.unknown += 1;
                continue;
            }
            let origin = Origin {
                // Whoever signed in is on record; a program that reports keys is nobody in particular.
                actor: if origin.actor.is_empty() {
                    "leaked key".to_owned()
                } else {
                    origin.actor.clone()
                },
                ..origin.clone()
            };
            self.stop_presented(&record, origin, "leaked")
                .await
                .map_err(as_refusal)?;
            outcome.revoked += 1;
        }
        Ok(outcome)
    }

    async fn stop_presented(
        self: &Arc<Self>,
        record: &Record,
        origin: Origin,
        why: &'static str,
    ) -> Result<(), Error> {
        let generation = record.credential_id();
        let found = self
            .store
            .read(move |connection| credentials::find(connection, &generation))
            .await;
        let retiring = match found {
            Ok(found) => {
                found.is_some_and(|found| matches!(found.state, CredentialState::Retiring { .. }))
            }
            // Nothing can be read: as it was when it was read last.
            Err(store::Error::Unavailable { .. }) => record.is_retiring(),
            Err(error) => return Err(error.into()),
        };
        if retiring {
            self.end_grace(record.key_id(), generation, origin, why)
                .await
        } else {
            self.stop_key(record.key_id(), origin, why).await
        }
    }

    /// Stops a key and answers when it is durable.
    async fn stop_key(
        self: &Arc<Self>,
        id: KeyId,
        origin: Origin,
        why: &'static str,
    ) -> Result<(), Error> {
        let first = !self.memory.is_stopping(&id);
        let stopping = self.memory.stop(id);
        let event = self.revocation(id, &origin, why);
        match self.write_revocation(id, event.clone(), None).await {
            Ok(revoked) => {
                if revoked {
                    self.metrics.keys_revoked(1);
                }
                self.work.notify_one();
                Ok(())
            }
            Err(error) => {
                // One task a key, however often it is asked for.
                if first {
                    self.keep_trying(id, event, stopping);
                }
                Err(error)
            }
        }
    }

    /// The caller was told that it is not durable; the key stays refused here and the writing is tried again.
    fn keep_trying(self: &Arc<Self>, id: KeyId, event: AuditEvent, stopping: Stopping) {
        use backon::Retryable;
        let broker = Arc::clone(self);
        let policy = backon::ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(5))
            .without_max_times();
        tokio::spawn(async move {
            let outcome = (|| broker.write_revocation(id, event.clone(), None))
                .retry(policy)
                .await;
            if let Err(error) = outcome {
                tracing::error!(error = &error as &dyn std::error::Error, key = %id, "a revocation could not be made durable");
            }
            broker.work.notify_one();
            drop(stopping);
        });
    }

    /// The transaction; whether the key was not revoked before. With `expected`, only for one of these versions.
    async fn write_revocation(
        &self,
        id: KeyId,
        event: AuditEvent,
        expected: Option<Vec<i64>>,
    ) -> Result<bool, Error> {
        let (now, random) = (self.now(), Arc::clone(&self.random));
        self.store
            .write(move |tx| {
                api_keys::lock(tx, &id)?;
                let Some(stored) = api_keys::find(tx, &id)? else {
                    return Ok(false);
                };
                if expected.is_some_and(|versions| !versions.contains(&stored.key.epoch)) {
                    return Err(Error::Stale);
                }
                if stored.key.lifecycle.revoked_at.is_some() {
                    return Ok(false);
                }
                let revoked = ApiKey {
                    lifecycle: stored.key.lifecycle.revoke(now),
                    ..stored.key
                };
                let generations = credentials::unended(tx, &id)?;
                api_keys::update(tx, &revoked, now)?;
                for generation in &generations {
                    credentials::set_state(
                        tx,
                        &generation.id,
                        generation.state.end(now, EndReason::Revoked),
                    )?;
                    if matches!(generation.state, CredentialState::Retiring { .. }) {
                        // Its user's removal is on record since it was replaced.
                        idp_operations::expedite_deletion(tx, &generation.id, now)?;
                        continue;
                    }
                    let deletion = Operation::new(
                        OperationId::generate(&*random),
                        OperationKind::Delete,
                        (&revoked.provider, generation),
                        now,
                    );
                    idp_operations::insert(tx, &deletion, now)?;
                }
                let ids: Vec<CredentialId> =
                    generations.iter().map(|generation| generation.id).collect();
                idempotency::erase(tx, &ids)?;
                tx.changed(Change::Key {
                    key: id,
                    user_names: names(&generations),
                });
                audit::append(
                    tx,
                    &AuditEvent {
                        organization_id: Some(revoked.organization_id),
                        ..event
                    },
                )?;
                Ok(true)
            })
            .await
    }

    /// Ends the grace of a retiring generation, whose successor lives on.
    async fn end_grace(
        &self,
        key: KeyId,
        generation: CredentialId,
        origin: Origin,
        why: &str,
    ) -> Result<(), Error> {
        let now = self.now();
        let event = self.event(
            &origin,
            "key.grace_ended",
            key.as_str(),
            None,
            json!({"generation": generation, "why": why}),
        );
        self.end_generation(generation, now, Some(event)).await?;
        self.work.notify_one();
        Ok(())
    }

    /// Ends a retiring generation; its user's removal is on record since it was replaced.
    pub(in crate::broker) async fn end_generation(
        &self,
        generation: CredentialId,
        now: Timestamp,
        event: Option<AuditEvent>,
    ) -> Result<(), store::Error> {
        self.store
            .write(move |tx| {
                let Some(found) = credentials::find(tx, &generation)? else {
                    return Ok(());
                };
                api_keys::lock(tx, &found.key_id)?;
                if !matches!(found.state, CredentialState::Retiring { .. }) {
                    return Ok(());
                }
                credentials::set_state(tx, &generation, found.state.end(now, EndReason::Rotated))?;
                idp_operations::expedite_deletion(tx, &generation, now)?;
                tx.changed(Change::Key {
                    key: found.key_id,
                    user_names: names(std::slice::from_ref(&found)),
                });
                if let Some(event) = event {
                    let stored = api_keys::find(tx, &found.key_id)?;
                    let organization_id = stored.map(|stored| stored.key.organization_id);
                    audit::append(
                        tx,
                        &AuditEvent {
                            organization_id,
                            ..event
                        },
                    )?;
                }
                Ok(())
            })
            .await
    }
}

fn as_refusal(error: Error) -> Refusal {
    match error {
        Error::Store(error) => Refusal::Store(error),
        Error::Provider(error) => Refusal::Provider(Arc::new(error)),
        other => Refusal::Internal(other.to_string()),
    }
}
