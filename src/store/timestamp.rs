//! Moments as both databases keep them: microseconds since 1970 in UTC, in a column of 64 bits.
//!
//! PostgreSQL's own type would need a second one for SQLite; a number sorts, compares and round-trips the same in both.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::BigInt;

/// A moment in a column. Finer parts than a microsecond are cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = BigInt)]
pub struct Timestamp {
    microseconds: i64,
    moment: jiff::Timestamp,
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(moment: jiff::Timestamp) -> Self {
        let microseconds = moment.as_microsecond();
        // A number of microseconds that came from a moment is one that makes a moment.
        Self {
            microseconds,
            moment: jiff::Timestamp::from_microsecond(microseconds).unwrap_or(moment),
        }
    }
}

impl From<Timestamp> for jiff::Timestamp {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.moment
    }
}

impl<DB> ToSql<BigInt, DB> for Timestamp
where
    DB: Backend,
    i64: ToSql<BigInt, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.microseconds.to_sql(out)
    }
}

impl<DB> FromSql<BigInt, DB> for Timestamp
where
    DB: Backend,
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        let microseconds = i64::from_sql(value)?;
        Ok(Self {
            microseconds,
            moment: jiff::Timestamp::from_microsecond(microseconds)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_cut_to_the_microsecond_that_the_column_keeps() {
        let moment: jiff::Timestamp = "2026-11-22T01:02:03.123456789Z".parse().unwrap();
        let kept = jiff::Timestamp::from(Timestamp::from(moment));
        assert_eq!(kept.to_string(), "2026-11-22T01:02:03.123456Z");
    }
}
