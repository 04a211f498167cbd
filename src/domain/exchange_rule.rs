//! Exchange rules: which application may trade whose tokens for what.
//!
//! A rule is what the deployment says; the token that is traded must have been enough for it, and its subject must hold what it gives.

use jiff::Timestamp;

use super::id::{ApplicationId, ExchangeRuleId, PermissionId, ResourceId};
use super::scope::ScopeSet;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeRule {
    /// Its id.
    pub id: ExchangeRuleId,
    /// Who may trade.
    pub application: ApplicationId,
    /// The audience of the tokens that it trades.
    pub subject_resource: ResourceId,
    /// What such a token must permit. By name: where such a permission is removed, nothing satisfies the rule.
    pub requires_scope: ScopeSet,
    /// The audience of the tokens that it gets.
    pub target_resource: ResourceId,
    /// What they may permit, sorted; all at the target.
    pub permissions: Vec<PermissionId>,
    /// How it trades.
    pub mode: ExchangeMode,
    /// Whether the subject must hold what is given.
    pub subject_must_hold: bool,
    /// Counts its changes.
    pub version: i64,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Whether tokens name who acts (RFC 8693 §1.1). One of the two is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeMode {
    /// They name him: `act`.
    pub delegation: bool,
    /// They need not.
    pub impersonation: bool,
}
