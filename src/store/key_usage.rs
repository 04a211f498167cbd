//! When keys were last used, and how often by day, resource and scope: written in batches, never on a request's way.

use std::collections::HashSet;

use diesel::dsl::{case_when, sql};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::upsert::excluded;

use super::connection::each;
use super::schema::{api_keys, key_usage, usage_daily};
use super::{Connection, Error, Place, Timestamp};
use crate::domain::id::{KeyId, OrganizationId};

/// Sums of whole numbers as whole numbers: PostgreSQL's own sum of them is a decimal, which the two databases do not share.
const EXCHANGES: &str = "CAST(SUM(usage_daily.exchanges) AS BIGINT)";
const REFUSALS: &str = "CAST(SUM(usage_daily.refusals) AS BIGINT)";
/// Seconds of a day.
const DAY: i64 = 86_400;

/// When a key was last traded.
#[derive(Clone, Copy, Debug)]
pub struct LastUse {
    /// The key.
    pub key_id: KeyId,
    /// When.
    pub at: jiff::Timestamp,
}

/// What is added to the figures of a key on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyUse {
    /// The key.
    pub key_id: KeyId,
    /// The day: how many lie between it and 1970-01-01, in UTC.
    pub day: i64,
    /// The identifier of the resource; `None` where none that the key can have was meant.
    pub resource: Option<String>,
    /// What was granted there; `None` for refusals, and where too many different ones came to be told apart.
    pub scope: Option<String>,
    /// Trades.
    pub exchanges: i64,
    /// Refusals after both proofs.
    pub refusals: i64,
}

impl DailyUse {
    /// A digest of resource and scope: the place of the row within its day.
    pub fn target(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for text in [&self.resource, &self.scope] {
            // No text holds a byte of 0 or 1, so no two pairs read alike.
            hasher.update(text.as_deref().unwrap_or("\u{1}").as_bytes());
            hasher.update(&[0]);
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }

    /// The moment at which the day begins.
    pub fn date(&self) -> jiff::Timestamp {
        start_of(self.day)
    }
}

/// The moment at which a day begins that is counted as [`DailyUse::day`].
pub fn start_of(day: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(day.saturating_mul(DAY)).unwrap_or_default()
}

/// The day of a moment, as [`DailyUse::day`] counts.
pub fn day_of(moment: jiff::Timestamp) -> i64 {
    moment.as_second().div_euclid(DAY)
}

/// Notes when keys were last used; keys that are gone are passed over, and no last use goes back. At most some hundred at a time.
pub fn note(connection: &mut Connection, uses: &[LastUse]) -> Result<(), Error> {
    let there = those_there(connection, uses.iter().map(|one| &one.key_id))?;
    for one in uses
        .iter()
        .filter(|one| there.contains(one.key_id.as_str()))
    {
        let row = (
            key_usage::key_id.eq(one.key_id.as_str()),
            key_usage::last_used_at.eq(Timestamp::from(one.at)),
        );
        // A batch that comes late, such as one that failed before, must not put the last use back.
        let latest = case_when(
            excluded(key_usage::last_used_at).gt(key_usage::last_used_at),
            excluded(key_usage::last_used_at),
        )
        .otherwise(key_usage::last_used_at);
        // ON CONFLICT is not portable through the enum of both connections, so it is compiled for each.
        let noted = each!(connection, |inner| diesel::insert_into(key_usage::table)
            .values(row)
            .on_conflict(key_usage::key_id)
            .do_update()
            .set(key_usage::last_used_at.eq(latest))
            .execute(inner));
        noted?;
    }
    Ok(())
}

/// Adds to the figures of days; keys that are gone are passed over. At most some hundred at a time.
pub fn add(connection: &mut Connection, uses: &[DailyUse]) -> Result<(), Error> {
    let there = those_there(connection, uses.iter().map(|one| &one.key_id))?;
    for one in uses
        .iter()
        .filter(|one| there.contains(one.key_id.as_str()))
    {
        let row = (
            usage_daily::key_id.eq(one.key_id.as_str()),
            usage_daily::day.eq(one.day),
            usage_daily::target.eq(one.target()),
            usage_daily::resource.eq(one.resource.as_deref()),
            usage_daily::scope.eq(one.scope.as_deref()),
            usage_daily::exchanges.eq(one.exchanges),
            usage_daily::refusals.eq(one.refusals),
        );
        let added = each!(connection, |inner| diesel::insert_into(usage_daily::table)
            .values(row)
            .on_conflict((usage_daily::key_id, usage_daily::day, usage_daily::target))
            .do_update()
            .set((
                usage_daily::exchanges
                    .eq(usage_daily::exchanges + excluded(usage_daily::exchanges)),
                usage_daily::refusals.eq(usage_daily::refusals + excluded(usage_daily::refusals)),
            ))
            .execute(inner));
        added?;
    }
    Ok(())
}

/// What a row of a list is read from: day, resource, scope, exchanges, refusals.
type Columns = (i64, Option<String>, Option<String>, i64, i64);

/// A page of the figures of a key, the newest day first.
pub fn list(
    connection: &mut Connection,
    key: &KeyId,
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<DailyUse>, Error> {
    let mut query = usage_daily::table
        .filter(usage_daily::key_id.eq(key.as_str()))
        .order((usage_daily::day.desc(), usage_daily::target.desc()))
        .limit(super::count(limit))
        .select((
            usage_daily::day,
            usage_daily::resource,
            usage_daily::scope,
            usage_daily::exchanges,
            usage_daily::refusals,
        ))
        .into_boxed();
    if let Some(Place { at, id }) = after {
        let day = day_of(*at);
        query = query.filter(
            usage_daily::day
                .lt(day)
                .or(usage_daily::day.eq(day).and(usage_daily::target.lt(id))),
        );
    }
    let rows: Vec<Columns> = query.load(connection)?;
    let use_of = |(day, resource, scope, exchanges, refusals): Columns| DailyUse {
        key_id: *key,
        day,
        resource,
        scope,
        exchanges,
        refusals,
    };
    Ok(rows.into_iter().map(use_of).collect())
}

/// What was counted on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayCount {
    /// The day, as [`DailyUse::day`] counts.
    pub day: i64,
    /// Trades.
    pub exchanges: i64,
    /// Refusals after both proofs.
    pub refusals: i64,
}

/// The figures of a key by day, from `since` on, the oldest first; days without use are left out.
pub fn by_day(
    connection: &mut Connection,
    key: &KeyId,
    since: i64,
) -> Result<Vec<DayCount>, Error> {
    let rows: Vec<(i64, i64, i64)> = usage_daily::table
        .filter(usage_daily::key_id.eq(key.as_str()))
        .filter(usage_daily::day.ge(since))
        .order(usage_daily::day)
        .select((
            usage_daily::day,
            usage_daily::exchanges,
            usage_daily::refusals,
        ))
        .load(connection)?;
    Ok(summed(rows))
}

/// The same of all keys of an organization, or of the deployment.
pub fn total_by_day(
    connection: &mut Connection,
    organizations: Option<&[OrganizationId]>,
    since: i64,
) -> Result<Vec<DayCount>, Error> {
    let mut query = usage_daily::table
        .inner_join(api_keys::table)
        .filter(usage_daily::day.ge(since))
        .group_by(usage_daily::day)
        .select((
            usage_daily::day,
            sql::<BigInt>(EXCHANGES),
            sql::<BigInt>(REFUSALS),
        ))
        .order(usage_daily::day)
        .into_boxed();
    if let Some(organizations) = organizations {
        let ids: Vec<&str> = organizations.iter().map(OrganizationId::as_str).collect();
        query = query.filter(api_keys::organization_id.eq_any(ids));
    }
    let rows: Vec<(i64, i64, i64)> = query.load(connection)?;
    Ok(summed(rows))
}

/// The keys that were traded most since a day, with how often, the busiest first.
pub fn busiest(
    connection: &mut Connection,
    organizations: Option<&[OrganizationId]>,
    since: i64,
    limit: usize,
) -> Result<Vec<(KeyId, i64, i64)>, Error> {
    let mut query = usage_daily::table
        .inner_join(api_keys::table)
        .filter(usage_daily::day.ge(since))
        .group_by(usage_daily::key_id)
        .select((
            usage_daily::key_id,
            sql::<BigInt>(EXCHANGES),
            sql::<BigInt>(REFUSALS),
        ))
        .order((sql::<BigInt>(EXCHANGES).desc(), usage_daily::key_id))
        .limit(super::count(limit))
        .into_boxed();
    if let Some(organizations) = organizations {
        let ids: Vec<&str> = organizations.iter().map(OrganizationId::as_str).collect();
        query = query.filter(api_keys::organization_id.eq_any(ids));
    }
    let rows: Vec<(String, i64, i64)> = query.load(connection)?;
    rows.into_iter()
        .map(|(id, exchanges, refusals)| {
            let id = id
                .parse()
                .map_err(|error| Error::corrupt("usage_daily.key_id", error))?;
            Ok((id, exchanges, refusals))
        })
        .collect()
}

/// What these keys were ever traded for, as far as that was kept: key, resource, and the scopes of a trade.
pub fn targets(
    connection: &mut Connection,
    keys: &[&str],
) -> Result<Vec<(String, String, String)>, Error> {
    let rows: Vec<(String, Option<String>, Option<String>)> = usage_daily::table
        .filter(usage_daily::key_id.eq_any(keys.to_vec()))
        .filter(usage_daily::exchanges.gt(0))
        .select((
            usage_daily::key_id,
            usage_daily::resource,
            usage_daily::scope,
        ))
        .distinct()
        .load(connection)?;
    // Where scopes were not told apart any more, nobody can say what was used: the empty text stands for everything.
    Ok(rows
        .into_iter()
        .filter_map(|(key, resource, scope)| Some((key, resource?, scope.unwrap_or_default())))
        .collect())
}

/// One row a day.
fn summed(rows: Vec<(i64, i64, i64)>) -> Vec<DayCount> {
    let mut days: Vec<DayCount> = Vec::new();
    for (day, exchanges, refusals) in rows {
        match days.last_mut() {
            Some(last) if last.day == day => {
                last.exchanges += exchanges;
                last.refusals += refusals;
            }
            _ => days.push(DayCount {
                day,
                exchanges,
                refusals,
            }),
        }
    }
    days
}

/// Forgets the figures of days before `day`, at most `limit` rows at a time; how many that were.
pub fn forget_before(connection: &mut Connection, day: i64, limit: usize) -> Result<usize, Error> {
    // Numbers of ours; the query builder has no limit for a deletion and no list of several columns.
    let statement = format!(
        "DELETE FROM usage_daily WHERE (key_id, day, target) IN \
         (SELECT key_id, day, target FROM usage_daily WHERE day < {day} LIMIT {limit})"
    );
    Ok(diesel::sql_query(statement).execute(connection)?)
}

fn those_there<'a>(
    connection: &mut Connection,
    keys: impl Iterator<Item = &'a KeyId>,
) -> Result<HashSet<String>, Error> {
    let ids: HashSet<&str> = keys.map(KeyId::as_str).collect();
    let there: Vec<String> = api_keys::table
        .filter(api_keys::id.eq_any(ids.into_iter().collect::<Vec<_>>()))
        .select(api_keys::id)
        .load(connection)?;
    Ok(there.into_iter().collect())
}
