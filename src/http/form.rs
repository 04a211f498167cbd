//! `application/x-www-form-urlencoded` text, in a body or a query: strict about what serde would let through.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::read_value;

/// The most parameters that one request may have.
const MAX_PARAMETERS: usize = 100;

/// A parameter's name and value, decoded.
pub type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The parameters in their order.
///
/// # Errors
/// 400 `invalid_request` for a broken percent-encoding, bytes that are not UTF-8, or more than 100 parameters.
pub fn pairs(text: &[u8]) -> Result<Vec<Pair<'_>>, Problem> {
    pairs_up_to(text, MAX_PARAMETERS)
}

/// The same, up to another number of them.
///
/// # Errors
/// As [`pairs`].
pub fn pairs_up_to(text: &[u8], most: usize) -> Result<Vec<Pair<'_>>, Problem> {
    let pieces = text
        .split(|byte| *byte == b'&')
        .filter(|piece| !piece.is_empty());
    let mut pairs = Vec::new();
    for piece in pieces {
        if pairs.len() == most {
            return Err(Problem::invalid_request(
                "there are more parameters than are read",
            ));
        }
        let (name, value) = match piece.iter().position(|byte| *byte == b'=') {
            Some(at) => (&piece[..at], &piece[at + 1..]),
            None => (piece, &[][..]),
        };
        pairs.push((decode(name)?, decode(value)?));
    }
    Ok(pairs)
}

/// Reads a `T` whose parameters are known, valid and given once.
///
/// # Errors
/// 400 `invalid_request` as [`pairs`] and for a repeated parameter; 422 for an unknown, missing or wrong one.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    let pairs = pairs(text)?;
    for (index, (name, _)) in pairs.iter().enumerate() {
        if pairs[..index].iter().any(|(other, _)| other == name) {
            return Err(Problem::repeated(
                name.chars().take(128).collect::<String>(),
            ));
        }
    }
    read_value::read(serde_html_form::Deserializer::from_bytes(text))
}

/// Decodes `+` and `%XX`; borrows when there is nothing to decode.
///
/// # Errors
/// 400 `invalid_request` for a broken percent-encoding or bytes that are not UTF-8.
pub fn decode(text: &[u8]) -> Result<Cow<'_, str>, Problem> {
    let broken = || Problem::invalid_request("a parameter is not percent-encoded UTF-8");
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return std::str::from_utf8(text)
            .map(Cow::Borrowed)
            .map_err(|_| broken());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || {
                    rest.next()
                        .and_then(|digit| char::from(*digit).to_digit(16))
                        .ok_or_else(broken)
                };
                let (high, low) = (digit()?, digit()?);
                // Two digits of four bits each make a byte.
                (high << 4 | low) as u8
            }
            other => *other,
        });
    }
    String::from_utf8(bytes)
        .map(Cow::Owned)
        .map_err(|_| broken())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let read = pairs(b"scope=read%3Apayment+write%3apayment&resource=&&flag").unwrap();
        let read: Vec<(&str, &str)> = read
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
            .collect();
        assert_eq!(
            read,
            [
                ("scope", "read:payment write:payment"),
                ("resource", ""),
                ("flag", "")
            ]
        );
    }

    #[test]
    fn broken_encodings_are_refused_not_guessed() {
        for text in ["a=%", "a=%4", "a=%zz", "a=%+1", "a=%ff", "%c3=1"] {
            assert_eq!(
                pairs(text.as_bytes()).unwrap_err().code().as_str(),
                "invalid_request",
                "{text}"
            );
        }
        assert!(pairs(b"a=\xff").is_err());
        assert!(pairs("a&".repeat(101).as_bytes()).is_err());
    }
}
