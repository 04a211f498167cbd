//! What an organization may use at all: it bounds what its keys give, whatever they were given.

use serde_json::json;

use super::keys::{gone, in_words};
use super::{Broker, Caller, Error, ShownOrganization, audit};
use crate::domain::audit::Origin;
use crate::domain::id::{OrganizationId, PermissionId};
use crate::domain::organization::Organization;
use crate::domain::permission::Permissions;
use crate::store::{Change, organizations};

impl Broker {
    /// What the configuration lets organizations use that do not say; what of it does not exist is left out.
    pub(super) async fn default_ceiling(&self) -> Result<Option<Vec<PermissionId>>, Error> {
        let Some(permissions) = &self.settings.default_permissions else {
            return Ok(None);
        };
        let catalogue = self.catalogue().await?;
        let mut ids = Vec::new();
        for (identifier, scopes) in permissions.iter() {
            let Some(resource) = catalogue.resource(identifier) else {
                continue;
            };
            let known = |scope| catalogue.permission(&resource.id, scope);
            ids.extend(scopes.iter().filter_map(known));
        }
        ids.sort_unstable();
        Ok(Some(ids))
    }

    /// Replaces what its keys may use; `None`: everything. The next exchange of each follows.
    ///
    /// # Errors
    /// Not there, changed since, or permissions that do not exist; a caller who is bound to an organization.
    pub async fn set_organization_permissions(
        &self,
        id: OrganizationId,
        permissions: Option<Permissions>,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<ShownOrganization, Error> {
        caller.sees(&id)?;
        caller.runs_the_deployment()?;
        let ids = match &permissions {
            Some(permissions) => Some(self.resolve(permissions).await?.0),
            None => None,
        };
        loop {
            let before = self.organization(id, caller).await?;
            if !expected(before.version) {
                return Err(Error::Stale);
            }
            let before_permissions = before.permissions.clone();
            let after = Organization {
                permissions: ids.clone(),
                updated_at: self.now(),
                ..before
            };
            let details = json!({"permissions": permissions.as_ref().map(in_words)});
            let action = "organization.permissions_changed";
            let event = self.event(&origin, action, id.as_str(), Some(id), details);
            let catalogue = self.catalogue().await?;
            let grantor = caller.grantor("organizations:write", &catalogue, self.now());
            let (old, written) = (before_permissions, after.clone());
            let updated = self.store.write(move |tx| {
                match (&old, &written.permissions) {
                    (None, _) => {}
                    (Some(_), None) => grantor.check_everything()?,
                    (Some(old), Some(new)) => {
                        let added = new.iter().filter(|id| !old.contains(id));
                        let added: Vec<PermissionId> = added.copied().collect();
                        grantor.check_given(tx, &added)?;
                    }
                }
                if !organizations::update(tx, &written)? {
                    return Ok(false);
                }
                organizations::set_permissions(tx, &written)?;
                tx.changed(Change::Organization(id));
                audit::append(tx, &event)?;
                Ok::<_, Error>(true)
            });
            if updated.await.map_err(|error| match error {
                Error::Store(error) => gone(error, "permissions"),
                error => error,
            })? {
                let version = after.version + 1;
                return self
                    .show_organization(Organization { version, ..after })
                    .await;
            }
        }
    }
}
