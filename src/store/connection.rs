//! One connection type over both databases, and the URL that says which.
//!
//! Queries are written once, against [`AnyConnection`], which the other modules call `Connection`. Where the dialects part
//! (`ON CONFLICT`, row locks), `each!` compiles the statement once for each variant.

use std::path::PathBuf;

use diesel::connection::{
    AnsiTransactionManager, SimpleConnection, TransactionManager, TransactionManagerStatus,
};
use diesel::dsl::sql;
use diesel::sql_types::BigInt;
use diesel::{RunQueryDsl, SqliteConnection};
use thiserror::Error as ThisError;

use super::Timestamp;
use super::error::{Cause, Error};
use super::postgres::{Pg, Server};
use super::sqlite::File;
use super::watched::Watched;

/// Which database a store is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// PostgreSQL, a server of its own.
    Postgres,
    /// SQLite, embedded.
    Sqlite,
}

/// An open connection of either kind. Queries run on it as on any connection of diesel, `ON CONFLICT` and row locks excepted.
///
/// (Its own name is not `Connection`, since the code that is derived for it imports diesel's trait of that name.)
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    /// To PostgreSQL.
    Postgres(Pg),
    /// To SQLite.
    Sqlite(SqliteConnection),
}

/// Runs `$body` with the connection inside, compiled once for each database: for what the portable query builder lacks.
macro_rules! each {
    ($connection:expr, |$inner:ident| $body:expr) => {
        match $connection {
            $crate::store::Connection::Postgres($inner) => $body,
            $crate::store::Connection::Sqlite($inner) => $body,
        }
    };
}
pub(super) use each;

impl AnyConnection {
    /// Whether nobody else writes while this connection is in a write transaction: then no row has to be locked.
    pub(super) fn has_one_writer(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// Whether it can serve another caller: no transaction left open, none broken, and the server still there.
    pub(super) fn is_reusable(&mut self) -> bool {
        if matches!(self, Self::Postgres(pg) if pg.is_closed()) {
            return false;
        }
        match Transactions::transaction_manager_status_mut(self) {
            TransactionManagerStatus::Valid(status) => status.transaction_depth().is_none(),
            TransactionManagerStatus::InError => false,
        }
    }
}

/// What a connection is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reads; on PostgreSQL writes too.
    Pool,
    /// The one that writes to SQLite.
    Writer,
    /// Copying a SQLite database, or looking through a copy.
    Copy,
    /// Changing the schema: no time limit, and on SQLite no foreign keys, since rebuilding a table drops it first.
    Migration,
}

/// Where the database is.
#[derive(Clone)]
pub(super) enum Target {
    Postgres(Box<Server>),
    Sqlite(File),
}

/// The URL does not say where the database is. Carries nothing of the URL but its scheme, as it may hold a password.
#[derive(Debug, ThisError)]
pub(super) enum UrlError {
    #[error("the database URL has no scheme: sqlite:PATH or postgres://USER@HOST/NAME")]
    NoScheme,
    #[error("unknown scheme {0:?} in the database URL: use sqlite: or postgres:")]
    UnknownScheme(String),
    #[error("the database URL names no file: sqlite:PATH, without options, and not :memory:")]
    NoFile,
    #[error("the database URL for PostgreSQL is not valid")]
    Postgres(#[source] tokio_postgres::Error),
    #[error("the root certificates of sslrootcert cannot be read from {path}")]
    RootCertificates {
        path: PathBuf,
        #[source]
        source: Cause,
    },
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

impl Target {
    /// Reads `sqlite:PATH`, `sqlite://PATH`, `postgres://…` or `postgresql://…`.
    pub(super) fn parse(url: &str, create: bool) -> Result<Self, Error> {
        let (scheme, rest) = url
            .split_once(':')
            .ok_or(UrlError::NoScheme)
            .map_err(Error::unavailable)?;
        match scheme {
            "sqlite" => File::parse(rest, create).map(Self::Sqlite),
            "postgres" | "postgresql" => {
                Server::parse(url).map(|server| Self::Postgres(Box::new(server)))
            }
            _ => Err(UrlError::UnknownScheme(scheme.to_owned())),
        }
        .map_err(Error::unavailable)
    }

    pub(super) fn backend(&self) -> Backend {
        match self {
            Self::Postgres(_) => Backend::Postgres,
            Self::Sqlite(_) => Backend::Sqlite,
        }
    }

    /// The SQLite file as it is now, to know it again.
    pub(super) fn watch(&self) -> Result<Watched, Error> {
        match self {
            Self::Postgres(_) => Err(Error::unavailable(UrlError::NoFile)),
            Self::Sqlite(file) => Watched::new(file.path().to_owned()),
        }
    }

    /// Opens a connection. Blocks; to PostgreSQL only on a thread that drives no other futures.
    pub(super) fn connect(&self, purpose: Purpose) -> Result<AnyConnection, Error> {
        match self {
            Self::Postgres(server) => server.connect(purpose).map(AnyConnection::Postgres),
            Self::Sqlite(file) => file.connect(purpose).map(AnyConnection::Sqlite),
        }
    }
}

/// Begins a transaction that may write. On SQLite it takes the write lock now: one that begins by reading could not take it later
/// if somebody else wrote in between.
pub(super) fn begin(connection: &mut AnyConnection) -> Result<(), Error> {
    Ok(match connection {
        AnyConnection::Postgres(pg) => {
            <Pg as diesel::Connection>::TransactionManager::begin_transaction(pg)
        }
        AnyConnection::Sqlite(sqlite) => {
            AnsiTransactionManager::begin_transaction_sql(sqlite, "BEGIN IMMEDIATE")
        }
    }?)
}

/// Makes the transaction durable.
pub(super) fn commit(connection: &mut AnyConnection) -> Result<(), Error> {
    Ok(Transactions::commit_transaction(connection)?)
}

/// Undoes the whole transaction, nested ones included. Best effort: a connection on which it failed is not lent again.
pub(super) fn roll_back(connection: &mut AnyConnection) {
    if roll_back_nested(connection).is_ok() {
        let _ = Transactions::rollback_transaction(connection);
    }
}

/// Undoes the transactions that were left open inside the outer one.
pub(super) fn roll_back_nested(connection: &mut AnyConnection) -> Result<(), Error> {
    while depth(connection) > 1 {
        Transactions::rollback_transaction(connection)?;
    }
    Ok(())
}

type Transactions = <AnyConnection as diesel::Connection>::TransactionManager;

fn depth(connection: &mut AnyConnection) -> u32 {
    match Transactions::transaction_manager_status_mut(connection) {
        TransactionManagerStatus::Valid(status) => status.transaction_depth().map_or(0, u32::from),
        TransactionManagerStatus::InError => 0,
    }
}

/// Asks the database for an answer, any answer.
pub(super) fn ping(connection: &mut AnyConnection) -> Result<(), Error> {
    Ok(connection.batch_execute("SELECT 1")?)
}

/// The server's time; SQLite has no server.
pub(super) fn server_time(
    connection: &mut AnyConnection,
) -> Result<Option<jiff::Timestamp>, Error> {
    let AnyConnection::Postgres(pg) = connection else {
        return Ok(None);
    };
    let microseconds = sql::<BigInt>("(extract(epoch from clock_timestamp()) * 1000000)::bigint");
    let time: Timestamp = diesel::select(microseconds).get_result(pg)?;
    Ok(Some(time.into()))
}
