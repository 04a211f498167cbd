//! Preparing a provider, and looking whether it is prepared.

use crate::domain::secret::SecretText;

use super::resources::ResourceState;

/// An administrator's credentials at a provider. Never kept.
#[derive(Clone, Debug)]
pub enum AdminCredentials {
    /// A person's.
    Password {
        /// His name.
        username: String,
        /// His password.
        password: SecretText,
    },
    /// A client's.
    Client {
        /// Its id.
        id: String,
        /// Its secret.
        secret: SecretText,
    },
    /// An access token.
    Token(SecretText),
}

/// What of ours a provider has to know.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The `iss` of our assertions.
    pub issuer: String,
    /// Where the keys are by which they are checked.
    pub jwks_uri: String,
    /// All resources.
    pub resources: Vec<ResourceState>,
}

/// Something that was made or changed at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What, such as `client kagiya-login`.
    pub what: String,
    /// Whether it was made, changed, or needs the operator.
    pub how: How,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It was not there.
    Made,
    /// It was there and not as it must be.
    Changed,
    /// It was as it must be.
    Unchanged,
    /// The operator has to do it.
    ByHand,
}

impl How {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Changed => "changed",
            Self::Unchanged => "as it was",
            Self::ByHand => "to be done by hand",
        }
    }
}

impl Step {
    /// A step.
    pub fn new(what: impl Into<String>, how: How) -> Self {
        Self {
            what: what.into(),
            how,
        }
    }
}

/// What was found of one thing that a provider must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub check: &'static str,
    /// What is wrong; `None`: nothing.
    pub wrong: Option<String>,
    /// What to do about it.
    pub remedy: &'static str,
}

impl Finding {
    /// All is well with it.
    pub fn ok(check: &'static str) -> Self {
        Self {
            check,
            wrong: None,
            remedy: "",
        }
    }

    /// Something is wrong with it.
    pub fn wrong(check: &'static str, wrong: impl Into<String>, remedy: &'static str) -> Self {
        Self {
            check,
            wrong: Some(wrong.into()),
            remedy,
        }
    }
}
