//! A key is rotated: a new generation with its own user, then in one transaction the new one lives and the old one stops.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::generation::Draft;
use super::{IssuedKey, names, show};
use crate::broker::grantor::Grantor;
use crate::broker::idempotency::Keep;
use crate::broker::{Broker, Caller, Conflict, Error, audit};
use crate::domain::api_key::ApiKey;
use crate::domain::audit::{AuditEvent, Origin};
use crate::domain::credential::{Credential, ProviderRights};
use crate::domain::id::{CredentialId, KeyId, OperationId};
use crate::domain::lifecycle::{CredentialState, EndReason};
use crate::store::api_keys::{self, StoredKey};
use crate::store::idp_operations::{self, Operation, OperationKind};
use crate::store::{self, Change, credentials, idempotency, secrets};

/// How a key is rotated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rotation {
    /// For how long the old generation is still taken.
    pub grace: SignedDuration,
}

/// What the last transaction of a rotation works with.
struct Switch {
    key: ApiKey,
    grantor: Grantor,
    old: CredentialId,
    new: Credential,
    subject: String,
    rights: ProviderRights,
    retires_at: Option<Timestamp>,
    creation: Operation,
    event: AuditEvent,
    now: Timestamp,
}

/// What a rotation begins with: the generation that is to be replaced, and who has it replaced.
struct Old {
    credential: Credential,
    grantor: Grantor,
}

impl Broker {
    /// Makes a new generation of a key. The id stays; the old key is dead when this returns, or when its grace is over.
    ///
    /// # Errors
    /// Not there, not active or disabled, rotated or revoked by another call meanwhile, or the provider cannot be reached: then the old
    /// generation lives on and nothing is left of the new one.
    pub async fn rotate_key(
        &self,
        id: KeyId,
        rotation: Rotation,
        caller: &Caller,
        origin: Origin,
        keep: Option<Keep<'_, IssuedKey>>,
    ) -> Result<IssuedKey, Error> {
        let stored = self.stored_key(id).await?;
        caller.sees_key(&stored.key)?;
        stored.key.lifecycle.rotatable(self.now())?;
        let catalogue = self.catalogue().await?;
        let grantor = caller.grantor("keys:write", &catalogue, self.now());
        let old = stored.active.clone().ok_or(Conflict::KeyChanged)?;
        let draft = self.draft(&stored.key)?;
        self.intend_generation(&stored.key, &draft, grantor.clone())
            .await?;
        let old = Old {
            credential: old,
            grantor,
        };
        let switched = self
            .switch(stored, old, &draft, (rotation, origin, keep))
            .await;
        match switched {
            Ok(shown) => {
                self.metrics.key_rotated();
                self.work.notify_one();
                Ok(IssuedKey {
                    shown,
                    key: draft.key,
                })
            }
            Err(error) => {
                self.undo(&draft, &error).await;
                Err(error)
            }
        }
    }

    async fn intend_generation(
        &self,
        key: &ApiKey,
        draft: &Draft,
        grantor: Grantor,
    ) -> Result<(), Error> {
        let key = key.clone();
        let (credential, operation, now) = (
            draft.credential.clone(),
            draft.operation.clone(),
            self.now(),
        );
        let since = self.secrets_since();
        let written = self.store.write(move |tx| {
            grantor.check_key(tx, &key)?;
            secrets::require_usable(tx, &credential, since)?;
            credentials::insert(tx, &credential)?;
            idp_operations::insert(tx, &operation, now)?;
            Ok::<_, Error>(())
        });
        match written.await {
            Err(Error::Store(error)) if error.conflicts_with(store::FOREIGN_KEY) => {
                Err(Error::NotFound)
            }
            written => written,
        }
    }
}

impl Broker {
    /// Makes the user and lets the new generation take the place of the old one, all in one transaction.
    async fn switch(
        &self,
        stored: StoredKey,
        old: Old,
        draft: &Draft,
        (rotation, origin, keep): (Rotation, Origin, Option<Keep<'_, IssuedKey>>),
    ) -> Result<super::ShownKey, Error> {
        let catalogue = self.catalogue().await?;
        let permissions = catalogue.policy(&stored.key.permissions).permissions();
        let (subject, rights) = self.make_user(&stored.key, draft, &permissions).await?;
        let now = self.now();
        let grace = (rotation.grace > SignedDuration::ZERO)
            .then(|| whole_second_after(now, rotation.grace))
            .flatten();
        let id = stored.key.id;
        let new = Credential {
            state: CredentialState::Active,
            subject: Some(subject.clone()),
            ..draft.credential.clone()
        };
        let details =
            json!({"generation": new.id, "replaced": old.credential.id, "retires_at": grace});
        let event = self.event(
            &origin,
            "key.rotated",
            id.as_str(),
            Some(stored.key.organization_id),
            details,
        );
        let key = ApiKey {
            rotated_at: Some(now),
            epoch: stored.key.epoch + 1,
            ..stored.key.clone()
        };
        let (last_used_at, owner) = (stored.last_used_at, stored.owner);
        let after = StoredKey {
            key,
            active: Some(new.clone()),
            retiring_until: grace,
            last_used_at,
            owner,
        };
        let shown = show(after, &catalogue, now);
        let kept = match keep {
            None => None,
            Some(keep) => self.kept_with_key(keep, &shown, draft, new.id)?,
        };
        let switch = Switch {
            key: stored.key,
            old: old.credential.id,
            grantor: old.grantor,
            new,
            subject,
            rights,
            retires_at: grace,
            creation: draft.operation.clone(),
            event,
            now,
        };
        // Drawn before the transaction, whose code must not borrow.
        let deletion = OperationId::generate(&*self.random);
        let switched = self.store.write(move |tx| {
            let switched = take(tx, &switch, deletion)?;
            if switched && let Some(kept) = &kept {
                kept.write(tx)?;
            }
            Ok::<_, Error>(switched)
        });
        if switched.await? {
            return Ok(shown);
        }
        // Lost to another call: to a revocation, or to a rotation that was faster.
        self.stored_key(id).await?.key.lifecycle.rotatable(now)?;
        Err(Conflict::KeyChanged.into())
    }

    fn kept_with_key(
        &self,
        keep: Keep<'_, IssuedKey>,
        shown: &super::ShownKey,
        draft: &Draft,
        generation: CredentialId,
    ) -> Result<Option<crate::broker::idempotency::Sealed>, Error> {
        let key = draft.key.copy_for_kept_answer();
        let issued = IssuedKey {
            shown: shown.clone(),
            key,
        };
        self.kept(Some(keep), &issued, Some(generation))
    }
}

/// The end of a grace: never shorter than asked, and a whole second, since tokens end with whole seconds.
fn whole_second_after(now: Timestamp, grace: SignedDuration) -> Option<Timestamp> {
    let end = now.checked_add(grace).ok()?;
    Timestamp::from_second(end.as_second() + i64::from(end.subsec_nanosecond() > 0)).ok()
}

/// The transaction; `false`, and nothing done, if the key is not as it was.
fn take(
    tx: &mut store::Transaction<'_>,
    switch: &Switch,
    deletion: OperationId,
) -> Result<bool, Error> {
    let Switch { key, now, .. } = switch;
    let now = *now;
    // Asked again: what the caller holds may have been narrowed while the user was made.
    switch.grantor.check_key(tx, key)?;
    api_keys::lock(tx, &key.id)?;
    let generations = credentials::unended(tx, &key.id)?;
    let still = generations
        .iter()
        .find(|generation| generation.state == CredentialState::Active);
    if still.is_none_or(|active| active.id != switch.old) {
        return Ok(false);
    }
    let rotated = ApiKey {
        rotated_at: Some(now),
        ..key.clone()
    };
    // In this order: if the first changed nothing, nothing was done; if the second did not, the whole is rolled back by its caller.
    if !api_keys::update(tx, &rotated, now)? {
        return Ok(false);
    }
    if !credentials::activate(tx, &switch.new.id, &switch.subject, &switch.rights)? {
        return Err(Error::from(Conflict::KeyChanged));
    }
    for generation in generations
        .iter()
        .filter(|generation| generation.id != switch.new.id)
    {
        match generation.state {
            CredentialState::Active => replace(tx, switch, generation, deletion)?,
            // Its grace is cut short; its user's removal is on record for the end of it.
            CredentialState::Retiring { .. } => {
                let ended = generation.state.end(now, EndReason::Rotated);
                credentials::set_state(tx, &generation.id, ended)?;
                idp_operations::expedite_deletion(tx, &generation.id, now)?;
            }
            // Being made by another call, which will find that it lost.
            CredentialState::Pending | CredentialState::Ended { .. } => {}
        }
    }
    idp_operations::finish(tx, &switch.creation.id, now)?;
    let dead_answers: Vec<CredentialId> =
        generations.iter().map(|generation| generation.id).collect();
    idempotency::erase(tx, &dead_answers)?;
    tx.changed(Change::Key {
        key: key.id,
        user_names: names(&generations),
    });
    audit::append(tx, &switch.event)?;
    Ok(true)
}

/// The generation that was active stops, at once or at the end of its grace, and so does its user.
fn replace(
    tx: &mut store::Transaction<'_>,
    switch: &Switch,
    generation: &Credential,
    deletion: OperationId,
) -> Result<(), store::Error> {
    let now = switch.now;
    let (state, next_try_at) = match switch.retires_at {
        Some(until) => (CredentialState::Retiring { until }, until),
        None => (generation.state.end(now, EndReason::Rotated), now),
    };
    credentials::set_state(tx, &generation.id, state)?;
    let deletion = Operation {
        id: deletion,
        kind: OperationKind::Delete,
        credential_id: generation.id,
        user_name: generation.user_name,
        next_try_at,
        attempts: 0,
        ..switch.creation.clone()
    };
    idp_operations::insert(tx, &deletion, now)
}
