//! Client secrets (RFC 6749 §2.3.1): drawn by us, 256 random bits, shown once.
//!
//! `kgs_` and 43 characters of base62: a secret scanner finds it by the prefix, and it means the same bytes to clients that
//! form-urlencode it before Basic and to those that forget to (TOK-7). No slow hash, for the reason that keys have none
//! (ASVS 6.5.2): nobody chose it.

use std::fmt;

use zeroize::Zeroizing;

use super::base62;
use super::random::Random;

const PREFIX: &str = "kgs_";
/// Characters behind the prefix: 62^43 is more than 2^256.
const BODY_LENGTH: usize = 43;
/// The length of a client secret.
pub const LENGTH: usize = PREFIX.len() + BODY_LENGTH;

/// A secret just drawn, to be shown once. Wiped when dropped; cannot be printed, compared, cloned or serialised.
pub struct PlaintextSecret(Zeroizing<String>);

impl PlaintextSecret {
    /// Draws one.
    pub fn generate(random: &dyn Random) -> Self {
        let mut body = Zeroizing::new([0u8; BODY_LENGTH]);
        random.text(base62::ALPHABET, &mut *body);
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        text.push_str(PREFIX);
        // Base62 is ASCII.
        text.push_str(std::str::from_utf8(&*body).unwrap_or_default());
        Self(text)
    }

    /// The whole text, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Its last four letters.
    pub fn hint(&self) -> &str {
        &self.0[LENGTH - 4..]
    }

    /// What is to be digested.
    pub fn unverified(&self) -> UnverifiedSecret<'_> {
        UnverifiedSecret(self.0.as_bytes())
    }
}

impl fmt::Debug for PlaintextSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlaintextSecret")
    }
}

/// A presented text of the shape of a client secret; nothing is proven.
#[derive(Clone, Copy)]
pub struct UnverifiedSecret<'a>(&'a [u8]);

impl<'a> UnverifiedSecret<'a> {
    /// Reads a presented text. It has one spelling; what has another is none.
    pub fn parse(presented: &'a str) -> Option<Self> {
        let body = presented.strip_prefix(PREFIX)?.as_bytes();
        (body.len() == BODY_LENGTH && base62::is_text(body)).then_some(Self(presented.as_bytes()))
    }

    /// One that nobody has, so that a text of another shape costs the same time.
    pub fn nobodys() -> UnverifiedSecret<'static> {
        UnverifiedSecret(b"kgs_0000000000000000000000000000000000000000000")
    }

    pub(super) fn bytes(self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SystemRandom;

    #[test]
    fn tok_7_a_secret_has_256_bits_and_letters_that_no_client_encodes() {
        let secret = PlaintextSecret::generate(&SystemRandom);
        let text = secret.expose();
        assert_eq!(text.len(), LENGTH);
        assert!(
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        );
        assert!(62f64.log2() * BODY_LENGTH as f64 >= 256.0, "TOK-18");
        assert!(UnverifiedSecret::parse(text).is_some());
        assert!(text.ends_with(secret.hint()));
        assert_eq!(UnverifiedSecret::nobodys().bytes().len(), LENGTH);
    }

    #[test]
    fn another_spelling_is_none() {
        let secret = PlaintextSecret::generate(&SystemRandom);
        let text = secret.expose();
        for other in [
            "",
            "kgs_",
            &text[..LENGTH - 1],
            &format!("{text}a"),
            &format!(" {text}"),
            &text.replacen("kgs_", "KGS_", 1),
            &text.replacen("kgs_", "kgs-", 1),
        ] {
            assert!(UnverifiedSecret::parse(other).is_none(), "{other}");
        }
    }
}
