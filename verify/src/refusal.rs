//! Why a request is refused, and how that is told (RFC 6750 §3).

use thiserror::Error;

/// After how many seconds a client may try again what failed for an outage.
const RETRY_AFTER: u32 = 10;

/// Why a request is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// It brings no token.
    #[error("a token is needed")]
    NoToken,
    /// Its token is not good here; why, for the log.
    #[error("the token is not good here: {0}")]
    InvalidToken(&'static str),
    /// Its token does not permit this.
    #[error("the token lacks the scope {0}")]
    InsufficientScope(String),
    /// The issuer could not be asked for what is needed to judge it.
    #[error("the token cannot be judged: {0}")]
    Unavailable(&'static str),
}

impl Refusal {
    /// The HTTP status. An outage is no reason to call a token bad.
    pub fn status(&self) -> u16 {
        match self {
            Self::NoToken | Self::InvalidToken(_) => 401,
            Self::InsufficientScope(_) => 403,
            Self::Unavailable(_) => 503,
        }
    }

    /// The value of `WWW-Authenticate`, where there is one. A client that brought nothing is told nothing but the scheme (RFC 6750 §3.1).
    pub fn www_authenticate(&self) -> Option<String> {
        match self {
            Self::NoToken => Some("Bearer".to_owned()),
            Self::InvalidToken(_) => Some(r#"Bearer error="invalid_token""#.to_owned()),
            Self::InsufficientScope(scope) => Some(format!(
                r#"Bearer error="insufficient_scope", scope="{scope}""#
            )),
            Self::Unavailable(_) => None,
        }
    }

    /// The value of `Retry-After` in seconds, where there is one.
    pub fn retry_after(&self) -> Option<u32> {
        matches!(self, Self::Unavailable(_)).then_some(RETRY_AFTER)
    }
}
