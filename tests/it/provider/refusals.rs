//! A provider that refuses what we hold to be right is an outage, an alarm and one repair, until a look-up shows the user deleted or disabled.

use serde_json::Value;

use super::{At, eventually};
use crate::support::fake_provider::{Ask, Mood};
use crate::support::test_app::TestApp;

async fn alarms(app: &TestApp) -> u64 {
    app.metric(r#"kagiya_identity_provider_alarms_total{provider="asked"}"#)
        .await
}

async fn rows(app: &TestApp, action: &str) -> Vec<Value> {
    let list = app
        .get(&format!("/v1/audit-events?action={action}"))
        .operator();
    let list = list.send().await.expect(200);
    list["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_refused_password_is_503_and_put_right_once() {
    let at = At::kind("asked").await;
    let key = at.key().await;
    at.app().trade(&key.key).await.expect(200);
    at.fake().change_passwords();
    let answer = at.app().trade(&key.key).await;
    answer.problem("identity_provider_unavailable");
    eventually("it is put right", async || {
        at.app().pass(1);
        at.app().trade(&key.key).await.status == 200
    })
    .await;
    assert_eq!(at.fake().times(Ask::Repair), 1);
    assert!(alarms(at.app()).await >= 1);
    eventually("it is on record", async || {
        rows(at.app(), "identity_provider.refused").await.len() == 1
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_without_a_reason_is_not_repaired_again_and_again() {
    let at = At::kind("asked").await;
    let key = at.key().await;
    at.fake().when(Ask::Authenticate, Mood::Refuses);
    for _ in 0..20 {
        let answer = at.app().trade(&key.key).await;
        answer.problem("identity_provider_unavailable");
        at.app().pass(6);
    }
    eventually("it was tried to put right", async || {
        at.fake().times(Ask::Repair) == 1
    })
    .await;
    at.fake().works_again();
    at.app().trade(&key.key).await.expect(200);
}

#[tokio::test]
async fn a_user_that_is_disabled_there_is_a_disabled_key() {
    let at = At::kind("asked").await;
    let key = at.key().await;
    at.fake().disable_users(true);
    for _ in 0..2 {
        at.app().trade(&key.key).await.problem("api_key_disabled");
    }
    assert_eq!(at.fake().times(Ask::Repair), 0);
    assert_eq!(alarms(at.app()).await, 0);
    at.fake().disable_users(false);
    at.app().pass(31);
    at.app().trade(&key.key).await.expect(200);
}

#[tokio::test]
async fn a_user_that_is_deleted_there_is_a_disabled_key() {
    let at = At::kind("asked").await;
    let key = at.key().await;
    at.fake().lose_users();
    at.app().trade(&key.key).await.problem("api_key_disabled");
    at.revoke(&key).await;
}

#[tokio::test]
async fn where_the_look_up_fails_too_nothing_is_known_of_the_key() {
    let at = At::kind("asked").await;
    let key = at.key().await;
    at.fake().disable_users(true);
    at.fake().when(Ask::LookUp, Mood::FailsBefore);
    let answer = at.app().trade(&key.key).await;
    answer.problem("identity_provider_unavailable");
    at.fake().disable_users(false);
}
