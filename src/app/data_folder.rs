//! The data folder: who holds it, and whether a root secret may be made in it.
//!
//! The folder is 0700, the root secret 0600. A root secret is made only together with an empty SQLite database: a database that was
//! used and whose root is gone must not get another one. The lock is the system's, so a crash leaves none behind; the address of
//! the server that holds it is written beside it for the commands.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use super::root_secret;
use crate::config::{Config, DatabaseUrl};
use crate::domain::random::Random;
use crate::domain::sealed::{RootSecret, RootSecretTooShort};

const LOCK: &str = "server.lock";

/// The folder, and with it the right to serve from it.
pub struct DataFolder {
    path: PathBuf,
    lock: File,
}

/// Where the server that holds the folder can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerAddress {
    /// Its process.
    pub pid: u32,
    /// Its address.
    pub address: SocketAddr,
}

/// Why the folder cannot be used.
#[derive(Debug, ThisError)]
pub enum FolderError {
    /// The system refuses.
    #[error("{path} cannot be used")]
    System {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another server holds it.
    #[error("another server holds the data folder {path}{}", holder(.by.as_ref()))]
    Held {
        /// The folder.
        path: PathBuf,
        /// Who, as far as it says.
        by: Option<ServerAddress>,
    },
    /// The database was used before and its root secret is not here.
    #[error(
        "there is no root secret for a database that was used before: put it back as {path}, or give it by KAGIYA_ROOT_SECRET or \
         KAGIYA_ROOT_SECRET_FILE; without it nothing that is sealed there can be opened"
    )]
    RootSecretMissing {
        /// Where it belongs.
        path: PathBuf,
    },
    /// PostgreSQL needs a root secret that the operator keeps.
    #[error(
        "with PostgreSQL the root secret must be given, by KAGIYA_ROOT_SECRET or KAGIYA_ROOT_SECRET_FILE: at least 32 bytes, the same on every node"
    )]
    RootSecretNotGiven,
    /// It is no secret.
    #[error(transparent)]
    TooShort(#[from] RootSecretTooShort),
}

fn holder(by: Option<&ServerAddress>) -> String {
    by.map_or_else(String::new, |by| {
        format!(": process {} at {}", by.pid, by.address)
    })
}

impl DataFolder {
    /// Makes the folder if it is not there, and takes the lock.
    ///
    /// # Errors
    /// Held by another server, or not usable.
    pub fn hold(path: &Path) -> Result<Self, FolderError> {
        let system = |source| FolderError::System {
            path: path.to_owned(),
            source,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(system)?;
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(LOCK))
            .map_err(system)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FolderError::Held {
                    path: path.to_owned(),
                    by: read_address(&lock),
                });
            }
            Err(TryLockError::Error(source)) => return Err(system(source)),
        }
        lock.set_len(0).map_err(system)?;
        Ok(Self {
            path: path.to_owned(),
            lock,
        })
    }

    /// The server that holds the folder and says where it is, if there is one.
    ///
    /// # Errors
    /// When the lock cannot be looked at.
    pub fn server(path: &Path) -> Result<Option<ServerAddress>, FolderError> {
        let system = |source| FolderError::System {
            path: path.to_owned(),
            source,
        };
        let lock = match File::open(path.join(LOCK)) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(system(error)),
        };
        match lock.try_lock_shared() {
            // Nobody holds it: what is written there is from a server that is gone.
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(read_address(&lock)),
            Err(TryLockError::Error(source)) => Err(system(source)),
        }
    }

    /// Writes down where this server is.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn announce(&mut self, address: SocketAddr) -> Result<(), FolderError> {
        let text = serde_json::to_string(&ServerAddress {
            pid: std::process::id(),
            address,
        })
        .unwrap_or_default();
        let write = |lock: &mut File| {
            lock.set_len(0)?;
            lock.rewind()?;
            lock.write_all(text.as_bytes())
        };
        write(&mut self.lock).map_err(|source| FolderError::System {
            path: self.path.clone(),
            source,
        })
    }

    /// The root secret: the one that was given, else that of the folder, else, with a database that is empty, a new one.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn root_secret(
        &self,
        config: &Config,
        random: &dyn Random,
    ) -> Result<RootSecret, FolderError> {
        if let Some(secret) = root_secret::read(config)? {
            return Ok(secret);
        }
        let path = root_secret::path(&self.path);
        match config.database.url() {
            DatabaseUrl::Postgres(_) => Err(FolderError::RootSecretNotGiven),
            DatabaseUrl::Sqlite(database) if is_used(&database) => {
                Err(FolderError::RootSecretMissing { path })
            }
            DatabaseUrl::Sqlite(_) => root_secret::make(&path, random),
        }
    }
}

/// Whether a database file holds anything.
fn is_used(database: &Path) -> bool {
    fs::metadata(database).is_ok_and(|metadata| metadata.len() > 0)
}

fn read_address(mut lock: &File) -> Option<ServerAddress> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
