//! A refusal of a key that passed both proofs, as its owner is told of it afterwards.

use std::net::IpAddr;

use jiff::Timestamp;

use super::id::KeyId;

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRefusal {
    /// Which key.
    pub key_id: KeyId,
    /// When.
    pub at: Timestamp,
    /// Why: the stable word of the interface, such as `api_key_expired` or `address_not_allowed`.
    pub reason: String,
    /// The resource that was asked for.
    pub resource: Option<String>,
    /// The scope that was asked for.
    pub scope: Option<String>,
    /// From where.
    pub address: Option<IpAddr>,
}
