//! How a SQLite file is opened.
//!
//! WAL, so that readers never wait for the writer; `synchronous=FULL`, so that a commit that was acknowledged survives a power
//! loss; foreign keys enforced. A file is made only when asked for: a typo must not create an empty database.

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use super::connection::{Purpose, UrlError};
use super::error::Error;

/// A SQLite file.
#[derive(Clone)]
pub(super) struct File {
    uri: String,
    path: PathBuf,
}

impl File {
    /// Takes what follows `sqlite:`: a path, after `//` or not.
    pub(super) fn parse(rest: &str, create: bool) -> Result<Self, UrlError> {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        // In memory, each connection would be a database of its own.
        if path.is_empty() || path.starts_with(":memory:") || path.contains('?') {
            return Err(UrlError::NoFile);
        }
        let plain = PathBuf::from(path);
        let path = path.replace('%', "%25").replace('#', "%23");
        let mode = if create { "rwc" } else { "rw" };
        Ok(Self {
            uri: format!("file:{path}?mode={mode}"),
            path: plain,
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn connect(&self, purpose: Purpose) -> Result<SqliteConnection, Error> {
        let mut connection = SqliteConnection::establish(&self.uri).map_err(Error::unavailable)?;
        connection.batch_execute(EVERY)?;
        connection.batch_execute(match purpose {
            Purpose::Pool => READER,
            Purpose::Writer => WRITER,
            Purpose::Migration => MIGRATION,
            // Nothing of its own: the journal of a copy is to stay as it is.
            Purpose::Copy => "",
        })?;
        Ok(connection)
    }
}

/// The busy timeout comes first: switching to WAL needs the file for itself. 5 s is the time that a caller waits for a write. No memory
/// map: a file that is cut short under one ends the process (SIGBUS) instead of a call, and its pages count as our memory.
const EVERY: &str = "PRAGMA busy_timeout = 5000;
    PRAGMA trusted_schema = OFF;
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 0;";

/// `query_only`: a statement that writes belongs into a write transaction, and here it fails at once.
const READER: &str = "PRAGMA query_only = ON;
    PRAGMA cache_size = -4096;";

/// A checkpoint at 8 MiB of log instead of 4: the random pages of many keys are written back half as often. A
/// WAL that one long reader let grow is cut back to 64 MiB at the next checkpoint.
const WRITER: &str = "PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA wal_autocheckpoint = 2000;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -16384;";

const MIGRATION: &str = "PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = OFF;";
