//! What a browser, or a link, holds to be let in: 43 letters drawn uniformly (256 bits), of which only a digest is stored.
//!
//! The secret is random and not chosen, so a fast digest is right (OWASP ASVS 5.0 §7.2.3). Each kind has a digest of its own: what
//! opens one thing is nothing to another.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::base62;
use super::random::Random;

/// Letters of a secret.
pub const LENGTH: usize = 43;

/// What a secret of this form lets do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// It is a session.
    Session,
    /// It names a browser that nobody signed in with.
    Visit,
    /// It is in a link that lets somebody in once.
    Link,
    /// It is an attempt to sign in.
    Attempt,
}

impl SecretKind {
    fn context(self) -> &'static str {
        match self {
            Self::Session => "kagiya 2026-11 dashboard: digest of a session",
            Self::Visit => "kagiya 2026-11 dashboard: digest of a visit",
            Self::Link => "kagiya 2026-11 dashboard: digest of a link",
            Self::Attempt => "kagiya 2026-11 dashboard: digest of an attempt",
        }
    }
}

/// A secret of a browser or a link.
#[derive(Clone)]
pub struct BrowserSecret {
    kind: SecretKind,
    text: Zeroizing<[u8; LENGTH]>,
}

impl BrowserSecret {
    /// Draws a new one.
    pub fn generate(kind: SecretKind, random: &dyn Random) -> Self {
        let mut text = Zeroizing::new([0u8; LENGTH]);
        random.text(base62::ALPHABET, &mut *text);
        Self { kind, text }
    }

    /// Reads one; `None` if the text cannot be one.
    pub fn parse(kind: SecretKind, text: &str) -> Option<Self> {
        let letters: [u8; LENGTH] = text.as_bytes().try_into().ok()?;
        letters
            .iter()
            .all(u8::is_ascii_alphanumeric)
            .then_some(Self {
                kind,
                text: Zeroizing::new(letters),
            })
    }

    /// The text, for the one place that carries it: a cookie or a link.
    pub fn expose(&self) -> &str {
        // Both ways to make one admit ASCII alone.
        std::str::from_utf8(&*self.text).unwrap_or_default()
    }

    /// What is stored of it.
    pub fn digest(&self) -> [u8; 32] {
        blake3::derive_key(self.kind.context(), &*self.text)
    }

    /// Whether both are the same, in constant time.
    pub fn is(&self, other: &Self) -> bool {
        self.kind == other.kind && bool::from(self.text.ct_eq(&*other.text))
    }
}

impl fmt::Debug for BrowserSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SystemRandom;

    #[test]
    fn a_secret_of_one_kind_is_nothing_to_another() {
        let session = BrowserSecret::generate(SecretKind::Session, &SystemRandom);
        let same = BrowserSecret::parse(SecretKind::Session, session.expose()).unwrap();
        assert!(session.is(&same));
        assert_eq!(session.digest(), same.digest());
        let link = BrowserSecret::parse(SecretKind::Link, session.expose()).unwrap();
        assert!(!session.is(&link));
        assert_ne!(session.digest(), link.digest());
        assert_eq!(format!("{session:?}"), "BrowserSecret");
    }

    #[test]
    fn a_text_of_another_form_is_none() {
        let good = "a".repeat(LENGTH);
        assert!(BrowserSecret::parse(SecretKind::Session, &good).is_some());
        for bad in [
            "",
            "a",
            &"a".repeat(44),
            &format!("{}-", "a".repeat(42)),
            &"é".repeat(21),
        ] {
            assert!(
                BrowserSecret::parse(SecretKind::Session, bad).is_none(),
                "{bad}"
            );
        }
    }
}
