//! Who is at what in the outbox, so that several nodes share it and what comes late changes nothing.
//!
//! An operation is taken up by a claim: a number that goes up and a moment, committed before the provider is asked. No transaction and
//! no lock is held meanwhile. Of the users of one key that are made, one operation at a time is claimed, the earliest first. A claim that is older than [`LEASE`]
//! counts no more: whoever takes the operation up has a higher number, and whoever had the lower one cannot end it any more.
//!
//! A call that got no answer may still be done at the provider later, after what came next; one that was answered may be done twice. So
//! an operation ends only by a success that began after all calls before it have surely come to rest (`settle_at`); until then it is
//! done once more.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Text;

use super::idp_operations::{Operation, OperationKind, Row};
use super::schema::idp_operations;
use super::{Connection, Error, Timestamp};
use crate::domain::id::{KeyId, OperationId};
use crate::domain::provider_name::ProviderName;

/// How long a claim counts: far more than the time-outs of provider and database together.
pub const LEASE: Duration = Duration::from_secs(30);

/// How the ending of an operation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is done.
    Done,
    /// It is done again later, when earlier calls have come to rest.
    Later,
    /// Another one has it now, or has ended it.
    Lost,
}

/// Providers at which something is due that nobody is at.
pub fn providers_with_work(
    connection: &mut Connection,
    now: jiff::Timestamp,
) -> Result<Vec<ProviderName>, Error> {
    let names: Vec<String> = due(now)
        .select(idp_operations::provider)
        .distinct()
        .load(connection)?;
    let parse = |name: String| {
        name.parse()
            .map_err(|error| Error::corrupt("idp_operations.provider", error))
    };
    names.into_iter().map(parse).collect()
}

/// Keys for whose users something is due at a provider, those that wait longest first, from at most `limit` operations.
pub fn keys_with_work(
    connection: &mut Connection,
    provider: &ProviderName,
    now: jiff::Timestamp,
    limit: usize,
) -> Result<Vec<KeyId>, Error> {
    let ids: Vec<String> = due(now)
        .filter(idp_operations::provider.eq(provider.as_str()))
        .select(idp_operations::key_id)
        .order((idp_operations::next_try_at, idp_operations::id))
        .limit(super::count(limit))
        .load(connection)?;
    let mut keys: Vec<KeyId> = Vec::with_capacity(ids.len());
    for id in ids {
        let id = id
            .parse()
            .map_err(|error| Error::corrupt("idp_operations.key_id", error))?;
        if !keys.contains(&id) {
            keys.push(id);
        }
    }
    Ok(keys)
}

/// Lets no other transaction claim anything of a key, or change it, until this one ends; whether nobody is at its users now. Whoever
/// makes a new one is in nobody's way: nobody else knows it.
pub fn turn(connection: &mut Connection, key: &KeyId, now: jiff::Timestamp) -> Result<bool, Error> {
    // The key's row first, as everywhere. It may be gone: then nothing new begins, and the open operations alone are held.
    hold(
        connection,
        "SELECT id FROM api_keys WHERE id = $1 FOR NO KEY UPDATE",
        key,
    )?;
    hold(
        connection,
        "SELECT id FROM idp_operations WHERE key_id = $1 AND done_at IS NULL ORDER BY id FOR UPDATE",
        key,
    )?;
    let counts = idp_operations::claimed_at
        .gt(expired(now))
        .assume_not_null();
    let counting = diesel::dsl::exists(claimed(key).filter(counts));
    let taken: bool = diesel::select(counting).get_result(connection)?;
    Ok(!taken)
}

/// Takes what is claimed of a key from whoever is at it, for somebody who has waited too long: it is taken up again when what was asked
/// for it has come to rest at `rest_at`.
pub fn seize(
    connection: &mut Connection,
    key: &KeyId,
    rest_at: jiff::Timestamp,
) -> Result<(), Error> {
    diesel::update(claimed(key))
        .set((
            idp_operations::claim.eq(idp_operations::claim + 1),
            idp_operations::claimed_at.eq(None::<Timestamp>),
            idp_operations::settle_at.eq(Timestamp::from(rest_at)),
            idp_operations::next_try_at.eq(Timestamp::from(rest_at)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Takes up the earliest operation of a key that is due; `None` if there is none, or somebody is at its users. `rest` is how long a call
/// may still be done at the provider after its caller has vanished.
pub fn take(
    connection: &mut Connection,
    key: &KeyId,
    rest: Duration,
    now: jiff::Timestamp,
) -> Result<Option<Operation>, Error> {
    if !turn(connection, key, now)? {
        return Ok(None);
    }
    let first: Option<Row> = due(now)
        .filter(idp_operations::key_id.eq(key.as_str()))
        .order((idp_operations::created_at, idp_operations::id))
        .select(Row::as_select())
        .first(connection)
        .optional()?;
    let Some(first) = first else { return Ok(None) };
    let found = Operation::try_from(first)?;
    let vanished = found.claimed_at.and_then(|_| now.checked_add(rest).ok());
    let taken = Operation {
        claim: found.claim + 1,
        claimed_at: Some(now),
        settle_at: found.settle_at.max(vanished),
        ..found
    };
    diesel::update(idp_operations::table.find(taken.id.as_str()))
        .set((
            idp_operations::claim.eq(taken.claim),
            idp_operations::claimed_at.eq(Timestamp::from(now)),
            idp_operations::settle_at.eq(taken.settle_at.map(Timestamp::from)),
        ))
        .execute(connection)?;
    Ok(Some(taken))
}

/// Ends an operation that is claimed, after a success that began at `began_at`; and with it all others that wanted the same of the same
/// user, for the provider was told what our record says last. `echo` is how long a call that was answered may be done a second time:
/// what follows another one so closely is done once more after that.
pub fn finish(
    connection: &mut Connection,
    operation: &Operation,
    (began_at, now): (jiff::Timestamp, jiff::Timestamp),
    echo: Duration,
) -> Result<Ending, Error> {
    let mut settle_at: Option<Timestamp> = match mine(operation)
        .select(idp_operations::settle_at)
        .first(connection)
        .optional()?
    {
        Some(settle_at) => settle_at,
        None => return Ok(Ending::Lost),
    };
    if let OperationKind::Permit | OperationKind::Describe = operation.kind {
        settle_at = settle_at.max(end_equal(connection, operation, now)?);
    }
    if !echo.is_zero() {
        let last = last_before(connection, operation, began_at.checked_sub(echo).ok())?;
        let heard = last.and_then(|last| jiff::Timestamp::from(last).checked_add(echo).ok());
        settle_at = settle_at.max(heard.map(Timestamp::from));
    }
    let later = settle_at.filter(|at| *at > Timestamp::from(began_at));
    let done_at = later.is_none().then_some(Timestamp::from(now));
    let next_try_at = later.unwrap_or_else(|| operation.next_try_at.into());
    diesel::update(mine(operation))
        .set((
            idp_operations::done_at.eq(done_at),
            idp_operations::next_try_at.eq(next_try_at),
            idp_operations::claimed_at.eq(None::<Timestamp>),
            idp_operations::settle_at.eq(settle_at),
        ))
        .execute(connection)?;
    Ok(if later.is_none() {
        Ending::Done
    } else {
        Ending::Later
    })
}

/// Ends the other open operations that want the same of the same user; up to when what was asked for them may still be done.
fn end_equal(
    connection: &mut Connection,
    operation: &Operation,
    now: jiff::Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let settling: Vec<(String, Option<Timestamp>)> = idp_operations::table
        .filter(idp_operations::key_id.eq(operation.key_id.as_str()))
        .filter(idp_operations::done_at.is_null())
        .filter(idp_operations::credential_id.eq(operation.credential_id.as_str()))
        .filter(idp_operations::kind.eq(operation.kind.as_str()))
        .filter(idp_operations::id.ne(operation.id.as_str()))
        .select((idp_operations::id, idp_operations::settle_at))
        .load(connection)?;
    let ids: Vec<&str> = settling.iter().map(|(id, _)| id.as_str()).collect();
    if ids.is_empty() {
        return Ok(None);
    }
    diesel::update(idp_operations::table.filter(idp_operations::id.eq_any(ids)))
        .set((
            idp_operations::done_at.eq(Timestamp::from(now)),
            idp_operations::claimed_at.eq(None::<Timestamp>),
        ))
        .execute(connection)?;
    Ok(settling
        .iter()
        .filter_map(|(_, settle_at)| *settle_at)
        .max())
}

/// When something of another content was last done for the same user, if that was after `since`.
fn last_before(
    connection: &mut Connection,
    operation: &Operation,
    since: Option<jiff::Timestamp>,
) -> Result<Option<Timestamp>, Error> {
    let since = Timestamp::from(since.unwrap_or_default());
    Ok(idp_operations::table
        .filter(idp_operations::key_id.eq(operation.key_id.as_str()))
        .filter(idp_operations::done_at.gt(since).assume_not_null())
        .filter(idp_operations::credential_id.eq(operation.credential_id.as_str()))
        .filter(
            idp_operations::kind
                .eq(operation.kind.as_str())
                .or(idp_operations::kind.eq(OperationKind::Create.as_str())),
        )
        .filter(idp_operations::id.ne(operation.id.as_str()))
        .select(diesel::dsl::max(idp_operations::done_at))
        .first(connection)?)
}

/// Gives a claimed operation back after a vain try; `rest_at`: up to when what was asked may still be done. `false` if another one has it.
pub fn give_back(
    connection: &mut Connection,
    operation: &Operation,
    (next_try_at, rest_at): (jiff::Timestamp, Option<jiff::Timestamp>),
    (now, stuck, error): (jiff::Timestamp, bool, &str),
) -> Result<bool, Error> {
    let failing_since = operation.failing_since.unwrap_or(now);
    let stuck_at = operation.stuck_at.or(stuck.then_some(now));
    let settle_at = operation.settle_at.max(rest_at).map(Timestamp::from);
    let rows = diesel::update(mine(operation))
        .set((
            idp_operations::attempts.eq(idp_operations::attempts + 1),
            idp_operations::next_try_at.eq(Timestamp::from(next_try_at)),
            idp_operations::claimed_at.eq(None::<Timestamp>),
            idp_operations::settle_at.eq(settle_at),
            idp_operations::failing_since.eq(Timestamp::from(failing_since)),
            idp_operations::stuck_at.eq(stuck_at.map(Timestamp::from)),
            idp_operations::last_error.eq(error),
        ))
        .execute(connection)?;
    Ok(rows == 1)
}

/// Says that somebody who had an operation no more has asked the provider all the same, perhaps after those who had it then: it is
/// done once more, if it is open not before `rest_at`.
pub fn disturb(
    connection: &mut Connection,
    id: &OperationId,
    rest_at: jiff::Timestamp,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    let rest_at = Timestamp::from(rest_at);
    let open = idp_operations::table
        .find(id.as_str())
        .filter(idp_operations::done_at.is_null());
    diesel::update(open)
        .set(idp_operations::settle_at.eq(rest_at))
        .execute(connection)?;
    let done = idp_operations::table
        .find(id.as_str())
        .filter(idp_operations::done_at.is_not_null());
    diesel::update(done)
        .set((
            idp_operations::done_at.eq(None::<Timestamp>),
            idp_operations::next_try_at.eq(Timestamp::from(now)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Ends all claims at a provider. For a start that knows that whoever had them is gone; `rest_at`: up to when what they asked may still
/// be done.
pub fn drop_all(
    connection: &mut Connection,
    provider: &ProviderName,
    rest_at: jiff::Timestamp,
) -> Result<(), Error> {
    let claimed = idp_operations::table
        .filter(idp_operations::provider.eq(provider.as_str()))
        .filter(idp_operations::done_at.is_null())
        .filter(idp_operations::claimed_at.is_not_null());
    diesel::update(claimed)
        .set((
            idp_operations::claimed_at.eq(None::<Timestamp>),
            idp_operations::settle_at.eq(Timestamp::from(rest_at)),
        ))
        .execute(connection)?;
    Ok(())
}

/// What is due at `now` and that nobody is at.
#[diesel::dsl::auto_type(no_type_alias)]
fn due(now: jiff::Timestamp) -> _ {
    let now_column: Timestamp = Timestamp::from(now);
    let expired: Timestamp = expired(now);
    idp_operations::table.filter(
        idp_operations::done_at
            .is_null()
            .and(idp_operations::next_try_at.le(now_column))
            .and(
                idp_operations::claimed_at
                    .is_null()
                    .or(idp_operations::claimed_at.le(expired).assume_not_null()),
            ),
    )
}

/// What somebody is at, or was when he vanished, of a key's users that are made.
#[diesel::dsl::auto_type(no_type_alias)]
fn claimed(key: &KeyId) -> _ {
    let key: &str = key.as_str();
    let create: &str = OperationKind::Create.as_str();
    idp_operations::table
        .filter(idp_operations::key_id.eq(key))
        .filter(idp_operations::done_at.is_null())
        .filter(idp_operations::kind.ne(create))
        .filter(idp_operations::claimed_at.is_not_null())
}

/// An operation as long as its claim is the one that its holder has.
#[diesel::dsl::auto_type(no_type_alias)]
fn mine(operation: &Operation) -> _ {
    let id: &str = operation.id.as_str();
    let claim: i64 = operation.claim;
    idp_operations::table
        .find(id)
        .filter(idp_operations::claim.eq(claim))
        .filter(idp_operations::done_at.is_null())
}

/// Claims up to this moment count no more at `now`.
fn expired(now: jiff::Timestamp) -> Timestamp {
    now.checked_sub(LEASE).unwrap_or(now).into()
}

fn hold(connection: &mut Connection, statement: &str, key: &KeyId) -> Result<(), Error> {
    if let Connection::Postgres(postgres) = connection {
        diesel::sql_query(statement)
            .bind::<Text, _>(key.to_string())
            .execute(postgres)?;
    }
    Ok(())
}
