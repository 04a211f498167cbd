//! `POST /v1/keys/revoke`

use serde_json::{Value, json};

use crate::management::manager;
use crate::outbox::OPEN;
use crate::support::credentials::Bearer;
use crate::support::test_app::{Issued, PAYMENT, Shop, TestApp};
use crate::support::transcript::Answer;

async fn revoke(app: &TestApp, body: Value) -> Answer {
    app.post("/v1/keys/revoke")
        .operator()
        .json(body)
        .send()
        .await
}

async fn issue_elsewhere(shop: &Shop, organization: &str) -> Issued {
    let permissions = json!([{"resource": PAYMENT, "scopes": ["write:payment"]}]);
    shop.app
        .issue(organization, json!({"permissions": permissions}))
        .await
}

#[tokio::test]
async fn a_dry_run_counts_and_stops_nothing() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let body = json!({"organization_id": shop.organization, "dry_run": true});
    let answer = revoke(&shop.app, body).await.expect(200);
    assert_eq!(answer.json(), &json!({"count": 1}));
    shop.app.trade(&key.key).await.expect(200);
}

#[tokio::test]
async fn all_keys_of_an_organization_stop_at_once_and_no_other() {
    let shop = Shop::new().await;
    let mut keys = Vec::new();
    for _ in 0..5 {
        keys.push(shop.key().await);
    }
    let body = json!({"grace_seconds": 3600});
    let rotate = shop.app.post(&keys[0].path("/rotate")).operator();
    let new = Issued::read(rotate.json(body).send().await.expect(200));
    keys.push(new);
    let other = shop.app.organization("Another").await;
    let spared = issue_elsewhere(&shop, &other).await;
    for key in &keys {
        shop.app.trade(&key.key).await.expect(200);
    }
    let body = json!({"organization_id": shop.organization});
    let answer = revoke(&shop.app, body.clone()).await.expect(200);
    assert_eq!(answer["count"], 5, "two generations are one key");
    for key in &keys {
        shop.app.trade(&key.key).await.problem("api_key_revoked");
    }
    assert_eq!(revoke(&shop.app, body).await.expect(200)["count"], 0);
    shop.app.trade(&spared.key).await.expect(200);
    let shop = shop.again(TestApp::crash).await;
    for key in &keys {
        shop.app.trade(&key.key).await.problem("api_key_revoked");
    }
    // On PostgreSQL, what the server was at counts as its own for a while.
    shop.app.pass(31);
    crate::provider::eventually("nothing is left to be done", async || {
        shop.app.pass(5);
        shop.app.count(OPEN).await == 0
    })
    .await;
    // What is left at the provider is the user of the key that was spared.
    let users = "SELECT count(*) AS number FROM builtin_users";
    assert_eq!(shop.app.count(users).await, 1);
}

#[tokio::test]
async fn each_key_has_its_row_in_the_audit_trail_and_the_call_too() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let body = json!({"organization_id": shop.organization});
    revoke(&shop.app, body).await.expect(200);
    let events = async |filter: &str| {
        let path = format!("/v1/audit-events?{filter}");
        shop.app.get(&path).operator().send().await.expect(200)
    };
    let call = events("action=keys.revoked").await;
    let call = &call["items"][0];
    assert_eq!(call["details"]["count"], 1);
    let rows = events(&format!("action=key.revoked&subject={}", key.id)).await;
    assert_eq!(rows["items"].as_array().unwrap().len(), 1);
    assert_eq!(rows["items"][0]["details"]["call"], call["id"]);
    assert_eq!(
        rows["items"][0]["organization_id"],
        shop.organization.as_str()
    );
}

#[tokio::test]
async fn filters_are_taken_together_and_one_is_needed() {
    let shop = Shop::new().await;
    let old = shop.key().await;
    shop.app.pass(60);
    let moment = shop.app.time_in(0);
    let new = shop.key().await;
    let body = json!({"created_before": moment, "identity_provider": "builtin"});
    assert_eq!(revoke(&shop.app, body).await.expect(200)["count"], 1);
    shop.app.trade(&old.key).await.problem("api_key_revoked");
    shop.app.trade(&new.key).await.expect(200);
    let body = json!({"identity_provider": "elsewhere"});
    assert_eq!(revoke(&shop.app, body).await.expect(200)["count"], 0);
    for body in [json!({}), json!({"dry_run": true})] {
        revoke(&shop.app, body)
            .await
            .problem("invalid_parameter")
            .names("organization_id");
    }
    shop.app.trade(&new.key).await.expect(200);
}

#[tokio::test]
async fn a_caller_of_an_organization_reaches_its_keys_alone() {
    let shop = Shop::new().await;
    let other = shop.app.organization("Another").await;
    let spared = issue_elsewhere(&shop, &other).await;
    let caller = manager(&shop, &["keys:write"]).await;
    let key = shop.key().await;
    let send = async |body: Value| {
        let post = shop.app.post("/v1/keys/revoke").by(&Bearer(&caller.token));
        post.json(body).send().await
    };
    send(json!({"organization_id": other}))
        .await
        .problem("not_found");
    let later = shop.app.time_in(60);
    let answer = send(json!({"created_before": later})).await.expect(200);
    assert_eq!(answer["count"], 2, "the key and the caller's own");
    shop.app.trade(&key.key).await.problem("api_key_revoked");
    shop.app.trade(&spared.key).await.expect(200);
}
