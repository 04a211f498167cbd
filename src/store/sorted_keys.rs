//! Lists of keys for people: sorted as they like, forwards and backwards, and narrowed to those that need attention.
//!
//! The order is total (the id decides between equals), so pages neither repeat nor lose a key while others are added.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};

use super::api_keys::{Filter, StoredKey, filtered, of_ids};
use super::row::lower;
use super::schema::api_keys;
use super::{Connection, Error, Timestamp};

/// How a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyOrder {
    /// The newest first.
    #[default]
    Newest,
    /// By name.
    Name,
    /// The one used last first; those never used at the end.
    LastUsed,
    /// The one that expires first first; those that never do at the end.
    Expiry,
}

/// What sorts a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortValue {
    /// A moment, in microseconds.
    Number(i64),
    /// A name in lower case.
    Text(String),
}

/// Where a row stands in a sorted list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedPlace {
    /// What sorts it.
    pub value: SortValue,
    /// Its id, which decides between equals.
    pub id: String,
}

/// Which page of a sorted list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first.
    First,
    /// What follows this row.
    After(SortedPlace),
    /// What stands before this row.
    Before(SortedPlace),
}

/// Why a key needs attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// It was never used, and is older than this moment.
    NeverUsed(jiff::Timestamp),
    /// It was used, and last before this moment.
    IdleSince(jiff::Timestamp),
    /// It never expires.
    NeverExpires,
    /// It was used at all: what it used may be less than what it may.
    Used,
}

/// A moment when it was last used; 0 for never.
const LAST_USED: &str = "COALESCE((SELECT key_usage.last_used_at FROM key_usage WHERE key_usage.key_id = api_keys.id), 0)";
/// When it expires; the end of time for never.
const EXPIRY: &str = "COALESCE(api_keys.expires_at, 9223372036854775807)";
const WAS_USED: &str = "EXISTS (SELECT 1 FROM key_usage WHERE key_usage.key_id = api_keys.id)";
const WAS_NOT_USED: &str =
    "NOT EXISTS (SELECT 1 FROM key_usage WHERE key_usage.key_id = api_keys.id)";

/// One page, in its order, with the place of each row; `limit` rows from the side that is asked for.
pub fn page(
    connection: &mut Connection,
    (filter, attention): (&Filter, Option<Attention>),
    order: KeyOrder,
    side: &Side,
    limit: usize,
) -> Result<Vec<(SortedPlace, StoredKey)>, Error> {
    let backwards = matches!(side, Side::Before(_));
    // The direction in which rows are read: that of the order, or the other one for what stands before a row.
    macro_rules! rows {
        ($value:expr, $descending:expr, $variant:ident, $type:ty) => {{
            let falling = $descending != backwards;
            let mut query = narrowed(filter, attention);
            if let Side::After(place) | Side::Before(place) = side {
                let SortValue::$variant(at) = place.value.clone() else {
                    // A place in another order: it is nowhere in this one.
                    return Ok(Vec::new());
                };
                let id = place.id.clone();
                query = if falling {
                    query.filter(
                        $value
                            .lt(at.clone())
                            .or($value.eq(at).and(api_keys::id.lt(id))),
                    )
                } else {
                    query.filter(
                        $value
                            .gt(at.clone())
                            .or($value.eq(at).and(api_keys::id.gt(id))),
                    )
                };
            }
            let query = query
                .select((api_keys::id, $value))
                .limit(super::count(limit));
            let rows: Vec<(String, $type)> = if falling {
                query
                    .order(($value.desc(), api_keys::id.desc()))
                    .load(connection)?
            } else {
                query
                    .order(($value.asc(), api_keys::id.asc()))
                    .load(connection)?
            };
            rows.into_iter()
                .map(|(id, value)| SortedPlace {
                    value: SortValue::$variant(value.into()),
                    id,
                })
                .collect::<Vec<_>>()
        }};
    }
    let mut places = match order {
        KeyOrder::Newest => {
            let mut rows = newest(connection, (filter, attention), side, limit)?;
            if backwards {
                rows.reverse();
            }
            return finished(connection, rows);
        }
        KeyOrder::Name => rows!(lower(api_keys::name), false, Text, String),
        KeyOrder::LastUsed => rows!(sql::<BigInt>(LAST_USED), true, Number, i64),
        KeyOrder::Expiry => rows!(sql::<BigInt>(EXPIRY), false, Number, i64),
    };
    if backwards {
        places.reverse();
    }
    finished(connection, places)
}

/// The order that has an index of its own on a plain column.
fn newest(
    connection: &mut Connection,
    (filter, attention): (&Filter, Option<Attention>),
    side: &Side,
    limit: usize,
) -> Result<Vec<SortedPlace>, Error> {
    let mut query = narrowed(filter, attention);
    let moment = |place: &SortedPlace| match place.value {
        SortValue::Number(at) => jiff::Timestamp::from_microsecond(at)
            .ok()
            .map(Timestamp::from),
        SortValue::Text(_) => None,
    };
    let rising = match side {
        Side::First => false,
        Side::After(place) => {
            let Some(at) = moment(place) else {
                return Ok(Vec::new());
            };
            query = query.filter(
                api_keys::created_at.lt(at).or(api_keys::created_at
                    .eq(at)
                    .and(api_keys::id.lt(place.id.clone()))),
            );
            false
        }
        Side::Before(place) => {
            let Some(at) = moment(place) else {
                return Ok(Vec::new());
            };
            query = query.filter(
                api_keys::created_at.gt(at).or(api_keys::created_at
                    .eq(at)
                    .and(api_keys::id.gt(place.id.clone()))),
            );
            true
        }
    };
    let query = query
        .select((api_keys::id, api_keys::created_at))
        .limit(super::count(limit));
    let rows: Vec<(String, Timestamp)> = if rising {
        query
            .order((api_keys::created_at.asc(), api_keys::id.asc()))
            .load(connection)?
    } else {
        query
            .order((api_keys::created_at.desc(), api_keys::id.desc()))
            .load(connection)?
    };
    let place = |(id, at): (String, Timestamp)| SortedPlace {
        value: SortValue::Number(jiff::Timestamp::from(at).as_microsecond()),
        id,
    };
    Ok(rows.into_iter().map(place).collect())
}

fn finished(
    connection: &mut Connection,
    places: Vec<SortedPlace>,
) -> Result<Vec<(SortedPlace, StoredKey)>, Error> {
    let ids: Vec<String> = places.iter().map(|place| place.id.clone()).collect();
    let keys = of_ids(connection, &ids)?;
    let mut places = places.into_iter();
    let with_place = |key: StoredKey| {
        let place = places.find(|place| place.id == key.key.id.as_str())?;
        Some((place, key))
    };
    Ok(keys.into_iter().filter_map(with_place).collect())
}

/// How many fit, counted up to `most`.
pub fn count_up_to(
    connection: &mut Connection,
    (filter, attention): (&Filter, Option<Attention>),
    most: usize,
) -> Result<usize, Error> {
    let ids: Vec<String> = narrowed(filter, attention)
        .select(api_keys::id)
        .limit(super::count(most))
        .load(connection)?;
    Ok(ids.len())
}

fn narrowed(
    filter: &Filter,
    attention: Option<Attention>,
) -> diesel::helper_types::IntoBoxed<'_, api_keys::table, <Connection as diesel::Connection>::Backend>
{
    let query = filtered(filter);
    match attention {
        None => query,
        Some(Attention::NeverUsed(before)) => query
            .filter(sql::<Bool>(WAS_NOT_USED))
            .filter(api_keys::created_at.lt(Timestamp::from(before))),
        Some(Attention::IdleSince(before)) => query
            .filter(sql::<Bool>(WAS_USED))
            .filter(sql::<BigInt>(LAST_USED).lt(before.as_microsecond())),
        Some(Attention::NeverExpires) => query.filter(api_keys::expires_at.is_null()),
        Some(Attention::Used) => query.filter(sql::<Bool>(WAS_USED)),
    }
}
