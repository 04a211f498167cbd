//! What can go wrong in the store, in four kinds that a caller treats differently.
//!
//! The kinds are the same on both databases; the cause stays attached as the source and is for the log alone.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};
use thiserror::Error as ThisError;

/// Any cause, kept for the log.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the store did not do what it was asked.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The database cannot be reached, is locked, full, shutting down or too busy. Nobody is to blame and a later try may succeed:
    /// `503`, never `401` or `404`. Of a write it says that it was not acknowledged, not that it did not happen.
    #[error("the database is not available")]
    Unavailable {
        /// What happened.
        #[source]
        source: Cause,
    },
    /// A row stands in the way: unique values met twice, or a row that others refer to or that refers to none.
    #[error("conflict with what is stored: {constraint}")]
    Conflict {
        /// `table.columns` of the unique columns (`organizations.slug`, `permissions.resource_id_name`), the same on both databases;
        /// the name of an index over an expression; [`FOREIGN_KEY`] for any reference, as SQLite does not say which.
        constraint: String,
        /// What the database said.
        #[source]
        source: Cause,
    },
    /// The database holds what this program never writes: a row that does not parse, or a damaged file.
    #[error("what is stored is not valid: {place}")]
    Corrupt {
        /// Where: `table.column`, or what was being read.
        place: String,
        /// Why it is not valid.
        #[source]
        source: Cause,
    },
    /// The statement is wrong, or the code that ran it is: a defect of ours.
    #[error("a statement failed")]
    Query {
        /// What the database said, or where the code stopped.
        #[source]
        source: Cause,
    },
}

/// The constraint of a [`Error::Conflict`] about a reference.
pub const FOREIGN_KEY: &str = "foreign_key";

/// Reasons of [`Error::Unavailable`] and [`Error::Query`] that come from the store itself.
#[derive(Clone, Copy, Debug, ThisError)]
pub(super) enum Reason {
    #[error("no connection became free in time")]
    NoFreeConnection,
    #[error("connecting took too long")]
    ConnectTimeout,
    #[error("too many writes are waiting")]
    QueueFull,
    #[error("no answer in time")]
    Deadline,
    #[error("the store is closed")]
    Closed,
    #[error("the code inside the transaction panicked")]
    Panicked,
    #[error("rows refer to rows that are not there")]
    DanglingReferences,
    #[error("no row of the deployment: its epoch cannot be counted up")]
    NoDeployment,
    #[error("nothing seals the audit trail yet")]
    NoAuditSecret,
    #[error("another call took the place of this one")]
    TakenOver,
}

impl Error {
    /// The database cannot be used now.
    pub fn unavailable(source: impl Into<Cause>) -> Self {
        Self::Unavailable {
            source: source.into(),
        }
    }

    /// What is stored at `place` (`table.column`) does not parse.
    pub fn corrupt(place: impl Into<String>, source: impl Into<Cause>) -> Self {
        Self::Corrupt {
            place: place.into(),
            source: source.into(),
        }
    }

    /// The row that this call had made as its own is another call's now.
    pub fn taken_over(constraint: &str) -> Self {
        Self::Conflict {
            constraint: constraint.to_owned(),
            source: Reason::TakenOver.into(),
        }
    }

    /// A defect of ours.
    pub(super) fn query(source: impl Into<Cause>) -> Self {
        Self::Query {
            source: source.into(),
        }
    }

    /// Whether this is a conflict over `constraint` (`organizations.slug`).
    pub fn conflicts_with(&self, constraint: &str) -> bool {
        matches!(self, Self::Conflict { constraint: found, .. } if found == constraint)
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Panicked | Reason::NoAuditSecret => Self::query(reason),
            Reason::NoDeployment => Self::corrupt("deployment", reason),
            Reason::DanglingReferences => Self::corrupt("a foreign key", reason),
            _ => Self::unavailable(reason),
        }
    }
}

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        use DatabaseErrorKind as Kind;
        match &error {
            DieselError::DatabaseError(Kind::UniqueViolation, information) => Self::Conflict {
                constraint: unique_constraint(information.as_ref()),
                source: error.into(),
            },
            DieselError::DatabaseError(Kind::ForeignKeyViolation | Kind::RestrictViolation, _) => {
                Self::Conflict {
                    constraint: FOREIGN_KEY.to_owned(),
                    source: error.into(),
                }
            }
            DieselError::DatabaseError(
                Kind::UnableToSendCommand
                | Kind::ClosedConnection
                | Kind::SerializationFailure
                | Kind::ReadOnlyTransaction,
                _,
            )
            | DieselError::BrokenTransactionManager => Self::unavailable(error),
            DieselError::DatabaseError(_, information) if is_damage(information.message()) => {
                Self::corrupt("the database file", error)
            }
            DieselError::DatabaseError(_, information) if is_outage(information.message()) => {
                Self::unavailable(error)
            }
            DieselError::DeserializationError(_) => Self::corrupt("a column", error),
            _ => Self::query(error),
        }
    }
}

/// `table.columns` out of what the databases say. SQLite: `UNIQUE constraint failed: permissions.resource_id, permissions.name`, or
/// `index 'NAME'` for an index over an expression. PostgreSQL: the table beside the constraint's name, which the migrations
/// let be `TABLE_COLUMNS_key` for primary keys too.
fn unique_constraint(information: &dyn DatabaseErrorInformation) -> String {
    if let (Some(table), Some(name)) = (information.table_name(), information.constraint_name()) {
        let columns = name
            .strip_prefix(table)
            .and_then(|rest| rest.strip_prefix('_')?.strip_suffix("_key"));
        return columns.map_or_else(|| name.to_owned(), |columns| format!("{table}.{columns}"));
    }
    let message = information.message();
    let list = message.split_once(": ").map_or(message, |(_, list)| list);
    if let Some(index) = list.strip_prefix("index ") {
        return index.trim_matches('\'').to_owned();
    }
    let mut columns = list.split(", ");
    let mut name = columns.next().unwrap_or_default().to_owned();
    for column in columns {
        name.push('_');
        name.push_str(column.rsplit_once('.').map_or(column, |(_, column)| column));
    }
    name
}

/// Neither driver hands over its error code here, so what has no kind of its own is known by its text: of SQLite `sqlite3_errstr`
/// of BUSY, LOCKED, FULL, IOERR, CANTOPEN, READONLY, PROTOCOL, INTERRUPT and NOMEM; of PostgreSQL the classes 53, 57 and deadlocks.
fn is_outage(message: &str) -> bool {
    const SIGNS: [&str; 19] = [
        "database is locked",
        "database table is locked",
        "database schema is locked",
        "database or disk is full",
        "disk I/O error",
        "unable to open database file",
        "attempt to write a readonly database",
        "locking protocol",
        "interrupted",
        "out of memory",
        "canceling statement",
        "terminating connection",
        "the database system is",
        "deadlock detected",
        "too many clients",
        "remaining connection slots",
        "could not extend file",
        "No space left on device",
        "connection closed",
    ];
    SIGNS.iter().any(|sign| message.contains(sign))
}

/// SQLite's texts for CORRUPT and NOTADB.
fn is_damage(message: &str) -> bool {
    message.contains("database disk image is malformed")
        || message.contains("file is not a database")
}
