//! The tag of a key: HMAC-SHA-256 (RFC 2104), cut to 130 bits (RFC 2104 §5 asks for at least half of the output: 128).
//!
//! The tag is a filter, not the proof: it lets us refuse a forgery without any I/O, and whoever learns a tag secret still has no
//! key, because the password's digest is checked behind it ([`super::password`]).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::plaintext_key::UnverifiedKey;
use super::{base32, base62};

/// Characters of a tag: 26 letters of base32, 130 bits.
pub const TAG_LENGTH: usize = 26;

/// Which tag secret: 0 to 61, written as one base62 letter in the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TagGeneration(u8);

impl TagGeneration {
    /// How many secrets can be live at once.
    pub const COUNT: usize = base62::ALPHABET.len();

    /// The generation of this number, below 62.
    pub fn new(number: u8) -> Option<Self> {
        (usize::from(number) < Self::COUNT).then_some(Self(number))
    }

    /// The generation that a letter stands for.
    pub fn from_letter(letter: u8) -> Option<Self> {
        base62::digit(letter).map(Self)
    }

    /// The letter in the key.
    pub fn letter(self) -> u8 {
        base62::ALPHABET[usize::from(self.0)]
    }

    /// The number, 0 to 61.
    pub fn number(self) -> u8 {
        self.0
    }
}

/// A tag in text form. Compared in constant time only; it cannot be printed.
pub struct KeyTag([u8; TAG_LENGTH]);

impl KeyTag {
    pub(super) fn as_bytes(&self) -> &[u8; TAG_LENGTH] {
        &self.0
    }
}

impl fmt::Debug for KeyTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyTag")
    }
}

/// A secret that tags are made with, its key schedule prepared.
pub struct TagSecret(Hmac<Sha256>);

impl TagSecret {
    /// Prepares a 256-bit secret.
    pub fn new(secret: [u8; 32]) -> Self {
        let secret = zeroize::Zeroizing::new(secret);
        let mut block = [0u8; 64];
        block[..32].copy_from_slice(&*secret);
        // RFC 2104 §2 pads a short secret with zeroes to one block; given as a block, no length can be refused.
        let mac = Hmac::<Sha256>::new((&block).into());
        zeroize::Zeroize::zeroize(&mut block);
        Self(mac)
    }

    /// The tag over `text`.
    pub fn tag(&self, text: &[u8]) -> KeyTag {
        let mac = self.0.clone().chain_update(text).finalize().into_bytes();
        let mut tag = [0u8; TAG_LENGTH];
        base32::encode(&mac, &mut tag);
        KeyTag(tag)
    }
}

impl fmt::Debug for TagSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TagSecret")
    }
}

/// Why a well-spelled key is not ours.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeyTagError {
    /// No secret of that generation is held here: forged, or made by a node that knows a newer one.
    #[error("the tag's generation is not held here")]
    UnknownGeneration,
    /// The tag is not the one that our secret makes.
    #[error("the tag does not fit")]
    Mismatch,
}

/// The tag secrets in force, one for each generation that lives: exactly one is tried for a key.
pub struct TagSecrets([Option<TagSecret>; TagGeneration::COUNT]);

impl TagSecrets {
    /// Holds the given generations.
    pub fn new(secrets: impl IntoIterator<Item = (TagGeneration, TagSecret)>) -> Self {
        let mut held = [const { None }; TagGeneration::COUNT];
        for (generation, secret) in secrets {
            held[usize::from(generation.0)] = Some(secret);
        }
        Self(held)
    }

    /// The secret of a generation.
    pub fn secret(&self, generation: TagGeneration) -> Option<&TagSecret> {
        self.0[usize::from(generation.0)].as_ref()
    }

    /// Whether one of our secrets made this key's tag. One MAC, no I/O, compared in constant time.
    ///
    /// # Errors
    /// See [`KeyTagError`].
    pub fn verify(&self, key: &UnverifiedKey<'_>) -> Result<(), KeyTagError> {
        let secret = self
            .secret(key.tag_generation())
            .ok_or(KeyTagError::UnknownGeneration)?;
        let same = secret.tag(key.tagged()).0.ct_eq(key.tag());
        if bool::from(same) {
            Ok(())
        } else {
            Err(KeyTagError::Mismatch)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 §4.2 and §4.3, their first 130 bits in lower-case base32.
    #[test]
    fn tags_are_hmac_sha_256() {
        let mut secret = [0u8; 32];
        secret[..20].fill(0x0b);
        assert_eq!(
            TagSecret::new(secret).tag(b"Hi There").0.as_slice(),
            base32_of("b0344c61d8db38535ca8afceaf0bf12b88")
        );
        let mut secret = [0u8; 32];
        secret[..4].copy_from_slice(b"Jefe");
        let tag = TagSecret::new(secret).tag(b"what do ya want for nothing?");
        assert_eq!(
            tag.0.as_slice(),
            base32_of("5bdcc146bf60754e6a042426089575c75a")
        );
    }

    fn base32_of(hex: &str) -> Vec<u8> {
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|place| u8::from_str_radix(&hex[place * 2..place * 2 + 2], 16).unwrap())
            .collect();
        let mut text = vec![0; TAG_LENGTH];
        base32::encode(&bytes, &mut text);
        text
    }

    #[test]
    fn there_are_62_generations() {
        assert_eq!((0..=255).filter_map(TagGeneration::new).count(), 62);
        for number in 0..62 {
            let generation = TagGeneration::new(number).unwrap();
            assert_eq!(
                TagGeneration::from_letter(generation.letter()),
                Some(generation)
            );
        }
    }
}
