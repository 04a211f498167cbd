//! A secret is dropped when nothing needs it any more, and not before.

use serde_json::{Value, json};

use super::{replace, retire, rotate, states, trail};
use crate::support::test_app::{Shop, TestApp};

#[tokio::test]
async fn a_secret_that_a_key_needs_is_not_dropped_and_the_keys_are_listed() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let first = shop.key().await;
    app.pass(1);
    let second = shop.key().await;
    // A disabled key may be enabled again.
    let disable = app.patch(&first.path("")).operator();
    disable
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    for purpose in ["tag", "digest", "provider"] {
        replace(app, purpose).await;
    }
    app.pass(60);
    for purpose in ["tag", "digest", "provider"] {
        let answer = retire(app, purpose, json!({}))
            .await
            .problem("secret_in_use");
        assert!(
            answer.text("detail").starts_with("2 keys"),
            "{}",
            answer.transcript()
        );
        let path = format!("/v1/secrets/{purpose}/0/keys?limit=1");
        let page = app.get(&path).operator().send().await.expect(200);
        assert_eq!(page["items"][0]["id"], second.id.as_str());
        let next = format!("{path}&cursor={}", page.text("next_cursor"));
        let page = app.get(&next).operator().send().await.expect(200);
        assert_eq!(page["items"][0]["id"], first.id.as_str());
        assert_eq!(page["next_cursor"], Value::Null);
    }
    // Rotated and revoked, they need the new ones or none.
    let rotated = app
        .post(&second.path("/rotate"))
        .operator()
        .send()
        .await
        .expect(200);
    app.delete(&first.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    for purpose in ["tag", "digest", "provider"] {
        let left = retire(app, purpose, json!({})).await.expect(200);
        assert_eq!(left["items"].as_array().unwrap().len(), 1);
        assert_eq!(states(app, purpose).await, ["1 current 1"]);
        retire(app, purpose, json!({}))
            .await
            .problem("secret_state");
    }
    app.trade(&rotated.text("key")).await.expect(200);
    // Of a dead key nothing can be proven any more.
    app.trade(&first.key).await.problem("invalid_api_key");
    let steps = trail(app).await.into_iter();
    assert_eq!(
        steps
            .filter(|(action, _)| action == "secret.retired")
            .count(),
        3
    );
    let shop = shop.again(TestApp::restart).await;
    shop.app.trade(&rotated.text("key")).await.expect(200);
}

#[tokio::test]
async fn a_secret_is_not_dropped_in_the_minute_after_it_was_replaced() {
    let shop = Shop::new().await;
    let app = &shop.app;
    retire(app, "tag", json!({})).await.problem("secret_state");
    replace(app, "tag").await;
    app.pass(59);
    retire(app, "tag", json!({})).await.problem("secret_state");
    app.pass(1);
    retire(app, "tag", json!({"generation": 1}))
        .await
        .problem("secret_state");
    retire(app, "tag", json!({"generation": 0}))
        .await
        .expect(200);
}

#[tokio::test]
async fn the_sealing_secret_goes_when_the_last_answer_sealed_with_it_has_expired() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let request = app
        .post("/v1/keys")
        .operator()
        .idempotency_key("the-last-answer-1");
    let kept = request
        .json(shop.wanted(json!({})))
        .send()
        .await
        .expect(201);
    replace(app, "sealing").await;
    app.pass(24 * 60 * 60 - 5);
    retire(app, "sealing", json!({}))
        .await
        .problem("secret_in_use");
    app.pass(5);
    retire(app, "sealing", json!({})).await.expect(200);
    let shop = shop.again(TestApp::restart).await;
    shop.app.trade(&kept.text("key")).await.expect(200);
}

#[tokio::test]
async fn numbers_of_tag_secrets_are_used_again_and_no_more_than_62_live() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let mut keys = Vec::new();
    // At once, whichever database: one that leaked does not wait.
    let leaked = json!({"leaked": true});
    for _ in 0..61 {
        keys.push(shop.key().await);
        rotate(app, "tag", leaked.clone()).await.expect(200);
        app.pass(1);
    }
    let last = shop.key().await;
    assert_eq!(&last.key[5..6], "z");
    rotate(app, "tag", leaked.clone())
        .await
        .problem("secret_state");
    app.pass(60);
    for key in &keys {
        app.trade(&key.key).await.expect(200);
    }
    app.delete(&keys[3].path(""))
        .operator()
        .send()
        .await
        .expect(204);
    retire(app, "tag", json!({})).await.expect(200);
    rotate(app, "tag", leaked).await.expect(200);
    let again = shop.key().await;
    assert_eq!(&again.key[5..6], "3");
    app.trade(&again.key).await.expect(200);
    app.trade(&keys[3].key).await.problem("invalid_api_key");
}
