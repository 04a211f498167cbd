//! Scopes (RFC 6749 §3.3): what a token lets its holder do at one resource.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The longest scope that kagiya keeps; RFC 6749 sets no limit.
pub const MAX_LENGTH: usize = 128;

/// The text is not a scope, or not a list of them.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ParseScopeError {
    /// Nothing, or white space where a scope should be.
    #[error("must not be empty")]
    Empty,
    /// More than [`MAX_LENGTH`] characters.
    #[error("must be at most 128 characters long")]
    TooLong,
    /// A character outside %x21, %x23-5B, %x5D-7E.
    #[error("must hold visible ASCII characters only, without quotation mark and backslash")]
    Character,
    /// Something else than single spaces between the scopes.
    #[error("scopes must be separated by one space")]
    Separator,
}

/// One scope: 1 to 128 characters of %x21, %x23-5B, %x5D-7E, case-sensitive.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeToken(Box<str>);

impl ScopeToken {
    /// The scope's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ScopeToken {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, ParseScopeError> {
        if text.is_empty() {
            return Err(ParseScopeError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(ParseScopeError::TooLong);
        }
        if !text
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
        {
            return Err(ParseScopeError::Character);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ScopeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ScopeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ScopeToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ScopeToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// A set of scopes, sorted, each once. Two sets with the same scopes are equal, however they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ScopeSet(Vec<ScopeToken>);

impl ScopeSet {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many scopes are in it.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ScopeToken> {
        self.0.iter()
    }

    /// Whether `scope` is in it.
    pub fn contains(&self, scope: &ScopeToken) -> bool {
        self.0.binary_search(scope).is_ok()
    }

    /// Whether all of it is in `other` too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().all(|scope| other.contains(scope))
    }

    /// What is in both.
    pub fn intersection(&self, other: &Self) -> Self {
        Self(
            self.0
                .iter()
                .filter(|scope| other.contains(scope))
                .cloned()
                .collect(),
        )
    }
}

/// From a list, in whatever order it is written.
impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let scopes = Vec::<ScopeToken>::deserialize(deserializer)?;
        Ok(scopes.into_iter().collect())
    }
}

impl FromIterator<ScopeToken> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = ScopeToken>>(scopes: I) -> Self {
        let mut scopes: Vec<_> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }
}

/// Space-separated scopes; the empty text is the empty set.
impl FromStr for ScopeSet {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, ParseScopeError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        text.split(' ')
            .map(|scope| match scope.parse() {
                Err(ParseScopeError::Empty) => Err(ParseScopeError::Separator),
                parsed => parsed,
            })
            .collect()
    }
}

/// As in the `scope` member of a token answer: separated by one space, sorted.
impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scopes_follow_the_grammar_of_rfc_6749_section_3_3() {
        for good in ["read:payment", "!", "#", "[", "]", "~", "https://a/b?c=d"] {
            assert_eq!(good.parse::<ScopeToken>().unwrap().as_str(), good);
        }
        for (bad, error) in [
            ("", ParseScopeError::Empty),
            ("a b", ParseScopeError::Character),
            ("a\"", ParseScopeError::Character),
            ("a\\", ParseScopeError::Character),
            ("a\u{7f}", ParseScopeError::Character),
            ("é", ParseScopeError::Character),
            (&"x".repeat(129), ParseScopeError::TooLong),
        ] {
            assert_eq!(bad.parse::<ScopeToken>(), Err(error), "{bad:?}");
        }
    }

    #[test]
    fn a_list_of_scopes_is_separated_by_single_spaces() {
        assert_eq!("b a b".parse::<ScopeSet>().unwrap().to_string(), "a b");
        assert_eq!("".parse::<ScopeSet>().unwrap(), ScopeSet::default());
        for bad in [" ", " a", "a ", "a  b", "a\tb", "a\nb"] {
            assert!(bad.parse::<ScopeSet>().is_err(), "{bad:?}");
        }
    }

    fn sets() -> impl Strategy<Value = ScopeSet> {
        prop::collection::vec("[a-e]", 0..6)
            .prop_map(|texts| texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back(set in sets()) {
            prop_assert_eq!(set.to_string().parse::<ScopeSet>().unwrap(), set);
        }

        #[test]
        fn an_intersection_is_in_both_and_holds_all_that_is(a in sets(), b in sets()) {
            let both = a.intersection(&b);
            prop_assert!(both.is_subset(&a) && both.is_subset(&b));
            prop_assert_eq!(&both, &b.intersection(&a));
            for scope in a.iter() {
                prop_assert_eq!(both.contains(scope), b.contains(scope));
            }
            prop_assert_eq!(a.is_subset(&b), both == a);
        }
    }
}
