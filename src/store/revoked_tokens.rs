//! What was ended before its tokens expired: single tokens (RFC 7009), and applications and exchange rules that were removed. Each is
//! kept until no token that it concerns can be good any more.

use diesel::prelude::*;

use super::connection::each;
use super::schema::{removed_grounds, revoked_tokens};
use super::{Connection, Error, Timestamp};
use crate::domain::resource::LONGEST_TOKEN_LIFETIME;

/// A token that was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedToken {
    /// Its id.
    pub jti: String,
    /// When it expires.
    pub expires_at: jiff::Timestamp,
}

/// Revokes a token; `false` if it was before.
pub fn revoke(
    connection: &mut Connection,
    token: &RevokedToken,
    client: &str,
    now: jiff::Timestamp,
) -> Result<bool, Error> {
    let row = (
        revoked_tokens::jti.eq(&token.jti),
        revoked_tokens::client_id.eq(client),
        revoked_tokens::revoked_at.eq(Timestamp::from(now)),
        revoked_tokens::expires_at.eq(Timestamp::from(token.expires_at)),
    );
    let inserted = each!(connection, |inner| diesel::insert_into(
        revoked_tokens::table
    )
    .values(row)
    .on_conflict_do_nothing()
    .execute(inner))?;
    Ok(inserted == 1)
}

/// Those that have not expired.
pub fn live(connection: &mut Connection, now: jiff::Timestamp) -> Result<Vec<RevokedToken>, Error> {
    let rows: Vec<(String, Timestamp)> = revoked_tokens::table
        .filter(revoked_tokens::expires_at.gt(Timestamp::from(now)))
        .select((revoked_tokens::jti, revoked_tokens::expires_at))
        .load(connection)?;
    Ok(rows
        .into_iter()
        .map(|(jti, expires_at)| RevokedToken {
            jti,
            expires_at: expires_at.into(),
        })
        .collect())
}

/// Notes that something is removed that tokens stand on.
pub fn note_removed(
    connection: &mut Connection,
    id: &str,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    let row = (
        removed_grounds::id.eq(id),
        removed_grounds::removed_at.eq(Timestamp::from(now)),
        removed_grounds::expires_at.eq(Timestamp::from(now + LONGEST_TOKEN_LIFETIME)),
    );
    each!(connection, |inner| diesel::insert_into(
        removed_grounds::table
    )
    .values(row)
    .on_conflict_do_nothing()
    .execute(inner))?;
    Ok(())
}

/// Forgets what concerns no token that could be good.
pub fn clean(connection: &mut Connection, now: jiff::Timestamp) -> Result<usize, Error> {
    let now = Timestamp::from(now);
    let tokens = revoked_tokens::table.filter(revoked_tokens::expires_at.le(now));
    let clients = removed_grounds::table.filter(removed_grounds::expires_at.le(now));
    Ok(
        diesel::delete(tokens).execute(connection)?
            + diesel::delete(clients).execute(connection)?,
    )
}
