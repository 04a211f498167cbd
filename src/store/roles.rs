//! Roles and what they bundle.

use std::collections::HashMap;

use diesel::prelude::*;

use super::row::{like, lower};
use super::schema::{application_roles, membership_roles, role_permissions, roles};
use super::{Connection, Error, Place, Timestamp};
use crate::domain::allowance::Allowance;
use crate::domain::id::{PermissionId, RoleId};
use crate::domain::role::{Role, RoleKind};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = roles, treat_none_as_null = true)]
struct Row {
    id: String,
    name: String,
    description: Option<String>,
    kind: String,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<&Role> for Row {
    fn from(role: &Role) -> Self {
        Self {
            id: role.id.to_string(),
            name: role.name.clone(),
            description: role.description.clone(),
            kind: role.kind.as_str().to_owned(),
            version: role.version,
            created_at: role.created_at.into(),
            updated_at: role.updated_at.into(),
        }
    }
}

impl TryFrom<Row> for Role {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row
                .id
                .parse()
                .map_err(|error| Error::corrupt("roles.id", error))?,
            name: row.name,
            description: row.description,
            kind: row
                .kind
                .parse()
                .map_err(|error| Error::corrupt("roles.kind", error))?,
            permissions: Vec::new(),
            version: row.version,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}

fn with_permissions(connection: &mut Connection, rows: Vec<Row>) -> Result<Vec<Role>, Error> {
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let pairs: Vec<(String, String)> = role_permissions::table
        .filter(role_permissions::role_id.eq_any(ids))
        .order(role_permissions::permission_id)
        .load(connection)?;
    let mut permissions: HashMap<String, Vec<PermissionId>> = HashMap::new();
    for (role, permission) in pairs {
        let permission = permission
            .parse()
            .map_err(|error| Error::corrupt("role_permissions.permission_id", error))?;
        permissions.entry(role).or_default().push(permission);
    }
    let assemble = |row: Row| {
        let role = Role::try_from(row)?;
        Ok(Role {
            permissions: permissions.remove(role.id.as_str()).unwrap_or_default(),
            ..role
        })
    };
    rows.into_iter().map(assemble).collect()
}

/// The role of this id.
pub fn find(connection: &mut Connection, id: &RoleId) -> Result<Option<Role>, Error> {
    Ok(find_all(connection, std::slice::from_ref(id))?.pop())
}

/// The role that this text names: its id or its name.
pub fn find_named(connection: &mut Connection, name: &str) -> Result<Option<Role>, Error> {
    let id: Option<String> = roles::table
        .filter(roles::id.eq(name).or(roles::name.eq(name)))
        .select(roles::id)
        .first(connection)
        .optional()?;
    match id.map(|id| id.parse::<RoleId>()) {
        None => Ok(None),
        Some(Ok(id)) => find(connection, &id),
        Some(Err(error)) => Err(Error::corrupt("roles.id", error)),
    }
}

/// Those of these ids that are there.
pub fn find_all(connection: &mut Connection, ids: &[RoleId]) -> Result<Vec<Role>, Error> {
    let ids: Vec<&str> = ids.iter().map(RoleId::as_str).collect();
    let rows: Vec<Row> = roles::table
        .filter(roles::id.eq_any(ids))
        .select(roles::all_columns)
        .load(connection)?;
    with_permissions(connection, rows)
}

/// A page of them, newest first: of any kind or of one, of those that bundle nothing beyond `within`; if a text is given, with it
/// in the name or the id.
pub fn list(
    connection: &mut Connection,
    (kind, text, within): (Option<RoleKind>, Option<&str>, &Allowance),
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<Role>, Error> {
    let mut query = roles::table
        .select(roles::all_columns)
        .order((roles::created_at.desc(), roles::id.desc()))
        .limit(super::count(limit))
        .into_boxed();
    if let Some(kind) = kind {
        query = query.filter(roles::kind.eq(kind.as_str()));
    }
    if let Some(text) = text {
        let pattern = like(text);
        query = query.filter(
            lower(roles::name)
                .like(pattern.clone())
                .escape('!')
                .or(roles::id.like(pattern).escape('!')),
        );
    }
    if let Allowance::Only(permissions) = within {
        let within: Vec<&str> = permissions.iter().map(PermissionId::as_str).collect();
        let beyond = role_permissions::table
            .filter(role_permissions::permission_id.ne_all(within))
            .select(role_permissions::role_id);
        query = query.filter(roles::id.ne_all(beyond));
    }
    if let Some(Place { at, id }) = after {
        let at = Timestamp::from(*at);
        query = query.filter(
            roles::created_at
                .lt(at)
                .or(roles::created_at.eq(at).and(roles::id.lt(id))),
        );
    }
    let rows: Vec<Row> = query.load(connection)?;
    with_permissions(connection, rows)
}

/// Records a new one. A name that is taken is a conflict over `roles.name`.
pub fn insert(connection: &mut Connection, new: &Role) -> Result<(), Error> {
    diesel::insert_into(roles::table)
        .values(Row::from(new))
        .execute(connection)?;
    insert_permissions(connection, new)
}

/// Writes a changed one back with what it bundles; its version counts up. `false`, and nothing written, if it changed or went since
/// it was read.
pub fn update(connection: &mut Connection, changed: &Role) -> Result<bool, Error> {
    let row = Row {
        version: changed.version + 1,
        ..Row::from(changed)
    };
    let target = roles::table
        .find(changed.id.as_str())
        .filter(roles::version.eq(changed.version));
    if diesel::update(target).set(row).execute(connection)? == 0 {
        return Ok(false);
    }
    let old = role_permissions::table.filter(role_permissions::role_id.eq(changed.id.as_str()));
    diesel::delete(old).execute(connection)?;
    insert_permissions(connection, changed)?;
    Ok(true)
}

fn insert_permissions(connection: &mut Connection, of: &Role) -> Result<(), Error> {
    for permission in &of.permissions {
        diesel::insert_into(role_permissions::table)
            .values((
                role_permissions::role_id.eq(of.id.as_str()),
                role_permissions::permission_id.eq(permission.as_str()),
            ))
            .execute(connection)?;
    }
    Ok(())
}

/// Removes one that nobody holds; `false` if it changed or went since it was read. If somebody holds it, it is a conflict over a
/// reference.
pub fn delete(connection: &mut Connection, gone: &Role) -> Result<bool, Error> {
    let target = roles::table
        .find(gone.id.as_str())
        .filter(roles::version.eq(gone.version));
    Ok(diesel::delete(target).execute(connection)? == 1)
}

/// Takes it from everybody who holds it.
pub fn take_from_all(connection: &mut Connection, id: &RoleId) -> Result<(), Error> {
    diesel::delete(membership_roles::table.filter(membership_roles::role_id.eq(id.as_str())))
        .execute(connection)?;
    diesel::delete(application_roles::table.filter(application_roles::role_id.eq(id.as_str())))
        .execute(connection)?;
    Ok(())
}

/// Who holds it: `usr_… in org_…` and `app_…`, at most `limit` of each.
pub fn holders(
    connection: &mut Connection,
    id: &RoleId,
    limit: usize,
) -> Result<Vec<String>, Error> {
    let pairs: Vec<(String, String)> = membership_roles::table
        .filter(membership_roles::role_id.eq(id.as_str()))
        .select((membership_roles::user_id, membership_roles::organization_id))
        .order((membership_roles::user_id, membership_roles::organization_id))
        .limit(super::count(limit))
        .load(connection)?;
    let applications: Vec<String> = application_roles::table
        .filter(application_roles::role_id.eq(id.as_str()))
        .select(application_roles::application_id)
        .order(application_roles::application_id)
        .limit(super::count(limit))
        .load(connection)?;
    Ok(pairs
        .into_iter()
        .map(|(user, organization)| format!("{user} in {organization}"))
        .chain(applications)
        .collect())
}
