//! Machine users sign in, are refused, disabled and deleted behind our back, and the realm changes its keys.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use crate::provider::eventually;
use crate::support::corp::Corp;
use crate::support::line::{Meddling, answers};

const WAYS: [&str; 2] = ["", "sign_in = 'password'"];

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn a_user_that_is_disabled_there_is_a_disabled_key() {
    for way in WAYS {
        let corp = Corp::start(way).await;
        let key = corp.key(json!({})).await;
        assert_eq!(corp.scope(&key).await, "write:payment");
        let path = format!("/users/{}", corp.realm.user_of(&key).await);
        for (enabled, code) in [(false, "api_key_disabled"), (true, "")] {
            let body = json!({ "enabled": enabled });
            corp.realm.good(("PUT", &path), Some(&body)).await;
            eventually("it is noticed", async || {
                let answer = corp.app().trade(&key.key).await;
                answer.json()["code"].as_str().unwrap_or_default() == code
            })
            .await;
        }
    }
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn a_user_that_is_deleted_there_is_a_disabled_key() {
    for way in WAYS {
        let corp = Corp::start(way).await;
        let key = corp.key(json!({})).await;
        let path = format!("/users/{}", corp.realm.user_of(&key).await);
        corp.realm.good(("DELETE", &path), None).await;
        corp.app().trade(&key.key).await.problem("api_key_disabled");
        corp.app()
            .delete(&key.path(""))
            .operator()
            .send()
            .await
            .expect(204);
        corp.app().trade(&key.key).await.problem("api_key_revoked");
    }
}

/// What is wrong with it behind our back is an outage first, and put right.
#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn what_a_user_signs_in_by_is_put_right_once() {
    for way in WAYS {
        let corp = Corp::start(way).await;
        let key = corp.key(json!({})).await;
        let user = corp.realm.user_of(&key).await;
        match way {
            "" => {
                let path = format!("/users/{user}/federated-identity/kagiya");
                corp.realm.good(("DELETE", &path), None).await;
            }
            _ => {
                let path = format!("/users/{user}/reset-password");
                let body =
                    json!({"type": "password", "value": "another password", "temporary": false});
                corp.realm.good(("PUT", &path), Some(&body)).await;
            }
        }
        corp.app()
            .trade(&key.key)
            .await
            .problem("identity_provider_unavailable");
        eventually("it is put right", async || {
            corp.app().trade(&key.key).await.status == 200
        })
        .await;
    }
}

#[rstest]
#[case::secret(json!({"secret": "another"}))]
#[case::disabled(json!({"enabled": false}))]
#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn wrong_credentials_of_ours_are_an_outage_and_never_a_wrong_key(#[case] change: Value) {
    let corp = Corp::start("").await;
    let key = corp.key(json!({})).await;
    assert_eq!(corp.scope(&key).await, "write:payment");
    for client in ["kagiya-rights", "kagiya-login", "kagiya-admin"] {
        corp.realm.change_client(client, change.clone()).await;
    }
    for _ in 0..3 {
        corp.app()
            .trade(&key.key)
            .await
            .problem("identity_provider_unavailable");
    }
    let back = json!({"enabled": true, "secret": "the login secret of the tests"});
    for client in ["kagiya-rights", "kagiya-login"] {
        corp.realm.change_client(client, back.clone()).await;
    }
    let back = json!({"enabled": true, "secret": "the admin secret of the tests"});
    corp.realm.change_client("kagiya-admin", back).await;
    eventually("it is noticed", async || {
        corp.app().trade(&key.key).await.status == 200
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn a_realm_that_changes_its_keys_fails_no_exchange() {
    let corp = Corp::start("").await;
    let key = corp.key(json!({})).await;
    assert_eq!(corp.scope(&key).await, "write:payment");
    for priority in ["200", "300"] {
        let body = json!({
            "name": format!("rsa-{priority}"), "providerId": "rsa-generated",
            "providerType": "org.keycloak.keys.KeyProvider",
            "config": {"priority": [priority], "enabled": ["true"], "active": ["true"], "keySize": ["2048"], "algorithm": ["RS256"]},
        });
        corp.realm.good(("POST", "/components"), Some(&body)).await;
        for _ in 0..5 {
            assert_eq!(corp.scope(&key).await, "write:payment");
        }
        // The set is read again for an unknown key once in half a minute at most, so that a stranger cannot have it read all the time.
        tokio::time::sleep(Duration::from_secs(31)).await;
    }
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn our_own_signing_keys_change_and_users_sign_in_all_the_same() {
    let corp = Corp::start("").await;
    let key = corp.key(json!({})).await;
    assert_eq!(corp.scope(&key).await, "write:payment");
    let keys = corp
        .app()
        .get("/v1/signing-keys")
        .operator()
        .send()
        .await
        .expect(200);
    let active = keys["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["state"] == "active" && key["algorithm"] == "ES256");
    let kid = active.unwrap()["kid"].as_str().unwrap().to_owned();
    let withdraw = corp.app().post(&format!("/v1/signing-keys/{kid}/withdraw"));
    withdraw.operator().send().await.expect(200);
    corp.app().forget_operator_token();
    eventually("the realm reads the set again", async || {
        corp.app().trade(&key.key).await.status == 200
    })
    .await;
}

/// What comes in place of an answer.
type Case = Box<dyn Fn() -> Meddling + Send + Sync>;

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn whatever_comes_in_place_of_an_answer_is_an_outage() {
    let corp = Corp::start("").await;
    let key = corp.key(json!({})).await;
    assert_eq!(corp.scope(&key).await, "write:payment");
    let huge = "x".repeat(600 * 1024);
    let cases: [(&str, Case); 10] = [
        ("late", Box::new(|| Meddling::Late(Duration::from_secs(5)))),
        ("cut before", Box::new(|| Meddling::CutBefore)),
        ("cut after", Box::new(|| Meddling::CutAfter)),
        ("hangs", Box::new(|| Meddling::Hangs)),
        ("drips", Box::new(|| Meddling::Drips)),
        (
            "500",
            Box::new(|| {
                answers(
                    "500 Internal Server Error",
                    "",
                    "{\"error\":\"unknown_error\"}",
                )
            }),
        ),
        (
            "503",
            Box::new(|| answers("503 Service Unavailable", "", "")),
        ),
        (
            "429",
            Box::new(|| answers("429 Too Many Requests", "Retry-After: 1\r\n", "")),
        ),
        ("garbage", Box::new(|| answers("200 OK", "", "<html>"))),
        ("huge", Box::new(move || answers("200 OK", "", &huge))),
    ];
    for (name, case) in cases {
        corp.realm.line.meddle(move |seen| match seen.is_sign_in() {
            true => case(),
            false => Meddling::Pass,
        });
        let answer = corp.app().trade(&key.key).await;
        assert_eq!(
            answer.json()["code"],
            "identity_provider_unavailable",
            "{name}: {}",
            answer.transcript()
        );
        corp.realm.line.works_again();
        eventually("it is well again", async || {
            corp.app().trade(&key.key).await.status == 200
        })
        .await;
    }
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn a_token_of_another_issuer_is_none() {
    let corp = Corp::start("").await;
    let key = corp.key(json!({})).await;
    assert_eq!(corp.scope(&key).await, "write:payment");
    // A good token, in place of the realm's.
    let body = json!({"access_token": corp.app().trade(&key.key).await["access_token"], "expires_in": 300});
    let body = body.to_string();
    corp.realm.line.meddle(move |seen| match seen.is_sign_in() {
        true => answers("200 OK", "", &body),
        false => Meddling::Pass,
    });
    corp.app()
        .trade(&key.key)
        .await
        .problem("identity_provider_unavailable");
    corp.realm.line.works_again();
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn a_pause_that_is_asked_for_is_kept_and_told() {
    let corp = Corp::start("").await;
    let key = corp.key(json!({})).await;
    assert_eq!(corp.scope(&key).await, "write:payment");
    corp.realm.line.meddle(|seen| match seen.is_sign_in() {
        true => answers("429 Too Many Requests", "Retry-After: 30\r\n", ""),
        false => Meddling::Pass,
    });
    for first in [true, false] {
        corp.realm.line.take_seen();
        let answer = corp.app().trade(&key.key).await;
        let answer = answer.problem("identity_provider_unavailable");
        let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((20..=30).contains(&wait), "{wait}");
        let asked = corp
            .realm
            .line
            .take_seen()
            .iter()
            .any(|seen| seen.is_sign_in());
        assert_eq!(asked, first, "it is left alone meanwhile");
    }
    let limited = r#"kagiya_identity_provider_limited_total{provider="corp"}"#;
    assert_eq!(corp.app().metric(limited).await, 2);
}
