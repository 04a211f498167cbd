//! Secrets as types that cannot be shown or compared by accident.
//!
//! No `Display`, no `PartialEq`, no `Serialize`; `Debug` prints the type's name alone; memory is wiped when they are dropped.
//! Whoever needs the content says `expose`, so each use can be found by one search.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Secret bytes: a key, a digest key, a private key in PKCS#8.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one operation that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether `candidate` is the same, in a time that tells nothing of where they differ.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.0.ct_eq(candidate).into()
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes")
    }
}

/// Secret text: a password, a connection URL with credentials, a bearer token of ours.
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes the text over.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one operation that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Clone for SecretText {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_holds_nothing_of_the_secret() {
        assert_eq!(
            format!("{:?}", SecretText::new("hunter2".into())),
            "SecretText"
        );
        assert_eq!(
            format!("{:?}", SecretBytes::new(vec![1, 2, 3])),
            "SecretBytes"
        );
    }

    #[test]
    fn only_the_same_bytes_match() {
        let secret = SecretBytes::new(b"abc".to_vec());
        assert!(secret.matches(b"abc"));
        assert!(!secret.matches(b"abd"));
        assert!(!secret.matches(b"ab"));
    }
}
