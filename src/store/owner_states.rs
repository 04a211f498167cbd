//! What identity providers tell of the owners of keys.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::connection::each;
use super::schema::{api_keys, credentials, owner_states, users};
use super::{Connection, Error, Timestamp};
use crate::domain::id::{KeyId, OrganizationId, UserId};
use crate::domain::provider_name::ProviderName;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeSet;
use crate::domain::user::User;

/// What an owner may do, at the resources at which that is told; at others it is not bound.
pub type OwnerRights = BTreeMap<ResourceIdentifier, ScopeSet>;

/// What is told of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerRecord {
    /// Whom.
    pub user_id: UserId,
    /// By whom.
    pub provider: ProviderName,
    /// What he may do there.
    pub rights: OwnerRights,
    /// Since when he is disabled or gone there.
    pub gone_at: Option<jiff::Timestamp>,
}

#[derive(Queryable)]
struct Row {
    user_id: String,
    provider: String,
    rights: String,
    gone_at: Option<Timestamp>,
}

impl TryFrom<Row> for OwnerRecord {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            user_id: row
                .user_id
                .parse()
                .map_err(|error| Error::corrupt("owner_states.user_id", error))?,
            provider: row
                .provider
                .parse()
                .map_err(|error| Error::corrupt("owner_states.provider", error))?,
            rights: rights(&row.rights)?,
            gone_at: row.gone_at.map(Into::into),
        })
    }
}

/// Reads the column of rights.
pub(super) fn rights(text: &str) -> Result<OwnerRights, Error> {
    super::parse_json(text, "owner_states.rights")
}

/// The people of an issuer who own keys that are not revoked and of whom nothing was asked since `before`, with what was told of each.
pub fn due(
    connection: &mut Connection,
    issuer: &str,
    before: jiff::Timestamp,
    limit: usize,
) -> Result<Vec<(User, Option<OwnerRecord>)>, Error> {
    let owning = api_keys::table
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::owner_id.is_not_null())
        .select(api_keys::owner_id.assume_not_null());
    let ids: Vec<String> = users::table
        .left_join(owner_states::table)
        .filter(users::issuer.eq(issuer))
        .filter(users::id.eq_any(owning))
        .filter(
            owner_states::asked_at
                .nullable()
                .is_null()
                .or(owner_states::asked_at
                    .nullable()
                    .le(Timestamp::from(before))
                    .assume_not_null()),
        )
        .order(users::id)
        .limit(super::count(limit))
        .select(users::id)
        .load(connection)?;
    let texts: Vec<&str> = ids.iter().map(String::as_str).collect();
    let people = super::users::find_all(connection, &texts)?;
    let mut due = Vec::with_capacity(people.len());
    for person in people {
        let record = find(connection, &person.id)?;
        due.push((person, record));
    }
    Ok(due)
}

/// What is told of one.
pub fn find(connection: &mut Connection, user: &UserId) -> Result<Option<OwnerRecord>, Error> {
    let row: Option<Row> = owner_states::table
        .find(user.as_str())
        .select((
            owner_states::user_id,
            owner_states::provider,
            owner_states::rights,
            owner_states::gone_at,
        ))
        .first(connection)
        .optional()?;
    row.map(OwnerRecord::try_from).transpose()
}

/// Writes down what was told of one.
pub fn put(
    connection: &mut Connection,
    record: &OwnerRecord,
    asked_at: jiff::Timestamp,
) -> Result<(), Error> {
    let told = (
        owner_states::provider.eq(record.provider.as_str()),
        owner_states::rights.eq(super::json(&record.rights)),
        owner_states::gone_at.eq(record.gone_at.map(Timestamp::from)),
        owner_states::asked_at.eq(Timestamp::from(asked_at)),
    );
    let rows = diesel::update(owner_states::table.find(record.user_id.as_str()))
        .set(told.clone())
        .execute(connection)?;
    if rows == 0 {
        let new = (owner_states::user_id.eq(record.user_id.as_str()), told);
        let table = owner_states::table;
        let inserted = each!(connection, |inner| diesel::insert_into(table)
            .values(new)
            .on_conflict_do_nothing()
            .execute(inner));
        inserted?;
    }
    Ok(())
}

/// A person's keys that are not revoked: organization and key.
pub fn keys(
    connection: &mut Connection,
    user: &UserId,
) -> Result<Vec<(OrganizationId, KeyId)>, Error> {
    let rows: Vec<(String, String)> = api_keys::table
        .filter(api_keys::owner_id.eq(user.as_str()))
        .filter(api_keys::revoked_at.is_null())
        .select((api_keys::organization_id, api_keys::id))
        .order((api_keys::organization_id, api_keys::id))
        .load(connection)?;
    let parse = |(organization, key): (String, String)| {
        Ok((
            organization
                .parse()
                .map_err(|error| Error::corrupt("api_keys.organization_id", error))?,
            key.parse()
                .map_err(|error| Error::corrupt("api_keys.id", error))?,
        ))
    };
    rows.into_iter().map(parse).collect()
}

/// The user names of the generations of a person's keys that have not ended: under these they are remembered.
pub fn user_names(connection: &mut Connection, user: &UserId) -> Result<Vec<String>, Error> {
    let keys = api_keys::table
        .filter(api_keys::owner_id.eq(user.as_str()))
        .select(api_keys::id);
    Ok(credentials::table
        .filter(credentials::state.ne("ended"))
        .filter(credentials::key_id.eq_any(keys))
        .select(credentials::user_name)
        .load(connection)?)
}
