//! Puts a backup in the place of the database of a data folder.
//!
//! Nothing is overwritten: a database that is there stays beside the new one, under another name. The folder is held meanwhile, so
//! no server runs on it. The copy is checked, against its hash and against the root secret, before anything that is there is
//! touched; a crash in the middle leaves either the old database, or a mark that keeps a server from starting on half of the two.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use thiserror::Error as ThisError;

use super::data_folder::{DataFolder, FolderError};
use super::root_secret;
use crate::config::{Config, DatabaseUrl};
use crate::store::backup::{self, BackupError, Contents, beside};

/// A checked copy whose place is being made: as long as it is there, what has the database's name may be half of the old one.
const READY: &str = ".restored";

/// What was put back.
#[derive(Debug)]
pub struct Restored {
    /// What it holds.
    pub contents: Contents,
    /// The database.
    pub database: PathBuf,
    /// Where the one is that was there before.
    pub kept: Option<PathBuf>,
}

/// Why nothing was put back.
#[derive(Debug, ThisError)]
pub enum RestoreError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A database is there.
    #[error(
        "there is a database at {0}: restore into an empty folder, or keep that one beside the new with --force"
    )]
    Occupied(PathBuf),
    /// The root secret is not where it must be.
    #[error(
        "a backup does not hold the root secret, and without it nothing in it can be opened: put the one that the backup was \
         made under at {0} (mode 0600), or give it by KAGIYA_ROOT_SECRET or KAGIYA_ROOT_SECRET_FILE"
    )]
    NoRootSecret(PathBuf),
    /// Another root secret.
    #[error("the root secret is not the one that this backup was made under")]
    WrongRootSecret,
    /// Not a file.
    #[error("backup and restore are for SQLite: with PostgreSQL use pg_dump and pg_restore")]
    NotSqlite,
    /// The system refuses.
    #[error("{path} cannot be used")]
    System {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Puts `backup` in place. With `force` a database that is there is kept under another name, made of `now`. Blocks.
///
/// # Errors
/// See [`RestoreError`].
pub fn restore(
    config: &Config,
    backup: &Path,
    force: bool,
    now: Timestamp,
    progress: impl FnMut(u8),
) -> Result<Restored, RestoreError> {
    let DatabaseUrl::Sqlite(database) = config.database.url() else {
        return Err(RestoreError::NotSqlite);
    };
    let folder = DataFolder::hold(&config.database.data_dir)?;
    let occupied = parts(&database).iter().any(|part| part.exists());
    if occupied && !force {
        return Err(RestoreError::Occupied(database));
    }
    let root = root_secret::read(config)?
        .ok_or_else(|| RestoreError::NoRootSecret(root_secret::path(&config.database.data_dir)))?;
    let unpacked = beside(&database, ".restoring");
    let contents = backup::unpack(backup, &unpacked, progress)?;
    if !root.matches(&contents.deployment.root_check) {
        remove(&unpacked)?;
        return Err(RestoreError::WrongRootSecret);
    }
    let ready = ready(&database);
    rename(&unpacked, &ready)?;
    let kept = occupied
        .then(|| keep(&database, now))
        .transpose()?
        .flatten();
    rename(&ready, &database)?;
    backup::sync_folder_of(&database).map_err(|source| RestoreError::System {
        path: database.clone(),
        source,
    })?;
    drop(folder);
    Ok(Restored {
        contents,
        database,
        kept,
    })
}

/// Where the copy lies while room is made for it.
pub(super) fn ready(database: &Path) -> PathBuf {
    beside(database, READY)
}

/// Moves what is there out of the way; the log first, which must never meet another database.
fn keep(database: &Path, now: Timestamp) -> Result<Option<PathBuf>, RestoreError> {
    let kept = beside(
        database,
        &format!(".before-restore-{}", now.strftime("%Y%m%dT%H%M%S%.6fZ")),
    );
    for (from, to) in parts(database).iter().zip(parts(&kept)) {
        if from.exists() {
            rename(from, &to)?;
        }
    }
    Ok(kept.exists().then_some(kept))
}

/// The files of a SQLite database: its log, the log's index, itself.
fn parts(database: &Path) -> [PathBuf; 3] {
    [
        beside(database, "-wal"),
        beside(database, "-shm"),
        database.to_owned(),
    ]
}

fn rename(from: &Path, to: &Path) -> Result<(), RestoreError> {
    fs::rename(from, to).map_err(|source| RestoreError::System {
        path: from.to_owned(),
        source,
    })
}

fn remove(path: &Path) -> Result<(), RestoreError> {
    fs::remove_file(path).map_err(|source| RestoreError::System {
        path: path.to_owned(),
        source,
    })
}
