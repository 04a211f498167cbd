//! When keys were last used and how often: written in batches, never on a request's way.

use std::collections::HashSet;

use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::connection::each;
use super::schema::{api_keys, key_usage};
use super::{Connection, Error, Timestamp};
use crate::domain::id::KeyId;

/// What is added to a key's figures.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// The key.
    pub key_id: KeyId,
    /// When it was last traded.
    pub last_used_at: jiff::Timestamp,
    /// Trades since the last time this was written.
    pub exchanges: i64,
    /// Refusals since then, after both proofs.
    pub refusals: i64,
}

/// Adds up the figures; keys that are gone are passed over. At most some hundred at a time.
pub fn add(connection: &mut Connection, usages: &[Usage]) -> Result<(), Error> {
    let ids: Vec<&str> = usages.iter().map(|usage| usage.key_id.as_str()).collect();
    let there: HashSet<String> = api_keys::table
        .filter(api_keys::id.eq_any(ids))
        .select(api_keys::id)
        .load(connection)?
        .into_iter()
        .collect();
    for usage in usages
        .iter()
        .filter(|usage| there.contains(usage.key_id.as_str()))
    {
        let row = (
            key_usage::key_id.eq(usage.key_id.as_str()),
            key_usage::last_used_at.eq(Timestamp::from(usage.last_used_at)),
            key_usage::exchanges.eq(usage.exchanges),
            key_usage::refusals.eq(usage.refusals),
        );
        // ON CONFLICT is not portable through the enum of both connections, so it is compiled for each.
        let added = each!(connection, |inner| diesel::insert_into(key_usage::table)
            .values(row)
            .on_conflict(key_usage::key_id)
            .do_update()
            .set((
                // A batch that comes late, such as one that failed before, must not put the last use back.
                key_usage::last_used_at.eq(case_when(
                    excluded(key_usage::last_used_at).gt(key_usage::last_used_at),
                    excluded(key_usage::last_used_at)
                )
                .otherwise(key_usage::last_used_at)),
                key_usage::exchanges.eq(key_usage::exchanges + excluded(key_usage::exchanges)),
                key_usage::refusals.eq(key_usage::refusals + excluded(key_usage::refusals)),
            ))
            .execute(inner));
        added?;
    }
    Ok(())
}
