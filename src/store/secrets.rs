//! kagiya's own secrets, sealed under the root, and what still needs each of them.

use diesel::dsl::{count, count_star, sql};
use diesel::prelude::*;
use diesel::sql_types::Binary;

use super::schema::{
    api_keys, application_secrets, credentials, idempotency, secrets, signing_keys,
};
use super::{Connection, Error, Place, Timestamp};
use crate::domain::credential::Credential;
use crate::domain::id::{KeyId, OrganizationId};
use crate::domain::purpose::{SecretPurpose, SecretState};
use crate::domain::sealed::head_generation;

/// One generation of one purpose's secret.
#[derive(Clone, Debug)]
pub struct StoredSecret {
    /// What it is for.
    pub purpose: SecretPurpose,
    /// Its number, from 0.
    pub generation: i32,
    /// Its state.
    pub state: SecretState,
    /// The secret, sealed.
    pub sealed: Vec<u8>,
    /// While the root secret changes: the same, sealed under the new one.
    pub next_sealed: Option<Vec<u8>>,
    /// Since when it is on record.
    pub created_at: jiff::Timestamp,
    /// Since when it is in its state.
    pub changed_at: jiff::Timestamp,
}

/// All of them, by purpose and number. One statement, so that all are of one moment.
pub fn all(connection: &mut Connection) -> Result<Vec<StoredSecret>, Error> {
    type Row = (
        (String, i32, String),
        (Vec<u8>, Option<Vec<u8>>),
        (Timestamp, Timestamp),
    );
    let rows: Vec<Row> = secrets::table
        .select((
            (secrets::purpose, secrets::generation, secrets::state),
            (secrets::sealed, secrets::next_sealed),
            (secrets::created_at, secrets::changed_at),
        ))
        .order((secrets::purpose, secrets::generation))
        .load(connection)?;
    let parse = |((purpose, generation, state), sealed, at): Row| {
        let purpose = purpose
            .parse()
            .map_err(|error| Error::corrupt("secrets.purpose", error))?;
        let state = state
            .parse()
            .map_err(|error| Error::corrupt("secrets.state", error))?;
        Ok(StoredSecret {
            purpose,
            generation,
            state,
            sealed: sealed.0,
            next_sealed: sealed.1,
            created_at: at.0.into(),
            changed_at: at.1.into(),
        })
    };
    rows.into_iter().map(parse).collect()
}

/// Records a new generation.
pub fn insert(connection: &mut Connection, new: &StoredSecret) -> Result<(), Error> {
    diesel::insert_into(secrets::table)
        .values((
            secrets::purpose.eq(new.purpose.as_str()),
            secrets::generation.eq(new.generation),
            secrets::state.eq(new.state.as_str()),
            secrets::sealed.eq(&new.sealed),
            secrets::next_sealed.eq(&new.next_sealed),
            secrets::created_at.eq(Timestamp::from(new.created_at)),
            secrets::changed_at.eq(Timestamp::from(new.changed_at)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Takes a generation from the state that it was read in to another. `false` if it is not in that state any more.
pub fn set_state(
    connection: &mut Connection,
    secret: &StoredSecret,
    state: SecretState,
    now: jiff::Timestamp,
) -> Result<bool, Error> {
    let row = secrets::table
        .find((secret.purpose.as_str(), secret.generation))
        .filter(secrets::state.eq(secret.state.as_str()));
    let rows = diesel::update(row)
        .set((
            secrets::state.eq(state.as_str()),
            secrets::changed_at.eq(Timestamp::from(now)),
        ))
        .execute(connection)?;
    Ok(rows == 1)
}

/// Writes what a generation is sealed with.
pub fn set_sealed(connection: &mut Connection, secret: &StoredSecret) -> Result<(), Error> {
    diesel::update(secrets::table.find((secret.purpose.as_str(), secret.generation)))
        .set((
            secrets::sealed.eq(&secret.sealed),
            secrets::next_sealed.eq(&secret.next_sealed),
        ))
        .execute(connection)?;
    Ok(())
}

/// Drops a generation.
pub fn remove(connection: &mut Connection, secret: &StoredSecret) -> Result<(), Error> {
    diesel::delete(secrets::table.find((secret.purpose.as_str(), secret.generation)))
        .execute(connection)?;
    Ok(())
}

/// Makes sure that a new generation of a key is made with secrets that are still there and may still be used: current ones, or ones
/// that stopped being so after `since`. To be called in the transaction that records it.
///
/// # Errors
/// [`Error::Unavailable`], if one was replaced longer ago and this node has not noticed.
pub fn require_usable(
    connection: &mut Connection,
    credential: &Credential,
    since: jiff::Timestamp,
) -> Result<(), Error> {
    let wanted = [
        (
            SecretPurpose::Tag,
            i32::from(credential.tag_generation.number()),
        ),
        (SecretPurpose::Digest, credential.digest_generation),
        (SecretPurpose::Provider, credential.provider_generation),
    ];
    let usable: Vec<(String, i32)> = secrets::table
        .filter(
            secrets::state
                .eq("current")
                .or(secrets::changed_at.ge(Timestamp::from(since))),
        )
        .select((secrets::purpose, secrets::generation))
        .load(connection)?;
    let is_usable = |wanted: &(SecretPurpose, i32)| {
        usable.iter().any(|(purpose, generation)| {
            (purpose.as_str(), *generation) == (wanted.0.as_str(), wanted.1)
        })
    };
    if wanted.iter().all(is_usable) {
        Ok(())
    } else {
        Err(Error::unavailable(
            "this node has not noticed yet that a secret was replaced",
        ))
    }
}

/// The same for a digest that is made of something else than a key.
///
/// # Errors
/// As [`require_usable`].
pub fn require_usable_digest(
    connection: &mut Connection,
    generation: i32,
    since: jiff::Timestamp,
) -> Result<(), Error> {
    let usable = secrets::table
        .find((SecretPurpose::Digest.as_str(), generation))
        .filter(
            secrets::state
                .eq("current")
                .or(secrets::changed_at.ge(Timestamp::from(since))),
        );
    if diesel::select(diesel::dsl::exists(usable)).get_result(connection)? {
        Ok(())
    } else {
        Err(Error::unavailable(
            "this node has not noticed yet that a secret was replaced",
        ))
    }
}

/// What needs each generation: for tag, digest and provider the keys with a generation that has not ended, for digest the secrets of applications
/// too, for sealing what is sealed
/// with it, for audit the chains of the trail. Cookies are needed by nothing yet. Whoever seals something new in a table of its own counts it here.
pub fn needs(
    connection: &mut Connection,
    purpose: SecretPurpose,
    now: jiff::Timestamp,
) -> Result<Vec<(i32, i64)>, Error> {
    let live = credentials::table.filter(credentials::state.ne("ended"));
    let keys = count(credentials::key_id).aggregate_distinct();
    match purpose {
        SecretPurpose::Tag => Ok(live
            .group_by(credentials::tag_generation)
            .select((credentials::tag_generation, keys))
            .load(connection)?),
        SecretPurpose::Digest => {
            let by_keys: Vec<(i32, i64)> = live
                .group_by(credentials::digest_generation)
                .select((credentials::digest_generation, keys))
                .load(connection)?;
            let lives =
                application_secrets::expires_at
                    .is_null()
                    .or(application_secrets::expires_at
                        .gt(Timestamp::from(now))
                        .assume_not_null());
            let by_clients: Vec<(i32, i64)> = application_secrets::table
                .filter(lives)
                .group_by(application_secrets::digest_generation)
                .select((application_secrets::digest_generation, count_star()))
                .load(connection)?;
            Ok(summed(by_keys.into_iter().chain(by_clients)))
        }
        SecretPurpose::Provider => Ok(live
            .group_by(credentials::provider_generation)
            .select((credentials::provider_generation, keys))
            .load(connection)?),
        SecretPurpose::Sealing => sealed_things(connection, now),
        SecretPurpose::Audit => super::audit_chains::by_generation(connection),
        SecretPurpose::Cookies => Ok(Vec::new()),
    }
}

/// The head of a sealed blob says its generation, counted from 1.
fn sealed_things(
    connection: &mut Connection,
    now: jiff::Timestamp,
) -> Result<Vec<(i32, i64)>, Error> {
    let mut heads: Vec<(Vec<u8>, i64)> = signing_keys::table
        .group_by(sql::<Binary>("substr(sealed, 1, 5)"))
        .select((sql::<Binary>("substr(sealed, 1, 5)"), count_star()))
        .load(connection)?;
    let answers: Vec<(Vec<u8>, i64)> = idempotency::table
        .filter(idempotency::sealed_answer.is_not_null())
        // What has expired is answered no more.
        .filter(idempotency::expires_at.gt(Timestamp::from(now)))
        .group_by(sql::<Binary>("substr(sealed_answer, 1, 5)"))
        .select((sql::<Binary>("substr(sealed_answer, 1, 5)"), count_star()))
        .load(connection)?;
    heads.extend(answers);
    // What a provider made for a user to sign in by is needed as long as its generation is.
    let credentials: Vec<(Vec<u8>, i64)> = credentials::table
        .filter(credentials::provider_credential.is_not_null())
        .filter(credentials::state.ne("ended"))
        .group_by(sql::<Binary>("substr(provider_credential, 1, 5)"))
        .select((
            sql::<Binary>("substr(provider_credential, 1, 5)"),
            count_star(),
        ))
        .load(connection)?;
    heads.extend(credentials);
    let mut counts = Vec::new();
    for (head, count) in heads {
        let number =
            head_generation(&head).map_err(|error| Error::corrupt("a sealed column", error))?;
        counts.push((i32::try_from(number).unwrap_or(i32::MAX) - 1, count));
    }
    Ok(summed(counts.into_iter()))
}

/// The counts of each generation as one.
fn summed(counts: impl Iterator<Item = (i32, i64)>) -> Vec<(i32, i64)> {
    let mut needs: Vec<(i32, i64)> = Vec::new();
    for (generation, count) in counts {
        match needs.iter_mut().find(|(known, _)| *known == generation) {
            Some((_, sum)) => *sum += count,
            None => needs.push((generation, count)),
        }
    }
    needs
}

/// A key that is still on some generation of a secret.
#[derive(Clone, Debug)]
pub struct KeyOn {
    /// The key.
    pub id: KeyId,
    /// Its tenant.
    pub organization_id: OrganizationId,
    /// What people call it.
    pub name: String,
    /// Since when it exists.
    pub created_at: jiff::Timestamp,
}

/// The keys that need this generation of tag, digest or provider, newest first; none for the other purposes.
pub fn keys_on(
    connection: &mut Connection,
    (purpose, generation): (SecretPurpose, i32),
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<KeyOn>, Error> {
    let live = credentials::table
        .filter(credentials::state.ne("ended"))
        .select(credentials::key_id);
    let mut statement = api_keys::table
        .select((
            api_keys::id,
            api_keys::organization_id,
            api_keys::name,
            api_keys::created_at,
        ))
        .order((api_keys::created_at.desc(), api_keys::id.desc()))
        .limit(super::count(limit))
        .into_boxed();
    statement = match purpose {
        SecretPurpose::Tag => statement
            .filter(api_keys::id.eq_any(live.filter(credentials::tag_generation.eq(generation)))),
        SecretPurpose::Digest => statement.filter(
            api_keys::id.eq_any(live.filter(credentials::digest_generation.eq(generation))),
        ),
        SecretPurpose::Provider => statement.filter(
            api_keys::id.eq_any(live.filter(credentials::provider_generation.eq(generation))),
        ),
        SecretPurpose::Sealing | SecretPurpose::Cookies | SecretPurpose::Audit => {
            return Ok(Vec::new());
        }
    };
    if let Some(place) = after {
        let at = Timestamp::from(place.at);
        statement = statement.filter(
            api_keys::created_at.lt(at).or(api_keys::created_at
                .eq(at)
                .and(api_keys::id.lt(place.id.clone()))),
        );
    }
    let rows: Vec<(String, String, String, Timestamp)> = statement.load(connection)?;
    let parse = |(id, organization, name, created_at): (String, String, String, Timestamp)| {
        Ok(KeyOn {
            id: id
                .parse()
                .map_err(|error| Error::corrupt("api_keys.id", error))?,
            organization_id: organization
                .parse()
                .map_err(|error| Error::corrupt("api_keys.organization_id", error))?,
            name,
            created_at: created_at.into(),
        })
    };
    rows.into_iter().map(parse).collect()
}
