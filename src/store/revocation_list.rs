//! What ended although tokens that stand on it may not have expired: read whole, for those who verify offline.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::schema::{
    api_keys, applications, credentials, exchanged_tokens, organizations, removed_grounds,
    revoked_tokens,
};
use super::{Connection, Error, Timestamp};

/// How many ids go into one statement.
const AT_ONCE: usize = 500;

/// Something that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its id, or the `jti` of a token.
    pub id: String,
    /// When.
    pub at: jiff::Timestamp,
}

/// All that ended and that a token may name which has not expired.
#[derive(Clone, Debug, Default)]
pub struct EndedThings {
    /// Keys: revoked, paused, expired, or of an organization that is paused.
    pub keys: Vec<Ended>,
    /// Generations that were rotated away before their time.
    pub generations: Vec<Ended>,
    /// Applications: removed, paused, or of an organization that is paused.
    pub clients: Vec<Ended>,
    /// Revoked tokens that were not made by a trade that is on record: whatever names one of them as its first is dead.
    pub families: Vec<Ended>,
    /// Revoked tokens, and those on record that were made of something that ended.
    pub tokens: Vec<Ended>,
}

type Row = (String, Timestamp);

fn ended(rows: Vec<Row>) -> impl Iterator<Item = Ended> {
    rows.into_iter().map(|(id, at)| Ended { id, at: at.into() })
}

/// What ended after `since`, as of `now`. `withdrawn`: the signing keys that are not taken any more.
pub fn read(
    connection: &mut Connection,
    since: jiff::Timestamp,
    now: jiff::Timestamp,
    withdrawn: &HashSet<String>,
) -> Result<EndedThings, Error> {
    let (since, now) = (Timestamp::from(since), Timestamp::from(now));
    let mut things = EndedThings {
        keys: keys(connection, since, now)?,
        generations: generations(connection, since)?,
        ..EndedThings::default()
    };
    let mut grounds: HashMap<String, jiff::Timestamp> = HashMap::new();
    let removed: Vec<Row> = removed_grounds::table
        .filter(removed_grounds::expires_at.gt(now))
        .select((removed_grounds::id, removed_grounds::removed_at))
        .load(connection)?;
    let paused = paused_clients(connection, since)?;
    for one in ended(removed).chain(paused) {
        // Exchange rules are removed too, and no token names one.
        if one.id.starts_with("app_") && !grounds.contains_key(&one.id) {
            things.clients.push(one.clone());
        }
        grounds.entry(one.id).or_insert(one.at);
    }
    let revoked: Vec<Row> = revoked_tokens::table
        .filter(revoked_tokens::expires_at.gt(now))
        .select((revoked_tokens::jti, revoked_tokens::revoked_at))
        .load(connection)?;
    let mut dead: HashMap<String, jiff::Timestamp> =
        ended(revoked).map(|one| (one.id, one.at)).collect();
    for jti in first_tokens(connection, &dead)? {
        let at = dead.get(&jti).copied().unwrap_or_default();
        things.families.push(Ended { id: jti, at });
    }
    let orphans = orphans(connection, now, &grounds, &things, withdrawn)?;
    dead.extend(orphans);
    add_what_was_made_of(connection, &mut dead)?;
    things.tokens = dead.into_iter().map(|(id, at)| Ended { id, at }).collect();
    Ok(things)
}

fn keys(
    connection: &mut Connection,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<Ended>, Error> {
    let mut found: HashMap<String, jiff::Timestamp> = HashMap::new();
    let mut add = |rows: Vec<(String, Option<Timestamp>)>| {
        for (id, at) in rows {
            found.entry(id).or_insert(at.unwrap_or(now).into());
        }
    };
    add(api_keys::table
        .filter(api_keys::revoked_at.gt(since))
        .select((api_keys::id, api_keys::revoked_at))
        .load(connection)?);
    add(api_keys::table
        .filter(api_keys::disabled_at.gt(since))
        .select((api_keys::id, api_keys::disabled_at))
        .load(connection)?);
    // No token outlives the end that its key had when it was made; that may have been brought forward since.
    add(api_keys::table
        .filter(api_keys::expires_at.gt(since))
        .filter(api_keys::expires_at.le(now))
        .select((api_keys::id, api_keys::expires_at))
        .load(connection)?);
    add(api_keys::table
        .inner_join(organizations::table)
        .filter(organizations::disabled_at.gt(since))
        .filter(api_keys::revoked_at.is_null())
        .select((api_keys::id, organizations::disabled_at))
        .load(connection)?);
    Ok(found.into_iter().map(|(id, at)| Ended { id, at }).collect())
}

/// Those of a key that was revoked are left out: the key itself is listed.
fn generations(connection: &mut Connection, since: Timestamp) -> Result<Vec<Ended>, Error> {
    let rows: Vec<(String, Option<Timestamp>)> = credentials::table
        .filter(credentials::ended_at.gt(since))
        .filter(credentials::end_reason.eq("rotated"))
        .select((credentials::id, credentials::ended_at))
        .load(connection)?;
    let rows = rows.into_iter().filter_map(|(id, at)| Some((id, at?)));
    Ok(ended(rows.collect()).collect())
}

fn paused_clients(connection: &mut Connection, since: Timestamp) -> Result<Vec<Ended>, Error> {
    let mut rows: Vec<(String, Option<Timestamp>)> = applications::table
        .filter(applications::disabled_at.gt(since))
        .select((applications::id, applications::disabled_at))
        .load(connection)?;
    let of_organizations: Vec<(String, Option<Timestamp>)> = applications::table
        .inner_join(organizations::table)
        .filter(organizations::disabled_at.gt(since))
        .select((applications::id, organizations::disabled_at))
        .load(connection)?;
    rows.extend(of_organizations);
    let rows = rows.into_iter().filter_map(|(id, at)| Some((id, at?)));
    Ok(ended(rows.collect()).collect())
}

/// Those of these tokens whose making is not on record.
fn first_tokens(
    connection: &mut Connection,
    of: &HashMap<String, jiff::Timestamp>,
) -> Result<Vec<String>, Error> {
    let all: Vec<&String> = of.keys().collect();
    let mut recorded: HashSet<String> = HashSet::new();
    for some in all.chunks(AT_ONCE) {
        let found: Vec<String> = exchanged_tokens::table
            .filter(exchanged_tokens::jti.eq_any(some.iter().copied()))
            .select(exchanged_tokens::jti)
            .load(connection)?;
        recorded.extend(found);
    }
    let first = all.into_iter().filter(|jti| !recorded.contains(*jti));
    Ok(first.cloned().collect())
}

/// Traded tokens whose client, rule, actor or signer is not good any more: by what they themselves say nobody could tell.
fn orphans(
    connection: &mut Connection,
    now: Timestamp,
    grounds: &HashMap<String, jiff::Timestamp>,
    things: &EndedThings,
    withdrawn: &HashSet<String>,
) -> Result<Vec<(String, jiff::Timestamp)>, Error> {
    let mut query = exchanged_tokens::table
        .filter(exchanged_tokens::expires_at.gt(now))
        .select((
            exchanged_tokens::jti,
            exchanged_tokens::client_id,
            exchanged_tokens::rule_id,
            exchanged_tokens::subject_kid,
            exchanged_tokens::actor_kid,
            exchanged_tokens::actor_subject,
            exchanged_tokens::actor_generation,
        ))
        .into_boxed();
    if grounds.is_empty() && withdrawn.is_empty() {
        // Few name an actor by a token of his, and only these are left to be asked about.
        if things.keys.is_empty() && things.generations.is_empty() {
            return Ok(Vec::new());
        }
        query = query.filter(exchanged_tokens::actor_jti.is_not_null());
    }
    let ended: HashMap<&str, jiff::Timestamp> = things
        .keys
        .iter()
        .chain(&things.generations)
        .map(|one| (one.id.as_str(), one.at))
        .collect();
    type Trade = (
        String,
        String,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
    );
    let rows: Vec<Trade> = query.load(connection)?;
    let now = jiff::Timestamp::from(now);
    let orphan = |(jti, client, rule, subject_kid, actor_kid, actor, generation): Trade| {
        let names = [Some(client), rule, actor, generation];
        let of_grounds = names.iter().flatten().find_map(|name| {
            let by = grounds.get(name).or_else(|| ended.get(name.as_str()));
            by.copied()
        });
        let kids = [subject_kid, actor_kid];
        let by_key = kids.iter().flatten().any(|kid| withdrawn.contains(kid));
        let at = of_grounds.or(by_key.then_some(now))?;
        Some((jti, at))
    };
    Ok(rows.into_iter().filter_map(orphan).collect())
}

/// Adds all tokens that were made of these, to the end of each chain.
fn add_what_was_made_of(
    connection: &mut Connection,
    dead: &mut HashMap<String, jiff::Timestamp>,
) -> Result<(), Error> {
    let mut parents: Vec<String> = dead.keys().cloned().collect();
    while !parents.is_empty() {
        let mut children = Vec::new();
        for some in parents.chunks(AT_ONCE) {
            let by_subject: Vec<(String, Option<String>)> = exchanged_tokens::table
                .filter(exchanged_tokens::subject_jti.eq_any(some))
                .select((exchanged_tokens::jti, exchanged_tokens::subject_jti))
                .load(connection)?;
            let by_actor: Vec<(String, Option<String>)> = exchanged_tokens::table
                .filter(exchanged_tokens::actor_jti.eq_any(some))
                .select((exchanged_tokens::jti, exchanged_tokens::actor_jti))
                .load(connection)?;
            for (jti, parent) in by_subject.into_iter().chain(by_actor) {
                let at = parent.and_then(|parent| dead.get(&parent).copied());
                if let Some(at) = at
                    && !dead.contains_key(&jti)
                {
                    dead.insert(jti.clone(), at);
                    children.push(jti);
                }
            }
        }
        parents = children;
    }
    Ok(())
}
