//! The id that ties an answer to its line in the log, answered as `X-Request-Id`.
//!
//! Usually drawn here. One that comes in is taken over from a trusted proxy alone: from anybody else it could be chosen to
//! muddle the log.

use actix_web::http::header::{HeaderName, HeaderValue};

use crate::domain::base32;
use crate::domain::random::Random;

/// The header.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const PREFIX: &[u8; 4] = b"req_";
/// `req_` and 26 letters of lower-case base32 (130 random bits).
const LENGTH: usize = 30;
/// The longest id that is taken over, in characters.
const LONGEST: usize = 64;

/// An id: 1 to 64 of `A-Z a-z 0-9 . _ -`, so it can stand in a header, in JSON and in a log line as it is.
///
/// Kept in place: it becomes a header's value, which is an allocation, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId {
    text: [u8; LONGEST],
    length: usize,
}

impl RequestId {
    /// Draws a new id.
    pub fn generate(random: &dyn Random) -> Self {
        let mut text = [0u8; LONGEST];
        text[..PREFIX.len()].copy_from_slice(PREFIX);
        let body = &mut text[PREFIX.len()..LENGTH];
        random.fill(body);
        // 32 letters: the low five bits of a random byte choose evenly.
        for byte in body {
            *byte = base32::ALPHABET[usize::from(*byte & 31)];
        }
        Self {
            text,
            length: LENGTH,
        }
    }

    /// Takes over an id that came in, if it has the form of one.
    pub fn read(value: &HeaderValue) -> Option<Self> {
        let given = value.as_bytes();
        let well_formed = (1..=LONGEST).contains(&given.len())
            && given
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        well_formed.then(|| {
            let mut text = [0u8; LONGEST];
            text[..given.len()].copy_from_slice(given);
            Self {
                text,
                length: given.len(),
            }
        })
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        // Both ways to make one admit ASCII alone.
        std::str::from_utf8(&self.text[..self.length]).unwrap_or_default()
    }

    /// The id as a header's value.
    pub fn value(&self) -> HeaderValue {
        HeaderValue::from_str(self.as_str()).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SystemRandom;

    #[test]
    fn a_drawn_id_has_the_form_that_is_taken_over() {
        let id = RequestId::generate(&SystemRandom);
        assert_eq!(id.as_str().len(), LENGTH);
        assert_eq!(RequestId::read(&id.value()), Some(id));
        assert_ne!(RequestId::generate(&SystemRandom), id);
    }

    #[test]
    fn an_id_that_could_break_a_log_line_is_not_taken_over() {
        for text in ["", "a b", "a\"b", "a\tb", "é", &"a".repeat(65)] {
            assert_eq!(
                RequestId::read(&HeaderValue::from_str(text).unwrap()),
                None,
                "{text}"
            );
        }
    }
}
