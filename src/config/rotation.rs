//! `[secrets]`: how kagiya's own secrets are replaced.

use serde::Deserialize;

use super::layers::{Fault, Section};

/// The settings of rotating secrets. The root secret is above all tables ([`super::Secrets`]).
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Rotation {
    /// `announce_seconds`, `KAGIYA_SECRETS_ANNOUNCE_SECONDS`: how long a new secret is on record before it makes anything, so that
    /// every node learns it, 0 to 3600; with PostgreSQL alone. Default 4, two leases of 2 s.
    pub announce_seconds: u16,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            announce_seconds: 4,
        }
    }
}

impl Section for Rotation {
    const TABLE: Option<&'static str> = Some("secrets");

    fn settle(self) -> Result<Self, Fault> {
        Fault::unless_within("announce_seconds", self.announce_seconds, 0..=3600)?;
        Ok(self)
    }
}
