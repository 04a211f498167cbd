//! What the OAuth endpoints gave and refused.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::{labelled, one};

/// The errors that OAuth endpoints answer (RFC 6749 §5.2, RFC 8707 §2); what is not among them counts as the last.
const ERRORS: [&str; 8] = [
    "invalid_request",
    "invalid_client",
    "invalid_scope",
    "invalid_target",
    "unauthorized_client",
    "unsupported_grant_type",
    "temporarily_unavailable",
    "server_error",
];

/// The counters.
pub(super) struct OAuth {
    /// Tokens for clients themselves.
    pub(super) client_credentials: Counter,
    /// Tokens for others.
    pub(super) token_exchange: Counter,
    errors: [Counter; ERRORS.len()],
}

impl OAuth {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let grants = labelled(
            registry,
            "grants",
            "Tokens given at the token endpoint, by grant",
        );
        let errors = labelled(
            registry,
            "oauth_errors",
            "Errors answered at OAuth endpoints",
        );
        Self {
            client_credentials: one(&grants, "grant", "client_credentials"),
            token_exchange: one(&grants, "grant", "token_exchange"),
            errors: ERRORS.map(|error| one(&errors, "error", error)),
        }
    }

    pub(super) fn refused(&self, error: &str) {
        let known = ERRORS.iter().position(|known| *known == error);
        self.errors[known.unwrap_or(ERRORS.len() - 1)].inc();
    }
}
