//! The schema's versions: embedded, one directory for each database, the same stamps and names in both.
//!
//! `migrations/README.md` says how a version is added so that old and new programs can share a database.

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::Connection;
use super::connection::{self, Purpose, Target};
use super::error::{Cause, Error, Reason};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

type Backend = <Connection as diesel::Connection>::Backend;

/// Any number that no other program of the same database uses: two nodes that start together migrate one after the other.
const MIGRATE_ALONE: &str = "SELECT pg_advisory_lock(7813480412276431)";

/// Brings the schema up to this program's version; the names of what was applied.
pub(super) fn run(target: &Target) -> Result<Vec<String>, Error> {
    alone(target, |connection, source| {
        Ok(names(connection.run_pending_migrations(source)?))
    })
}

/// What [`run`] would apply.
pub(super) fn pending(target: &Target) -> Result<Vec<String>, Error> {
    alone(target, |connection, source| {
        let pending = connection.pending_migrations(source)?;
        Ok(pending
            .iter()
            .map(|migration| migration.name().to_string())
            .collect())
    })
}

/// What was applied and is not known here.
pub(super) fn unknown_in(target: &Target) -> Result<Vec<String>, Error> {
    unknown(&mut target.connect(Purpose::Migration)?)
}

/// What [`run`] would apply to the SQLite database of this connection.
pub(super) fn pending_on(connection: &mut Connection) -> Result<Vec<String>, Error> {
    let pending = connection
        .pending_migrations(SQLITE)
        .map_err(Error::query)?;
    Ok(pending
        .iter()
        .map(|migration| migration.name().to_string())
        .collect())
}

/// The versions that were applied and that this program does not know: a newer one made them.
pub(super) fn unknown(connection: &mut Connection) -> Result<Vec<String>, Error> {
    let known: Vec<Box<dyn Migration<Backend>>> =
        MigrationSource::<Backend>::migrations(&SQLITE).map_err(Error::query)?;
    let applied = connection.applied_migrations().map_err(Error::query)?;
    let is_known = |version: &MigrationVersion<'_>| {
        known
            .iter()
            .any(|migration| migration.name().version() == *version)
    };
    Ok(names(
        applied
            .into_iter()
            .filter(|version| !is_known(version))
            .collect(),
    ))
}

/// Takes every version back, the newest first, and with them all data.
pub(super) fn revert(target: &Target) -> Result<Vec<String>, Error> {
    alone(target, |connection, source| {
        Ok(names(connection.revert_all_migrations(source)?))
    })
}

/// Opens a connection that is fit for it, closes it afterwards, and lets no other node migrate meanwhile.
fn alone(
    target: &Target,
    change: impl FnOnce(&mut Connection, EmbeddedMigrations) -> Result<Vec<String>, Cause>,
) -> Result<Vec<String>, Error> {
    let mut connection = target.connect(Purpose::Migration)?;
    let source = match target.backend() {
        connection::Backend::Postgres => {
            connection.batch_execute(MIGRATE_ALONE)?;
            POSTGRES
        }
        connection::Backend::Sqlite => SQLITE,
    };
    let changed = change(&mut connection, source).map_err(Error::query)?;
    // Only then: it reads every row, and a start of a million keys would wait for it.
    if target.backend() == connection::Backend::Sqlite && !changed.is_empty() {
        no_dangling_references(&mut connection)?;
    }
    Ok(changed)
}

/// Makes up for what [`Purpose::Migration`] leaves off.
pub(super) fn no_dangling_references(connection: &mut Connection) -> Result<(), Error> {
    let dangling: i64 = diesel::select(sql::<BigInt>(
        "(SELECT count(*) FROM pragma_foreign_key_check)",
    ))
    .get_result(connection)?;
    if dangling > 0 {
        return Err(Reason::DanglingReferences.into());
    }
    Ok(())
}

fn names(versions: Vec<MigrationVersion<'_>>) -> Vec<String> {
    versions.iter().map(ToString::to_string).collect()
}
