//! The prefix of a deployment's keys: the word that tells a secret scanner, and a person, whose key it is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// `[a-z][a-z0-9]{1,15}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyPrefix(Box<str>);

/// The text is not a prefix.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be a lower-case letter followed by 1 to 15 lower-case letters or digits")]
pub struct ParsePrefixError;

impl KeyPrefix {
    /// The prefix, without the `_` that follows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyPrefix {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, ParsePrefixError> {
        let valid = (2..=16).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(ParsePrefixError)
        }
    }
}

impl TryFrom<String> for KeyPrefix {
    type Error = ParsePrefixError;

    fn try_from(text: String) -> Result<Self, ParsePrefixError> {
        text.parse()
    }
}

impl From<KeyPrefix> for String {
    fn from(prefix: KeyPrefix) -> Self {
        prefix.0.into()
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The prefix that new keys get, and every one that was ever used here: a key outlives a change of name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPrefixes {
    current: KeyPrefix,
    accepted: Vec<KeyPrefix>,
}

impl KeyPrefixes {
    /// New keys get `current`; keys with one of `earlier` stay valid.
    pub fn new(current: KeyPrefix, earlier: impl IntoIterator<Item = KeyPrefix>) -> Self {
        let mut accepted = vec![current.clone()];
        for prefix in earlier {
            if !accepted.contains(&prefix) {
                accepted.push(prefix);
            }
        }
        Self { current, accepted }
    }

    /// These, and those of `earlier` that are not among them.
    #[must_use]
    pub fn and(self, earlier: impl IntoIterator<Item = KeyPrefix>) -> Self {
        let accepted = self.accepted.into_iter().chain(earlier);
        Self::new(self.current, accepted)
    }

    /// The prefix of new keys.
    pub fn current(&self) -> &KeyPrefix {
        &self.current
    }

    /// Whether a text begins like a key: with one of them and an underscore.
    pub fn begin(&self, text: &str) -> bool {
        let prefix = text.split_once('_').map(|(prefix, _)| prefix);
        prefix.is_some_and(|prefix| self.accepted.iter().any(|known| known.as_str() == prefix))
    }

    /// Every prefix that is taken, the current one first.
    pub fn accepted(&self) -> &[KeyPrefix] {
        &self.accepted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_short_lower_case_words() {
        for good in ["kgy", "ab", "a1", "abcdefghijklmnop"] {
            assert_eq!(good.parse::<KeyPrefix>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "a",
            "1a",
            "Kgy",
            "k_y",
            "k-y",
            "abcdefghijklmnopq",
            "ké",
        ] {
            assert_eq!(bad.parse::<KeyPrefix>(), Err(ParsePrefixError), "{bad:?}");
        }
    }
}
