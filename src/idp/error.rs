//! What an identity provider can answer instead of doing as asked.

use thiserror::Error as ThisError;

/// Why a provider did not do it. None of these is ever the fault of a key's holder.
#[derive(Debug, ThisError)]
pub enum Error {
    /// It cannot be reached, answers too late, or has trouble of its own. It may have done the work all the same.
    #[error("the identity provider is not available")]
    Unavailable {
        /// What happened.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It refuses what we hold to be right: a password that we derived, a permission that we asked for, our own credential.
    #[error("the identity provider refused: {reason}")]
    Refused {
        /// Its reason, without a secret.
        reason: String,
    },
    /// It is asked too much, by its own word or by our budget for it.
    #[error("the identity provider is asked too much")]
    Busy {
        /// When it may be asked again.
        retry_after: std::time::Duration,
    },
    /// It has no such user.
    #[error("the identity provider has no such user")]
    NoSuchUser,
    /// It has disabled the user.
    #[error("the user is disabled at the identity provider")]
    Disabled,
}

impl Error {
    /// Trouble on the way or behind it.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable {
            source: source.into(),
        }
    }
}
