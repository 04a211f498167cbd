//! The data folder: who holds it, and whether a root secret may be made in it.
//!
//! The folder is 0700, the root secret 0600. A root secret is made only together with an empty SQLite database: a database that was
//! used and whose root is gone must not get another one. The lock is the system's, so a crash leaves none behind; who holds it, and
//! the address of a server, is written into it for the commands.
//!
//! Whoever only asks whether the lock is held has to take it for a moment. So that nobody is refused over that, asking is done
//! inside a second lock, the gate, and taking passes the gate first: what is found held there is held by a holder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use super::{restore, root_secret};
use crate::config::{Config, DatabaseUrl};
use crate::domain::random::Random;
use crate::domain::sealed::{RootSecret, RootSecretTooShort};

const LOCK: &str = "server.lock";
const GATE: &str = "gate.lock";

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
    /// The fingerprint of its certificate, where it serves by TLS.
    #[serde(default)]
    pub certificate: Option<String>,
}

/// Who holds the folder: a server, or a command that is about to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// Where it can be reached; a server that is starting, or a command, cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// The fingerprint of its certificate, where it serves by TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

impl Holder {
    /// Where it serves, if it does.
    pub fn server(self) -> Option<ServerAddress> {
        Some(ServerAddress {
            pid: self.pid,
            address: self.address?,
            certificate: self.certificate,
        })
    }
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
    #[error("another server holds the data folder {path}{}", named(.by.as_ref()))]
    Held {
        /// The folder.
        path: PathBuf,
        /// Who, as far as it says.
        by: Option<Holder>,
    },
    /// A backup was being put in place and the machine stopped.
    #[error(
        "a restore was cut off: {path} is the checked copy, and what else is there may be half of the old database; run \
         kagiya restore --force again"
    )]
    RestoreCutOff {
        /// The copy.
        path: PathBuf,
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

fn named(by: Option<&Holder>) -> String {
    match by {
        None => String::new(),
        Some(Holder { pid, address, .. }) => address.map_or_else(
            || format!(": process {pid}, which is starting or runs a command"),
            |address| format!(": process {pid} at {address}"),
        ),
    }
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
        let gate = lock_file(&path.join(GATE)).map_err(system)?;
        let lock = lock_file(&path.join(LOCK)).map_err(system)?;
        // Whoever is inside only asks, and is out again at once.
        gate.lock().map_err(system)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FolderError::Held {
                    path: path.to_owned(),
                    by: read(&lock),
                });
            }
            Err(TryLockError::Error(source)) => return Err(system(source)),
        }
        drop(gate);
        let mut folder = Self {
            path: path.to_owned(),
            lock,
        };
        folder.tell(None, None)?;
        Ok(folder)
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
        let open = |name| match File::open(path.join(name)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(system(error)),
        };
        let (Some(gate), Some(lock)) = (open(GATE)?, open(LOCK)?) else {
            return Ok(None);
        };
        gate.lock().map_err(system)?;
        let found = match lock.try_lock_shared() {
            // Nobody holds it: what is written there is from a server that is gone.
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(read(&lock)),
            Err(TryLockError::Error(source)) => Err(system(source)),
        };
        // In this order: outside the gate this lock must be the holder's alone.
        drop(lock);
        drop(gate);
        found
    }

    /// Writes down where this server is, and by which certificate it is known.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn announce(
        &mut self,
        address: SocketAddr,
        certificate: Option<String>,
    ) -> Result<(), FolderError> {
        self.tell(Some(address), certificate)
    }

    fn tell(
        &mut self,
        address: Option<SocketAddr>,
        certificate: Option<String>,
    ) -> Result<(), FolderError> {
        let holder = Holder {
            pid: std::process::id(),
            address,
            certificate,
        };
        let text = serde_json::to_string(&holder).unwrap_or_default();
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
        if let DatabaseUrl::Sqlite(database) = config.database.url() {
            let path = restore::ready(&database);
            if path.exists() {
                return Err(FolderError::RestoreCutOff { path });
            }
        }
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

fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// What the holder wrote down; none while it is writing.
fn read<T: DeserializeOwned>(mut lock: &File) -> Option<T> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
