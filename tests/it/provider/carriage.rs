//! Resources and permissions travel to providers that must know them, before a key there can hold them.

use serde_json::json;

use super::eventually;
use crate::support::fake_provider::{Ask, FakeProvider, Mood};
use crate::support::test_app::{CART, PAYMENT, Shop, TestApp};

async fn told(fake: &FakeProvider, resources: &[String]) {
    eventually(&format!("it is told {resources:?}"), async || {
        fake.resources() == resources
    })
    .await;
}

fn both() -> [String; 2] {
    [
        format!("{CART} read:cart"),
        format!("{PAYMENT} read:payment write:payment"),
    ]
}

#[tokio::test]
async fn what_is_added_changed_and_removed_here_is_carried() {
    let fake = FakeProvider::carrying("corp");
    let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
    told(&fake, &both()).await;

    let path = format!("/v1/resources/{}/permissions", shop.payment);
    let refund = shop
        .app
        .post(&path)
        .operator()
        .json(json!({"name": "refund:payment"}));
    let refund = refund.send().await.expect(201).text("id");
    told(
        &fake,
        &[
            format!("{CART} read:cart"),
            format!("{PAYMENT} read:payment refund:payment write:payment"),
        ],
    )
    .await;

    let permission = format!("{path}/{refund}");
    shop.app
        .delete(&permission)
        .operator()
        .send()
        .await
        .expect(204);
    told(&fake, &both()).await;

    let cart = format!("/v1/resources/{}", shop.cart);
    shop.app.delete(&cart).operator().send().await.expect(204);
    told(&fake, &[format!("{PAYMENT} read:payment write:payment")]).await;
    shop.app.resource(CART, &["read:cart"]).await;
    told(&fake, &both()).await;
}

#[tokio::test]
async fn a_key_waits_for_what_it_is_to_hold_and_is_not_made_without() {
    let fake = FakeProvider::carrying("corp");
    let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
    let there = json!({"identity_provider": "corp"});
    let key = shop.issue(there.clone()).await;

    fake.when(Ask::PutResource, Mood::FailsBefore);
    let orders = "https://orders.example.com/api";
    shop.app.resource(orders, &["read:orders"]).await;
    let permissions = json!({"permissions": [{"resource": orders, "scopes": ["read:orders"]}]});
    let mut wanted = shop.wanted(permissions.clone());
    wanted["identity_provider"] = json!("corp");
    let create = shop.app.post("/v1/keys").operator().json(wanted.clone());
    create.send().await.problem("identity_provider_unavailable");
    let widen = shop
        .app
        .put(&key.path("/permissions"))
        .operator()
        .json(permissions);
    widen.send().await.problem("identity_provider_unavailable");
    // What the provider knows already is no reason to wait.
    shop.issue(there).await;

    fake.works_again();
    eventually("it is carried", async || {
        shop.app.pass(5);
        fake.resources().len() == 3
    })
    .await;
    let create = shop.app.post("/v1/keys").operator().json(wanted);
    create.send().await.expect(201);
}

#[tokio::test]
async fn a_provider_that_is_new_here_is_told_everything_at_the_start() {
    let shop = Shop::new().await;
    let fake = FakeProvider::carrying("corp");
    let with = fake.clone();
    let shop = shop
        .again(|app| async move { app.restart_with(&with).await })
        .await;
    told(&fake, &both()).await;
    shop.issue(json!({"identity_provider": "corp"})).await;
}

#[tokio::test]
async fn what_could_not_be_carried_is_pending_and_carried_in_the_end() {
    let fake = FakeProvider::carrying("corp");
    let app = TestApp::setup().provider(&fake).start().await;
    fake.when(Ask::PutResource, Mood::FailsAfter);
    app.resource(PAYMENT, &["read:payment"]).await;
    let pending = async || {
        let list = app.get("/v1/pending-operations").operator();
        list.send().await.expect(200)["items"].clone()
    };
    eventually("it is pending", async || {
        pending().await[0]["attempts"].as_u64() > Some(0)
    })
    .await;
    let item = &pending().await[0];
    assert_eq!(item["kind"], "resource");
    assert_eq!(item["subject"], PAYMENT);
    assert_eq!(item["identity_provider"], "corp");
    assert_eq!(item["stuck"], false);
    assert!(
        item["last_error"].as_str().unwrap().contains("down"),
        "{item}"
    );
    fake.works_again();
    eventually("it is carried", async || {
        app.pass(5);
        pending().await == json!([])
    })
    .await;
}

#[tokio::test]
async fn what_exists_at_a_provider_is_imported_once() {
    let fake = FakeProvider::carrying("corp");
    let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
    let orders = "https://orders.example.com/api";
    fake.has_resource(orders, &["read:orders", "write:orders"]);
    fake.has_resource(PAYMENT, &["read:payment", "refund:payment"]);
    fake.has_resource("not an identifier", &["anything"]);
    let import = async |dry_run: bool| {
        let path = "/v1/identity-providers/corp/import-resources";
        let request = shop.app.post(path).operator();
        let answer = request.json(json!({"dry_run": dry_run})).send().await;
        answer.expect(200)["items"].clone()
    };
    let first = json!([
        {"identifier": orders, "made": true, "added": ["read:orders", "write:orders"], "refused": null},
        {"identifier": PAYMENT, "made": false, "added": ["refund:payment"], "refused": null},
    ]);
    for dry_run in [true, false] {
        let imported = import(dry_run).await;
        assert_eq!(imported[0], first[0]);
        assert_eq!(imported[1], first[1]);
        assert!(imported[2]["refused"].is_string());
    }
    let again = import(false).await;
    assert_eq!(again[0]["made"], false);
    assert_eq!(
        (&again[0]["added"], &again[1]["added"]),
        (&json!([]), &json!([]))
    );
    let body = json!({
        "identity_provider": "corp", "permissions": [{"resource": orders, "scopes": ["write:orders"]}],
    });
    let key = shop.issue(body).await;
    assert_eq!(shop.app.claims(&key.key).await["scope"], "write:orders");
}

#[tokio::test]
async fn only_the_operator_prepares_and_compares_providers() {
    let fake = FakeProvider::carrying("corp");
    let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
    let manager = json!({"permissions": [
        {"resource": "https://kagiya.test/v1", "scopes": ["resources:read", "resources:write"]},
    ]});
    let key = shop.issue(manager).await;
    let token = shop
        .app
        .trade(&key.key)
        .await
        .expect(200)
        .text("access_token");
    let bearer = crate::support::credentials::Bearer(&token);
    for (method, path) in [
        ("GET", "/v1/identity-providers"),
        ("GET", "/v1/identity-providers/corp"),
        ("POST", "/v1/identity-providers/corp/check"),
        ("POST", "/v1/identity-providers/corp/reconcile"),
        ("POST", "/v1/identity-providers/corp/import-resources"),
        ("GET", "/v1/pending-operations"),
        ("POST", "/v1/pending-operations/retry"),
    ] {
        let request = shop.app.request(method, path);
        request.by(&bearer).send().await.expect(403);
    }
    let unknown = shop.app.get("/v1/identity-providers/nobody").operator();
    unknown.send().await.expect(404);
}
