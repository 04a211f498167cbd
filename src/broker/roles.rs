//! Roles: made, shown, changed and removed. They belong to the deployment; an organization sees those that it may use whole.

use serde_json::json;

use super::idempotency::Keep;
use super::keys::in_words;
use super::{Broker, Caller, Conflict, Error, audit};
use crate::domain::audit::Origin;
use crate::domain::id::{PermissionId, RoleId};
use crate::domain::permission::Permissions;
use crate::domain::role::{Role, RoleKind};
use crate::store::{self, Change, Place, roles};

/// How many of those who hold a role an answer names.
const NAMED: usize = 10;

/// A role to be made.
#[derive(Clone, Debug)]
pub struct NewRole {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who can hold it.
    pub kind: RoleKind,
    /// What it bundles.
    pub permissions: Permissions,
}

/// What is to change; `None` leaves it, `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct RoleChange {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// What it bundles.
    pub permissions: Option<Permissions>,
}

/// A role as it is shown, in words.
#[derive(Clone, Debug)]
pub struct ShownRole {
    /// What is on record.
    pub role: Role,
    /// What it bundles.
    pub permissions: Permissions,
}

impl Broker {
    /// Makes one.
    ///
    /// # Errors
    /// A name that is taken, permissions that do not exist, a caller who is bound to an organization.
    pub async fn create_role(
        &self,
        new: NewRole,
        caller: &Caller,
        origin: Origin,
        keep: Option<Keep<'_, ShownRole>>,
    ) -> Result<ShownRole, Error> {
        caller.runs_the_deployment()?;
        let (ids, catalogue) = self.resolve(&new.permissions).await?;
        let now = self.now();
        let grantor = caller.grantor("roles:write", &catalogue, now);
        let role = Role {
            id: RoleId::generate(&*self.random),
            name: new.name,
            description: new.description,
            kind: new.kind,
            permissions: ids,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let details = json!({"name": role.name, "kind": role.kind, "permissions": in_words(&new.permissions)});
        let event = self.event(&origin, "role.created", role.id.as_str(), None, details);
        let shown = ShownRole {
            role,
            permissions: new.permissions,
        };
        let kept = self.kept(keep, &shown, None)?;
        let written = shown.role.clone();
        let made = self.store.write(move |tx| {
            grantor.check_given(tx, &written.permissions)?;
            roles::insert(tx, &written)?;
            if let Some(kept) = &kept {
                kept.write(tx)?;
            }
            Ok::<_, Error>(audit::append(tx, &event)?)
        });
        made.await.map_err(taken)?;
        Ok(shown)
    }

    /// One of them.
    ///
    /// # Errors
    /// Not there, or not for the caller's organization.
    pub async fn role(&self, id: RoleId, caller: &Caller) -> Result<ShownRole, Error> {
        let allowance = self.allowance_of(caller, "roles:read").await?;
        let found = self
            .store
            .read(move |connection| roles::find(connection, &id))
            .await?;
        let role = found
            .filter(|role| role.permissions.iter().all(|id| allowance.holds(id)))
            .ok_or(Error::NotFound)?;
        self.show_role(role).await
    }

    /// A page of them, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn roles(
        &self,
        caller: &Caller,
        (kind, text): (Option<RoleKind>, Option<String>),
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<ShownRole>, Error> {
        let within = self.allowance_of(caller, "roles:read").await?;
        let page = move |connection: &mut store::Connection| {
            let narrowed = (kind, text.as_deref(), &within);
            roles::list(connection, narrowed, after.as_ref(), limit)
        };
        let found = self.store.read(page).await?;
        let catalogue = self.catalogue().await?;
        let shown = |role: Role| ShownRole {
            permissions: catalogue.policy(&role.permissions).permissions(),
            role,
        };
        Ok(found.into_iter().map(shown).collect())
    }

    /// Changes one, if it still has the version that the caller saw. What its holders and their keys may do follows at once.
    ///
    /// # Errors
    /// Not there, changed since, a name that is taken, permissions that do not exist.
    pub async fn update_role(
        &self,
        id: RoleId,
        change: RoleChange,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<ShownRole, Error> {
        caller.runs_the_deployment()?;
        let permissions = match &change.permissions {
            Some(permissions) => Some(self.resolve(permissions).await?.0),
            None => None,
        };
        // Another change may come between reading and writing. Whoever named no version meant what is there then.
        loop {
            let before = self.role(id, caller).await?.role;
            if !expected(before.version) {
                return Err(Error::Stale);
            }
            let before_permissions = before.permissions.clone();
            let after = Role {
                name: change.name.clone().unwrap_or(before.name),
                description: change.description.clone().unwrap_or(before.description),
                permissions: permissions.clone().unwrap_or(before.permissions),
                updated_at: self.now(),
                ..before
            };
            let added: Vec<PermissionId> = after
                .permissions
                .iter()
                .filter(|id| !before_permissions.contains(id))
                .copied()
                .collect();
            let catalogue = self.catalogue().await?;
            let grantor = caller.grantor("roles:write", &catalogue, self.now());
            let shown = self.show_role(after.clone()).await?;
            let details = json!({"name": after.name, "permissions": in_words(&shown.permissions)});
            let event = self.event(&origin, "role.updated", id.as_str(), None, details);
            let updated = self.store.write(move |tx| {
                if !added.is_empty() {
                    grantor.check_given(tx, &added)?;
                }
                if !roles::update(tx, &after)? {
                    return Ok(false);
                }
                tx.changed(Change::Catalogue);
                audit::append(tx, &event)?;
                Ok::<_, Error>(true)
            });
            if updated.await.map_err(taken)? {
                let role = Role {
                    version: shown.role.version + 1,
                    ..shown.role
                };
                return Ok(ShownRole { role, ..shown });
            }
        }
    }

    /// Removes one that nobody holds; whoever does loses it, if that is asked for.
    ///
    /// # Errors
    /// Not there, changed since, or held; by whom.
    pub async fn delete_role(
        &self,
        id: RoleId,
        cascade: bool,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<(), Error> {
        caller.runs_the_deployment()?;
        // Another change may come between reading and removing. Whoever named no version meant what is there then.
        loop {
            let found = self.role(id, caller).await?.role;
            if !expected(found.version) {
                return Err(Error::Stale);
            }
            let details = json!({"name": found.name, "cascade": cascade});
            let event = self.event(&origin, "role.deleted", id.as_str(), None, details);
            let deleted = self.store.write(move |tx| {
                let holders = roles::holders(tx, &id, NAMED)?;
                if !holders.is_empty() {
                    if !cascade {
                        return Err(Error::from(Conflict::RoleInUse(holders)));
                    }
                    roles::take_from_all(tx, &id)?;
                    tx.changed(Change::Catalogue);
                }
                if !roles::delete(tx, &found)? {
                    // Nothing of it is done, also what was taken from its holders.
                    return Err(Error::Stale);
                }
                Ok(audit::append(tx, &event)?)
            });
            match deleted.await {
                Ok(()) => return Ok(()),
                Err(Error::Stale) => {}
                // It was given to somebody at the same moment.
                Err(Error::Store(error)) if error.conflicts_with(store::FOREIGN_KEY) => {
                    let holders = self
                        .store
                        .read(move |connection| roles::holders(connection, &id, NAMED))
                        .await?;
                    return Err(Conflict::RoleInUse(holders).into());
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn show_role(&self, role: Role) -> Result<ShownRole, Error> {
        let catalogue = self.catalogue().await?;
        Ok(ShownRole {
            permissions: catalogue.policy(&role.permissions).permissions(),
            role,
        })
    }
}

fn taken(error: Error) -> Error {
    match error {
        Error::Store(error) if error.conflicts_with("roles.name") => Conflict::RoleNameTaken.into(),
        Error::Store(error) => super::keys::gone(error, "permissions"),
        error => error,
    }
}
