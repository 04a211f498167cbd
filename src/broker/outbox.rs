//! What is still to be done at identity providers: half-made generations undone, users brought in line with our record, users removed.
//!
//! Each thing was written down before it was first tried, so a crash loses none; each may be done twice. It is claimed, done and ended
//! ([`crate::store::idp_claims`]): of one key one thing at a time and in order, whichever node does it. What fails is put off, longer each
//! time, and never given up. A provider that is slow keeps nobody waiting but its own keys.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::RwLock;
use tokio::task::JoinSet;

use super::carriage::{STUCK_AFTER, pause_after, told};
use super::{Broker, Error};
use crate::domain::audit::{AuditEvent, Origin};
use crate::domain::id::KeyId;
use crate::domain::lifecycle::CredentialState;
use crate::domain::provider_name::ProviderName;
use crate::idp::{self, Settling};
use crate::store::idp_claims::{self, Ending, LEASE};
use crate::store::idp_operations::{Operation, OperationKind};
use crate::store::{self, Connection, Transaction, api_keys, credentials, idp_resources};

/// How often the outbox is looked at when nobody wakes its keeper.
const LOOK: Duration = Duration::from_secs(1);
/// Things looked up at a time.
const BATCH: usize = 100;
/// Keys of one provider that are worked at together.
const AT_ONCE: usize = 8;
/// How long one thing may take: then its claim still counts.
const LONGEST: Duration = Duration::from_secs(LEASE.as_secs() - 5);
/// How long a server that stops waits for its last calls.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// The time between two tries of what is stuck.
const WHILE_STUCK: Duration = Duration::from_secs(3600);

/// Lets the work end before the process does: what is cut off counts as claimed for a while.
#[derive(Default)]
pub(super) struct Gate {
    closed: AtomicBool,
    at_work: RwLock<()>,
}

impl Broker {
    pub(super) fn outbox_is_closed(&self) -> bool {
        self.outbox.closed.load(Ordering::SeqCst)
    }

    /// Takes nothing up any more, and waits until what is in hand is done or its time is over.
    pub(crate) async fn finish_outbox(&self) {
        self.outbox.closed.store(true, Ordering::SeqCst);
        if tokio::time::timeout(LAST_WORDS, self.outbox.at_work.write())
            .await
            .is_err()
        {
            tracing::warn!("an identity provider did not answer before the server stopped");
        }
    }

    /// Does what is due, for ever: each provider has a worker of its own as long as there is work.
    pub(super) async fn keep_outbox(self: Arc<Self>) {
        let mut ticks = super::maintenance::every(LOOK);
        let mut workers = JoinSet::new();
        let mut at = HashMap::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.work.notified() => {}
                Some(ended) = workers.join_next_with_id() => {
                    at.remove(&ended.map_or_else(|error| error.id(), |(id, ())| id));
                }
            }
            let now = self.now();
            let due = move |connection: &mut Connection| {
                let mut names = idp_claims::providers_with_work(connection, now)?;
                names.extend(idp_resources::providers_with_work(connection, now)?);
                names.sort_unstable();
                names.dedup();
                Ok::<_, store::Error>(names)
            };
            let providers = match self.store.read(due).await {
                Ok(providers) => providers,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the outbox cannot be read");
                    continue;
                }
            };
            for provider in providers {
                if at.values().all(|busy| *busy != provider) {
                    let (broker, name) = (Arc::clone(&self), provider.clone());
                    // What users are to hold is carried first.
                    let worker = workers.spawn(async move {
                        broker.carry_resources(&name).await;
                        broker.tend_outbox(&name).await;
                    });
                    at.insert(worker.id(), provider);
                }
            }
        }
    }

    /// Does what is due at one provider, as far as nobody else is at it.
    pub(super) async fn tend_outbox(&self, provider: &ProviderName) {
        loop {
            let (name, now) = (provider.clone(), self.now());
            let due = self
                .store
                .read(move |connection| idp_claims::keys_with_work(connection, &name, now, BATCH))
                .await;
            let keys = match due {
                Ok(keys) => keys,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the outbox cannot be read");
                    return;
                }
            };
            let progress = AtomicBool::new(false);
            stream::iter(keys)
                .for_each_concurrent(AT_ONCE, async |key| {
                    if self.tend_key(key, provider).await {
                        progress.store(true, Ordering::Relaxed);
                    }
                })
                .await;
            if !progress.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Does what is due for one key, in order; whether anything was.
    async fn tend_key(&self, key: KeyId, provider: &ProviderName) -> bool {
        let mut progress = false;
        let _at_work = self.outbox.at_work.read().await;
        loop {
            if self.outbox_is_closed() {
                return false;
            }
            let (now, rest) = (self.now(), self.settling(provider).unanswered);
            let taken = self
                .store
                .write(move |tx| idp_claims::take(tx, &key, rest, now));
            let operation = match taken.await {
                Ok(Some(operation)) => operation,
                Ok(None) => return progress,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the outbox cannot be written");
                    return progress;
                }
            };
            progress = true;
            let performed = tokio::time::timeout(LONGEST, self.perform(&operation)).await;
            let performed =
                performed.unwrap_or_else(|late| Err(idp::Error::unavailable(late).into()));
            if let Err(error) = performed {
                self.put_off(&operation, &error).await;
            }
        }
    }

    async fn perform(&self, operation: &Operation) -> Result<(), Error> {
        match operation.kind {
            OperationKind::Create => self.undo_creation(operation, None).await,
            OperationKind::Permit | OperationKind::Describe => self.align(operation).await,
            OperationKind::Delete => {
                // A generation whose grace is over ends on record before its user goes.
                self.end_generation(operation.credential_id, self.now(), None)
                    .await?;
                let began_at = self.now();
                self.remove_user_of(operation).await?;
                self.end(operation, began_at).await
            }
        }
    }

    async fn remove_user_of(&self, operation: &Operation) -> Result<(), Error> {
        let provider = self.provider(&operation.provider)?;
        let deletion = provider.delete(&operation.user_name, &self.deployment);
        Ok(self.ask(deletion).await?)
    }

    /// Ends an operation after a success that began at `began_at`. Whoever lost his claim meanwhile may have asked the provider after
    /// whoever has it now, so the last word is left to the outbox.
    async fn end(&self, operation: &Operation, began_at: Timestamp) -> Result<(), Error> {
        let (operation, now) = (operation.clone(), self.now());
        let rest_at = self.rest_at(&operation.provider, now);
        let echo = self.settling(&operation.provider).answered;
        let ended = self.store.write(move |tx| {
            let ending = idp_claims::finish(tx, &operation, (began_at, now), echo)?;
            if ending == Ending::Lost {
                idp_claims::disturb(tx, &operation.id, rest_at, now)?;
            }
            Ok::<_, store::Error>(())
        });
        Ok(ended.await?)
    }

    /// Throws away a generation that was never finished, on record first, then at the provider. Does nothing to one that lives. With
    /// the error that ended its making, a call of which nobody knows whether it was done, the outbox looks once more when it was.
    pub(super) async fn undo_creation(
        &self,
        operation: &Operation,
        because: Option<&Error>,
    ) -> Result<(), Error> {
        let creation = operation.clone();
        let lives = self
            .store
            .write(move |tx| {
                throw_away(tx, &creation)?;
                // What lives was finished after all. What ended meanwhile has a removal of its own, which may have come before the
                // provider made the user: it is removed once more.
                let found = credentials::find(tx, &creation.credential_id)?;
                Ok::<_, store::Error>(found.is_some_and(|credential| {
                    !matches!(credential.state, CredentialState::Ended { .. })
                }))
            })
            .await?;
        let began_at = self.now();
        if !lives {
            self.remove_user_of(operation).await?;
        }
        match because {
            Some(error) if is_open(error) => {
                self.put_off(operation, error).await;
                Ok(())
            }
            _ => self.end(operation, began_at).await,
        }
    }

    /// Gives an operation back after a vain try.
    pub(super) async fn put_off(&self, operation: &Operation, error: &Error) {
        let (attempts, now) = (operation.attempts, self.now());
        let stuck = operation.is_stuck(now, STUCK_AFTER);
        let pause = if stuck {
            WHILE_STUCK
        } else {
            pause_after(attempts)
        };
        let cause = told(error);
        let event = (stuck && operation.stuck_at.is_none()).then(|| {
            let provider = operation.provider.as_str();
            let kind = operation.kind.as_str();
            self.stuck_event(provider, operation.key_id.as_str(), kind, &cause)
        });
        tracing::warn!(cause, kind = ?operation.kind, key = %operation.key_id, attempts, "put off at the identity provider");
        let next = now.checked_add(pause).unwrap_or(now);
        let rest_at = self.rest_at(&operation.provider, now);
        let unanswered = is_open(error).then_some(rest_at);
        let operation = operation.clone();
        let given_back = self.store.write(move |tx| {
            let back =
                idp_claims::give_back(tx, &operation, (next, unanswered), (now, stuck, &cause))?;
            if let Some(event) = event {
                super::audit::append(tx, &event)?;
            }
            if !back {
                idp_claims::disturb(tx, &operation.id, rest_at, now)?;
            }
            Ok::<_, store::Error>(())
        });
        // What cannot be given back is taken up again when its claim counts no more.
        if let Err(error) = given_back.await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the outbox cannot be written");
        }
    }

    /// Something is tried in vain for so long that a person must know.
    pub(super) fn stuck_event(
        &self,
        provider: &str,
        subject: &str,
        kind: &str,
        cause: &str,
    ) -> AuditEvent {
        let details = json!({"kind": kind, "why": cause, "about": subject});
        let origin = Origin::server();
        self.event(&origin, "identity_provider.stuck", provider, None, details)
    }

    /// How long what this provider was asked may still have an effect.
    pub(super) fn settling(&self, provider: &ProviderName) -> Settling {
        let configured = self.providers.find(provider);
        configured.map_or(Settling::ELSEWHERE, |provider| provider.settling())
    }

    /// Up to when what is asked now may still be done, if there is no answer.
    pub(super) fn rest_at(&self, provider: &ProviderName, now: Timestamp) -> Timestamp {
        now.checked_add(self.settling(provider).unanswered)
            .unwrap_or(now)
    }
}

/// Throws a generation away, and its key, if they were never finished.
pub(super) fn throw_away(
    tx: &mut Transaction<'_>,
    creation: &Operation,
) -> Result<(), store::Error> {
    api_keys::lock(tx, &creation.key_id)?;
    if credentials::delete_pending(tx, &creation.credential_id)? {
        api_keys::delete_pending(tx, &creation.key_id)?;
    }
    Ok(())
}

/// Whether what failed may be done at the provider all the same.
fn is_open(error: &Error) -> bool {
    matches!(error, Error::Provider(idp::Error::Unavailable { .. }))
}
