//! Whom a machine user stands for is told to the provider, and told again when it changes.

use serde_json::json;

use super::{At, eventually};
use crate::support::fake_provider::{Ask, Mood};

const ANN: &str = "https://sso.example.com ann";

/// The owners of the provider's users, each as issuer and subject; empty for none.
fn owners(at: &At) -> Vec<String> {
    let users = at.fake().attributes();
    let owner = |user: &kagiya::idp::UserAttributes| match &user.owner {
        None => String::new(),
        Some(owner) => format!("{} {}", owner.iss, owner.sub.as_str()),
    };
    users.iter().map(owner).collect()
}

async fn change(at: &At, path: &str, body: serde_json::Value) {
    let request = at.app().patch(path).operator().json(body);
    request.send().await.expect(200);
}

#[tokio::test]
async fn the_provider_knows_whose_key_it_is_and_what_hangs_on_it() {
    let at = At::kind("trusted").await;
    let owner = json!({"iss": "https://sso.example.com", "sub": "ann"});
    let key = at
        .issue(json!({"owner": owner, "metadata": {"team": "one"}}))
        .await;
    let told = at.fake().attributes();
    assert_eq!(told[0].key_id.to_string(), key.id);
    assert_eq!(told[0].organization_id.to_string(), at.shop.organization);
    assert_eq!(told[0].metadata.member("team"), Some("one"));
    assert_eq!(owners(&at), [ANN]);

    at.rotate(&key, json!({"grace_seconds": 3600}))
        .await
        .expect(200);
    assert_eq!(owners(&at), [ANN, ANN]);

    change(&at, &key.path(""), json!({"metadata": {"team": "two"}})).await;
    eventually("both generations are told", async || {
        let told = at.fake().attributes();
        told.iter()
            .all(|user| user.metadata.member("team") == Some("two"))
    })
    .await;
    change(&at, &key.path(""), json!({"owner": null})).await;
    eventually("both generations are told", async || {
        owners(&at) == ["", ""]
    })
    .await;
}

#[tokio::test]
async fn what_the_provider_need_not_know_is_not_told_to_it() {
    let at = At::kind("trusted").await;
    let key = at.issue(json!({"metadata": {"team": "one"}})).await;
    change(
        &at,
        &key.path(""),
        json!({"name": "another", "metadata": {"team": "one"}}),
    )
    .await;
    let operations = "SELECT count(*) AS number FROM idp_operations WHERE kind = 'describe'";
    assert_eq!(at.app().count(operations).await, 0);
}

#[tokio::test]
async fn a_provider_that_is_down_is_told_later() {
    let at = At::kind("trusted").await;
    let key = at.key().await;
    at.fake().when(Ask::SetAttributes, Mood::FailsBefore);
    change(&at, &key.path(""), json!({"metadata": {"team": "two"}})).await;
    eventually("it is asked", async || {
        at.fake().times(Ask::SetAttributes) > 0
    })
    .await;
    at.fake().works_again();
    at.in_the_end("it is told", async || {
        at.fake().attributes()[0].metadata.member("team") == Some("two")
    })
    .await;
}

#[tokio::test]
async fn the_built_in_provider_is_told_too() {
    let at = At::kind("builtin").await;
    let key = at
        .issue(json!({"owner": {"iss": "https://sso.example.com", "sub": "ann"}}))
        .await;
    let named =
        "SELECT count(*) AS number FROM builtin_users WHERE attributes LIKE '%\"sub\":\"ann\"%'";
    assert_eq!(at.app().count(named).await, 1);
    change(&at, &key.path(""), json!({"owner": null})).await;
    eventually("it is told", async || at.app().count(named).await == 0).await;
}
