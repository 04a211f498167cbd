//! The audit trail: events are made here, written in the transaction of what they tell of, and listed for those who may read them.

use jiff::Timestamp;
use serde_json::Value;

use super::{Broker, Caller, Error};
use crate::domain::audit::{AuditEvent, Origin};
use crate::domain::id::{AuditEventId, OrganizationId};
use crate::store::Place;
use crate::store::audit_events::{self, Filter};
pub(super) use crate::store::audit_events::{append, append_all};

/// What a list of events is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Events that concern this organization.
    pub organization: Option<OrganizationId>,
    /// Events that this subject caused.
    pub actor: Option<String>,
    /// Events about this id.
    pub subject: Option<String>,
    /// Events of this kind.
    pub action: Option<String>,
    /// From this moment on, inclusive.
    pub since: Option<Timestamp>,
    /// Up to this moment, exclusive.
    pub until: Option<Timestamp>,
}

impl Broker {
    /// An event of now, to be appended in the transaction that it tells of.
    pub(super) fn event(
        &self,
        origin: &Origin,
        action: &str,
        subject: &str,
        organization: Option<OrganizationId>,
        details: Value,
    ) -> AuditEvent {
        AuditEvent {
            id: AuditEventId::generate(&*self.random),
            at: self.now(),
            origin: origin.clone(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            organization_id: organization,
            details,
        }
    }

    /// A page of events, newest first; of the caller's organization alone, if he is bound to one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audit_events(
        &self,
        caller: &Caller,
        filter: EventFilter,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<AuditEvent>, Error> {
        let filter = Filter {
            organizations: caller.within(filter.organization, "audit:read"),
            actor: filter.actor,
            subject: filter.subject,
            action: filter.action,
            since: filter.since,
            until: filter.until,
        };
        Ok(self
            .store
            .read(move |connection| audit_events::list(connection, &filter, after.as_ref(), limit))
            .await?)
    }
}
