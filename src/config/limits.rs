//! `[limits]`: how much is taken from one address, and in one body.

use serde::Deserialize;

use super::layers::{Fault, Section};

/// The settings of limits for callers. An address is one IPv4 address or one IPv6 network of 64 bits.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// `bad_keys_per_minute`, `KAGIYA_LIMITS_BAD_KEYS_PER_MINUTE`: malformed, forged and unknown keys from one address before
    /// it is told 429 in place of 401; good keys neither count nor feel it. 1 to 1000000. Default 600.
    pub bad_keys_per_minute: u32,
    /// `bad_key_addresses`, `KAGIYA_LIMITS_BAD_KEY_ADDRESSES`: how many addresses are remembered for that, some 100 bytes
    /// each. 1024 to 10000000. Default 65536.
    pub bad_key_addresses: u32,
    /// `revoke_leaked_per_minute`, `KAGIYA_LIMITS_REVOKE_LEAKED_PER_MINUTE`: calls to `/v1/keys/revoke-leaked` from one
    /// address. 1 to 10000. Default 30.
    pub revoke_leaked_per_minute: u32,
    /// `fruitless_lookups_per_minute`, `KAGIYA_LIMITS_FRUITLESS_LOOKUPS_PER_MINUTE`: look-ups from one address that find nothing,
    /// under a tag secret that is marked as leaked. 1 to 10000. Default 60.
    pub fruitless_lookups_per_minute: u32,
    /// `bad_clients_per_minute`, `KAGIYA_LIMITS_BAD_CLIENTS_PER_MINUTE`: clients at the OAuth endpoints that fail to prove who they
    /// are, from one address and for one `client_id`, before they are told 429 in place of 401; good ones neither count nor feel it.
    /// 1 to 1000000. Default 300.
    pub bad_clients_per_minute: u32,
    /// `inactive_introspections_per_minute`, `KAGIYA_LIMITS_INACTIVE_INTROSPECTIONS_PER_MINUTE`: how often one client may ask about a
    /// token and be told that it is not good, before it is told 429. 1 to 1000000. Default 6000.
    pub inactive_introspections_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bad_keys_per_minute: 600,
            bad_key_addresses: 65_536,
            revoke_leaked_per_minute: 30,
            fruitless_lookups_per_minute: 60,
            bad_clients_per_minute: 300,
            inactive_introspections_per_minute: 6000,
        }
    }
}

impl Section for Limits {
    const TABLE: Option<&'static str> = Some("limits");

    fn settle(self) -> Result<Self, Fault> {
        Fault::unless_within(
            "bad_keys_per_minute",
            self.bad_keys_per_minute,
            1..=1_000_000,
        )?;
        Fault::unless_within(
            "bad_key_addresses",
            self.bad_key_addresses,
            1024..=10_000_000,
        )?;
        Fault::unless_within(
            "revoke_leaked_per_minute",
            self.revoke_leaked_per_minute,
            1..=10_000,
        )?;
        Fault::unless_within(
            "fruitless_lookups_per_minute",
            self.fruitless_lookups_per_minute,
            1..=10_000,
        )?;
        Fault::unless_within(
            "bad_clients_per_minute",
            self.bad_clients_per_minute,
            1..=1_000_000,
        )?;
        Fault::unless_within(
            "inactive_introspections_per_minute",
            self.inactive_introspections_per_minute,
            1..=1_000_000,
        )?;
        Ok(self)
    }
}
