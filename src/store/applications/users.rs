//! Who refers to an application: keys and other applications for which it may act, and the exchange rules of which it has the use.

use diesel::prelude::*;

use crate::domain::id::ApplicationId;
use crate::store::schema::{api_keys, applications, exchange_rules};
use crate::store::{Connection, Error};

/// In words, at most `limit` of each kind.
pub fn of(
    connection: &mut Connection,
    id: &ApplicationId,
    limit: usize,
) -> Result<Vec<String>, Error> {
    let limit = crate::store::count(limit);
    let keys: Vec<String> = api_keys::table
        .filter(api_keys::may_act_id.eq(id.as_str()))
        .filter(api_keys::revoked_at.is_null())
        .select(api_keys::id)
        .order(api_keys::id)
        .limit(limit)
        .load(connection)?;
    let others: Vec<String> = applications::table
        .filter(applications::may_act_id.eq(id.as_str()))
        .select(applications::id)
        .order(applications::id)
        .limit(limit)
        .load(connection)?;
    let rules: Vec<String> = exchange_rules::table
        .filter(exchange_rules::application_id.eq(id.as_str()))
        .select(exchange_rules::id)
        .order(exchange_rules::id)
        .limit(limit)
        .load(connection)?;
    let may_act = |user: String| format!("may_act of {user}");
    let acts = keys.into_iter().chain(others).map(may_act);
    Ok(acts.chain(rules).collect())
}
