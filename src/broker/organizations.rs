//! Organizations: made, shown, changed and removed.

use jiff::Timestamp;
use serde_json::json;

use super::idempotency::Keep;
use super::{Broker, Caller, Conflict, Error, audit};
use crate::domain::audit::Origin;
use crate::domain::id::OrganizationId;
use crate::domain::metadata::Metadata;
use crate::domain::organization::{Organization, Slug};
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
        keep: Option<Keep<'_, Organization>>,
    ) -> Result<Organization, Error> {
        caller.runs_the_deployment()?;
        let now = self.now();
        let organization = Organization {
            id: OrganizationId::generate(&*self.random),
            name: new.name,
            slug: new.slug,
            metadata: new.metadata,
            disabled_at: None,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let details = json!({"name": organization.name, "slug": organization.slug});
        let id = organization.id;
        let event = self.event(
            &origin,
            "organization.created",
            id.as_str(),
            Some(id),
            details,
        );
        let kept = self.kept(keep, &organization, None)?;
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
        Ok(organization)
    }

    /// One of them.
    ///
    /// # Errors
    /// Not there, or not the caller's.
    pub async fn organization(
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
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Organization>, Error> {
        let only = caller.organization_id;
        let page = move |connection: &mut store::Connection| {
            organizations::list(connection, only.as_ref(), after.as_ref(), limit)
        };
        Ok(self.store.read(page).await?)
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
    ) -> Result<Organization, Error> {
        caller.sees(&id)?;
        if change.disabled.is_some() {
            caller.runs_the_deployment()?;
        }
        // Another change may come between reading and writing. Whoever named no version meant what is there then.
        loop {
            let before = self.organization(id, caller).await?;
            if !expected(before.version) {
                return Err(Error::Stale);
            }
            let after = change.clone().made_to(&before, self.now());
            if self.write_organization(&before, &after, &origin).await? {
                return Ok(Organization {
                    version: after.version + 1,
                    ..after
                });
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
        let details = json!({"name": after.name, "slug": after.slug, "disabled": after.disabled_at.is_some()});
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
            let now = organizations::find(tx, &id)?;
            if now.is_none_or(|now| now.version != found.version) {
                return Ok(Removal::Changed);
            }
            if organizations::has_live_keys(tx, &id)? {
                return Ok(Removal::NotEmpty);
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
            updated_at: now,
            ..before.clone()
        }
    }
}

fn taken(error: store::Error) -> Error {
    if error.conflicts_with("organizations.slug") {
        Conflict::SlugTaken.into()
    } else {
        error.into()
    }
}
