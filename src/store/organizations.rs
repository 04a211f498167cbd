//! Organizations.

use diesel::prelude::*;

use super::schema::{api_keys, organizations};
use super::{Connection, Error, Place, Timestamp};
use crate::domain::id::OrganizationId;
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
            version: row.version,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
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
    row.map(Organization::try_from).transpose()
}

/// The organization of this slug.
pub fn find_by_slug(
    connection: &mut Connection,
    slug: &str,
) -> Result<Option<Organization>, Error> {
    let row: Option<Row> = organizations::table
        .filter(organizations::slug.eq(slug))
        .select(organizations::all_columns)
        .first(connection)
        .optional()?;
    row.map(Organization::try_from).transpose()
}

/// A page of them, newest first; only `only` if that is given.
pub fn list(
    connection: &mut Connection,
    only: Option<&OrganizationId>,
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<Organization>, Error> {
    let mut query = organizations::table
        .select(organizations::all_columns)
        .order((organizations::created_at.desc(), organizations::id.desc()))
        .limit(super::count(limit))
        .into_boxed();
    if let Some(id) = only {
        query = query.filter(organizations::id.eq(id.as_str()));
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
    rows.into_iter().map(Organization::try_from).collect()
}

/// Records a new one. A slug that is taken is a conflict over `organizations.slug`.
pub fn insert(connection: &mut Connection, new: &Organization) -> Result<(), Error> {
    diesel::insert_into(organizations::table)
        .values(Row::from(new))
        .execute(connection)?;
    Ok(())
}

/// Writes a changed one back; its version counts up. `false` if it changed or went since it was read.
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
