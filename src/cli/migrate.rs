//! `kagiya migrate`: brings the tables of the database up to this version.

use serde_json::json;

use super::{Failure, GlobalOptions, node, operator, print};
use crate::app::{self, DataFolder};
use crate::config::{Config, DatabaseUrl};
use crate::domain::random::SystemRandom;

/// Brings the database up to this version
///
/// `kagiya serve` does the same at its start. Run this first where the server may not change tables, or to do it at a time of
/// your choice.
#[derive(Clone, Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_long_help = r#"Examples:
  kagiya migrate --dry-run
  kagiya migrate --database-url sqlite:/var/lib/kagiya/kagiya.db"#
)]
pub struct Options {
    /// Only say what is to be done
    #[arg(long)]
    pub dry_run: bool,
}

/// Migrates, or says what would be done.
///
/// # Errors
/// A database that does not answer, or a SQLite database that a server holds.
pub fn run(options: &Options, globals: &GlobalOptions) -> Result<(), Failure> {
    let config = globals.config(Vec::new())?;
    if options.dry_run {
        return look(&config, globals);
    }
    // With SQLite one process at a time; a first start without a root secret could not be made up for later.
    let held = match config.database.url() {
        DatabaseUrl::Postgres(_) => None,
        DatabaseUrl::Sqlite(_) => {
            let folder = DataFolder::hold(&config.database.data_dir)?;
            folder.root_secret(&config, &SystemRandom)?;
            Some(folder)
        }
    };
    let applied = node::block_on(async {
        let store = app::open_store(&config)?;
        let applied = store.migrate()?;
        store.close().await;
        Ok(applied)
    })?;
    drop(held);
    if globals.json {
        return print::json(&json!({ "applied": applied }));
    }
    if applied.is_empty() {
        return print::line("The database is up to date.");
    }
    for migration in &applied {
        print::line(&format!("applied {migration}"))?;
    }
    Ok(())
}

fn look(config: &Config, globals: &GlobalOptions) -> Result<(), Failure> {
    let is_new = !operator::database_is_there(config);
    let pending = if is_new {
        Vec::new()
    } else {
        node::block_on(async {
            let store = app::open_store(config)?;
            let pending = store.pending_migrations()?;
            store.close().await;
            Ok(pending)
        })?
    };
    if globals.json {
        return print::json(&json!({ "pending": pending, "new_database": is_new }));
    }
    if is_new {
        return print::line("There is no database yet: all of it is to be made.");
    }
    if pending.is_empty() {
        return print::line("The database is up to date.");
    }
    for migration in &pending {
        print::line(&format!("to be applied: {migration}"))?;
    }
    Ok(())
}
