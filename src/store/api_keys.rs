//! Keys: everything of them but their generations.

use std::collections::HashMap;

use diesel::helper_types::IntoBoxed;
use diesel::prelude::*;

use super::row::{like, lower};
use super::schema::{api_key_permissions, api_keys, credentials, key_usage};
use super::{Connection, Error, Place, Timestamp};
use crate::domain::api_key::ApiKey;
use crate::domain::credential::Credential;
use crate::domain::id::{ApplicationId, KeyId, OrganizationId, PermissionId, UserId};
use crate::domain::lifecycle::{CredentialState, KeyLifecycle, KeyStatus};
use crate::domain::limits::{AllowedCidrs, RateLimit};
use crate::domain::user::User;

type Backend = <Connection as diesel::Connection>::Backend;

/// A key with what its other tables know of it.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// The key.
    pub key: ApiKey,
    /// Its active generation; none while it is pending or after it was revoked.
    pub active: Option<Credential>,
    /// Until when an older generation is still taken.
    pub retiring_until: Option<jiff::Timestamp>,
    /// When it was last traded, as far as that was written down.
    pub last_used_at: Option<jiff::Timestamp>,
    /// Who its owner is.
    pub owner: Option<User>,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = api_keys, treat_none_as_null = true, treat_none_as_default_value = false)]
struct Row {
    id: String,
    // What never changes is left out of updates: SQLite writes the entries of an index anew for each column that is set.
    #[diesel(skip_update)]
    organization_id: String,
    name: String,
    #[diesel(skip_update)]
    provider: String,
    metadata: String,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    disabled_at: Option<Timestamp>,
    activated_at: Option<Timestamp>,
    rotated_at: Option<Timestamp>,
    allowed_cidrs: Option<String>,
    rate_requests: Option<i32>,
    rate_per_seconds: Option<i32>,
    default_resource_id: Option<String>,
    epoch: i64,
    #[diesel(skip_update)]
    created_at: Timestamp,
    owner_id: Option<String>,
    self_rotate: bool,
    may_act_id: Option<String>,
}

impl From<&ApiKey> for Row {
    fn from(key: &ApiKey) -> Self {
        let cidrs = |cidrs: &AllowedCidrs| super::json(&cidrs.iter().collect::<Vec<_>>());
        // Both numbers are at most a million.
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        Self {
            id: key.id.to_string(),
            organization_id: key.organization_id.to_string(),
            name: key.name.clone(),
            provider: key.provider.to_string(),
            metadata: super::json(&key.metadata),
            expires_at: key.lifecycle.expires_at.map(Timestamp::from),
            revoked_at: key.lifecycle.revoked_at.map(Timestamp::from),
            disabled_at: key.lifecycle.disabled_at.map(Timestamp::from),
            activated_at: key.lifecycle.activated_at.map(Timestamp::from),
            rotated_at: key.rotated_at.map(Timestamp::from),
            allowed_cidrs: key.allowed_cidrs.as_ref().map(cidrs),
            rate_requests: key.rate_limit.map(|limit| number(limit.requests().get())),
            rate_per_seconds: key
                .rate_limit
                .map(|limit| number(limit.per_seconds().get())),
            default_resource_id: key.default_resource.map(|id| id.to_string()),
            epoch: key.epoch,
            created_at: key.lifecycle.created_at.into(),
            owner_id: key.owner.map(|id| id.to_string()),
            self_rotate: key.self_rotate,
            may_act_id: key.may_act.map(|id| id.to_string()),
        }
    }
}

impl TryFrom<Row> for ApiKey {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let default_resource = row.default_resource_id.map(|id| id.parse()).transpose();
        Ok(Self {
            id: row
                .id
                .parse()
                .map_err(|error| Error::corrupt("api_keys.id", error))?,
            organization_id: row
                .organization_id
                .parse()
                .map_err(|error| Error::corrupt("api_keys.organization_id", error))?,
            owner: row
                .owner_id
                .map(|id| id.parse())
                .transpose()
                .map_err(|error| Error::corrupt("api_keys.owner_id", error))?,
            name: row.name,
            provider: row
                .provider
                .parse()
                .map_err(|error| Error::corrupt("api_keys.provider", error))?,
            metadata: super::parse_json(&row.metadata, "api_keys.metadata")?,
            lifecycle: KeyLifecycle {
                created_at: row.created_at.into(),
                activated_at: row.activated_at.map(Into::into),
                expires_at: row.expires_at.map(Into::into),
                disabled_at: row.disabled_at.map(Into::into),
                revoked_at: row.revoked_at.map(Into::into),
            },
            rotated_at: row.rotated_at.map(Into::into),
            allowed_cidrs: allowed_cidrs(row.allowed_cidrs.as_deref())?,
            rate_limit: rate_limit(row.rate_requests, row.rate_per_seconds)?,
            default_resource: default_resource
                .map_err(|error| Error::corrupt("api_keys.default_resource_id", error))?,
            may_act: may_act(row.may_act_id)?,
            permissions: Vec::new(),
            self_rotate: row.self_rotate,
            epoch: row.epoch,
        })
    }
}

/// Reads the column of who may act for a key.
pub(super) fn may_act(text: Option<String>) -> Result<Option<ApplicationId>, Error> {
    text.map(|id| id.parse())
        .transpose()
        .map_err(|error| Error::corrupt("api_keys.may_act_id", error))
}

/// Reads the column of allowed networks.
pub(super) fn allowed_cidrs(text: Option<&str>) -> Result<Option<AllowedCidrs>, Error> {
    text.map(|text| super::parse_json(text, "api_keys.allowed_cidrs"))
        .transpose()
}

/// Reads the two columns of a rate limit.
pub(super) fn rate_limit(
    requests: Option<i32>,
    per_seconds: Option<i32>,
) -> Result<Option<RateLimit>, Error> {
    let (Some(requests), Some(per_seconds)) = (requests, per_seconds) else {
        return Ok(None);
    };
    let number = |number: i32| u32::try_from(number).unwrap_or(0);
    RateLimit::new(number(requests), number(per_seconds))
        .map(Some)
        .map_err(|error| Error::corrupt("api_keys.rate_requests", error))
}

/// The key of this id.
pub fn find(connection: &mut Connection, id: &KeyId) -> Result<Option<StoredKey>, Error> {
    let rows: Vec<Row> = api_keys::table
        .find(id.as_str())
        .select(Row::as_select())
        .load(connection)?;
    Ok(with_the_rest(connection, rows)?.pop())
}

/// What a list of keys is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Keys of these organizations.
    pub organizations: Option<Vec<OrganizationId>>,
    /// And beside them, keys of this owner in these.
    pub own: Option<(Vec<OrganizationId>, UserId)>,
    /// Keys of this owner.
    pub owner: Option<UserId>,
    /// Keys that have this status at the moment beside it.
    pub status: Option<(KeyStatus, Option<jiff::Timestamp>)>,
    /// Keys whose name, or whose id, holds this text; upper and lower case of ASCII are the same.
    pub text: Option<String>,
}

/// A page of keys, newest first.
pub fn list(
    connection: &mut Connection,
    filter: &Filter,
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<StoredKey>, Error> {
    let mut query = filtered(filter)
        .select(Row::as_select())
        .order((api_keys::created_at.desc(), api_keys::id.desc()))
        .limit(super::count(limit));
    if let Some(Place { at, id }) = after {
        let at = Timestamp::from(*at);
        query = query.filter(
            api_keys::created_at
                .lt(at)
                .or(api_keys::created_at.eq(at).and(api_keys::id.lt(id))),
        );
    }
    let rows: Vec<Row> = query.load(connection)?;
    with_the_rest(connection, rows)
}

/// The keys of these ids, in this order; those that are gone are left out.
pub fn of_ids(connection: &mut Connection, ids: &[String]) -> Result<Vec<StoredKey>, Error> {
    let wanted: Vec<&str> = ids.iter().map(String::as_str).collect();
    let rows: Vec<Row> = api_keys::table
        .filter(api_keys::id.eq_any(wanted))
        .select(Row::as_select())
        .load(connection)?;
    let mut keys = with_the_rest(connection, rows)?;
    let place = |key: &StoredKey| ids.iter().position(|id| id == key.key.id.as_str());
    keys.sort_by_key(place);
    Ok(keys)
}

/// The keys that fit.
pub(super) fn filtered(filter: &Filter) -> IntoBoxed<'_, api_keys::table, Backend> {
    let mut query = api_keys::table.into_boxed();
    let ids = |of: &[OrganizationId]| of.iter().map(ToString::to_string).collect::<Vec<_>>();
    match (filter.organizations.as_deref(), &filter.own) {
        (None, _) => {}
        (Some([organization]), None) => {
            query = query.filter(api_keys::organization_id.eq(organization.as_str()));
        }
        (Some(several), None) => {
            query = query.filter(api_keys::organization_id.eq_any(ids(several)));
        }
        (Some(several), Some((theirs, owner))) => {
            let own = api_keys::organization_id
                .eq_any(ids(theirs))
                .and(api_keys::owner_id.eq(owner.as_str()).assume_not_null());
            query = query.filter(api_keys::organization_id.eq_any(ids(several)).or(own));
        }
    }
    if let Some(owner) = &filter.owner {
        query = query.filter(api_keys::owner_id.eq(owner.as_str()));
    }
    if let Some((status, now)) = filter.status {
        let now = Timestamp::from(now.unwrap_or_default());
        let unexpired = api_keys::expires_at
            .is_null()
            .or(api_keys::expires_at.gt(now).assume_not_null());
        let unrevoked = api_keys::revoked_at.is_null();
        query = match status {
            KeyStatus::Revoked => query.filter(api_keys::revoked_at.is_not_null()),
            KeyStatus::Expired => {
                query.filter(unrevoked.and(api_keys::expires_at.le(now).assume_not_null()))
            }
            KeyStatus::Disabled => query.filter(
                unrevoked
                    .and(unexpired)
                    .and(api_keys::disabled_at.is_not_null()),
            ),
            KeyStatus::Pending => query.filter(
                unrevoked
                    .and(unexpired)
                    .and(api_keys::disabled_at.is_null())
                    .and(api_keys::activated_at.is_null()),
            ),
            KeyStatus::Active => query.filter(
                unrevoked
                    .and(unexpired)
                    .and(api_keys::disabled_at.is_null())
                    .and(api_keys::activated_at.is_not_null()),
            ),
        };
    }
    if let Some(text) = &filter.text {
        let pattern = like(text);
        query = query.filter(
            lower(api_keys::name)
                .like(pattern.clone())
                .escape('!')
                .or(api_keys::id.like(pattern).escape('!')),
        );
    }
    query
}

fn with_the_rest(connection: &mut Connection, rows: Vec<Row>) -> Result<Vec<StoredKey>, Error> {
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let mut permissions: HashMap<String, Vec<PermissionId>> = HashMap::new();
    let pairs: Vec<(String, String)> = api_key_permissions::table
        .filter(api_key_permissions::key_id.eq_any(ids.clone()))
        .order(api_key_permissions::permission_id)
        .load(connection)?;
    for (key, permission) in pairs {
        let permission = permission
            .parse()
            .map_err(|error| Error::corrupt("api_key_permissions.permission_id", error))?;
        permissions.entry(key).or_default().push(permission);
    }
    let used: Vec<(String, Timestamp)> = key_usage::table
        .filter(key_usage::key_id.eq_any(ids.clone()))
        .select((key_usage::key_id, key_usage::last_used_at))
        .load(connection)?;
    let used: HashMap<String, Timestamp> = used.into_iter().collect();
    let owners: Vec<&str> = rows
        .iter()
        .filter_map(|row| row.owner_id.as_deref())
        .collect();
    let owners: HashMap<UserId, User> = if owners.is_empty() {
        HashMap::new()
    } else {
        super::users::find_all(connection, &owners)?
            .into_iter()
            .map(|owner| (owner.id, owner))
            .collect()
    };
    let mut active: HashMap<String, Credential> = HashMap::new();
    let mut retiring: HashMap<String, jiff::Timestamp> = HashMap::new();
    for generation in super::credentials::of_keys(connection, &ids)? {
        match generation.state {
            CredentialState::Retiring { until } => {
                retiring.insert(generation.key_id.to_string(), until);
            }
            _ => {
                active.insert(generation.key_id.to_string(), generation);
            }
        }
    }
    let assemble = |row: Row| {
        let mut key = ApiKey::try_from(row)?;
        let id = key.id.as_str();
        key.permissions = permissions.remove(id).unwrap_or_default();
        Ok(StoredKey {
            active: active.remove(id),
            retiring_until: retiring.remove(id),
            last_used_at: used.get(id).map(|at| (*at).into()),
            owner: key.owner.and_then(|id| owners.get(&id).cloned()),
            key,
        })
    };
    rows.into_iter().map(assemble).collect()
}

/// How many keys that are not revoked hold one of these permissions.
pub fn holding(connection: &mut Connection, permissions: &[PermissionId]) -> Result<i64, Error> {
    let ids: Vec<&str> = permissions.iter().map(PermissionId::as_str).collect();
    let holders = api_key_permissions::table
        .filter(api_key_permissions::permission_id.eq_any(ids))
        .select(api_key_permissions::key_id);
    Ok(api_keys::table
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::id.eq_any(holders))
        .count()
        .get_result(connection)?)
}

/// A person's keys in an organization that are not revoked, in the order of their ids.
pub fn of_owner(
    connection: &mut Connection,
    organization: &OrganizationId,
    owner: &UserId,
) -> Result<Vec<KeyId>, Error> {
    let ids: Vec<String> = api_keys::table
        .filter(api_keys::organization_id.eq(organization.as_str()))
        .filter(api_keys::owner_id.eq(owner.as_str()))
        .filter(api_keys::revoked_at.is_null())
        .select(api_keys::id)
        .order(api_keys::id)
        .load(connection)?;
    let ids = ids.iter().map(|id| {
        id.parse()
            .map_err(|error| Error::corrupt("api_keys.id", error))
    });
    ids.collect()
}

/// How often a key has changed; `None` if there is none.
pub fn epoch(connection: &mut Connection, id: &KeyId) -> Result<Option<i64>, Error> {
    Ok(api_keys::table
        .find(id.as_str())
        .select(api_keys::epoch)
        .first(connection)
        .optional()?)
}

/// Lets no other transaction change this key until this one ends. To be taken before the key's rows are read for a change: on
/// PostgreSQL two changes of one key then come one after the other, and always lock in the same order. SQLite has one writer anyway.
pub fn lock(connection: &mut Connection, id: &KeyId) -> Result<(), Error> {
    if connection.has_one_writer() {
        return Ok(());
    }
    diesel::update(api_keys::table.find(id.as_str()))
        .set(api_keys::epoch.eq(api_keys::epoch))
        .execute(connection)?;
    Ok(())
}

/// Records a new key with its permissions. An organization or permission that is gone is a conflict over a reference.
pub fn insert(connection: &mut Connection, new: &ApiKey, created_by: &str) -> Result<(), Error> {
    let row = Row::from(new);
    let created_at = row.created_at;
    diesel::insert_into(api_keys::table)
        .values((
            row,
            api_keys::created_by.eq(created_by),
            api_keys::updated_at.eq(created_at),
        ))
        .execute(connection)?;
    insert_permissions(connection, &new.id, &new.permissions)
}

/// Writes a changed key back, its permissions excepted; its epoch counts up. `false` if it changed or went since it was read.
pub fn update(
    connection: &mut Connection,
    changed: &ApiKey,
    now: jiff::Timestamp,
) -> Result<bool, Error> {
    let row = Row {
        epoch: changed.epoch + 1,
        ..Row::from(changed)
    };
    let target = api_keys::table
        .find(changed.id.as_str())
        .filter(api_keys::epoch.eq(changed.epoch));
    let rows = diesel::update(target)
        .set((row, api_keys::updated_at.eq(Timestamp::from(now))))
        .execute(connection)?;
    Ok(rows == 1)
}

/// Writes down since when a key works; its epoch counts up. `false` if it changed or went since it was read.
pub fn activate(
    connection: &mut Connection,
    pending: &ApiKey,
    now: jiff::Timestamp,
) -> Result<bool, Error> {
    let target = api_keys::table
        .find(pending.id.as_str())
        .filter(api_keys::epoch.eq(pending.epoch));
    let now = Timestamp::from(now);
    let rows = diesel::update(target)
        .set((
            api_keys::activated_at.eq(now),
            api_keys::updated_at.eq(now),
            api_keys::epoch.eq(pending.epoch + 1),
        ))
        .execute(connection)?;
    Ok(rows == 1)
}

/// Replaces what a key may do.
pub fn set_permissions(
    connection: &mut Connection,
    key: &KeyId,
    permissions: &[PermissionId],
) -> Result<(), Error> {
    diesel::delete(api_key_permissions::table.filter(api_key_permissions::key_id.eq(key.as_str())))
        .execute(connection)?;
    insert_permissions(connection, key, permissions)
}

fn insert_permissions(
    connection: &mut Connection,
    key: &KeyId,
    permissions: &[PermissionId],
) -> Result<(), Error> {
    // One statement a row: a key has few, and a prepared statement beats a batch whose text depends on their number.
    for permission in permissions {
        diesel::insert_into(api_key_permissions::table)
            .values((
                api_key_permissions::key_id.eq(key.as_str()),
                api_key_permissions::permission_id.eq(permission.as_str()),
            ))
            .execute(connection)?;
    }
    Ok(())
}

/// Throws a key away that was shown to nobody, with its generations.
pub fn delete_pending(connection: &mut Connection, id: &KeyId) -> Result<(), Error> {
    let pending = api_keys::table
        .find(id.as_str())
        .filter(api_keys::activated_at.is_null());
    let of_pending =
        credentials::table.filter(credentials::key_id.eq_any(pending.select(api_keys::id)));
    diesel::delete(of_pending).execute(connection)?;
    diesel::delete(pending).execute(connection)?;
    Ok(())
}

/// Throws away every record of an organization's keys; all of them are revoked.
pub fn delete_of_organization(
    connection: &mut Connection,
    organization: &OrganizationId,
) -> Result<(), Error> {
    let keys = api_keys::table.filter(api_keys::organization_id.eq(organization.as_str()));
    diesel::delete(
        credentials::table.filter(credentials::key_id.eq_any(keys.select(api_keys::id))),
    )
    .execute(connection)?;
    diesel::delete(keys).execute(connection)?;
    Ok(())
}
