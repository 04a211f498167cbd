//! A write under way: the connection inside its transaction, and what the transaction changes for those who remember rows.

use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{PoisonError, RwLock};

use diesel::prelude::*;

use super::Connection;
use super::audit_events::StoredEvent;
use super::connection::{begin, commit, roll_back, roll_back_nested};
use super::error::{Error, Reason};
use super::postgres;
use super::schema::deployment;
use super::trail::{Entries, Trail};
use crate::domain::id::{ApplicationId, KeyId, OrganizationId};

/// Something that a memory of rows must forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A key, its generations or its permissions.
    Key {
        /// The key.
        key: KeyId,
        /// The user names of the generations that are concerned, under which they are remembered.
        user_names: Vec<String>,
    },
    /// An organization and with it every key and application that belongs to it.
    Organization(OrganizationId),
    /// An application, its secrets or its roles.
    Application(ApplicationId),
    /// A token was revoked.
    Token {
        /// Its id.
        jti: String,
        /// When it expires.
        expires_at: jiff::Timestamp,
    },
    /// The exchange rules.
    ExchangeRules,
    /// Resources, permissions, or what roles bundle.
    Catalogue,
    /// The purpose secrets.
    Secrets,
    /// The signing keys.
    SigningKeys,
}

/// The connection inside a write transaction. All of it is kept or none.
pub struct Transaction<'a> {
    connection: &'a mut Connection,
    changes: Vec<Change>,
    entries: Entries,
}

/// What a transaction that is to be kept noted for those who remember rows, and for the trail.
pub(super) struct Noted {
    pub(super) changes: Vec<Change>,
    pub(super) entries: Entries,
}

impl Transaction<'_> {
    /// Notes what this transaction changes. If it is kept, the epoch of the deployment goes up in it by one, and the subscribers
    /// hear of the change once it is durable, before the writer has its answer.
    pub fn changed(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Puts a row into the audit trail with this transaction.
    pub(super) fn record(&mut self, row: StoredEvent) {
        self.entries.rows.push(row);
    }

    /// Has this process look at the chains of the trail, and write down how far the others are.
    pub fn look_at_chains(&mut self, now: jiff::Timestamp) {
        self.entries.look_at = Some(now);
    }

    /// Ends a chain of this process in good order.
    pub fn end_chain(&mut self, now: jiff::Timestamp) {
        self.entries.end_at = Some(now);
    }

    /// The last statement but for the trail's: counts the epoch up if anything changed.
    ///
    /// Late and not at the first change, because on PostgreSQL the row stays locked from here to the end of the transaction.
    fn finish(self) -> Result<Noted, Error> {
        let noted = Noted {
            changes: self.changes,
            entries: self.entries,
        };
        if noted.changes.is_empty() {
            return Ok(noted);
        }
        let rows = diesel::update(deployment::table)
            .set(deployment::epoch.eq(deployment::epoch + 1))
            .execute(self.connection)?;
        if rows == 0 {
            return Err(Reason::NoDeployment.into());
        }
        Ok(noted)
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection
    }
}

/// Runs `code`, and puts what it noted for the trail on record by `seal`. Neither begins nor ends the transaction.
pub(super) fn run<T, E>(
    connection: &mut Connection,
    seal: impl FnOnce(&mut Connection, Entries) -> Result<(), Error>,
    code: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
) -> Result<(T, Vec<Change>), E>
where
    E: From<Error>,
{
    guarded(|| {
        let mut transaction = Transaction {
            connection,
            changes: Vec::new(),
            entries: Entries::default(),
        };
        let value = code(&mut transaction)?;
        let Noted { changes, entries } = transaction.finish()?;
        if !entries.is_empty() {
            seal(connection, entries)?;
        }
        Ok((value, changes))
    })
}

/// Runs `code` in a transaction of its own. What it noted is put into `changes` before the commit: where the commit fails nobody knows
/// whether it stands, and what may have changed is forgotten all the same. Then `stands` is asked, with the transaction's number;
/// if it cannot tell, the error is that of the commit.
pub(super) fn run_alone<T, E>(
    connection: &mut Connection,
    (changes, trail): (&mut Vec<Change>, &Trail),
    stands: impl FnOnce(i64) -> Option<bool>,
    code: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
) -> Result<T, E>
where
    E: From<Error>,
{
    begin(connection)?;
    // Taken when all else is done, so that only what commits at the same moment needs a chain of its own.
    let mut lane = None;
    let seal = |connection: &mut Connection, entries| {
        let lane = lane.insert(trail.take());
        lane.enter(connection, entries)?;
        lane.write(connection)
    };
    let outcome = run(connection, seal, code);
    match outcome {
        Ok((value, noted)) => {
            *changes = noted;
            roll_back_nested(connection)?;
            let number = postgres::transaction_number(connection)?;
            let committed = commit(connection);
            let stands = match (&committed, number) {
                (Ok(()), _) => Some(true),
                (Err(_), Some(number)) => stands(number),
                (Err(_), None) => None,
            };
            if let Some(lane) = &mut lane {
                lane.settle(stands);
            }
            match (committed, stands) {
                (Ok(()), _) => Ok(value),
                (Err(error), Some(true)) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the answer to a commit was lost, and the commit stands"
                    );
                    Ok(value)
                }
                (Err(error), _) => Err(error.into()),
            }
        }
        Err(error) => {
            roll_back(connection);
            Err(error)
        }
    }
}

/// Runs the code of a caller inside the store; if it panics, that is a defect of this call and of nothing else.
pub(super) fn guarded<T, E: From<Error>>(code: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    // What a caller left half done is rolled back, or thrown away with its connection.
    catch_unwind(AssertUnwindSafe(code))
        .unwrap_or_else(|_| Err(Error::from(Reason::Panicked).into()))
}

type Subscriber = Box<dyn Fn(&[Change]) + Send + Sync>;

/// Those who hear of changes.
#[derive(Default)]
pub(super) struct Subscribers(RwLock<Vec<Subscriber>>);

impl Subscribers {
    pub(super) fn add(&self, subscriber: Subscriber) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(subscriber);
    }

    /// Tells everyone, one after the other, on this thread.
    pub(super) fn publish(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        for subscriber in &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            // The change is durable and the others must hear of it, whatever becomes of one subscriber.
            if catch_unwind(AssertUnwindSafe(|| subscriber(changes))).is_err() {
                tracing::error!("a subscriber to changes of the store panicked");
            }
        }
    }
}
