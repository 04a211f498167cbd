//! What the provider does late, twice or in another order than it was asked: in the end it has what our record says.

use std::time::Duration;

use super::{At, eventually};
use crate::support::fake_provider::{Ask, Mood};

const READ: &str = "https://payment.example.com/api read:payment";
const BOTH: &str = "https://payment.example.com/api read:payment write:payment";

async fn asked(at: &At, times: usize) {
    eventually("the provider is asked", async || {
        at.fake().times(Ask::SetPermissions) >= times
    })
    .await;
}

#[tokio::test]
async fn of_one_key_one_thing_at_a_time_is_asked_and_in_order() {
    let at = At::kind("trusted").await;
    let key = at.both().await;
    at.fake()
        .when(Ask::SetPermissions, Mood::Late(Duration::from_millis(200)));
    let asked = at.fake().times(Ask::SetPermissions);
    at.permit(&key, &["read:payment"]).await.expect(200);
    // Whoever narrows does not wait for the provider: without this the second change could come before the first is taken up.
    eventually("the provider is told of the first", async || {
        at.fake().times(Ask::SetPermissions) > asked
    })
    .await;
    at.permit(&key, &[]).await.expect(200);
    // Waits until the two before it have reached the provider.
    at.permit(&key, &["write:payment"]).await.expect(200);
    at.permit(&key, &["read:payment", "write:payment"])
        .await
        .expect(200);
    let told = at.fake().permitted();
    assert!(told.ends_with(&[
        "".to_owned(),
        "write:payment".to_owned(),
        "read:payment write:payment".to_owned(),
    ]));
    assert_eq!(told[0], "read:payment");
    assert!(!at.fake().overlapped());
}

#[tokio::test]
async fn what_moved_while_the_provider_was_asked_is_asked_again() {
    let at = At::kind("trusted").await;
    let key = at.both().await;
    at.fake()
        .when(Ask::SetPermissions, Mood::Late(Duration::from_millis(300)));
    at.permit(&key, &["read:payment"]).await.expect(200);
    asked(&at, 1).await;
    // Not a change of permissions, so it asks nothing of the provider itself.
    let renamed = at.app().patch(&key.path("")).operator();
    let renamed = renamed.json(serde_json::json!({"name": "another"}));
    renamed.send().await.expect(200);
    eventually("the provider is asked again", async || {
        at.fake().permitted() == ["read:payment", "read:payment"]
    })
    .await;
}

#[tokio::test]
async fn what_the_provider_does_after_we_gave_up_does_not_stand() {
    let at = At::kind("trusted").await;
    let key = at.both().await;
    at.fake()
        .when(Ask::SetPermissions, Mood::Late(Duration::from_millis(5500)));
    at.permit(&key, &["read:payment"]).await.expect(200);
    asked(&at, 1).await;
    at.fake().works_again();
    at.permit(&key, &[]).await.expect(200);
    // Both are done, the one that we gave up on as well, before its first call is.
    eventually("we have given up", async || {
        at.app().pass(1);
        at.fake().granted() == [""]
    })
    .await;
    eventually("the first call is done after all", async || {
        at.fake().granted() == [READ]
    })
    .await;
    at.in_the_end("the provider has what our record says", async || {
        at.fake().granted() == [""]
    })
    .await;
}

#[tokio::test]
async fn calls_that_are_done_in_the_wrong_order_do_not_stand() {
    let at = At::kind("trusted").await;
    let key = at.both().await;
    let late = |milliseconds| Mood::Late(Duration::from_millis(milliseconds));
    at.fake().when(Ask::SetPermissions, late(9500));
    at.permit(&key, &["read:payment"]).await.expect(200);
    asked(&at, 1).await;
    at.fake().when(Ask::SetPermissions, late(4200));
    at.permit(&key, &[]).await.expect(200);
    asked(&at, 2).await;
    at.fake().works_again();
    eventually("the second call is done first", async || {
        at.fake().permitted() == [""]
    })
    .await;
    eventually("the first call is done last", async || {
        at.fake().permitted().last().unwrap() == "read:payment"
    })
    .await;
    at.in_the_end("the provider has what our record says", async || {
        at.fake().granted() == [""]
    })
    .await;
}

#[tokio::test]
async fn a_call_that_is_done_a_second_time_does_not_stand() {
    let at = At::kind("trusted").await;
    let key = at.both().await;
    at.fake()
        .when(Ask::SetPermissions, Mood::Twice(Duration::from_millis(500)));
    at.permit(&key, &["read:payment"]).await.expect(200);
    asked(&at, 1).await;
    at.fake().works_again();
    at.permit(&key, &["read:payment", "write:payment"])
        .await
        .expect(200);
    assert_eq!(at.fake().granted(), [BOTH]);
    eventually("the narrowing is done again", async || {
        at.fake().granted() == [READ]
    })
    .await;
    assert_eq!(at.scope(&key.key).await, "read:payment write:payment");
    at.in_the_end("the provider has what our record says", async || {
        at.fake().granted() == [BOTH]
    })
    .await;
}

#[tokio::test]
async fn a_user_that_is_made_a_second_time_is_removed_a_second_time() {
    let at = At::kind("trusted").await;
    at.fake()
        .when(Ask::Create, Mood::Twice(Duration::from_secs(1)));
    let key = at.key().await;
    at.fake().works_again();
    at.revoke(&key).await;
    eventually("it is removed", async || at.users().await == 0).await;
    eventually("it is made again", async || at.users().await == 1).await;
    at.in_the_end("it is removed again", async || at.users().await == 0)
        .await;
}

#[tokio::test]
async fn a_widening_takes_the_turn_of_what_does_not_answer() {
    let at = At::kind("trusted").await;
    let key = at.both().await;
    at.fake().when(Ask::SetPermissions, Mood::Hangs);
    at.permit(&key, &["read:payment"]).await.expect(200);
    asked(&at, 1).await;
    at.fake().works_again();
    let widening = at.permit(&key, &["read:payment", "write:payment"]);
    let widened = tokio::time::timeout(Duration::from_secs(5), widening).await;
    widened.expect("an answer within five seconds").expect(200);
    assert_eq!(at.fake().granted(), [BOTH]);
}
