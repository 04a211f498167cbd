//! The keys that tokens are signed with; their private halves sealed.

use diesel::prelude::*;

use super::schema::signing_keys;
use super::{Connection, Error, Timestamp};
use crate::domain::algorithm::SigningAlgorithm;

/// A signing key as it is on record.
#[derive(Clone, Debug)]
pub struct StoredSigningKey {
    /// Its id in the JWK set.
    pub kid: String,
    /// How it signs.
    pub algorithm: SigningAlgorithm,
    /// `next`, `active`, `retired` or `withdrawn`.
    pub state: String,
    /// Its public half, a JWK (RFC 7517).
    pub public_jwk: String,
    /// Its private half, PKCS#8, sealed.
    pub sealed: Vec<u8>,
    /// Since when it is in the set.
    pub created_at: jiff::Timestamp,
    /// Since when it signs or signed.
    pub activated_at: Option<jiff::Timestamp>,
    /// Since when it signs no more.
    pub retired_at: Option<jiff::Timestamp>,
    /// From when it is out of the set.
    pub remove_at: Option<jiff::Timestamp>,
}

type Row = (
    (String, String, String, String, Vec<u8>),
    (
        Timestamp,
        Option<Timestamp>,
        Option<Timestamp>,
        Option<Timestamp>,
    ),
);

/// All of them, oldest first.
pub fn all(connection: &mut Connection) -> Result<Vec<StoredSigningKey>, Error> {
    let rows: Vec<Row> = signing_keys::table
        .select((
            (
                signing_keys::kid,
                signing_keys::alg,
                signing_keys::state,
                signing_keys::public_jwk,
                signing_keys::sealed,
            ),
            (
                signing_keys::created_at,
                signing_keys::activated_at,
                signing_keys::retired_at,
                signing_keys::remove_at,
            ),
        ))
        .order((signing_keys::created_at, signing_keys::kid))
        .load(connection)?;
    let parse =
        |((kid, alg, state, public_jwk, sealed), (created, activated, retired, remove)): Row| {
            Ok(StoredSigningKey {
                kid,
                algorithm: alg
                    .parse()
                    .map_err(|error| Error::corrupt("signing_keys.alg", error))?,
                state,
                public_jwk,
                sealed,
                created_at: created.into(),
                activated_at: activated.map(Into::into),
                retired_at: retired.map(Into::into),
                remove_at: remove.map(Into::into),
            })
        };
    rows.into_iter().map(parse).collect()
}

/// Records a new key.
pub fn insert(connection: &mut Connection, new: &StoredSigningKey) -> Result<(), Error> {
    diesel::insert_into(signing_keys::table)
        .values((
            signing_keys::kid.eq(&new.kid),
            signing_keys::alg.eq(new.algorithm.as_str()),
            signing_keys::state.eq(&new.state),
            signing_keys::public_jwk.eq(&new.public_jwk),
            signing_keys::sealed.eq(&new.sealed),
            signing_keys::created_at.eq(Timestamp::from(new.created_at)),
            signing_keys::activated_at.eq(new.activated_at.map(Timestamp::from)),
            signing_keys::retired_at.eq(new.retired_at.map(Timestamp::from)),
            signing_keys::remove_at.eq(new.remove_at.map(Timestamp::from)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Writes what a key's private part is sealed with.
pub fn set_sealed(connection: &mut Connection, kid: &str, sealed: &[u8]) -> Result<(), Error> {
    diesel::update(signing_keys::table.find(kid))
        .set(signing_keys::sealed.eq(sealed.to_vec()))
        .execute(connection)?;
    Ok(())
}

/// Where a key goes and which moment that sets.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// `next` → `active`.
    Activate {
        /// Since when it signs.
        at: jiff::Timestamp,
    },
    /// `active` → `retired`.
    Retire {
        /// Since when it signs no more.
        at: jiff::Timestamp,
        /// From when it is out of the set.
        remove_at: jiff::Timestamp,
    },
    /// From any state but the end → `withdrawn`.
    Withdraw {
        /// Since when it signs no more.
        at: jiff::Timestamp,
    },
    /// The row goes, with the private key in it; only from this state.
    Remove {
        /// `retired`, or `next` where a rotation made it needless.
        from: &'a str,
    },
}

/// Takes the step if the key is still where the step starts; whether it was. Two nodes that take the same step at once do it once.
pub fn take(connection: &mut Connection, kid: &str, step: Step<'_>) -> Result<bool, Error> {
    let row = signing_keys::table.find(kid);
    let rows = match step {
        Step::Activate { at } => diesel::update(row.filter(signing_keys::state.eq("next")))
            .set((
                signing_keys::state.eq("active"),
                signing_keys::activated_at.eq(Timestamp::from(at)),
            ))
            .execute(connection)?,
        Step::Retire { at, remove_at } => {
            diesel::update(row.filter(signing_keys::state.eq("active")))
                .set((
                    signing_keys::state.eq("retired"),
                    signing_keys::retired_at.eq(Timestamp::from(at)),
                    signing_keys::remove_at.eq(Timestamp::from(remove_at)),
                ))
                .execute(connection)?
        }
        Step::Withdraw { at } => diesel::update(row.filter(signing_keys::state.ne("withdrawn")))
            .set((
                signing_keys::state.eq("withdrawn"),
                signing_keys::retired_at.eq(Timestamp::from(at)),
            ))
            .execute(connection)?,
        Step::Remove { from } => {
            diesel::delete(row.filter(signing_keys::state.eq(from.to_owned())))
                .execute(connection)?
        }
    };
    Ok(rows == 1)
}
