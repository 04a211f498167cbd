//! The name by which a key says which identity provider holds its user.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// `[a-z][a-z0-9_-]{0,39}`; `builtin` always exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProviderName(std::sync::Arc<str>);

/// The text is not a provider's name.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "must be a lower-case letter followed by up to 39 lower-case letters, digits, hyphens or underscores"
)]
pub struct ParseProviderNameError;

impl ProviderName {
    /// The name of the provider that lives in kagiya's own database.
    pub const BUILTIN: &'static str = "builtin";

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProviderName {
    type Err = ParseProviderNameError;

    fn from_str(text: &str) -> Result<Self, ParseProviderNameError> {
        let valid = (1..=40).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
            });
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(ParseProviderNameError)
        }
    }
}

impl TryFrom<String> for ProviderName {
    type Error = ParseProviderNameError;

    fn try_from(text: String) -> Result<Self, ParseProviderNameError> {
        text.parse()
    }
}

impl From<ProviderName> for String {
    fn from(name: ProviderName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
