//! The schema's versions: embedded, one directory for each database, the same stamps and names in both.
//!
//! `migrations/README.md` says how a version is added so that old and new programs can share a database.

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::migration::MigrationVersion;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::Connection;
use super::connection::{Backend, Purpose, Target};
use super::error::{Cause, Error, Reason};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

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
        Backend::Postgres => {
            connection.batch_execute(MIGRATE_ALONE)?;
            POSTGRES
        }
        Backend::Sqlite => SQLITE,
    };
    let changed = change(&mut connection, source).map_err(Error::query)?;
    if target.backend() == Backend::Sqlite {
        no_dangling_references(&mut connection)?;
    }
    Ok(changed)
}

/// Makes up for what [`Purpose::Migration`] leaves off.
fn no_dangling_references(connection: &mut Connection) -> Result<(), Error> {
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
