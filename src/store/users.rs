//! People.

use diesel::prelude::*;

use super::schema::{api_keys, memberships, users};
use super::{Connection, Error, Place, Timestamp};
use crate::domain::id::{OrganizationId, UserId};
use crate::domain::subject::Subject;
use crate::domain::user::User;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = users, treat_none_as_null = true)]
struct Row {
    id: String,
    issuer: String,
    subject: String,
    name: Option<String>,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<&User> for Row {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            issuer: user.subject.iss.to_string(),
            subject: user.subject.sub.to_string(),
            name: user.name.clone(),
            version: user.version,
            created_at: user.created_at.into(),
            updated_at: user.updated_at.into(),
        }
    }
}

impl TryFrom<Row> for User {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row
                .id
                .parse()
                .map_err(|error| Error::corrupt("users.id", error))?,
            subject: subject(row.issuer, row.subject)?,
            name: row.name,
            version: row.version,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}

/// Reads the two columns that say who somebody is.
pub(super) fn subject(issuer: String, subject: String) -> Result<Subject, Error> {
    Ok(Subject {
        iss: issuer
            .try_into()
            .map_err(|error| Error::corrupt("users.issuer", error))?,
        sub: subject
            .try_into()
            .map_err(|error| Error::corrupt("users.subject", error))?,
    })
}

/// The person of this id.
pub fn find(connection: &mut Connection, id: &UserId) -> Result<Option<User>, Error> {
    let row: Option<Row> = users::table
        .find(id.as_str())
        .select(users::all_columns)
        .first(connection)
        .optional()?;
    row.map(User::try_from).transpose()
}

/// The person whom his issuer names so.
pub fn find_by_subject(
    connection: &mut Connection,
    subject: &Subject,
) -> Result<Option<User>, Error> {
    let row: Option<Row> = users::table
        .filter(users::issuer.eq(subject.iss.as_str()))
        .filter(users::subject.eq(subject.sub.as_str()))
        .select(users::all_columns)
        .first(connection)
        .optional()?;
    row.map(User::try_from).transpose()
}

/// Those of these ids.
pub fn find_all(connection: &mut Connection, ids: &[&str]) -> Result<Vec<User>, Error> {
    let rows: Vec<Row> = users::table
        .filter(users::id.eq_any(ids.to_vec()))
        .select(users::all_columns)
        .load(connection)?;
    rows.into_iter().map(User::try_from).collect()
}

/// What a list of people is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Members of one of these.
    pub members_of: Option<Vec<OrganizationId>>,
    /// Whom this issuer names.
    pub issuer: Option<String>,
    /// Whom an issuer names so.
    pub subject: Option<String>,
}

/// A page of them, newest first.
pub fn list(
    connection: &mut Connection,
    filter: &Filter,
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<User>, Error> {
    let mut query = users::table
        .select(users::all_columns)
        .order((users::created_at.desc(), users::id.desc()))
        .limit(super::count(limit))
        .into_boxed();
    if let Some(organizations) = &filter.members_of {
        let ids: Vec<&str> = organizations.iter().map(OrganizationId::as_str).collect();
        let members = memberships::table
            .filter(memberships::organization_id.eq_any(ids))
            .select(memberships::user_id);
        query = query.filter(users::id.eq_any(members));
    }
    if let Some(issuer) = &filter.issuer {
        query = query.filter(users::issuer.eq(issuer));
    }
    if let Some(subject) = &filter.subject {
        query = query.filter(users::subject.eq(subject));
    }
    if let Some(Place { at, id }) = after {
        let at = Timestamp::from(*at);
        query = query.filter(
            users::created_at
                .lt(at)
                .or(users::created_at.eq(at).and(users::id.lt(id))),
        );
    }
    let rows: Vec<Row> = query.load(connection)?;
    rows.into_iter().map(User::try_from).collect()
}

/// Records a new one. One who is known is a conflict over `users.issuer_subject`.
pub fn insert(connection: &mut Connection, new: &User) -> Result<(), Error> {
    diesel::insert_into(users::table)
        .values(Row::from(new))
        .execute(connection)?;
    Ok(())
}

/// Writes a changed one back; his version counts up. `false` if he changed or went since he was read.
pub fn update(connection: &mut Connection, changed: &User) -> Result<bool, Error> {
    let row = Row {
        version: changed.version + 1,
        ..Row::from(changed)
    };
    let target = users::table
        .find(changed.id.as_str())
        .filter(users::version.eq(changed.version));
    Ok(diesel::update(target).set(row).execute(connection)? == 1)
}

/// What stands in the way of removing one: the organizations that he is a member of, and his keys that are not revoked; at most
/// `limit` of each.
pub fn ties(connection: &mut Connection, id: &UserId, limit: usize) -> Result<Vec<String>, Error> {
    let mut ties: Vec<String> = memberships::table
        .filter(memberships::user_id.eq(id.as_str()))
        .select(memberships::organization_id)
        .order(memberships::organization_id)
        .limit(super::count(limit))
        .load(connection)?;
    let keys: Vec<String> = api_keys::table
        .filter(api_keys::owner_id.eq(id.as_str()))
        .filter(api_keys::revoked_at.is_null())
        .select(api_keys::id)
        .order(api_keys::id)
        .limit(super::count(limit))
        .load(connection)?;
    ties.extend(keys);
    Ok(ties)
}

/// Removes one who is in the way of nothing; his revoked keys are nobody's then. `false`, and nothing done, if he changed or went since
/// he was read.
pub fn delete(connection: &mut Connection, gone: &User) -> Result<bool, Error> {
    let id = gone.id.as_str();
    let as_read = users::table
        .find(id)
        .filter(users::version.eq(gone.version));
    let locked = diesel::update(as_read).set(users::version.eq(users::version));
    if locked.execute(connection)? == 0 {
        return Ok(false);
    }
    let his = api_keys::table
        .filter(api_keys::owner_id.eq(id))
        .filter(api_keys::revoked_at.is_not_null());
    diesel::update(his)
        .set(api_keys::owner_id.eq(None::<String>))
        .execute(connection)?;
    Ok(diesel::delete(users::table.find(id)).execute(connection)? == 1)
}
