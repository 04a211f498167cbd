//! `[usage]`: how the use of keys is counted.

use serde::Deserialize;

use super::layers::{Fault, Section};

/// The settings of usage counting.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// `flush_seconds`, `KAGIYA_USAGE_FLUSH_SECONDS`: how often last use and counts are written from memory to the database;
    /// a crash loses at most as much of them. 1 to 300. Default 10.
    pub flush_seconds: u16,
}

impl Default for Usage {
    fn default() -> Self {
        Self { flush_seconds: 10 }
    }
}

impl Section for Usage {
    const TABLE: Option<&'static str> = Some("usage");

    fn settle(self) -> Result<Self, Fault> {
        Fault::unless_within("flush_seconds", self.flush_seconds, 1..=300)?;
        Ok(self)
    }
}
