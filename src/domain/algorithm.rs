//! The signature algorithms of tokens (RFC 7518 §3.1, RFC 8037 §3.1).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How the tokens for a resource are signed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256 with SHA-256: the default, understood by every library.
    #[default]
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519: the fastest to sign.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256: for services that know nothing else; ten times the cost of ES256.
    #[serde(rename = "RS256")]
    Rs256,
}

impl SigningAlgorithm {
    /// Every algorithm, the default first.
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// The name in a JOSE header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is not one of ES256, EdDSA, RS256.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be ES256, EdDSA or RS256")]
pub struct ParseAlgorithmError;

impl FromStr for SigningAlgorithm {
    type Err = ParseAlgorithmError;

    fn from_str(name: &str) -> Result<Self, ParseAlgorithmError> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
            .ok_or(ParseAlgorithmError)
    }
}
