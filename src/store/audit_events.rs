//! The audit trail. Rows are added, in the transaction of what they tell of, and never changed.

use diesel::prelude::*;

use super::connection::each;
use super::schema::audit_events;
use super::{Connection, Error, Place, Timestamp};
use crate::domain::audit::{AuditEvent, Origin};
use crate::domain::id::OrganizationId;

/// Rows that one statement adds.
const ROWS: usize = 1_000;

#[derive(Queryable, Insertable)]
#[diesel(table_name = audit_events, treat_none_as_default_value = false)]
struct Row {
    id: String,
    at: Timestamp,
    actor: String,
    action: String,
    subject: String,
    organization_id: Option<String>,
    address: Option<String>,
    request_id: Option<String>,
    details: String,
}

impl TryFrom<Row> for AuditEvent {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let organization = row.organization_id.map(|id| id.parse()).transpose();
        let address = row.address.map(|address| address.parse()).transpose();
        Ok(Self {
            id: row
                .id
                .parse()
                .map_err(|error| Error::corrupt("audit_events.id", error))?,
            at: row.at.into(),
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

impl From<&AuditEvent> for Row {
    fn from(event: &AuditEvent) -> Self {
        Self {
            id: event.id.to_string(),
            at: event.at.into(),
            actor: event.origin.actor.clone(),
            action: event.action.clone(),
            subject: event.subject.clone(),
            organization_id: event.organization_id.map(|id| id.to_string()),
            address: event.origin.address.map(|address| address.to_string()),
            request_id: event.origin.request_id.clone(),
            details: event.details.to_string(),
        }
    }
}

/// Adds a row.
pub fn append(connection: &mut Connection, event: &AuditEvent) -> Result<(), Error> {
    diesel::insert_into(audit_events::table)
        .values(Row::from(event))
        .execute(connection)?;
    Ok(())
}

/// Adds many rows, in their order.
pub fn append_all(connection: &mut Connection, events: &[AuditEvent]) -> Result<(), Error> {
    for chunk in events.chunks(ROWS) {
        let rows: Vec<Row> = chunk.iter().map(Row::from).collect();
        let table = audit_events::table;
        let inserted = each!(connection, |inner| diesel::insert_into(table)
            .values(rows)
            .execute(inner));
        inserted?;
    }
    Ok(())
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
    let rows: Vec<Row> = query.load(connection)?;
    rows.into_iter().map(AuditEvent::try_from).collect()
}
