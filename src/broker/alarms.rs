//! What a person must know of a provider: in the log, in the figures and, once a minute at most, in the audit trail.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::authentication::Refusal;
use super::{Broker, audit};
use crate::domain::audit::Origin;
use crate::idp;

/// How many seconds are between two equal alarms of a provider in the audit trail.
const BETWEEN_ALARMS: i64 = 60;

/// When each was raised last, in seconds since 1970.
#[derive(Default)]
pub(super) struct Alarms(Mutex<HashMap<String, i64>>);

impl Broker {
    /// A provider's outage is answered as one.
    pub(super) fn outage(&self, provider: u8, error: Arc<idp::Error>) -> Refusal {
        if let Some(provider) = self.providers.at(provider) {
            self.raise_alarm(
                provider.name().as_str(),
                "identity_provider.unavailable",
                format!("exchanges are answered 503: {error}"),
            );
        }
        Refusal::Provider(error)
    }

    /// An exchange went by what a provider said last.
    pub(super) fn note_outlasting(&self, provider: u8) {
        if let Some(figures) = self.provider_figures.get(usize::from(provider)) {
            figures.last_known();
        }
        if let Some(provider) = self.providers.at(provider) {
            self.raise_alarm(
                provider.name().as_str(),
                "identity_provider.outlasted",
                "it gives no answer: exchanges go by what it said last".to_owned(),
            );
        }
    }

    /// Something about a provider that a person must know: in the log and, once a minute at most, in the audit trail.
    pub(super) fn raise_alarm(&self, provider: &str, action: &'static str, why: String) {
        let now = self.now().as_second();
        {
            let mut alarms = self.alarms.0.lock().unwrap_or_else(PoisonError::into_inner);
            let last = alarms
                .entry(format!("{action} {provider}"))
                .or_insert(i64::MIN);
            if now.saturating_sub(*last) < BETWEEN_ALARMS {
                return;
            }
            *last = now;
        }
        tracing::error!(
            provider,
            action,
            why,
            "an identity provider needs attention"
        );
        let origin = Origin::server();
        let event = self.event(&origin, action, provider, None, json!({"why": why}));
        let store = self.store.clone();
        tokio::spawn(async move {
            let written = store.write(move |tx| audit::append(tx, &event));
            if let Err(error) = written.await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "an alarm could not be put on record");
            }
        });
    }
}
