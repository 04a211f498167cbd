//! The outbox: what is to be done at identity providers, written down before it is tried.

use diesel::prelude::*;

use super::connection::each;
use super::schema::idp_operations;
use super::{Connection, Error, Timestamp};
use crate::domain::id::{CredentialId, KeyId, OperationId};
use crate::domain::plaintext_key::UserName;
use crate::domain::provider_name::ProviderName;

/// Rows that one statement adds.
const ROWS: usize = 1_000;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// A user is being made. Found open after its time it was never finished, and is undone.
    Create,
    /// A user's permissions are to be what our record says at that moment.
    Permit,
    /// A user is to go.
    Delete,
}

impl OperationKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Permit => "permit",
            Self::Delete => "delete",
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// Where.
    pub provider: ProviderName,
    /// What.
    pub kind: OperationKind,
    /// For which key.
    pub key_id: KeyId,
    /// For which generation.
    pub credential_id: CredentialId,
    /// The generation's user name.
    pub user_name: UserName,
    /// How often it was tried in vain.
    pub attempts: i32,
    /// Not to be tried before.
    pub next_try_at: jiff::Timestamp,
}

#[derive(Queryable)]
struct Row {
    id: String,
    provider: String,
    kind: String,
    key_id: String,
    credential_id: String,
    user_name: String,
    attempts: i32,
    next_try_at: Timestamp,
}

impl TryFrom<Row> for Operation {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let kind = [
            OperationKind::Create,
            OperationKind::Permit,
            OperationKind::Delete,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == row.kind)
        .ok_or_else(|| Error::corrupt("idp_operations.kind", "unknown"))?;
        Ok(Self {
            id: row
                .id
                .parse()
                .map_err(|error| Error::corrupt("idp_operations.id", error))?,
            provider: row
                .provider
                .parse()
                .map_err(|error| Error::corrupt("idp_operations.provider", error))?,
            kind,
            key_id: row
                .key_id
                .parse()
                .map_err(|error| Error::corrupt("idp_operations.key_id", error))?,
            credential_id: row
                .credential_id
                .parse()
                .map_err(|error| Error::corrupt("idp_operations.credential_id", error))?,
            user_name: super::credentials::user_name(&row.user_name)?,
            attempts: row.attempts,
            next_try_at: row.next_try_at.into(),
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = idp_operations)]
struct NewRow<'a> {
    id: &'a str,
    provider: &'a str,
    kind: &'a str,
    key_id: &'a str,
    credential_id: &'a str,
    user_name: &'a str,
    attempts: i32,
    next_try_at: Timestamp,
    claim: i64,
    created_at: Timestamp,
}

impl<'a> NewRow<'a> {
    fn new(operation: &'a Operation, now: jiff::Timestamp) -> Self {
        Self {
            id: operation.id.as_str(),
            provider: operation.provider.as_str(),
            kind: operation.kind.as_str(),
            key_id: operation.key_id.as_str(),
            credential_id: operation.credential_id.as_str(),
            user_name: operation.user_name.as_str(),
            attempts: operation.attempts,
            next_try_at: operation.next_try_at.into(),
            claim: 0,
            created_at: now.into(),
        }
    }
}

/// Writes down what is to be done.
pub fn insert(
    connection: &mut Connection,
    new: &Operation,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    diesel::insert_into(idp_operations::table)
        .values(NewRow::new(new, now))
        .execute(connection)?;
    Ok(())
}

/// Writes down many things that are to be done.
pub fn insert_all(
    connection: &mut Connection,
    new: &[Operation],
    now: jiff::Timestamp,
) -> Result<(), Error> {
    for chunk in new.chunks(ROWS) {
        let rows: Vec<NewRow<'_>> = chunk.iter().map(|new| NewRow::new(new, now)).collect();
        // Many rows in a statement are not portable through the enum of both connections, so it is compiled for each.
        let table = idp_operations::table;
        let inserted = each!(connection, |inner| diesel::insert_into(table)
            .values(rows)
            .execute(inner));
        inserted?;
    }
    Ok(())
}

/// What is due at `now`, the oldest first, at most `limit`.
pub fn due(
    connection: &mut Connection,
    now: jiff::Timestamp,
    limit: usize,
) -> Result<Vec<Operation>, Error> {
    let rows: Vec<Row> = idp_operations::table
        .filter(
            idp_operations::done_at
                .is_null()
                .and(idp_operations::next_try_at.le(Timestamp::from(now))),
        )
        .select((
            idp_operations::id,
            idp_operations::provider,
            idp_operations::kind,
            idp_operations::key_id,
            idp_operations::credential_id,
            idp_operations::user_name,
            idp_operations::attempts,
            idp_operations::next_try_at,
        ))
        .order((idp_operations::next_try_at, idp_operations::id))
        .limit(super::count(limit))
        .load(connection)?;
    rows.into_iter().map(Operation::try_from).collect()
}

/// How many are open.
pub fn open(connection: &mut Connection) -> Result<i64, Error> {
    Ok(idp_operations::table
        .filter(idp_operations::done_at.is_null())
        .count()
        .get_result(connection)?)
}

/// How many are open that were tried in vain already; others are under way, or not due.
pub fn tried_in_vain(connection: &mut Connection) -> Result<i64, Error> {
    Ok(idp_operations::table
        .filter(
            idp_operations::done_at
                .is_null()
                .and(idp_operations::attempts.gt(0)),
        )
        .count()
        .get_result(connection)?)
}

/// Whether something of this kind is still to be done for a key.
pub fn has_open(
    connection: &mut Connection,
    key: &KeyId,
    kind: OperationKind,
) -> Result<bool, Error> {
    let open = idp_operations::table
        .filter(idp_operations::done_at.is_null())
        .filter(idp_operations::key_id.eq(key.as_str()))
        .filter(idp_operations::kind.eq(kind.as_str()));
    Ok(diesel::select(diesel::dsl::exists(open)).get_result(connection)?)
}

/// Marks one as done; `false` if it was already.
pub fn finish(
    connection: &mut Connection,
    id: &OperationId,
    now: jiff::Timestamp,
) -> Result<bool, Error> {
    let open = idp_operations::table
        .find(id.as_str())
        .filter(idp_operations::done_at.is_null());
    let rows = diesel::update(open)
        .set(idp_operations::done_at.eq(Timestamp::from(now)))
        .execute(connection)?;
    Ok(rows == 1)
}

/// Makes every unfinished creation due now. For a start that knows that nobody else is making keys: then each is left over from a crash.
pub fn expedite_creations(
    connection: &mut Connection,
    now: jiff::Timestamp,
) -> Result<usize, Error> {
    let open = idp_operations::table.filter(
        idp_operations::done_at
            .is_null()
            .and(idp_operations::kind.eq(OperationKind::Create.as_str())),
    );
    Ok(diesel::update(open)
        .set(idp_operations::next_try_at.eq(Timestamp::from(now)))
        .execute(connection)?)
}

/// Makes the removal of a generation's user due now; it was put down for the end of a grace that ended early.
pub fn expedite_deletion(
    connection: &mut Connection,
    generation: &CredentialId,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    let open = idp_operations::table
        .filter(
            idp_operations::done_at
                .is_null()
                .and(idp_operations::kind.eq(OperationKind::Delete.as_str())),
        )
        .filter(idp_operations::credential_id.eq(generation.as_str()));
    diesel::update(open)
        .set(idp_operations::next_try_at.eq(Timestamp::from(now)))
        .execute(connection)?;
    Ok(())
}

/// Puts one off after a vain try.
pub fn postpone(
    connection: &mut Connection,
    id: &OperationId,
    next_try_at: jiff::Timestamp,
    error: &str,
) -> Result<(), Error> {
    diesel::update(idp_operations::table.find(id.as_str()))
        .set((
            idp_operations::attempts.eq(idp_operations::attempts + 1),
            idp_operations::next_try_at.eq(Timestamp::from(next_try_at)),
            idp_operations::last_error.eq(error),
        ))
        .execute(connection)?;
    Ok(())
}
