//! Organizations: made, shown, changed and removed.

use jiff::Timestamp;
use serde_json::json;

use super::idempotency::Keep;
use super::keys::{gone, in_words};
use super::{Broker, Caller, Conflict, Error, audit};
use crate::domain::audit::Origin;
use crate::domain::id::OrganizationId;
use crate::domain::metadata::Metadata;
use crate::domain::organization::{Organization, OwnerGone, Slug};
use crate::domain::permission::Permissions;
use crate::store::{self, Change, Place, organizations};

/// An organization to be made.
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// What people call it.
    pub name: String,
    /// Its short name.
    pub slug: Option<Slug>,
    /// What people hang on it.
    pub metadata: Metadata,
    /// All that its keys may use; as the deployment's configuration says, if nothing is said.
    pub permissions: Option<Permissions>,
    /// How many keys it may have.
    pub max_keys: Option<u32>,
    /// What becomes of the keys of a member who leaves.
    pub owner_gone: OwnerGone,
}

/// An organization as it is shown, in words.
#[derive(Clone, Debug)]
pub struct ShownOrganization {
    /// What is on record.
    pub organization: Organization,
    /// All that its keys may use; `None`: everything.
    pub permissions: Option<Permissions>,
}

/// What is to change; `None` leaves it, `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct OrganizationChange {
    /// What people call it.
    pub name: Option<String>,
    /// Its short name.
    pub slug: Option<Option<Slug>>,
    /// What people hang on it.
    pub metadata: Option<Metadata>,
    /// Whether all its keys are paused.
    pub disabled: Option<bool>,
    /// How many keys it may have.
    pub max_keys: Option<Option<u32>>,
    /// What becomes of the keys of a member who leaves.
    pub owner_gone: Option<OwnerGone>,
}

impl Broker {
    /// Makes one.
    ///
    /// # Errors
    /// A slug that is taken; a caller who is bound to an organization.
    pub async fn create_organization(
        &self,
        new: NewOrganization,
        caller: &Caller,
        origin: Origin,
        keep: Option<Keep<'_, ShownOrganization>>,
    ) -> Result<ShownOrganization, Error> {
        caller.runs_the_deployment()?;
        let permissions = match new.permissions {
            Some(permissions) => Some(self.resolve(&permissions).await?.0),
            None => self.default_ceiling().await?,
        };
        let now = self.now();
        let organization = Organization {
            id: OrganizationId::generate(&*self.random),
            name: new.name,
            slug: new.slug,
            metadata: new.metadata,
            disabled_at: None,
            permissions,
            max_keys: new.max_keys,
            owner_gone: new.owner_gone,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let shown = self.show_organization(organization).await?;
        let organization = &shown.organization;
        let details = json!({
            "name": organization.name, "slug": organization.slug, "max_keys": organization.max_keys,
            "permissions": shown.permissions.as_ref().map(in_words), "owner_gone": organization.owner_gone,
        });
        let id = organization.id;
        let event = self.event(
            &origin,
            "organization.created",
            id.as_str(),
            Some(id),
            details,
        );
        let kept = self.kept(keep, &shown, None)?;
        let written = organization.clone();
        self.store
            .write(move |tx| {
                organizations::insert(tx, &written)?;
                if let Some(kept) = &kept {
                    kept.write(tx)?;
                }
                audit::append(tx, &event)
            })
            .await
            .map_err(taken)?;
        Ok(shown)
    }

    pub(super) async fn show_organization(
        &self,
        organization: Organization,
    ) -> Result<ShownOrganization, Error> {
        let catalogue = self.catalogue().await?;
        let permissions = organization.permissions.as_ref();
        Ok(ShownOrganization {
            permissions: permissions.map(|ids| catalogue.policy(ids).permissions()),
            organization,
        })
    }

    /// One of them in words.
    ///
    /// # Errors
    /// Not there, or not the caller's.
    pub async fn shown_organization(
        &self,
        id: OrganizationId,
        caller: &Caller,
    ) -> Result<ShownOrganization, Error> {
        let found = self.organization(id, caller).await?;
        self.show_organization(found).await
    }

    /// One of them.
    ///
    /// # Errors
    /// Not there, or not the caller's.
    pub(super) async fn organization(
        &self,
        id: OrganizationId,
        caller: &Caller,
    ) -> Result<Organization, Error> {
        caller.sees(&id)?;
        self.store
            .read(move |connection| organizations::find(connection, &id))
            .await?
            .ok_or(Error::NotFound)
    }

    /// A page of them, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn organizations(
        &self,
        caller: &Caller,
        text: Option<String>,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<ShownOrganization>, Error> {
        let only = caller.organizations("organizations:read");
        let page = move |connection: &mut store::Connection| {
            let narrowed = (only.as_deref(), text.as_deref());
            organizations::list(connection, narrowed, after.as_ref(), limit)
        };
        let found = self.store.read(page).await?;
        let catalogue = self.catalogue().await?;
        let shown = |organization: Organization| {
            let permissions = organization.permissions.as_ref();
            ShownOrganization {
                permissions: permissions.map(|ids| catalogue.policy(ids).permissions()),
                organization,
            }
        };
        Ok(found.into_iter().map(shown).collect())
    }

    /// Changes one, if it still has the version that the caller saw.
    ///
    /// # Errors
    /// Not there, changed since, or a slug that is taken.
    pub async fn update_organization(
        &self,
        id: OrganizationId,
        change: OrganizationChange,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<ShownOrganization, Error> {
        caller.administers(&id)?;
        if change.disabled.is_some() || change.max_keys.is_some() {
            caller.runs_the_deployment()?;
        }
        if change.disabled == Some(false) && !caller.is_operator() {
            // Each of its keys would live again, whatever it may do.
            let detail = "an organization's pause is ended by an operator alone".to_owned();
            return Err(Error::WouldWiden(detail));
        }
        // Another change may come between reading and writing. Whoever named no version meant what is there then.
        loop {
            let before = self.organization(id, caller).await?;
            if !expected(before.version) {
                return Err(Error::Stale);
            }
            let after = change.clone().made_to(&before, self.now());
            if self.write_organization(&before, &after, &origin).await? {
                let version = after.version + 1;
                return self
                    .show_organization(Organization { version, ..after })
                    .await;
            }
        }
    }

    /// Writes a changed one; `false` if it is not as it was before any more.
    async fn write_organization(
        &self,
        before: &Organization,
        after: &Organization,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let id = after.id;
        let details = json!({
            "name": after.name, "slug": after.slug, "disabled": after.disabled_at.is_some(), "max_keys": after.max_keys,
            "owner_gone": after.owner_gone,
        });
        let event = self.event(
            origin,
            "organization.updated",
            id.as_str(),
            Some(id),
            details,
        );
        let pause_changed = before.disabled_at != after.disabled_at;
        let written = after.clone();
        let updated = self.store.write(move |tx| {
            if !organizations::update(tx, &written)? {
                return Ok(false);
            }
            if pause_changed {
                tx.changed(Change::Organization(id));
            }
            audit::append(tx, &event)?;
            Ok::<_, store::Error>(true)
        });
        updated.await.map_err(taken)
    }

    /// Removes one whose keys are all revoked, with the records of those keys.
    ///
    /// # Errors
    /// Not there, changed since, or with keys that live.
    pub async fn delete_organization(
        &self,
        id: OrganizationId,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<(), Error> {
        caller.sees(&id)?;
        caller.runs_the_deployment()?;
        loop {
            let found = self.organization(id, caller).await?;
            if !expected(found.version) {
                return Err(Error::Stale);
            }
            match self.remove_organization(found, &origin).await? {
                Removal::Done => return Ok(()),
                Removal::NotEmpty => return Err(Conflict::OrganizationNotEmpty.into()),
                Removal::HasApplications(ids) => {
                    return Err(Conflict::OrganizationHasApplications(ids).into());
                }
                Removal::Changed => {}
            }
        }
    }

    async fn remove_organization(
        &self,
        found: Organization,
        origin: &Origin,
    ) -> Result<Removal, Error> {
        let id = found.id;
        let event = self.event(
            origin,
            "organization.deleted",
            id.as_str(),
            Some(id),
            json!({"name": found.name}),
        );
        let removal = self.store.write(move |tx| {
            if !organizations::lock_as_read(tx, &found)? {
                return Ok(Removal::Changed);
            }
            if organizations::has_live_keys(tx, &id)? {
                return Ok(Removal::NotEmpty);
            }
            let applications = store::applications::of_organization(tx, &id)?;
            if !applications.is_empty() {
                let named = applications.iter().take(super::applications::NAMED);
                return Ok(Removal::HasApplications(
                    named.map(ToString::to_string).collect(),
                ));
            }
            store::api_keys::delete_of_organization(tx, &id)?;
            organizations::delete(tx, &id)?;
            tx.changed(Change::Organization(id));
            audit::append(tx, &event)?;
            Ok::<_, store::Error>(Removal::Done)
        });
        match removal.await {
            // A key was made in it at the same moment.
            Err(error) if error.conflicts_with(store::FOREIGN_KEY) => Ok(Removal::NotEmpty),
            removal => Ok(removal?),
        }
    }
}

/// What became of a removal.
enum Removal {
    Done,
    NotEmpty,
    HasApplications(Vec<String>),
    Changed,
}

impl OrganizationChange {
    fn made_to(self, before: &Organization, now: Timestamp) -> Organization {
        Organization {
            name: self.name.unwrap_or_else(|| before.name.clone()),
            slug: self.slug.unwrap_or_else(|| before.slug.clone()),
            metadata: self.metadata.unwrap_or_else(|| before.metadata.clone()),
            disabled_at: match self.disabled {
                None => before.disabled_at,
                Some(true) => before.disabled_at.or(Some(now)),
                Some(false) => None,
            },
            max_keys: self.max_keys.unwrap_or(before.max_keys),
            owner_gone: self.owner_gone.unwrap_or(before.owner_gone),
            updated_at: now,
            ..before.clone()
        }
    }
}

fn taken(error: store::Error) -> Error {
    if error.conflicts_with("organizations.slug") {
        Conflict::SlugTaken.into()
    } else {
        gone(error, "permissions")
    }
}
