//! Where a provider grants something else than our record: the record ∩ what it grants counts, what it lacks is put back, what it has
//! beyond is shown.

use std::time::Duration;

use kagiya::domain::permission::Permissions;
use kagiya::idp::Policy;
use serde_json::{Value, json};

use super::{At, eventually};
use crate::support::test_app::{CART, Issued, PAYMENT};

fn permissions(pairs: &[(&str, &str)]) -> Permissions {
    let pair =
        |(resource, scope): &(&str, &str)| (resource.parse().unwrap(), scope.parse().unwrap());
    pairs.iter().map(pair).collect()
}

async fn identity(at: &At, key: &Issued) -> Value {
    let shown = at.app().get(&key.path("")).operator();
    shown.send().await.expect(200)["identity"].clone()
}

#[tokio::test]
async fn what_the_provider_grants_beyond_the_record_is_shown_and_never_granted() {
    let at = At::kind("asked").await;
    let key = at.key().await;
    assert_eq!(identity(&at, &key).await.get("drift"), None);
    at.fake().grant_more(&permissions(&[
        (CART, "read:cart"),
        (PAYMENT, "read:payment"),
    ]));
    assert_eq!(at.scope(&key.key).await, "write:payment");
    let drift = json!([
        {"resource": CART, "scopes": ["read:cart"]}, {"resource": PAYMENT, "scopes": ["read:payment"]},
    ]);
    eventually("it is shown", async || {
        identity(&at, &key).await["drift"] == drift
    })
    .await;
    let wider = at.app().post("/v1/token").form(&[("resource", CART)]);
    let wider = wider.by(&crate::support::credentials::Key(&key.key));
    wider.send().await.problem("invalid_target");

    at.fake()
        .take_away(&permissions(&[(PAYMENT, "write:payment")]));
    at.scope(&key.key).await;
    eventually("it is shown no more", async || {
        identity(&at, &key).await.get("drift").is_none()
    })
    .await;
}

#[tokio::test]
async fn what_the_provider_lacks_is_put_back() {
    let at = At::kind("asked").await;
    let key = at.both().await;
    at.fake()
        .take_away(&permissions(&[(PAYMENT, "read:payment")]));
    assert_eq!(at.scope(&key.key).await, "read:payment");
    eventually("it is put back", async || {
        at.fake().granted() == [format!("{PAYMENT} read:payment write:payment")]
    })
    .await;
    assert_eq!(at.scope(&key.key).await, "read:payment write:payment");
}

#[tokio::test]
async fn where_the_providers_word_counts_what_it_lacks_is_gone() {
    let at = At::kind("asked").await;
    at.fake().use_by(Policy {
        puts_back: false,
        ..Policy::default()
    });
    let key = at.both().await;
    at.fake()
        .take_away(&permissions(&[(PAYMENT, "read:payment")]));
    for _ in 0..3 {
        assert_eq!(at.scope(&key.key).await, "read:payment");
        at.app().pass(60);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(at.fake().granted(), [format!("{PAYMENT} read:payment")]);
}
