//! What each identity provider was told of each resource, and what it is to be told.
//!
//! A row says which version of a resource is wanted there and which was carried there last; where they differ there is work, claimed like
//! all work at providers ([`super::idp_claims`]): of one provider one resource at a time, since they share what permissions of one name
//! stand for.

use std::time::Duration;

use diesel::prelude::*;

use super::connection::each;
use super::idp_claims::LEASE;
use super::schema::{idp_resources, resources};
use super::{Connection, Error, Timestamp};
use crate::domain::provider_name::ProviderName;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeToken;

/// The version that is wanted of a resource that is here no more.
pub const GONE: i64 = -1;
/// Held on PostgreSQL while the next resource of a provider is taken up.
const ONE_TAKES: &str = "SELECT pg_advisory_xact_lock(7813480412276433)";

/// What one provider was told of one resource.
#[derive(Clone, Debug)]
pub struct Carriage {
    /// The provider.
    pub provider: ProviderName,
    /// The resource.
    pub resource: ResourceIdentifier,
    /// The version that it is to have; [`GONE`]: none.
    pub wanted: i64,
    /// Whether it was made there for us.
    pub made: bool,
    /// The permissions that it was told of.
    pub permissions: Vec<ScopeToken>,
    /// How often it was tried in vain.
    pub attempts: i32,
    /// Not to be tried before.
    pub next_try_at: jiff::Timestamp,
    /// How often somebody took it up.
    pub claim: i64,
    /// Since when it is wanted so.
    pub wanted_at: jiff::Timestamp,
    /// Since when it was tried in vain for a day.
    pub stuck_at: Option<jiff::Timestamp>,
    /// What went wrong last.
    pub last_error: Option<String>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = idp_resources)]
struct Row {
    provider: String,
    resource: String,
    wanted: i64,
    made: bool,
    permissions: String,
    attempts: i32,
    next_try_at: Timestamp,
    claim: i64,
    wanted_at: Timestamp,
    stuck_at: Option<Timestamp>,
    last_error: Option<String>,
}

impl TryFrom<Row> for Carriage {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            provider: row
                .provider
                .parse()
                .map_err(|error| Error::corrupt("idp_resources.provider", error))?,
            resource: row
                .resource
                .parse()
                .map_err(|error| Error::corrupt("idp_resources.resource", error))?,
            wanted: row.wanted,
            made: row.made,
            permissions: super::parse_json(&row.permissions, "idp_resources.permissions")?,
            attempts: row.attempts,
            next_try_at: row.next_try_at.into(),
            claim: row.claim,
            wanted_at: row.wanted_at.into(),
            stuck_at: row.stuck_at.map(Into::into),
            last_error: row.last_error,
        })
    }
}

/// Has providers told of a resource as it is now, or that it is here no more. What some of them were never told, they need not be told
/// to forget.
pub fn want(
    connection: &mut Connection,
    providers: &[ProviderName],
    resource: &ResourceIdentifier,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    let version: Option<i64> = resources::table
        .filter(resources::identifier.eq(resource.as_str()))
        .filter(resources::reserved.eq(false))
        .select(resources::version)
        .first(connection)
        .optional()?;
    let at = Timestamp::from(now);
    for provider in providers {
        let known = idp_resources::table.find((provider.as_str(), resource.as_str()));
        let rows = diesel::update(known)
            .set((
                idp_resources::wanted.eq(version.unwrap_or(GONE)),
                idp_resources::next_try_at.eq(at),
                idp_resources::wanted_at.eq(at),
                idp_resources::attempts.eq(0),
                idp_resources::stuck_at.eq(None::<Timestamp>),
            ))
            .execute(connection)?;
        let Some(version) = version.filter(|_| rows == 0) else {
            continue;
        };
        let new = (
            idp_resources::provider.eq(provider.as_str()),
            idp_resources::resource.eq(resource.as_str()),
            idp_resources::wanted.eq(version),
            idp_resources::carried.eq(0),
            idp_resources::made.eq(false),
            idp_resources::permissions.eq("[]"),
            idp_resources::attempts.eq(0),
            idp_resources::next_try_at.eq(at),
            idp_resources::claim.eq(0),
            idp_resources::wanted_at.eq(at),
        );
        let table = idp_resources::table;
        // Another node may have noticed the same at the same moment.
        let inserted = each!(connection, |inner| diesel::insert_into(table)
            .values(new)
            .on_conflict_do_nothing()
            .execute(inner));
        inserted?;
    }
    Ok(())
}

/// Has a provider told of every resource of which it was never told.
pub fn want_missing(
    connection: &mut Connection,
    provider: &ProviderName,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    let known = idp_resources::table
        .filter(idp_resources::provider.eq(provider.as_str()))
        .select(idp_resources::resource);
    let missing: Vec<String> = resources::table
        .filter(resources::reserved.eq(false))
        .filter(resources::identifier.ne_all(known))
        .select(resources::identifier)
        .load(connection)?;
    for identifier in missing {
        let identifier = identifier
            .parse()
            .map_err(|error| Error::corrupt("resources.identifier", error))?;
        want(connection, std::slice::from_ref(provider), &identifier, now)?;
    }
    Ok(())
}

/// What a provider was told of resources.
pub fn of_provider(
    connection: &mut Connection,
    provider: &ProviderName,
) -> Result<Vec<Carriage>, Error> {
    let rows: Vec<Row> = idp_resources::table
        .filter(idp_resources::provider.eq(provider.as_str()))
        .select(Row::as_select())
        .order(idp_resources::resource)
        .load(connection)?;
    rows.into_iter().map(Carriage::try_from).collect()
}

/// All that is still to be told to providers, what is wanted longest first.
pub fn open(connection: &mut Connection) -> Result<Vec<Carriage>, Error> {
    let rows: Vec<Row> = idp_resources::table
        .filter(idp_resources::wanted.ne(idp_resources::carried))
        .select(Row::as_select())
        .order((idp_resources::wanted_at, idp_resources::resource))
        .load(connection)?;
    rows.into_iter().map(Carriage::try_from).collect()
}

/// Providers that are to be told something that is due.
pub fn providers_with_work(
    connection: &mut Connection,
    now: jiff::Timestamp,
) -> Result<Vec<ProviderName>, Error> {
    let names: Vec<String> = idp_resources::table
        .filter(idp_resources::wanted.ne(idp_resources::carried))
        .filter(idp_resources::next_try_at.le(Timestamp::from(now)))
        .select(idp_resources::provider)
        .distinct()
        .load(connection)?;
    let parse = |name: String| {
        name.parse()
            .map_err(|error| Error::corrupt("idp_resources.provider", error))
    };
    names.into_iter().map(parse).collect()
}

/// Takes up what a provider is to be told next; `None`: nothing is due, or somebody is at it.
pub fn take(
    connection: &mut Connection,
    provider: &ProviderName,
    now: jiff::Timestamp,
) -> Result<Option<Carriage>, Error> {
    if let Connection::Postgres(inner) = connection {
        diesel::sql_query(ONE_TAKES).execute(inner)?;
    }
    let of_provider = || idp_resources::table.filter(idp_resources::provider.eq(provider.as_str()));
    let expired = Timestamp::from(now.checked_sub(LEASE).unwrap_or(now));
    let claimed = of_provider().filter(idp_resources::claimed_at.gt(expired).assume_not_null());
    if diesel::select(diesel::dsl::exists(claimed)).get_result(connection)? {
        return Ok(None);
    }
    let first: Option<Row> = of_provider()
        .filter(idp_resources::wanted.ne(idp_resources::carried))
        .filter(idp_resources::next_try_at.le(Timestamp::from(now)))
        .order((idp_resources::next_try_at, idp_resources::resource))
        .select(Row::as_select())
        .first(connection)
        .optional()?;
    let Some(first) = first else { return Ok(None) };
    let found = Carriage::try_from(first)?;
    let taken = Carriage {
        claim: found.claim + 1,
        ..found
    };
    diesel::update(row(&taken))
        .set((
            idp_resources::claim.eq(taken.claim),
            idp_resources::claimed_at.eq(Timestamp::from(now)),
        ))
        .execute(connection)?;
    Ok(Some(taken))
}

/// What was taken up is done: the provider has these permissions in this version. `false` if another one has it now; where something
/// else is wanted meanwhile, it goes on.
pub fn finish(
    connection: &mut Connection,
    taken: &Carriage,
    (made, permissions): (bool, &[ScopeToken]),
) -> Result<bool, Error> {
    let mine = row(taken).filter(idp_resources::claim.eq(taken.claim));
    if taken.wanted == GONE {
        // Wanted again meanwhile: it was removed, and is made anew.
        let gone = mine.filter(idp_resources::wanted.eq(GONE));
        if diesel::delete(gone).execute(connection)? == 1 {
            return Ok(true);
        }
    }
    let rows = diesel::update(row(taken).filter(idp_resources::claim.eq(taken.claim)))
        .set((
            idp_resources::carried.eq(taken.wanted),
            idp_resources::made.eq(made),
            idp_resources::permissions.eq(super::json(&permissions)),
            idp_resources::claimed_at.eq(None::<Timestamp>),
            idp_resources::attempts.eq(0),
            idp_resources::stuck_at.eq(None::<Timestamp>),
            idp_resources::last_error.eq(None::<String>),
        ))
        .execute(connection)?;
    Ok(rows == 1)
}

/// Gives back what was taken up in vain. It may be half done, so the permissions that the provider may know of are noted.
pub fn give_back(
    connection: &mut Connection,
    taken: &Carriage,
    (pause, now): (Duration, jiff::Timestamp),
    (stuck, error): (bool, &str),
) -> Result<(), Error> {
    let next = now.checked_add(pause).unwrap_or(now);
    let stuck_at = taken.stuck_at.or(stuck.then_some(now));
    diesel::update(row(taken).filter(idp_resources::claim.eq(taken.claim)))
        .set((
            idp_resources::attempts.eq(idp_resources::attempts + 1),
            idp_resources::next_try_at.eq(Timestamp::from(next)),
            idp_resources::claimed_at.eq(None::<Timestamp>),
            idp_resources::permissions.eq(super::json(&taken.permissions)),
            idp_resources::made.eq(taken.made),
            idp_resources::stuck_at.eq(stuck_at.map(Timestamp::from)),
            idp_resources::last_error.eq(error),
        ))
        .execute(connection)?;
    Ok(())
}

/// Makes all that is open due now.
pub fn retry(connection: &mut Connection, now: jiff::Timestamp) -> Result<usize, Error> {
    let open = idp_resources::table.filter(idp_resources::wanted.ne(idp_resources::carried));
    Ok(diesel::update(open)
        .set((
            idp_resources::next_try_at.eq(Timestamp::from(now)),
            idp_resources::stuck_at.eq(None::<Timestamp>),
        ))
        .execute(connection)?)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row(carriage: &Carriage) -> _ {
    let provider: &str = carriage.provider.as_str();
    let resource: &str = carriage.resource.as_str();
    idp_resources::table.find((provider, resource))
}
