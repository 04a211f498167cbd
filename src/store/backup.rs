//! A copy of a SQLite database, taken while it serves, and put back.
//!
//! `VACUUM INTO` copies what one moment of the database holds; writers do not wait for it. A backup is that copy followed by a
//! trailer: a mark, the copy's length and its BLAKE3 hash, so that one flipped bit is found, which SQLite's own check would not
//! see inside a row. It has its name only when it is whole, checked and on disk; the copy that is put back is checked again.
//! The root secret is no part of it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{self, Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use thiserror::Error as ThisError;

use super::connection::Purpose;
use super::deployment::{self, Deployment};
use super::schema::api_keys;
use super::{Connection, Error, audit_events, migrations, sqlite};

/// What the trailer begins with.
const MARK: &[u8; 16] = b"kagiya backup 1\n";
/// Mark, length (8 bytes, big-endian), hash.
const TRAILER: u64 = 16 + 8 + 32;
/// How often it is told how far the copy is.
const LOOK: Duration = Duration::from_millis(100);
/// Read and written at once.
const BLOCK: usize = 1 << 20;

/// What a copy holds, as its own tables say.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Whose it is.
    pub deployment: Deployment,
    /// When the last change that it holds was made.
    pub newest_change: Option<jiff::Timestamp>,
    /// Keys in it that were not revoked.
    pub keys: u64,
    /// Migrations that this program would apply to it.
    pub pending: Vec<String>,
    /// Its length without the trailer.
    pub bytes: u64,
}

/// Why there is no backup, or why one is not put back.
#[derive(Debug, ThisError)]
pub enum BackupError {
    /// The system refuses.
    #[error("{path} cannot be used")]
    System {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is in the way.
    #[error("{0} is there already: nothing is overwritten, take another name")]
    Exists(PathBuf),
    /// Another backup writes there.
    #[error("another backup is being written to {0}")]
    Busy(PathBuf),
    /// The path cannot be told to the database.
    #[error("the path {0} is not UTF-8")]
    NotUtf8(PathBuf),
    /// The database does not let itself be copied.
    #[error("the database cannot be copied")]
    Store(#[from] Error),
    /// The trailer is not there.
    #[error("{0} is no backup that kagiya made, or its end is missing")]
    NoBackup(PathBuf),
    /// It is not what was written.
    #[error("the backup {path} is damaged: {what}")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// A later version of this program made it.
    #[error("{path} was made by a newer kagiya: this one does not know the migration {migration}")]
    Newer {
        /// Which.
        path: PathBuf,
        /// The first migration that is not known.
        migration: String,
    },
}

/// Copies the database `source` to the new file `target`, mode 0600, while others use it. Blocks. `progress` hears percents.
///
/// # Errors
/// See [`BackupError`]; what was begun is removed.
pub fn write(
    source: &Path,
    target: &Path,
    mut progress: impl FnMut(u8),
) -> Result<Contents, BackupError> {
    if target.exists() {
        return Err(BackupError::Exists(target.to_owned()));
    }
    let unfinished = beside(target, ".unfinished");
    let system = |source| BackupError::System {
        path: unfinished.clone(),
        source,
    };
    let mut file = private_file(&unfinished).map_err(system)?;
    // What a crash left is taken over; what another process writes is not.
    match file.try_lock() {
        Ok(()) => file.set_len(0).map_err(system)?,
        Err(TryLockError::WouldBlock) => return Err(BackupError::Busy(target.to_owned())),
        Err(TryLockError::Error(source)) => return Err(system(source)),
    }
    let written = copy(source, &unfinished, &mut progress).and_then(|()| {
        let contents = check(&unfinished, target)?;
        append_trailer(&mut file).map_err(system)?;
        fs::rename(&unfinished, target).map_err(system)?;
        sync_folder_of(target).map_err(system)?;
        Ok(contents)
    });
    if written.is_err() {
        // The first failure is the one to tell.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Checks `backup` and writes its database to the new file `target`, mode 0600. Blocks. `progress` hears percents.
///
/// # Errors
/// See [`BackupError`]; `target` is removed then.
pub fn unpack(
    backup: &Path,
    target: &Path,
    mut progress: impl FnMut(u8),
) -> Result<Contents, BackupError> {
    let unpacked = unpack_file(backup, target, &mut progress).and_then(|()| check(target, backup));
    if unpacked.is_err() {
        let _ = fs::remove_file(target);
    }
    unpacked
}

/// The copy itself, in a thread of its own: meanwhile this one looks how far it is.
fn copy(source: &Path, target: &Path, progress: &mut impl FnMut(u8)) -> Result<(), BackupError> {
    let absolute = path::absolute(target).map_err(|source| BackupError::System {
        path: target.to_owned(),
        source,
    })?;
    let name = absolute
        .to_str()
        .ok_or_else(|| BackupError::NotUtf8(absolute.clone()))?;
    let mut connection = open(source)?;
    let pages = "(SELECT (page_count - freelist_count) * page_size \
         FROM pragma_page_count, pragma_freelist_count, pragma_page_size)";
    let whole: i64 = diesel::select(sql::<BigInt>(pages))
        .get_result(&mut connection)
        .map_err(Error::from)?;
    std::thread::scope(|scope| {
        let (done, waiting) = channel();
        scope.spawn(move || {
            let copied = diesel::sql_query("VACUUM INTO ?")
                .bind::<Text, _>(name)
                .execute(&mut connection);
            // The other end waits for exactly this.
            let _ = done.send(copied.map_err(Error::from));
        });
        loop {
            match waiting.recv_timeout(LOOK) {
                Ok(copied) => {
                    progress(100);
                    return copied.map(drop).map_err(BackupError::from);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let length = fs::metadata(target).map_or(0, |file| file.len());
                    progress(percent(length, whole.unsigned_abs()));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::unavailable("the copy broke off").into());
                }
            }
        }
    })
}

/// Looks through the database file `file`; `name` is what errors call it.
fn check(file: &Path, name: &Path) -> Result<Contents, BackupError> {
    let bytes = fs::metadata(file)
        .map_err(|source| BackupError::System {
            path: file.to_owned(),
            source,
        })?
        .len();
    look_through(file, bytes).map_err(|fault| match fault {
        Fault::Damaged(what) => BackupError::Damaged {
            path: name.to_owned(),
            what,
        },
        Fault::Newer(migration) => BackupError::Newer {
            path: name.to_owned(),
            migration,
        },
        // Whatever a statement stumbles over in a file that nobody else uses is in the file.
        Fault::Store(Error::Corrupt { source, .. } | Error::Query { source }) => {
            BackupError::Damaged {
                path: name.to_owned(),
                what: source.to_string(),
            }
        }
        Fault::Store(error) => BackupError::Store(error),
    })
}

/// What is wrong with a copy.
enum Fault {
    Damaged(String),
    Newer(String),
    Store(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<diesel::result::Error> for Fault {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(error.into())
    }
}

fn look_through(file: &Path, bytes: u64) -> Result<Contents, Fault> {
    let mut connection = Connection::Sqlite(open(file)?);
    let found: String = diesel::select(sql::<Text>(
        "(SELECT integrity_check FROM pragma_integrity_check LIMIT 1)",
    ))
    .get_result(&mut connection)?;
    if found != "ok" {
        return Err(Fault::Damaged(found));
    }
    migrations::no_dangling_references(&mut connection)?;
    if let Some(migration) = migrations::unknown(&mut connection)?.into_iter().next() {
        return Err(Fault::Newer(migration));
    }
    let deployment = deployment::find(&mut connection)?
        .ok_or_else(|| Fault::Damaged("no server ever started on it".to_owned()))?;
    let keys: i64 = api_keys::table
        .filter(api_keys::revoked_at.is_null())
        .count()
        .get_result(&mut connection)?;
    Ok(Contents {
        deployment,
        newest_change: audit_events::newest(&mut connection)?,
        keys: keys.unsigned_abs(),
        pending: migrations::pending_on(&mut connection)?,
        bytes,
    })
}

fn open(file: &Path) -> Result<SqliteConnection, Error> {
    let path = file
        .to_str()
        .ok_or_else(|| Error::unavailable("the path of the database is not UTF-8"))?;
    sqlite::File::parse(path, false)
        .map_err(Error::unavailable)?
        .connect(Purpose::Copy)
}

fn append_trailer(file: &mut File) -> io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let mut hash = blake3::Hasher::new();
    hash.update_reader(&mut *file)?;
    file.seek(SeekFrom::End(0))?;
    file.write_all(MARK)?;
    file.write_all(&length.to_be_bytes())?;
    file.write_all(hash.finalize().as_bytes())?;
    // `VACUUM INTO` itself leaves this to the system.
    file.sync_all()
}

fn unpack_file(
    backup: &Path,
    target: &Path,
    progress: &mut impl FnMut(u8),
) -> Result<(), BackupError> {
    let of_backup = |source| BackupError::System {
        path: backup.to_owned(),
        source,
    };
    let of_target = |source| BackupError::System {
        path: target.to_owned(),
        source,
    };
    let no_backup = || BackupError::NoBackup(backup.to_owned());
    let mut from = File::open(backup).map_err(of_backup)?;
    let whole = from.seek(SeekFrom::End(0)).map_err(of_backup)?;
    let length = whole.checked_sub(TRAILER).ok_or_else(no_backup)?;
    let mut trailer = [0u8; TRAILER as usize];
    from.seek(SeekFrom::Start(length)).map_err(of_backup)?;
    from.read_exact(&mut trailer).map_err(of_backup)?;
    let (mark, rest) = trailer.split_at(MARK.len());
    let (told, hash) = rest.split_at(8);
    if mark != MARK || told != length.to_be_bytes() {
        return Err(no_backup());
    }
    from.rewind().map_err(of_backup)?;
    let mut to = private_file(target).map_err(of_target)?;
    to.set_len(0).map_err(of_target)?;
    let mut hasher = blake3::Hasher::new();
    let mut block = vec![0u8; BLOCK];
    let (mut from, mut done) = (from.take(length), 0u64);
    loop {
        let read = from.read(&mut block).map_err(of_backup)?;
        if read == 0 {
            break;
        }
        hasher.update(&block[..read]);
        to.write_all(&block[..read]).map_err(of_target)?;
        done += read as u64;
        progress(percent(done, length));
    }
    if hasher.finalize().as_bytes() != hash {
        return Err(BackupError::Damaged {
            path: backup.to_owned(),
            what: "its hash does not fit what it holds".to_owned(),
        });
    }
    to.sync_all().map_err(of_target)
}

/// Makes the names in the folder of `path` survive a power loss.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

/// `path` with `end` after its name.
pub fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn percent(part: u64, whole: u64) -> u8 {
    let percent = part.saturating_mul(100) / whole.max(1);
    u8::try_from(percent.min(99)).unwrap_or(99)
}
