//! What the memory holds of one generation of a key: all that an exchange is judged by, in 120 bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};

use jiff::Timestamp;

use super::catalogue::{Catalogue, KnownResource, Policy};
use crate::domain::id::{ApplicationId, CredentialId, KeyId, OrganizationId, PackedId, ResourceId};
use crate::domain::lifecycle::{CredentialState, EndReason};
use crate::domain::limits::{AllowedCidrs, RateLimit};
use crate::domain::metadata::Metadata;
use crate::domain::password::PasswordDigest;
use crate::domain::permission::Permissions;
use crate::domain::subject::Subject;
use crate::store::presented::Presented;

/// Why a key that passed both proofs is refused all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stopped {
    /// Stopped for ever.
    Revoked,
    /// Replaced by a newer generation.
    Rotated,
    /// Past the moment that its owner set.
    Expired,
    /// Paused, or its organization is.
    Disabled,
}

/// One generation, as it was read. Never changed but for its counters: a change of the key makes the memory forget it.
pub struct Record {
    digest: PasswordDigest,
    key: PackedId,
    credential: PackedId,
    organization: PackedId,
    stopped: Option<Stopped>,
    pub(super) digest_generation: u8,
    pub(super) provider_generation: u8,
    pub(super) provider: u8,
    /// Whether its provider's own tokens are handed on.
    pub(super) passes_through: bool,
    /// Whether it waits to be written with its counters.
    pub(super) unwritten: AtomicBool,
    /// Seconds since 1970 up to which the provider's word holds; the largest number: until changed.
    pub(super) rights_until: u32,
    /// Exchanges that are not written yet.
    pub(super) exchanges: AtomicU32,
    /// Seconds since 1970 of the last exchange.
    pub(super) last_used: AtomicU32,
    /// What it may do.
    pub(super) policy: Arc<Policy>,
    /// What most keys do not have.
    extras: Option<Box<Extras>>,
}

/// The rarer properties of a key.
pub(super) struct Extras {
    /// The moment from which on it is refused, and what it is then.
    ends: Option<(Timestamp, Stopped)>,
    pub(super) metadata: Metadata,
    pub(super) allowed_cidrs: Option<AllowedCidrs>,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) default_resource: Option<ResourceId>,
    pub(super) owner: Option<Subject>,
    pub(super) may_act: Option<ApplicationId>,
    /// What our record grants, where a provider is asked what of it counts.
    pub(super) recorded: Option<Arc<Policy>>,
    /// What the provider made for the user to sign in by, sealed.
    pub(super) credential: Option<Box<[u8]>>,
}

/// What the broker knows beside the row.
pub(super) struct Surroundings<'a> {
    pub(super) catalogue: &'a Catalogue,
    /// The provider's place in the registry.
    pub(super) provider: u8,
    /// Until when what the provider said may be used; `None`: until changed.
    pub(super) rights_until: Option<Timestamp>,
    /// Whether its own tokens are handed on.
    pub(super) passes_through: bool,
}

impl Record {
    /// What a row means; `None` for a generation that was shown to nobody.
    pub(super) fn new(row: Presented, surroundings: &Surroundings<'_>) -> Option<Self> {
        let (generation_stopped, retires_at) = match row.state {
            CredentialState::Pending
            | CredentialState::Ended {
                reason: EndReason::Undone,
                ..
            } => return None,
            CredentialState::Active => (None, None),
            CredentialState::Retiring { until } => (None, Some(until)),
            CredentialState::Ended {
                reason: EndReason::Revoked,
                ..
            } => (Some(Stopped::Revoked), None),
            CredentialState::Ended {
                reason: EndReason::Rotated,
                ..
            } => (Some(Stopped::Rotated), None),
        };
        let revoked = row.lifecycle.revoked_at.map(|_| Stopped::Revoked);
        let paused = row.lifecycle.disabled_at.is_some() || row.organization_disabled;
        let granted = row
            .provider_rights
            .as_ref()
            .and_then(|rights| rights.granted.as_ref());
        let policy = match granted {
            None => surroundings.catalogue.policy(&row.permissions),
            Some(granted) => surroundings
                .catalogue
                .policy_within(&row.permissions, granted),
        };
        let extras = Extras {
            ends: first_end(row.lifecycle.expires_at, retires_at),
            metadata: row.metadata,
            allowed_cidrs: row.allowed_cidrs,
            rate_limit: row.rate_limit,
            default_resource: row.default_resource,
            owner: row.owner,
            may_act: row.may_act,
            recorded: (surroundings.rights_until.is_some() || surroundings.passes_through)
                .then(|| surroundings.catalogue.policy(&row.recorded_permissions)),
            credential: row.provider_credential.map(Vec::into_boxed_slice),
        };
        Some(Self {
            digest: row.password_digest,
            key: row.key_id.packed(),
            credential: row.credential_id.packed(),
            organization: row.organization_id.packed(),
            // Why the generation itself ended first: what its holder is told must not change when its key ends later.
            stopped: generation_stopped
                .or(revoked)
                .or(paused.then_some(Stopped::Disabled)),
            digest_generation: small(row.digest_generation),
            provider_generation: small(row.provider_generation),
            provider: surroundings.provider,
            passes_through: surroundings.passes_through,
            unwritten: AtomicBool::new(false),
            rights_until: surroundings.rights_until.map_or(u32::MAX, seconds),
            exchanges: AtomicU32::new(0),
            last_used: AtomicU32::new(0),
            policy,
            extras: extras.any().then(|| Box::new(extras)),
        })
    }

    /// Whether the password's digest is the one on record, in constant time.
    pub(super) fn digest_matches(&self, digest: &PasswordDigest) -> bool {
        self.digest.matches(digest)
    }

    /// Why it is refused at `now`, in the contract's order: revoked or rotated, expired, disabled.
    pub(super) fn stopped(&self, now: Timestamp) -> Option<Stopped> {
        match self.stopped {
            Some(ended @ (Stopped::Revoked | Stopped::Rotated)) => Some(ended),
            other => match self.ends() {
                Some((at, ended)) if at <= now => Some(ended),
                _ => other,
            },
        }
    }

    fn ends(&self) -> Option<(Timestamp, Stopped)> {
        self.extras().and_then(|extras| extras.ends)
    }

    /// Whether a newer generation took its place and it is taken for a while still.
    pub(super) fn is_retiring(&self) -> bool {
        matches!(self.ends(), Some((_, Stopped::Rotated)))
    }

    /// If it has an end: the last whole second since 1970 at which a token of it may live, and what it is from its end on.
    pub(super) fn last_second(&self) -> Option<(i64, Stopped)> {
        let whole = |at: Timestamp| at.as_microsecond().div_euclid(1_000_000);
        self.ends().map(|(at, ended)| (whole(at), ended))
    }

    /// The key, in little room.
    pub(super) fn packed_key(&self) -> PackedId {
        self.key
    }

    /// The key.
    pub fn key_id(&self) -> KeyId {
        KeyId::from_packed(&self.key)
    }

    /// The generation.
    pub fn credential_id(&self) -> CredentialId {
        CredentialId::from_packed(&self.credential)
    }

    /// The tenant.
    pub fn organization_id(&self) -> OrganizationId {
        OrganizationId::from_packed(&self.organization)
    }

    /// What it may do.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The members of its metadata that a resource names.
    pub(super) fn metadata_for<'a>(
        &'a self,
        resource: &'a KnownResource,
    ) -> Vec<(&'a str, &'a str)> {
        match self.extras() {
            Some(extras) => resource
                .metadata_claims
                .iter()
                .filter_map(|name| Some((name, extras.metadata.member(name)?)))
                .collect(),
            None => Vec::new(),
        }
    }

    /// What our record grants, whatever the organization, the owner and the provider leave of it.
    pub(super) fn recorded(&self) -> Permissions {
        let recorded = self.extras().and_then(|extras| extras.recorded.as_ref());
        recorded.unwrap_or(&self.policy).permissions_elsewhere()
    }

    /// The rarer properties, if it has any.
    pub(super) fn extras(&self) -> Option<&Extras> {
        self.extras.as_deref()
    }
}

impl Extras {
    fn any(&self) -> bool {
        self.ends.is_some()
            || !self.metadata.is_empty()
            || self.allowed_cidrs.is_some()
            || self.rate_limit.is_some()
            || self.default_resource.is_some()
            || self.owner.is_some()
            || self.may_act.is_some()
            || self.recorded.is_some()
            || self.credential.is_some()
    }
}

/// The earlier of the two ends, and what it makes of the generation.
fn first_end(
    expires_at: Option<Timestamp>,
    retires_at: Option<Timestamp>,
) -> Option<(Timestamp, Stopped)> {
    let expires = expires_at.map(|at| (at, Stopped::Expired));
    let retires = retires_at.map(|at| (at, Stopped::Rotated));
    match (expires, retires) {
        (Some(expires), Some(retires)) if retires.0 < expires.0 => Some(retires),
        (expires, retires) => expires.or(retires),
    }
}

/// A moment in whole seconds since 1970, up to the year 2106; a later one is "until changed" for all who live today.
pub(super) fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.as_second().max(0)).unwrap_or(u32::MAX)
}

/// The number of a generation of secrets. Tag secrets have 62; digest and provider secrets rotate less often still.
fn small(generation: i32) -> u8 {
    u8::try_from(generation).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_small_enough_for_millions() {
        assert!(size_of::<Record>() <= 120, "{} bytes", size_of::<Record>());
    }

    #[test]
    fn the_earlier_end_counts() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let (five, nine) = (at(5), at(9));
        assert_eq!(first_end(None, None), None);
        assert_eq!(
            first_end(Some(nine), Some(five)),
            Some((five, Stopped::Rotated))
        );
        assert_eq!(
            first_end(Some(five), Some(nine)),
            Some((five, Stopped::Expired))
        );
        assert_eq!(first_end(None, Some(nine)), Some((nine, Stopped::Rotated)));
    }
}
