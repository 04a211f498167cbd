//! Who is in which organization, and with which user roles.

use std::collections::HashMap;

use diesel::prelude::*;

use super::row::{like, lower, lower_or_null};
use super::schema::{membership_roles, memberships, people, users};
use super::{Connection, Error, Place, Timestamp};
use crate::domain::id::{OrganizationId, RoleId, UserId};
use crate::domain::user::Membership;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = memberships)]
struct Row {
    organization_id: String,
    user_id: String,
    role: String,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<&Membership> for Row {
    fn from(membership: &Membership) -> Self {
        Self {
            organization_id: membership.organization_id.to_string(),
            user_id: membership.user_id.to_string(),
            role: membership.role.as_str().to_owned(),
            version: membership.version,
            created_at: membership.created_at.into(),
            updated_at: membership.updated_at.into(),
        }
    }
}

impl TryFrom<Row> for Membership {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            organization_id: row
                .organization_id
                .parse()
                .map_err(|error| Error::corrupt("memberships.organization_id", error))?,
            user_id: row
                .user_id
                .parse()
                .map_err(|error| Error::corrupt("memberships.user_id", error))?,
            role: row
                .role
                .parse()
                .map_err(|error| Error::corrupt("memberships.role", error))?,
            roles: Vec::new(),
            version: row.version,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}

fn with_roles(connection: &mut Connection, rows: Vec<Row>) -> Result<Vec<Membership>, Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let organizations: Vec<&str> = rows
        .iter()
        .map(|row| row.organization_id.as_str())
        .collect();
    let users: Vec<&str> = rows.iter().map(|row| row.user_id.as_str()).collect();
    let held: Vec<(String, String, String)> = membership_roles::table
        .filter(membership_roles::organization_id.eq_any(organizations))
        .filter(membership_roles::user_id.eq_any(users))
        .order(membership_roles::role_id)
        .load(connection)?;
    let mut roles: HashMap<(String, String), Vec<RoleId>> = HashMap::new();
    for (organization, user, role) in held {
        let role = role
            .parse()
            .map_err(|error| Error::corrupt("membership_roles.role_id", error))?;
        roles.entry((organization, user)).or_default().push(role);
    }
    let assemble = |row: Row| {
        let held = roles.remove(&(row.organization_id.clone(), row.user_id.clone()));
        Ok(Membership {
            roles: held.unwrap_or_default(),
            ..Membership::try_from(row)?
        })
    };
    rows.into_iter().map(assemble).collect()
}

/// One person's place in one organization.
pub fn find(
    connection: &mut Connection,
    organization: &OrganizationId,
    user: &UserId,
) -> Result<Option<Membership>, Error> {
    let row: Option<Row> = memberships::table
        .find((organization.as_str(), user.as_str()))
        .select(memberships::all_columns)
        .first(connection)
        .optional()?;
    Ok(with_roles(connection, row.into_iter().collect())?.pop())
}

/// All of one person, oldest first.
pub fn of_user(connection: &mut Connection, user: &UserId) -> Result<Vec<Membership>, Error> {
    let rows: Vec<Row> = memberships::table
        .filter(memberships::user_id.eq(user.as_str()))
        .select(memberships::all_columns)
        .order((memberships::created_at, memberships::organization_id))
        .load(connection)?;
    with_roles(connection, rows)
}

/// A page of an organization's members, newest first; a place is told by the user's id; if a text is given, with it in a name or the
/// id.
pub fn list(
    connection: &mut Connection,
    (organization, text): (&OrganizationId, Option<&str>),
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<Membership>, Error> {
    let mut query = memberships::table
        .filter(memberships::organization_id.eq(organization.as_str()))
        .select(memberships::all_columns)
        .order((memberships::created_at.desc(), memberships::user_id.desc()))
        .limit(super::count(limit))
        .into_boxed();
    if let Some(text) = text {
        let pattern = like(text);
        let named = users::table
            .left_join(people::table)
            .filter(
                lower_or_null(users::name)
                    .like(pattern.clone())
                    .escape('!')
                    .assume_not_null()
                    .or(lower_or_null(people::login_name.nullable())
                        .like(pattern.clone())
                        .escape('!')
                        .assume_not_null())
                    .or(lower(users::subject).like(pattern.clone()).escape('!'))
                    .or(users::id.like(pattern).escape('!')),
            )
            .select(users::id);
        query = query.filter(memberships::user_id.eq_any(named));
    }
    if let Some(Place { at, id }) = after {
        let at = Timestamp::from(*at);
        query = query.filter(
            memberships::created_at.lt(at).or(memberships::created_at
                .eq(at)
                .and(memberships::user_id.lt(id))),
        );
    }
    let rows: Vec<Row> = query.load(connection)?;
    with_roles(connection, rows)
}

/// Whether a person is a member there.
pub fn is_member(
    connection: &mut Connection,
    organization: &OrganizationId,
    user: &UserId,
) -> Result<bool, Error> {
    let membership = memberships::table.find((organization.as_str(), user.as_str()));
    Ok(diesel::select(diesel::dsl::exists(membership)).get_result(connection)?)
}

/// Records a new one. One that is there is a conflict over `memberships.organization_id_user_id`; an organization, person or role
/// that is gone one over a reference.
pub fn insert(connection: &mut Connection, new: &Membership) -> Result<(), Error> {
    diesel::insert_into(memberships::table)
        .values(Row::from(new))
        .execute(connection)?;
    set_roles(connection, new)
}

/// Writes a changed one back with its roles; its version counts up. `false`, and nothing written, if it changed or went since it was
/// read.
pub fn update(connection: &mut Connection, changed: &Membership) -> Result<bool, Error> {
    let row = Row {
        version: changed.version + 1,
        ..Row::from(changed)
    };
    let key = (changed.organization_id.as_str(), changed.user_id.as_str());
    let target = memberships::table
        .find(key)
        .filter(memberships::version.eq(changed.version));
    if diesel::update(target).set(row).execute(connection)? == 0 {
        return Ok(false);
    }
    set_roles(connection, changed)?;
    Ok(true)
}

fn set_roles(connection: &mut Connection, of: &Membership) -> Result<(), Error> {
    clear_roles(connection, of)?;
    for role in &of.roles {
        diesel::insert_into(membership_roles::table)
            .values((
                membership_roles::organization_id.eq(of.organization_id.as_str()),
                membership_roles::user_id.eq(of.user_id.as_str()),
                membership_roles::role_id.eq(role.as_str()),
            ))
            .execute(connection)?;
    }
    Ok(())
}

fn clear_roles(connection: &mut Connection, of: &Membership) -> Result<(), Error> {
    let old = membership_roles::table
        .filter(membership_roles::organization_id.eq(of.organization_id.as_str()))
        .filter(membership_roles::user_id.eq(of.user_id.as_str()));
    diesel::delete(old).execute(connection)?;
    Ok(())
}

/// Lets no other transaction change this membership, or hold it, until this one ends.
pub fn lock(
    connection: &mut Connection,
    organization: &OrganizationId,
    user: &UserId,
) -> Result<(), Error> {
    if connection.has_one_writer() {
        return Ok(());
    }
    diesel::update(memberships::table.find((organization.as_str(), user.as_str())))
        .set(memberships::version.eq(memberships::version))
        .execute(connection)?;
    Ok(())
}

/// Removes one with its roles. `false`, and nothing removed, if it changed or went since it was read.
pub fn delete(connection: &mut Connection, gone: &Membership) -> Result<bool, Error> {
    let key = (gone.organization_id.as_str(), gone.user_id.as_str());
    let target = memberships::table
        .find(key)
        .filter(memberships::version.eq(gone.version));
    if diesel::delete(target).execute(connection)? == 0 {
        return Ok(false);
    }
    clear_roles(connection, gone)?;
    Ok(true)
}
