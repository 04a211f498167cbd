//! How rows get into the chains: one after the other, whatever runs at once, is undone, crashes or rotates.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;

use super::{assert_whole, length};
use crate::support::database::postgres_url;
use crate::support::test_app::{Shop, TestApp};

#[tokio::test]
async fn every_run_has_a_chain_of_its_own_and_knows_the_one_before() {
    let app = TestApp::new().await;
    app.organization("First").await;
    let app = app.restart().await;
    app.organization("Second").await;
    let app = app.crash().await;
    app.organization("Third").await;
    let app = app.crash().await;
    // One that changes nothing has none.
    app.get("/livez").send().await.expect(200);
    let app = app.restart().await;
    let report = app.verify_trail(&[]).await;
    assert_whole(&report);
    assert_eq!((report.chains, report.ended), (3, 1));
    let open: Vec<i64> = report.open.iter().map(|chain| chain.number).collect();
    assert_eq!(open, [2, 3]);
    let knows =
        "SELECT count(*) AS number FROM audit_chains WHERE heads LIKE '%[' || (number - 1) || ',%'";
    assert_eq!(app.count(knows).await, 2);
}

#[tokio::test]
async fn a_change_that_is_undone_leaves_no_gap() {
    let app = TestApp::new().await;
    let create = |slug: &str| {
        let body = json!({"name": "x", "slug": slug});
        app.post("/v1/organizations").operator().json(body).send()
    };
    create("taken").await.expect(201);
    for _ in 0..3 {
        create("taken").await.problem("slug_taken");
        create("").await.problem("invalid_parameter");
    }
    let before = length(&app, 1).await;
    app.organization("Next").await;
    assert_eq!(length(&app, 1).await, before + 1);
    assert_whole(&app.verify_trail(&[]).await);
}

#[tokio::test]
async fn changes_at_once_of_which_half_are_undone_leave_whole_chains() {
    let shop = Arc::new(Shop::on(TestApp::setup().workers(4).start().await).await);
    let mut made = 0;
    for round in 0..10 {
        let calls = (0..16).map(|number| {
            let shop = Arc::clone(&shop);
            async move {
                // Two want each slug.
                let body = json!({"name": "x", "slug": format!("r{round}-{}", number / 2)});
                let post = shop.app.post("/v1/organizations").operator();
                post.json(body).send().await.status
            }
        });
        let statuses = join_all(calls).await;
        made += statuses.iter().filter(|status| **status == 201).count();
    }
    assert_eq!(made, 80);
    let report = shop.app.verify_trail(&[]).await;
    assert_whole(&report);
    let rows = "SELECT count(*) AS number FROM audit_events";
    assert_eq!(
        i64::try_from(report.rows).unwrap(),
        shop.app.count(rows).await
    );
    if shop.app.database().file().is_some() {
        assert_eq!(report.chains, 1, "there is one writer");
    } else {
        assert!(
            report.chains <= 8,
            "no more than there are connections: {}",
            report.chains
        );
    }
}

/// Whoever waits for one chain holds up nobody who can take another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_writers_do_not_wait_for_each_other() {
    if postgres_url().is_none() {
        return;
    }
    let app = Arc::new(TestApp::setup().workers(2).start().await);
    app.organization("First").await;
    assert_eq!(app.verify_trail(&[]).await.chains, 1);
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (held, holds) = tokio::sync::oneshot::channel();
    let store = app.database().store.clone();
    let holder = tokio::spawn(async move {
        let hold = "SELECT 1 FROM audit_chains WHERE number = 1 FOR UPDATE";
        let write = store.write(move |tx| {
            crate::support::database::execute(tx, hold)?;
            let _ = held.send(());
            let _ = released.recv();
            Ok::<_, kagiya::store::Error>(())
        });
        write.await
    });
    holds.await.unwrap();
    let waiting = tokio::spawn({
        let app = Arc::clone(&app);
        async move { app.organization("Waits").await }
    });
    let waits = "SELECT count(*) AS number FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                 AND query LIKE 'UPDATE \"audit_chains\"%'";
    while app.count(waits).await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    app.organization("Goes past").await;
    assert!(!waiting.is_finished());
    drop(release);
    holder.await.unwrap().unwrap();
    waiting.await.unwrap();
    let report = app.verify_trail(&[]).await;
    assert_whole(&report);
    assert_eq!(report.chains, 2);
}

#[tokio::test]
async fn the_trail_is_verified_while_it_is_written() {
    let shop = Arc::new(Shop::on(TestApp::setup().workers(3).start().await).await);
    let writing = tokio::spawn({
        let shop = Arc::clone(&shop);
        async move {
            for _ in 0..20 {
                join_all((0..4).map(|_| shop.app.organization("x"))).await;
            }
        }
    });
    let mut verified = 0;
    while !writing.is_finished() || verified == 0 {
        assert_whole(&shop.app.verify_trail(&[]).await);
        verified += 1;
    }
    writing.await.unwrap();
    assert_whole(&shop.app.verify_trail(&[]).await);
}
