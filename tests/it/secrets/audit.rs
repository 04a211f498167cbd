//! The secret that the audit trail is sealed with: replacing it breaks no chain, and it stays for as long as rows need it.

use serde_json::json;

use super::{replace, retire, rotate, states};
use crate::support::test_app::TestApp;

/// Waits until there is a chain under this generation: the server begins one when it has read the new secret.
async fn chain_under(app: &TestApp, generation: i32) {
    let query =
        format!("SELECT count(*) AS number FROM audit_chains WHERE generation = {generation}");
    for _ in 0..1000 {
        if app.count(&query).await > 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no chain is sealed with generation {generation}");
}

#[tokio::test]
async fn rows_go_into_a_new_chain_when_the_secret_is_replaced_and_all_of_them_are_verified() {
    let app = TestApp::new().await;
    app.organization("Before").await;
    replace(&app, "audit").await;
    chain_under(&app, 1).await;
    app.organization("After").await;
    let of_generation = |generation: i32| {
        format!(
            "SELECT count(*) AS number FROM audit_chains WHERE generation = {generation} AND (ended_at IS NULL) = (generation = 1)"
        )
    };
    for generation in [0, 1] {
        assert_eq!(app.count(&of_generation(generation)).await, 1);
    }
    let report = app.verify_trail(&[]).await;
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert_eq!((report.chains, report.ended), (2, 1));
    let app = app.restart().await;
    app.organization("Later").await;
    assert_eq!(app.verify_trail(&[]).await.chains, 3);
}

#[tokio::test]
async fn a_secret_whose_rows_are_still_there_is_not_dropped() {
    let app = TestApp::new().await;
    app.organization("Before").await;
    replace(&app, "audit").await;
    chain_under(&app, 1).await;
    app.pass(60);
    assert_eq!(states(&app, "audit").await, ["1 current 1", "0 retired 1"]);
    let answer = retire(&app, "audit", json!({}))
        .await
        .problem("secret_in_use");
    let detail = answer.text("detail");
    assert!(
        detail.starts_with("1 chains of the audit trail need"),
        "{detail}"
    );
}

#[tokio::test]
async fn chains_under_a_secret_that_leaked_are_counted() {
    let app = TestApp::new().await;
    rotate(&app, "audit", json!({"leaked": true}))
        .await
        .expect(200);
    app.organization("After").await;
    let report = app.verify_trail(&[]).await;
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert_eq!((report.chains, report.on_leaked_secrets), (2, 1));
    // The rows behind it are sealed with one that nobody knows, over what it knows of the others.
    let app = app.restart().await;
    assert_eq!(app.verify_trail(&[]).await.on_leaked_secrets, 1);
}
