//! Which resource, which scopes: what is asked for and not held is refused, never dropped.

use serde_json::{Value, json};

use crate::support::credentials::Key;
use crate::support::test_app::{CART, Issued, PAYMENT, Shop};
use crate::support::transcript::Answer;

async fn ask(shop: &Shop, key: &Issued, body: Value) -> Answer {
    shop.app
        .post("/v1/token")
        .by(&Key(&key.key))
        .json(body)
        .send()
        .await
}

fn two() -> Value {
    json!([
        {"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]},
        {"resource": CART, "scopes": ["read:cart"]},
    ])
}

#[tokio::test]
async fn a_key_with_one_resource_need_not_name_it() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    for body in [
        json!({}),
        json!({"resource": PAYMENT}),
        json!({"scope": "write:payment"}),
    ] {
        assert_eq!(
            ask(&shop, &key, body).await.expect(200)["scope"],
            "write:payment"
        );
    }
}

#[tokio::test]
async fn a_key_with_several_resources_names_one_or_has_a_default() {
    let shop = Shop::new().await;
    let key = shop.issue(json!({"permissions": two()})).await;
    let answer = ask(&shop, &key, json!({})).await.problem("invalid_target");
    let detail = answer.text("detail");
    assert!(
        detail.contains(PAYMENT) && detail.contains(CART),
        "{detail}"
    );
    ask(&shop, &key, json!({"scope": "read:cart"}))
        .await
        .problem("invalid_target");
    let answer = ask(&shop, &key, json!({"resource": CART}))
        .await
        .expect(200);
    assert_eq!(answer["scope"], "read:cart");

    let body = json!({"default_resource": PAYMENT});
    shop.app
        .patch(&key.path(""))
        .operator()
        .json(body)
        .send()
        .await
        .expect(200);
    let answer = ask(&shop, &key, json!({})).await.expect(200);
    assert_eq!(answer["scope"], "read:payment write:payment");
    let answer = ask(&shop, &key, json!({"resource": CART}))
        .await
        .expect(200);
    assert_eq!(answer["scope"], "read:cart");
}

#[tokio::test]
async fn scopes_are_narrowed_as_asked_and_never_dropped() {
    let shop = Shop::new().await;
    let key = shop.issue(json!({"permissions": two()})).await;
    let ask = async |resource: &str, scope: &str| {
        ask(&shop, &key, json!({"resource": resource, "scope": scope})).await
    };
    for (asked, granted) in [
        ("read:payment", "read:payment"),
        ("write:payment", "write:payment"),
        ("write:payment read:payment", "read:payment write:payment"),
        ("read:payment read:payment", "read:payment"),
        ("", "read:payment write:payment"),
    ] {
        assert_eq!(
            ask(PAYMENT, asked).await.expect(200)["scope"],
            granted,
            "{asked}"
        );
    }
    for asked in [
        "delete:payment",
        "read:payment delete:payment",
        "read:cart",
        "READ:PAYMENT",
        "read:payment,write:payment",
        " read:payment",
        "read:payment ",
        "read:payment  write:payment",
        "read:payment\twrite:payment",
        "read:\"payment",
        "read:p\u{e4}yment",
        " ",
    ] {
        ask(PAYMENT, asked).await.problem("invalid_scope");
    }
    ask(CART, "write:payment").await.problem("invalid_scope");
}

#[tokio::test]
async fn a_resource_is_compared_letter_by_letter() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    for resource in [
        "https://payment.example.com/api/",
        "https://payment.example.com/API",
        "HTTPS://payment.example.com/api",
        "https://payment.example.com:443/api",
        "https://payment.example.com/api?x",
        "https://payment.example.com/api#x",
        "payment",
        CART,
        "https://unknown.example.com",
        "https://kagiya.test/v1",
        " ",
    ] {
        let answer = ask(&shop, &key, json!({"resource": resource})).await;
        let detail = answer.problem("invalid_target").text("detail");
        assert!(
            detail.contains(PAYMENT) && !detail.contains(CART),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn a_permission_is_the_pair_of_resource_and_scope() {
    let shop = Shop::new().await;
    let other = "https://other.example.com";
    shop.app
        .resource(other, &["write:payment", "read:other"])
        .await;
    let key = shop
        .issue(json!({"permissions": [
            {"resource": PAYMENT, "scopes": ["write:payment"]},
            {"resource": other, "scopes": ["read:other"]},
        ]}))
        .await;
    let body = json!({"resource": other, "scope": "write:payment"});
    ask(&shop, &key, body).await.problem("invalid_scope");
    let body = json!({"resource": other});
    assert_eq!(
        ask(&shop, &key, body).await.expect(200)["scope"],
        "read:other"
    );
}

#[tokio::test]
async fn a_key_without_permissions_gets_no_token() {
    let shop = Shop::new().await;
    let key = shop.issue(json!({"permissions": []})).await;
    for body in [
        json!({}),
        json!({"resource": PAYMENT}),
        json!({"scope": "read:payment"}),
    ] {
        let answer = ask(&shop, &key, body).await.problem("invalid_target");
        assert_eq!(answer["detail"], "the key has no permission at all");
    }
}

#[tokio::test]
async fn a_permission_that_is_deleted_is_gone_from_the_next_token() {
    let shop = Shop::new().await;
    let key = shop
        .issue(json!({"permissions": two(), "default_resource": PAYMENT}))
        .await;
    assert_eq!(
        shop.app.claims(&key.key).await["scope"],
        "read:payment write:payment"
    );
    let path = format!("/v1/resources/{}/permissions", shop.payment);
    let list = shop.app.get(&path).operator().send().await.expect(200);
    let write = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["name"] == "write:payment");
    let path = format!("{path}/{}", write.unwrap()["id"].as_str().unwrap());
    let refused = shop.app.delete(&path).operator().send().await;
    let refused = refused.problem("permission_in_use").text("detail");
    assert!(refused.contains(&key.id), "{refused}");
    let path = format!("{path}?cascade=true");
    shop.app.delete(&path).operator().send().await.expect(204);
    assert_eq!(shop.app.claims(&key.key).await["scope"], "read:payment");
    let body = json!({"resource": PAYMENT, "scope": "write:payment"});
    ask(&shop, &key, body).await.problem("invalid_scope");
    let shown = shop
        .app
        .get(&key.path(""))
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(
        shown["permissions"],
        json!([
            {"resource": CART, "scopes": ["read:cart"]},
            {"resource": PAYMENT, "scopes": ["read:payment"]},
        ])
    );
}

#[tokio::test]
async fn a_resource_that_is_deleted_is_no_target_any_more() {
    let shop = Shop::new().await;
    let key = shop
        .issue(json!({"permissions": two(), "default_resource": PAYMENT}))
        .await;
    shop.app.trade(&key.key).await.expect(200);
    let path = format!("/v1/resources/{}?cascade=true", shop.payment);
    shop.app.delete(&path).operator().send().await.expect(204);
    ask(&shop, &key, json!({"resource": PAYMENT}))
        .await
        .problem("invalid_target");
    // What is left is the only one.
    assert_eq!(shop.app.claims(&key.key).await["aud"], CART);
    let shown = shop
        .app
        .get(&key.path(""))
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(shown["default_resource"], Value::Null);
    // One of the same name that is made anew gives nothing back.
    shop.app
        .resource(PAYMENT, &["read:payment", "write:payment"])
        .await;
    ask(&shop, &key, json!({"resource": PAYMENT}))
        .await
        .problem("invalid_target");
}
