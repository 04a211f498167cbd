//! The migrations go up, come down without leaving anything, and go up again.

use kagiya::store::Backend;

use super::{add, number, organizations};
use crate::support::database::Database;

#[tokio::test]
async fn all_migrations_go_up_and_down_and_up_again() {
    let database = Database::empty();
    let store = &database.store;
    let mut folders: Vec<String> = std::fs::read_dir("migrations/sqlite")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    assert_eq!(store.pending_migrations().unwrap(), folders);

    let applied = store.migrate().unwrap();
    assert!(store.pending_migrations().unwrap().is_empty());
    add(store, "first").await.unwrap();

    let mut reverted = store.revert_migrations().unwrap();
    reverted.reverse();
    assert_eq!(reverted, applied);
    assert_eq!(tables(&database).await, 0);

    assert_eq!(store.migrate().unwrap(), applied);
    assert_eq!(organizations(store).await, 0);
}

#[test]
fn migrating_twice_changes_nothing() {
    let database = Database::empty();
    assert!(!database.store.migrate().unwrap().is_empty());
    assert!(database.store.migrate().unwrap().is_empty());
}

#[test]
fn stores_that_migrate_at_the_same_time_do_it_once() {
    let database = Database::empty();
    if database.store.backend() == Backend::Sqlite {
        // The lock on the data folder keeps a second program away from SQLite.
        return;
    }
    let applied: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| database.store.migrate().unwrap().len()))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let all = applied.iter().copied().max().unwrap();
    assert!(all > 0);
    assert_eq!(applied.into_iter().sum::<usize>(), all);
}

/// How many tables there are besides the list of the migrations.
async fn tables(database: &Database) -> i64 {
    let query = match database.store.backend() {
        Backend::Sqlite => {
            "SELECT count(*) AS number FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
             AND name <> '__diesel_schema_migrations'"
        }
        Backend::Postgres => {
            "SELECT count(*) AS number FROM information_schema.tables WHERE table_schema = current_schema() \
             AND table_name <> '__diesel_schema_migrations'"
        }
    };
    database
        .store
        .read(move |connection| number(connection, query))
        .await
        .unwrap()
}
