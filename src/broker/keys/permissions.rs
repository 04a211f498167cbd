//! What a key may do is replaced. A narrowing counts from our commit, whatever the provider says; a widening when the provider has it.

use jiff::Timestamp;
use serde_json::json;

use super::{ShownKey, in_words, names, show};
use crate::broker::grantor::Grantor;
use crate::broker::{Broker, Caller, Conflict, Error, audit};
use crate::domain::api_key::ApiKey;
use crate::domain::audit::Origin;
use crate::domain::credential::{Credential, ProviderRights};
use crate::domain::id::{KeyId, OperationId, PermissionId};
use crate::domain::permission::Permissions;
use crate::domain::random::Random;
use crate::idp;
use crate::store::api_keys::{self, StoredKey};
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
                self.widen_at_provider(&after, &permissions, grantor.clone())
                    .await?
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
                for intent in &intents {
                    idp_operations::finish(tx, intent, now)?;
                }
            } else {
                permit(tx, &written, &generations, (&*random, now))?;
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
            error => error,
        });
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
    /// provider has what our record says. Returns the intents that are done with if the widening is.
    async fn widen_at_provider(
        &self,
        key: &ApiKey,
        permissions: &Permissions,
        grantor: Grantor,
    ) -> Result<Vec<OperationId>, Error> {
        let id = key.id;
        let generations: Vec<Credential> = self
            .store
            .read(move |connection| credentials::unended(connection, &id))
            .await?;
        let operation = |generation: &Credential| {
            // Due only after this call has surely ended.
            let later = self.now().checked_add(self.settings.provider_timeout * 4);
            let operation = self.operation(OperationKind::Permit, &key.provider, generation);
            Operation {
                next_try_at: later.unwrap_or(operation.next_try_at),
                ..operation
            }
        };
        let intents: Vec<Operation> = generations.iter().map(operation).collect();
        let ids = intents.iter().map(|intent| intent.id).collect();
        let (now, wanted) = (self.now(), key.clone());
        let overtaken = self.store.write(move |tx| {
            grantor.check_key(tx, &wanted)?;
            // What an earlier change left to the outbox may reach the provider after what this one says: then ours must follow again.
            let earlier = idp_operations::has_open(tx, &id, OperationKind::Permit)?;
            for intent in &intents {
                idp_operations::insert(tx, intent, now)?;
            }
            Ok::<_, Error>(earlier)
        });
        let overtaken = overtaken.await?;
        let provider = self.provider(&key.provider)?;
        for generation in &generations {
            match self
                .ask(provider.set_permissions(&generation.user_name, permissions))
                .await
            {
                Ok(()) => {}
                // A generation that another call is just making, or that just ended: it will have what our record says.
                Err(idp::Error::NoSuchUser)
                    if generation.state != crate::domain::lifecycle::CredentialState::Active => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(if overtaken { Vec::new() } else { ids })
    }

    /// What our record says that a key's users may do.
    pub(in crate::broker) async fn recorded_permissions(
        &self,
        id: KeyId,
    ) -> Result<Option<Permissions>, store::Error> {
        let stored = self
            .store
            .read(move |connection| api_keys::find(connection, &id))
            .await?;
        let catalogue = self.catalogue().await?;
        Ok(stored.map(|stored| {
            let ids: Vec<PermissionId> = stored.key.permissions;
            catalogue.policy(&ids).permissions()
        }))
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
    permit(tx, key, &generations, at)
}

/// Has the provider told what the record says that the users of a key may do.
fn permit(
    tx: &mut Transaction<'_>,
    key: &ApiKey,
    generations: &[Credential],
    (random, now): (&dyn Random, Timestamp),
) -> Result<(), store::Error> {
    for generation in generations {
        let permit = Operation {
            id: OperationId::generate(random),
            provider: key.provider.clone(),
            kind: OperationKind::Permit,
            key_id: key.id,
            credential_id: generation.id,
            user_name: generation.user_name,
            attempts: 0,
            next_try_at: now,
        };
        idp_operations::insert(tx, &permit, now)?;
    }
    Ok(())
}
