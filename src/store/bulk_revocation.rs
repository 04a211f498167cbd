//! Many keys stopped in one transaction, by what they have in common.
//!
//! Set by set and not key by key: twenty thousand keys must be dead within seconds. Two such calls come one after the other; a call
//! that concerns one key goes before or after, never in between.

use std::collections::HashMap;

use diesel::prelude::*;

use super::schema::{api_keys, credentials, idp_operations};
use super::{Connection, Error, Timestamp};
use crate::domain::credential::Credential;
use crate::domain::id::{CredentialId, KeyId, OrganizationId, UserId};
use crate::domain::lifecycle::{CredentialState, EndReason};
use crate::domain::provider_name::ProviderName;

/// Rows that one statement names.
const CHUNK: usize = 500;
/// Held on PostgreSQL while many keys are revoked, so that two such calls never wait for each other's rows.
const REVOKE_ALONE: &str = "SELECT pg_advisory_xact_lock(7813480412276432)";

/// What the keys have in common; all that is named must hold.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Keys of these organizations.
    pub organizations: Option<Vec<OrganizationId>>,
    /// And beside them, keys of this owner in these.
    pub own: Option<(Vec<OrganizationId>, UserId)>,
    /// Keys of this owner.
    pub owner: Option<UserId>,
    /// Keys whose users this provider holds.
    pub provider: Option<ProviderName>,
    /// Keys created before this moment.
    pub created_before: Option<jiff::Timestamp>,
}

/// A key that was stopped.
#[derive(Clone, Debug)]
pub struct RevokedKey {
    /// The key.
    pub id: KeyId,
    /// Its tenant.
    pub organization_id: OrganizationId,
    /// Where its users are.
    pub provider: ProviderName,
    /// Its generations that had not ended, as they were.
    pub generations: Vec<Credential>,
}

macro_rules! narrowed {
    ($query:expr, $selection:expr) => {{
        let mut query = $query.filter(api_keys::revoked_at.is_null());
        let ids = |of: &[OrganizationId]| of.iter().map(ToString::to_string).collect::<Vec<_>>();
        match (&$selection.organizations, &$selection.own) {
            (None, _) => {}
            (Some(all), None) => {
                query = query.filter(api_keys::organization_id.eq_any(ids(all)));
            }
            (Some(all), Some((theirs, owner))) => {
                let own = api_keys::organization_id
                    .eq_any(ids(theirs))
                    .and(api_keys::owner_id.eq(owner.to_string()).assume_not_null());
                query = query.filter(api_keys::organization_id.eq_any(ids(all)).or(own));
            }
        }
        if let Some(owner) = &$selection.owner {
            query = query.filter(api_keys::owner_id.eq(owner.to_string()));
        }
        if let Some(provider) = &$selection.provider {
            query = query.filter(api_keys::provider.eq(provider.to_string()));
        }
        if let Some(moment) = $selection.created_before {
            query = query.filter(api_keys::created_at.lt(Timestamp::from(moment)));
        }
        query
    }};
}

/// How many keys would be stopped.
pub fn count(connection: &mut Connection, selection: &Selection) -> Result<i64, Error> {
    let all = api_keys::table.count().into_boxed();
    Ok(narrowed!(all, selection).get_result(connection)?)
}

/// Stops them: keys and generations. What is to be done at the providers and put on record is for the caller to write down.
pub fn revoke(
    connection: &mut Connection,
    selection: &Selection,
    now: jiff::Timestamp,
) -> Result<Vec<RevokedKey>, Error> {
    if let Connection::Postgres(inner) = connection {
        diesel::sql_query(REVOKE_ALONE).execute(inner)?;
    }
    let all = api_keys::table
        .select((api_keys::id, api_keys::organization_id, api_keys::provider))
        .into_boxed();
    let rows: Vec<(String, String, String)> = narrowed!(all, selection).load(connection)?;
    let mut revoked = Vec::with_capacity(rows.len());
    for chunk in rows.chunks(CHUNK) {
        revoke_chunk(connection, chunk, now, &mut revoked)?;
    }
    Ok(revoked)
}

fn revoke_chunk(
    connection: &mut Connection,
    rows: &[(String, String, String)],
    now: jiff::Timestamp,
    revoked: &mut Vec<RevokedKey>,
) -> Result<(), Error> {
    let at = Timestamp::from(now);
    let ids: Vec<&str> = rows.iter().map(|(id, ..)| id.as_str()).collect();
    let open = api_keys::table
        .filter(api_keys::id.eq_any(ids.clone()))
        .filter(api_keys::revoked_at.is_null());
    let stopped = diesel::update(open)
        .set((
            api_keys::revoked_at.eq(at),
            api_keys::epoch.eq(api_keys::epoch + 1),
            api_keys::updated_at.eq(at),
        ))
        .execute(connection)?;
    // Fewer: on PostgreSQL another call revoked some of them since they were read. Those are its own, to the microsecond.
    let mine: Option<Vec<String>> = if stopped == rows.len() {
        None
    } else {
        let mine = api_keys::table
            .filter(api_keys::id.eq_any(ids.clone()))
            .filter(api_keys::revoked_at.eq(at));
        Some(mine.select(api_keys::id).load(connection)?)
    };
    let is_mine = |id: &String| mine.as_ref().is_none_or(|mine| mine.contains(id));
    let mut generations: HashMap<String, Vec<Credential>> = HashMap::new();
    for generation in super::credentials::unended_of(connection, &ids)? {
        generations
            .entry(generation.key_id.to_string())
            .or_default()
            .push(generation);
    }
    let before = revoked.len();
    for (id, organization, provider) in rows.iter().filter(|(id, ..)| is_mine(id)) {
        revoked.push(RevokedKey {
            id: id
                .parse()
                .map_err(|error| Error::corrupt("api_keys.id", error))?,
            organization_id: organization
                .parse()
                .map_err(|error| Error::corrupt("api_keys.organization_id", error))?,
            provider: provider
                .parse()
                .map_err(|error| Error::corrupt("api_keys.provider", error))?,
            generations: generations.remove(id).unwrap_or_default(),
        });
    }
    let ended: Vec<&Credential> = revoked[before..]
        .iter()
        .flat_map(|key| &key.generations)
        .collect();
    end_generations(connection, &ended, now)
}

fn end_generations(
    connection: &mut Connection,
    generations: &[&Credential],
    now: jiff::Timestamp,
) -> Result<(), Error> {
    let at = Timestamp::from(now);
    let ids: Vec<&str> = generations.iter().map(|one| one.id.as_str()).collect();
    diesel::update(credentials::table.filter(credentials::id.eq_any(ids)))
        .set((
            credentials::state.eq("ended"),
            credentials::retires_at.eq(None::<Timestamp>),
            credentials::ended_at.eq(at),
            credentials::end_reason.eq(EndReason::Revoked.as_str()),
        ))
        .execute(connection)?;
    // The removal of a retiring generation's user is on record since it was replaced.
    let retiring: Vec<&str> = generations
        .iter()
        .filter(|one| matches!(one.state, CredentialState::Retiring { .. }))
        .map(|one| one.id.as_str())
        .collect();
    if !retiring.is_empty() {
        let open = idp_operations::table
            .filter(idp_operations::done_at.is_null())
            .filter(idp_operations::kind.eq("delete"))
            .filter(idp_operations::credential_id.eq_any(retiring));
        diesel::update(open)
            .set(idp_operations::next_try_at.eq(at))
            .execute(connection)?;
    }
    let ids: Vec<CredentialId> = generations.iter().map(|one| one.id).collect();
    super::idempotency::erase(connection, &ids)
}
