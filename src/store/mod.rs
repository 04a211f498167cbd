//! The only place that knows SQL: two databases behind one handle.
//!
//! SQLite is the embedded default, PostgreSQL a server of its own; callers write their statements once, against [`Connection`],
//! and compose functions of this floor inside one [`Store::write`]. What is guaranteed:
//!
//! - a write is answered only when it is durable, and not at all by halves;
//! - every change that can alter an answer is noted with [`Transaction::changed`]: the epoch of the deployment goes up in the same
//!   transaction, and the subscribers hear of it after the commit and before the writer does;
//! - a database that cannot be used is [`Error::Unavailable`], never an absent row.

pub mod api_keys;
pub mod applications;
pub mod assertions;
pub mod audit_chains;
pub mod audit_events;
pub mod audit_segments;
pub mod backup;
pub mod builtin_users;
pub mod bulk_revocation;
mod connection;
pub mod credentials;
pub mod deployment;
mod error;
pub mod exchange_rules;
pub mod exchanged_tokens;
pub mod idempotency;
pub mod idp_claims;
pub mod idp_operations;
pub mod idp_resources;
pub mod key_refusals;
pub mod key_usage;
pub mod memberships;
mod migrations;
pub mod organizations;
pub mod owner_states;
pub mod passkeys;
pub mod people;
pub mod permission_users;
mod pool;
mod postgres;
pub mod presented;
pub mod resources;
pub mod revocation_list;
pub mod revoked_tokens;
pub mod rights;
pub mod roles;
mod row;
pub mod ruled_memberships;
mod schema;
pub mod secrets;
pub mod sessions;
pub mod sign_in_links;
pub mod signing_keys;
pub mod sorted_keys;
mod sqlite;
mod timestamp;
mod trail;
mod transaction;
pub mod users;
mod watched;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

pub use self::connection::{AnyConnection as Connection, Backend};
pub use self::error::{Cause, Error, FOREIGN_KEY};
pub use self::row::Place;
pub use self::timestamp::Timestamp;
pub use self::trail::Author;
pub use self::transaction::{Change, Transaction};

use self::connection::Target;
use self::error::Reason;
use self::pool::Pool;
use self::row::{count, json, parse_json};
use self::trail::Trail;
use self::transaction::Subscribers;
use self::writer::Writer;
use crate::domain::secret::SecretText;

/// How long the caller of a write waits for its commit.
const DEADLINE: Duration = Duration::from_secs(5);

/// Where the database is and how it is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME?sslmode=disable|prefer|require`. With TLS, the certificate must be good
    /// for the host and signed under a public root, or one of those in the PEM file that `sslrootcert=PATH` names.
    pub url: SecretText,
    /// How many connections serve at once: readers of SQLite, or all of PostgreSQL (4 to 8; more are slower).
    pub readers: usize,
    /// Whether a SQLite file that is not there is made.
    pub create: bool,
}

/// The database. Clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    target: Target,
    pool: Pool,
    /// None on PostgreSQL, where every pooled connection writes.
    writer: Option<Writer>,
    subscribers: Arc<Subscribers>,
    trail: Arc<Trail>,
    commits: Arc<AtomicU64>,
    writes: AtomicU64,
    reads: AtomicU64,
    /// How often a write of this process counted the epoch up, on PostgreSQL.
    epochs: AtomicU64,
}

impl Store {
    /// Connects. Does not touch the schema: see [`Store::migrate`]. Blocks for as long as connecting takes.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the URL names no database or the database does not answer.
    pub fn open(options: &Options) -> Result<Self, Error> {
        let target = Target::parse(options.url.expose(), options.create)?;
        let subscribers = Arc::new(Subscribers::default());
        let trail = Arc::new(Trail::default());
        let commits = Arc::new(AtomicU64::new(0));
        let inner = on_own_thread(|| {
            // The writer first: it is the one that makes the file.
            let writer = match target.backend() {
                Backend::Postgres => None,
                Backend::Sqlite => Some(Writer::start(
                    target.clone(),
                    (Arc::clone(&subscribers), Arc::clone(&trail)),
                    Arc::clone(&commits),
                )?),
            };
            let file = writer.as_ref().map(|writer| Arc::clone(writer.file()));
            let pool = Pool::open(target.clone(), options.readers, file)?;
            Ok(Inner {
                target: target.clone(),
                pool,
                writer,
                subscribers: Arc::clone(&subscribers),
                trail: Arc::clone(&trail),
                commits: Arc::clone(&commits),
                writes: AtomicU64::new(0),
                reads: AtomicU64::new(0),
                epochs: AtomicU64::new(0),
            })
        })?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Brings the schema up to this program's version and returns the stamps of what was applied. Blocks. On PostgreSQL, nodes that
    /// start together do it one after the other.
    pub fn migrate(&self) -> Result<Vec<String>, Error> {
        on_own_thread(|| migrations::run(&self.inner.target))
    }

    /// The names of the migrations that [`Store::migrate`] would apply. Blocks.
    pub fn pending_migrations(&self) -> Result<Vec<String>, Error> {
        on_own_thread(|| migrations::pending(&self.inner.target))
    }

    /// The migrations that were applied and that this program does not know: a newer one made them. Blocks.
    pub fn unknown_migrations(&self) -> Result<Vec<String>, Error> {
        on_own_thread(|| migrations::unknown_in(&self.inner.target))
    }

    /// Takes all migrations back, and with them all data. Blocks.
    pub fn revert_migrations(&self) -> Result<Vec<String>, Error> {
        on_own_thread(|| migrations::revert(&self.inner.target))
    }

    /// Runs `code` with a connection that reads, on a thread that may wait. Each statement sees the newest commit.
    pub async fn read<T, E, F>(&self, code: F) -> Result<T, E>
    where
        F: FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.inner.reads.fetch_add(1, Ordering::Relaxed);
        let permit = self.inner.pool.permit().await?;
        let inner = Arc::clone(&self.inner);
        waiting(move || {
            let outcome = inner.pool.run(code);
            drop(permit);
            outcome
        })
        .await
    }

    /// Runs `code`, which looks up a row or two by their keys, for a request that waits for nothing else.
    ///
    /// On SQLite it runs at once on the caller's thread: such a read takes some 10 µs and waits for no writer, and the way to another
    /// thread and back costs more than that. On PostgreSQL it is [`Store::read`].
    pub async fn read_hot<T, E, F>(&self, code: F) -> Result<T, E>
    where
        F: FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match self.backend() {
            Backend::Sqlite => {
                self.inner.reads.fetch_add(1, Ordering::Relaxed);
                self.inner.pool.run(code)
            }
            Backend::Postgres => self.read(code).await,
        }
    }

    /// Runs `code` in a transaction and returns its value once that is durable and the subscribers have heard of its changes.
    ///
    /// An error of `code` undoes all of it. On SQLite, writers that wait at the same time share one commit. A caller that stops
    /// waiting does not stop a transaction that has begun.
    ///
    /// # Errors
    /// What `code` answers. [`Error::Unavailable`] if the database cannot be used, too many writes wait, or there is no answer within
    /// 5 s; whether the write happened is then open. [`Error::Query`] if `code` panics.
    pub async fn write<T, E, F>(&self, code: F) -> Result<T, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.inner.writes.fetch_add(1, Ordering::Relaxed);
        match &self.inner.writer {
            Some(writer) => writer.write(code).await,
            None => self.write_pooled(code).await,
        }
    }

    /// Calls `subscriber` with the changes of every write from now on, after the commit is durable and before its writer is answered;
    /// on SQLite in the order of the commits. It runs on the thread that writes: it must be quick and must not wait.
    pub fn subscribe(&self, subscriber: impl Fn(&[Change]) + Send + Sync + 'static) {
        self.inner.subscribers.add(Box::new(subscriber));
    }

    /// Seals the rows of the audit trail so from now on. Before the first call none can be written.
    pub fn seal_trail_as(&self, author: Author) {
        self.inner.trail.write_as(author);
    }

    /// How far the chains of the audit trail are that this process writes; without those that are being written.
    pub fn heads_of_trail(&self) -> audit_chains::Heads {
        self.inner.trail.heads()
    }

    /// How many of them are sealed with a secret that was replaced.
    pub fn outdated_chains(&self) -> usize {
        self.inner.trail.outdated()
    }

    /// Whether the database answers. On SQLite also whether its file is the one that was opened, and, after writes were lost,
    /// whether it takes one again.
    pub async fn ping(&self) -> Result<(), Error> {
        if let Some(writer) = &self.inner.writer {
            writer.file().check()?;
        }
        self.read(connection::ping).await?;
        match &self.inner.writer {
            Some(writer) if writer.is_failing() => self.write(|tx| deployment::touch(tx)).await,
            _ => Ok(()),
        }
    }

    /// What time it is at the database server; none where there is no such server.
    pub async fn server_time(&self) -> Result<Option<jiff::Timestamp>, Error> {
        self.read(connection::server_time).await
    }

    /// Which database this is.
    pub fn backend(&self) -> Backend {
        self.inner.target.backend()
    }

    /// How many durable commits there were since the store was opened. Writes that shared one count once.
    pub fn commits(&self) -> u64 {
        self.inner.commits.load(Ordering::Relaxed)
    }

    /// How often writes of this process counted the epoch of the deployment up; counted on PostgreSQL, where others may do so too.
    pub fn own_epochs(&self) -> u64 {
        self.inner.epochs.load(Ordering::SeqCst)
    }

    /// How many writes were asked for since the store was opened.
    pub fn writes(&self) -> u64 {
        self.inner.writes.load(Ordering::Relaxed)
    }

    /// How many reads were asked for since the store was opened.
    pub fn reads(&self) -> u64 {
        self.inner.reads.load(Ordering::Relaxed)
    }

    /// Finishes the writes that wait and closes the connections. Calls on clones are then [`Error::Unavailable`].
    pub async fn close(self) {
        self.inner.pool.close();
        // Last, so that SQLite can fold its log into the file.
        if let Some(writer) = &self.inner.writer {
            writer.close().await;
        }
    }

    async fn write_pooled<T, E, F>(&self, code: F) -> Result<T, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let permit = self.inner.pool.permit().await?;
        let inner = Arc::clone(&self.inner);
        let written = waiting(move || {
            let mut changes = Vec::new();
            let outcome = inner.pool.run(|connection| {
                let stands = |number| postgres::stands(&inner.target, number);
                let noted = (&mut changes, &*inner.trail);
                transaction::run_alone(connection, noted, stands, code)
            });
            drop(permit);
            inner.subscribers.publish(&changes);
            let value = outcome?;
            inner.commits.fetch_add(1, Ordering::Relaxed);
            if !changes.is_empty() {
                inner.epochs.fetch_add(1, Ordering::SeqCst);
            }
            Ok(value)
        });
        timeout(DEADLINE, written)
            .await
            .unwrap_or_else(|_| Err(Error::from(Reason::Deadline).into()))
    }
}

/// Runs what blocks where blocking is allowed. It goes on to its end even if nobody waits for it.
async fn waiting<T, E, F>(code: F) -> Result<T, E>
where
    F: FnOnce() -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    match spawn_blocking(code).await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => Err(Error::query(error).into()),
        Err(error) => Err(Error::unavailable(error).into()),
    }
}

/// Runs what blocks on a thread that drives no futures, wherever it is called.
fn on_own_thread<T: Send>(code: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    std::thread::scope(|scope| scope.spawn(code).join())
        .unwrap_or_else(|_| Err(Reason::Panicked.into()))
}
