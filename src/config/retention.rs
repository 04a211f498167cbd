//! `[retention]`: for how long what has served its purpose is kept. Keys that live, and what they need, are never touched.

use serde::Deserialize;

use super::layers::{Fault, Section};

/// The settings of retention. What is older is removed within ten minutes.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// `audit_days`, `KAGIYA_RETENTION_AUDIT_DAYS`: for how many days rows of the audit trail are kept, 1 to 36500. Default: for ever.
    /// They go by whole days (UTC), and a sealed record of them stays, so that the trail can be verified as before.
    pub audit_days: Option<u16>,
    /// `generations_days`, `KAGIYA_RETENTION_GENERATIONS_DAYS`: for how many days it is known why a key was stopped that was rotated
    /// away or revoked, 1 to 3660. Default 400. Its holder is told `api_key_rotated` or `api_key_revoked` until then, and
    /// `invalid_api_key` afterwards. The record of the key itself stays.
    pub generations_days: u16,
    /// `operations_days`, `KAGIYA_RETENTION_OPERATIONS_DAYS`: for how many days operations at identity providers that are done stay on
    /// record, 1 to 3660. Default 30.
    pub operations_days: u16,
    /// `idempotency_hours`, `KAGIYA_RETENTION_IDEMPOTENCY_HOURS`: for how many hours a request with an Idempotency-Key is remembered, 24
    /// to 8760. Default 24. The answer itself is kept for 24 hours; a repeat after that is told `idempotency_answer_gone`.
    pub idempotency_hours: u16,
    /// `usage_days`, `KAGIYA_RETENTION_USAGE_DAYS`: for how many days the counts of a day are kept, 1 to 3660. Default 400. When a key
    /// was last used is never forgotten.
    pub usage_days: u16,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            audit_days: None,
            generations_days: 400,
            operations_days: 30,
            idempotency_hours: 24,
            usage_days: 400,
        }
    }
}

impl Section for Retention {
    const TABLE: Option<&'static str> = Some("retention");

    fn settle(self) -> Result<Self, Fault> {
        if let Some(days) = self.audit_days {
            Fault::unless_within("audit_days", days, 1..=36_500)?;
        }
        Fault::unless_within("generations_days", self.generations_days, 1..=3660)?;
        Fault::unless_within("operations_days", self.operations_days, 1..=3660)?;
        Fault::unless_within("idempotency_hours", self.idempotency_hours, 24..=8760)?;
        Fault::unless_within("usage_days", self.usage_days, 1..=3660)?;
        Ok(self)
    }
}
