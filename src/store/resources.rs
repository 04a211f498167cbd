//! API resources and their permissions.

use diesel::prelude::*;

use super::row::{like, lower, lower_or_null};
use super::schema::{permissions, resources};
use super::{Connection, Error, Place, Timestamp};
use crate::domain::allowance::Allowance;
use crate::domain::id::{PermissionId, ResourceId};
use crate::domain::permission::Permission;
use crate::domain::resource::{Resource, ResourceIdentifier};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = resources, treat_none_as_null = true)]
struct Row {
    id: String,
    identifier: String,
    name: Option<String>,
    token_lifetime: i32,
    signing_alg: String,
    metadata_claims: String,
    reserved: bool,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<&Resource> for Row {
    fn from(resource: &Resource) -> Self {
        let names: Vec<&str> = resource.metadata_claims.iter().collect();
        Self {
            id: resource.id.to_string(),
            identifier: resource.identifier.to_string(),
            name: resource.name.clone(),
            // At most 3600.
            token_lifetime: i32::try_from(resource.token_lifetime.seconds()).unwrap_or(i32::MAX),
            signing_alg: resource.signing_algorithm.to_string(),
            metadata_claims: super::json(&names),
            reserved: resource.reserved,
            version: resource.version,
            created_at: resource.created_at.into(),
            updated_at: resource.updated_at.into(),
        }
    }
}

impl TryFrom<Row> for Resource {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let seconds = u32::try_from(row.token_lifetime).unwrap_or(0);
        Ok(Self {
            id: row
                .id
                .parse()
                .map_err(|error| Error::corrupt("resources.id", error))?,
            identifier: row
                .identifier
                .parse()
                .map_err(|error| Error::corrupt("resources.identifier", error))?,
            name: row.name,
            token_lifetime: seconds
                .try_into()
                .map_err(|error| Error::corrupt("resources.token_lifetime", error))?,
            signing_algorithm: row
                .signing_alg
                .parse()
                .map_err(|error| Error::corrupt("resources.signing_alg", error))?,
            metadata_claims: super::parse_json(&row.metadata_claims, "resources.metadata_claims")?,
            reserved: row.reserved,
            version: row.version,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = permissions)]
struct PermissionRow {
    id: String,
    resource_id: String,
    name: String,
    description: Option<String>,
    created_at: Timestamp,
}

impl From<&Permission> for PermissionRow {
    fn from(permission: &Permission) -> Self {
        Self {
            id: permission.id.to_string(),
            resource_id: permission.resource_id.to_string(),
            name: permission.name.to_string(),
            description: permission.description.clone(),
            created_at: permission.created_at.into(),
        }
    }
}

impl TryFrom<PermissionRow> for Permission {
    type Error = Error;

    fn try_from(row: PermissionRow) -> Result<Self, Error> {
        Ok(Self {
            id: row
                .id
                .parse()
                .map_err(|error| Error::corrupt("permissions.id", error))?,
            resource_id: row
                .resource_id
                .parse()
                .map_err(|error| Error::corrupt("permissions.resource_id", error))?,
            name: row
                .name
                .parse()
                .map_err(|error| Error::corrupt("permissions.name", error))?,
            description: row.description,
            created_at: row.created_at.into(),
        })
    }
}

/// The resource of this id.
pub fn find(connection: &mut Connection, id: &ResourceId) -> Result<Option<Resource>, Error> {
    let row: Option<Row> = resources::table
        .find(id.as_str())
        .select(resources::all_columns)
        .first(connection)
        .optional()?;
    row.map(Resource::try_from).transpose()
}

/// The resource of this identifier, unless it is reserved.
pub fn find_by_identifier(
    connection: &mut Connection,
    identifier: &ResourceIdentifier,
) -> Result<Option<Resource>, Error> {
    let row: Option<Row> = resources::table
        .filter(resources::identifier.eq(identifier.as_str()))
        .filter(resources::reserved.eq(false))
        .select(resources::all_columns)
        .first(connection)
        .optional()?;
    row.map(Resource::try_from).transpose()
}

/// A page of them, newest first; of those that have a permission `within`; if a text is given, with it in the name, the
/// identifier or the id.
pub fn list(
    connection: &mut Connection,
    (within, text): (&Allowance, Option<&str>),
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<Resource>, Error> {
    let mut query = resources::table
        .select(resources::all_columns)
        .order((resources::created_at.desc(), resources::id.desc()))
        .limit(super::count(limit))
        .into_boxed();
    if let Some(ids) = only(within) {
        let there = permissions::table
            .filter(permissions::id.eq_any(ids))
            .select(permissions::resource_id);
        query = query.filter(resources::id.eq_any(there));
    }
    if let Some(text) = text {
        let pattern = like(text);
        query = query.filter(
            lower_or_null(resources::name)
                .like(pattern.clone())
                .escape('!')
                .assume_not_null()
                .or(lower(resources::identifier)
                    .like(pattern.clone())
                    .escape('!'))
                .or(resources::id.like(pattern).escape('!')),
        );
    }
    if let Some(Place { at, id }) = after {
        let at = Timestamp::from(*at);
        query = query.filter(
            resources::created_at
                .lt(at)
                .or(resources::created_at.eq(at).and(resources::id.lt(id))),
        );
    }
    let rows: Vec<Row> = query.load(connection)?;
    rows.into_iter().map(Resource::try_from).collect()
}

/// Every resource and every permission: what the memory of them is filled from.
pub fn all(connection: &mut Connection) -> Result<(Vec<Resource>, Vec<Permission>), Error> {
    let rows: Vec<Row> = resources::table
        .select(resources::all_columns)
        .load(connection)?;
    let resources = rows
        .into_iter()
        .map(Resource::try_from)
        .collect::<Result<_, _>>()?;
    let rows: Vec<PermissionRow> = permissions::table
        .select(permissions::all_columns)
        .load(connection)?;
    let permissions = rows
        .into_iter()
        .map(Permission::try_from)
        .collect::<Result<_, _>>()?;
    Ok((resources, permissions))
}

/// Records a new one. An identifier that is taken is a conflict over `resources.identifier`.
pub fn insert(connection: &mut Connection, new: &Resource) -> Result<(), Error> {
    diesel::insert_into(resources::table)
        .values(Row::from(new))
        .execute(connection)?;
    Ok(())
}

/// Writes a changed one back; its version counts up. `false` if it changed or went since it was read.
pub fn update(connection: &mut Connection, changed: &Resource) -> Result<bool, Error> {
    let row = Row {
        version: changed.version + 1,
        ..Row::from(changed)
    };
    let target = resources::table
        .find(changed.id.as_str())
        .filter(resources::version.eq(changed.version));
    Ok(diesel::update(target).set(row).execute(connection)? == 1)
}

/// Counts a change of its permissions as one of the resource itself. `false` if it is not there.
pub fn count_change(
    connection: &mut Connection,
    id: &ResourceId,
    at: jiff::Timestamp,
) -> Result<bool, Error> {
    let change = (
        resources::version.eq(resources::version + 1),
        resources::updated_at.eq(Timestamp::from(at)),
    );
    let target = resources::table.find(id.as_str());
    Ok(diesel::update(target).set(change).execute(connection)? == 1)
}

/// Removes one, its permissions, and what keys hold of them; `false` if it changed or went since it was read.
pub fn delete(connection: &mut Connection, gone: &Resource) -> Result<bool, Error> {
    let target = resources::table
        .find(gone.id.as_str())
        .filter(resources::version.eq(gone.version));
    Ok(diesel::delete(target).execute(connection)? == 1)
}

/// Adds a permission. A name that the resource has already is a conflict over `permissions.resource_id_name`.
pub fn insert_permission(connection: &mut Connection, new: &Permission) -> Result<(), Error> {
    diesel::insert_into(permissions::table)
        .values(PermissionRow::from(new))
        .execute(connection)?;
    Ok(())
}

/// The ids that somebody is bound to, if he is.
fn only(within: &Allowance) -> Option<Vec<String>> {
    match within {
        Allowance::Everything => None,
        Allowance::Only(ids) => Some(ids.iter().map(ToString::to_string).collect()),
    }
}

/// A resource's permissions `within`, newest first.
pub fn permissions(
    connection: &mut Connection,
    (resource, within): (&ResourceId, &Allowance),
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<Permission>, Error> {
    let mut query = permissions::table
        .filter(permissions::resource_id.eq(resource.as_str()))
        .select(permissions::all_columns)
        .order((permissions::created_at.desc(), permissions::id.desc()))
        .limit(super::count(limit))
        .into_boxed();
    if let Some(ids) = only(within) {
        query = query.filter(permissions::id.eq_any(ids));
    }
    if let Some(Place { at, id }) = after {
        let at = Timestamp::from(*at);
        query = query.filter(
            permissions::created_at
                .lt(at)
                .or(permissions::created_at.eq(at).and(permissions::id.lt(id))),
        );
    }
    let rows: Vec<PermissionRow> = query.load(connection)?;
    rows.into_iter().map(Permission::try_from).collect()
}

/// One permission of a resource.
pub fn find_permission(
    connection: &mut Connection,
    id: &PermissionId,
) -> Result<Option<Permission>, Error> {
    let row: Option<PermissionRow> = permissions::table
        .find(id.as_str())
        .select(permissions::all_columns)
        .first(connection)
        .optional()?;
    row.map(Permission::try_from).transpose()
}

/// Removes a permission, and takes it from every key that holds it.
pub fn delete_permission(connection: &mut Connection, id: &PermissionId) -> Result<bool, Error> {
    Ok(diesel::delete(permissions::table.find(id.as_str())).execute(connection)? == 1)
}
