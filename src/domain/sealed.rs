//! Secrets at rest: what the database holds sealed, and the root secret outside it that opens the rest.
//!
//! [`RootSecret`] seals the secrets of each purpose; the purpose "sealing" in turn seals private keys and stored answers.
//! AES-256-GCM with a random nonce; keys come out of BLAKE3's key derivation, one context string for each use, so no two
//! uses share a key. A blob opens only at the [`Place`] for which it was sealed: copying a sealed column into another
//! row, or another table, gives a blob that is refused.
//!
//! A blob is: format version (1 byte), generation of the sealing secret (4 bytes, big-endian), nonce (12), ciphertext,
//! tag (16). All that comes before the nonce is authenticated too.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::domain::random::Random;
use crate::domain::secret::SecretBytes;

const FORMAT: u8 = 1;
const HEADER_LENGTH: usize = 1 + size_of::<u32>();
const TAG_LENGTH: usize = 16;

// Changing a context changes the key: what was sealed before could never be opened again.
const ROOT_SEALING_CONTEXT: &str = "kagiya 2026-11-22 root secret: sealing of purpose secrets";
const ROOT_CHECK_CONTEXT: &str = "kagiya 2026-11-22 root secret: check value in the database";
const SEALING_CONTEXT: &str = "kagiya 2026-11-22 sealing secret: sealing";
const JOINT_SEALING_CONTEXT: &str = "kagiya 2026-11-22 sealing secret and a second part: sealing";

/// The generation that stands in a blob which the root secret sealed; purpose secrets count from 1.
pub const ROOT_GENERATION: u32 = 0;

/// The length of a purpose secret, in bytes.
pub const PURPOSE_SECRET_LENGTH: usize = 32;

/// A new secret for one purpose (tag, digest, provider, sealing, cookies, audit): 32 random bytes.
pub fn generate_purpose_secret(random: &dyn Random) -> SecretBytes {
    let mut bytes = vec![0; PURPOSE_SECRET_LENGTH];
    random.fill(&mut bytes);
    SecretBytes::new(bytes)
}

/// The one secret that lives outside the database.
pub struct RootSecret(SecretBytes);

/// The root secret has fewer than [`RootSecret::MIN_LENGTH`] bytes.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the root secret must be at least 32 bytes long")]
pub struct RootSecretTooShort;

impl RootSecret {
    /// The shortest root secret that is taken, in bytes.
    pub const MIN_LENGTH: usize = 32;

    /// Takes the secret as it is: nothing is trimmed or decoded. It must have been drawn at random, since the check
    /// value in the database would let someone who has it try guesses fast.
    ///
    /// # Errors
    /// Fewer than 32 bytes.
    pub fn new(secret: SecretBytes) -> Result<Self, RootSecretTooShort> {
        if secret.expose().len() < Self::MIN_LENGTH {
            return Err(RootSecretTooShort);
        }
        Ok(Self(secret))
    }

    /// What seals and opens the purpose secrets.
    pub fn sealer(&self) -> Sealer {
        let key = derive(ROOT_SEALING_CONTEXT, &[self.0.expose()]);
        Sealer::with_key(&key, ROOT_GENERATION)
    }

    /// What the database keeps to tell whether a root secret is its own. It opens nothing.
    pub fn check_value(&self) -> [u8; 32] {
        *derive(ROOT_CHECK_CONTEXT, &[self.0.expose()])
    }

    /// Whether `check_value` was made of this secret.
    pub fn matches(&self, check_value: &[u8]) -> bool {
        self.check_value().ct_eq(check_value).into()
    }
}

/// Where a sealed blob belongs; not secret, not stored in the blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// What kind of thing is sealed, e.g. `signing_key`.
    pub purpose: &'a str,
    /// Which part of it, e.g. `pkcs8`.
    pub name: &'a str,
    /// Which one, e.g. the kid.
    pub id: &'a str,
}

/// Seals and opens with one key.
pub struct Sealer {
    key: RandomizedNonceKey,
    generation: u32,
}

/// Why a blob was not opened.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum OpenError {
    /// Too short, or of a format version that is not known here.
    #[error("not a sealed blob of a known format")]
    Format,
    /// Sealed by another generation of the sealing secret: this one.
    #[error("sealed by generation {0} of the sealing secret")]
    Generation(u32),
    /// Another key, another place, or changed since.
    #[error("the sealed blob does not belong here or was changed")]
    Refused,
}

impl Sealer {
    /// A sealer over one generation of the purpose secret "sealing".
    pub fn new(secret: &SecretBytes, generation: u32) -> Self {
        let key = derive(SEALING_CONTEXT, &[secret.expose()]);
        Self::with_key(&key, generation)
    }

    /// A sealer whose blobs open only with the sealing secret and `second` together (a value that is not stored, such
    /// as an Idempotency-Key): neither the database with the root secret nor `second` alone is enough.
    pub fn joint(secret: &SecretBytes, second: &[u8], generation: u32) -> Self {
        let key = derive(JOINT_SEALING_CONTEXT, &[secret.expose(), second]);
        Self::with_key(&key, generation)
    }

    fn with_key(key: &[u8; 32], generation: u32) -> Self {
        // Invariant: AES-256 takes any 32 bytes as a key.
        let key = RandomizedNonceKey::new(&AES_256_GCM, key).expect("a key of 32 bytes");
        Self { key, generation }
    }

    /// Seals `plaintext` for `place`. Two calls never give the same blob.
    pub fn seal(&self, place: Place<'_>, plaintext: &[u8]) -> Vec<u8> {
        let header = self.header();
        // Encrypted where it lies, with room for the tag, so that no copy of the plaintext is left behind.
        let mut body = Vec::with_capacity(plaintext.len() + TAG_LENGTH);
        body.extend_from_slice(plaintext);
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(place.bound_to(&header)), &mut body)
            // Invariant: AES-GCM fails only beyond 64 GiB of plaintext.
            .expect("less than 64 GiB");
        let mut blob = Vec::with_capacity(HEADER_LENGTH + NONCE_LEN + body.len());
        blob.extend_from_slice(&header);
        blob.extend_from_slice(nonce.as_ref());
        blob.extend_from_slice(&body);
        blob
    }

    /// Opens what [`seal`](Self::seal) made for the same place.
    ///
    /// # Errors
    /// Not a blob, sealed by another generation, or not sealed here.
    pub fn open(&self, place: Place<'_>, blob: &[u8]) -> Result<SecretBytes, OpenError> {
        let generation = sealed_generation(blob)?;
        if generation != self.generation {
            return Err(OpenError::Generation(generation));
        }
        let (header, rest) = blob.split_at(HEADER_LENGTH);
        let (nonce, body) = rest.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Format)?;
        let mut body = Zeroizing::new(body.to_vec());
        let plaintext = self
            .key
            .open_in_place(nonce, Aad::from(place.bound_to(header)), &mut body)
            .map_err(|_| OpenError::Refused)?
            .len();
        body.truncate(plaintext);
        Ok(SecretBytes::new(std::mem::take(&mut *body)))
    }

    fn header(&self) -> [u8; HEADER_LENGTH] {
        let mut header = [FORMAT; HEADER_LENGTH];
        header[1..].copy_from_slice(&self.generation.to_be_bytes());
        header
    }
}

/// Which generation of the sealing secret a blob needs; [`ROOT_GENERATION`] for the root secret.
///
/// # Errors
/// [`OpenError::Format`].
pub fn sealed_generation(blob: &[u8]) -> Result<u32, OpenError> {
    if blob.len() < HEADER_LENGTH + NONCE_LEN + TAG_LENGTH {
        return Err(OpenError::Format);
    }
    head_generation(blob)
}

/// As [`sealed_generation`], of a blob's first five bytes.
///
/// # Errors
/// [`OpenError::Format`].
pub fn head_generation(head: &[u8]) -> Result<u32, OpenError> {
    match head {
        [FORMAT, a, b, c, d, ..] => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => Err(OpenError::Format),
    }
}

impl Place<'_> {
    /// The associated data. Each part carries its length, so that no two places read the same.
    fn bound_to(&self, header: &[u8]) -> Vec<u8> {
        let mut data = header.to_vec();
        for part in [self.purpose, self.name, self.id] {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data
    }
}

/// A key for `context` out of `parts`, each with its length before it.
fn derive(context: &str, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let key = Zeroizing::new(*hasher.finalize().as_bytes());
    zeroize::Zeroize::zeroize(&mut hasher);
    key
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::random::SystemRandom;

    const HERE: Place<'_> = Place {
        purpose: "signing_key",
        name: "pkcs8",
        id: "k1",
    };

    fn root(text: &str) -> RootSecret {
        RootSecret::new(SecretBytes::new(text.into())).unwrap()
    }

    fn sealer() -> Sealer {
        Sealer::new(&SecretBytes::new(vec![7; 32]), 3)
    }

    fn refusal(sealer: &Sealer, place: Place<'_>, blob: &[u8]) -> OpenError {
        sealer.open(place, blob).err().unwrap()
    }

    #[test]
    fn a_root_secret_has_at_least_32_bytes_and_is_taken_as_it_is() {
        let short = RootSecret::new(SecretBytes::new(vec![b'x'; 31]));
        assert_eq!(short.err(), Some(RootSecretTooShort));
        let plain = root(&"x".repeat(32));
        let with_line_end = root(&format!("{}\n", "x".repeat(32)));
        assert!(!plain.matches(&with_line_end.check_value()));
        assert!(plain.matches(&plain.check_value()));
        assert!(!plain.matches(&plain.check_value()[..31]));
    }

    #[test]
    fn what_is_derived_of_a_root_secret_never_changes() {
        let root = root("0123456789abcdef0123456789abcdef");
        let check_value: String = root
            .check_value()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            check_value,
            "cc500138dd322e21d7eea2f62afae297885ddf9030a460dd7f125b886b5dd8a1"
        );
        // Sealed by the first build; opens for as long as format 1 is read.
        let blob = [
            1, 0, 0, 0, 0, 127, 75, 90, 137, 174, 163, 151, 243, 115, 205, 73, 171, 103, 77, 103,
            122, 140, 216, 225, 111, 27, 22, 252, 48, 203, 2, 151, 190, 55, 248, 140, 153, 8, 24,
            205,
        ];
        assert_eq!(
            root.sealer().open(HERE, &blob).unwrap().expose(),
            b"private"
        );
    }

    #[test]
    fn a_blob_opens_only_at_its_own_place() {
        let blob = sealer().seal(HERE, b"private");
        for elsewhere in [
            Place {
                purpose: "secret",
                ..HERE
            },
            Place {
                name: "pkcs",
                ..HERE
            },
            Place { id: "k2", ..HERE },
            Place {
                name: "pkcs8k",
                id: "1",
                ..HERE
            },
        ] {
            assert_eq!(refusal(&sealer(), elsewhere, &blob), OpenError::Refused);
        }
    }

    #[test]
    fn a_blob_opens_only_with_its_own_secret_and_generation() {
        let blob = sealer().seal(HERE, b"private");
        let later = Sealer::new(&SecretBytes::new(vec![7; 32]), 4);
        assert_eq!(refusal(&later, HERE, &blob), OpenError::Generation(3));
        assert_eq!(sealed_generation(&blob), Ok(3));
        let other = Sealer::new(&SecretBytes::new(vec![8; 32]), 3);
        assert_eq!(refusal(&other, HERE, &blob), OpenError::Refused);
        let root = root("0123456789abcdef0123456789abcdef").sealer();
        let blob = root.seal(HERE, b"private");
        assert_eq!(sealed_generation(&blob), Ok(ROOT_GENERATION));
        assert_eq!(root.open(HERE, &blob).unwrap().expose(), b"private");
    }

    #[test]
    fn a_joint_blob_needs_both_parts() {
        let secret = SecretBytes::new(vec![7; 32]);
        let blob = Sealer::joint(&secret, b"idem-1", 3).seal(HERE, b"answer");
        for wrong in [
            Sealer::joint(&secret, b"idem-2", 3),
            Sealer::joint(&SecretBytes::new(vec![8; 32]), b"idem-1", 3),
            Sealer::new(&secret, 3),
        ] {
            assert_eq!(refusal(&wrong, HERE, &blob), OpenError::Refused);
        }
        let right = Sealer::joint(&secret, b"idem-1", 3);
        assert_eq!(right.open(HERE, &blob).unwrap().expose(), b"answer");
    }

    #[test]
    fn no_changed_or_shortened_blob_opens() {
        let blob = sealer().seal(HERE, b"private");
        for index in 0..blob.len() {
            let mut changed = blob.clone();
            changed[index] ^= 1;
            assert!(sealer().open(HERE, &changed).is_err(), "byte {index}");
            assert!(
                sealer().open(HERE, &blob[..index]).is_err(),
                "cut at {index}"
            );
        }
    }

    #[test]
    fn equal_secrets_seal_differently_each_time() {
        assert_ne!(sealer().seal(HERE, b"x"), sealer().seal(HERE, b"x"));
    }

    #[test]
    fn purpose_secrets_are_drawn_afresh() {
        let one = generate_purpose_secret(&SystemRandom);
        assert_eq!(one.expose().len(), PURPOSE_SECRET_LENGTH);
        assert!(!one.matches(generate_purpose_secret(&SystemRandom).expose()));
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(plaintext: Vec<u8>) {
            let blob = sealer().seal(HERE, &plaintext);
            let opened = sealer().open(HERE, &blob).unwrap();
            prop_assert_eq!(opened.expose(), &plaintext[..]);
        }
    }
}
