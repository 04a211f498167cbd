//! The last refusals of keys that passed both proofs, written in batches and never on a request's way.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::schema::{api_keys, key_refusals};
use super::{Connection, Error, Timestamp};
use crate::domain::id::KeyId;
use crate::domain::refusal::KeyRefusal;

/// How many of a key are kept.
pub const KEPT: i64 = 20;

type Columns = (
    Timestamp,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// Adds refusals and forgets what is older than the last few of each key; keys that are gone are passed over.
pub fn add(connection: &mut Connection, refusals: &[KeyRefusal]) -> Result<(), Error> {
    let mut by_key: BTreeMap<KeyId, Vec<&KeyRefusal>> = BTreeMap::new();
    for refusal in refusals {
        by_key.entry(refusal.key_id).or_default().push(refusal);
    }
    for (key, refusals) in by_key {
        let there = api_keys::table.find(key.as_str());
        if !diesel::select(diesel::dsl::exists(there)).get_result(connection)? {
            continue;
        }
        let highest: Option<i32> = key_refusals::table
            .filter(key_refusals::key_id.eq(key.as_str()))
            .select(diesel::dsl::max(key_refusals::number))
            .first(connection)?;
        let mut number = highest.unwrap_or(0);
        for refusal in refusals {
            // Wraps after two thousand million; the moment decides the order.
            number = number.checked_add(1).unwrap_or(1);
            diesel::insert_into(key_refusals::table)
                .values((
                    key_refusals::key_id.eq(key.as_str()),
                    key_refusals::at.eq(Timestamp::from(refusal.at)),
                    key_refusals::number.eq(number),
                    key_refusals::reason.eq(&refusal.reason),
                    key_refusals::resource.eq(&refusal.resource),
                    key_refusals::scope.eq(&refusal.scope),
                    key_refusals::address.eq(refusal.address.map(|address| address.to_string())),
                ))
                .execute(connection)?;
        }
        let oldest_kept: Option<Timestamp> = key_refusals::table
            .filter(key_refusals::key_id.eq(key.as_str()))
            .order((key_refusals::at.desc(), key_refusals::number.desc()))
            .offset(KEPT - 1)
            .select(key_refusals::at)
            .first(connection)
            .optional()?;
        if let Some(oldest) = oldest_kept {
            let old = key_refusals::table
                .filter(key_refusals::key_id.eq(key.as_str()))
                .filter(key_refusals::at.lt(oldest));
            diesel::delete(old).execute(connection)?;
        }
    }
    Ok(())
}

/// The last refusals of a key, newest first.
pub fn of_key(connection: &mut Connection, key: &KeyId) -> Result<Vec<KeyRefusal>, Error> {
    let rows: Vec<Columns> = key_refusals::table
        .filter(key_refusals::key_id.eq(key.as_str()))
        .order((key_refusals::at.desc(), key_refusals::number.desc()))
        .limit(KEPT)
        .select((
            key_refusals::at,
            key_refusals::reason,
            key_refusals::resource,
            key_refusals::scope,
            key_refusals::address,
        ))
        .load(connection)?;
    rows.into_iter()
        .map(|(at, reason, resource, scope, address)| {
            let address = address.map(|text| text.parse()).transpose();
            Ok(KeyRefusal {
                key_id: *key,
                at: at.into(),
                reason,
                resource,
                scope,
                address: address.map_err(|error| Error::corrupt("key_refusals.address", error))?,
            })
        })
        .collect()
}
