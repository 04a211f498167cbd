//! The same kind of error for the same cause, on both databases.

use std::time::{Duration, Instant};

use kagiya::domain::secret::SecretText;
use kagiya::store::{Backend, Error, FOREIGN_KEY, Options, Store};

use super::{add, organization};
use crate::support::database::{Database, administer, execute, open, postgres_url};

#[tokio::test]
async fn a_second_row_with_a_unique_value_is_a_conflict_with_the_name_of_its_column() {
    let cases = [
        (organization("a").replace("'a'", "'b'"), "organizations.id"),
        (
            organization("a").replace("org_a", "org_b"),
            "organizations.slug",
        ),
        (
            "INSERT INTO permissions VALUES ('per_2', 'res_a', 'read', NULL, 0)".to_owned(),
            "permissions.resource_id_name",
        ),
        (
            "INSERT INTO api_key_permissions VALUES ('key_a', 'per_1')".to_owned(),
            "api_key_permissions.key_id_permission_id",
        ),
        (
            "INSERT INTO deployment (id, issuer, root_check, epoch, created_at) SELECT 'other', issuer, root_check, 0, 0 FROM deployment"
                .to_owned(),
            "deployment_one_row",
        ),
    ];
    let database = Database::new();
    database
        .store
        .write(|tx| {
            execute(tx, &organization("a"))?;
            execute(
                tx,
                "INSERT INTO resources (id, identifier, token_lifetime, signing_alg, metadata_claims, reserved, version, created_at, \
                 updated_at) VALUES ('res_a', 'https://a', 300, 'ES256', '[]', FALSE, 1, 0, 0)",
            )?;
            execute(tx, "INSERT INTO permissions VALUES ('per_1', 'res_a', 'read', NULL, 0)")?;
            execute(
                tx,
                "INSERT INTO api_keys (id, organization_id, name, provider, metadata, epoch, created_by, created_at, updated_at) \
                 VALUES ('key_a', 'org_a', 'a', 'builtin', '{}', 1, 'test', 0, 0)",
            )?;
            execute(tx, "INSERT INTO api_key_permissions VALUES ('key_a', 'per_1')")
        })
        .await
        .unwrap();
    for (statement, constraint) in cases {
        let refused = database
            .store
            .write(move |tx| execute(tx, &statement))
            .await;
        let Err(Error::Conflict {
            constraint: found, ..
        }) = refused
        else {
            panic!("{constraint}: {refused:?}");
        };
        assert_eq!(found, constraint);
    }
}

#[tokio::test]
async fn a_reference_to_nothing_is_a_conflict() {
    let database = Database::new();
    let refused = database
        .store
        .write(|tx| {
            execute(
                tx,
                "INSERT INTO permissions VALUES ('per_x', 'res_x', 'read', NULL, 0)",
            )
        })
        .await;
    assert!(refused.unwrap_err().conflicts_with(FOREIGN_KEY));
}

#[tokio::test]
async fn a_state_that_does_not_exist_is_a_defect() {
    let database = Database::new();
    let refused = database
        .store
        .write(|tx| {
            execute(
                tx,
                "INSERT INTO idp_operations (id, provider, kind, key_id, credential_id, user_name, attempts, next_try_at, claim, \
                 created_at) VALUES ('x', 'builtin', 'wish', 'k', 'c', 'u', 0, 0, 0, 0)",
            )
        })
        .await;
    assert!(matches!(refused, Err(Error::Query { .. })));
}

#[tokio::test]
async fn a_change_without_a_deployment_is_corrupt() {
    let database = Database::empty();
    database.store.migrate().unwrap();
    let refused = database
        .store
        .write(|tx| {
            tx.changed(kagiya::store::Change::Catalogue);
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(refused, Err(Error::Corrupt { .. })));
}

#[test]
fn a_file_that_is_not_there_is_unavailable_and_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("typo.db");
    let opened = Store::open(&Options {
        url: SecretText::new(format!("sqlite:{}", file.display())),
        readers: 1,
        create: false,
    });
    assert!(matches!(opened, Err(Error::Unavailable { .. })));
    assert!(!file.exists());
}

#[test]
fn a_file_that_is_no_database_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.db");
    std::fs::write(&file, "this is a text and not a database, ".repeat(100)).unwrap();
    assert!(matches!(
        open(&format!("sqlite:{}", file.display())),
        Err(Error::Corrupt { .. })
    ));
}

#[test]
fn a_url_that_names_no_database_is_refused_without_repeating_it() {
    for url in [
        "mysql://root:hunter2@localhost/kagiya",
        "kagiya.db",
        "sqlite:",
        "sqlite::memory:",
        "sqlite:kagiya.db?mode=memory",
        "postgres://user:hunter2@localhost/kagiya?sslmode=sometimes",
    ] {
        let Err(error) = open(url) else {
            panic!("{url} was opened");
        };
        assert!(
            matches!(error, Error::Unavailable { .. }),
            "{url}: {error:?}"
        );
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn a_server_that_does_not_answer_is_unavailable_within_the_deadline() {
    // It accepts connections and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    #[expect(
        clippy::disallowed_methods,
        reason = "measures how long the store waits"
    )]
    let start = Instant::now();
    let opened = open(&format!("postgres://kagiya@127.0.0.1:{port}/kagiya"));
    assert!(matches!(opened, Err(Error::Unavailable { .. })));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn after_the_server_dropped_the_connections_a_later_call_has_a_new_one() {
    let Some(server) = postgres_url() else {
        return;
    };
    let database = Database::new();
    let store = &database.store;
    let busy = store.clone();
    let (started, has_started) = tokio::sync::oneshot::channel();
    let cut_off = tokio::spawn(async move {
        busy.write(move |tx| {
            let pid = super::number(tx, "SELECT pg_backend_pid()::bigint AS number")?;
            let _ = started.send(pid);
            execute(tx, "SELECT pg_sleep(4)")
        })
        .await
    });
    let pid = has_started.await.unwrap();
    administer(&server, &format!("SELECT pg_terminate_backend({pid})"));

    assert!(matches!(
        cut_off.await.unwrap(),
        Err(Error::Unavailable { .. })
    ));
    for number in 0..10 {
        add(store, &format!("o{number}")).await.unwrap();
    }
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_unavailable() {
    let database = Database::new();
    if database.store.backend() == Backend::Sqlite {
        return;
    }
    let slow = database
        .store
        .read(|connection| {
            execute(connection, "SET statement_timeout = 50")?;
            execute(connection, "SELECT pg_sleep(5)")
        })
        .await;
    assert!(matches!(slow, Err(Error::Unavailable { .. })));
}

#[tokio::test]
async fn readers_beyond_the_pool_wait_and_then_give_up() {
    let database = Database::new();
    let store = Store::open(&Options {
        url: SecretText::new(database.url().to_owned()),
        readers: 1,
        create: false,
    })
    .unwrap();
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let (started, has_started) = tokio::sync::oneshot::channel();
    let holder = tokio::spawn({
        let store = store.clone();
        async move {
            store
                .read(move |_| {
                    let _ = started.send(());
                    let _ = gate.recv();
                    Ok::<_, Error>(())
                })
                .await
        }
    });
    has_started.await.unwrap();
    assert!(matches!(store.ping().await, Err(Error::Unavailable { .. })));
    release.send(()).unwrap();
    holder.await.unwrap().unwrap();
    store.ping().await.unwrap();
}
