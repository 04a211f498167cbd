//! `kagiya backup`: a copy of the database, beside a running server or without one.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Failure, GlobalOptions, operator, print, welcome};
use crate::config::{Config, DatabaseUrl};
use crate::store::backup;

/// Copies the database to a new file, while the server serves
///
/// The copy is what one moment of the database held; it is checked before it has its name. It does not hold the root secret:
/// keep that in another place, since whoever has both has everything, and without it no backup can be opened.
/// For SQLite; with PostgreSQL use pg_dump.
#[derive(Clone, Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_long_help = r#"Examples:
  kagiya backup /var/backups/kagiya-$(date +%F).backup
  kagiya backup --data-dir /var/lib/kagiya --json /var/backups/kagiya.backup"#
)]
pub struct Options {
    /// The file to make; one that is there is not overwritten
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Copies.
///
/// # Errors
/// PostgreSQL, no database, a file that is there already, a full disk, a damaged database.
pub fn run(options: &Options, globals: &GlobalOptions) -> Result<(), Failure> {
    let config = globals.config(Vec::new())?;
    let DatabaseUrl::Sqlite(database) = config.database.url() else {
        return Err(refuse_postgres());
    };
    operator::refuse_missing_database(&config)?;
    let mut progress = print::Progress::new("% copied");
    let contents = backup::write(&database, &options.file, |percent| {
        progress.at(percent.into());
    })?;
    drop(progress);
    let file = welcome::absolute(&options.file);
    let newest = contents.newest_change.map(|at| at.to_string());
    let report = json!({
        "file": file,
        "bytes": contents.bytes,
        "deployment_id": contents.deployment.id.as_str(),
        "keys": contents.keys,
        "newest_change": newest,
    });
    let rows = [
        ("backup", file.display().to_string()),
        ("keys", contents.keys.to_string()),
        ("newest change", newest.unwrap_or_else(|| "-".to_owned())),
    ];
    print::object(&report, globals.json, &rows)?;
    print::advice(&about_root_secret(&config));
    Ok(())
}

/// The refusal for a database that is no file.
fn refuse_postgres() -> Failure {
    Failure::Refused {
        code: "not_sqlite".to_owned(),
        detail: "kagiya backup copies SQLite databases: with PostgreSQL use pg_dump (pg_dump --format=custom), which copies \
                 consistently while kagiya serves; keep the root secret apart from it"
            .to_owned(),
    }
}

fn about_root_secret(config: &Config) -> String {
    let place: Option<&Path> = config.secrets.root_secret_file.as_deref();
    let place = match (place, &config.secrets.root_secret) {
        (Some(file), _) => format!(" ({})", welcome::absolute(file).display()),
        (None, Some(_)) => String::new(),
        (None, None) => {
            let file = crate::app::root_secret::path(&config.database.data_dir);
            format!(" ({})", welcome::absolute(&file).display())
        }
    };
    format!(
        "The root secret{place} is not in the backup. Keep a copy of it in another place: whoever has both has everything, and \
         without it the backup cannot be opened."
    )
}
