//! A key as it is on record: everything but its secret.

use jiff::Timestamp;

use super::id::{ApplicationId, KeyId, OrganizationId, PermissionId, ResourceId, UserId};
use super::lifecycle::KeyLifecycle;
use super::limits::{AllowedCidrs, RateLimit};
use super::metadata::Metadata;
use super::provider_name::ProviderName;

/// A key. Its id survives every rotation; its credentials are rows of their own ([`super::credential::Credential`]).
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// The tenant that it belongs to.
    pub organization_id: OrganizationId,
    /// Whose it is: where he is a member, it never gives more than he may.
    pub owner: Option<UserId>,
    /// What people call it.
    pub name: String,
    /// The identity provider that holds its user.
    pub provider: ProviderName,
    /// What people hang on it.
    pub metadata: Metadata,
    /// Its moments.
    pub lifecycle: KeyLifecycle,
    /// When it was last rotated.
    pub rotated_at: Option<Timestamp>,
    /// From where it may come; `None`: from anywhere.
    pub allowed_cidrs: Option<AllowedCidrs>,
    /// How often it may be traded; `None`: as often as it likes.
    pub rate_limit: Option<RateLimit>,
    /// The resource meant when a request names none.
    pub default_resource: Option<ResourceId>,
    /// Who may act for it (RFC 8693 §4.4).
    pub may_act: Option<ApplicationId>,
    /// What it may do.
    pub permissions: Vec<PermissionId>,
    /// Whether its holder may have it replaced.
    pub self_rotate: bool,
    /// Counts its changes.
    pub epoch: i64,
}
