//! Connections that are lent out one call at a time.
//!
//! A pool of our own, because callers wait for one without holding a thread, and because SQLite's hot reads take a connection
//! without waiting at all. A connection that was left inside a transaction, or whose server went away, is not lent again: the
//! next call opens another.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Connection;
use super::connection::{Purpose, Target};
use super::error::{Error, Reason};
use super::transaction::guarded;
use super::watched::Watched;

/// How long a caller waits for a connection before it is told that the database is not available.
const CHECKOUT: Duration = Duration::from_secs(3);

pub(super) struct Pool {
    target: Target,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    /// The SQLite file, which must be the one that was opened.
    file: Option<Arc<Watched>>,
}

impl Pool {
    /// A pool that lends `size` connections at once. Opens one, to see that the database is there.
    pub(super) fn open(
        target: Target,
        size: usize,
        file: Option<Arc<Watched>>,
    ) -> Result<Self, Error> {
        let first = target.connect(Purpose::Pool)?;
        Ok(Self {
            target,
            permits: Arc::new(Semaphore::new(size.max(1))),
            idle: Mutex::new(vec![first]),
            file,
        })
    }

    /// Waits for the right to use a connection.
    pub(super) async fn permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        match tokio::time::timeout(CHECKOUT, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Reason::Closed.into()),
            Err(_) => Err(Reason::NoFreeConnection.into()),
        }
    }

    /// Runs `code` with an idle connection, or a new one if there is none. Blocks for as long as the database does.
    pub(super) fn run<T, E>(
        &self,
        code: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<Error>,
    {
        if self.permits.is_closed() {
            return Err(Error::from(Reason::Closed).into());
        }
        let mut connection = self.take()?;
        let outcome = guarded(|| code(&mut connection));
        self.put_back(connection);
        outcome
    }

    /// Lends no more connections and closes the idle ones.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle().clear();
    }

    fn take(&self) -> Result<Connection, Error> {
        if let Some(file) = &self.file {
            file.check()?;
        }
        while let Some(mut connection) = { self.idle().pop() } {
            if connection.is_reusable() {
                return Ok(connection);
            }
        }
        self.target.connect(Purpose::Pool)
    }

    fn put_back(&self, mut connection: Connection) {
        if connection.is_reusable() && !self.permits.is_closed() {
            self.idle().push(connection);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        // A list of connections cannot be half changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
