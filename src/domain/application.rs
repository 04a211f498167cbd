//! Machine-to-machine applications: clients of the authorization server that act for themselves (RFC 6749 §4.4).

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::id::{ApplicationId, ClientSecretId, OrganizationId, ResourceId, RoleId};
use super::limits::AllowedCidrs;
use super::password::PasswordDigest;

/// The most secrets that one application has at once.
pub const MAX_SECRETS: usize = 10;
/// The most roles, and the most resources served, of one application.
pub const MAX_ROLES: usize = 100;

/// How a client proves who it is at the token endpoint (RFC 7591 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEndpointAuthMethod {
    /// Its secret, by HTTP Basic (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// Its secret, in the body (RFC 6749 §2.3.1).
    ClientSecretPost,
    /// A JWT signed with its own private key (RFC 7523 §2.2).
    PrivateKeyJwt,
}

/// The text is no method of these.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be client_secret_basic, client_secret_post or private_key_jwt")]
pub struct ParseMethodError;

impl TokenEndpointAuthMethod {
    /// Every method.
    pub const ALL: [Self; 3] = [
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::PrivateKeyJwt,
    ];

    /// The word for it, as in metadata (RFC 8414 §2).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }
}

impl FromStr for TokenEndpointAuthMethod {
    type Err = ParseMethodError;

    fn from_str(text: &str) -> Result<Self, ParseMethodError> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or(ParseMethodError)
    }
}

/// An application. Its id is its `client_id`.
#[derive(Clone, Debug)]
pub struct Application {
    /// Its id, and its `client_id`.
    pub id: ApplicationId,
    /// The organization that it belongs to; `None`: it is the deployment's.
    pub organization_id: Option<OrganizationId>,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// How it proves who it is; `None`: its secret, by Basic or in the body.
    pub auth_method: Option<TokenEndpointAuthMethod>,
    /// Its public keys, a JWK set as text.
    pub jwks: Option<String>,
    /// Whether its assertions may name the token endpoint as their audience, as before draft-ietf-oauth-rfc7523bis.
    pub legacy_assertion_audience: bool,
    /// The resource meant when a request names none.
    pub default_resource: Option<ResourceId>,
    /// From where it may come; `None`: from anywhere.
    pub allowed_cidrs: Option<AllowedCidrs>,
    /// Who may act for it (RFC 8693 §4.4).
    pub may_act: Option<ApplicationId>,
    /// Since when it is paused.
    pub disabled_at: Option<Timestamp>,
    /// What it may do: machine-to-machine roles, sorted.
    pub roles: Vec<RoleId>,
    /// The resources that it serves, whose tokens it may ask about, sorted.
    pub resources: Vec<ResourceId>,
    /// Counts its changes.
    pub version: i64,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Application {
    /// Whether it has secrets at all: one that signs assertions has none.
    pub fn uses_secrets(&self) -> bool {
        self.auth_method != Some(TokenEndpointAuthMethod::PrivateKeyJwt)
    }
}

/// One of an application's secrets, without the secret.
#[derive(Clone, Debug)]
pub struct StoredSecret {
    /// Its id.
    pub id: ClientSecretId,
    /// Whose it is.
    pub application_id: ApplicationId,
    /// What a presented secret must answer to.
    pub digest: PasswordDigest,
    /// Which digest secret made the digest.
    pub digest_generation: i32,
    /// Its last four letters, so that its holder knows it again.
    pub hint: String,
    /// When it ends; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// Since when it exists.
    pub created_at: Timestamp,
}

impl StoredSecret {
    /// Whether it is good at `now`.
    pub fn lives(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_methods_are_the_words_of_rfc_7591() {
        for method in TokenEndpointAuthMethod::ALL {
            assert_eq!(method.as_str().parse(), Ok(method));
            assert_eq!(serde_json::json!(method), method.as_str());
        }
        assert!("none".parse::<TokenEndpointAuthMethod>().is_err());
    }
}
