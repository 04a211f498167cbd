//! The database does not take a write: nothing is answered that is not so, and a revocation counts all the same.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::time::Duration;

use kagiya::store;
use serde_json::json;

use crate::support::credentials::Key;
use crate::support::database::execute;
use crate::support::test_app::{Shop, TestApp};

/// Somebody else holds the database for himself; reading goes on.
struct Held {
    release: std::sync::mpsc::Sender<()>,
    holder: tokio::task::JoinHandle<Result<(), store::Error>>,
}

impl Held {
    async fn by_somebody_else(app: &TestApp) -> Self {
        let store = app.database().store.clone();
        let on_sqlite = app.database().file().is_some();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (held, holds) = tokio::sync::oneshot::channel();
        let holder = tokio::spawn(async move {
            store
                .write(move |tx| {
                    // On SQLite the transaction that has begun is enough.
                    if !on_sqlite {
                        execute(
                            tx,
                            "LOCK TABLE api_keys, credentials, audit_events IN SHARE MODE",
                        )?;
                    }
                    let _ = held.send(());
                    let _ = released.recv();
                    Ok(())
                })
                .await
        });
        holds.await.unwrap();
        Self { release, holder }
    }

    async fn let_go(self) {
        drop(self.release);
        // The store that holds it may have given up the waiting, not the holding.
        let _ = self.holder.await;
    }
}

#[tokio::test]
async fn while_nothing_can_be_written_changes_are_503_and_trades_go_on() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let key = shop.key().await;
    let held = Held::by_somebody_else(app).await;
    let create = app.post("/v1/keys").operator().json(shop.wanted(json!({})));
    let disable = app
        .patch(&key.path(""))
        .operator()
        .json(json!({"disabled": true}));
    let (created, disabled, traded) =
        tokio::join!(create.send(), disable.send(), app.trade(&key.key));
    created.problem("database_unavailable");
    disabled.problem("database_unavailable");
    traded.expect(200);
    app.get(&key.path("")).operator().send().await.expect(200);
    held.let_go().await;
    app.trade(&shop.key().await.key).await.expect(200);
}

#[tokio::test]
async fn a_revocation_that_cannot_be_written_is_503_and_the_key_is_refused_here_and_then_for_good()
{
    let shop = Shop::new().await;
    let app = &shop.app;
    let (by_admin, by_holder) = (shop.key().await, shop.key().await);
    for key in [&by_admin, &by_holder] {
        app.trade(&key.key).await.expect(200);
    }
    let held = Held::by_somebody_else(app).await;
    let own = app.post("/v1/key/revoke").by(&Key(&by_holder.key));
    let (admin, holder) =
        tokio::join!(app.delete(&by_admin.path("")).operator().send(), own.send());
    admin.problem("database_unavailable");
    holder.problem("database_unavailable");
    for key in [&by_admin, &by_holder] {
        app.trade(&key.key).await.problem("api_key_revoked");
    }
    held.let_go().await;
    let revoked = "SELECT count(*) AS number FROM api_keys WHERE revoked_at IS NOT NULL";
    for _ in 0..2000 {
        if app.count(revoked).await == 2 {
            break;
        }
        app.trade(&by_admin.key).await.problem("api_key_revoked");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(app.count(revoked).await, 2, "it was written in the end");
    let shop = shop.again(TestApp::crash).await;
    for key in [&by_admin, &by_holder] {
        shop.app.trade(&key.key).await.problem("api_key_revoked");
    }
}
