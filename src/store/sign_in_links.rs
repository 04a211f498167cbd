//! Links that let somebody in once: to become an operator or a member, or to choose a new password.

use diesel::prelude::*;

use super::schema::sign_in_links;
use super::{Connection, Error, Place, Timestamp};
use crate::domain::id::{LinkId, OrganizationId, UserId};
use crate::domain::sign_in::{LinkPurpose, SignInLink};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = sign_in_links)]
struct Row {
    id: String,
    kind: String,
    organization_id: Option<String>,
    role: Option<String>,
    roles: String,
    user_id: Option<String>,
    note: Option<String>,
    loopback: bool,
    created_by: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    used_at: Option<Timestamp>,
}

impl From<&SignInLink> for Row {
    fn from(link: &SignInLink) -> Self {
        let (mut organization_id, mut role, mut held, mut user_id) = (None, None, Vec::new(), None);
        match &link.purpose {
            LinkPurpose::Operator => {}
            LinkPurpose::Invitation {
                organization,
                role: as_what,
                roles,
            } => {
                organization_id = Some(organization.to_string());
                role = Some(as_what.as_str().to_owned());
                held.clone_from(roles);
            }
            LinkPurpose::Password { user } => user_id = Some(user.to_string()),
        }
        Self {
            id: link.id.to_string(),
            kind: link.purpose.as_str().to_owned(),
            organization_id,
            role,
            roles: super::json(&held),
            user_id,
            note: link.note.clone(),
            loopback: link.loopback,
            created_by: link.created_by.clone(),
            created_at: link.created_at.into(),
            expires_at: link.expires_at.into(),
            used_at: link.used_at.map(Into::into),
        }
    }
}

impl TryFrom<Row> for SignInLink {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let missing = |place: &str| Error::corrupt(place, super::row::Missing);
        let purpose = match row.kind.as_str() {
            "operator" => LinkPurpose::Operator,
            "invitation" => LinkPurpose::Invitation {
                organization: row
                    .organization_id
                    .ok_or_else(|| missing("sign_in_links.organization_id"))?
                    .parse()
                    .map_err(|error| Error::corrupt("sign_in_links.organization_id", error))?,
                role: row
                    .role
                    .ok_or_else(|| missing("sign_in_links.role"))?
                    .parse()
                    .map_err(|error| Error::corrupt("sign_in_links.role", error))?,
                roles: super::parse_json(&row.roles, "sign_in_links.roles")?,
            },
            _ => LinkPurpose::Password {
                user: row
                    .user_id
                    .ok_or_else(|| missing("sign_in_links.user_id"))?
                    .parse()
                    .map_err(|error| Error::corrupt("sign_in_links.user_id", error))?,
            },
        };
        Ok(Self {
            id: row
                .id
                .parse()
                .map_err(|error| Error::corrupt("sign_in_links.id", error))?,
            purpose,
            note: row.note,
            loopback: row.loopback,
            created_by: row.created_by,
            created_at: row.created_at.into(),
            expires_at: row.expires_at.into(),
            used_at: row.used_at.map(Into::into),
        })
    }
}

/// Records a new one by the digest of what it holds.
pub fn insert(
    connection: &mut Connection,
    new: &SignInLink,
    digest: &[u8; 32],
) -> Result<(), Error> {
    diesel::insert_into(sign_in_links::table)
        .values((Row::from(new), sign_in_links::digest.eq(digest.to_vec())))
        .execute(connection)?;
    Ok(())
}

/// The link of this digest.
pub fn find_by_digest(
    connection: &mut Connection,
    digest: &[u8; 32],
) -> Result<Option<SignInLink>, Error> {
    let row: Option<Row> = sign_in_links::table
        .filter(sign_in_links::digest.eq(digest.to_vec()))
        .select(Row::as_select())
        .first(connection)
        .optional()?;
    row.map(SignInLink::try_from).transpose()
}

/// The link of this id.
pub fn find(connection: &mut Connection, id: &LinkId) -> Result<Option<SignInLink>, Error> {
    let row: Option<Row> = sign_in_links::table
        .find(id.as_str())
        .select(Row::as_select())
        .first(connection)
        .optional()?;
    row.map(SignInLink::try_from).transpose()
}

/// Takes the one use of a link that is still open; `false` if somebody was faster, or its time is over.
pub fn take(
    connection: &mut Connection,
    id: &LinkId,
    by: &UserId,
    now: jiff::Timestamp,
) -> Result<bool, Error> {
    let now = Timestamp::from(now);
    let open = sign_in_links::table
        .find(id.as_str())
        .filter(sign_in_links::used_at.is_null())
        .filter(sign_in_links::expires_at.gt(now));
    let taken = diesel::update(open)
        .set((
            sign_in_links::used_at.eq(now),
            sign_in_links::used_by.eq(by.as_str()),
        ))
        .execute(connection)?;
    Ok(taken == 1)
}

/// Removes one that was not used; whether it was there.
pub fn delete_open(connection: &mut Connection, id: &LinkId) -> Result<bool, Error> {
    let open = sign_in_links::table
        .find(id.as_str())
        .filter(sign_in_links::used_at.is_null());
    Ok(diesel::delete(open).execute(connection)? == 1)
}

/// Removes what was not used of this kind: for a link that takes the place of those before it.
pub fn delete_open_of(
    connection: &mut Connection,
    kind: &str,
    user: Option<&UserId>,
) -> Result<(), Error> {
    let open = sign_in_links::table
        .filter(sign_in_links::kind.eq(kind))
        .filter(sign_in_links::used_at.is_null());
    match user {
        None => diesel::delete(open).execute(connection)?,
        Some(user) => diesel::delete(open.filter(sign_in_links::user_id.eq(user.as_str())))
            .execute(connection)?,
    };
    Ok(())
}

/// A page of an organization's invitations that can still be used, newest first.
pub fn invitations(
    connection: &mut Connection,
    organization: &OrganizationId,
    now: jiff::Timestamp,
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<SignInLink>, Error> {
    let mut query = sign_in_links::table
        .filter(sign_in_links::organization_id.eq(organization.as_str()))
        .filter(sign_in_links::used_at.is_null())
        .filter(sign_in_links::expires_at.gt(Timestamp::from(now)))
        .order((sign_in_links::created_at.desc(), sign_in_links::id.desc()))
        .limit(super::count(limit))
        .select(Row::as_select())
        .into_boxed();
    if let Some(Place { at, id }) = after {
        let at = Timestamp::from(*at);
        query = query.filter(
            sign_in_links::created_at
                .lt(at)
                .or(sign_in_links::created_at
                    .eq(at)
                    .and(sign_in_links::id.lt(id))),
        );
    }
    let rows: Vec<Row> = query.load(connection)?;
    rows.into_iter().map(SignInLink::try_from).collect()
}

/// Forgets links whose time is over, used or not, at most `limit` at a time; how many that were.
pub fn clean(
    connection: &mut Connection,
    now: jiff::Timestamp,
    limit: usize,
) -> Result<usize, Error> {
    let over: Vec<String> = sign_in_links::table
        .filter(sign_in_links::expires_at.le(Timestamp::from(now)))
        .select(sign_in_links::id)
        .limit(super::count(limit))
        .load(connection)?;
    let over = sign_in_links::table.filter(sign_in_links::id.eq_any(over));
    Ok(diesel::delete(over).execute(connection)?)
}
