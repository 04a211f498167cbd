//! The audit trail: who did what to what, when and from where. Never a secret.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;

use super::id::{AuditEventId, OrganizationId};

/// Who caused a change, and how the request that did it can be found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The subject of the credential: `operator:…`, `key_…`, or `kagiya` for what the server does by itself.
    pub actor: String,
    /// From where.
    pub address: Option<IpAddr>,
    /// The request's id, as in the log and the answer.
    pub request_id: Option<String>,
}

impl Origin {
    /// What the server does by itself: rotation by age, the undoing of half-made keys.
    pub fn server() -> Self {
        Self {
            actor: "kagiya".to_owned(),
            address: None,
            request_id: None,
        }
    }
}

/// One row.
#[derive(Clone, Debug)]
pub struct AuditEvent {
    /// Its id.
    pub id: AuditEventId,
    /// When.
    pub at: Timestamp,
    /// Who and from where.
    pub origin: Origin,
    /// What: `key.created`, `organization.updated`, …
    pub action: String,
    /// To what: an id.
    pub subject: String,
    /// The tenant that it concerns; `None`: the deployment.
    pub organization_id: Option<OrganizationId>,
    /// What changed: an object of public values.
    pub details: Value,
}
