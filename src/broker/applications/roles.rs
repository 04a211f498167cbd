//! The roles of an application, which are all that it may do.

use serde_json::json;

use super::change::write;
use super::{ShownApplication, sorted};
use crate::broker::grantor::Grantor;
use crate::broker::keys::gone;
use crate::broker::{Broker, Caller, Error, ShownRole};
use crate::domain::application::Application;
use crate::domain::audit::Origin;
use crate::domain::id::{ApplicationId, RoleId};
use crate::domain::role::{Role, RoleKind};
use crate::store::{Connection, Place, rights, roles};

impl Broker {
    /// Replaces its roles, or adds some, or takes one away: what `change` makes of those that it has.
    ///
    /// # Errors
    /// Not there, changed since, no such roles, or more than the caller holds.
    pub async fn set_application_roles(
        &self,
        id: ApplicationId,
        change: impl Fn(&[RoleId]) -> Result<Vec<RoleId>, Error>,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<ShownApplication, Error> {
        loop {
            let before = self.changeable_application(id, caller, &expected).await?;
            let after = Application {
                roles: sorted(change(&before.roles)?),
                updated_at: self.now(),
                ..before.clone()
            };
            if after.roles == before.roles {
                return self.application(id, caller).await;
            }
            let catalogue = self.catalogue().await?;
            let grantor = caller.grantor("applications:write", &catalogue, self.now());
            let event = self.event(
                &origin,
                "application.roles_changed",
                id.as_str(),
                after.organization_id,
                json!({"roles": after.roles}),
            );
            let updated = self.store.write(move |tx| {
                check_new_roles(tx, &grantor, &before, &after)?;
                write(tx, &after, &event)
            });
            if updated.await.map_err(|error| match error {
                Error::Store(error) => gone(error, "roles"),
                error => error,
            })? {
                return self.application(id, caller).await;
            }
        }
    }

    /// A page of its roles, newest first.
    ///
    /// # Errors
    /// Not there, or not the caller's.
    pub async fn application_roles(
        &self,
        id: ApplicationId,
        caller: &Caller,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<ShownRole>, Error> {
        let ids = self.application(id, caller).await?.application.roles;
        let mut found = self
            .store
            .read(move |connection| roles::find_all(connection, &ids))
            .await?;
        found.sort_by_key(|role| std::cmp::Reverse((role.created_at, role.id)));
        let catalogue = self.catalogue().await?;
        let is_after = |role: &Role| {
            let place = after.as_ref();
            place.is_none_or(|place| {
                (role.created_at, role.id.as_str()) < (place.at, place.id.as_str())
            })
        };
        let page = found.into_iter().filter(is_after).take(limit);
        Ok(page
            .map(|role| ShownRole {
                permissions: catalogue.policy(&role.permissions).permissions(),
                role,
            })
            .collect())
    }
}

/// Those of these roles, held as they are until the transaction ends; all must be for machines.
pub(super) fn machine_roles(tx: &mut Connection, ids: &[RoleId]) -> Result<Vec<Role>, Error> {
    for id in ids {
        rights::hold_role(tx, id.as_str())?;
    }
    let found = roles::find_all(tx, ids)?;
    for (index, id) in ids.iter().enumerate() {
        let role = found.iter().find(|role| role.id == *id);
        if role.is_none_or(|role| role.kind != RoleKind::MachineToMachine) {
            return Err(Error::invalid(
                format!("roles[{index}]"),
                "there is no such machine_to_machine role",
            ));
        }
    }
    Ok(found)
}

fn check_new_roles(
    tx: &mut Connection,
    grantor: &Grantor,
    before: &Application,
    after: &Application,
) -> Result<(), Error> {
    let all = machine_roles(tx, &after.roles)?;
    let given: Vec<Role> = all
        .into_iter()
        .filter(|role| !before.roles.contains(&role.id))
        .collect();
    if given.is_empty() {
        // To narrow is always allowed.
        return Ok(());
    }
    grantor.check_application(tx, after, &given, Some(&after.id))
}
