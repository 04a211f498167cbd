//! The holder of a key rotates it: what its provider took away stays taken, and an outage there changes nothing.

use kagiya::idp::Policy;
use rstest::rstest;
use serde_json::json;

use super::At;
use crate::support::credentials::Key;
use crate::support::fake_provider::{Ask, Mood};
use crate::support::test_app::{Issued, PAYMENT};
use crate::support::transcript::Answer;

async fn key(at: &At) -> Issued {
    at.issue(json!({
        "self_rotate": true,
        "permissions": [{"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}],
    }))
    .await
}

async fn rotate(at: &At, key: &str) -> Answer {
    let request = at.app().post("/v1/key/rotate").by(&Key(key));
    request.send().await
}

#[rstest]
#[tokio::test]
async fn the_new_key_has_its_own_user_and_the_old_user_goes(
    #[values("builtin", "trusted", "asked")] kind: &'static str,
) {
    let at = At::kind(kind).await;
    let old = key(&at).await;
    let new = Issued::read(rotate(&at, &old.key).await.expect(200));
    assert_eq!(at.scope(&new.key).await, "read:payment write:payment");
    at.in_the_end("the old user is gone", async || at.users().await == 1)
        .await;
}

#[tokio::test]
async fn what_the_provider_took_away_is_not_won_back() {
    let at = At::kind("asked").await;
    // Otherwise what it lacks is put back, by whoever notices it.
    at.fake().use_by(Policy {
        puts_back: false,
        ..Policy::default()
    });
    let old = key(&at).await;
    at.fake().limit_rights(super::rights::only("read:payment"));
    let new = Issued::read(rotate(&at, &old.key).await.expect(200));
    // Somebody gives it back to whom he knows there: to the new user nobody did.
    at.fake().limit_nothing();
    assert_eq!(at.scope(&new.key).await, "read:payment");
    at.in_the_end("the old user is gone", async || at.users().await == 1)
        .await;
    assert_eq!(at.fake().granted(), [format!("{PAYMENT} read:payment")]);
}

#[tokio::test]
async fn a_user_that_was_disabled_there_has_no_successor() {
    let at = At::kind("asked").await;
    let old = key(&at).await;
    at.fake().disable_all();
    assert_ne!(rotate(&at, &old.key).await.status, 200);
    assert_eq!(at.fake().times(Ask::Create), 1);
    assert_eq!(at.users().await, 1);
}

#[rstest]
#[tokio::test]
async fn when_the_provider_fails_the_old_key_lives_and_nothing_is_left(
    #[values(Mood::FailsBefore, Mood::FailsAfter, Mood::Hangs, Mood::AnswersNever)] mood: Mood,
) {
    let at = At::kind("trusted").await;
    let old = key(&at).await;
    at.fake().when(Ask::Create, mood);
    rotate(&at, &old.key)
        .await
        .problem("identity_provider_unavailable");
    at.app().trade(&old.key).await.expect(200);
    at.fake().works_again();
    at.in_the_end("one user is left", async || at.users().await == 1)
        .await;
    let new = Issued::read(rotate(&at, &old.key).await.expect(200));
    at.app().trade(&new.key).await.expect(200);
}
