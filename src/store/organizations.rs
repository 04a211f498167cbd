//! Organizations, and what they may use.

use std::collections::HashMap;

use diesel::prelude::*;

use super::row::{like, lower, lower_or_null};
use super::schema::{api_keys, organization_permissions, organizations};
use super::{Connection, Error, Place, Timestamp};
use crate::domain::id::{OrganizationId, PermissionId};
use crate::domain::organization::Organization;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = organizations, treat_none_as_null = true)]
struct Row {
    id: String,
    name: String,
    slug: Option<String>,
    metadata: String,
    disabled_at: Option<Timestamp>,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    limited: bool,
    max_keys: Option<i32>,
    owner_gone: String,
}

impl From<&Organization> for Row {
    fn from(organization: &Organization) -> Self {
        Self {
            id: organization.id.to_string(),
            name: organization.name.clone(),
            slug: organization.slug.as_ref().map(ToString::to_string),
            metadata: super::json(&organization.metadata),
            disabled_at: organization.disabled_at.map(Timestamp::from),
            version: organization.version,
            created_at: organization.created_at.into(),
            updated_at: organization.updated_at.into(),
            limited: organization.permissions.is_some(),
            // At most a million.
            max_keys: organization
                .max_keys
                .map(|most| i32::try_from(most).unwrap_or(i32::MAX)),
            owner_gone: organization.owner_gone.as_str().to_owned(),
        }
    }
}

impl TryFrom<Row> for Organization {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let slug = row.slug.map(|slug| slug.parse()).transpose();
        Ok(Self {
            id: row
                .id
                .parse()
                .map_err(|error| Error::corrupt("organizations.id", error))?,
            name: row.name,
            slug: slug.map_err(|error| Error::corrupt("organizations.slug", error))?,
            metadata: super::parse_json(&row.metadata, "organizations.metadata")?,
            disabled_at: row.disabled_at.map(Into::into),
            permissions: row.limited.then(Vec::new),
            max_keys: row
                .max_keys
                .map(u32::try_from)
                .transpose()
                .map_err(|error| Error::corrupt("organizations.max_keys", error))?,
            owner_gone: row
                .owner_gone
                .parse()
                .map_err(|error| Error::corrupt("organizations.owner_gone", error))?,
            version: row.version,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}

/// The id of the organization that this text names: its id or its slug.
pub fn find_named(
    connection: &mut Connection,
    name: &str,
) -> Result<Option<OrganizationId>, Error> {
    let id: Option<String> = organizations::table
        .filter(
            organizations::id
                .eq(name)
                .or(organizations::slug.eq(name).assume_not_null()),
        )
        .select(organizations::id)
        .first(connection)
        .optional()?;
    id.map(|id| {
        id.parse()
            .map_err(|error| Error::corrupt("organizations.id", error))
    })
    .transpose()
}

/// The organization of this id.
pub fn find(
    connection: &mut Connection,
    id: &OrganizationId,
) -> Result<Option<Organization>, Error> {
    let row: Option<Row> = organizations::table
        .find(id.as_str())
        .select(organizations::all_columns)
        .first(connection)
        .optional()?;
    Ok(with_permissions(connection, row.into_iter().collect())?.pop())
}

fn with_permissions(
    connection: &mut Connection,
    rows: Vec<Row>,
) -> Result<Vec<Organization>, Error> {
    let limited: Vec<&str> = rows
        .iter()
        .filter(|row| row.limited)
        .map(|row| row.id.as_str())
        .collect();
    let mut permissions: HashMap<String, Vec<PermissionId>> = HashMap::new();
    if !limited.is_empty() {
        let pairs: Vec<(String, String)> = organization_permissions::table
            .filter(organization_permissions::organization_id.eq_any(limited))
            .order(organization_permissions::permission_id)
            .load(connection)?;
        for (organization, permission) in pairs {
            let permission = permission
                .parse()
                .map_err(|error| Error::corrupt("organization_permissions.permission_id", error))?;
            permissions
                .entry(organization)
                .or_default()
                .push(permission);
        }
    }
    let assemble = |row: Row| {
        let organization = Organization::try_from(row)?;
        let held = permissions.remove(organization.id.as_str());
        let permissions = organization.permissions.as_ref();
        Ok(Organization {
            permissions: permissions.map(|_| held.unwrap_or_default()),
            ..organization
        })
    };
    rows.into_iter().map(assemble).collect()
}

/// A page of them, newest first; only those of `only`, and with this text in the name, the slug or the id, if that is given.
pub fn list(
    connection: &mut Connection,
    (only, text): (Option<&[OrganizationId]>, Option<&str>),
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<Organization>, Error> {
    let mut query = organizations::table
        .select(organizations::all_columns)
        .order((organizations::created_at.desc(), organizations::id.desc()))
        .limit(super::count(limit))
        .into_boxed();
    if let Some(ids) = only {
        let ids: Vec<&str> = ids.iter().map(OrganizationId::as_str).collect();
        query = query.filter(organizations::id.eq_any(ids));
    }
    if let Some(text) = text {
        let pattern = like(text);
        query = query.filter(
            lower(organizations::name)
                .like(pattern.clone())
                .escape('!')
                .or(lower_or_null(organizations::slug)
                    .like(pattern.clone())
                    .escape('!')
                    .assume_not_null())
                .or(organizations::id.like(pattern).escape('!')),
        );
    }
    if let Some(Place { at, id }) = after {
        let at = Timestamp::from(*at);
        query = query.filter(
            organizations::created_at
                .lt(at)
                .or(organizations::created_at
                    .eq(at)
                    .and(organizations::id.lt(id))),
        );
    }
    let rows: Vec<Row> = query.load(connection)?;
    with_permissions(connection, rows)
}

/// Records a new one. A slug that is taken is a conflict over `organizations.slug`.
pub fn insert(connection: &mut Connection, new: &Organization) -> Result<(), Error> {
    diesel::insert_into(organizations::table)
        .values(Row::from(new))
        .execute(connection)?;
    insert_permissions(connection, new)
}

/// Replaces what it may use; whether that is limited at all is written by [`update`].
pub fn set_permissions(connection: &mut Connection, changed: &Organization) -> Result<(), Error> {
    let old = organization_permissions::table
        .filter(organization_permissions::organization_id.eq(changed.id.as_str()));
    diesel::delete(old).execute(connection)?;
    insert_permissions(connection, changed)
}

fn insert_permissions(connection: &mut Connection, of: &Organization) -> Result<(), Error> {
    for permission in of.permissions.iter().flatten() {
        diesel::insert_into(organization_permissions::table)
            .values((
                organization_permissions::organization_id.eq(of.id.as_str()),
                organization_permissions::permission_id.eq(permission.as_str()),
            ))
            .execute(connection)?;
    }
    Ok(())
}

/// Writes a changed one back, its permissions excepted; its version counts up. `false` if it changed or went since it was read.
pub fn update(connection: &mut Connection, changed: &Organization) -> Result<bool, Error> {
    let row = Row {
        version: changed.version + 1,
        ..Row::from(changed)
    };
    let target = organizations::table
        .find(changed.id.as_str())
        .filter(organizations::version.eq(changed.version));
    Ok(diesel::update(target).set(row).execute(connection)? == 1)
}

/// Removes one that has no keys on record. With keys it is a conflict over a reference.
pub fn delete(connection: &mut Connection, id: &OrganizationId) -> Result<bool, Error> {
    Ok(diesel::delete(organizations::table.find(id.as_str())).execute(connection)? == 1)
}

/// Whether it has a key that is not revoked.
pub fn has_live_keys(connection: &mut Connection, id: &OrganizationId) -> Result<bool, Error> {
    let live = api_keys::table
        .filter(api_keys::organization_id.eq(id.as_str()))
        .filter(api_keys::revoked_at.is_null());
    Ok(diesel::select(diesel::dsl::exists(live)).get_result(connection)?)
}

/// How many keys it has that are not revoked, half-made ones included.
pub fn keys(connection: &mut Connection, id: &OrganizationId) -> Result<u32, Error> {
    let count: i64 = api_keys::table
        .filter(api_keys::organization_id.eq(id.as_str()))
        .filter(api_keys::revoked_at.is_null())
        .count()
        .get_result(connection)?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// As [`lock`], of one as it was read; `false` if it changed or went since.
pub fn lock_as_read(connection: &mut Connection, read: &Organization) -> Result<bool, Error> {
    let as_read = organizations::table
        .find(read.id.as_str())
        .filter(organizations::version.eq(read.version));
    let locked = diesel::update(as_read).set(organizations::version.eq(organizations::version));
    Ok(locked.execute(connection)? == 1)
}

/// Lets no other transaction change this organization until this one ends, nor count its keys with [`lock`] as this one does.
pub fn lock(connection: &mut Connection, id: &OrganizationId) -> Result<(), Error> {
    if connection.has_one_writer() {
        return Ok(());
    }
    diesel::update(organizations::table.find(id.as_str()))
        .set(organizations::version.eq(organizations::version))
        .execute(connection)?;
    Ok(())
}
