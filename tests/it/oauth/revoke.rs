//! `POST /oauth/revoke` (RFC 7009): a token is refused from the answer on, an API key by whoever has it.

use serde_json::json;

use super::introspect::{assert_inactive, introspect, payment_service};
use crate::applications::{Application, cart_service, grant, machine_role, make};
use crate::support::credentials::{Anonymous, Basic, Bearer, Credential};
use crate::support::test_app::{Issued, MANAGEMENT, Shop, TestApp};
use crate::support::transcript::Answer;

async fn revoke(app: &TestApp, by: &impl Credential, token: &str) -> Answer {
    let request = app.post("/oauth/revoke").by(by);
    request.form(&[("token", token)]).send().await
}

#[track_caller]
fn assert_done(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.transcript());
    assert_eq!(answer.body, b"", "RV-7");
    assert_eq!(answer.header("content-type"), None, "RV-7");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

async fn token(shop: &Shop, client: &Application) -> String {
    let answer = grant(&shop.app, client, &[]).await;
    answer.expect(200).text("access_token")
}

#[tokio::test]
async fn rv_3_rv_4_a_revoked_token_is_refused_from_the_answer_on_and_no_other() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let server = payment_service(&shop).await;
    let (one, other) = (token(&shop, &client).await, token(&shop, &client).await);
    assert_done(&revoke(&shop.app, &client, &one).await);
    assert_inactive(&introspect(&shop.app, &server, &one).await);
    assert_inactive(&introspect(&shop.app, &client, &one).await);
    assert_eq!(introspect(&shop.app, &server, &other).await["active"], true);
    // Once more is done too.
    assert_done(&revoke(&shop.app, &client, &one).await);
    let events = shop.app.get("/v1/audit-events?action=token.revoked");
    let events = events.operator().send().await.expect(200);
    let events = events["items"].as_array().unwrap().clone();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["actor"], client.id.as_str());
    // It is on record, not in memory alone.
    let shop = shop.again(TestApp::crash).await;
    assert_inactive(&introspect(&shop.app, &server, &one).await);
    assert_eq!(introspect(&shop.app, &server, &other).await["active"], true);
}

#[tokio::test]
async fn rv_3_what_is_not_good_any_more_is_done() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let old = token(&shop, &client).await;
    shop.app.pass(300);
    for text in ["x", "a.b.c", &old, &old[..80], "kgy_x", "refresh"] {
        assert_done(&revoke(&shop.app, &client, text).await);
    }
    assert_eq!(
        shop.app
            .count("SELECT count(*) AS number FROM revoked_tokens")
            .await,
        0
    );
}

#[tokio::test]
async fn rv_3_anothers_token_is_not_revoked_and_who_asks_is_told_so() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let server = payment_service(&shop).await;
    let key = shop.key().await;
    for token in [
        token(&shop, &client).await,
        shop.app.trade(&key.key).await.text("access_token"),
    ] {
        let refused = revoke(&shop.app, &server, &token).await;
        refused.oauth_error("unauthorized_client");
        assert_eq!(introspect(&shop.app, &server, &token).await["active"], true);
    }
}

#[tokio::test]
async fn rv_1_a_client_proves_who_it_is() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let token = token(&shop, &client).await;
    let nobody = revoke(&shop.app, &Anonymous, &token).await;
    nobody.oauth_error("invalid_client");
    let wrong = revoke(&shop.app, &Basic(&client.id, "x"), &token).await;
    wrong.oauth_error("invalid_client");
    revoke(&shop.app, &client, "")
        .await
        .oauth_error("invalid_request");
    let get = shop.app.get("/oauth/revoke").by(&client).send().await;
    get.expect(405);
    assert_eq!(introspect(&shop.app, &client, &token).await["active"], true);
}

#[tokio::test]
async fn rv_2_every_kind_is_looked_for_whatever_the_hint_says() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    for hint in ["refresh_token", "nonsense", "access_token", ""] {
        let token = token(&shop, &client).await;
        let form = [("token", token.as_str()), ("token_type_hint", hint)];
        let answer = shop.app.post("/oauth/revoke").by(&client).form(&form);
        assert_done(&answer.send().await);
        assert_inactive(&introspect(&shop.app, &client, &token).await);
    }
}

#[tokio::test]
async fn rv_3_a_key_is_revoked_by_whoever_has_it_with_or_without_being_a_client() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let server = payment_service(&shop).await;
    let (one, two, three) = (shop.key().await, shop.key().await, shop.key().await);
    assert_done(&revoke(&shop.app, &Anonymous, &one.key).await);
    shop.app.trade(&one.key).await.problem("api_key_revoked");
    assert_done(&revoke(&shop.app, &Anonymous, &one.key).await);
    let minted = shop.app.trade(&two.key).await.text("access_token");
    assert_done(&revoke(&shop.app, &client, &two.key).await);
    shop.app.trade(&two.key).await.problem("api_key_revoked");
    assert_inactive(&introspect(&shop.app, &server, &minted).await);
    // Who says who he is proves it.
    let wrong = revoke(&shop.app, &Basic(&client.id, "x"), &three.key).await;
    wrong.oauth_error("invalid_client");
    shop.app.trade(&three.key).await.expect(200);
    // What is no key of ours is done as well, and changes nothing.
    let mut forged = three.key.clone();
    forged.replace_range(30..31, if &forged[30..31] == "a" { "b" } else { "a" });
    for text in [forged.as_str(), &three.key[..40], "kgy_"] {
        assert_done(&revoke(&shop.app, &Anonymous, text).await);
    }
    shop.app.trade(&three.key).await.expect(200);
}

#[tokio::test]
async fn a_key_that_was_replaced_ends_its_own_grace_alone() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let rotate = shop.app.post(&key.path("/rotate")).operator();
    let fresh = rotate.json(json!({"grace_seconds": 600})).send().await;
    let fresh = Issued::read(fresh.expect(200));
    assert_done(&revoke(&shop.app, &Anonymous, &key.key).await);
    shop.app.trade(&key.key).await.problem("api_key_rotated");
    shop.app.trade(&fresh.key).await.expect(200);
}

#[tokio::test]
async fn whoever_sends_many_wrong_keys_waits() {
    let setup = TestApp::setup().config(|config| config.limits.bad_keys_per_minute = 5);
    let shop = Shop::on(setup.start().await).await;
    for _ in 0..5 {
        assert_done(&revoke(&shop.app, &Anonymous, "kgy_x").await);
    }
    let waits = revoke(&shop.app, &Anonymous, "kgy_x").await.expect(429);
    assert_eq!(waits["error"], "temporarily_unavailable");
}

#[tokio::test]
async fn a_revoked_management_token_manages_nothing() {
    let shop = Shop::new().await;
    let permissions = json!([{"resource": MANAGEMENT, "scopes": ["keys:read"]}]);
    let role = machine_role(&shop.app, "watcher", permissions).await;
    let client = make(&shop.app, json!({"roles": [role]})).await;
    let token = token(&shop, &client).await;
    let list = async || shop.app.get("/v1/keys").by(&Bearer(&token)).send().await;
    list().await.expect(200);
    assert_done(&revoke(&shop.app, &client, &token).await);
    list().await.problem("invalid_token");
}

#[tokio::test]
async fn revocations_are_forgotten_when_their_tokens_have_expired() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let token = token(&shop, &client).await;
    assert_done(&revoke(&shop.app, &client, &token).await);
    let path = client.path("");
    shop.app.delete(&path).operator().send().await.expect(204);
    let kept = [
        "SELECT count(*) AS number FROM revoked_tokens",
        "SELECT count(*) AS number FROM removed_grounds",
    ];
    let mut shop = shop;
    for (seconds, left) in [(299, [1, 1]), (1, [0, 1]), (3299, [0, 1]), (1, [0, 0])] {
        shop.app.pass(seconds);
        shop = shop.again(TestApp::restart).await;
        for (query, left) in kept.iter().zip(left) {
            for attempt in 0.. {
                let found = shop.app.count(query).await;
                // What is to stay has its time to go wrong.
                if found == left && (left == 0 || attempt == 10) {
                    break;
                }
                assert!(attempt < 500 && found >= left, "{query}: {found}");
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
    }
}
