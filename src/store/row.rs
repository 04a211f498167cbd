//! What the tables share: JSON in text columns, places in lists, counts.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;

/// Where a row stands in a list that is sorted newest first: the next page begins behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// When the row was created.
    pub at: jiff::Timestamp,
    /// Its id, which decides between rows of the same moment.
    pub id: String,
}

/// A value as text. Every type that is stored so has text for keys, so it always can be written.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A stored text as a value.
pub(super) fn parse_json<T: DeserializeOwned>(text: &str, place: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::corrupt(place, error))
}

/// A number of rows as the databases count them.
pub(super) fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
