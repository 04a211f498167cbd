//! Where lists go on: places in an address, and the links to the pages before and behind.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::fields::Fields;
use super::language::{Text, Words};
use super::view::{Field, Filter, Pager};
use crate::broker::overview::{Side, SortValue, SortedPlace};
use crate::domain::text;
use crate::http::page::Cursor;
use crate::store::Place;

/// Rows of a page.
pub const ROWS: usize = 25;

/// An address of a list, made of its path and what narrows it.
pub struct Address<'a> {
    path: &'a str,
    narrowed: Vec<(&'static str, String)>,
}

impl<'a> Address<'a> {
    /// The list at this path, narrowed by those of `names` that the query gives.
    pub fn new(path: &'a str, query: &Fields, names: &[&'static str]) -> Self {
        let given = |name: &&'static str| Some((*name, query.given(name)?.to_owned()));
        Self {
            path,
            narrowed: names.iter().filter_map(given).collect(),
        }
    }

    /// Whether anything narrows it.
    pub fn is_narrowed(&self) -> bool {
        !self.narrowed.is_empty()
    }

    /// With one more parameter.
    pub fn with(&self, name: &str, value: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.narrowed);
        query.append_pair(name, value);
        format!("{}?{}", self.path, query.finish())
    }

    /// With nothing that narrows it.
    pub fn bare(&self) -> String {
        self.path.to_owned()
    }
}

/// Which page of a sorted list a query asks for; what cannot be read is the first.
pub fn side(query: &Fields) -> Side {
    if let Some(place) = query.given("after").and_then(sorted_place) {
        return Side::After(place);
    }
    match query.given("before").and_then(sorted_place) {
        Some(place) => Side::Before(place),
        None => Side::First,
    }
}

/// A place of a sorted list as an address has it.
pub fn sorted_text(place: &SortedPlace) -> String {
    let (kind, value) = match &place.value {
        SortValue::Number(number) => ("n", number.to_string()),
        SortValue::Text(text) => ("t", text.clone()),
    };
    URL_SAFE_NO_PAD.encode(format!("{kind}\n{}\n{value}", place.id))
}

fn sorted_place(text: &str) -> Option<SortedPlace> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let mut parts = text.splitn(3, '\n');
    let (kind, id, value) = (parts.next()?, parts.next()?, parts.next()?);
    let value = match kind {
        "n" => SortValue::Number(value.parse().ok()?),
        "t" => SortValue::Text(value.to_owned()),
        _ => return None,
    };
    let plain = id.len() <= 64
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    plain.then(|| SortedPlace {
        value,
        id: id.to_owned(),
    })
}

/// The place behind which a page of a list begins, newest first.
pub fn after(query: &Fields) -> Option<Place> {
    let cursor: Cursor = query.given("after")?.parse().ok()?;
    Some(cursor.into())
}

/// Cuts the row too many off, by which it is known that there are more, and makes the link to them.
pub fn cut<T>(
    words: Words,
    rows: &mut Vec<T>,
    address: &Address<'_>,
    place: impl Fn(&T) -> (jiff::Timestamp, String),
) -> Pager {
    let more = rows.len() > ROWS;
    rows.truncate(ROWS);
    let older = rows.last().filter(|_| more).map(|row| {
        let (created_at, id) = place(row);
        address.with("after", &Cursor { created_at, id }.to_string())
    });
    Pager {
        count: None,
        newer: None,
        older,
        labels: Some(labels(words)),
    }
}

/// What a query looks for in names; nothing where it looks for none, or for what no name can be.
pub fn sought(query: &Fields) -> Option<String> {
    query.given("q").and_then(|text| text::name(text).ok())
}

/// A field that looks for names, above a list that nothing else narrows.
pub fn search(words: Words, address: &Address<'_>, query: &Fields) -> Filter {
    Filter {
        action: address.bare(),
        fields: vec![Field::text("q", words.t("search")).value(query.text("q"))],
        submit: words.t("filter"),
        clear: address
            .is_narrowed()
            .then(|| (words.t("filter-clear"), address.bare())),
    }
}

/// What the two links say.
pub fn labels(words: Words) -> (Text, Text) {
    (words.t("newer"), words.t("older"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_an_address() {
        for value in [
            SortValue::Number(-5),
            SortValue::Text("倉庫\nの鍵".to_owned()),
        ] {
            let place = SortedPlace {
                value,
                id: "key_abc".to_owned(),
            };
            assert_eq!(sorted_place(&sorted_text(&place)), Some(place));
        }
        for bad in ["", "x", "bgo", "bgphCjE/"] {
            assert_eq!(sorted_place(bad), None, "{bad}");
        }
    }
}
