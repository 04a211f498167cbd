//! A key is rotated: a new generation with its own user, then in one transaction the new one lives and the old one stops.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::generation::{AtProvider, Draft};
use super::{IssuedKey, names, show};
use crate::broker::grantor::Grantor;
use crate::broker::idempotency::Keep;
use crate::broker::{Broker, Caller, Conflict, Error, audit};
use crate::domain::api_key::ApiKey;
use crate::domain::audit::{AuditEvent, Origin};
use crate::domain::credential::Credential;
use crate::domain::id::{CredentialId, KeyId, OperationId};
use crate::domain::lifecycle::{CredentialState, EndReason};
use crate::domain::permission::Permissions;
use crate::store::api_keys::{self, StoredKey};
use crate::store::idp_claims::{self, Ending};
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
    grantor: Option<Grantor>,
    old: CredentialId,
    new: Credential,
    at: AtProvider,
    retires_at: Option<Timestamp>,
    creation: Operation,
    event: AuditEvent,
    now: Timestamp,
}

/// A rotation of a key as it was read, by somebody who was let in.
pub(super) struct Rotating<'a> {
    /// The key, and its generation that is to be replaced.
    pub(super) stored: StoredKey,
    /// Who must hold what the key does, since the new one is handed to him; the key's own holder has it already.
    pub(super) grantor: Option<Grantor>,
    /// All that the new user may do at its provider, where that is less than our record says.
    pub(super) at_most: Option<Permissions>,
    /// How.
    pub(super) rotation: Rotation,
    /// Whose doing it is.
    pub(super) origin: Origin,
    /// What is kept of the answer.
    pub(super) keep: Option<Keep<'a, IssuedKey>>,
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
        (expected, keep): (impl Fn(i64) -> bool, Option<Keep<'_, IssuedKey>>),
    ) -> Result<IssuedKey, Error> {
        let stored = self.stored_key(id).await?;
        caller.sees_key(&stored.key)?;
        stored.key.lifecycle.rotatable(self.now())?;
        if !expected(stored.key.epoch) {
            return Err(Error::Stale);
        }
        let catalogue = self.catalogue().await?;
        let grantor = caller.grantor("keys:write", &catalogue, self.now());
        self.rotate(Rotating {
            stored,
            grantor: Some(grantor),
            at_most: None,
            rotation,
            origin,
            keep,
        })
        .await
        .map_err(|error| super::outrun_by(error, expected))
    }

    /// Makes the new generation and lets it take the place of the old one, or leaves nothing of it.
    pub(super) async fn rotate(&self, rotating: Rotating<'_>) -> Result<IssuedKey, Error> {
        let old = rotating.stored.active.as_ref();
        let old = old.ok_or(Conflict::KeyChanged)?.id;
        let draft = self.draft(&rotating.stored.key)?;
        self.intend_generation(&rotating.stored.key, &draft, rotating.grantor.clone())
            .await?;
        match self.switch(rotating, old, &draft).await {
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
        grantor: Option<Grantor>,
    ) -> Result<(), Error> {
        let key = key.clone();
        let (credential, operation, now) = (
            draft.credential.clone(),
            draft.operation.clone(),
            self.now(),
        );
        let since = self.secrets_since();
        let written = self.store.write(move |tx| {
            if let Some(grantor) = &grantor {
                grantor.check_key(tx, &key)?;
            }
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
        rotating: Rotating<'_>,
        old: CredentialId,
        draft: &Draft,
    ) -> Result<super::ShownKey, Error> {
        let Rotating {
            stored,
            grantor,
            at_most,
            rotation,
            origin,
            keep,
        } = rotating;
        let catalogue = self.catalogue().await?;
        let policy = catalogue.policy(&stored.key.permissions);
        let mut permissions = policy.permissions_elsewhere();
        if let Some(at_most) = &at_most {
            permissions = permissions.intersection(at_most);
        }
        let made = (&stored.key, stored.owner.as_ref());
        let mut at = self
            .make_user(made, draft, (&permissions, Duration::ZERO))
            .await?;
        at.rights.granted = at_most.map(|_| permissions);
        let now = self.now();
        let grace = (rotation.grace > SignedDuration::ZERO)
            .then(|| whole_second_after(now, rotation.grace))
            .flatten();
        let id = stored.key.id;
        let new = Credential {
            state: CredentialState::Active,
            subject: Some(at.subject.clone()),
            ..draft.credential.clone()
        };
        let details = json!({"generation": new.id, "replaced": old, "retires_at": grace});
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
            old,
            grantor,
            new,
            at,
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
    if let Some(grantor) = &switch.grantor {
        grantor.check_key(tx, key)?;
    }
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
    let subject = (switch.at.subject.as_str(), switch.at.sealed.as_deref());
    if !credentials::activate(tx, &switch.new.id, subject, &switch.at.rights)? {
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
    if idp_claims::finish(tx, &switch.creation, (now, now), Duration::ZERO)? == Ending::Lost {
        return Err(Error::from(Conflict::KeyChanged));
    }
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
    let at = (&switch.creation.provider, generation);
    let deletion = Operation::new(deletion, OperationKind::Delete, at, next_try_at);
    idp_operations::insert(tx, &deletion, now)
}
