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
}

impl Default for Readiness {
    fn default() -> Self {
        Self { lease_seconds: 2 }
    }
}

impl Section for Readiness {
    const TABLE: Option<&'static str> = Some("readiness");

    fn settle(self) -> Result<Self, Fault> {
        Fault::unless_within("lease_seconds", self.lease_seconds, 1..=60)?;
        Ok(self)
    }
}
