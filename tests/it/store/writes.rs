//! Writes on both databases: all or nothing, whatever the code inside does.

use diesel::Connection as _;
use futures_util::future::join_all;
use kagiya::store::{Backend, Error, Store};

use super::{add, organization, organizations};
use crate::support::database::{Database, execute};

#[tokio::test]
async fn what_was_written_is_there_for_the_next_reader() {
    let database = Database::new();
    add(&database.store, "one").await.unwrap();
    assert_eq!(organizations(&database.store).await, 1);
    let hot = database
        .store
        .read_hot(|connection| {
            super::number(connection, "SELECT count(*) AS number FROM organizations")
        })
        .await;
    assert_eq!(hot.unwrap(), 1);
}

#[tokio::test]
async fn many_writers_at_once_all_get_their_own_answer() {
    let database = Database::new();
    let store = &database.store;
    let outcomes = join_all((0..50).map(|number| async move {
        let statement = organization(&format!("o{}", number / 2));
        let outcome = store.write(move |tx| execute(tx, &statement)).await;
        outcome.is_ok()
    }))
    .await;
    assert_eq!(outcomes.into_iter().filter(|ok| *ok).count(), 25);
    assert_eq!(organizations(store).await, 25);
}

#[tokio::test]
async fn an_error_after_a_statement_undoes_the_statement() {
    let database = Database::new();
    let outcome = database
        .store
        .write(|tx| {
            execute(tx, &organization("one"))?;
            execute(tx, &organization("one"))
        })
        .await;
    assert!(matches!(outcome, Err(Error::Conflict { .. })));
    assert_eq!(organizations(&database.store).await, 0);
}

#[tokio::test]
async fn a_panic_undoes_the_transaction_and_the_store_goes_on() {
    let database = Database::new();
    for _ in 0..10 {
        let outcome = panics(&database.store).await;
        assert!(matches!(outcome, Err(Error::Query { .. })));
    }
    add(&database.store, "one").await.unwrap();
    assert_eq!(organizations(&database.store).await, 1);
}

#[tokio::test]
async fn a_nested_transaction_can_fail_alone() {
    let database = Database::new();
    database
        .store
        .write(|tx| {
            execute(tx, &organization("one"))?;
            let inner = tx.transaction(|connection| {
                execute(connection, &organization("two"))?;
                execute(connection, &organization("one"))
            });
            assert!(matches!(inner, Err(Error::Conflict { .. })));
            execute(tx, &organization("three"))
        })
        .await
        .unwrap();
    assert_eq!(organizations(&database.store).await, 2);
}

#[tokio::test]
async fn a_reader_of_sqlite_cannot_write() {
    let database = Database::new();
    if database.store.backend() == Backend::Postgres {
        return;
    }
    let outcome = database
        .store
        .read(|connection| execute(connection, &organization("one")))
        .await;
    assert!(outcome.is_err());
}

#[tokio::test]
async fn a_reader_that_leaves_a_transaction_open_spoils_nothing() {
    let database = Database::new();
    for _ in 0..10 {
        let panicked = database
            .store
            .read(|connection| {
                connection.transaction(|_| -> Result<(), Error> { panic!("a defect of a reader") })
            })
            .await;
        assert!(matches!(panicked, Err(Error::Query { .. })));
    }
    add(&database.store, "one").await.unwrap();
    assert_eq!(organizations(&database.store).await, 1);
}

async fn panics(store: &Store) -> Result<usize, Error> {
    store
        .write(|tx| {
            tx.transaction(|connection| {
                execute(connection, &organization("gone"))?;
                panic!("a defect inside a transaction")
            })
        })
        .await
}
