//! `token.reuse_seconds`: an equal trade gets the token of a moment ago, and never across a change.

use serde_json::{Value, json};

use crate::support::credentials::Key;
use crate::support::test_app::{CART, Issued, PAYMENT, Shop, TestApp};

async fn shop() -> Shop {
    let setup = TestApp::setup().config(|config| config.token.reuse_seconds = 60);
    Shop::on(setup.start().await).await
}

async fn token(shop: &Shop, key: &Issued, body: Value) -> String {
    let request = shop.app.post("/v1/token").by(&Key(&key.key)).json(body);
    request.send().await.expect(200).text("access_token")
}

#[tokio::test]
async fn an_equal_trade_gets_the_same_token_for_that_long() {
    let shop = shop().await;
    let key = shop.key().await;
    let first = token(&shop, &key, json!({})).await;
    shop.app.pass(59);
    assert_eq!(token(&shop, &key, json!({})).await, first);
    assert_eq!(
        shop.app.trade(&key.key).await.expect(200)["expires_in"],
        241
    );
    shop.app.pass(2);
    assert_ne!(token(&shop, &key, json!({})).await, first);
}

#[tokio::test]
async fn another_request_or_another_key_gets_another_token() {
    let shop = shop().await;
    let permissions = json!([
        {"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]},
        {"resource": CART, "scopes": ["read:cart"]},
    ]);
    let further = json!({"permissions": permissions, "default_resource": PAYMENT});
    let (key, other) = (shop.issue(further.clone()).await, shop.issue(further).await);
    let mut tokens = Vec::new();
    for body in [
        json!({}),
        json!({"scope": "read:payment"}),
        json!({"resource": CART}),
    ] {
        tokens.push(token(&shop, &key, body.clone()).await);
        tokens.push(token(&shop, &other, body).await);
    }
    let count = tokens.len();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), count);
}

#[tokio::test]
async fn a_token_is_never_reused_across_a_change() {
    let shop = shop().await;
    let app = &shop.app;
    let key = shop.issue(json!({"metadata": {"team": "cart"}})).await;
    let resource = format!("/v1/resources/{}", shop.payment);
    let organization = format!("/v1/organizations/{}", shop.organization);
    let changes = [
        (
            "PATCH",
            key.path(""),
            json!({"metadata": {"team": "payment"}}),
        ),
        (
            "PATCH",
            key.path(""),
            json!({"expires_at": app.time_in(100_000)}),
        ),
        (
            "PUT",
            key.path("/permissions"),
            json!({"permissions": [{"resource": PAYMENT, "scopes": ["read:payment"]}]}),
        ),
        ("PATCH", resource.clone(), json!({"token_lifetime": 600})),
        ("PATCH", resource, json!({"metadata_claims": ["team"]})),
    ];
    for (method, path, body) in changes {
        let before = token(&shop, &key, json!({})).await;
        app.request(method, &path)
            .operator()
            .json(body)
            .send()
            .await
            .expect(200);
        let after = token(&shop, &key, json!({})).await;
        assert_ne!(before, after, "{method} {path}");
    }
    for path in [organization, key.path("")] {
        token(&shop, &key, json!({})).await;
        let disable = async |disabled: bool| {
            let body = json!({"disabled": disabled});
            app.patch(&path)
                .operator()
                .json(body)
                .send()
                .await
                .expect(200);
        };
        disable(true).await;
        app.trade(&key.key).await.problem("api_key_disabled");
        disable(false).await;
    }
    token(&shop, &key, json!({})).await;
    app.delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    app.trade(&key.key).await.problem("api_key_revoked");
}

#[tokio::test]
async fn a_reused_token_still_counts_against_the_rate_and_the_networks() {
    let shop = shop().await;
    let further = json!({"rate_limit": {"requests": 2, "per_seconds": 60}, "allowed_cidrs": ["192.0.2.0/24"]});
    let key = shop.issue(further).await;
    let trade = async |address: &str| {
        shop.app
            .post("/v1/token")
            .by(&Key(&key.key))
            .from(address)
            .send()
            .await
    };
    trade("192.0.2.1").await.expect(200);
    trade("203.0.113.1").await.problem("address_not_allowed");
    trade("192.0.2.1").await.expect(200);
    trade("192.0.2.1").await.problem("rate_limited");
}
