//! `POST /v1/keys/{id}/explain`: it says what an exchange would say, whatever the key.

use serde_json::{Value, json};

use crate::support::credentials::Key;
use crate::support::test_app::{Issued, PAYMENT, Shop};
use crate::support::transcript::Answer;

async fn explain(shop: &Shop, key: &Issued, body: Value) -> Answer {
    let post = shop.app.post(&key.path("/explain")).operator();
    post.json(body).send().await.expect(200)
}

/// The check of this name.
fn check<'a>(answer: &'a Answer, name: &str) -> &'a Value {
    let checks = answer["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).unwrap()
}

#[tokio::test]
async fn it_agrees_with_the_exchange() {
    let shop = Shop::new().await;
    let plain = shop.key().await;
    let none = shop.issue(json!({"permissions": []})).await;
    let near = shop.issue(json!({"allowed_cidrs": ["192.0.2.0/24"]})).await;
    let disabled = shop.key().await;
    let patch = shop.app.patch(&disabled.path("")).operator();
    patch
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    let expired = shop.issue(json!({"expires_at": shop.app.time_in(5)})).await;
    let revoked = shop.key().await;
    let delete = shop.app.delete(&revoked.path("")).operator();
    delete.send().await.expect(204);
    shop.app.pass(10);
    let keys = [&plain, &none, &near, &disabled, &expired, &revoked];
    let requests = [
        json!({}),
        json!({"resource": PAYMENT}),
        json!({"resource": PAYMENT, "scope": "write:payment"}),
        json!({"resource": PAYMENT, "scope": "read:payment"}),
        json!({"scope": "no scope\u{1}"}),
        json!({"resource": "https://elsewhere.example.com"}),
        json!({"resource": "", "scope": ""}),
    ];
    let mut seen = Vec::new();
    for key in keys {
        for request in &requests {
            for address in ["192.0.2.7", "198.51.100.1"] {
                let mut asked = request.clone();
                asked["address"] = address.into();
                let said = explain(&shop, key, asked).await;
                let post = shop.app.post("/v1/token").by(&Key(&key.key)).from(address);
                let real = post.json(request.clone()).send().await;
                assert_eq!(said["allowed"], real.status == 200, "{}", said.transcript());
                let code = if real.status == 200 {
                    &Value::Null
                } else {
                    &real["code"]
                };
                assert_eq!(&said["code"], code, "{}", said.transcript());
                seen.push(code.as_str().unwrap_or("allowed").to_owned());
            }
        }
    }
    seen.sort();
    seen.dedup();
    let all = "address_not_allowed allowed api_key_disabled api_key_expired api_key_revoked invalid_scope invalid_target";
    assert_eq!(seen.join(" "), all);
}

#[tokio::test]
async fn it_makes_every_check_and_counts_nothing() {
    let shop = Shop::new().await;
    let limits = json!({"allowed_cidrs": ["192.0.2.0/24"], "rate_limit": {"requests": 1, "per_seconds": 60}});
    let key = shop.issue(limits).await;
    let asked = json!({"address": "198.51.100.1", "scope": "read:payment"});
    for _ in 0..3 {
        let said = explain(&shop, &key, asked.clone()).await;
        assert_eq!(said["code"], "address_not_allowed");
        assert_eq!(
            check(&said, "address")["detail"],
            "it is taken only from 192.0.2.0/24"
        );
        assert_eq!(check(&said, "scope")["ok"], false);
        assert_eq!(check(&said, "scope")["detail"], "it holds write:payment");
        assert_eq!(check(&said, "status")["ok"], true);
    }
    let post = shop
        .app
        .post("/v1/token")
        .by(&Key(&key.key))
        .from("192.0.2.7");
    post.send().await.expect(200);
    let shown = shop.app.get(&key.path("")).operator().send().await;
    assert_eq!(
        shown.expect(200)["last_used_at"],
        Value::Null,
        "not written yet"
    );
}

#[tokio::test]
async fn a_disabled_organization_is_named() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let path = format!("/v1/organizations/{}", shop.organization);
    let patch = shop.app.patch(&path).operator();
    patch
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    let said = explain(&shop, &key, json!({})).await;
    assert_eq!(
        (&said["allowed"], &said["code"]),
        (&json!(false), &json!("api_key_disabled"))
    );
    assert_eq!(check(&said, "status")["ok"], true);
    assert_eq!(check(&said, "organization")["ok"], false);
}

#[tokio::test]
async fn it_wants_an_address_that_is_one() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let post = shop.app.post(&key.path("/explain")).operator();
    let answer = post.json(json!({"address": "here"})).send().await;
    answer.problem("invalid_parameter").names("address");
}
