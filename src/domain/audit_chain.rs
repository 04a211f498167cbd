//! How the rows of the audit trail hold together: each is sealed over the one before it, with a secret of ours.
//!
//! A seal is a keyed BLAKE3 hash. Whoever can write to the database and has no audit secret can neither change a row, nor put one in, nor
//! leave one out, without a seal that does not fit any more. What is hashed is the text that is stored, length by length, so no two
//! rows give the same input.

use std::fmt;

use zeroize::Zeroizing;

// Changing a context changes the key: no trail from before could be verified.
const CONTEXT: &str = "kagiya 2026-11-28 audit secret: seals of the trail";
const FIRST_CONTEXT: &str = "kagiya 2026-11-28 audit trail: beginning of a chain";
const ROW: &str = "row";
const LINK: &str = "link";

/// Bytes of the part of a seal that tells a row that was changed from one that stands in another's place.
const OWN_LENGTH: usize = 8;

/// One generation of the secret that the trail is sealed with.
pub struct AuditSecret {
    generation: i32,
    key: Zeroizing<[u8; 32]>,
}

/// What all rows of a chain up to one come down to. Not secret; compared with `==`, since nobody is answered by it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Link([u8; 32]);

/// What is stored of a row's place in the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// This row and all before it.
    pub link: Link,
    /// This row alone, wherever it stands.
    pub own: [u8; OWN_LENGTH],
}

/// Something that is hashed.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// A text.
    Text(&'a str),
    /// A number, or a moment in microseconds.
    Number(i64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// No value.
    Absent,
}

/// Where a row stands: the number of its chain, and its own in it, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The chain.
    pub chain: i64,
    /// The row.
    pub row: i64,
}

impl AuditSecret {
    /// Takes a 256-bit secret and its number.
    pub fn new(generation: i32, secret: &[u8; 32]) -> Self {
        Self {
            generation,
            key: Zeroizing::new(blake3::derive_key(CONTEXT, secret)),
        }
    }

    /// Its number.
    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// The seal of what is stored of a row, behind the row whose link is `before`.
    pub fn seal(&self, before: &Link, position: Position, row: &[Part<'_>]) -> Seal {
        let content = self.mac(ROW, row);
        let link = [
            Part::Bytes(&before.0),
            Part::Number(position.chain),
            Part::Number(position.row),
            Part::Bytes(&content.0),
        ];
        let mut own = [0; OWN_LENGTH];
        own.copy_from_slice(&content.0[..OWN_LENGTH]);
        Seal {
            link: self.mac(LINK, &link),
            own,
        }
    }

    /// The keyed hash of a record of the trail; `what` says which kind, so that none passes for another.
    pub fn mac(&self, what: &str, parts: &[Part<'_>]) -> Link {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        update(&mut hasher, Part::Text(what));
        for part in parts {
            update(&mut hasher, *part);
        }
        Link(*hasher.finalize().as_bytes())
    }
}

fn update(hasher: &mut blake3::Hasher, part: Part<'_>) {
    let (kind, bytes) = match part {
        Part::Text(text) => (1, text.as_bytes()),
        Part::Bytes(bytes) => (2, bytes),
        Part::Number(number) => {
            hasher.update(&[3]).update(&number.to_le_bytes());
            return;
        }
        Part::Absent => {
            hasher.update(&[4]);
            return;
        }
    };
    hasher
        .update(&[kind])
        .update(&(bytes.len() as u64).to_le_bytes())
        .update(bytes);
}

impl fmt::Debug for AuditSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditSecret")
    }
}

impl<'a> From<&'a str> for Part<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Part<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Part<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl<'a> From<&'a Vec<u8>> for Part<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a, T> From<Option<T>> for Part<'a>
where
    T: Into<Part<'a>>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}

impl Link {
    /// What the first row of a chain is sealed over. No secret is in it: that row's seal has one.
    pub fn first(parts: &[Part<'_>]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(FIRST_CONTEXT);
        for part in parts {
            update(&mut hasher, *part);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// A link as stored.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Link {
    type Err = ParseLinkError;

    fn from_str(text: &str) -> Result<Self, ParseLinkError> {
        blake3::Hash::from_hex(text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| ParseLinkError)
    }
}

/// How far a chain was at some moment, written down where whoever writes to the database does not reach: `CHAIN:ROWS:LINK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The chain and its last row.
    pub position: Position,
    /// The link of that row.
    pub link: Link,
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { chain, row } = self.position;
        write!(f, "{chain}:{row}:{}", self.link)
    }
}

/// The text is no anchor.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an anchor, which is CHAIN:ROWS:LINK as kagiya logged or printed it")]
pub struct ParseAnchorError;

impl std::str::FromStr for Anchor {
    type Err = ParseAnchorError;

    fn from_str(text: &str) -> Result<Self, ParseAnchorError> {
        let mut parts = text.splitn(3, ':');
        let mut number = || parts.next().and_then(|part| part.parse().ok());
        let position = number().zip(number());
        let link = parts.next().and_then(|part| part.parse().ok());
        let ((chain, row), link) = position.zip(link).ok_or(ParseAnchorError)?;
        Ok(Self {
            position: Position { chain, row },
            link,
        })
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not 64 hexadecimal digits")]
pub struct ParseLinkError;

impl Seal {
    /// A seal as stored.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (link, own) = bytes.split_at_checked(32)?;
        Some(Self {
            link: Link::read(link)?,
            own: own.try_into().ok()?,
        })
    }

    /// The bytes to store.
    pub fn to_bytes(self) -> Vec<u8> {
        [&self.link.0[..], &self.own].concat()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {} of chain {}", self.row, self.chain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = *b"0123456789abcdef0123456789abcdef";

    fn seal(before: &Link, row: i64, parts: &[Part<'_>]) -> Seal {
        AuditSecret::new(0, &SECRET).seal(before, Position { chain: 1, row }, parts)
    }

    #[test]
    fn the_known_answer_stays_as_it_is() {
        let before = Link([7; 32]);
        let parts = [
            Part::Text("evt_a"),
            Part::Number(-1),
            Part::Absent,
            Part::Bytes(&[0, 1]),
        ];
        let seal = seal(&before, 3, &parts);
        assert_eq!(seal.link.to_string(), KNOWN_LINK);
        assert_eq!(seal.own, KNOWN_OWN);
        assert_eq!(Seal::read(&seal.to_bytes()), Some(seal));
        assert_eq!(KNOWN_LINK.parse(), Ok(seal.link));
    }

    // Made by another implementation of BLAKE3.
    const KNOWN_LINK: &str = "0d0de0040842df5f46ae2fe5ce17507cf3a0072d2ffdbe61e29bf0ec39bddd5c";
    const KNOWN_OWN: [u8; 8] = [130, 0, 47, 123, 244, 58, 196, 23];

    #[test]
    fn every_part_of_a_row_and_of_its_place_counts() {
        let before = Link([7; 32]);
        let row = [Part::Text("ab"), Part::Text("c"), Part::Absent];
        let first = seal(&before, 1, &row);
        let others = [
            seal(&Link([8; 32]), 1, &row),
            seal(&before, 2, &row),
            seal(
                &before,
                1,
                &[Part::Text("a"), Part::Text("bc"), Part::Absent],
            ),
            seal(&before, 1, &[Part::Text("ab"), Part::Text("c")]),
            seal(
                &before,
                1,
                &[Part::Text("ab"), Part::Bytes(b"c"), Part::Absent],
            ),
            seal(
                &before,
                1,
                &[Part::Text("ab"), Part::Text("c"), Part::Text("")],
            ),
            AuditSecret::new(0, &[1; 32]).seal(&before, Position { chain: 1, row: 1 }, &row),
            AuditSecret::new(0, &SECRET).seal(&before, Position { chain: 2, row: 1 }, &row),
        ];
        assert!(others.iter().all(|other| other.link != first.link));
        // In another place it is still the same row.
        assert_eq!(others[1].own, first.own);
        assert_ne!(others[2].own, first.own);
    }

    #[test]
    fn what_is_stored_by_halves_is_no_seal() {
        assert_eq!(Seal::read(&[0; 39]), None);
        assert_eq!(Seal::read(&[0; 41]), None);
        assert_eq!(Seal::read(&[]), None);
        assert_eq!(Link::read(&[0; 31]), None);
        assert_eq!("00".parse::<Link>(), Err(ParseLinkError));
    }

    #[test]
    fn an_anchor_is_read_as_it_was_written() {
        let text = format!("3:120:{}", "0f".repeat(32));
        let anchor: Anchor = text.parse().unwrap();
        assert_eq!(anchor.position, Position { chain: 3, row: 120 });
        assert_eq!(anchor.to_string(), text);
        for wrong in ["", "3", "3:120", "3:120:", "3:x:00", "3:120:0f", ":::"] {
            assert_eq!(wrong.parse::<Anchor>(), Err(ParseAnchorError));
        }
    }
}
