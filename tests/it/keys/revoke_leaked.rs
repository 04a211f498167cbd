//! `POST /v1/keys/revoke-leaked`

use serde_json::{Value, json};

use crate::support::test_app::{Issued, Shop, TestApp};
use crate::support::transcript::Answer;

async fn report(app: &TestApp, keys: Value) -> Answer {
    app.post("/v1/keys/revoke-leaked")
        .json(json!({"keys": keys}))
        .send()
        .await
}

#[tokio::test]
async fn whole_keys_are_stopped_and_the_rest_is_counted() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let (one, two, dead) = (shop.key().await, shop.key().await, shop.key().await);
    app.delete(&dead.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    let cut = &one.key[..one.key.len() - 1];
    let keys = json!([
        one.key,
        "x",
        "",
        cut,
        dead.key,
        two.key,
        one.key,
        "\u{1f511}"
    ]);
    let answer = report(app, keys).await.expect(200);
    assert_eq!(*answer.json(), json!({"revoked": 2, "unknown": 6}));
    for key in [&one, &two] {
        app.trade(&key.key).await.problem("api_key_revoked");
    }
    let answer = report(app, json!([one.key])).await.expect(200);
    assert_eq!(*answer.json(), json!({"revoked": 0, "unknown": 1}));
}

#[tokio::test]
async fn a_retiring_key_ends_its_grace_and_leaves_its_successor_alone() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let key = shop.key().await;
    let body = json!({"grace_seconds": 3600});
    let new = app.post(&key.path("/rotate")).operator().json(body);
    let new = Issued::read(new.send().await.expect(200));
    let answer = report(app, json!([key.key])).await.expect(200);
    assert_eq!(*answer.json(), json!({"revoked": 1, "unknown": 0}));
    app.trade(&key.key).await.problem("api_key_rotated");
    app.trade(&new.key).await.expect(200);
    let answer = report(app, json!([key.key])).await.expect(200);
    assert_eq!(*answer.json(), json!({"revoked": 0, "unknown": 1}));
    report(app, json!([new.key])).await.expect(200);
    app.trade(&new.key).await.problem("api_key_revoked");
}

#[tokio::test]
async fn networks_pauses_and_ends_do_not_stand_in_the_way() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let elsewhere = shop.issue(json!({"allowed_cidrs": ["192.0.2.0/24"]})).await;
    let paused = shop.key().await;
    let expired = shop.issue(json!({"expires_at": app.time_in(60)})).await;
    app.patch(&paused.path(""))
        .operator()
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    app.pass(60);
    let answer = report(app, json!([elsewhere.key, paused.key, expired.key]))
        .await
        .expect(200);
    assert_eq!(*answer.json(), json!({"revoked": 3, "unknown": 0}));
}

#[tokio::test]
async fn a_thousand_keys_in_256_kib_and_no_more() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let mut keys: Vec<String> = (0..999).map(|n| format!("{n:0>107}")).collect();
    keys.push(key.key.clone());
    let answer = report(&shop.app, json!(keys)).await.expect(200);
    assert_eq!(*answer.json(), json!({"revoked": 1, "unknown": 999}));
    keys.push("x".to_owned());
    report(&shop.app, json!(keys))
        .await
        .problem("invalid_parameter")
        .names("keys");
    report(&shop.app, json!(["x".repeat(256 * 1024)]))
        .await
        .problem("payload_too_large");
    report(&shop.app, json!([])).await.expect(200);
}

#[tokio::test]
async fn a_wrong_body_is_told_with_its_field() {
    let shop = Shop::new().await;
    let send = async |body: Value| {
        shop.app
            .post("/v1/keys/revoke-leaked")
            .json(body)
            .send()
            .await
    };
    for (body, code, field) in [
        (json!({}), "invalid_parameter", "keys"),
        (json!({"keys": null}), "invalid_parameter", "keys"),
        (json!({"keys": "kgy_"}), "invalid_parameter", "keys"),
        (json!({"keys": [7]}), "invalid_parameter", "keys[0]"),
        (json!({"keys": [], "why": "x"}), "unknown_field", "why"),
        (json!([["kgy_"]]), "invalid_parameter", "body"),
    ] {
        send(body).await.problem(code).names(field);
    }
    let form = shop
        .app
        .post("/v1/keys/revoke-leaked")
        .form(&[("keys", "x")]);
    form.send().await.problem("unsupported_media_type");
    let none = shop.app.post("/v1/keys/revoke-leaked");
    none.send().await.problem("unsupported_media_type");
}

#[tokio::test]
async fn reports_from_one_address_are_limited() {
    let setup = TestApp::setup().config(|config| config.limits.revoke_leaked_per_minute = 2);
    let shop = Shop::on(setup.start().await).await;
    let report = async |address: &str| {
        let request = shop.app.post("/v1/keys/revoke-leaked").from(address);
        request.json(json!({"keys": ["x"]})).send().await
    };
    for _ in 0..2 {
        report("192.0.2.1").await.expect(200);
    }
    report("192.0.2.1").await.problem("rate_limited");
    report("192.0.2.2").await.expect(200);
    shop.app.pass(60);
    report("192.0.2.1").await.expect(200);
}
