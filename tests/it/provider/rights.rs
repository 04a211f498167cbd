//! What is granted is our record ∩ what the provider grants, at most as old as the provider allows.

use std::sync::Arc;
use std::time::Duration;

use kagiya::idp::RightsAge;
use serde_json::json;

use super::At;
use crate::oauth::introspect::{assert_inactive, introspect, payment_service};
use crate::support::fake_provider::{Ask, FakeProvider, Mood};
use crate::support::test_app::{PAYMENT, Shop, TestApp};

fn both() -> serde_json::Value {
    json!({"permissions": [{"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}]})
}

pub(super) fn only(scope: &str) -> kagiya::domain::permission::Permissions {
    std::iter::once((PAYMENT.parse().unwrap(), scope.parse().unwrap())).collect()
}

#[tokio::test]
async fn what_the_provider_takes_away_is_gone_from_the_next_token() {
    let at = At::kind("asked").await;
    let key = at.issue(both()).await;
    assert_eq!(at.scope(&key.key).await, "read:payment write:payment");
    at.fake().limit_rights(only("read:payment"));
    assert_eq!(at.scope(&key.key).await, "read:payment");
    at.fake().limit_rights(Default::default());
    at.app().trade(&key.key).await.problem("invalid_target");
}

#[tokio::test]
async fn whoever_introspects_a_key_hears_what_its_provider_says_now() {
    let at = At::kind("asked").await;
    let service = payment_service(&at.shop).await;
    let key = at.issue(both()).await;
    let ask = async || introspect(at.app(), &service, &key.key).await;
    assert_eq!(ask().await["scope"], "read:payment write:payment");
    at.fake().limit_rights(only("read:payment"));
    assert_eq!(ask().await["scope"], "read:payment");
    at.fake().when(Ask::Authenticate, Mood::FailsBefore);
    assert_eq!(ask().await.status, 503);
    at.fake().works_again();
    at.fake().disable_all();
    assert_inactive(&ask().await);
}

#[tokio::test]
async fn what_the_provider_grants_beyond_our_record_is_never_granted() {
    let at = At::kind("asked").await;
    let key = at.issue(both()).await;
    at.fake().when(Ask::SetPermissions, Mood::FailsBefore);
    at.permit(&key, &["read:payment"]).await.expect(200);
    // The provider still holds both.
    assert_eq!(at.scope(&key.key).await, "read:payment");
}

#[tokio::test]
async fn an_outage_is_never_answered_as_a_wrong_key() {
    let at = At::kind("asked").await;
    let key = at.key().await;
    at.app().trade(&key.key).await.expect(200);
    for mood in [
        Mood::FailsBefore,
        Mood::FailsAfter,
        Mood::Refuses,
        Mood::Hangs,
    ] {
        at.fake().when(Ask::Authenticate, mood);
        let answer = at.app().trade(&key.key).await;
        answer.problem("identity_provider_unavailable");
    }
    at.fake().works_again();
    at.app().trade(&key.key).await.expect(200);
}

#[tokio::test]
async fn a_stopped_key_is_refused_without_asking_the_provider() {
    let at = At::kind("asked").await;
    let key = at.key().await;
    at.app().trade(&key.key).await.expect(200);
    at.fake().always(Mood::FailsBefore);
    at.revoke(&key).await;
    at.app().trade(&key.key).await.problem("api_key_revoked");
}

#[tokio::test]
async fn the_provider_is_asked_again_when_its_word_is_too_old() {
    let fake =
        FakeProvider::with_rights_age("minutely", RightsAge::AtMost(Duration::from_secs(60)));
    let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
    let mut body = both();
    body["identity_provider"] = json!("minutely");
    let key = shop.issue(body).await;
    for _ in 0..5 {
        shop.app.trade(&key.key).await.expect(200);
    }
    let asked = fake.times(Ask::Authenticate);
    assert!(asked <= 1, "{asked}");
    fake.limit_rights(only("read:payment"));
    assert_eq!(
        shop.app.claims(&key.key).await["scope"],
        "read:payment write:payment"
    );
    shop.app.pass(61);
    assert_eq!(shop.app.claims(&key.key).await["scope"], "read:payment");
    assert_eq!(fake.times(Ask::Authenticate), asked + 1);
    shop.app.claims(&key.key).await;
    assert_eq!(fake.times(Ask::Authenticate), asked + 1);
}

#[tokio::test]
async fn equal_questions_at_once_are_one() {
    let fake =
        FakeProvider::with_rights_age("minutely", RightsAge::AtMost(Duration::from_secs(60)));
    let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
    let key = shop.issue(json!({"identity_provider": "minutely"})).await;
    shop.app.pass(61);
    fake.when(Ask::Authenticate, Mood::Late(Duration::from_millis(500)));
    let shop = Arc::new(shop);
    let trades = (0..10).map(|_| shop.app.trade(&key.key));
    for answer in futures_util::future::join_all(trades).await {
        answer.expect(200);
    }
    assert_eq!(fake.times(Ask::Authenticate), 1);
}
