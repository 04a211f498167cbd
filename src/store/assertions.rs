//! Client assertions that were used: each is good once, at whatever node (RFC 7523 §3, `jti`).

use diesel::prelude::*;

use super::schema::used_assertions;
use super::{Connection, Error, Timestamp};
use crate::domain::id::ApplicationId;

const CONTEXT: &str = "kagiya 2026-11 client assertion: a client's name for it";

/// What an assertion is known by: a client's own name for it, of whatever length.
pub fn name(client: &ApplicationId, jti: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    // The id has one length, so no two inputs run together.
    hasher.update(client.as_str().as_bytes());
    hasher.update(jti.as_bytes());
    *hasher.finalize().as_bytes()
}

/// Writes down that it is used. One that was used before is a conflict over `used_assertions.id`.
pub fn use_once(
    connection: &mut Connection,
    name: &[u8],
    until: jiff::Timestamp,
) -> Result<(), Error> {
    diesel::insert_into(used_assertions::table)
        .values((
            used_assertions::id.eq(name.to_vec()),
            used_assertions::expires_at.eq(Timestamp::from(until)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Forgets those that could not be used any more anyway.
pub fn clean(connection: &mut Connection, now: jiff::Timestamp) -> Result<usize, Error> {
    let old = used_assertions::table.filter(used_assertions::expires_at.le(Timestamp::from(now)));
    Ok(diesel::delete(old).execute(connection)?)
}
