//! The process ends, or its caller goes away, in the middle: what was half made is thrown away, what was promised is done.

use rstest::rstest;
use serde_json::json;

use super::{At, eventually};
use crate::keys::keys_on_record;
use crate::support::fake_provider::{Ask, Mood};
use crate::support::test_app::{Issued, TestApp};

async fn crash(at: At) -> At {
    At {
        shop: at.shop.again(TestApp::crash).await,
        ..at
    }
}

#[rstest]
#[tokio::test]
async fn a_half_made_key_is_undone(#[values(Mood::Hangs, Mood::AnswersNever)] mood: Mood) {
    let at = At::kind("trusted").await;
    at.fake().when(Ask::Create, mood);
    let body = at.wanted(json!({}));
    let connection = at
        .app()
        .post("/v1/keys")
        .operator()
        .json(body)
        .begin()
        .await;
    eventually("the provider is asked", async || {
        at.fake().times(Ask::Create) == 1
    })
    .await;
    let list = at
        .app()
        .get("/v1/keys?status=pending")
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let at = crash(at).await;
    drop(connection);
    at.fake().works_again();
    at.in_the_end("the key is gone", async || {
        keys_on_record(at.app()).await == 0
    })
    .await;
    eventually("the user is gone", async || at.users().await == 0).await;
}

#[rstest]
#[tokio::test]
async fn a_half_made_generation_is_undone_and_the_old_one_lives(
    #[values(Mood::Hangs, Mood::AnswersNever)] mood: Mood,
) {
    let at = At::kind("trusted").await;
    let key = at.key().await;
    at.fake().when(Ask::Create, mood);
    let request = at.app().post(&key.path("/rotate")).operator();
    let connection = request.begin().await;
    eventually("the provider is asked", async || {
        at.fake().times(Ask::Create) == 2
    })
    .await;
    at.app().trade(&key.key).await.expect(200);
    let at = crash(at).await;
    drop(connection);
    at.fake().works_again();
    at.app().trade(&key.key).await.expect(200);
    let generations = "SELECT count(*) AS number FROM credentials";
    at.in_the_end("the generation is gone", async || {
        at.app().count(generations).await == 1
    })
    .await;
    eventually("its user is gone", async || at.users().await == 1).await;
    let new = Issued::read(at.rotate(&key, json!({})).await.expect(200));
    at.app().trade(&new.key).await.expect(200);
}

#[rstest]
#[tokio::test]
async fn a_removal_that_was_promised_is_done_after_a_crash(
    #[values(Mood::Hangs, Mood::FailsBefore)] mood: Mood,
) {
    let at = At::kind("trusted").await;
    let (revoked, rotated) = (at.key().await, at.key().await);
    at.fake().when(Ask::Delete, mood);
    at.revoke(&revoked).await;
    let new = Issued::read(at.rotate(&rotated, json!({})).await.expect(200));
    let at = crash(at).await;
    at.fake().works_again();
    at.app()
        .trade(&revoked.key)
        .await
        .problem("api_key_revoked");
    at.app()
        .trade(&rotated.key)
        .await
        .problem("api_key_rotated");
    at.app().trade(&new.key).await.expect(200);
    at.in_the_end("the users are gone", async || at.users().await == 1)
        .await;
}

#[tokio::test]
async fn a_widening_that_a_crash_cut_off_is_taken_back() {
    let at = At::kind("trusted").await;
    let key = at.key().await;
    at.fake().when(Ask::SetPermissions, Mood::AnswersNever);
    let both = json!({"permissions": [
        {"resource": "https://payment.example.com/api", "scopes": ["read:payment", "write:payment"]},
    ]});
    let connection = at
        .app()
        .put(&key.path("/permissions"))
        .operator()
        .json(both)
        .begin()
        .await;
    eventually("the provider is asked", async || {
        at.fake().times(Ask::SetPermissions) == 1
    })
    .await;
    let at = crash(at).await;
    drop(connection);
    at.fake().works_again();
    assert_eq!(at.scope(&key.key).await, "write:payment");
    let recorded = "https://payment.example.com/api write:payment";
    at.in_the_end("the provider has what our record says", async || {
        at.fake().granted() == [recorded]
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_nothing_half_made() {
    let at = At::kind("trusted").await;
    let key = at.key().await;
    at.fake().when(Ask::Create, Mood::AnswersNever);
    let body = at.wanted(json!({}));
    let creation = at
        .app()
        .post("/v1/keys")
        .operator()
        .idempotency_key("the-name-of-an-attempt");
    let creation = creation.json(body.clone()).begin().await;
    let rotation = at.app().post(&key.path("/rotate")).operator().begin().await;
    eventually("the provider is asked", async || {
        at.fake().times(Ask::Create) == 3
    })
    .await;
    drop(creation);
    drop(rotation);
    at.fake().works_again();
    at.in_the_end("the users are gone", async || at.users().await == 1)
        .await;
    eventually("the key is gone", async || {
        keys_on_record(at.app()).await == 1
    })
    .await;
    at.app().trade(&key.key).await.expect(200);
    // Whoever lost his connection repeats the call.
    let again = async || {
        let request = at
            .app()
            .post("/v1/keys")
            .operator()
            .idempotency_key("the-name-of-an-attempt");
        request.json(body.clone()).send().await.status == 201
    };
    eventually("the call runs afresh", again).await;
}

#[rstest]
#[tokio::test]
async fn a_crash_of_the_built_in_provider_leaves_nothing_either(
    #[values("/v1/keys", "rotate")] what: &str,
) {
    let at = At::kind("builtin").await;
    let key = at.key().await;
    // Nothing hangs here, so the crash comes at whatever point it comes.
    let mut at = at;
    for _ in 0..5 {
        let request = match what {
            "rotate" => at.app().post(&key.path("/rotate")).operator(),
            path => at.app().post(path).operator().json(at.wanted(json!({}))),
        };
        let connection = request.begin().await;
        at = crash(at).await;
        drop(connection);
    }
    let pending = "SELECT count(*) AS number FROM credentials WHERE state = 'pending'";
    at.in_the_end("nothing is half made", async || {
        at.app().count(pending).await == 0
    })
    .await;
    let live = "SELECT count(*) AS number FROM credentials WHERE state = 'active'";
    eventually("users and generations agree", async || {
        at.app().count(live).await == at.users().await
    })
    .await;
}
