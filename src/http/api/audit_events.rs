//! `/v1/audit-events`: who did what to what, when and from where.

use std::net::IpAddr;

use actix_web::web;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Call;
use crate::broker::EventFilter;
use crate::domain::audit::AuditEvent;
use crate::domain::id::{AuditEventId, OrganizationId};
use crate::domain::text::Name;
use crate::http::moment::Moment;
use crate::http::page::{Cursor, Limit, Page};
use crate::http::problem::Problem;
use crate::http::query::Query;

/// An event of the audit trail.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEvent, example = json!({
    "id": "aud_2qk5c7hnv3xw6yjz4m2tq7rdpa", "at": "2026-11-22T09:00:00Z", "actor": "operator:ada",
    "action": "organization.created", "subject": "org_2qk5c7hnv3xw6yjz4m2tq7rdpa",
    "organization_id": "org_2qk5c7hnv3xw6yjz4m2tq7rdpa", "address": "192.0.2.7", "request_id": "req_3k2mzq6d5u7n4hbx2c5wqy7tre",
    "details": {"name": "Cart team", "slug": "cart"},
}))]
pub struct AuditEventBody {
    /// Its id, `aud_…`.
    #[schema(value_type = String)]
    id: AuditEventId,
    /// When.
    at: Timestamp,
    /// Who: the subject of the credential, or `kagiya` for what the server does by itself.
    actor: String,
    /// What, such as `key.revoked`.
    action: String,
    /// To what: mostly an id.
    subject: String,
    /// The organization that it concerns; null: the deployment.
    #[schema(value_type = Option<String>, required)]
    organization_id: Option<OrganizationId>,
    /// From which address; null for what the server does by itself.
    #[schema(value_type = Option<String>, required)]
    address: Option<IpAddr>,
    /// The id of the request that did it, as in the server's log.
    #[schema(required)]
    request_id: Option<String>,
    /// What changed, by action. Never a secret.
    #[schema(value_type = Object)]
    details: Value,
}

impl From<AuditEvent> for AuditEventBody {
    fn from(event: AuditEvent) -> Self {
        Self {
            id: event.id,
            at: event.at,
            actor: event.origin.actor,
            action: event.action,
            subject: event.subject,
            organization_id: event.organization_id,
            address: event.origin.address,
            request_id: event.origin.request_id,
            details: event.details,
        }
    }
}

/// Which events, and which page of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAuditEvents {
    /// Events that concern this organization.
    #[param(value_type = Option<String>)]
    organization_id: Option<OrganizationId>,
    /// Events that this subject caused.
    #[param(value_type = Option<String>)]
    actor: Option<Name>,
    /// Events about this id.
    #[param(value_type = Option<String>)]
    subject: Option<Name>,
    /// Events of this kind, such as `key.revoked`.
    #[param(value_type = Option<String>)]
    action: Option<Name>,
    /// Events from this time on, it included.
    #[param(value_type = Option<Timestamp>)]
    since: Option<Moment>,
    /// Events before this time, it excluded.
    #[param(value_type = Option<Timestamp>)]
    until: Option<Moment>,
    /// How many at most, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

impl ListAuditEvents {
    fn filter(&mut self) -> EventFilter {
        let moment = |moment: Option<Moment>| moment.map(|Moment(at)| at);
        EventFilter {
            organization: self.organization_id,
            actor: self.actor.take().map(Into::into),
            subject: self.subject.take().map(Into::into),
            action: self.action.take().map(Into::into),
            since: moment(self.since),
            until: moment(self.until),
        }
    }
}

/// List audit events
///
/// Newest first. A caller who is bound to an organization sees its events alone.
#[utoipa::path(
    get, path = "/v1/audit-events", tag = "audit", params(ListAuditEvents),
    responses((status = 200, description = "A page of events", body = Page<AuditEventBody>)),
)]
pub async fn list_audit_events(
    call: Call,
    Query(mut query): Query<ListAuditEvents>,
) -> Result<web::Json<Page<AuditEventBody>>, Problem> {
    let filter = query.filter();
    let after = query.cursor.map(Into::into);
    let rows = call
        .broker
        .audit_events(&call.caller, filter, after, query.limit.rows_and_one())
        .await?;
    let page = Page::cut(rows, query.limit, |event| Cursor {
        created_at: event.at,
        id: event.id.to_string(),
    });
    Ok(web::Json(page.map(AuditEventBody::from)))
}
