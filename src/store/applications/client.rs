//! What a client is judged by: the application, its organization, its secrets, what it serves and what it may do.
//!
//! What it may do is one statement, so that all of it is of one moment: roles that were widened later are never met by a ceiling from
//! before a narrowing.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;

use crate::domain::application::{Application, StoredSecret};
use crate::domain::id::{ApplicationId, PermissionId, RoleId};
use crate::store::schema::{
    application_roles, applications, organization_permissions, organizations, role_permissions,
};
use crate::store::{Connection, Error, Timestamp, organizations as store_organizations, roles};

/// An application with all that decides what its client may do.
#[derive(Clone, Debug)]
pub struct StoredClient {
    /// The application.
    pub application: Application,
    /// Whether its organization is paused.
    pub organization_disabled: bool,
    /// Its secrets, the ended ones too.
    pub secrets: Vec<StoredSecret>,
    /// What its roles bundle, as far as its organization may use it; sorted.
    pub permissions: Vec<PermissionId>,
}

#[derive(Queryable)]
struct Row {
    organization: Option<(Option<Timestamp>, bool)>,
    permission: Option<String>,
    organization_has: Option<String>,
}

/// Applications with what they may do now, for whoever looks at them: what their roles bundle, as far as their organizations may use it.
pub fn with_permissions(
    connection: &mut Connection,
    applications: Vec<Application>,
) -> Result<Vec<(Application, Vec<PermissionId>)>, Error> {
    let ids = applications
        .iter()
        .flat_map(|application| &application.roles);
    let ids: BTreeSet<RoleId> = ids.copied().collect();
    let roles = roles::find_all(connection, &ids.into_iter().collect::<Vec<_>>())?;
    let mut ceilings = HashMap::new();
    for id in applications.iter().filter_map(|one| one.organization_id) {
        if let Entry::Vacant(vacant) = ceilings.entry(id) {
            let found = store_organizations::find(connection, &id)?;
            vacant.insert(found.and_then(|organization| organization.permissions));
        }
    }
    let permissions = |application: &Application| {
        let ceiling = application
            .organization_id
            .and_then(|id| ceilings.get(&id)?.as_ref());
        let held = roles
            .iter()
            .filter(|role| application.roles.contains(&role.id));
        let all: BTreeSet<PermissionId> = held
            .flat_map(|role| &role.permissions)
            .filter(|id| ceiling.is_none_or(|ceiling| ceiling.contains(id)))
            .copied()
            .collect();
        all.into_iter().collect()
    };
    Ok(applications
        .into_iter()
        .map(|application| {
            let permissions = permissions(&application);
            (application, permissions)
        })
        .collect())
}

/// The client of this id.
pub fn find(
    connection: &mut Connection,
    id: &ApplicationId,
) -> Result<Option<StoredClient>, Error> {
    let Some(application) = super::find(connection, id)? else {
        return Ok(None);
    };
    let in_the_organizations_list = organization_permissions::organization_id
        .nullable()
        .eq(applications::organization_id)
        .and(
            organization_permissions::permission_id
                .nullable()
                .eq(role_permissions::permission_id.nullable()),
        );
    let rows: Vec<Row> = applications::table
        .left_join(organizations::table)
        .left_join(application_roles::table)
        .left_join(
            role_permissions::table.on(role_permissions::role_id
                .nullable()
                .eq(application_roles::role_id.nullable())),
        )
        .left_join(organization_permissions::table.on(in_the_organizations_list))
        .filter(applications::id.eq(id.as_str()))
        .select((
            (organizations::disabled_at, organizations::limited).nullable(),
            role_permissions::permission_id.nullable(),
            organization_permissions::permission_id.nullable(),
        ))
        .load(connection)?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let organization_disabled = first
        .organization
        .is_some_and(|(disabled_at, _)| disabled_at.is_some());
    let counts = |row: &&Row| {
        let limited = row.organization.is_some_and(|(_, limited)| limited);
        !limited || row.organization_has.is_some()
    };
    let mut permissions = rows
        .iter()
        .filter(counts)
        .filter_map(|row| row.permission.as_deref())
        .map(|text| super::id(text, "role_permissions.permission_id"))
        .collect::<Result<Vec<PermissionId>, Error>>()?;
    // Two roles may bundle the same.
    permissions.sort_unstable();
    permissions.dedup();
    Ok(Some(StoredClient {
        secrets: super::secrets::of_application(connection, id)?,
        application,
        organization_disabled,
        permissions,
    }))
}
