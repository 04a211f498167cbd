//! `[readiness]`: what `/readyz` goes by.

use serde::Deserialize;

use super::layers::{Fault, Section};

/// The settings of readiness.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Readiness {
    /// `lease_seconds`, `KAGIYA_READINESS_LEASE_SECONDS`: how long the database may give no answer before `/readyz` says 503,
    /// 1 to 60. Default 2. It is asked four times as often, so one answer that is missed changes nothing.
    pub lease_seconds: u16,
    /// `memory_seconds`, `KAGIYA_READINESS_MEMORY_SECONDS`: how long keys that are in memory go on working while the database
    /// gives no answer, 1 to 86400. Default 900. After that each key is read, and answered 503 if it cannot be.
    pub memory_seconds: u32,
}

impl Default for Readiness {
    fn default() -> Self {
        Self {
            lease_seconds: 2,
            memory_seconds: 900,
        }
    }
}

impl Section for Readiness {
    const TABLE: Option<&'static str> = Some("readiness");

    fn settle(self) -> Result<Self, Fault> {
        Fault::unless_within("lease_seconds", self.lease_seconds, 1..=60)?;
        Fault::unless_within("memory_seconds", self.memory_seconds, 1..=86_400)?;
        Ok(self)
    }
}
