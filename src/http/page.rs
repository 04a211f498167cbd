//! Lists in pages: newest first, stable while rows are added.
//!
//! A cursor is the place of the last row shown, its creation time and id, so the next page begins behind it whatever was
//! added before. It is opaque to callers, gives no right (whoever reads a list may read all of it), and has one spelling.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::store::Place;

/// The first byte of a cursor: which form the rest has.
const FORM: u8 = 1;
/// The longest id that a cursor holds.
const MAX_ID: usize = 64;

/// How many rows a page has at most: 1 to 200, 50 where nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    /// The number of rows.
    pub fn rows(self) -> usize {
        usize::from(self.0)
    }

    /// One more than the page holds: whoever asks the store for so many sees whether another page follows.
    pub fn rows_and_one(self) -> usize {
        self.rows() + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limit = String::deserialize(deserializer)?
            .parse()
            .ok()
            .filter(|limit| (1..=200).contains(limit));
        limit
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("must be a number from 1 to 200"))
    }
}

/// The place of a row in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When the row was created; whole microseconds.
    pub created_at: Timestamp,
    /// The row's id, which decides between rows of the same moment.
    pub id: String,
}

/// The text is not a cursor that this server gave out.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be the next_cursor of a page")]
pub struct ParseCursorError;

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, ParseCursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ParseCursorError)?;
        let (form, rest) = bytes.split_first().ok_or(ParseCursorError)?;
        let (time, id) = rest.split_first_chunk::<8>().ok_or(ParseCursorError)?;
        let visible = id.iter().all(u8::is_ascii_graphic);
        if *form != FORM || id.is_empty() || id.len() > MAX_ID || !visible {
            return Err(ParseCursorError);
        }
        let created_at =
            Timestamp::from_microsecond(i64::from_be_bytes(*time)).map_err(|_| ParseCursorError)?;
        let id = String::from_utf8(id.to_vec()).map_err(|_| ParseCursorError)?;
        Ok(Self { created_at, id })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![FORM];
        bytes.extend_from_slice(&self.created_at.as_microsecond().to_be_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl From<Cursor> for Place {
    fn from(cursor: Cursor) -> Self {
        Self {
            at: cursor.created_at,
            id: cursor.id,
        }
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows, newest first.
    pub items: Vec<T>,
    /// Where the next page begins, to be sent as `cursor`; null when this is the last one.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Cuts the page out of up to [`Limit::rows_and_one`] rows; `place` tells where a row stands.
    pub fn cut(mut rows: Vec<T>, limit: Limit, place: impl Fn(&T) -> Cursor) -> Self {
        let more = rows.len() > limit.rows();
        rows.truncate(limit.rows());
        let next_cursor = rows
            .last()
            .filter(|_| more)
            .map(|last| place(last).to_string());
        Self {
            items: rows,
            next_cursor,
        }
    }

    /// The same page, each row turned into what the caller sees.
    pub fn map<U>(self, show: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(show).collect(),
            next_cursor: self.next_cursor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> Cursor {
        Cursor {
            created_at: "2026-01-02T03:04:05.123456Z".parse().unwrap(),
            id: "key_abc".to_owned(),
        }
    }

    #[test]
    fn a_cursor_reads_back() {
        assert_eq!(cursor().to_string().parse::<Cursor>().unwrap(), cursor());
    }

    #[test]
    fn what_is_not_a_cursor_is_refused() {
        let good = cursor().to_string();
        let padded = format!("{good}==");
        let other_form = URL_SAFE_NO_PAD.encode(b"\x02\0\0\0\0\0\0\0\0key_abc");
        let no_id = URL_SAFE_NO_PAD.encode(b"\x01\0\0\0\0\0\0\0\0");
        let control = URL_SAFE_NO_PAD.encode(b"\x01\0\0\0\0\0\0\0\0a\nb");
        let far = URL_SAFE_NO_PAD.encode(b"\x01\x7f\xff\xff\xff\xff\xff\xff\xffa");
        let long = URL_SAFE_NO_PAD.encode([&b"\x01\0\0\0\0\0\0\0\0"[..], &[b'a'; 65]].concat());
        for text in [
            "",
            "!",
            "AQ",
            &good[..6],
            &padded,
            &other_form,
            &no_id,
            &control,
            &far,
            &long,
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(ParseCursorError), "{text}");
        }
    }

    #[test]
    fn a_page_names_the_next_one_only_if_there_is_one() {
        let place = |id: &u32| Cursor {
            created_at: Timestamp::UNIX_EPOCH,
            id: id.to_string(),
        };
        let two = Limit(2);
        let page = Page::cut(vec![3, 2, 1], two, place);
        assert_eq!(
            (page.items, page.next_cursor),
            (vec![3, 2], Some(place(&2).to_string()))
        );
        let page = Page::cut(vec![3, 2], two, place);
        assert_eq!((page.items, page.next_cursor), (vec![3, 2], None));
        let page = Page::cut(Vec::new(), two, place);
        assert_eq!((page.items, page.next_cursor), (vec![], None));
    }
}
