//! The one row of the deployment: its id, its issuer, and the check value of its root secret (of two while it changes); and the
//! prefixes of its keys.

use diesel::prelude::*;

use super::connection::each;
use super::schema::{deployment, key_prefixes};
use super::{Connection, Error, Timestamp};
use crate::domain::id::DeploymentId;
use crate::domain::prefix::KeyPrefix;

/// What makes this deployment this one.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Its id: every user that it makes at a provider carries it.
    pub id: DeploymentId,
    /// The `iss` of its tokens.
    pub issuer: String,
    /// What its root secret must answer to.
    pub root_check: Vec<u8>,
    /// While the root secret changes: what the new one must answer to. Either opens everything then.
    pub next_root_check: Option<Vec<u8>>,
    /// Since when it exists.
    pub created_at: jiff::Timestamp,
}

/// The deployment, if the database holds one already.
pub fn find(connection: &mut Connection) -> Result<Option<Deployment>, Error> {
    type Row = (String, String, Vec<u8>, Option<Vec<u8>>, Timestamp);
    let columns = (
        deployment::id,
        deployment::issuer,
        deployment::root_check,
        deployment::next_root_check,
        deployment::created_at,
    );
    let row: Option<Row> = deployment::table
        .select(columns)
        .first(connection)
        .optional()?;
    let parse = |(id, issuer, root_check, next_root_check, created_at): Row| {
        let id = id
            .parse()
            .map_err(|error| Error::corrupt("deployment.id", error))?;
        Ok(Deployment {
            id,
            issuer,
            root_check,
            next_root_check,
            created_at: created_at.into(),
        })
    };
    row.map(parse).transpose()
}

/// Records the deployment at its first start.
pub fn insert(connection: &mut Connection, new: &Deployment) -> Result<(), Error> {
    diesel::insert_into(deployment::table)
        .values((
            deployment::id.eq(new.id.as_str()),
            deployment::issuer.eq(&new.issuer),
            deployment::root_check.eq(&new.root_check),
            deployment::next_root_check.eq(&new.next_root_check),
            deployment::epoch.eq(0),
            deployment::created_at.eq(Timestamp::from(new.created_at)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Records another issuer, which the operator accepted.
pub fn set_issuer(connection: &mut Connection, issuer: &str) -> Result<(), Error> {
    diesel::update(deployment::table)
        .set(deployment::issuer.eq(issuer))
        .execute(connection)?;
    Ok(())
}

/// Lets no other transaction that takes this lock go on until this one ends: changes of secrets come one after the other. SQLite has one
/// writer anyway.
pub fn lock(connection: &mut Connection) -> Result<(), Error> {
    if connection.has_one_writer() {
        return Ok(());
    }
    diesel::update(deployment::table)
        .set(deployment::epoch.eq(deployment::epoch))
        .execute(connection)?;
    Ok(())
}

/// Records what root secrets open the database: this one, and beside it a new one while it changes.
pub fn set_root_checks(
    connection: &mut Connection,
    check: &[u8],
    next: Option<&[u8]>,
) -> Result<(), Error> {
    diesel::update(deployment::table)
        .set((
            deployment::root_check.eq(check.to_vec()),
            deployment::next_root_check.eq(next.map(<[u8]>::to_vec)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Records that keys are made with this prefix from now on; knowing it already is fine. All that keys were ever made with.
pub fn use_prefix(
    connection: &mut Connection,
    prefix: &KeyPrefix,
    now: jiff::Timestamp,
) -> Result<Vec<KeyPrefix>, Error> {
    let known: Vec<String> = key_prefixes::table
        .select(key_prefixes::prefix)
        .load(connection)?;
    if !known.iter().any(|known| known == prefix.as_str()) {
        let new = (
            key_prefixes::prefix.eq(prefix.as_str()),
            key_prefixes::created_at.eq(Timestamp::from(now)),
        );
        // Another node that starts at the same moment may be faster.
        each!(connection, |inner| diesel::insert_into(key_prefixes::table)
            .values(new)
            .on_conflict_do_nothing()
            .execute(inner))?;
    }
    parse_prefixes(known)
}

/// All prefixes that keys were ever made with.
pub fn prefixes(connection: &mut Connection) -> Result<Vec<KeyPrefix>, Error> {
    parse_prefixes(
        key_prefixes::table
            .select(key_prefixes::prefix)
            .load(connection)?,
    )
}

fn parse_prefixes(known: Vec<String>) -> Result<Vec<KeyPrefix>, Error> {
    let parse = |text: String| {
        text.parse()
            .map_err(|error| Error::corrupt("key_prefixes.prefix", error))
    };
    known.into_iter().map(parse).collect()
}

/// Writes the row and leaves it as it is, to see whether writing works. There and back: SQLite does not write what is equal.
pub fn touch(connection: &mut Connection) -> Result<(), Error> {
    for step in [1_i64, -1] {
        diesel::update(deployment::table)
            .set(deployment::epoch.eq(deployment::epoch + step))
            .execute(connection)?;
    }
    Ok(())
}

/// How many changes that can alter an answer there have been.
pub fn epoch(connection: &mut Connection) -> Result<i64, Error> {
    Ok(deployment::table
        .select(deployment::epoch)
        .first(connection)?)
}
