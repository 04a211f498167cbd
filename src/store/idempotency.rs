//! Answers to requests that carried an Idempotency-Key, kept for a day.

use diesel::prelude::*;

use super::schema::idempotency;
use super::{Connection, Error, Timestamp};
use crate::domain::id::CredentialId;

/// What is known of an earlier request with the same key, by the same caller, to the same place.
#[derive(Clone, Debug)]
pub struct Record {
    /// A digest of its body.
    pub body_digest: Vec<u8>,
    /// Its outcome; none while it runs.
    pub answer: Option<Answer>,
    /// Which run of the server took it.
    pub node: String,
    /// When.
    pub begun_at: jiff::Timestamp,
    /// What the answer shows: the id of the generation whose key it is, or of an application's secret.
    pub shows: Option<String>,
}

/// A kept answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers and body, sealed; none once it was erased.
    pub sealed: Option<Vec<u8>>,
}

/// A request whose handling begins.
pub struct Begun<'a> {
    /// A digest of caller, method, path and Idempotency-Key.
    pub id: &'a [u8],
    /// Who asks.
    pub caller: &'a str,
    /// A digest of the body.
    pub body_digest: &'a [u8],
    /// Which run of the server handles it.
    pub node: &'a str,
    /// Now.
    pub at: jiff::Timestamp,
    /// Until when the answer is kept.
    pub expires_at: jiff::Timestamp,
}

/// The record of this id that has not expired.
pub fn find(
    connection: &mut Connection,
    id: &[u8],
    now: jiff::Timestamp,
) -> Result<Option<Record>, Error> {
    type Row = (
        Vec<u8>,
        String,
        Option<i32>,
        Option<Vec<u8>>,
        String,
        Timestamp,
        Option<String>,
    );
    let row: Option<Row> = idempotency::table
        .find(id.to_vec())
        .filter(idempotency::expires_at.gt(Timestamp::from(now)))
        .select((
            idempotency::body_digest,
            idempotency::state,
            idempotency::status,
            idempotency::sealed_answer,
            idempotency::node,
            idempotency::created_at,
            idempotency::credential_id,
        ))
        .first(connection)
        .optional()?;
    let Some((body_digest, state, status, sealed, node, begun_at, shows)) = row else {
        return Ok(None);
    };
    let status = status.and_then(|status| u16::try_from(status).ok());
    let answer = status
        .filter(|_| state == "done")
        .map(|status| Answer { status, sealed });
    Ok(Some(Record {
        body_digest,
        answer,
        node,
        begun_at: begun_at.into(),
        shows,
    }))
}

/// Writes down that a request is being handled. One that is known already is a conflict over `idempotency.id`.
pub fn begin(connection: &mut Connection, new: &Begun<'_>) -> Result<(), Error> {
    diesel::insert_into(idempotency::table)
        .values((
            idempotency::id.eq(new.id.to_vec()),
            idempotency::caller.eq(new.caller),
            idempotency::body_digest.eq(new.body_digest.to_vec()),
            idempotency::state.eq("running"),
            idempotency::node.eq(new.node),
            idempotency::created_at.eq(Timestamp::from(new.at)),
            idempotency::expires_at.eq(Timestamp::from(new.expires_at)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Keeps the answer of the call that began at `begun_at`, in the transaction of the change that it tells of.
///
/// # Errors
/// A conflict over `idempotency.id` if that call is no longer the one on record: it was given up for dead and another took its place.
/// Then the change must not be.
pub fn finish(
    connection: &mut Connection,
    id: &[u8],
    begun_at: jiff::Timestamp,
    answer: &Answer,
    shows: Option<&str>,
) -> Result<(), Error> {
    let rows = diesel::update(idempotency::table.filter(running(id.to_vec(), begun_at.into())))
        .set((
            idempotency::state.eq("done"),
            idempotency::status.eq(i32::from(answer.status)),
            idempotency::sealed_answer.eq(answer.sealed.clone()),
            idempotency::credential_id.eq(shows),
        ))
        .execute(connection)?;
    if rows == 1 {
        Ok(())
    } else {
        Err(Error::taken_over("idempotency.id"))
    }
}

/// Forgets the call that began at `begun_at`, so that its repeat runs afresh: it came to nothing. One that was answered stays.
pub fn forget(
    connection: &mut Connection,
    id: &[u8],
    begun_at: jiff::Timestamp,
) -> Result<(), Error> {
    diesel::delete(idempotency::table.filter(running(id.to_vec(), begun_at.into())))
        .execute(connection)?;
    Ok(())
}

/// Forgets the record of this id if it has expired at `now`, or is of a call that began before `abandoned` and has no answer.
pub fn forget_old(
    connection: &mut Connection,
    id: &[u8],
    now: jiff::Timestamp,
    abandoned: jiff::Timestamp,
) -> Result<(), Error> {
    let unfinished = idempotency::state
        .eq("running")
        .and(idempotency::created_at.le(Timestamp::from(abandoned)));
    let expired = idempotency::expires_at.le(Timestamp::from(now));
    let old = idempotency::table
        .find(id.to_vec())
        .filter(expired.or(unfinished));
    diesel::delete(old).execute(connection)?;
    Ok(())
}

/// Forgets what has expired, at most `limit` at a time; how many that were.
pub fn clean(
    connection: &mut Connection,
    now: jiff::Timestamp,
    limit: usize,
) -> Result<usize, Error> {
    let expired: Vec<Vec<u8>> = idempotency::table
        .filter(idempotency::expires_at.le(Timestamp::from(now)))
        .select(idempotency::id)
        .limit(super::count(limit))
        .load(connection)?;
    let expired = idempotency::table.filter(idempotency::id.eq_any(expired));
    Ok(diesel::delete(expired).execute(connection)?)
}

/// Erases the answers to requests that began at `moment` or before, at most `limit` at a time; how many that were.
pub fn erase_before(
    connection: &mut Connection,
    moment: jiff::Timestamp,
    limit: usize,
) -> Result<usize, Error> {
    let old: Vec<Vec<u8>> = idempotency::table
        .filter(idempotency::created_at.le(Timestamp::from(moment)))
        .filter(idempotency::sealed_answer.is_not_null())
        .select(idempotency::id)
        .limit(super::count(limit))
        .load(connection)?;
    let old = idempotency::table.filter(idempotency::id.eq_any(old));
    Ok(diesel::update(old)
        .set(idempotency::sealed_answer.eq(None::<Vec<u8>>))
        .execute(connection)?)
}

/// Forgets what other runs than `node` left unfinished. For a start that knows that nobody else is running.
pub fn clean_unfinished(connection: &mut Connection, node: &str) -> Result<usize, Error> {
    let left = idempotency::table.filter(
        idempotency::state
            .eq("running")
            .and(idempotency::node.ne(node)),
    );
    Ok(diesel::delete(left).execute(connection)?)
}

/// Erases the kept answers that show these generations' keys.
pub fn erase(connection: &mut Connection, generations: &[CredentialId]) -> Result<(), Error> {
    let ids: Vec<&str> = generations.iter().map(CredentialId::as_str).collect();
    diesel::update(idempotency::table.filter(idempotency::credential_id.eq_any(ids)))
        .set(idempotency::sealed_answer.eq(None::<Vec<u8>>))
        .execute(connection)?;
    Ok(())
}

/// Erases the kept answer that shows the secret of this id.
pub fn erase_shown(connection: &mut Connection, id: &str) -> Result<(), Error> {
    diesel::update(idempotency::table.filter(idempotency::credential_id.eq(id)))
        .set(idempotency::sealed_answer.eq(None::<Vec<u8>>))
        .execute(connection)?;
    Ok(())
}

/// Erases the kept answer of this record.
pub fn erase_one(connection: &mut Connection, id: &[u8]) -> Result<(), Error> {
    diesel::update(idempotency::table.find(id.to_vec()))
        .set(idempotency::sealed_answer.eq(None::<Vec<u8>>))
        .execute(connection)?;
    Ok(())
}

/// The record of this id, as long as it is of the call that began at this moment and has no answer.
#[diesel::dsl::auto_type]
fn running(id: Vec<u8>, begun_at: Timestamp) -> _ {
    idempotency::id
        .eq(id)
        .and(idempotency::state.eq("running"))
        .and(idempotency::created_at.eq(begun_at))
}
