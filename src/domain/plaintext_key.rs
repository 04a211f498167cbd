//! The key as its holder has it: its spelling, and what can be read off it without any secret.
//!
//! `kgy_` `1` generation(1) user name(26) password(43) tag(26) checksum(6). `docs/key-format.md` explains each part.
//! Each key has exactly one accepted spelling: fixed lengths, one alphabet a part, nothing decoded. Parsing allocates nothing
//! and takes the same steps whatever the password and the tag hold.

use std::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use super::key_tag::{TAG_LENGTH, TagGeneration, TagSecret};
use super::prefix::{KeyPrefix, KeyPrefixes};
use super::random::Random;
use super::{base32, base62};

/// The only format there is. A change of any rule below is a new version; the old one stays readable for ever.
pub const VERSION: u8 = b'1';
/// Characters of a user name: 130 bits.
pub const USER_NAME_LENGTH: usize = 26;
/// Characters of a password: 256 bits (62^43 > 2^256).
pub const PASSWORD_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;
/// All characters behind the `_`.
const BODY_LENGTH: usize = 2 + USER_NAME_LENGTH + PASSWORD_LENGTH + TAG_LENGTH + CHECKSUM_LENGTH;

/// Public, random name of one generation of a key: what it is looked up by, and its user name at a provider after `k_`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserName([u8; USER_NAME_LENGTH]);

impl UserName {
    /// Draws a new name.
    pub fn generate(random: &dyn Random) -> Self {
        let mut text = [0u8; USER_NAME_LENGTH];
        random.text(base32::ALPHABET, &mut text);
        Self(text)
    }

    /// Reads a stored name; `None` for anything but 26 letters of base32.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; USER_NAME_LENGTH] = text.as_bytes().try_into().ok()?;
        base32::is_text(&bytes).then_some(Self(bytes))
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        // Base32 text is ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The name's bytes.
    pub fn as_bytes(&self) -> &[u8; USER_NAME_LENGTH] {
        &self.0
    }

    /// What lists show of a key, so that its holder knows it again: the prefix and the last four letters of the name.
    pub fn hint(&self, prefix: &KeyPrefix) -> String {
        hint(prefix.as_str(), self)
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn hint(prefix: &str, name: &UserName) -> String {
    format!("{prefix}_…{}", &name.as_str()[USER_NAME_LENGTH - 4..])
}

/// Why a text is not a key. The holder is told none of it; it is counted.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ParseKeyError {
    /// No prefix that this deployment uses or used, followed by `_`.
    #[error("the prefix is not one of this deployment")]
    Prefix,
    /// Too short or too long.
    #[error("the length is not that of a key")]
    Length,
    /// A version other than 1.
    #[error("the format version is not known")]
    Version,
    /// A character outside its part's alphabet.
    #[error("a character is outside its part's alphabet")]
    Alphabet,
    /// The checksum does not fit: a slip of the hand, or no key at all.
    #[error("the checksum does not fit")]
    Checksum,
}

/// A key that somebody presents: well spelled, and proven by nothing yet.
pub struct UnverifiedKey<'a> {
    text: &'a [u8],
    body: usize,
}

impl<'a> UnverifiedKey<'a> {
    /// Reads a presented text; ASCII white space around it is ignored.
    ///
    /// # Errors
    /// The first rule that it breaks, in the order of [`ParseKeyError`].
    pub fn parse(presented: &'a [u8], prefixes: &KeyPrefixes) -> Result<Self, ParseKeyError> {
        let text = presented.trim_ascii();
        let body = prefixes
            .accepted()
            .iter()
            .find_map(|prefix| {
                text.strip_prefix(prefix.as_str().as_bytes())?
                    .strip_prefix(b"_")
            })
            .map(|body| text.len() - body.len())
            .ok_or(ParseKeyError::Prefix)?;
        let key = Self { text, body };
        if text.len() != body + BODY_LENGTH {
            return Err(ParseKeyError::Length);
        }
        if text[body] != VERSION {
            return Err(ParseKeyError::Version);
        }
        let alphabets = base62::is_text(&text[body + 1..body + 2])
            & base32::is_text(key.part(2, USER_NAME_LENGTH))
            & base62::is_text(key.password())
            & base32::is_text(key.tag())
            & base62::is_text(key.checksum());
        if !alphabets {
            return Err(ParseKeyError::Alphabet);
        }
        let expected = base62::encode_u32(crc32fast::hash(&text[..text.len() - CHECKSUM_LENGTH]));
        if !bool::from(expected.ct_eq(key.checksum())) {
            return Err(ParseKeyError::Checksum);
        }
        Ok(key)
    }

    /// The prefix that it begins with.
    pub fn prefix(&self) -> &'a str {
        // The prefix was found equal to one that is ASCII; the `_` behind it is no part of it.
        std::str::from_utf8(&self.text[..self.body - 1]).unwrap_or_default()
    }

    /// What lists show of it; see [`UserName::hint`].
    pub fn hint(&self) -> String {
        hint(self.prefix(), &self.user_name())
    }

    /// Which tag secret made the tag, as the key claims.
    pub fn tag_generation(&self) -> TagGeneration {
        // The alphabet was checked, so the default is never used.
        TagGeneration::from_letter(self.text[self.body + 1]).unwrap_or_default()
    }

    /// The name to look it up by.
    pub fn user_name(&self) -> UserName {
        let mut name = [0u8; USER_NAME_LENGTH];
        name.copy_from_slice(self.part(2, USER_NAME_LENGTH));
        UserName(name)
    }

    /// The password: the proof. Secret.
    pub fn password(&self) -> &'a [u8] {
        self.part(2 + USER_NAME_LENGTH, PASSWORD_LENGTH)
    }

    /// The tag as presented.
    pub(super) fn tag(&self) -> &'a [u8] {
        self.part(2 + USER_NAME_LENGTH + PASSWORD_LENGTH, TAG_LENGTH)
    }

    /// What the tag is taken over: all before it.
    pub(super) fn tagged(&self) -> &'a [u8] {
        &self.text[..self.text.len() - TAG_LENGTH - CHECKSUM_LENGTH]
    }

    fn checksum(&self) -> &'a [u8] {
        &self.text[self.text.len() - CHECKSUM_LENGTH..]
    }

    fn part(&self, offset: usize, length: usize) -> &'a [u8] {
        &self.text[self.body + offset..self.body + offset + length]
    }
}

/// A key just made, whole, to be shown once. Wiped when dropped; cannot be printed, compared, cloned or serialised.
pub struct PlaintextKey {
    text: Zeroizing<String>,
    user_name: UserName,
}

impl PlaintextKey {
    /// Draws user name and password and puts the tag and the checksum behind them.
    pub fn generate(
        prefix: &KeyPrefix,
        generation: TagGeneration,
        secret: &TagSecret,
        random: &dyn Random,
    ) -> Self {
        let mut password = Zeroizing::new([0u8; PASSWORD_LENGTH]);
        random.text(base62::ALPHABET, &mut *password);
        Self::assemble(
            prefix,
            generation,
            secret,
            (UserName::generate(random), &password),
        )
    }

    fn assemble(
        prefix: &KeyPrefix,
        generation: TagGeneration,
        secret: &TagSecret,
        (user_name, password): (UserName, &[u8; PASSWORD_LENGTH]),
    ) -> Self {
        let length = prefix.as_str().len() + 1 + BODY_LENGTH;
        // The full capacity at once: a growing buffer would leave copies behind that nobody wipes.
        let mut text = Zeroizing::new(Vec::with_capacity(length));
        text.extend_from_slice(prefix.as_str().as_bytes());
        text.extend_from_slice(&[b'_', VERSION, generation.letter()]);
        text.extend_from_slice(user_name.as_bytes());
        text.extend_from_slice(password);
        let tag = secret.tag(&text);
        text.extend_from_slice(tag.as_bytes());
        let checksum = base62::encode_u32(crc32fast::hash(&text));
        text.extend_from_slice(&checksum);
        // Every part is ASCII, so nothing is lost, and the vector's buffer becomes the string's.
        let text =
            Zeroizing::new(String::from_utf8(std::mem::take(&mut *text)).unwrap_or_default());
        Self { text, user_name }
    }

    /// The public name inside.
    pub fn user_name(&self) -> UserName {
        self.user_name
    }

    /// The password inside. Secret.
    pub fn password(&self) -> &[u8] {
        let end = self.text.len() - TAG_LENGTH - CHECKSUM_LENGTH;
        &self.text.as_bytes()[end - PASSWORD_LENGTH..end]
    }

    /// A second copy, for the sealed answer that a repeated request gets. Not `Clone`, so that nobody copies a key by accident.
    pub fn copy_for_kept_answer(&self) -> Self {
        Self {
            text: self.text.clone(),
            user_name: self.user_name,
        }
    }

    /// The whole text, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for PlaintextKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlaintextKey")
    }
}

#[cfg(test)]
#[path = "plaintext_key_tests.rs"]
mod tests;
