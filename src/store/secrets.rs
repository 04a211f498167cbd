//! kagiya's own secrets, sealed under the root.

use diesel::prelude::*;

use super::schema::secrets;
use super::{Connection, Error, Timestamp};
use crate::domain::purpose::{SecretPurpose, SecretState};

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
}

/// All of them, by purpose and number.
pub fn all(connection: &mut Connection) -> Result<Vec<StoredSecret>, Error> {
    type Row = (String, i32, String, Vec<u8>);
    let rows: Vec<Row> = secrets::table
        .select((
            secrets::purpose,
            secrets::generation,
            secrets::state,
            secrets::sealed,
        ))
        .order((secrets::purpose, secrets::generation))
        .load(connection)?;
    let parse = |(purpose, generation, state, sealed): Row| {
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
            sealed,
        })
    };
    rows.into_iter().map(parse).collect()
}

/// Records a new generation.
pub fn insert(
    connection: &mut Connection,
    new: &StoredSecret,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    let now = Timestamp::from(now);
    diesel::insert_into(secrets::table)
        .values((
            secrets::purpose.eq(new.purpose.as_str()),
            secrets::generation.eq(new.generation),
            secrets::state.eq(new.state.as_str()),
            secrets::sealed.eq(&new.sealed),
            secrets::created_at.eq(now),
            secrets::changed_at.eq(now),
        ))
        .execute(connection)?;
    Ok(())
}
