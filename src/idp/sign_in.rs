//! The provider where people sign in: whose access tokens are taken as credentials of persons, and by which keys.

use super::remote_keys::{RemoteError, RemoteKeys};
use crate::domain::subject::Subject;
use crate::token::outside::OutsideRules;

/// The provider.
pub struct SignIn {
    rules: OutsideRules,
    keys: RemoteKeys,
}

impl SignIn {
    /// The provider of these rules, by its keys.
    pub fn new(rules: OutsideRules, keys: RemoteKeys) -> Self {
        Self { rules, keys }
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
