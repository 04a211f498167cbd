//! Our record and a provider are compared: users that nobody needs, keys without a user, and how far a clean-up may go.

use std::sync::Arc;

use serde_json::{Value, json};

use super::eventually;
use crate::support::fake_provider::FakeProvider;
use crate::support::test_app::{PAYMENT, Shop, TestApp};

async fn shop(keys: usize) -> (Arc<FakeProvider>, Shop) {
    let fake = FakeProvider::new("corp");
    let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
    for _ in 0..keys {
        shop.issue(json!({"identity_provider": "corp"})).await;
    }
    (fake, shop)
}

async fn reconcile(shop: &Shop, body: Value) -> Value {
    let request = shop.app.post("/v1/identity-providers/corp/reconcile");
    let answer = request.operator().json(body).send().await;
    answer.expect(200).json().clone()
}

/// Rows of ours go, as if a database had been put back from before.
async fn forget_keys(shop: &Shop, keep: usize) {
    let forget = format!(
        "DELETE FROM api_keys WHERE id NOT IN (SELECT id FROM api_keys ORDER BY id LIMIT {keep})"
    );
    let store = &shop.app.database().store;
    let forgotten = store.write(move |tx| {
        for statement in [
            "DELETE FROM idp_operations",
            "DELETE FROM credentials WHERE key_id NOT IN (SELECT id FROM api_keys ORDER BY id LIMIT KEEP)",
            "DELETE FROM api_key_permissions WHERE key_id NOT IN (SELECT id FROM api_keys ORDER BY id LIMIT KEEP)",
        ] {
            let statement = statement.replace("KEEP", &keep.to_string());
            crate::support::database::execute(tx, &statement)?;
        }
        crate::support::database::execute(tx, &forget)
    });
    forgotten.await.unwrap();
}

#[tokio::test]
async fn where_all_is_well_nothing_is_found() {
    let (_fake, shop) = shop(3).await;
    let report = reconcile(&shop, json!({})).await;
    let expected = json!({
        "users": 3, "orphans": [], "removing": 0, "missing": [], "compared": 3, "differences": [],
    });
    assert_eq!(report, expected);
}

#[tokio::test]
async fn users_that_nobody_needs_are_reported_and_go_on_demand_alone() {
    let (fake, shop) = shop(22).await;
    forget_keys(&shop, 21).await;
    for body in [
        json!({}),
        json!({"dry_run": true}),
        json!({"dry_run": true, "delete_orphans": true}),
    ] {
        let report = reconcile(&shop, body).await;
        assert_eq!(report["orphans"].as_array().unwrap().len(), 1, "{report}");
        assert_eq!(report["removing"], 0);
        assert_eq!(fake.users().len(), 22);
    }
    let orphan = reconcile(&shop, json!({})).await["orphans"][0].clone();
    assert!(orphan["username"].as_str().unwrap().starts_with("k_"));
    let report = reconcile(&shop, json!({"delete_orphans": true})).await;
    assert_eq!(report["removing"], 1);
    eventually("it is gone", async || fake.users().len() == 21).await;
    let rows = "SELECT count(*) AS number FROM audit_events WHERE action = 'identity_provider.orphans_removed'";
    assert_eq!(shop.app.count(rows).await, 1);
    assert_eq!(reconcile(&shop, json!({})).await["orphans"], json!([]));
}

#[tokio::test]
async fn more_orphans_than_five_of_a_hundred_are_no_orphans_but_a_wrong_database() {
    let (fake, shop) = shop(20).await;
    forget_keys(&shop, 18).await;
    let request = shop.app.post("/v1/identity-providers/corp/reconcile");
    let answer = request.operator().json(json!({"delete_orphans": true}));
    answer.send().await.problem("too_many_orphans");
    assert_eq!(fake.users().len(), 20);
    // So that this test leaves nothing behind.
    fake.lose_users();
    forget_keys(&shop, 0).await;
}

#[tokio::test]
async fn keys_without_a_user_are_reported() {
    let (fake, shop) = shop(2).await;
    fake.lose_users();
    let report = reconcile(&shop, json!({})).await;
    assert_eq!(report["missing"].as_array().unwrap().len(), 2, "{report}");
    forget_keys(&shop, 0).await;
}

#[tokio::test]
async fn rights_that_differ_are_reported_and_what_is_lacking_is_put_back() {
    let (fake, shop) = shop(1).await;
    let more = [(PAYMENT.parse().unwrap(), "read:payment".parse().unwrap())];
    let more = more.into_iter().collect();
    fake.grant_more(&more);
    fake.take_away(&more);
    let read = json!([{"resource": PAYMENT, "scopes": ["read:payment"]}]);
    let write = json!([{"resource": PAYMENT, "scopes": ["write:payment"]}]);
    let report = reconcile(&shop, json!({"dry_run": true})).await;
    assert_eq!(report["differences"][0]["more"], read);
    assert_eq!(report["differences"][0]["less"], write);
    assert_eq!(fake.granted(), [format!("{PAYMENT} read:payment")]);
    reconcile(&shop, json!({})).await;
    eventually("what is lacking is put back", async || {
        fake.granted() == [format!("{PAYMENT} write:payment")]
    })
    .await;
}
