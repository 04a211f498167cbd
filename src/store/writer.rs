//! The one writer of SQLite: many waiting writers share one commit.
//!
//! SQLite admits one writer at a time, and a durable commit costs an fsync (0.2 to 4 ms). One thread owns the connection that
//! writes. It takes whatever waits, begins one transaction, runs each job inside a savepoint of its own (so one that fails takes
//! nothing of the others with it), commits once, publishes the changes and only then answers. It never waits for more jobs to
//! come: a lone writer pays for its own commit and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::{Connection as _, QueryResult};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::connection::{Purpose, Target, begin, commit, roll_back_nested};
use super::error::{Error, Reason};
use super::trail::{Lane, Trail};
use super::transaction::{self, Change, Subscribers, Transaction};
use super::watched::Watched;
use super::{Connection, DEADLINE};

/// How many writes may wait. More than this cannot be served within [`DEADLINE`] on a slow disk.
const QUEUE: usize = 1024;

/// How many writes share one commit at most, so that the first of them does not wait long for the last.
const GROUP: usize = 128;

/// The way to the writer's thread. It ends when this is dropped, or by [`Writer::close`].
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    file: Arc<Watched>,
    failing: Arc<AtomicBool>,
}

enum Message {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

impl Writer {
    /// Opens the connection that writes and starts the thread that owns it.
    pub(super) fn start(
        target: Target,
        (subscribers, trail): (Arc<Subscribers>, Arc<Trail>),
        commits: Arc<AtomicU64>,
    ) -> Result<Self, Error> {
        let connection = Some(target.connect(Purpose::Writer)?);
        let file = Arc::new(target.watch()?);
        let failing = Arc::new(AtomicBool::new(false));
        let (queue, messages) = mpsc::channel(QUEUE);
        let owner = Owner {
            target,
            connection,
            subscribers,
            trail,
            commits,
            file: Arc::clone(&file),
            failing: Arc::clone(&failing),
        };
        thread::Builder::new()
            .name("kagiya-writer".to_owned())
            .spawn(move || owner.run(messages))
            .map_err(Error::unavailable)?;
        Ok(Self {
            queue,
            file,
            failing,
        })
    }

    /// The file that is written to.
    pub(super) fn file(&self) -> &Arc<Watched> {
        &self.file
    }

    /// Whether the last writes were lost, or are still waited for beyond the deadline.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Queues a write and waits until it is durable. A caller that stops waiting stops a write that has not begun, and no other.
    pub(super) async fn write<T, E, F>(&self, code: F) -> Result<T, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Task {
            code: Some(code),
            outcome: None,
            reply,
        };
        self.queue
            .try_send(Message::Job(Box::new(task)))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Error::from(Reason::QueueFull),
                mpsc::error::TrySendError::Closed(_) => Error::from(Reason::Closed),
            })?;
        match timeout(DEADLINE, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Error::from(Reason::Closed).into()),
            Err(_) => {
                self.failing.store(true, Ordering::Relaxed);
                Err(Error::from(Reason::Deadline).into())
            }
        }
    }

    /// Serves what is queued, then ends the thread and closes the file.
    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            // An error says that the thread has ended, which is what was asked for.
            let _ = closed.await;
        }
    }
}

/// What the writer's thread holds.
struct Owner {
    target: Target,
    /// None after a group that was lost: closing the connection rolled it back, and the next group opens another.
    connection: Option<Connection>,
    subscribers: Arc<Subscribers>,
    trail: Arc<Trail>,
    commits: Arc<AtomicU64>,
    file: Arc<Watched>,
    failing: Arc<AtomicBool>,
}

impl Owner {
    fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(GROUP);
        let mut waiting_for_the_end = None;
        while queue.blocking_recv_many(&mut messages, GROUP) > 0 {
            let mut jobs = Vec::with_capacity(messages.len());
            for message in messages.drain(..) {
                match message {
                    Message::Job(job) if job.is_abandoned() => {}
                    Message::Job(job) => jobs.push(job),
                    Message::Close(done) => {
                        queue.close();
                        waiting_for_the_end = Some(done);
                    }
                }
            }
            if !jobs.is_empty() {
                self.serve(jobs);
            }
        }
        if let Some(mut connection) = self.connection.take() {
            // Only the planner's statistics: nothing is lost without it.
            let _ = connection.batch_execute("PRAGMA optimize");
        }
        if let Some(done) = waiting_for_the_end {
            let _ = done.send(());
        }
    }

    /// One group: commit, publish, answer, in this order.
    fn serve(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let mut changes = Vec::new();
        let outcome = self.group(&mut jobs, &mut changes);
        // Where the commit failed, nobody knows whether it stands: what may have changed is forgotten all the same.
        self.subscribers.publish(&changes);
        self.failing.store(outcome.is_err(), Ordering::Relaxed);
        match outcome {
            Ok(()) => {
                for job in jobs {
                    job.answer(None);
                }
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    writes = jobs.len(),
                    "a group of writes was lost"
                );
                // Those too that failed by themselves: what they saw may have been a row of another job, which is gone now.
                let cause = Arc::new(error);
                for job in jobs {
                    job.answer(Some(Error::unavailable(Arc::clone(&cause))));
                }
            }
        }
    }

    fn group(&mut self, jobs: &mut [Box<dyn Job>], changes: &mut Vec<Change>) -> Result<(), Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                // Another file in its place must not even be opened: opening may change it.
                self.file.check()?;
                self.target.connect(Purpose::Writer)?
            }
        };
        let trail = Arc::clone(&self.trail);
        let mut lane = trail.take();
        let mut kept = false;
        self.file.check()?;
        begin(&mut connection)?;
        // Until it is known that the commit stands.
        lane.settle(None);
        for job in jobs {
            connection.execute_returning_count(&Savepoint)?;
            let before = lane.state();
            let noted = job.run(&mut connection, &mut lane);
            // A panic may have left transactions inside the job open; the savepoint is outside of them.
            roll_back_nested(&mut connection)?;
            match noted {
                Some(mut noted) => {
                    changes.append(&mut noted);
                    kept = true;
                }
                None => {
                    connection.execute_returning_count(&RollBackToSavepoint)?;
                    lane.restore(before);
                }
            }
            connection.execute_returning_count(&ReleaseSavepoint)?;
        }
        lane.write(&mut connection)?;
        commit(&mut connection)?;
        // What went into a file that is not the database any more is not durable.
        self.file.check()?;
        lane.settle(Some(true));
        if kept {
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        self.connection = Some(connection);
        Ok(())
    }
}

/// A queued write, whatever it answers.
trait Job: Send {
    /// Whether nobody waits for it any more.
    fn is_abandoned(&self) -> bool;

    /// Runs it; the changes that it noted if it is to be kept.
    fn run(&mut self, connection: &mut Connection, lane: &mut Lane<'_>) -> Option<Vec<Change>>;

    /// Tells the caller its own outcome, or what was the end of the whole group.
    fn answer(self: Box<Self>, lost: Option<Error>);
}

struct Task<F, T, E> {
    code: Option<F>,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Task<F, T, E>
where
    F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, connection: &mut Connection, lane: &mut Lane<'_>) -> Option<Vec<Change>> {
        let code = self.code.take()?;
        let seal = |connection: &mut Connection, entries| lane.enter(connection, entries);
        let (outcome, changes) = match transaction::run(connection, seal, code) {
            Ok((value, changes)) => (Ok(value), Some(changes)),
            Err(error) => (Err(error), None),
        };
        self.outcome = Some(outcome);
        changes
    }

    fn answer(self: Box<Self>, lost: Option<Error>) {
        let outcome = match lost {
            Some(error) => Some(Err(error.into())),
            None => self.outcome,
        };
        if let Some(outcome) = outcome {
            // The caller may have gone; the write stands all the same.
            let _ = self.reply.send(outcome);
        }
    }
}

/// A statement without parameters that is prepared once: parsing these three would cost more than running them.
macro_rules! fixed_statement {
    ($name:ident, $sql:literal) => {
        #[derive(QueryId)]
        struct $name;

        impl<DB: Backend> QueryFragment<DB> for $name {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
                out.push_sql($sql);
                Ok(())
            }
        }
    };
}

fixed_statement!(Savepoint, "SAVEPOINT job");
fixed_statement!(ReleaseSavepoint, "RELEASE job");
fixed_statement!(RollBackToSavepoint, "ROLLBACK TO job");
