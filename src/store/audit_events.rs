//! The audit trail. Rows are added, in the transaction of what they tell of, and never changed; each is a link of a chain
//! ([`super::audit_chains`]).

use diesel::prelude::*;

use super::connection::each;
use super::schema::audit_events;
use super::{Connection, Error, Place, Timestamp, Transaction};
use crate::domain::audit::{AuditEvent, Origin};
use crate::domain::audit_chain::{AuditSecret, Link, Part, Position, Seal};
use crate::domain::id::OrganizationId;

/// Rows that one statement adds.
const ROWS: usize = 1_000;

/// A row as it is stored. What its seal covers is this text, to the letter.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = audit_events, treat_none_as_default_value = false)]
pub struct StoredEvent {
    /// Its id.
    pub id: String,
    /// When, in microseconds.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// The tenant that it concerns.
    pub organization_id: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// What changed, in JSON.
    pub details: String,
    /// Its chain; none in a row from before there were chains, and in one that somebody else put there.
    pub chain: Option<i64>,
    /// Its number there.
    pub position: Option<i64>,
    /// Its seal.
    pub seal: Option<Vec<u8>>,
}

impl StoredEvent {
    /// The seal that it must bear at a place in a chain, behind the row of this link.
    pub fn sealed(&self, secret: &AuditSecret, before: &Link, position: Position) -> Seal {
        let parts = [
            Part::from(&self.id),
            self.at.into(),
            Part::from(&self.actor),
            Part::from(&self.action),
            Part::from(&self.subject),
            self.organization_id.as_ref().into(),
            self.address.as_ref().into(),
            self.request_id.as_ref().into(),
            Part::from(&self.details),
        ];
        secret.seal(before, position, &parts)
    }
}

impl TryFrom<StoredEvent> for AuditEvent {
    type Error = Error;

    fn try_from(row: StoredEvent) -> Result<Self, Error> {
        let organization = row.organization_id.map(|id| id.parse()).transpose();
        let address = row.address.map(|address| address.parse()).transpose();
        Ok(Self {
            id: row
                .id
                .parse()
                .map_err(|error| Error::corrupt("audit_events.id", error))?,
            at: jiff::Timestamp::from_microsecond(row.at)
                .map_err(|error| Error::corrupt("audit_events.at", error))?,
            origin: Origin {
                actor: row.actor,
                address: address.map_err(|error| Error::corrupt("audit_events.address", error))?,
                request_id: row.request_id,
            },
            action: row.action,
            subject: row.subject,
            organization_id: organization
                .map_err(|error| Error::corrupt("audit_events.organization_id", error))?,
            details: super::parse_json(&row.details, "audit_events.details")?,
        })
    }
}

impl From<&AuditEvent> for StoredEvent {
    fn from(event: &AuditEvent) -> Self {
        Self {
            id: event.id.to_string(),
            at: event.at.as_microsecond(),
            actor: event.origin.actor.clone(),
            action: event.action.clone(),
            subject: event.subject.clone(),
            organization_id: event.organization_id.map(|id| id.to_string()),
            address: event.origin.address.map(|address| address.to_string()),
            request_id: event.origin.request_id.clone(),
            details: event.details.to_string(),
            chain: None,
            position: None,
            seal: None,
        }
    }
}

/// Puts an event on record with this transaction. It gets its place in the trail when the transaction has done all else.
pub fn append(tx: &mut Transaction<'_>, event: &AuditEvent) -> Result<(), Error> {
    tx.record(event.into());
    Ok(())
}

/// The same for many, in their order.
pub fn append_all(tx: &mut Transaction<'_>, events: &[AuditEvent]) -> Result<(), Error> {
    for event in events {
        tx.record(event.into());
    }
    Ok(())
}

/// Adds rows that have their place.
pub(super) fn insert(connection: &mut Connection, rows: &[StoredEvent]) -> Result<(), Error> {
    if let [row] = rows {
        // A statement that stays prepared.
        diesel::insert_into(audit_events::table)
            .values(row.clone())
            .execute(connection)?;
        return Ok(());
    }
    for rows in rows.chunks(ROWS) {
        let table = audit_events::table;
        let inserted = each!(connection, |inner| diesel::insert_into(table)
            .values(rows)
            .execute(inner));
        inserted?;
    }
    Ok(())
}

/// Rows of a chain from this one on, in their order, at most `limit`.
pub fn of_chain(
    connection: &mut Connection,
    from: Position,
    limit: usize,
) -> Result<Vec<StoredEvent>, Error> {
    Ok(audit_events::table
        .filter(audit_events::chain.eq(from.chain))
        .filter(audit_events::position.ge(from.row))
        .order(audit_events::position)
        .limit(super::count(limit))
        .load(connection)?)
}

/// Whether there is any row of a chain.
pub fn is_any_of_chain(connection: &mut Connection, chain: i64) -> Result<bool, Error> {
    let rows = audit_events::table.filter(audit_events::chain.eq(chain));
    Ok(diesel::select(diesel::dsl::exists(rows)).get_result(connection)?)
}

/// Rows that are in no chain, the oldest first, at most `limit`.
pub fn unchained(connection: &mut Connection, limit: usize) -> Result<Vec<StoredEvent>, Error> {
    Ok(audit_events::table
        .filter(audit_events::chain.is_null())
        .order((audit_events::at, audit_events::id))
        .limit(super::count(limit))
        .load(connection)?)
}

/// The oldest row that is in no chain; else one of the chain with the highest number, if that is beyond `chains`, or with a number that
/// no chain has.
pub fn foreign(connection: &mut Connection, chains: i64) -> Result<Option<StoredEvent>, Error> {
    if let Some(row) = unchained(connection, 1)?.pop() {
        return Ok(Some(row));
    }
    let beyond = audit_events::table
        .filter(audit_events::chain.gt(chains))
        .order(audit_events::chain.desc())
        .first(connection)
        .optional()?;
    if beyond.is_some() {
        return Ok(beyond);
    }
    Ok(audit_events::table
        .filter(audit_events::chain.lt(1))
        .first(connection)
        .optional()?)
}

/// A row of a chain that has no place in it: before the first, or nowhere.
pub fn misplaced(connection: &mut Connection, chain: i64) -> Result<Option<StoredEvent>, Error> {
    let of_chain = audit_events::table.filter(audit_events::chain.eq(chain));
    let before = of_chain
        .filter(audit_events::position.lt(1))
        .first(connection)
        .optional()?;
    if before.is_some() {
        return Ok(before);
    }
    Ok(of_chain
        .filter(audit_events::position.is_null())
        .first(connection)
        .optional()?)
}

/// Puts rows that are in no chain into one with this transaction.
pub fn adopt(tx: &mut Transaction<'_>, rows: Vec<StoredEvent>) -> Result<(), Error> {
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    diesel::delete(audit_events::table.filter(audit_events::id.eq_any(ids))).execute(&mut **tx)?;
    for row in rows {
        tx.record(row);
    }
    Ok(())
}

/// Removes the rows of a chain from one to another; how many there were.
pub fn remove(connection: &mut Connection, first: Position, last: i64) -> Result<usize, Error> {
    let rows = audit_events::table
        .filter(audit_events::chain.eq(first.chain))
        .filter(audit_events::position.between(first.row, last));
    Ok(diesel::delete(rows).execute(connection)?)
}

/// When the newest was written.
pub fn newest(connection: &mut Connection) -> Result<Option<jiff::Timestamp>, Error> {
    let newest: Option<Timestamp> = audit_events::table
        .select(diesel::dsl::max(audit_events::at))
        .first(connection)?;
    Ok(newest.map(Into::into))
}

/// What a list of events is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Events that concern one of these organizations.
    pub organizations: Option<Vec<OrganizationId>>,
    /// Events that this subject caused.
    pub actor: Option<String>,
    /// Events about this id.
    pub subject: Option<String>,
    /// Events of this kind.
    pub action: Option<String>,
    /// From this moment on, inclusive.
    pub since: Option<jiff::Timestamp>,
    /// Up to this moment, exclusive.
    pub until: Option<jiff::Timestamp>,
}

/// A page of events, newest first.
pub fn list(
    connection: &mut Connection,
    filter: &Filter,
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<AuditEvent>, Error> {
    let mut query = audit_events::table
        .order((audit_events::at.desc(), audit_events::id.desc()))
        .limit(super::count(limit))
        .into_boxed();
    match filter.organizations.as_deref() {
        None => {}
        Some([organization]) => {
            query = query.filter(audit_events::organization_id.eq(organization.as_str()));
        }
        Some(several) => {
            let ids: Vec<&str> = several.iter().map(OrganizationId::as_str).collect();
            query = query.filter(audit_events::organization_id.eq_any(ids));
        }
    }
    if let Some(actor) = &filter.actor {
        query = query.filter(audit_events::actor.eq(actor));
    }
    if let Some(subject) = &filter.subject {
        query = query.filter(audit_events::subject.eq(subject));
    }
    if let Some(action) = &filter.action {
        query = query.filter(audit_events::action.eq(action));
    }
    if let Some(since) = filter.since {
        query = query.filter(audit_events::at.ge(Timestamp::from(since)));
    }
    if let Some(until) = filter.until {
        query = query.filter(audit_events::at.lt(Timestamp::from(until)));
    }
    if let Some(Place { at, id }) = after {
        let at = Timestamp::from(*at);
        query = query.filter(
            audit_events::at
                .lt(at)
                .or(audit_events::at.eq(at).and(audit_events::id.lt(id))),
        );
    }
    let rows: Vec<StoredEvent> = query.load(connection)?;
    rows.into_iter().map(AuditEvent::try_from).collect()
}
