//! `[signing]`: the signing keys and the JWK set.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use serde::{Deserialize, Deserializer, de};

use super::layers::{Fault, Section};
use crate::domain::algorithm::SigningAlgorithm;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The settings of signing keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Signing {
    /// `rotate_after`, `KAGIYA_SIGNING_ROTATE_AFTER`: the age at which a signing key is replaced, such as `90d` or `12h`;
    /// from 1 h to 3650 days, a day being 24 h. Default `90d`.
    #[serde(deserialize_with = "age")]
    pub rotate_after: Duration,
    /// `jwks_max_age_seconds`, `KAGIYA_SIGNING_JWKS_MAX_AGE_SECONDS`: how long a service may keep the JWK set, 5 to 300. A new
    /// key is in the set for twice as long before it signs. Default 300.
    pub jwks_max_age_seconds: u32,
    /// `default_algorithm`, `KAGIYA_SIGNING_DEFAULT_ALGORITHM`: `ES256`, `EdDSA` or `RS256`, for resources that name none.
    /// Default `ES256`.
    pub default_algorithm: SigningAlgorithm,
}

impl Default for Signing {
    fn default() -> Self {
        Self {
            rotate_after: 90 * DAY,
            jwks_max_age_seconds: 300,
            default_algorithm: SigningAlgorithm::Es256,
        }
    }
}

impl Section for Signing {
    const TABLE: Option<&'static str> = Some("signing");

    fn settle(self) -> Result<Self, Fault> {
        if !(DAY / 24..=3650 * DAY).contains(&self.rotate_after) {
            return Err(Fault::new("rotate_after", "must be from 1h to 3650d"));
        }
        Fault::unless_within("jwks_max_age_seconds", self.jwks_max_age_seconds, 5..=300)?;
        Ok(self)
    }
}

/// Text such as `90d`: jiff refuses days as an exact duration, because in a time zone a day need not have 24 h.
fn age<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let wrong = || de::Error::custom("must be a length of time such as 90d or 12h");
    let span: Span = String::deserialize(deserializer)?
        .parse()
        .map_err(|_| wrong())?;
    let exact = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| wrong())?;
    Duration::try_from(exact).map_err(|_| wrong())
}
