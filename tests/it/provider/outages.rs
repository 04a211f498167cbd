//! The provider hangs, fails before or after it did the work, refuses, or answers late.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::json;

use super::{At, eventually};
use crate::keys::keys_on_record;
use crate::support::fake_provider::{Ask, Mood};
use crate::support::test_app::Issued;
use crate::support::transcript::Answer;

/// The answer comes within five seconds.
async fn in_time(answer: impl Future<Output = Answer>) -> Answer {
    let answer = tokio::time::timeout(Duration::from_secs(5), answer).await;
    answer.expect("an answer within five seconds")
}

fn unavailable(answer: Answer) {
    answer.problem("identity_provider_unavailable");
}

#[rstest]
#[tokio::test]
async fn a_creation_that_the_provider_does_not_do_leaves_nothing(
    #[values(
        Mood::FailsBefore,
        Mood::FailsAfter,
        Mood::Refuses,
        Mood::Hangs,
        Mood::AnswersNever
    )]
    mood: Mood,
) {
    let at = At::kind("trusted").await;
    at.fake().when(Ask::Create, mood);
    unavailable(in_time(at.create()).await);
    assert_eq!(keys_on_record(at.app()).await, 0);
    assert_eq!(at.users().await, 0);
    let events = at
        .app()
        .count("SELECT count(*) AS number FROM audit_events WHERE action = 'key.created'")
        .await;
    assert_eq!(events, 0);
    at.fake().works_again();
    let key = at.key().await;
    at.app().trade(&key.key).await.expect(200);
}

#[rstest]
#[tokio::test]
async fn a_rotation_that_the_provider_does_not_do_leaves_the_old_key_alive(
    #[values(
        Mood::FailsBefore,
        Mood::FailsAfter,
        Mood::Refuses,
        Mood::Hangs,
        Mood::AnswersNever
    )]
    mood: Mood,
) {
    let at = At::kind("trusted").await;
    let key = at.key().await;
    at.fake().when(Ask::Create, mood);
    unavailable(in_time(at.rotate(&key, json!({}))).await);
    at.app().trade(&key.key).await.expect(200);
    let shown = at
        .app()
        .get(&key.path(""))
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(shown["rotated_at"], json!(null));
    assert_eq!(at.users().await, 1);
    at.fake().works_again();
    let new = Issued::read(at.rotate(&key, json!({})).await.expect(200));
    at.app().trade(&new.key).await.expect(200);
    at.app().trade(&key.key).await.problem("api_key_rotated");
}

#[tokio::test]
async fn what_cannot_be_undone_now_is_undone_later() {
    let at = At::kind("trusted").await;
    let key = at.key().await;
    at.fake().when(Ask::Create, Mood::FailsAfter);
    at.fake().when(Ask::Delete, Mood::FailsBefore);
    unavailable(at.create().await);
    unavailable(at.rotate(&key, json!({})).await);
    assert_eq!(at.users().await, 3);
    at.app().trade(&key.key).await.expect(200);
    at.fake().works_again();
    at.in_the_end("the half-made users are gone", async || {
        at.users().await == 1
    })
    .await;
    assert_eq!(keys_on_record(at.app()).await, 1);
}

#[tokio::test]
async fn a_user_that_the_provider_makes_after_we_gave_up_is_removed() {
    let at = At::kind("trusted").await;
    let key = at.key().await;
    at.fake()
        .when(Ask::Create, Mood::Late(Duration::from_millis(4500)));
    let (created, rotated) =
        tokio::join!(in_time(at.create()), in_time(at.rotate(&key, json!({}))));
    unavailable(created);
    unavailable(rotated);
    eventually("the provider makes them after all", async || {
        at.users().await == 3
    })
    .await;
    at.in_the_end("they are removed", async || at.users().await == 1)
        .await;
    at.app().trade(&key.key).await.expect(200);
}

#[rstest]
#[tokio::test]
async fn a_widening_counts_when_the_provider_has_it_and_else_changes_nothing(
    #[values(Mood::FailsBefore, Mood::FailsAfter, Mood::Refuses, Mood::Hangs)] mood: Mood,
) {
    let at = At::kind("trusted").await;
    let key = at.key().await;
    at.fake().when(Ask::SetPermissions, mood);
    unavailable(in_time(at.permit(&key, &["read:payment", "write:payment"])).await);
    assert_eq!(at.scope(&key.key).await, "write:payment");
    let shown = at
        .app()
        .get(&key.path(""))
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(shown.header("etag"), Some(key.etag.as_str()));
    at.fake().works_again();
    // The provider ends with what our record says, though it may have done the work.
    let recorded = "https://payment.example.com/api write:payment";
    at.in_the_end("the provider has what our record says", async || {
        at.fake().granted() == [recorded]
    })
    .await;
    at.permit(&key, &["read:payment", "write:payment"])
        .await
        .expect(200);
    assert_eq!(at.scope(&key.key).await, "read:payment write:payment");
}

#[rstest]
#[tokio::test]
async fn a_narrowing_counts_at_once_whatever_the_provider_does(
    #[values("trusted", "asked")] kind: &'static str,
    #[values(Mood::FailsBefore, Mood::Hangs)] mood: Mood,
) {
    let at = At::kind(kind).await;
    let key = at.issue(json!({"permissions": [
        {"resource": "https://payment.example.com/api", "scopes": ["read:payment", "write:payment"]},
    ]})).await;
    at.fake().when(Ask::SetPermissions, mood);
    #[expect(
        clippy::disallowed_methods,
        reason = "how long the caller waited is what is tested"
    )]
    let started = Instant::now();
    at.permit(&key, &["read:payment"]).await.expect(200);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(at.scope(&key.key).await, "read:payment");
    at.permit(&key, &[]).await.expect(200);
    at.app().trade(&key.key).await.problem("invalid_target");
    at.fake().works_again();
    at.in_the_end("the provider follows", async || at.fake().granted() == [""])
        .await;
}

#[rstest]
#[tokio::test]
async fn revoking_and_rotating_away_count_at_once_whatever_the_provider_does(
    #[values(Mood::FailsBefore, Mood::Refuses, Mood::Hangs)] mood: Mood,
) {
    let at = At::kind("trusted").await;
    let (revoked, rotated) = (at.key().await, at.key().await);
    at.fake().when(Ask::Delete, mood);
    #[expect(
        clippy::disallowed_methods,
        reason = "how long the caller waited is what is tested"
    )]
    let started = Instant::now();
    at.revoke(&revoked).await;
    at.rotate(&rotated, json!({})).await.expect(200);
    assert!(started.elapsed() < Duration::from_secs(2));
    at.app()
        .trade(&revoked.key)
        .await
        .problem("api_key_revoked");
    at.app()
        .trade(&rotated.key)
        .await
        .problem("api_key_rotated");
    assert_eq!(at.users().await, 3);
    at.fake().works_again();
    at.in_the_end("the users are gone", async || at.users().await == 1)
        .await;
    at.app()
        .trade(&rotated.key)
        .await
        .problem("api_key_rotated");
}

#[tokio::test]
async fn a_sick_provider_is_no_reason_to_take_the_node_away() {
    let at = At::kind("trusted").await;
    at.fake().when(Ask::Health, Mood::FailsBefore);
    let status = async || {
        at.app()
            .get("/readyz")
            .send()
            .await
            .expect(200)
            .text("status")
    };
    eventually("it is told", async || status().await == "degraded").await;
    at.fake().works_again();
    eventually("it is told", async || status().await == "ready").await;
}
