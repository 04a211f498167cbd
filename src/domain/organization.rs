//! Organizations: the tenants that keys belong to.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::id::{OrganizationId, PermissionId};
use super::metadata::Metadata;
pub use super::owner_gone::OwnerGone;

/// A short name for addresses and command lines: `[a-z0-9][a-z0-9-]{0,62}`, unique.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// The text is not a slug.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be 1 to 63 lower-case letters, digits or hyphens, the first one no hyphen")]
pub struct ParseSlugError;

impl Slug {
    /// The slug's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = ParseSlugError;

    fn from_str(text: &str) -> Result<Self, ParseSlugError> {
        let valid = (1..=63).contains(&text.len())
            && !text.starts_with('-')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseSlugError)
        }
    }
}

impl TryFrom<String> for Slug {
    type Error = ParseSlugError;

    fn try_from(text: String) -> Result<Self, ParseSlugError> {
        text.parse()
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// What people call it.
    pub name: String,
    /// Its short name, if it has one.
    pub slug: Option<Slug>,
    /// What people hang on it.
    pub metadata: Metadata,
    /// Since when all its keys are paused.
    pub disabled_at: Option<Timestamp>,
    /// All that its keys may use, sorted; `None`: everything, later permissions included.
    pub permissions: Option<Vec<PermissionId>>,
    /// How many keys it may have that are not revoked.
    pub max_keys: Option<u32>,
    /// What becomes of the keys of a member who leaves.
    pub owner_gone: OwnerGone,
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
    fn slugs_are_short_lower_case_words() {
        for (text, valid) in [
            ("acme", true),
            ("a-1", true),
            ("1", true),
            ("", false),
            ("-a", false),
            ("A", false),
            ("a_b", false),
        ] {
            assert_eq!(text.parse::<Slug>().is_ok(), valid, "{text:?}");
        }
        assert!("x".repeat(64).parse::<Slug>().is_err());
    }
}
