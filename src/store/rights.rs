//! What an organization may use and what its members may do there, read inside the transaction that gives something on the strength
//! of it.
//!
//! On PostgreSQL the rows that say so are held against change until the transaction ends ([`hold_organization`] and the others), so
//! that a narrowing is either seen here or comes after what is given here. SQLite has one writer anyway. Rows are held in the order
//! organization, membership, roles, keys; whoever changes several of them takes them in the same order.

use diesel::prelude::*;
use diesel::sql_types::Text;

use super::schema::{membership_roles, role_permissions};
use super::{Connection, Error};
use crate::domain::allowance::Allowance;
use crate::domain::id::{ApplicationId, KeyId, OrganizationId, PermissionId, ResourceId};
use crate::domain::user::{MemberRole, Membership};

/// What a member's own standing allows him, whatever the organization may use: an admin everything, others what their roles bundle.
pub fn of_member(connection: &mut Connection, member: &Membership) -> Result<Allowance, Error> {
    if member.role == MemberRole::Admin {
        return Ok(Allowance::Everything);
    }
    let ids: Vec<String> = membership_roles::table
        .inner_join(
            role_permissions::table.on(role_permissions::role_id.eq(membership_roles::role_id)),
        )
        .filter(membership_roles::organization_id.eq(member.organization_id.as_str()))
        .filter(membership_roles::user_id.eq(member.user_id.as_str()))
        .select(role_permissions::permission_id)
        .load(connection)?;
    let ids = ids.iter().map(|id| {
        id.parse()
            .map_err(|error| Error::corrupt("role_permissions.permission_id", error))
    });
    Ok(Allowance::Only(ids.collect::<Result<_, _>>()?))
}

/// Whether one of these permissions is at this resource.
pub fn any_at(
    connection: &mut Connection,
    permissions: &[PermissionId],
    resource: &ResourceId,
) -> Result<bool, Error> {
    use super::schema::permissions as table;
    let ids: Vec<&str> = permissions.iter().map(PermissionId::as_str).collect();
    let there = table::table
        .filter(table::id.eq_any(ids))
        .filter(table::resource_id.eq(resource.as_str()));
    Ok(diesel::select(diesel::dsl::exists(there)).get_result(connection)?)
}

/// Keeps an organization as it is until this transaction ends.
pub fn hold_organization(connection: &mut Connection, id: &OrganizationId) -> Result<(), Error> {
    hold(
        connection,
        "SELECT id FROM organizations WHERE id = $1 FOR SHARE",
        &[id.as_str()],
    )
}

/// Keeps a membership and the roles that it gives as they are until this transaction ends.
pub fn hold_member(
    connection: &mut Connection,
    organization: &OrganizationId,
    user: &str,
) -> Result<(), Error> {
    hold(
        connection,
        "SELECT role FROM memberships WHERE organization_id = $1 AND user_id = $2 FOR SHARE",
        &[organization.as_str(), user],
    )?;
    hold_roles_of(connection, organization, user)
}

/// Keeps the roles that a membership gives as they are until this transaction ends; the membership itself is held or locked before.
pub fn hold_roles_of(
    connection: &mut Connection,
    organization: &OrganizationId,
    user: &str,
) -> Result<(), Error> {
    hold(
        connection,
        "SELECT id FROM roles WHERE id IN (SELECT role_id FROM membership_roles WHERE organization_id = $1 AND user_id = $2) \
         ORDER BY id FOR SHARE",
        &[organization.as_str(), user],
    )
}

/// Keeps roles as they are until this transaction ends.
pub fn hold_role(connection: &mut Connection, id: &str) -> Result<(), Error> {
    hold(
        connection,
        "SELECT id FROM roles WHERE id = $1 FOR SHARE",
        &[id],
    )
}

/// Keeps an application and the roles that it holds as they are until this transaction ends.
pub fn hold_application(connection: &mut Connection, id: &ApplicationId) -> Result<(), Error> {
    hold(
        connection,
        "SELECT id FROM applications WHERE id = $1 FOR SHARE",
        &[id.as_str()],
    )?;
    hold(
        connection,
        "SELECT id FROM roles WHERE id IN (SELECT role_id FROM application_roles WHERE application_id = $1) \
         ORDER BY id FOR SHARE",
        &[id.as_str()],
    )
}

/// Keeps a key as it is until this transaction ends.
pub fn hold_key(connection: &mut Connection, id: &KeyId) -> Result<(), Error> {
    hold(
        connection,
        "SELECT id FROM api_keys WHERE id = $1 FOR SHARE",
        &[id.as_str()],
    )
}

fn hold(connection: &mut Connection, statement: &str, names: &[&str]) -> Result<(), Error> {
    let Connection::Postgres(postgres) = connection else {
        return Ok(());
    };
    let mut query = diesel::sql_query(statement).into_boxed();
    for name in names {
        query = query.bind::<Text, _>((*name).to_owned());
    }
    query.execute(postgres)?;
    Ok(())
}
