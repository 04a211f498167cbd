//! SQLite: writers that wait at the same time share one commit, and nothing else.

use std::pin::Pin;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::join_all;
use kagiya::store::{Change, Error, Store};

use super::{add, number, organization, organizations};
use crate::support::database::{Database, execute};

#[tokio::test]
async fn writers_that_wait_together_share_one_commit() {
    let database = Database::on_sqlite();
    let store = &database.store;
    let slugs: Vec<String> = (0..16).map(|number| format!("o{number}")).collect();

    let busy = Busy::keep(store).await;
    let waiting = slugs
        .iter()
        .map(|slug| queued(add(store, slug)))
        .collect::<Vec<_>>();
    let before = store.commits();
    busy.release().await;
    for outcome in join_all(waiting).await {
        outcome.unwrap();
    }

    // The one of the writer that kept the others waiting, and one for all of them.
    assert_eq!(store.commits() - before, 2);
    assert_eq!(organizations(store).await, 16);
}

#[tokio::test]
async fn a_writer_that_fails_takes_nothing_of_the_others_with_it() {
    let database = Database::on_sqlite();
    let store = &database.store;

    let busy = Busy::keep(store).await;
    let first = queued(add(store, "one"));
    let same_slug = organization("one").replace("org_one", "org_two");
    let same_slug = queued(store.write(move |tx| execute(tx, &same_slug)));
    let gives_up = queued(store.write(|tx| {
        execute(tx, &organization("two"))?;
        Err::<(), _>(Refusal::Wanted)
    }));
    let panics = queued(store.write(|tx| -> Result<(), Error> {
        execute(tx, &organization("three"))?;
        panic!("a defect inside a transaction");
    }));
    let last = queued(add(store, "four"));
    let before = store.commits();
    busy.release().await;

    first.await.unwrap();
    assert!(
        same_slug
            .await
            .unwrap_err()
            .conflicts_with("organizations.slug")
    );
    assert!(matches!(gives_up.await, Err(Refusal::Wanted)));
    assert!(matches!(panics.await, Err(Error::Query { .. })));
    last.await.unwrap();
    assert_eq!(store.commits() - before, 2);
    assert_eq!(organizations(store).await, 2);
}

#[tokio::test]
async fn a_panic_inside_a_nested_transaction_leaves_the_writer_whole() {
    use diesel::Connection;
    let database = Database::on_sqlite();
    let store = &database.store;

    let busy = Busy::keep(store).await;
    let panics = queued(store.write(|tx| {
        tx.transaction(|connection| -> Result<(), Error> {
            execute(connection, &organization("one"))?;
            panic!("a defect inside a nested transaction");
        })
    }));
    let next = queued(add(store, "two"));
    busy.release().await;

    assert!(matches!(panics.await, Err(Error::Query { .. })));
    next.await.unwrap();
    assert_eq!(organizations(store).await, 1);
}

#[tokio::test]
async fn if_the_commit_fails_nobody_is_told_that_it_did_not() {
    let database = Database::on_sqlite();
    let store = &database.store;
    let published = Arc::new(Mutex::new(0));
    let count = Arc::clone(&published);
    store.subscribe(move |changes| *count.lock().unwrap() += changes.len());

    let busy = Busy::keep(store).await;
    let innocent = queued(store.write(|tx| {
        tx.changed(Change::Catalogue);
        execute(tx, &organization("one"))
    }));
    let failed_by_itself = queued(add(store, "one"));
    // A reference that is checked no earlier than at the commit.
    let culprit = queued(store.write(|tx| {
        execute(tx, "PRAGMA defer_foreign_keys = ON")?;
        execute(
            tx,
            "INSERT INTO permissions VALUES ('per_x', 'res_x', 'read', NULL, 0)",
        )
    }));
    busy.release().await;

    assert!(matches!(innocent.await, Err(Error::Unavailable { .. })));
    assert!(matches!(
        failed_by_itself.await,
        Err(Error::Unavailable { .. })
    ));
    assert!(matches!(culprit.await, Err(Error::Unavailable { .. })));
    assert_eq!(organizations(store).await, 0);
    assert_eq!(
        *published.lock().unwrap(),
        1,
        "what may have changed is forgotten, since nobody knows whether the commit stands"
    );

    add(store, "two").await.unwrap();
    assert_eq!(organizations(store).await, 1);
}

#[tokio::test]
async fn a_caller_that_went_away_stops_only_what_has_not_begun() {
    let database = Database::on_sqlite();
    let store = &database.store;

    let (started, has_started) = tokio::sync::oneshot::channel();
    let (release, gate) = mpsc::channel::<()>();
    let begun = queued(store.write(move |tx| {
        let _ = started.send(());
        let _ = gate.recv();
        execute(tx, &organization("begun"))
    }));
    has_started.await.unwrap();
    let not_begun = queued(add(store, "waiting"));
    drop(begun);
    drop(not_begun);
    release.send(()).unwrap();

    add(store, "last").await.unwrap();
    let begun = store
        .read(|connection| {
            number(
                connection,
                "SELECT count(*) AS number FROM organizations WHERE slug IN ('begun', 'last')",
            )
        })
        .await
        .unwrap();
    assert_eq!((begun, organizations(store).await), (2, 2));
}

#[tokio::test]
async fn more_writes_than_can_wait_are_refused_at_once() {
    let database = Database::on_sqlite();
    let store = &database.store;
    let busy = Busy::keep(store).await;

    let mut waiting = Vec::new();
    let refused = loop {
        let mut write = Box::pin(store.write(|_| Ok::<(), Error>(())));
        match (&mut write).now_or_never() {
            Some(outcome) => break outcome,
            None => waiting.push(write),
        }
        assert!(waiting.len() < 100_000, "the queue has no end");
    };
    assert!(matches!(refused, Err(Error::Unavailable { .. })));
    busy.release().await;
    for outcome in join_all(waiting).await {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn closing_finishes_what_waits_and_refuses_what_comes_after() {
    let database = Database::on_sqlite();
    let store = database.store.clone();
    let busy = Busy::keep(&store).await;
    let waits = queued(add(&store, "waits"));
    let mut closing = Box::pin(store.clone().close());
    assert!((&mut closing).now_or_never().is_none());
    busy.release().await;
    closing.await;

    waits.await.unwrap();
    let after = add(&store, "after").await;
    assert!(matches!(after, Err(Error::Unavailable { .. })));
}

#[derive(Debug)]
enum Refusal {
    Wanted,
    Store,
}

impl From<Error> for Refusal {
    fn from(_: Error) -> Self {
        Self::Store
    }
}

/// A write that keeps the writer busy until it is released, so that others must queue.
struct Busy {
    release: mpsc::Sender<()>,
    write: tokio::task::JoinHandle<Result<usize, Error>>,
}

impl Busy {
    async fn keep(store: &Store) -> Self {
        let store = store.clone();
        let (release, gate) = mpsc::channel::<()>();
        let (started, has_started) = tokio::sync::oneshot::channel();
        let write = tokio::spawn(async move {
            store
                .write(move |tx| {
                    let _ = started.send(());
                    let _ = gate.recv();
                    execute(tx, "UPDATE deployment SET issuer = issuer")
                })
                .await
        });
        has_started.await.unwrap();
        Self { release, write }
    }

    async fn release(self) {
        self.release.send(()).unwrap();
        self.write.await.unwrap().unwrap();
    }
}

/// The write, put in the queue but not waited for.
fn queued<'a, T>(write: impl Future<Output = T> + 'a) -> Pin<Box<dyn Future<Output = T> + 'a>> {
    let mut write: Pin<Box<dyn Future<Output = T> + 'a>> = Box::pin(write);
    assert!((&mut write).now_or_never().is_none());
    write
}
