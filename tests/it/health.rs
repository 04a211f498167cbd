//! `GET /livez`, `GET /readyz`, `GET /metrics`

use serde_json::json;

use crate::support::fake_provider::{Ask, FakeProvider, Mood};
use crate::support::test_app::{Shop, TestApp};

#[tokio::test]
async fn a_node_that_serves_says_so() {
    let app = TestApp::new().await;
    let live = app.get("/livez").send().await.expect(200);
    assert_eq!(live.body, b"ok\n");
    let ready = app.get("/readyz").send().await.expect(200);
    let expected = json!({"status": "ready", "checks": [
        {"check": "database", "state": "ok"},
        {"check": "signing_key", "state": "ok"},
        {"check": "identity_providers", "state": "ok"},
        {"check": "open_operations", "state": "ok"},
    ]});
    assert_eq!(*ready.json(), expected);
    for answer in [live, ready] {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn work_that_a_provider_does_not_take_is_told_and_keeps_nobody_away() {
    let provider = FakeProvider::new("corp");
    let app = TestApp::setup().provider(&provider).start().await;
    let shop = Shop::on(app).await;
    let key = shop.issue(json!({"identity_provider": "corp"})).await;
    provider.when(Ask::Delete, Mood::FailsBefore);
    let revoke = shop.app.delete(&key.path("")).operator();
    revoke.send().await.expect(204);
    let told = async {
        loop {
            let ready = shop.app.get("/readyz").send().await.expect(200);
            if ready["checks"][3]["state"] == "degraded" {
                return ready;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let ready = tokio::time::timeout(std::time::Duration::from_secs(30), told)
        .await
        .expect("it is told");
    assert_eq!(ready["status"], "degraded");
    assert_eq!(ready["checks"][3]["detail"], "1 tried in vain so far");
}

#[tokio::test]
async fn what_happens_is_counted() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let key = shop.key().await;
    app.trade(&key.key).await.expect(200);
    app.trade(&key.key).await.expect(200);
    app.trade("nonsense").await.problem("invalid_api_key");
    let rotated = app
        .post(&key.path("/rotate"))
        .operator()
        .send()
        .await
        .expect(200);
    app.trade(&key.key).await.problem("api_key_rotated");
    app.delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    app.delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    app.trade(&rotated.text("key"))
        .await
        .problem("api_key_revoked");
    for (name, value) in [
        (r#"kagiya_exchanges_total{token="minted"}"#, 2),
        (r#"kagiya_exchanges_total{token="reused"}"#, 0),
        (r#"kagiya_refusals_total{reason="malformed"}"#, 1),
        (r#"kagiya_refusals_total{reason="api_key_rotated"}"#, 1),
        (r#"kagiya_refusals_total{reason="api_key_revoked"}"#, 1),
        ("kagiya_keys_created_total", 1),
        ("kagiya_keys_rotated_total", 1),
        ("kagiya_keys_revoked_total", 1),
        (
            r#"kagiya_http_requests_total{route="/v1/token",status="2xx"}"#,
            2,
        ),
        (
            r#"kagiya_http_requests_total{route="/v1/token",status="4xx"}"#,
            3,
        ),
    ] {
        assert_eq!(app.metric(name).await, value, "{name}");
    }
    let answer = app.get("/metrics").send().await.expect(200);
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(content_type));
    assert!(answer.body.ends_with(b"# EOF\n"));
}

#[tokio::test]
async fn the_line_of_a_refusal_names_the_key_that_was_proven_and_why_a_token_was_not_taken() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    shop.app
        .delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    shop.app.trade(&key.key).await.problem("api_key_revoked");
    let token = shop.app.operator_token(None);
    let (head, tail) = token.split_at(token.len() - 20);
    let other = if tail.starts_with('A') { 'B' } else { 'A' };
    let altered = format!("{head}{other}{}", &tail[1..]);
    let get = shop.app.get("/v1/keys");
    get.header("Authorization", format!("Bearer {altered}"))
        .send()
        .await
        .problem("invalid_token");
    let shop = shop.again(TestApp::restart).await;
    let lines = shop.app.log().lines();
    let line = |code: &str| lines.iter().find(|line| line["code"] == code).unwrap();
    let refused = line("api_key_revoked");
    assert_eq!(refused["key_id"], key.id.as_str());
    assert_eq!(refused["organization_id"], shop.organization.as_str());
    assert_eq!(line("invalid_token")["reason"], "wrong_signature");
}

#[tokio::test]
async fn each_request_has_one_line_in_the_log_and_bad_keys_have_a_summary() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    shop.app
        .post("/v1/token")
        .by(&crate::support::credentials::Key(&key.key))
        .from("192.0.2.7")
        .send()
        .await
        .expect(200);
    for _ in 0..5 {
        shop.app
            .post("/v1/token")
            .by(&crate::support::credentials::Key("x"))
            .from("192.0.2.8")
            .send()
            .await;
    }
    let shop = shop.again(TestApp::restart).await;
    let lines = shop.app.log().lines();
    let trades: Vec<_> = lines
        .iter()
        .filter(|line| line["route"] == "/v1/token")
        .collect();
    assert_eq!(trades.len(), 1);
    let line = trades[0];
    assert_eq!(line["event"], "request");
    assert_eq!(
        (&line["method"], &line["status"]),
        (&json!("POST"), &json!(200))
    );
    assert_eq!(
        (&line["address"], &line["key_id"]),
        (&json!("192.0.2.7"), &json!(key.id))
    );
    assert_eq!(line["organization_id"], shop.organization.as_str());
    let created = lines
        .iter()
        .find(|line| line["route"] == "/v1/keys")
        .unwrap();
    assert_eq!(
        (&created["status"], &created["actor"]),
        (&json!(201), &json!("operator:test"))
    );
    let bad: u64 = lines
        .iter()
        .filter(|line| line["event"] == "bad_keys" && line["address"] == "192.0.2.8")
        .filter_map(|line| line["malformed"].as_u64())
        .sum();
    assert_eq!(bad, 5);
}
