//! The outbox: what is to be done at identity providers, written down before it is tried.

use diesel::prelude::*;

use super::connection::each;
use super::schema::{idp_operations, idp_resources};
use super::{Connection, Error, Timestamp};
use crate::domain::credential::Credential;
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
    /// A user's attributes are to be what our record says at that moment.
    Describe,
    /// A user is to go.
    Delete,
}

impl OperationKind {
    /// Its word on record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Permit => "permit",
            Self::Describe => "describe",
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
    /// How often somebody took it up. Whoever is at it may end it only as long as this number is his ([`super::idp_claims`]).
    pub claim: i64,
    /// Since when somebody is at it; `None`: nobody.
    pub claimed_at: Option<jiff::Timestamp>,
    /// Up to when something that was asked for it and got no answer may still be done at the provider.
    pub settle_at: Option<jiff::Timestamp>,
    /// Since when it is on record.
    pub created_at: jiff::Timestamp,
    /// Since when it fails.
    pub failing_since: Option<jiff::Timestamp>,
    /// Since when it needs a person.
    pub stuck_at: Option<jiff::Timestamp>,
    /// What went wrong last.
    pub last_error: Option<String>,
}

impl Operation {
    /// Something to be done at a provider for a generation, not before `at`, and that nobody is at.
    pub fn new(
        id: OperationId,
        kind: OperationKind,
        (provider, generation): (&ProviderName, &Credential),
        at: jiff::Timestamp,
    ) -> Self {
        Self {
            id,
            provider: provider.clone(),
            kind,
            key_id: generation.key_id,
            credential_id: generation.id,
            user_name: generation.user_name,
            attempts: 0,
            next_try_at: at,
            claim: 0,
            claimed_at: None,
            settle_at: None,
            created_at: at,
            failing_since: None,
            stuck_at: None,
            last_error: None,
        }
    }

    /// Whether it was tried in vain for so long by `now`.
    pub fn is_stuck(&self, now: jiff::Timestamp, after: jiff::SignedDuration) -> bool {
        self.stuck_at.is_some()
            || self
                .failing_since
                .is_some_and(|since| now.duration_since(since) >= after)
    }

    /// The same, taken up at `now` by whoever writes it down.
    pub fn taken_up(self, now: jiff::Timestamp) -> Self {
        Self {
            claim: 1,
            claimed_at: Some(now),
            ..self
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = idp_operations)]
pub(super) struct Row {
    id: String,
    provider: String,
    kind: String,
    key_id: String,
    credential_id: String,
    user_name: String,
    attempts: i32,
    next_try_at: Timestamp,
    claim: i64,
    claimed_at: Option<Timestamp>,
    settle_at: Option<Timestamp>,
    created_at: Timestamp,
    failing_since: Option<Timestamp>,
    stuck_at: Option<Timestamp>,
    last_error: Option<String>,
}

impl TryFrom<Row> for Operation {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let kind = [
            OperationKind::Create,
            OperationKind::Permit,
            OperationKind::Describe,
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
            claim: row.claim,
            claimed_at: row.claimed_at.map(Into::into),
            settle_at: row.settle_at.map(Into::into),
            created_at: row.created_at.into(),
            failing_since: row.failing_since.map(Into::into),
            stuck_at: row.stuck_at.map(Into::into),
            last_error: row.last_error,
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
    claimed_at: Option<Timestamp>,
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
            claim: operation.claim,
            claimed_at: operation.claimed_at.map(Timestamp::from),
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

/// What was tried in vain and is still to be done, what fails longest first.
pub fn failing(connection: &mut Connection, limit: usize) -> Result<Vec<Operation>, Error> {
    let rows: Vec<Row> = idp_operations::table
        .filter(idp_operations::done_at.is_null())
        .filter(idp_operations::attempts.gt(0))
        .select(Row::as_select())
        .order((idp_operations::failing_since, idp_operations::id))
        .limit(super::count(limit))
        .load(connection)?;
    rows.into_iter().map(Operation::try_from).collect()
}

/// How many need a person, resources included.
pub fn stuck(connection: &mut Connection) -> Result<i64, Error> {
    let operations: i64 = idp_operations::table
        .filter(idp_operations::done_at.is_null())
        .filter(idp_operations::stuck_at.is_not_null())
        .count()
        .get_result(connection)?;
    let resources: i64 = idp_resources::table
        .filter(idp_resources::wanted.ne(idp_resources::carried))
        .filter(idp_resources::stuck_at.is_not_null())
        .count()
        .get_result(connection)?;
    Ok(operations + resources)
}

/// Makes all that was tried in vain due now, as if it began to fail only then.
pub fn retry(connection: &mut Connection, now: jiff::Timestamp) -> Result<usize, Error> {
    let failing = idp_operations::table
        .filter(idp_operations::done_at.is_null())
        .filter(idp_operations::attempts.gt(0));
    Ok(diesel::update(failing)
        .set((
            idp_operations::next_try_at.eq(Timestamp::from(now)),
            idp_operations::failing_since.eq(Timestamp::from(now)),
            idp_operations::stuck_at.eq(None::<Timestamp>),
        ))
        .execute(connection)?)
}

/// Whether a user of this name is to be made or to go.
pub fn names_user(connection: &mut Connection, name: &UserName) -> Result<bool, Error> {
    let open = idp_operations::table
        .filter(idp_operations::done_at.is_null())
        .filter(idp_operations::user_name.eq(name.as_str()))
        .filter(idp_operations::kind.eq_any([
            OperationKind::Create.as_str(),
            OperationKind::Delete.as_str(),
        ]));
    Ok(diesel::select(diesel::dsl::exists(open)).get_result(connection)?)
}

/// How many are open that were tried in vain already, resources included; others are under way, or not due.
pub fn tried_in_vain(connection: &mut Connection) -> Result<i64, Error> {
    let operations: i64 = idp_operations::table
        .filter(
            idp_operations::done_at
                .is_null()
                .and(idp_operations::attempts.gt(0)),
        )
        .count()
        .get_result(connection)?;
    let resources: i64 = idp_resources::table
        .filter(idp_resources::wanted.ne(idp_resources::carried))
        .filter(idp_resources::attempts.gt(0))
        .count()
        .get_result(connection)?;
    Ok(operations + resources)
}

/// Whether something of this kind is still to be done for a generation.
pub fn is_open(
    connection: &mut Connection,
    generation: &CredentialId,
    kind: OperationKind,
) -> Result<bool, Error> {
    let open = idp_operations::table
        .filter(idp_operations::done_at.is_null())
        .filter(idp_operations::credential_id.eq(generation.as_str()))
        .filter(idp_operations::kind.eq(kind.as_str()));
    Ok(diesel::select(diesel::dsl::exists(open)).get_result(connection)?)
}

/// Removes those that were done before `moment`, at most `limit` at a time; how many that were.
pub fn remove_done_before(
    connection: &mut Connection,
    moment: jiff::Timestamp,
    limit: usize,
) -> Result<usize, Error> {
    let done: Vec<String> = idp_operations::table
        .filter(idp_operations::done_at.lt(Timestamp::from(moment)))
        .select(idp_operations::id)
        .limit(super::count(limit))
        .load(connection)?;
    let done = idp_operations::table.filter(idp_operations::id.eq_any(done));
    Ok(diesel::delete(done).execute(connection)?)
}

/// Creations that were never finished.
pub fn unfinished_creations(connection: &mut Connection) -> Result<Vec<Operation>, Error> {
    let open = idp_operations::table.filter(
        idp_operations::done_at
            .is_null()
            .and(idp_operations::kind.eq(OperationKind::Create.as_str())),
    );
    let rows: Vec<Row> = open.select(Row::as_select()).load(connection)?;
    rows.into_iter().map(Operation::try_from).collect()
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
