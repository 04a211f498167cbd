//! What a key may do is replaced. A narrowing counts from our commit, whatever the provider says; a widening when the provider has it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::{ShownKey, follow, in_words, names, show};
use crate::broker::grantor::Grantor;
use crate::broker::{Broker, Caller, Conflict, Error, audit};
use crate::domain::api_key::ApiKey;
use crate::domain::audit::Origin;
use crate::domain::credential::{Credential, ProviderRights};
use crate::domain::id::{KeyId, PermissionId};
use crate::domain::lifecycle::CredentialState;
use crate::domain::permission::Permissions;
use crate::domain::random::Random;
use crate::idp;
use crate::store::api_keys::{self, StoredKey};
use crate::store::idp_claims::{self, Ending};
use crate::store::idp_operations::{self, Operation, OperationKind};
use crate::store::{self, Change, Transaction, credentials, rights};

impl Broker {
    /// Replaces what a key may do. The next exchange on this node carries it.
    ///
    /// # Errors
    /// Not there, revoked, changed since, permissions that do not exist or go beyond the caller's; and for a widening, when the provider
    /// cannot be reached: then nothing changed.
    pub async fn set_key_permissions(
        &self,
        id: KeyId,
        permissions: Permissions,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<ShownKey, Error> {
        let stored = self.stored_key(id).await?;
        caller.sees_key(&stored.key)?;
        if stored.key.lifecycle.revoked_at.is_some() {
            return Err(Conflict::KeyRevoked.into());
        }
        if !expected(stored.key.epoch) {
            return Err(Error::Stale);
        }
        let (ids, catalogue) = self.resolve(&permissions).await?;
        let widens = ids.iter().any(|id| !stored.key.permissions.contains(id));
        let mut after = ApiKey {
            permissions: ids,
            ..stored.key.clone()
        };
        // A default resource on which nothing is left is none.
        let still = after.default_resource.filter(|id| {
            catalogue
                .policy(&after.permissions)
                .grants
                .iter()
                .any(|grant| grant.resource.id == *id)
        });
        after.default_resource = still;
        let details = json!({"before": in_words(&catalogue.policy(&stored.key.permissions).permissions()), "after": in_words(&permissions)});
        let event = self.event(
            &origin,
            "key.permissions_changed",
            id.as_str(),
            Some(after.organization_id),
            details,
        );
        let grantor = widens.then(|| caller.grantor("keys:write", &catalogue, self.now()));
        let intents = match &grantor {
            Some(grantor) => {
                let widened = self.widen_at_provider(&after, grantor.clone()).await;
                widened.map_err(|error| super::outrun_by(error, &expected))?
            }
            None => Vec::new(),
        };
        let rights = ProviderRights {
            granted: None,
            at: self.now(),
        };
        let (written, random, now) = (
            after.clone(),
            std::sync::Arc::clone(&self.random),
            self.now(),
        );
        let widened = intents.clone();
        let echo = self.settling(&after.provider).answered;
        let changed = self.store.write(move |tx| {
            if let Some(grantor) = &grantor {
                // Asked again: what the caller holds may have been narrowed while the provider was asked.
                grantor.check_key(tx, &written)?;
            }
            if !api_keys::update(tx, &written, now)? {
                return Ok(false);
            }
            api_keys::set_permissions(tx, &id, &written.permissions)?;
            let generations = credentials::unended(tx, &id)?;
            if widens {
                credentials::set_provider_rights(tx, &id, &rights)?;
                for intent in &widened {
                    let began_at = intent.claimed_at.unwrap_or(now);
                    if idp_claims::finish(tx, intent, (began_at, now), echo)? == Ending::Lost {
                        return Err(Conflict::KeyChanged.into());
                    }
                }
            } else {
                let users = (&written, generations.as_slice());
                follow(tx, OperationKind::Permit, users, (&*random, now))?;
            }
            tx.changed(Change::Key {
                key: id,
                user_names: names(&generations),
            });
            audit::append(tx, &event)?;
            Ok::<_, Error>(true)
        });
        let changed = changed.await.map_err(|error| match error {
            Error::Store(error) => super::gone(error, "permissions"),
            error => super::outrun_by(error, &expected),
        });
        if !matches!(changed, Ok(true)) {
            // The provider has what our record does not say: it is put back.
            self.give_back(&intents, &Error::Stale).await;
        }
        self.work.notify_one();
        if !changed? {
            return Err(super::outrun(expected));
        }
        let key = ApiKey {
            epoch: after.epoch + 1,
            ..after
        };
        Ok(show(StoredKey { key, ..stored }, &catalogue, now))
    }

    /// Lets the provider have the new permissions first. Whatever comes of it, an intent on record sees to it that in the end the
    /// provider has what our record says. Returns the intents, which are claimed: the transaction of the widening ends them.
    async fn widen_at_provider(
        &self,
        key: &ApiKey,
        grantor: Grantor,
    ) -> Result<Vec<Operation>, Error> {
        let id = key.id;
        let elsewhere = self.elsewhere(&key.permissions).await?;
        let carried = self.carried_to(&key.provider, &elsewhere).await?;
        let generations: Vec<Credential> = self
            .store
            .read(move |connection| credentials::unended(connection, &id))
            .await?;
        let now = self.now();
        let intent = |generation: &Credential| {
            self.operation(OperationKind::Permit, &key.provider, generation)
                .taken_up(now)
        };
        let intents: Vec<Operation> = generations.iter().map(intent).collect();
        let (wanted, written) = (key.clone(), intents.clone());
        let at = (id, &key.provider);
        let waited = self.in_turn(at, move |tx| {
            if api_keys::epoch(tx, &id)?.is_some_and(|epoch| epoch != wanted.epoch) {
                // Whoever was at it before has changed it.
                return Err(Conflict::KeyChanged.into());
            }
            grantor.check_key(tx, &wanted)?;
            for intent in &written {
                idp_operations::insert(tx, intent, now)?;
            }
            Ok(())
        });
        let waited = carried + waited.await?;
        match self
            .widen_users((key, &generations), &elsewhere, waited)
            .await
        {
            Ok(()) => Ok(intents),
            Err(error) => {
                self.give_back(&intents, &error).await;
                Err(error)
            }
        }
    }

    async fn widen_users(
        &self,
        (key, generations): (&ApiKey, &[Credential]),
        permissions: &Permissions,
        waited: Duration,
    ) -> Result<(), Error> {
        let provider = self.provider(&key.provider)?;
        for generation in generations {
            let widening = provider.set_permissions(&generation.user_name, permissions);
            match self.ask_after(waited, widening).await {
                Ok(()) => {}
                // A generation that just ended: it needs no user any more.
                Err(idp::Error::NoSuchUser) if generation.state != CredentialState::Active => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Leaves to the outbox what was claimed and came to nothing.
    async fn give_back(&self, intents: &[Operation], because: &Error) {
        for intent in intents {
            self.put_off(intent, because).await;
        }
    }
}

/// Takes from a key, inside a transaction, all that is not in `left`; the caller writes the key itself. The provider follows by the
/// outbox.
pub(in crate::broker) fn narrow(
    tx: &mut Transaction<'_>,
    key: &mut ApiKey,
    left: Vec<PermissionId>,
    at: (&dyn Random, Timestamp),
) -> Result<(), store::Error> {
    if left.len() == key.permissions.len() {
        return Ok(());
    }
    key.permissions = left;
    // A default resource on which nothing is left is none.
    if let Some(resource) = key.default_resource
        && !rights::any_at(tx, &key.permissions, &resource)?
    {
        key.default_resource = None;
    }
    api_keys::set_permissions(tx, &key.id, &key.permissions)?;
    let generations = credentials::unended(tx, &key.id)?;
    follow(tx, OperationKind::Permit, (key, generations.as_slice()), at)
}
