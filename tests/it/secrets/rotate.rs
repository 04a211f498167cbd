//! A new secret takes the place of the current one; what was made with the old one goes on working.

use std::time::Duration;

use kagiya::idp::RightsAge;
use serde_json::json;

use super::{PURPOSES, of, replace, rotate, states, trail};
use crate::management::manager;
use crate::support::fake_provider::FakeProvider;
use crate::support::test_app::{Shop, TestApp};

#[tokio::test]
async fn the_first_start_makes_one_current_secret_for_each_purpose() {
    let app = TestApp::new().await;
    for purpose in PURPOSES {
        let secrets = of(&app, purpose.as_str()).await;
        assert_eq!(secrets.len(), 1);
        assert_eq!(secrets[0]["state"], "current");
        assert_eq!(secrets[0]["generation"], 0);
        assert!(secrets[0]["usable_from"].is_null());
    }
    // Page by page, each comes once.
    let (mut seen, mut path) = (Vec::new(), "/v1/secrets?limit=4".to_owned());
    loop {
        let page = app.get(&path).operator().send().await.expect(200);
        let items = page["items"].as_array().unwrap().iter();
        seen.extend(items.map(|item| item["purpose"].to_string()));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/secrets?limit=4&cursor={cursor}");
    }
    assert_eq!(seen.len(), 6);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6);
}

#[tokio::test]
async fn keys_from_before_and_after_work_whatever_is_replaced() {
    // Its word on rights is never good for long, so each trade signs in with the password that the provider secret makes.
    let fake = FakeProvider::with_rights_age("fake", RightsAge::AtMost(Duration::ZERO));
    let mut shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
    let mut keys = vec![shop.key().await];
    for purpose in PURPOSES {
        replace(&shop.app, purpose.as_str()).await;
        keys.push(shop.key().await);
        keys.push(shop.issue(json!({"identity_provider": "fake"})).await);
        for key in &keys {
            shop.app.trade(&key.key).await.expect(200);
        }
    }
    // The letter in the key says which tag secret made it.
    assert_eq!(&keys[0].key[5..6], "0");
    assert_eq!(&keys[1].key[5..6], "1");
    shop = shop.again(TestApp::restart).await;
    for key in &keys {
        shop.app.trade(&key.key).await.expect(200);
        let path = key.path("/rotate");
        let rotated = shop.app.post(&path).operator().send().await.expect(200);
        shop.app.trade(&rotated.text("key")).await.expect(200);
    }
}

#[tokio::test]
async fn each_step_is_on_record_and_the_old_secret_is_kept() {
    let shop = Shop::new().await;
    let app = &shop.app;
    shop.key().await;
    replace(app, "tag").await;
    shop.key().await;
    assert_eq!(states(app, "tag").await, ["1 current 1", "0 retired 1"]);
    assert_eq!(states(app, "digest").await, ["0 current 2"]);
    let trail = trail(app).await;
    let steps: Vec<&str> = trail.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(steps, ["secret.activated", "secret.announced"]);
    assert_eq!(
        trail[0].1,
        json!({"purpose": "tag", "generation": 1, "replaced": 0, "leaked": false})
    );
}

#[tokio::test]
async fn with_several_nodes_a_secret_waits_until_all_have_learnt_it() {
    let shop = Shop::new().await;
    let app = &shop.app;
    if app.database().file().is_some() {
        // One server: there is nobody else to learn it, and it is used at once.
        let answer = rotate(app, "tag", json!({})).await.expect(200);
        assert_eq!(answer["items"][0]["state"], "current");
        return;
    }
    let answer = rotate(app, "tag", json!({})).await.expect(200);
    assert_eq!(answer["items"][0]["state"], "announced");
    assert_eq!(answer["items"][0]["usable_from"], app.time_in(4));
    assert_eq!(&shop.key().await.key[5..6], "0");
    // A second one would find the first.
    rotate(app, "tag", json!({})).await.problem("secret_state");
    // One that leaked does not wait.
    let answer = rotate(app, "tag", json!({"leaked": true}))
        .await
        .expect(200);
    assert_eq!(answer["items"][0]["state"], "current");
    assert_eq!(answer["items"][0]["generation"], 1);
    assert_eq!(answer["items"][1]["state"], "leaked");
    assert_eq!(&shop.key().await.key[5..6], "1");
}

#[tokio::test]
async fn an_answer_that_was_sealed_before_is_given_again_after() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let create = async || {
        let request = app
            .post("/v1/keys")
            .operator()
            .idempotency_key("before-and-after-1");
        request
            .json(shop.wanted(json!({})))
            .send()
            .await
            .expect(201)
    };
    let first = create().await;
    replace(app, "sealing").await;
    assert_eq!(create().await.text("key"), first.text("key"));
    // The signing keys are sealed anew, the answer cannot be: its other half is the caller's.
    assert_eq!(states(app, "sealing").await, ["1 current 6", "0 retired 1"]);
    let shop = shop.again(TestApp::crash).await;
    shop.app.trade(&first.text("key")).await.expect(200);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told_with_its_field() {
    let shop = Shop::new().await;
    let app = &shop.app;
    for (path, body, code, field) in [
        (
            "tag/rotate",
            json!({"leaked": "yes"}),
            "invalid_parameter",
            "leaked",
        ),
        (
            "tag/rotate",
            json!({"generation": 0}),
            "invalid_parameter",
            "generation",
        ),
        (
            "tag/rotate",
            json!({"leaked": true, "generation": 7}),
            "invalid_parameter",
            "generation",
        ),
        (
            "tag/rotate",
            json!({"state": "leaked"}),
            "unknown_field",
            "state",
        ),
        (
            "tag/retire",
            json!({"generation": "0"}),
            "invalid_parameter",
            "generation",
        ),
        (
            "root/rotate",
            json!({"new_root_secret": "short"}),
            "invalid_parameter",
            "new_root_secret",
        ),
        (
            "root/rotate",
            json!({"step": "begin"}),
            "invalid_parameter",
            "step",
        ),
        (
            "root/rotate",
            json!({"step": "finish", "new_root_secret": "x"}),
            "invalid_parameter",
            "step",
        ),
    ] {
        let request = app
            .post(&format!("/v1/secrets/{path}"))
            .operator()
            .json(body);
        request.send().await.problem(code).names(field);
    }
    for path in [
        "/v1/secrets/nonsense/rotate",
        "/v1/secrets/root/retire",
        "/v1/secrets/keys/rotate",
    ] {
        app.post(path).operator().send().await.problem("not_found");
    }
    for path in [
        "/v1/secrets/tag/9/keys",
        "/v1/secrets/tag/x/keys",
        "/v1/secrets/root/0/keys",
    ] {
        app.get(path).operator().send().await.problem("not_found");
    }
    assert_eq!(states(app, "tag").await, ["0 current 0"]);
}

#[tokio::test]
async fn the_secrets_belong_to_the_deployment() {
    let shop = Shop::new().await;
    let manager = manager(&shop, &["signing_keys:read", "signing_keys:write"]).await;
    for (method, path) in [
        ("GET", "/v1/secrets"),
        ("GET", "/v1/secrets/tag/0/keys"),
        ("POST", "/v1/secrets/tag/rotate"),
        ("POST", "/v1/secrets/tag/retire"),
        ("POST", "/v1/secrets/root/rotate"),
        ("POST", "/v1/signing-keys/nonsense/withdraw"),
    ] {
        let request = shop.app.request(method, path).by(&manager);
        request.send().await.problem("forbidden");
    }
}
