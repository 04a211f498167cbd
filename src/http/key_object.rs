//! The key object: what every endpoint that shows a key answers.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::broker::keys::{IssuedKey, ShownKey};
use crate::domain::permission::Permissions;
use crate::http::may_act::MayActObject;
use crate::http::owner::OwnerObject;

/// Scopes at one resource.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceScopes {
    /// The resource's identifier.
    #[schema(example = "https://payment.example.com/api")]
    pub resource: String,
    /// At least one scope.
    #[schema(example = json!(["write:payment"]))]
    pub scopes: Vec<String>,
}

/// A rate limit.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct RateLimitObject {
    /// Requests in the window.
    #[schema(example = 100)]
    requests: u32,
    /// The window in seconds.
    #[schema(example = 60)]
    per_seconds: u32,
}

/// Where a key's user lives.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IdentityObject {
    /// The identity provider.
    #[schema(example = "builtin")]
    provider: String,
    /// The user's subject there; null while it is being made, and after it was removed.
    subject: Option<String>,
    /// What it may do there beyond `permissions`, as the provider said last; it is never granted here. Absent: nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    drift: Vec<ResourceScopes>,
}

/// A key.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KeyObject {
    /// Its id, the same over all rotations.
    #[schema(example = "key_mq3zq6e7b5x2k4v7w6n5t4s3r2")]
    id: String,
    /// What people call it.
    name: String,
    /// The organization that it belongs to.
    organization_id: String,
    /// Whose it is; null: nobody's in particular.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<OwnerObject>, required = false)]
    owner: Option<Option<OwnerObject>>,
    /// What it may do.
    permissions: Vec<ResourceScopes>,
    /// The resource meant when a request names none.
    default_resource: Option<String>,
    /// `active`, `pending`, `disabled`, `expired` or `revoked`.
    #[schema(example = "active")]
    status: String,
    /// The prefix and the last four letters of the public name, so that its holder knows it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "kgy_…w6n5", nullable = false)]
    hint: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ends; null: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it was last traded; written down with some seconds' delay.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// When it was last rotated.
    #[schema(value_type = Option<String>, format = DateTime)]
    rotated_at: Option<Timestamp>,
    /// Until when the key before the last rotation is still taken.
    #[schema(value_type = Option<String>, format = DateTime)]
    retiring_until: Option<Timestamp>,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// What people hang on it.
    metadata: BTreeMap<String, String>,
    /// From where it may come; null: from anywhere.
    #[schema(value_type = Option<Vec<String>>, example = json!(["192.0.2.0/24"]))]
    allowed_cidrs: Option<Vec<IpNet>>,
    /// How often it may be traded; null: as often as it likes.
    rate_limit: Option<RateLimitObject>,
    /// Whether its holder may rotate it (`POST /v1/key/rotate`).
    self_rotate: bool,
    /// Who may act for it in a token exchange; null: whoever a rule lets.
    #[schema(required)]
    may_act: Option<MayActObject>,
    /// Where its user lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    identity: Option<IdentityObject>,
}

/// A key with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub struct IssuedKeyObject {
    /// Everything that the key object has.
    #[serde(flatten)]
    object: KeyObject,
    /// The key itself. It cannot be shown again.
    #[schema(example = "kgy_10…")]
    key: String,
}

impl KeyObject {
    /// As admins see it.
    pub fn new(shown: &ShownKey) -> Self {
        let key = &shown.stored.key;
        let active = shown.stored.active.as_ref();
        Self {
            hint: Some(
                active
                    .map(|generation| generation.hint.clone())
                    .unwrap_or_default(),
            ),
            identity: Some(IdentityObject {
                provider: key.provider.to_string(),
                subject: active.and_then(|generation| generation.subject.clone()),
                drift: in_words(&shown.drift),
            }),
            owner: Some(shown.stored.owner.as_ref().map(OwnerObject::from)),
            id: key.id.to_string(),
            name: key.name.clone(),
            organization_id: key.organization_id.to_string(),
            permissions: in_words(&shown.permissions),
            default_resource: shown.default_resource.as_ref().map(ToString::to_string),
            status: shown.status.as_str().to_owned(),
            created_at: key.lifecycle.created_at,
            expires_at: key.lifecycle.expires_at,
            last_used_at: shown.stored.last_used_at,
            rotated_at: key.rotated_at,
            retiring_until: shown.stored.retiring_until,
            revoked_at: key.lifecycle.revoked_at,
            metadata: key
                .metadata
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            allowed_cidrs: key
                .allowed_cidrs
                .as_ref()
                .map(|cidrs| cidrs.iter().copied().collect()),
            rate_limit: key.rate_limit.map(|limit| RateLimitObject {
                requests: limit.requests().get(),
                per_seconds: limit.per_seconds().get(),
            }),
            self_rotate: key.self_rotate,
            may_act: key.may_act.map(MayActObject::from),
        }
    }

    /// As its holder sees it: without hint, identity and owner.
    pub fn of_holder(shown: &ShownKey) -> Self {
        Self {
            owner: None,
            hint: None,
            identity: None,
            ..Self::new(shown)
        }
    }
}

impl IssuedKeyObject {
    /// With the secret, for admins.
    pub fn new(issued: &IssuedKey) -> Self {
        Self::with(KeyObject::new(&issued.shown), issued)
    }

    /// With the secret, for the holder of the key.
    pub fn of_holder(issued: &IssuedKey) -> Self {
        Self::with(KeyObject::of_holder(&issued.shown), issued)
    }

    fn with(object: KeyObject, issued: &IssuedKey) -> Self {
        Self {
            object,
            key: issued.key.expose().to_owned(),
        }
    }
}

/// Permissions as answers have them.
pub(super) fn in_words(permissions: &Permissions) -> Vec<ResourceScopes> {
    permissions
        .iter()
        .map(|(resource, scopes)| ResourceScopes {
            resource: resource.to_string(),
            scopes: scopes.iter().map(ToString::to_string).collect(),
        })
        .collect()
}
