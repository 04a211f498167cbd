//! Metadata: a few named texts that people hang on a key or an organization.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most members.
pub const MAX_MEMBERS: usize = 16;
/// The most bytes of a value.
pub const MAX_VALUE: usize = 256;

/// Up to 16 members; names `[a-z0-9_]{1,40}`, values up to 256 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Metadata(BTreeMap<String, String>);

/// The members cannot be taken as they are.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MetadataError {
    /// More than 16 members.
    #[error("must have at most 16 members")]
    TooMany,
    /// A name outside `[a-z0-9_]{1,40}`.
    #[error("names must be 1 to 40 characters of a–z, 0–9 and _")]
    Name,
    /// A value of more than 256 bytes.
    #[error("values must be at most 256 bytes long")]
    Value,
}

/// Whether `text` can name a member.
pub fn is_member_name(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

impl Metadata {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a member.
    pub fn member(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All members in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl TryFrom<BTreeMap<String, String>> for Metadata {
    type Error = MetadataError;

    fn try_from(members: BTreeMap<String, String>) -> Result<Self, MetadataError> {
        if members.len() > MAX_MEMBERS {
            return Err(MetadataError::TooMany);
        }
        if !members.keys().all(|name| is_member_name(name)) {
            return Err(MetadataError::Name);
        }
        if members.values().any(|value| value.len() > MAX_VALUE) {
            return Err(MetadataError::Value);
        }
        Ok(Self(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Metadata, MetadataError> {
        pairs
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect::<BTreeMap<_, _>>()
            .try_into()
    }

    #[test]
    fn limits_are_those_of_the_contract() {
        assert!(of(&[("team_1", "checkout")]).is_ok());
        assert!(of(&[("a", &"x".repeat(256))]).is_ok());
        assert_eq!(of(&[("a", &"x".repeat(257))]), Err(MetadataError::Value));
        for name in ["", "A", "a-b", "é", &"x".repeat(41)] {
            assert_eq!(of(&[(name, "")]), Err(MetadataError::Name), "{name:?}");
        }
        let many: Vec<_> = (0..17).map(|number| format!("m{number}")).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), "")).collect();
        assert_eq!(of(&many), Err(MetadataError::TooMany));
    }
}
