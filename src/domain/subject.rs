//! A person as his issuer names him: the pair of issuer and subject (OpenID Connect Core §5.7). Nobody is ever matched by an e-mail
//! address, which changes hands.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most bytes of a subject (OpenID Connect Core §2).
const MAX_SUBJECT: usize = 255;
/// The most bytes of an issuer.
const MAX_ISSUER: usize = 500;

/// The identifier of an issuer: 1 to 500 visible characters, compared character by character.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubjectIssuer(String);

/// The name of a person at his issuer: 1 to 255 bytes without control characters, compared character by character.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubjectName(String);

/// A person as his issuer names him.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Who names him.
    pub iss: SubjectIssuer,
    /// The name.
    pub sub: SubjectName,
}

/// The text names nobody.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ParseSubjectError {
    /// Not an issuer.
    #[error("must be 1 to 500 visible ASCII characters")]
    Issuer,
    /// Not a subject.
    #[error("must be 1 to 255 bytes without control characters")]
    Name,
}

impl SubjectIssuer {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SubjectName {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SubjectIssuer {
    type Error = ParseSubjectError;

    fn try_from(text: String) -> Result<Self, ParseSubjectError> {
        let fits = (1..=MAX_ISSUER).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(ParseSubjectError::Issuer)
        }
    }
}

impl TryFrom<String> for SubjectName {
    type Error = ParseSubjectError;

    fn try_from(text: String) -> Result<Self, ParseSubjectError> {
        let fits = (1..=MAX_SUBJECT).contains(&text.len());
        if fits && !text.chars().any(char::is_control) {
            Ok(Self(text))
        } else {
            Err(ParseSubjectError::Name)
        }
    }
}

impl From<SubjectIssuer> for String {
    fn from(issuer: SubjectIssuer) -> Self {
        issuer.0
    }
}

impl From<SubjectName> for String {
    fn from(name: SubjectName) -> Self {
        name.0
    }
}

impl fmt::Display for SubjectIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_read_strictly() {
        for (text, valid) in [
            (r#"{"iss":"https://sso.example.com","sub":"a b"}"#, true),
            (r#"{"iss":"accounts.google.com","sub":"カート"}"#, true),
            (r#"{"iss":"","sub":"a"}"#, false),
            (r#"{"iss":"https://a b","sub":"a"}"#, false),
            (r#"{"iss":"https://a","sub":""}"#, false),
            (r#"{"iss":"https://a","sub":"a\nb"}"#, false),
            (r#"{"iss":"https://a","sub":"a","email":"a@b"}"#, false),
        ] {
            assert_eq!(
                serde_json::from_str::<Subject>(text).is_ok(),
                valid,
                "{text}"
            );
        }
        assert!(SubjectName::try_from("x".repeat(256)).is_err());
    }
}
