//! Short texts that people write: names and descriptions.

use serde::Deserialize;
use thiserror::Error;

/// A name that somebody wrote, trimmed: see [`name`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(String);

/// A description that somebody wrote, trimmed: see [`description`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Description(String);

impl TryFrom<String> for Name {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        name(&text).map(Self)
    }
}

impl TryFrom<String> for Description {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        description(&text).map(Self)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl From<Description> for String {
    fn from(description: Description) -> Self {
        description.0
    }
}

/// The text cannot be taken as it is.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TextError {
    /// Nothing, or white space alone.
    #[error("must not be empty")]
    Empty,
    /// More characters than fit.
    #[error("must be at most {0} characters long")]
    TooLong(usize),
    /// A control character: it would break a line of a log or a table.
    #[error("must not hold control characters")]
    Control,
}

/// The most characters of a name.
pub const MAX_NAME: usize = 120;
/// The most characters of a description.
pub const MAX_DESCRIPTION: usize = 500;

/// A name: 1 to 120 characters, trimmed, on one line.
///
/// # Errors
/// See [`TextError`].
pub fn name(text: &str) -> Result<String, TextError> {
    line(text, MAX_NAME)
}

/// A description: 1 to 500 characters, trimmed, on one line.
///
/// # Errors
/// See [`TextError`].
pub fn description(text: &str) -> Result<String, TextError> {
    line(text, MAX_DESCRIPTION)
}

fn line(text: &str, most: usize) -> Result<String, TextError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    if text.chars().count() > most {
        return Err(TextError::TooLong(most));
    }
    if text.chars().any(char::is_control) {
        return Err(TextError::Control);
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_trimmed_line() {
        assert_eq!(name("  倉庫の鍵 ").as_deref(), Ok("倉庫の鍵"));
        assert_eq!(
            name(&"é".repeat(120)).map(|text| text.chars().count()),
            Ok(120)
        );
        assert_eq!(name(" "), Err(TextError::Empty));
        assert_eq!(name(&"x".repeat(121)), Err(TextError::TooLong(120)));
        assert_eq!(name("a\nb"), Err(TextError::Control));
    }
}
