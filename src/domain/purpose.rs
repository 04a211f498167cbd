//! What kagiya's own secrets are for. Each purpose has secrets of its own, numbered, and each rotates alone.

use std::fmt;
use std::str::FromStr;

use super::lifecycle::UnknownState;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretPurpose {
    /// The tags of keys.
    Tag,
    /// The digests of passwords.
    Digest,
    /// The passwords at identity providers.
    Provider,
    /// What is sealed in the database: private keys, stored answers.
    Sealing,
    /// The cookies of the dashboard.
    Cookies,
    /// The chain of the audit trail.
    Audit,
}

impl SecretPurpose {
    /// Every purpose.
    pub const ALL: [Self; 6] = [
        Self::Tag,
        Self::Digest,
        Self::Provider,
        Self::Sealing,
        Self::Cookies,
        Self::Audit,
    ];

    /// The word on record and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Digest => "digest",
            Self::Provider => "provider",
            Self::Sealing => "sealing",
            Self::Cookies => "cookies",
            Self::Audit => "audit",
        }
    }
}

impl FromStr for SecretPurpose {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
            .ok_or(UnknownState)
    }
}

impl fmt::Display for SecretPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The state of one generation of a purpose's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretState {
    /// On record so that every node learns it, used for nothing new yet.
    Announced,
    /// What new things are made with.
    Current,
    /// Verifies what was made with it, makes nothing new.
    Retired,
    /// As retired, and known to others.
    Leaked,
}

impl SecretState {
    /// The word on record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Current => "current",
            Self::Retired => "retired",
            Self::Leaked => "leaked",
        }
    }
}

impl FromStr for SecretState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        [Self::Announced, Self::Current, Self::Retired, Self::Leaked]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(UnknownState)
    }
}
