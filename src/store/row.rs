//! What the tables share: JSON in text columns, places in lists, counts, texts that are looked for.

use diesel::sql_types::{Nullable, Text};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error as ThisError;

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

/// A column holds bytes of another length than it must.
#[derive(Clone, Copy, Debug, ThisError)]
#[error("has the wrong length")]
pub(super) struct WrongLength;

/// A column is empty that must not be, beside what another column says.
#[derive(Clone, Copy, Debug, ThisError)]
#[error("is missing")]
pub(super) struct Missing;

diesel::define_sql_function! {
    /// Lower case; of SQLite for ASCII alone.
    fn lower(text: Text) -> Text;
}

diesel::define_sql_function! {
    /// The same of a text that may be absent.
    #[sql_name = "lower"]
    fn lower_or_null(text: Nullable<Text>) -> Nullable<Text>;
}

/// A pattern for `LIKE … ESCAPE '!'` on lower-case text that holds this text.
pub(super) fn like(text: &str) -> String {
    let escaped = text.chars().flat_map(|letter| {
        matches!(letter, '!' | '%' | '_')
            .then_some('!')
            .into_iter()
            .chain([letter.to_ascii_lowercase()])
    });
    format!("%{}%", escaped.collect::<String>())
}
