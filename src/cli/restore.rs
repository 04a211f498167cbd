//! `kagiya restore`: puts a backup in the place of the database.

use std::path::PathBuf;

use serde_json::json;

use super::{Failure, GlobalOptions, print, welcome};
use crate::app::restore::restore;
use crate::domain::clock::{Clock, SystemClock};

/// Puts a backup back, into a data folder without a database
///
/// The root secret that the backup was made under must be given, or lie in the folder. The backup is checked first; nothing is
/// overwritten, and never a folder that a server holds. What was changed after the backup was made is lost: keys made since do
/// not exist, and keys revoked or narrowed since are as they were. For SQLite; with PostgreSQL use pg_restore.
#[derive(Clone, Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_long_help = r#"Examples:
  kagiya restore /var/backups/kagiya-2026-11-23.backup --data-dir /var/lib/kagiya
  KAGIYA_ROOT_SECRET_FILE=/safe/root-secret kagiya restore kagiya.backup --force"#
)]
pub struct Options {
    /// The backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Keep a database that is there beside the restored one, under another name
    #[arg(long)]
    pub force: bool,
}

/// Restores.
///
/// # Errors
/// PostgreSQL, a folder in use or with a database, a damaged backup or one of a newer version, a root secret that does not fit.
pub fn run(options: &Options, globals: &GlobalOptions) -> Result<(), Failure> {
    let config = globals.config(Vec::new())?;
    let mut progress = print::Progress::new("% restored");
    let restored = restore(
        &config,
        &options.file,
        options.force,
        SystemClock.now(),
        |percent| progress.at(percent.into()),
    )?;
    drop(progress);
    let (contents, database) = (restored.contents, welcome::absolute(&restored.database));
    let kept = restored.kept.map(|kept| welcome::absolute(&kept));
    let newest = contents.newest_change.map(|at| at.to_string());
    let report = json!({
        "database": database,
        "deployment_id": contents.deployment.id.as_str(),
        "keys": contents.keys,
        "newest_change": newest,
        "pending_migrations": contents.pending,
        "kept": kept,
    });
    let newest = newest.unwrap_or_else(|| "its first start".to_owned());
    let mut rows = vec![
        ("database", database.display().to_string()),
        ("keys", contents.keys.to_string()),
        ("newest change", newest.clone()),
    ];
    if let Some(kept) = &kept {
        rows.push(("kept beside", kept.display().to_string()));
    }
    print::object(&report, globals.json, &rows)?;
    print::advice(&format!(
        "What was changed after {newest} is lost: keys made since do not exist; keys that were revoked, rotated or narrowed since \
         are as they were before. Revoke again what must not work, then let people in (docs/operations.md)."
    ));
    Ok(())
}
