//! `[shutdown]`: how it stops.

use serde::Deserialize;

use super::layers::{Fault, Section};

/// The settings of stopping.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Shutdown {
    /// `drain_seconds`, `KAGIYA_SHUTDOWN_DRAIN_SECONDS`: how long `/readyz` says 503 before the listener closes, 0 to 300.
    /// Default 0 on loopback, else 5.
    pub drain_seconds: Option<u16>,
    /// `grace_seconds`, `KAGIYA_SHUTDOWN_GRACE_SECONDS`: how long requests that have begun may take to end, 1 to 300.
    /// Default 10.
    pub grace_seconds: u16,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            drain_seconds: None,
            grace_seconds: 10,
        }
    }
}

impl Section for Shutdown {
    const TABLE: Option<&'static str> = Some("shutdown");

    fn settle(self) -> Result<Self, Fault> {
        Fault::unless_within("drain_seconds", self.drain_seconds.unwrap_or(0), 0..=300)?;
        Fault::unless_within("grace_seconds", self.grace_seconds, 1..=300)?;
        Ok(self)
    }
}
