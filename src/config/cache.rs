//! `[cache]`: how much is held in memory.

use serde::Deserialize;

use super::layers::{Fault, Section};

/// The settings of memory.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Cache {
    /// `keys`, `KAGIYA_CACHE_KEYS`: how many keys are held in memory, some 250 bytes each, 100 to 100000000; others are read
    /// from the database when they come. Default 100000.
    pub keys: u32,
}

impl Default for Cache {
    fn default() -> Self {
        Self { keys: 100_000 }
    }
}

impl Section for Cache {
    const TABLE: Option<&'static str> = Some("cache");

    fn settle(self) -> Result<Self, Fault> {
        Fault::unless_within("keys", self.keys, 100..=100_000_000)?;
        Ok(self)
    }
}
