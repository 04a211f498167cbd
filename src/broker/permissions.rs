//! The permissions of API resources: made, shown and removed, never changed. They belong to the deployment.

use serde_json::json;

use super::applications::NAMED;
use super::idempotency::Keep;
use super::{Broker, Caller, Conflict, Error, audit, carriage};
use crate::domain::audit::Origin;
use crate::domain::id::{PermissionId, ResourceId};
use crate::domain::permission::Permission;
use crate::domain::scope::ScopeToken;
use crate::store::{self, Change, Place, permission_users, resources};

/// A permission to be made.
#[derive(Clone, Debug)]
pub struct NewPermission {
    /// Its name, the scope.
    pub name: ScopeToken,
    /// What it lets do.
    pub description: Option<String>,
}

impl Broker {
    /// A page of a resource's permissions, newest first; of those that the caller's organization may use.
    ///
    /// # Errors
    /// No such resource, or nothing of it is for the caller's organization.
    pub async fn permissions(
        &self,
        id: ResourceId,
        caller: &Caller,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Permission>, Error> {
        self.resource_with_permissions(id, caller).await?;
        let within = self.allowance_of(caller, "resources:read").await?;
        let page = move |connection: &mut store::Connection| {
            resources::permissions(connection, (&id, &within), after.as_ref(), limit)
        };
        Ok(self.store.read(page).await?)
    }

    /// One permission of a resource.
    ///
    /// # Errors
    /// Not there, or not for the caller's organization.
    pub async fn permission(
        &self,
        resource: ResourceId,
        id: PermissionId,
        caller: &Caller,
    ) -> Result<Permission, Error> {
        let allowance = self.allowance_of(caller, "resources:read").await?;
        let found = self
            .store
            .read(move |connection| resources::find_permission(connection, &id))
            .await?;
        found
            .filter(|permission| permission.resource_id == resource && allowance.holds(&id))
            .ok_or(Error::NotFound)
    }

    /// Adds a permission to a resource.
    ///
    /// # Errors
    /// No such resource, a reserved one, or a name that it has already.
    pub async fn create_permission(
        &self,
        resource: ResourceId,
        new: NewPermission,
        caller: &Caller,
        origin: Origin,
        keep: Option<Keep<'_, Permission>>,
    ) -> Result<Permission, Error> {
        caller.runs_the_deployment()?;
        let found = self.changeable(resource, |_| true).await?;
        let permission = self.new_permission(resource, new);
        let details = json!({"resource": found.identifier, "name": permission.name});
        let event = self.event(
            &origin,
            "permission.created",
            permission.id.as_str(),
            None,
            details,
        );
        let kept = self.kept(keep, &permission, None)?;
        let (written, carriers) = (permission.clone(), self.carriers());
        let added = self.store.write(move |tx| {
            if !resources::count_change(tx, &resource, written.created_at)? {
                return Ok(false);
            }
            resources::insert_permission(tx, &written)?;
            carriage::want(tx, &carriers, &found.identifier, written.created_at)?;
            if let Some(kept) = &kept {
                kept.write(tx)?;
            }
            tx.changed(Change::Catalogue);
            audit::append(tx, &event)?;
            Ok::<_, store::Error>(true)
        });
        if added.await.map_err(taken)? {
            self.work.notify_one();
            Ok(permission)
        } else {
            Err(Error::NotFound)
        }
    }

    /// Removes a permission; whoever uses it loses it at once, if that is asked for.
    ///
    /// # Errors
    /// Not there, of a reserved resource, or in use; by whom.
    pub async fn delete_permission(
        &self,
        resource: ResourceId,
        id: PermissionId,
        cascade: bool,
        caller: &Caller,
        origin: Origin,
    ) -> Result<(), Error> {
        caller.runs_the_deployment()?;
        let permission = self.permission(resource, id, caller).await?;
        let found = self.changeable(resource, |_| true).await?;
        let details = json!({
            "resource": found.identifier, "name": permission.name, "cascade": cascade,
        });
        let event = self.event(&origin, "permission.deleted", id.as_str(), None, details);
        let (now, carriers) = (event.at, self.carriers());
        let deleted = self.store.write(move |tx| {
            if !cascade {
                let users = permission_users::of_permission(tx, &id, NAMED)?;
                if !users.is_empty() {
                    return Err(Conflict::PermissionInUse(users).into());
                }
            }
            if !resources::delete_permission(tx, &id)? {
                return Ok(false);
            }
            resources::count_change(tx, &resource, now)?;
            carriage::want(tx, &carriers, &found.identifier, now)?;
            tx.changed(Change::Catalogue);
            audit::append(tx, &event)?;
            Ok::<_, Error>(true)
        });
        if deleted.await? {
            self.work.notify_one();
            Ok(())
        } else {
            Err(Error::NotFound)
        }
    }

    pub(super) fn new_permission(&self, resource_id: ResourceId, new: NewPermission) -> Permission {
        Permission {
            id: PermissionId::generate(&*self.random),
            resource_id,
            name: new.name,
            description: new.description,
            created_at: self.now(),
        }
    }
}

fn taken(error: store::Error) -> Error {
    if error.conflicts_with("permissions.resource_id_name") {
        Conflict::PermissionExists.into()
    } else {
        error.into()
    }
}
