//! `PUT /v1/keys/{id}/permissions`

use serde_json::{Value, json};

use crate::support::test_app::{CART, Issued, PAYMENT, Shop};
use crate::support::transcript::Answer;

async fn put(shop: &Shop, key: &Issued, permissions: Value) -> Answer {
    let body = json!({"permissions": permissions});
    shop.app
        .put(&key.path("/permissions"))
        .operator()
        .json(body)
        .send()
        .await
}

#[tokio::test]
async fn all_permissions_are_replaced() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let both = json!([
        {"resource": CART, "scopes": ["read:cart"]},
        {"resource": PAYMENT, "scopes": ["read:payment"]},
    ]);
    let answer = put(&shop, &key, both.clone()).await.expect(200);
    assert_eq!(answer["permissions"], both);
    assert_ne!(answer.header("etag"), Some(key.etag.as_str()));
    let answer = put(&shop, &key, json!([])).await.expect(200);
    assert_eq!(answer["permissions"], json!([]));
    // One resource in two pieces is one resource.
    let pieces = json!([
        {"resource": PAYMENT, "scopes": ["write:payment"]},
        {"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]},
    ]);
    let answer = put(&shop, &key, pieces).await.expect(200);
    let whole = json!([{"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}]);
    assert_eq!(answer["permissions"], whole);
}

#[tokio::test]
async fn a_default_resource_without_permissions_is_none() {
    let shop = Shop::new().await;
    let key = shop.issue(json!({"default_resource": PAYMENT})).await;
    let answer = put(
        &shop,
        &key,
        json!([{"resource": PAYMENT, "scopes": ["read:payment"]}]),
    )
    .await;
    assert_eq!(answer.expect(200)["default_resource"], PAYMENT);
    let answer = put(
        &shop,
        &key,
        json!([{"resource": CART, "scopes": ["read:cart"]}]),
    )
    .await;
    assert_eq!(answer.expect(200)["default_resource"], Value::Null);
}

#[tokio::test]
async fn a_change_reaches_both_generations() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let body = json!({"grace_seconds": 3600});
    let rotated = shop.app.post(&key.path("/rotate")).operator().json(body);
    let rotated = Issued::read(rotated.send().await.expect(200));
    for (permissions, scope) in [
        (
            json!([{"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}]),
            "read:payment write:payment",
        ),
        (
            json!([{"resource": PAYMENT, "scopes": ["read:payment"]}]),
            "read:payment",
        ),
    ] {
        put(&shop, &key, permissions).await.expect(200);
        for generation in [&key, &rotated] {
            assert_eq!(shop.app.claims(&generation.key).await["scope"], scope);
        }
    }
}

#[tokio::test]
async fn every_wrong_value_is_told_with_its_field_and_nothing_changes() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let send = async |body: Value| {
        shop.app
            .put(&key.path("/permissions"))
            .operator()
            .json(body)
            .send()
            .await
    };
    for (body, code, field) in [
        (json!({}), "invalid_parameter", "permissions"),
        (
            json!({"permissions": null}),
            "invalid_parameter",
            "permissions",
        ),
        (json!([]), "invalid_parameter", "body"),
        (
            json!({"permissions": [], "name": "x"}),
            "unknown_field",
            "name",
        ),
        (
            json!({"permissions": [{"resource": PAYMENT, "scopes": []}]}),
            "invalid_parameter",
            "permissions[0].scopes",
        ),
        (
            json!({"permissions": [
                {"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]},
                {"resource": CART, "scopes": ["read:cart", "write:cart"]},
            ]}),
            "invalid_parameter",
            "permissions[1].scopes[1]",
        ),
        (
            json!({"permissions": [{"resource": "https://x.example", "scopes": ["a"]}]}),
            "invalid_parameter",
            "permissions[0].resource",
        ),
    ] {
        send(body).await.problem(code).names(field);
    }
    assert_eq!(shop.app.claims(&key.key).await["scope"], "write:payment");
}
