//! The generations of keys.

use diesel::prelude::*;

use super::schema::{api_keys, credentials, idp_operations};
use super::{Connection, Error, Timestamp};
use crate::domain::credential::{Credential, ProviderRights};
use crate::domain::id::{CredentialId, KeyId};
use crate::domain::key_tag::TagGeneration;
use crate::domain::lifecycle::CredentialState;
use crate::domain::password::{DIGEST_LENGTH, PasswordDigest};
use crate::domain::permission::Permissions;
use crate::domain::plaintext_key::UserName;
use crate::domain::provider_name::ProviderName;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeToken;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = credentials, treat_none_as_default_value = false)]
struct Row {
    id: String,
    key_id: String,
    user_name: String,
    hint: String,
    password_digest: Vec<u8>,
    digest_generation: i32,
    tag_generation: i32,
    provider_generation: i32,
    idp_subject: Option<String>,
    state: String,
    retires_at: Option<Timestamp>,
    created_at: Timestamp,
    activated_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    end_reason: Option<String>,
    provider_rights: Option<String>,
    provider_rights_at: Option<Timestamp>,
    provider_credential: Option<Vec<u8>>,
}

impl TryFrom<Row> for Credential {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row
                .id
                .parse()
                .map_err(|error| Error::corrupt("credentials.id", error))?,
            key_id: row
                .key_id
                .parse()
                .map_err(|error| Error::corrupt("credentials.key_id", error))?,
            user_name: user_name(&row.user_name)?,
            hint: row.hint,
            password_digest: password_digest(&row.password_digest)?,
            digest_generation: row.digest_generation,
            tag_generation: u8::try_from(row.tag_generation)
                .ok()
                .and_then(TagGeneration::new)
                .ok_or_else(|| Error::corrupt("credentials.tag_generation", "out of range"))?,
            provider_generation: row.provider_generation,
            subject: row.idp_subject,
            state: state(
                &row.state,
                row.retires_at,
                row.ended_at,
                row.end_reason.as_deref(),
            )?,
            provider_rights: provider_rights(
                row.provider_rights.as_deref(),
                row.provider_rights_at,
            )?,
            created_at: row.created_at.into(),
        })
    }
}

/// Reads the columns of a state.
pub(super) fn state(
    word: &str,
    retires_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    end_reason: Option<&str>,
) -> Result<CredentialState, Error> {
    let missing = || Error::corrupt("credentials.state", "a column of the state is missing");
    match word {
        "pending" => Ok(CredentialState::Pending),
        "active" => Ok(CredentialState::Active),
        "retiring" => Ok(CredentialState::Retiring {
            until: retires_at.ok_or_else(missing)?.into(),
        }),
        "ended" => Ok(CredentialState::Ended {
            at: ended_at.ok_or_else(missing)?.into(),
            reason: end_reason
                .ok_or_else(missing)?
                .parse()
                .map_err(|error| Error::corrupt("credentials.end_reason", error))?,
        }),
        _ => Err(Error::corrupt("credentials.state", "unknown")),
    }
}

/// Reads a digest column.
pub(super) fn password_digest(bytes: &[u8]) -> Result<PasswordDigest, Error> {
    <[u8; DIGEST_LENGTH]>::try_from(bytes)
        .map(PasswordDigest::new)
        .map_err(|error| Error::corrupt("credentials.password_digest", error))
}

/// Reads a user name column.
pub(super) fn user_name(text: &str) -> Result<UserName, Error> {
    UserName::parse(text).ok_or_else(|| Error::corrupt("credentials.user_name", "not a user name"))
}

/// Reads the columns of what a provider granted: `NULL` with a moment is "whatever our record grants".
pub(super) fn provider_rights(
    text: Option<&str>,
    at: Option<Timestamp>,
) -> Result<Option<ProviderRights>, Error> {
    let Some(at) = at else { return Ok(None) };
    let granted = match text {
        None => None,
        Some(text) => {
            let pairs: Vec<(ResourceIdentifier, ScopeToken)> =
                super::parse_json(text, "credentials.provider_rights")?;
            Some(pairs.into_iter().collect())
        }
    };
    Ok(Some(ProviderRights {
        granted,
        at: at.into(),
    }))
}

fn rights_text(permissions: &Permissions) -> String {
    let pairs: Vec<(&ResourceIdentifier, &ScopeToken)> = permissions
        .iter()
        .flat_map(|(resource, scopes)| scopes.iter().map(move |scope| (resource, scope)))
        .collect();
    super::json(&pairs)
}

/// Records a new generation.
pub fn insert(connection: &mut Connection, new: &Credential) -> Result<(), Error> {
    diesel::insert_into(credentials::table)
        .values((
            credentials::id.eq(new.id.as_str()),
            credentials::key_id.eq(new.key_id.as_str()),
            credentials::user_name.eq(new.user_name.as_str()),
            credentials::hint.eq(&new.hint),
            credentials::password_digest.eq(new.password_digest.as_bytes().to_vec()),
            credentials::digest_generation.eq(new.digest_generation),
            credentials::tag_generation.eq(i32::from(new.tag_generation.number())),
            credentials::provider_generation.eq(new.provider_generation),
            credentials::state.eq(new.state.as_str()),
            credentials::created_at.eq(Timestamp::from(new.created_at)),
        ))
        .execute(connection)?;
    Ok(())
}

/// The generation of this id.
pub fn find(connection: &mut Connection, id: &CredentialId) -> Result<Option<Credential>, Error> {
    let row: Option<Row> = credentials::table
        .find(id.as_str())
        .select(credentials::all_columns)
        .first(connection)
        .optional()?;
    row.map(Credential::try_from).transpose()
}

/// The generation of this user name.
pub fn find_by_user_name(
    connection: &mut Connection,
    name: &UserName,
) -> Result<Option<Credential>, Error> {
    let row: Option<Row> = credentials::table
        .filter(credentials::user_name.eq(name.as_str()))
        .select(credentials::all_columns)
        .first(connection)
        .optional()?;
    row.map(Credential::try_from).transpose()
}

/// Whether the user of any generation, dead ones included, has this subject at its provider.
pub fn is_subject_of_any(connection: &mut Connection, subject: &str) -> Result<bool, Error> {
    let ours = credentials::table.filter(credentials::idp_subject.eq(subject));
    Ok(diesel::select(diesel::dsl::exists(ours)).get_result(connection)?)
}

/// The generations of a key that have not ended, oldest first.
pub fn unended(connection: &mut Connection, key: &KeyId) -> Result<Vec<Credential>, Error> {
    let rows: Vec<Row> = credentials::table
        .filter(
            credentials::key_id
                .eq(key.as_str())
                .and(credentials::state.ne("ended")),
        )
        .select(credentials::all_columns)
        .order((credentials::created_at, credentials::id))
        .load(connection)?;
    rows.into_iter().map(Credential::try_from).collect()
}

/// The generations of several keys that have not ended.
pub fn unended_of(connection: &mut Connection, keys: &[&str]) -> Result<Vec<Credential>, Error> {
    let rows: Vec<Row> = credentials::table
        .filter(credentials::key_id.eq_any(keys.to_vec()))
        .filter(credentials::state.ne("ended"))
        .select(credentials::all_columns)
        .load(connection)?;
    rows.into_iter().map(Credential::try_from).collect()
}

/// The generations of several keys that are active or retiring.
pub fn of_keys(connection: &mut Connection, keys: &[&str]) -> Result<Vec<Credential>, Error> {
    let rows: Vec<Row> = credentials::table
        .filter(credentials::key_id.eq_any(keys.to_vec()))
        .filter(
            credentials::state
                .eq("active")
                .or(credentials::state.eq("retiring")),
        )
        .select(credentials::all_columns)
        .load(connection)?;
    rows.into_iter().map(Credential::try_from).collect()
}

/// The generations at a provider that have not ended, with what their keys hold.
pub fn live_at(
    connection: &mut Connection,
    provider: &ProviderName,
) -> Result<Vec<Credential>, Error> {
    let keys = api_keys::table
        .filter(api_keys::provider.eq(provider.as_str()))
        .select(api_keys::id);
    let rows: Vec<Row> = credentials::table
        .filter(credentials::key_id.eq_any(keys))
        .filter(credentials::state.ne("ended"))
        .select(credentials::all_columns)
        .order(credentials::id)
        .load(connection)?;
    rows.into_iter().map(Credential::try_from).collect()
}

/// Brings a pending generation to life, with its subject at the provider and what that made for it to sign in by. `false` if it is pending no more: undone, or its key revoked.
pub fn activate(
    connection: &mut Connection,
    id: &CredentialId,
    (subject, sealed): (&str, Option<&[u8]>),
    rights: &ProviderRights,
) -> Result<bool, Error> {
    let at = Timestamp::from(rights.at);
    let pending = credentials::table
        .find(id.as_str())
        .filter(credentials::state.eq("pending"));
    let rows = diesel::update(pending)
        .set((
            credentials::state.eq("active"),
            credentials::activated_at.eq(at),
            credentials::idp_subject.eq(subject),
            credentials::provider_credential.eq(sealed),
            credentials::provider_rights.eq(rights.granted.as_ref().map(rights_text)),
            credentials::provider_rights_at.eq(at),
        ))
        .execute(connection)?;
    Ok(rows == 1)
}

/// Writes a state that the domain came to.
pub fn set_state(
    connection: &mut Connection,
    id: &CredentialId,
    state: CredentialState,
) -> Result<(), Error> {
    let (retires_at, ended) = match state {
        CredentialState::Retiring { until } => (Some(Timestamp::from(until)), None),
        CredentialState::Ended { at, reason } => {
            (None, Some((Timestamp::from(at), reason.as_str())))
        }
        CredentialState::Pending | CredentialState::Active => (None, None),
    };
    diesel::update(credentials::table.find(id.as_str()))
        .set((
            credentials::state.eq(state.as_str()),
            credentials::retires_at.eq(retires_at),
            credentials::ended_at.eq(ended.map(|(at, _)| at)),
            credentials::end_reason.eq(ended.map(|(_, reason)| reason)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Notes what the provider grants the generations of a key that have not ended.
pub fn set_provider_rights(
    connection: &mut Connection,
    key: &KeyId,
    rights: &ProviderRights,
) -> Result<(), Error> {
    let live = credentials::table.filter(
        credentials::key_id
            .eq(key.as_str())
            .and(credentials::state.ne("ended")),
    );
    diesel::update(live)
        .set((
            credentials::provider_rights.eq(rights.granted.as_ref().map(rights_text)),
            credentials::provider_rights_at.eq(Timestamp::from(rights.at)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Notes what the provider grants a generation.
pub fn set_granted(
    connection: &mut Connection,
    id: &CredentialId,
    rights: &ProviderRights,
) -> Result<(), Error> {
    diesel::update(credentials::table.find(id.as_str()))
        .set((
            credentials::provider_rights.eq(rights.granted.as_ref().map(rights_text)),
            credentials::provider_rights_at.eq(Timestamp::from(rights.at)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Throws a generation away that was shown to nobody. `false` if it is pending no more.
pub fn delete_pending(connection: &mut Connection, id: &CredentialId) -> Result<bool, Error> {
    let pending = credentials::table
        .find(id.as_str())
        .filter(credentials::state.eq("pending"));
    Ok(diesel::delete(pending).execute(connection)? == 1)
}

/// Removes generations that ended before `moment` and that nothing is to be done for any more, at most `limit` at a time.
pub fn remove_ended_before(
    connection: &mut Connection,
    moment: jiff::Timestamp,
    limit: usize,
) -> Result<Vec<Credential>, Error> {
    let open = idp_operations::table
        .filter(idp_operations::done_at.is_null())
        .select(idp_operations::credential_id);
    let rows: Vec<Row> = credentials::table
        .filter(credentials::ended_at.lt(Timestamp::from(moment)))
        .filter(credentials::state.eq("ended"))
        .filter(credentials::id.ne_all(open))
        .select(credentials::all_columns)
        .limit(super::count(limit))
        .load(connection)?;
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    diesel::delete(credentials::table.filter(credentials::id.eq_any(ids))).execute(connection)?;
    rows.into_iter().map(Credential::try_from).collect()
}
