//! Keys: issued, shown, changed, rotated, revoked.
//!
//! The order is always the same: what is to happen at a provider is written down first, then it is asked. A key is shown once, when
//! both agree; what is half made was shown to nobody and is undone. Stopping and narrowing never wait for a provider.

mod alignment;
mod bulk_revoke;
mod change;
mod create;
mod explain;
mod generation;
mod owner;
mod permissions;
mod repair;
mod revoke;
mod rotate;
mod rotate_own;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

pub(super) use self::alignment::follow;
pub use self::bulk_revoke::ManyKeys;
pub use self::change::KeyChange;
pub use self::create::NewKey;
pub use self::explain::{Check, Explanation};
pub use self::owner::OwnerName;
pub(super) use self::permissions::narrow;
pub use self::revoke::Leaked;
pub use self::rotate::Rotation;
pub use self::rotate_own::RotatingHolder;
use super::authentication::Refusal;
use super::catalogue::Catalogue;
use super::{Broker, Caller, Conflict, Error, Record};
use crate::domain::id::{KeyId, OrganizationId, PermissionId};
use crate::domain::lifecycle::KeyStatus;
use crate::domain::permission::Permissions;
use crate::domain::plaintext_key::PlaintextKey;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeToken;
use crate::store::api_keys::{self, Filter, StoredKey};
pub use crate::store::bulk_revocation::Selection;
use crate::store::key_usage::{self, DailyUse};
use crate::store::{self, Place};

/// A key as it is shown, in words.
#[derive(Clone, Debug)]
pub struct ShownKey {
    /// What is on record.
    pub stored: StoredKey,
    /// What it may do.
    pub permissions: Permissions,
    /// The resource meant when none is named.
    pub default_resource: Option<ResourceIdentifier>,
    /// What it is now.
    pub status: KeyStatus,
    /// What its provider grants beyond the record, as it said last.
    pub drift: Permissions,
}

/// A key just made or rotated: shown with its secret this once.
pub struct IssuedKey {
    /// What is on record.
    pub shown: ShownKey,
    /// The key itself.
    pub key: PlaintextKey,
}

/// What a list of keys is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    /// Keys of this organization.
    pub organization: Option<OrganizationId>,
    /// Keys of this person.
    pub owner: Option<OwnerName>,
    /// Keys of this status now.
    pub status: Option<KeyStatus>,
    /// Keys whose name or id holds this.
    pub text: Option<String>,
}

/// Another call changed the key between the look and the write. Whoever named the version that he saw learns that it is stale; no
/// version has the number that is asked about here.
fn outrun(expected: impl Fn(i64) -> bool) -> Error {
    if expected(i64::MIN) {
        Conflict::KeyChanged.into()
    } else {
        Error::Stale
    }
}

/// The same, where that is one of the errors that something can end in.
fn outrun_by(error: Error, expected: impl Fn(i64) -> bool) -> Error {
    match error {
        Error::Conflict(Conflict::KeyChanged) => outrun(expected),
        error => error,
    }
}

impl Broker {
    /// One key.
    ///
    /// # Errors
    /// Not there, or not the caller's.
    pub async fn key(&self, id: KeyId, caller: &Caller) -> Result<ShownKey, Error> {
        let stored = self.stored_key(id).await?;
        caller.sees_key(&stored.key)?;
        Ok(show(stored, &*self.catalogue().await?, self.now()))
    }

    /// The key that a proven record stands for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn own_key(&self, record: &Record) -> Result<ShownKey, Refusal> {
        let id = record.key_id();
        let stored = self
            .store
            .read(move |connection| api_keys::find(connection, &id))
            .await?;
        let catalogue = self.catalogue().await?;
        Ok(show(
            stored.ok_or(Refusal::Unknown)?,
            &catalogue,
            self.now(),
        ))
    }

    /// A page of the figures of a key, the newest day first, and when it was last traded.
    ///
    /// # Errors
    /// Not there, not the caller's, or the database does not answer.
    pub async fn key_usage(
        &self,
        id: KeyId,
        caller: &Caller,
        after: Option<Place>,
        limit: usize,
    ) -> Result<(Option<Timestamp>, Vec<DailyUse>), Error> {
        let stored = self.stored_key(id).await?;
        caller.sees_key(&stored.key)?;
        let rows = self
            .store
            .read(move |connection| key_usage::list(connection, &id, after.as_ref(), limit))
            .await?;
        Ok((stored.last_used_at, rows))
    }

    /// A page of keys, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keys(
        &self,
        caller: &Caller,
        filter: KeyFilter,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<ShownKey>, Error> {
        let now = self.now();
        let Some(filter) = self.stored_filter(caller, filter, now).await? else {
            return Ok(Vec::new());
        };
        let stored = self
            .store
            .read(move |connection| api_keys::list(connection, &filter, after.as_ref(), limit))
            .await?;
        let catalogue = self.catalogue().await?;
        Ok(stored
            .into_iter()
            .map(|stored| show(stored, &catalogue, now))
            .collect())
    }

    /// The filter as the store has it; `None` if nothing can fit.
    pub(super) async fn stored_filter(
        &self,
        caller: &Caller,
        filter: KeyFilter,
        now: Timestamp,
    ) -> Result<Option<Filter>, Error> {
        let owner = match filter.owner {
            None => None,
            Some(OwnerName::Id(id)) => Some(id),
            Some(OwnerName::Subject(subject)) => match self.user_by_subject(&subject).await? {
                Some(user) => Some(user.id),
                None => return Ok(None),
            },
        };
        let reach = caller.keys_in_reach(filter.organization);
        Ok(Some(Filter {
            organizations: reach.all,
            own: reach.own,
            owner,
            status: filter.status.map(|status| (status, Some(now))),
            text: filter.text,
        }))
    }

    async fn stored_key(&self, id: KeyId) -> Result<StoredKey, Error> {
        self.store
            .read(move |connection| api_keys::find(connection, &id))
            .await?
            .ok_or(Error::NotFound)
    }

    /// The ids of permissions in words; a pair that does not exist is named with its place in the request.
    pub(super) async fn resolve(
        &self,
        permissions: &Permissions,
    ) -> Result<(Vec<PermissionId>, Arc<Catalogue>), Error> {
        let catalogue = self.catalogue().await?;
        let mut ids = Vec::new();
        for (identifier, scopes) in permissions.iter() {
            let missing = |scope: Option<&ScopeToken>| Error::NoSuchPermission {
                resource: identifier.to_string(),
                scope: scope.map(ToString::to_string),
            };
            let resource = catalogue
                .resource(identifier)
                .ok_or_else(|| missing(None))?;
            for scope in scopes.iter() {
                ids.push(
                    catalogue
                        .permission(&resource.id, scope)
                        .ok_or_else(|| missing(Some(scope)))?,
                );
            }
        }
        ids.sort_unstable();
        Ok((ids, catalogue))
    }
}

/// The user names of generations, as the memory knows them.
pub(super) fn names(generations: &[crate::domain::credential::Credential]) -> Vec<String> {
    generations
        .iter()
        .map(|generation| generation.user_name.to_string())
        .collect()
}

pub(super) fn show(stored: StoredKey, catalogue: &Catalogue, now: Timestamp) -> ShownKey {
    let permissions = catalogue.policy(&stored.key.permissions).permissions();
    let default = stored
        .key
        .default_resource
        .and_then(|id| catalogue.resource_by_id(&id));
    ShownKey {
        permissions,
        default_resource: default.map(|resource| resource.identifier.clone()),
        status: stored.key.lifecycle.status(now),
        drift: drift(&stored, catalogue),
        stored,
    }
}

fn drift(stored: &StoredKey, catalogue: &Catalogue) -> Permissions {
    let rights = stored
        .active
        .as_ref()
        .and_then(|active| active.provider_rights.as_ref());
    let granted = rights.and_then(|rights| rights.granted.as_ref());
    let recorded = || catalogue.policy(&stored.key.permissions).permissions();
    granted
        .map(|granted| granted.without(&recorded()))
        .unwrap_or_default()
}

/// What an audit row tells of permissions.
pub(super) fn in_words(permissions: &Permissions) -> serde_json::Value {
    let map: BTreeMap<&str, _> = permissions
        .iter()
        .map(|(resource, scopes)| (resource.as_str(), scopes))
        .collect();
    serde_json::json!(map)
}

/// A store error that says that what the request refers to went meanwhile.
pub(super) fn gone(error: store::Error, field: &str) -> Error {
    if error.conflicts_with(store::FOREIGN_KEY) {
        Error::invalid(field, "refers to something that does not exist any more")
    } else {
        error.into()
    }
}
