//! The provider where people sign in: whose access tokens are taken as credentials of persons, by which keys, and where the browser of
//! somebody is sent who signs in ([`code_flow`]).

pub mod code_flow;

use std::sync::Arc;

use thiserror::Error;

use super::outbound::Outbound;
use super::remote_keys::{FetchError, RemoteError, RemoteKeys};
use crate::domain::clock::Clock;
use crate::domain::secret::SecretText;
use crate::domain::subject::Subject;
use crate::token::outside::{OutsideError, OutsideRules};

/// The provider.
pub struct SignIn {
    rules: OutsideRules,
    client: SignInClient,
    outbound: Outbound,
    keys: RemoteKeys,
}

/// Our client at the provider.
#[derive(Clone, Debug, Default)]
pub struct SignInClient {
    /// Its id.
    pub id: String,
    /// Its secret; none for a public client, which PKCE protects.
    pub secret: Option<SecretText>,
    /// The scopes that are asked for.
    pub scopes: Vec<String>,
}

/// Why nobody was signed in.
#[derive(Debug, Error)]
pub enum SignInError {
    /// The token is not good.
    #[error("the token is not good here")]
    Token(#[from] OutsideError),
    /// The provider does not answer as it should.
    #[error("the sign-in provider does not answer")]
    Unavailable(#[source] Arc<FetchError>),
    /// The provider says no to a code; its word for it.
    #[error("the sign-in provider refuses the code: {0}")]
    Refused(String),
    /// What it answers is not what it should be.
    #[error("the sign-in provider's answer is not good: {0}")]
    Answer(&'static str),
}

impl From<RemoteError> for SignInError {
    fn from(error: RemoteError) -> Self {
        match error {
            RemoteError::Token(error) => Self::Token(error),
            RemoteError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

impl SignIn {
    /// The provider of these rules.
    pub fn new(
        rules: OutsideRules,
        client: SignInClient,
        outbound: Outbound,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let issuer = rules.issuer.as_str().to_owned();
        Self {
            keys: RemoteKeys::discovered(issuer, outbound.clone(), clock),
            rules,
            client,
            outbound,
        }
    }

    /// Its issuer identifier.
    pub fn issuer(&self) -> &str {
        self.rules.issuer.as_str()
    }

    /// Whom an access token names.
    ///
    /// # Errors
    /// The token is not good, or nobody can be told from anybody now.
    pub async fn verify(&self, token: &str) -> Result<Subject, RemoteError> {
        self.keys
            .check(|keys, now| keys.verify(token, &self.rules, now))
            .await
    }
}
