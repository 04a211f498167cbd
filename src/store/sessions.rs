//! Sessions of people at the dashboard. A row holds a digest of what the browser holds, and goes when the session ends: what is not
//! here is nobody's, on every node.

use diesel::prelude::*;

use super::schema::{sessions, used_attempts};
use super::{Connection, Error, Timestamp};
use crate::domain::id::UserId;
use crate::domain::sign_in::SignInMethod;

/// A session on record.
#[derive(Clone, Debug)]
pub struct Session {
    /// A digest of what the browser holds.
    pub id: [u8; 32],
    /// Whose.
    pub user_id: UserId,
    /// By which means he signed in.
    pub method: SignInMethod,
    /// From where.
    pub address: Option<String>,
    /// With what, as the browser says.
    pub agent: Option<String>,
    /// When.
    pub created_at: jiff::Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: jiff::Timestamp,
    /// When it ends whatever happens.
    pub expires_at: jiff::Timestamp,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
struct Row {
    id: Vec<u8>,
    user_id: String,
    method: String,
    address: Option<String>,
    agent: Option<String>,
    created_at: Timestamp,
    seen_at: Timestamp,
    expires_at: Timestamp,
}

impl From<&Session> for Row {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id.to_vec(),
            user_id: session.user_id.to_string(),
            method: session.method.as_str().to_owned(),
            address: session.address.clone(),
            agent: session.agent.clone(),
            created_at: session.created_at.into(),
            seen_at: session.seen_at.into(),
            expires_at: session.expires_at.into(),
        }
    }
}

impl TryFrom<Row> for Session {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let id: [u8; 32] = row
            .id
            .try_into()
            .map_err(|_| Error::corrupt("sessions.id", super::row::WrongLength))?;
        Ok(Self {
            id,
            user_id: row
                .user_id
                .parse()
                .map_err(|error| Error::corrupt("sessions.user_id", error))?,
            method: row
                .method
                .parse()
                .map_err(|error| Error::corrupt("sessions.method", error))?,
            address: row.address,
            agent: row.agent,
            created_at: row.created_at.into(),
            seen_at: row.seen_at.into(),
            expires_at: row.expires_at.into(),
        })
    }
}

/// The session of this digest.
pub fn find(connection: &mut Connection, id: &[u8; 32]) -> Result<Option<Session>, Error> {
    let row: Option<Row> = sessions::table
        .find(id.to_vec())
        .select(Row::as_select())
        .first(connection)
        .optional()?;
    row.map(Session::try_from).transpose()
}

/// All of a person, the one used last first.
pub fn of_user(connection: &mut Connection, user: &UserId) -> Result<Vec<Session>, Error> {
    let rows: Vec<Row> = sessions::table
        .filter(sessions::user_id.eq(user.as_str()))
        .select(Row::as_select())
        .order((sessions::seen_at.desc(), sessions::id))
        .load(connection)?;
    rows.into_iter().map(Session::try_from).collect()
}

/// Records a new one.
pub fn insert(connection: &mut Connection, new: &Session) -> Result<(), Error> {
    diesel::insert_into(sessions::table)
        .values(Row::from(new))
        .execute(connection)?;
    Ok(())
}

/// Notes that one was used.
pub fn touch(
    connection: &mut Connection,
    id: &[u8; 32],
    now: jiff::Timestamp,
) -> Result<(), Error> {
    diesel::update(sessions::table.find(id.to_vec()))
        .set(sessions::seen_at.eq(Timestamp::from(now)))
        .execute(connection)?;
    Ok(())
}

/// Ends one; whether it was there.
pub fn end(connection: &mut Connection, id: &[u8; 32]) -> Result<bool, Error> {
    Ok(diesel::delete(sessions::table.find(id.to_vec())).execute(connection)? == 1)
}

/// Ends all of a person but one; how many.
pub fn end_all(
    connection: &mut Connection,
    user: &UserId,
    but: Option<&[u8; 32]>,
) -> Result<usize, Error> {
    let his = sessions::table.filter(sessions::user_id.eq(user.as_str()));
    let ended = match but {
        None => diesel::delete(his).execute(connection)?,
        Some(id) => diesel::delete(his.filter(sessions::id.ne(id.to_vec()))).execute(connection)?,
    };
    Ok(ended)
}

/// Notes that an attempt to sign in came back. One that did before is a conflict over `used_attempts.id`.
pub fn use_attempt(
    connection: &mut Connection,
    id: &[u8; 32],
    expires_at: jiff::Timestamp,
) -> Result<(), Error> {
    diesel::insert_into(used_attempts::table)
        .values((
            used_attempts::id.eq(id.to_vec()),
            used_attempts::expires_at.eq(Timestamp::from(expires_at)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Forgets sessions that are over, at most `limit` at a time; how many that were.
pub fn clean(
    connection: &mut Connection,
    now: jiff::Timestamp,
    limit: usize,
) -> Result<usize, Error> {
    let over: Vec<Vec<u8>> = sessions::table
        .filter(sessions::expires_at.le(Timestamp::from(now)))
        .select(sessions::id)
        .limit(super::count(limit))
        .load(connection)?;
    Ok(diesel::delete(sessions::table.filter(sessions::id.eq_any(over))).execute(connection)?)
}

/// Forgets attempts to sign in that could not come back any more, at most `limit` at a time; how many that were.
pub fn clean_attempts(
    connection: &mut Connection,
    now: jiff::Timestamp,
    limit: usize,
) -> Result<usize, Error> {
    let over: Vec<Vec<u8>> = used_attempts::table
        .filter(used_attempts::expires_at.le(Timestamp::from(now)))
        .select(used_attempts::id)
        .limit(super::count(limit))
        .load(connection)?;
    let over = used_attempts::table.filter(used_attempts::id.eq_any(over));
    Ok(diesel::delete(over).execute(connection)?)
}
