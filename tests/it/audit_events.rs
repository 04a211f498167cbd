//! `GET /v1/audit-events`: every change is on record, with who, what, when and from where.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use serde_json::{Value, json};

use crate::support::credentials::Key;
use crate::support::test_app::{PAYMENT, Shop, TestApp};
use crate::support::transcript::Answer;

async fn list(app: &TestApp, query: &str) -> Answer {
    app.get(&format!("/v1/audit-events{query}"))
        .operator()
        .send()
        .await
}

fn actions(page: &Answer) -> Vec<String> {
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|item| item["action"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn every_change_is_on_record_and_nothing_else() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let key = shop.key().await;
    let steps = [
        ("PATCH", key.path(""), json!({"name": "x"}), "key.updated"),
        (
            "PUT",
            key.path("/permissions"),
            json!({"permissions": []}),
            "key.permissions_changed",
        ),
        ("POST", key.path("/rotate"), json!({}), "key.rotated"),
        ("DELETE", key.path(""), Value::Null, "key.revoked"),
        (
            "PATCH",
            format!("/v1/organizations/{}", shop.organization),
            json!({"name": "x"}),
            "organization.updated",
        ),
        (
            "PATCH",
            format!("/v1/resources/{}", shop.cart),
            json!({"name": "x"}),
            "resource.updated",
        ),
        (
            "POST",
            format!("/v1/resources/{}/permissions", shop.cart),
            json!({"name": "x"}),
            "permission.created",
        ),
        (
            "DELETE",
            format!("/v1/resources/{}", shop.cart),
            Value::Null,
            "resource.deleted",
        ),
    ];
    for (method, path, body, action) in steps {
        app.pass(1);
        let request = app.request(method, &path).operator().from("192.0.2.7");
        let request = if body.is_null() {
            request
        } else {
            request.json(body)
        };
        let answer = request.send().await;
        assert!(answer.status < 300, "{}", answer.transcript());
        let page = list(app, "?limit=1").await.expect(200);
        let event = &page["items"][0];
        assert_eq!(event["action"], action);
        assert_eq!(event["at"], app.time_in(0));
        assert_eq!(event["actor"], "operator:test");
        assert_eq!(event["address"], "192.0.2.7");
        assert_eq!(event["request_id"].as_str(), answer.header("x-request-id"));
    }
    let before = actions(&list(app, "?limit=200").await).len();
    // What only reads, and what comes to nothing, changes nothing.
    app.get("/v1/keys").operator().send().await.expect(200);
    app.get(&key.path("")).operator().send().await.expect(200);
    app.delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    app.trade(&key.key).await.problem("api_key_rotated");
    app.post("/v1/keys")
        .operator()
        .json(json!({}))
        .send()
        .await
        .problem("invalid_parameter");
    app.post(&key.path("/rotate"))
        .operator()
        .send()
        .await
        .problem("key_revoked");
    assert_eq!(actions(&list(app, "?limit=200").await).len(), before);
}

#[tokio::test]
async fn a_created_key_is_on_record_with_all_that_matters_and_no_secret() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let page = list(&shop.app, &format!("?subject={}", key.id))
        .await
        .expect(200);
    assert_eq!(actions(&page), ["key.created"]);
    let event = &page["items"][0];
    assert_eq!(event["organization_id"], shop.organization.as_str());
    assert_eq!(event["details"]["name"], "checkout");
    assert_eq!(
        event["details"]["permissions"],
        json!({PAYMENT: ["write:payment"]})
    );
    assert_eq!(event["details"]["provider"], "builtin");
}

#[tokio::test]
async fn a_holder_is_on_record_as_the_key_that_he_is() {
    let shop = Shop::new().await;
    let (own, leaked) = (shop.key().await, shop.key().await);
    shop.app
        .post("/v1/key/revoke")
        .by(&Key(&own.key))
        .send()
        .await
        .expect(204);
    let report = shop
        .app
        .post("/v1/keys/revoke-leaked")
        .json(json!({"keys": [leaked.key]}));
    report.send().await.expect(200);
    for (key, actor) in [(&own, own.id.as_str()), (&leaked, "leaked key")] {
        let page = list(
            &shop.app,
            &format!("?subject={}&action=key.revoked", key.id),
        )
        .await
        .expect(200);
        assert_eq!(page["items"][0]["actor"], actor);
    }
}

#[tokio::test]
async fn the_first_use_of_an_operators_token_is_on_record_once() {
    let app = TestApp::new().await;
    for _ in 0..3 {
        app.get("/v1/keys").operator().send().await.expect(200);
    }
    let page = list(&app, "?action=operator_token.used").await.expect(200);
    assert_eq!(actions(&page).len(), 1);
    app.pass(600);
    app.get("/v1/keys").operator().send().await.expect(200);
    let page = list(&app, "?action=operator_token.used").await.expect(200);
    assert_eq!(actions(&page).len(), 2);
}

#[tokio::test]
async fn events_are_narrowed_and_since_is_inclusive_and_until_is_not() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let mut keys = Vec::new();
    let mut times = Vec::new();
    for _ in 0..3 {
        app.pass(10);
        times.push(app.time_in(0));
        keys.push(shop.key().await);
    }
    app.pass(10);
    let other = app.organization("Other").await;
    for (query, expected) in [
        (format!("?subject={}", keys[1].id), 1),
        ("?action=key.created".to_owned(), 3),
        ("?action=key.create".to_owned(), 0),
        (format!("?organization_id={other}"), 1),
        (format!("?organization_id={}", shop.organization), 4),
        ("?actor=operator:test&action=key.created".to_owned(), 3),
        ("?actor=operator:nobody".to_owned(), 0),
        (format!("?action=key.created&since={}", times[1]), 2),
        (format!("?action=key.created&until={}", times[1]), 1),
        (
            format!("?action=key.created&since={0}&until={0}", times[1]),
            0,
        ),
        (
            format!("?action=key.created&since={}&until={}", times[1], times[2]),
            1,
        ),
    ] {
        let page = list(app, &query).await.expect(200);
        assert_eq!(
            actions(&page).len(),
            expected,
            "{query}\n{}",
            page.transcript()
        );
    }
}

#[tokio::test]
async fn a_wrong_query_is_told_with_its_parameter() {
    let app = TestApp::new().await;
    for (query, code, field) in [
        ("?organization_id=x", "invalid_parameter", "organization_id"),
        ("?since=yesterday", "invalid_parameter", "since"),
        ("?since=2026-11-22", "invalid_parameter", "since"),
        ("?until=1795348800", "invalid_parameter", "until"),
        ("?until=", "invalid_parameter", "until"),
        ("?limit=0", "invalid_parameter", "limit"),
        ("?cursor=x", "invalid_parameter", "cursor"),
        ("?who=me", "unknown_field", "who"),
        ("?actor=a&actor=b", "invalid_request", "actor"),
    ] {
        list(&app, query).await.problem(code).names(field);
    }
}

#[tokio::test]
async fn pages_stay_where_they_are_while_events_are_added() {
    let shop = Shop::new().await;
    let app = &shop.app;
    for _ in 0..4 {
        shop.key().await;
    }
    let (mut ids, mut query) = (Vec::new(), "?action=key.created&limit=2".to_owned());
    loop {
        let page = list(app, &query).await.expect(200);
        ids.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["id"].to_string()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        query = format!("?action=key.created&limit=2&cursor={cursor}");
        app.pass(1);
        shop.key().await;
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), count), (4, 4));
}
