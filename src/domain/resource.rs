//! API resources: the services that tokens are made for (RFC 8707).

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::algorithm::SigningAlgorithm;
use super::id::ResourceId;
use super::metadata;

/// The longest identifier.
pub const MAX_IDENTIFIER: usize = 512;

/// A resource's identifier: an absolute URI without fragment and query (RFC 8707 §2), the audience of its tokens.
///
/// Compared exactly, character by character: no case, slash or percent-encoding is folded.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceIdentifier(std::sync::Arc<str>);

/// The text is not an identifier.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "must be an absolute URI of at most 512 visible ASCII characters, without query and fragment"
)]
pub struct ParseIdentifierError;

impl ResourceIdentifier {
    /// The identifier's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ResourceIdentifier {
    type Err = ParseIdentifierError;

    fn from_str(text: &str) -> Result<Self, ParseIdentifierError> {
        let written = text.len() <= MAX_IDENTIFIER
            && text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'<' | b'>'));
        let absolute = url::Url::parse(text)
            .is_ok_and(|url| url.query().is_none() && url.fragment().is_none());
        if written && absolute {
            Ok(Self(text.into()))
        } else {
            Err(ParseIdentifierError)
        }
    }
}

impl TryFrom<String> for ResourceIdentifier {
    type Error = ParseIdentifierError;

    fn try_from(text: String) -> Result<Self, ParseIdentifierError> {
        text.parse()
    }
}

impl From<ResourceIdentifier> for String {
    fn from(identifier: ResourceIdentifier) -> Self {
        identifier.as_str().to_owned()
    }
}

impl fmt::Display for ResourceIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ResourceIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How long a token for a resource lives: 30 to 3600 whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct TokenLifetime(u32);

/// The number of seconds is out of range.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be 30 to 3600 seconds")]
pub struct LifetimeError;

impl TokenLifetime {
    /// The shortest.
    pub const MIN: u32 = 30;
    /// The longest. A signing key that retires stays in the JWK set for at least this long.
    pub const MAX: u32 = 3600;

    /// Seconds.
    pub fn seconds(self) -> u32 {
        self.0
    }
}

/// The longest life of a token.
pub const LONGEST_TOKEN_LIFETIME: jiff::SignedDuration =
    jiff::SignedDuration::from_secs(TokenLifetime::MAX as i64);

impl Default for TokenLifetime {
    /// Five minutes: a token that is checked offline outlives a revocation by at most this.
    fn default() -> Self {
        Self(300)
    }
}

impl TryFrom<u32> for TokenLifetime {
    type Error = LifetimeError;

    fn try_from(seconds: u32) -> Result<Self, LifetimeError> {
        if (Self::MIN..=Self::MAX).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(LifetimeError)
        }
    }
}

impl From<TokenLifetime> for u32 {
    fn from(lifetime: TokenLifetime) -> Self {
        lifetime.0
    }
}

/// The metadata members of a key that go into its tokens for a resource: up to 16 member names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct MetadataClaims(Vec<String>);

/// The list of member names cannot be taken as it is.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be up to 16 different names of 1 to 40 characters of a–z, 0–9 and _")]
pub struct MetadataClaimsError;

impl MetadataClaims {
    /// The names, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether no member goes into tokens.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Vec<String>> for MetadataClaims {
    type Error = MetadataClaimsError;

    fn try_from(mut names: Vec<String>) -> Result<Self, MetadataClaimsError> {
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        let valid = names.len() == count && count <= metadata::MAX_MEMBERS;
        if valid && names.iter().all(|name| metadata::is_member_name(name)) {
            Ok(Self(names))
        } else {
            Err(MetadataClaimsError)
        }
    }
}

/// An API resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its id.
    pub id: ResourceId,
    /// The audience.
    pub identifier: ResourceIdentifier,
    /// What people call it.
    pub name: Option<String>,
    /// How long its tokens live.
    pub token_lifetime: TokenLifetime,
    /// How its tokens are signed.
    pub signing_algorithm: SigningAlgorithm,
    /// Which metadata of a key its tokens carry.
    pub metadata_claims: MetadataClaims,
    /// Whether it is kagiya's own management API, which nobody changes.
    pub reserved: bool,
    /// Counts its changes.
    pub version: i64,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_absolute_uris_without_fragment_and_query() {
        for good in [
            "https://payment.example.com/api",
            "urn:example:cart",
            "https://a",
            "HTTPS://A/b%20c",
        ] {
            assert_eq!(
                good.parse::<ResourceIdentifier>().unwrap().as_str(),
                good,
                "kept as written"
            );
        }
        for bad in [
            "",
            "payment",
            "/api",
            "https://a/#b",
            "https://a/?b",
            "https://a b",
            "https://é",
            "https://a/\n",
        ] {
            assert_eq!(
                bad.parse::<ResourceIdentifier>(),
                Err(ParseIdentifierError),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn identifiers_are_compared_exactly() {
        let of = |text: &str| text.parse::<ResourceIdentifier>().unwrap();
        assert_ne!(of("https://a"), of("https://a/"));
        assert_ne!(of("https://a/B"), of("https://a/b"));
    }

    #[test]
    fn lifetimes_are_half_a_minute_to_an_hour() {
        for (seconds, valid) in [(29, false), (30, true), (3600, true), (3601, false)] {
            assert_eq!(TokenLifetime::try_from(seconds).is_ok(), valid, "{seconds}");
        }
    }
}
