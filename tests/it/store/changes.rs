//! Who remembers rows hears of every change, after it is durable and before its writer does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use kagiya::store::{Change, Error};

use super::{number, organization, organizations};
use crate::support::database::{Database, execute, open};

#[tokio::test]
async fn subscribers_hear_of_a_change_when_it_is_durable_and_before_the_writer() {
    let database = Database::new();
    let store = &database.store;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&heard);
    let elsewhere = open(database.url()).unwrap();
    store.subscribe(move |changes| {
        let elsewhere = elsewhere.clone();
        let rows =
            crate::support::database::block_on(async move { organizations(&elsewhere).await });
        list.lock().unwrap().push((changes.to_vec(), rows));
    });

    store
        .write(|tx| {
            tx.changed(Change::Catalogue);
            tx.changed(Change::Secrets);
            execute(tx, &organization("one"))
        })
        .await
        .unwrap();

    let heard = heard.lock().unwrap();
    assert_eq!(*heard, [(vec![Change::Catalogue, Change::Secrets], 1)]);
}

#[tokio::test]
async fn a_transaction_that_fails_publishes_nothing() {
    let database = Database::new();
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    database.store.subscribe(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let failed = database
        .store
        .write(|tx| {
            tx.changed(Change::SigningKeys);
            execute(tx, "INSERT INTO nowhere VALUES (1)")
        })
        .await;
    assert!(matches!(failed, Err(Error::Query { .. })));
    assert_eq!(count.load(Ordering::SeqCst), 0);
    assert_eq!(epoch(&database).await, 0);
}

#[tokio::test]
async fn the_epoch_counts_the_transactions_that_changed_something() {
    let database = Database::new();
    let store = &database.store;
    let unchanged = store.write(|tx| execute(tx, &organization("one"))).await;
    unchanged.unwrap();
    assert_eq!(epoch(&database).await, 0);
    for slug in ["two", "three"] {
        store
            .write(move |tx| {
                tx.changed(Change::Catalogue);
                tx.changed(Change::Catalogue);
                execute(tx, &organization(slug))
            })
            .await
            .unwrap();
    }
    assert_eq!(epoch(&database).await, 2);
}

#[tokio::test]
async fn a_subscriber_that_panics_takes_nothing_from_the_others() {
    let database = Database::new();
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    database
        .store
        .subscribe(|_| panic!("a defect of one subscriber"));
    database.store.subscribe(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    for _ in 0..2 {
        database
            .store
            .write(|tx| {
                tx.changed(Change::Catalogue);
                Ok::<_, Error>(())
            })
            .await
            .unwrap();
    }
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

async fn epoch(database: &Database) -> i64 {
    database
        .store
        .read_hot(|connection| number(connection, "SELECT epoch AS number FROM deployment"))
        .await
        .unwrap()
}
