//! What is tried at a provider in vain is listed, stuck after a day, tried again on demand, and never given up.

use std::sync::Arc;

use serde_json::{Value, json};

use super::eventually;
use crate::support::fake_provider::{Ask, FakeProvider, Mood};
use crate::support::test_app::{Shop, TestApp};

async fn pending(app: &TestApp) -> Vec<Value> {
    let list = app.get("/v1/pending-operations").operator();
    let list = list.send().await.expect(200);
    list["items"].as_array().unwrap().clone()
}

/// A shop with a revoked key whose user the provider does not remove.
async fn with_work_left() -> (Arc<FakeProvider>, Shop) {
    let fake = FakeProvider::new("corp");
    let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
    let key = shop.issue(json!({"identity_provider": "corp"})).await;
    fake.when(Ask::Delete, Mood::FailsBefore);
    shop.app
        .delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    eventually("it was tried in vain", async || {
        pending(&shop.app).await.len() == 1
    })
    .await;
    (fake, shop)
}

#[tokio::test]
async fn after_a_day_it_is_stuck_and_somebody_is_told() {
    let (fake, shop) = with_work_left().await;
    let item = &pending(&shop.app).await[0];
    assert_eq!(
        (&item["kind"], &item["stuck"]),
        (&json!("delete"), &json!(false))
    );
    assert_eq!(item["identity_provider"], "corp");
    assert!(item["last_error"].as_str().unwrap().contains("down"));
    // Not a minute before: as long as it is tried every five minutes, it is only failing.
    for _ in 0..3 {
        let before = pending(&shop.app).await[0]["attempts"].clone();
        shop.app.pass(7 * 3600);
        eventually("it is tried again", async || {
            pending(&shop.app).await[0]["attempts"] != before
        })
        .await;
    }
    assert_eq!(pending(&shop.app).await[0]["stuck"], false);
    shop.app.pass(3 * 3600);
    eventually("it is stuck", async || {
        pending(&shop.app).await[0]["stuck"] == true
    })
    .await;
    let rows =
        "SELECT count(*) AS number FROM audit_events WHERE action = 'identity_provider.stuck'";
    assert_eq!(shop.app.count(rows).await, 1);
    eventually("it is told", async || {
        let ready = shop.app.get("/readyz").send().await.expect(200);
        let detail = ready["checks"][3]["detail"].as_str().unwrap_or_default();
        detail == "1 tried in vain so far, 1 of it for a day (kagiya idp pending)"
    })
    .await;
    let stuck = shop.app.metric("kagiya_identity_provider_stuck_operations");
    assert_eq!(stuck.await, 1);

    // It goes on being tried, and is on record once.
    let before = pending(&shop.app).await[0]["attempts"].clone();
    shop.app.pass(3600);
    eventually("it is tried again", async || {
        pending(&shop.app).await[0]["attempts"] != before
    })
    .await;
    assert_eq!(shop.app.count(rows).await, 1);

    // On demand at once.
    fake.works_again();
    let retry = shop.app.post("/v1/pending-operations/retry").operator();
    assert_eq!(retry.send().await.expect(200)["count"], 1);
    // What had no answer may still come to pass for a while; only then it is done.
    eventually("it is done", async || {
        shop.app.pass(5);
        pending(&shop.app).await.is_empty()
    })
    .await;
    assert_eq!(fake.users(), []);
}

#[tokio::test]
async fn what_is_retried_in_vain_is_stuck_only_after_another_day() {
    let (_fake, shop) = with_work_left().await;
    shop.app.pass(25 * 3600);
    eventually("it is stuck", async || {
        pending(&shop.app).await[0]["stuck"] == true
    })
    .await;
    let retry = shop.app.post("/v1/pending-operations/retry").operator();
    retry.send().await.expect(200);
    let item = pending(&shop.app).await[0].clone();
    assert_eq!(item["stuck"], false);
    eventually("it is tried again", async || {
        pending(&shop.app).await[0]["attempts"] != item["attempts"]
    })
    .await;
    assert_eq!(pending(&shop.app).await[0]["stuck"], false);
}
