//! `POST /v1/keys/{id}/rotate`

use serde_json::{Value, json};

use crate::support::test_app::{Issued, Shop};
use crate::support::transcript::Answer;

async fn rotate(shop: &Shop, key: &Issued, body: Value) -> Answer {
    shop.app
        .post(&key.path("/rotate"))
        .operator()
        .json(body)
        .send()
        .await
}

#[tokio::test]
async fn the_id_stays_and_the_old_key_is_dead_at_once() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    shop.app.trade(&key.key).await.expect(200);
    shop.app.pass(10);
    let now = shop.app.time_in(0);
    let answer = rotate(&shop, &key, json!({})).await.expect(200);
    assert_eq!(answer.header("location"), None);
    let new = Issued::read(answer);
    assert_eq!(new.id, key.id);
    assert_ne!(new.key, key.key);
    assert_ne!(new.object["hint"], key.object["hint"]);
    assert_ne!(
        new.object["identity"]["subject"],
        key.object["identity"]["subject"]
    );
    assert_eq!(new.object["rotated_at"], now.as_str());
    assert_eq!(new.object["retiring_until"], Value::Null);
    for member in ["name", "permissions", "created_at", "status", "metadata"] {
        assert_eq!(new.object[member], key.object[member]);
    }
    shop.app.trade(&key.key).await.problem("api_key_rotated");
    shop.app.trade(&new.key).await.expect(200);
    let shown = shop
        .app
        .get(&key.path(""))
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(shown.header("etag"), Some(new.etag.as_str()));
}

#[tokio::test]
async fn with_a_grace_both_live_until_it_is_over() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let answer = rotate(&shop, &key, json!({"grace_seconds": 3600}))
        .await
        .expect(200);
    let until = shop.app.time_in(3600);
    assert_eq!(answer["retiring_until"], until.as_str());
    let new = Issued::read(answer);
    shop.app.pass(3599);
    for generation in [&key, &new] {
        shop.app.trade(&generation.key).await.expect(200);
    }
    shop.app.pass(1);
    shop.app.trade(&key.key).await.problem("api_key_rotated");
    shop.app.trade(&new.key).await.expect(200);
}

#[tokio::test]
async fn at_most_two_generations_live() {
    let shop = Shop::new().await;
    let first = shop.key().await;
    let grace = json!({"grace_seconds": 3600});
    let second = Issued::read(rotate(&shop, &first, grace.clone()).await.expect(200));
    let third = Issued::read(rotate(&shop, &first, grace.clone()).await.expect(200));
    shop.app.trade(&first.key).await.problem("api_key_rotated");
    shop.app.trade(&second.key).await.expect(200);
    shop.app.trade(&third.key).await.expect(200);
    // One without a grace ends the replaced one and the one whose grace it cuts short.
    let fourth = Issued::read(rotate(&shop, &first, json!({})).await.expect(200));
    shop.app.trade(&second.key).await.problem("api_key_rotated");
    shop.app.trade(&third.key).await.problem("api_key_rotated");
    shop.app.trade(&fourth.key).await.expect(200);
    assert_eq!(fourth.object["retiring_until"], Value::Null);
}

#[tokio::test]
async fn a_body_is_taken_or_none() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    shop.app
        .post(&key.path("/rotate"))
        .operator()
        .send()
        .await
        .expect(200);
    let untyped = shop.app.post(&key.path("/rotate")).operator().untyped("");
    untyped.send().await.expect(200);
    let empty = shop
        .app
        .post(&key.path("/rotate"))
        .operator()
        .body("application/json", "");
    empty.send().await.expect(200);
    rotate(&shop, &key, json!({"grace_seconds": 0}))
        .await
        .expect(200);
    rotate(&shop, &key, json!({"grace_seconds": null}))
        .await
        .expect(200);
    rotate(&shop, &key, json!({"grace_seconds": 2_592_000}))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_wrong_body_is_told_with_its_field_and_changes_nothing() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    for (body, code, field) in [
        (
            json!({"grace_seconds": -1}),
            "invalid_parameter",
            "grace_seconds",
        ),
        (
            json!({"grace_seconds": 2_592_001}),
            "invalid_parameter",
            "grace_seconds",
        ),
        (
            json!({"grace_seconds": 1.5}),
            "invalid_parameter",
            "grace_seconds",
        ),
        (
            json!({"grace_seconds": "60"}),
            "invalid_parameter",
            "grace_seconds",
        ),
        (
            json!({"grace_seconds": 4_294_967_296_u64}),
            "invalid_parameter",
            "grace_seconds",
        ),
        (json!({"grace": 60}), "unknown_field", "grace"),
        (json!([60]), "invalid_parameter", "body"),
        (json!([]), "invalid_parameter", "body"),
    ] {
        rotate(&shop, &key, body).await.problem(code).names(field);
    }
    let form = shop
        .app
        .post(&key.path("/rotate"))
        .operator()
        .form(&[("grace_seconds", "60")]);
    form.send().await.problem("unsupported_media_type");
    shop.app.trade(&key.key).await.expect(200);
}

#[tokio::test]
async fn only_an_active_or_a_paused_key_is_rotated() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let end = json!({"expires_at": app.time_in(60)});
    let (paused, expired, revoked) = (shop.key().await, shop.issue(end).await, shop.key().await);
    app.patch(&paused.path(""))
        .operator()
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    app.delete(&revoked.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    app.pass(60);
    rotate(&shop, &expired, json!({}))
        .await
        .problem("key_not_active");
    rotate(&shop, &revoked, json!({}))
        .await
        .problem("key_revoked");
    let new = Issued::read(rotate(&shop, &paused, json!({})).await.expect(200));
    assert_eq!(new.object["status"], "disabled");
    app.trade(&new.key).await.problem("api_key_disabled");
    app.trade(&paused.key).await.problem("api_key_rotated");
    app.patch(&paused.path(""))
        .operator()
        .json(json!({"disabled": false}))
        .send()
        .await
        .expect(200);
    app.trade(&new.key).await.expect(200);
}

#[tokio::test]
async fn a_rotated_key_survives_a_crash_and_the_old_one_stays_dead() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let new = Issued::read(rotate(&shop, &key, json!({})).await.expect(200));
    let shop = shop.again(crate::support::test_app::TestApp::crash).await;
    shop.app.trade(&key.key).await.problem("api_key_rotated");
    shop.app.trade(&new.key).await.expect(200);
}

#[tokio::test]
async fn a_grace_survives_a_restart_and_ends_all_the_same() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    rotate(&shop, &key, json!({"grace_seconds": 60}))
        .await
        .expect(200);
    let shop = shop.again(crate::support::test_app::TestApp::restart).await;
    shop.app.trade(&key.key).await.expect(200);
    shop.app.pass(60);
    shop.app.trade(&key.key).await.problem("api_key_rotated");
}
