//! `[token]`: the access tokens that are minted.

use serde::Deserialize;

use super::layers::{Fault, Section};

/// The settings of access tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Token {
    /// `lifetime_seconds`, `KAGIYA_TOKEN_LIFETIME_SECONDS`: how long a token lives where its resource does not say, 30 to
    /// 3600. Default 300.
    pub lifetime_seconds: u32,
    /// `reuse_seconds`, `KAGIYA_TOKEN_REUSE_SECONDS`: answer an equal exchange with the token minted at most so long ago,
    /// 0 to 600 and less than the lifetime. Default 0: every exchange mints.
    pub reuse_seconds: u32,
}

impl Default for Token {
    fn default() -> Self {
        Self {
            lifetime_seconds: 300,
            reuse_seconds: 0,
        }
    }
}

impl Section for Token {
    const TABLE: Option<&'static str> = Some("token");

    fn settle(self) -> Result<Self, Fault> {
        Fault::unless_within("lifetime_seconds", self.lifetime_seconds, 30..=3600)?;
        Fault::unless_within("reuse_seconds", self.reuse_seconds, 0..=600)?;
        if self.reuse_seconds >= self.lifetime_seconds {
            return Err(Fault::new(
                "reuse_seconds",
                "must be less than token.lifetime_seconds",
            ));
        }
        Ok(self)
    }
}
