//! Rows of the trail whose time is over: they go as whole segments, and what retention did not remove is missed as before.

use kagiya::broker::audit_verification::Problem;
use serde_json::json;

use super::{assert_finds, assert_whole, length};
use crate::retention::{look_for_old, wait_for};
use crate::support::test_app::{Shop, TestApp};

const DAY: i64 = 24 * 60 * 60;
const ROWS: &str = "SELECT count(*) AS number FROM audit_events";

/// An application that keeps rows for so many days, with some rows of its first day.
async fn app_that_keeps(days: u16) -> TestApp {
    let setup = TestApp::setup().config(|config| config.retention.audit_days = Some(days));
    let shop = Shop::on(setup.start().await).await;
    shop.key().await;
    shop.app
}

#[tokio::test]
async fn rows_go_by_whole_days_when_their_time_is_over_and_the_trail_is_whole_without_them() {
    let app = app_that_keeps(30).await;
    let first = length(&app, 1).await;
    let early = app.verify_trail(&[]).await.anchors;
    // The second day; every test begins at noon.
    app.pass(DAY);
    app.organization("Second").await;
    let second = length(&app, 1).await;
    // On the last day on which they are kept, up to its last second.
    app.pass(29 * DAY + DAY / 2 - 1 - 1200);
    look_for_old(&app).await;
    assert_eq!(app.count(ROWS).await, second);
    app.pass(1);
    app.pass(600);
    wait_for(&app, ROWS, second - first).await;
    let report = app.verify_trail(&early).await;
    assert_whole(&report);
    assert_eq!(i64::try_from(report.removed).unwrap(), first);
    let [removal] = &report.removals[..] else {
        panic!("{:?}", report.removals);
    };
    let named = (removal.chain, removal.first, removal.last);
    assert_eq!(named, (1, 1, first));
    assert!(removal.first_at <= removal.last_at && removal.last_at < removal.removed_at);
    assert_eq!(i64::try_from(report.rows).unwrap(), second - first);
    let page = app
        .get("/v1/audit-events?limit=200")
        .operator()
        .send()
        .await;
    let shown = page.expect(200)["items"].as_array().unwrap().len();
    // And the use of the operator's token just now.
    assert_eq!(i64::try_from(shown).unwrap(), second - first + 1);

    // What is left says how many there were, the first, the last, and what they came down to.
    let record = format!(
        "SELECT count(*) AS number FROM audit_segments WHERE chain = 1 AND first = 1 AND last = {first} \
         AND first_at <= last_at AND length(digest) = 32 AND length(link) = 32"
    );
    assert_eq!(app.count(&record).await, 1);
    let app = app.restart().await;
    app.organization("Later").await;
    assert_whole(&app.verify_trail(&[]).await);
}

#[tokio::test]
async fn without_a_word_rows_are_kept_for_ever() {
    let shop = Shop::new().await;
    shop.key().await;
    let rows = shop.app.count(ROWS).await;
    shop.app.pass(3650 * DAY);
    look_for_old(&shop.app).await;
    assert_eq!(shop.app.count(ROWS).await, rows);
}

#[tokio::test]
async fn a_hole_that_retention_did_not_make_is_found_behind_one_that_it_did() {
    let app = app_that_keeps(1).await;
    let first = length(&app, 1).await;
    app.pass(DAY);
    for name in ["a", "b", "c", "d"] {
        app.organization(name).await;
    }
    app.pass(DAY);
    wait_for(&app, ROWS, length(&app, 1).await - first).await;
    assert_whole(&app.verify_trail(&[]).await);
    // The next row behind the segment, and one further on.
    for row in [first + 1, first + 3] {
        app.tamper("CREATE TABLE kept AS SELECT * FROM audit_events")
            .await;
        app.tamper(&format!("DELETE FROM audit_events WHERE position = {row}"))
            .await;
        assert_finds(&app.verify_trail(&[]).await, Problem::Removed, 1, row);
        app.tamper("DELETE FROM audit_events").await;
        app.tamper("INSERT INTO audit_events SELECT * FROM kept")
            .await;
        app.tamper("DROP TABLE kept").await;
        assert_whole(&app.verify_trail(&[]).await);
    }
    // The record of what retention removed.
    for (column, value) in [
        ("first_id", "'x'"),
        ("last_id", "'x'"),
        ("first_at", "0"),
        ("last_at", "0"),
        ("digest", "link"),
        ("link", "digest"),
        ("removed_at", "0"),
        ("mark", "link"),
        ("generation", "7"),
        ("last", "last + 1"),
        ("last", "-1"),
    ] {
        app.tamper("CREATE TABLE kept AS SELECT * FROM audit_segments")
            .await;
        app.tamper(&format!("UPDATE audit_segments SET {column} = {value}"))
            .await;
        assert_finds(&app.verify_trail(&[]).await, Problem::RecordChanged, 1, 1);
        app.tamper("DELETE FROM audit_segments").await;
        assert_finds(&app.verify_trail(&[]).await, Problem::Removed, 1, 1);
        app.tamper("INSERT INTO audit_segments SELECT * FROM kept")
            .await;
        app.tamper("DROP TABLE kept").await;
        assert_whole(&app.verify_trail(&[]).await);
    }
    // Made to cover more than was removed, and the rest cut out.
    app.tamper(&format!(
        "DELETE FROM audit_events WHERE position = {}",
        first + 1
    ))
    .await;
    app.tamper("UPDATE audit_segments SET last = last + 1")
        .await;
    assert_finds(&app.verify_trail(&[]).await, Problem::RecordChanged, 1, 1);
}

#[tokio::test]
async fn retention_hides_nothing_that_somebody_did() {
    let app = app_that_keeps(1).await;
    let first = length(&app, 1).await;
    app.tamper("UPDATE audit_events SET subject = 'x' WHERE position = 3")
        .await;
    app.pass(3 * DAY);
    look_for_old(&app).await;
    assert_eq!(app.count(ROWS).await, first, "none of them goes");
    assert_finds(&app.verify_trail(&[]).await, Problem::Changed, 1, 3);
}

#[tokio::test]
async fn a_chain_whose_rows_are_all_gone_is_still_known_and_needs_no_old_secret() {
    let app = app_that_keeps(1).await.crash().await;
    app.organization("Second").await;
    let app = app.restart().await;
    let rotate = app.post("/v1/secrets/audit/rotate").operator();
    rotate
        .json(json!({"leaked": true}))
        .send()
        .await
        .expect(200);
    let rows = app.count(ROWS).await;
    assert!(rows > 0);
    app.pass(60);
    let retire = || app.post("/v1/secrets/audit/retire").operator().send();
    let refused = retire().await.problem("secret_in_use");
    assert!(
        refused.text("detail").starts_with("3 chains"),
        "{}",
        refused.transcript()
    );
    app.pass(2 * DAY);
    app.organization("New").await;
    wait_for(
        &app,
        "SELECT count(*) AS number FROM audit_events WHERE chain <= 3",
        0,
    )
    .await;
    let removed = app.verify_trail(&[]).await;
    assert_whole(&removed);
    assert!(removed.removed >= u64::try_from(rows).unwrap());
    retire().await.expect(200);
    let report = app.verify_trail(&[]).await;
    assert_whole(&report);
    assert_eq!((report.chains, report.on_leaked_secrets), (4, 0));
    let app = app.restart().await;
    assert_whole(&app.verify_trail(&[]).await);
    // Known it is: without its record it is missed.
    app.tamper("DELETE FROM audit_chains WHERE number = 2")
        .await;
    let report = app.verify_trail(&[]).await;
    assert_eq!(report.findings[0].problem, Problem::ChainRemoved);
    assert_eq!(report.findings[0].chain, Some(2));
}

#[tokio::test]
async fn the_trail_is_verified_while_rows_go() {
    let app = app_that_keeps(1).await;
    for day in 0..20 {
        app.pass(DAY);
        app.organization("x").await;
        // While the server may be about to remove what was written two days before.
        for _ in 0..5 {
            assert_whole(&app.verify_trail(&[]).await);
        }
        if day % 5 == 0 {
            look_for_old(&app).await;
        }
    }
    app.pass(3 * DAY);
    wait_for(&app, ROWS, 0).await;
    assert_whole(&app.verify_trail(&[]).await);
}
