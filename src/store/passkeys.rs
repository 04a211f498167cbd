//! Passkeys (WebAuthn credentials) of people who sign in here.

use diesel::prelude::*;

use super::schema::passkeys;
use super::{Connection, Error, Timestamp};
use crate::domain::id::UserId;

/// A passkey on record.
#[derive(Clone, Debug)]
pub struct Passkey {
    /// The id that the authenticator gave it, base64url.
    pub id: String,
    /// Whose.
    pub user_id: UserId,
    /// What he calls it.
    pub name: String,
    /// Public key, counter and properties, in JSON.
    pub passkey: String,
    /// When it was added.
    pub created_at: jiff::Timestamp,
    /// When it was last used.
    pub last_used_at: Option<jiff::Timestamp>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = passkeys)]
struct Row {
    id: String,
    user_id: String,
    name: String,
    passkey: String,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
}

impl From<&Passkey> for Row {
    fn from(passkey: &Passkey) -> Self {
        Self {
            id: passkey.id.clone(),
            user_id: passkey.user_id.to_string(),
            name: passkey.name.clone(),
            passkey: passkey.passkey.clone(),
            created_at: passkey.created_at.into(),
            last_used_at: passkey.last_used_at.map(Into::into),
        }
    }
}

impl TryFrom<Row> for Passkey {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            user_id: row
                .user_id
                .parse()
                .map_err(|error| Error::corrupt("passkeys.user_id", error))?,
            name: row.name,
            passkey: row.passkey,
            created_at: row.created_at.into(),
            last_used_at: row.last_used_at.map(Into::into),
        })
    }
}

/// The passkey of this id.
pub fn find(connection: &mut Connection, id: &str) -> Result<Option<Passkey>, Error> {
    let row: Option<Row> = passkeys::table
        .find(id)
        .select(Row::as_select())
        .first(connection)
        .optional()?;
    row.map(Passkey::try_from).transpose()
}

/// All of a person, newest first.
pub fn of_user(connection: &mut Connection, user: &UserId) -> Result<Vec<Passkey>, Error> {
    let rows: Vec<Row> = passkeys::table
        .filter(passkeys::user_id.eq(user.as_str()))
        .select(Row::as_select())
        .order((passkeys::created_at.desc(), passkeys::id))
        .load(connection)?;
    rows.into_iter().map(Passkey::try_from).collect()
}

/// Records a new one. One that is known is a conflict over `passkeys.id`.
pub fn insert(connection: &mut Connection, new: &Passkey) -> Result<(), Error> {
    diesel::insert_into(passkeys::table)
        .values(Row::from(new))
        .execute(connection)?;
    Ok(())
}

/// Notes a use with what it changed, if nothing else changed it since it was read: two uses with one counter are one too many.
pub fn note_use(
    connection: &mut Connection,
    (before, after): (&str, &str),
    id: &str,
    now: jiff::Timestamp,
) -> Result<bool, Error> {
    let target = passkeys::table
        .find(id)
        .filter(passkeys::passkey.eq(before));
    let noted = diesel::update(target)
        .set((
            passkeys::passkey.eq(after),
            passkeys::last_used_at.eq(Timestamp::from(now)),
        ))
        .execute(connection)?;
    Ok(noted == 1)
}

/// Removes a person's own; whether it was there.
pub fn delete(connection: &mut Connection, user: &UserId, id: &str) -> Result<bool, Error> {
    let his = passkeys::table
        .find(id)
        .filter(passkeys::user_id.eq(user.as_str()));
    Ok(diesel::delete(his).execute(connection)? == 1)
}
