//! `/v1/secrets`: every secret is replaced while keys are made and traded, and no good key is ever refused.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod audit;
mod leaked;
mod load;
mod nodes;
mod repeat;
mod retire;
mod root;
mod rotate;

use std::time::Duration;

use kagiya::domain::purpose::SecretPurpose;
use serde_json::{Value, json};

use crate::support::test_app::TestApp;
use crate::support::transcript::Answer;

/// The secrets of one purpose, newest first.
async fn of(app: &TestApp, purpose: &str) -> Vec<Value> {
    let list = app.get("/v1/secrets?limit=200").operator().send().await;
    let list = list.expect(200);
    let items = list["items"].as_array().unwrap().iter();
    items
        .filter(|item| item["purpose"] == purpose)
        .cloned()
        .collect()
}

/// `number state needed_by` of each.
async fn states(app: &TestApp, purpose: &str) -> Vec<String> {
    let line = |item: &Value| {
        let state = item["state"].as_str().unwrap();
        format!("{} {state} {}", item["generation"], item["needed_by"])
    };
    of(app, purpose).await.iter().map(line).collect()
}

/// Asks for a new secret.
async fn rotate(app: &TestApp, purpose: &str, body: Value) -> Answer {
    let path = format!("/v1/secrets/{purpose}/rotate");
    app.post(&path).operator().json(body).send().await
}

/// Asks for a new secret and lets time pass until it is used.
async fn replace(app: &TestApp, purpose: &str) {
    rotate(app, purpose, json!({})).await.expect(200);
    if app.database().file().is_none() {
        assert_eq!(of(app, purpose).await[0]["state"], "announced");
        app.pass(4);
    }
    for _ in 0..1000 {
        if of(app, purpose).await[0]["state"] == "current" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the new {purpose} secret is never used");
}

/// Asks for what is used no more to be dropped.
async fn retire(app: &TestApp, purpose: &str, body: Value) -> Answer {
    let path = format!("/v1/secrets/{purpose}/retire");
    app.post(&path).operator().json(body).send().await
}

/// What happened to the secrets, sorted by what it was: on SQLite several things happen in one moment.
async fn trail(app: &TestApp) -> Vec<(String, Value)> {
    let list = app.get("/v1/audit-events?subject=secrets&limit=200");
    let list = list.operator().send().await.expect(200);
    let mut trail: Vec<_> = list["items"].as_array().unwrap().clone();
    trail.sort_by_key(|event| event["action"].to_string());
    trail
        .iter()
        .map(|event| {
            (
                event["action"].as_str().unwrap().to_owned(),
                event["details"].clone(),
            )
        })
        .collect()
}

const PURPOSES: [SecretPurpose; 6] = SecretPurpose::ALL;
