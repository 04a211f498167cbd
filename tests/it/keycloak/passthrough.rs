//! Keycloak's own tokens, handed on.

use std::time::Duration;

use serde_json::json;

use crate::provider::eventually;
use crate::support::corp::{Corp, sorted};
use crate::support::test_app::{CART, PAYMENT, claims};

/// Two resources with a permission of the same name, and a key for both.
fn same_name() -> serde_json::Value {
    json!({
        "default_resource": PAYMENT,
        "permissions": [
            {"resource": PAYMENT, "scopes": ["read", "write:payment"]}, {"resource": CART, "scopes": ["read"]},
        ],
    })
}

async fn with_same_name(settings: &str) -> Corp {
    let corp = Corp::start(settings).await;
    for resource in [&corp.shop.payment, &corp.shop.cart] {
        let path = format!("/v1/resources/{resource}/permissions");
        let made = corp
            .app()
            .post(&path)
            .operator()
            .json(json!({"name": "read"}));
        made.send().await.expect(201);
    }
    corp.all_is_carried().await;
    corp
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn a_token_names_one_of_two_resources_with_a_permission_of_the_same_name() {
    for (answer, settings) in [("mint", ""), ("passthrough", "answer = 'passthrough'")] {
        let corp = with_same_name(settings).await;
        let key = corp.key(same_name()).await;
        for (resource, other) in [(PAYMENT, CART), (CART, PAYMENT)] {
            let traded = corp.trade_for(&key, resource, "read").await.expect(200);
            assert_eq!(traded.header("x-kagiya-answer"), Some(answer));
            assert_eq!(traded["scope"], "read");
            let claims = claims(&traded.text("access_token"));
            assert_eq!(claims["aud"], resource);
            assert_eq!(claims["scope"], "read");
            assert_eq!(claims["permissions"], json!(["read"]));
            assert!(!claims.to_string().contains(other), "{claims}");
        }
        let whole = corp.app().trade(&key.key).await.expect(200);
        let claims = claims(&whole.text("access_token"));
        assert_eq!(claims["aud"], PAYMENT);
        assert_eq!(
            sorted(claims["scope"].as_str().unwrap()),
            "read write:payment"
        );
        corp.trade_for(&key, CART, "write:payment")
            .await
            .problem("invalid_scope");

        // Taken away at one of the two behind our back: the other one still gives it.
        corp.realm.permit("DELETE", &key, (CART, "read")).await;
        let refused = corp.trade_for(&key, CART, "read").await;
        assert_eq!(refused.status, 400, "{}", refused.transcript());
        corp.trade_for(&key, PAYMENT, "read").await.expect(200);
    }
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn the_token_is_keycloaks_own_and_says_whose_key_it_is() {
    let corp = with_same_name("answer = 'passthrough'").await;
    let owner = json!({"iss": "https://sso.example.com", "sub": "ann"});
    let mut body = same_name();
    body["owner"] = owner.clone();
    let key = corp.key(body).await;
    let answer = corp.app().trade(&key.key).await.expect(200);
    let claims = claims(&answer.text("access_token"));
    assert_eq!(
        claims["iss"],
        format!("{}/realms/{}", corp.realm.keycloak.url(), corp.realm.name)
    );
    assert_eq!(claims["sub"], corp.realm.user_of(&key).await);
    assert_eq!(claims["azp"], "kagiya-login");
    assert_eq!(claims["key_id"], key.id.as_str());
    assert_eq!(claims["org_id"], corp.shop.organization.as_str());
    assert_eq!(claims["owner"], owner);
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn a_token_that_carries_more_than_was_asked_is_refused() {
    let corp = with_same_name("answer = 'passthrough'").await;
    let key = corp.key(same_name()).await;
    corp.trade_for(&key, PAYMENT, "read").await.expect(200);
    // Somebody made the scope of the cart API a default one: every token is for that too.
    let (client, scope) = (
        corp.realm.client("kagiya-login").await,
        corp.realm.client_scope(&format!("kagiya:{CART}")).await,
    );
    let path = |list: &str| format!("/clients/{client}/{list}-client-scopes/{scope}");
    corp.realm.good(("DELETE", &path("optional")), None).await;
    corp.realm.good(("PUT", &path("default")), None).await;
    corp.trade_for(&key, PAYMENT, "read")
        .await
        .problem("invalid_scope");
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn a_token_that_lives_too_long_is_503_and_an_alarm() {
    let corp = Corp::start("answer = 'passthrough'\nmax_token_lifetime = 200").await;
    let key = corp.key(json!({})).await;
    corp.app()
        .trade(&key.key)
        .await
        .problem("identity_provider_unavailable");
    let alarms = r#"kagiya_identity_provider_alarms_total{provider="corp"}"#;
    assert_eq!(corp.app().metric(alarms).await, 1);
    let body = json!({"accessTokenLifespan": 200});
    corp.realm.good(("PUT", ""), Some(&body)).await;
    corp.app().trade(&key.key).await.expect(200);
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn rights_are_at_most_as_old_as_is_allowed_in_both_modes() {
    for settings in [
        "max_rights_age = 4",
        "max_rights_age = 4\nanswer = 'passthrough'",
    ] {
        let corp = Corp::start(&format!("{settings}\nauthority = 'provider'")).await;
        let key = corp.key(super::both()).await;
        assert_eq!(corp.scope(&key).await, "read:payment write:payment");
        corp.realm
            .permit("DELETE", &key, (PAYMENT, "write:payment"))
            .await;
        #[expect(
            clippy::disallowed_methods,
            reason = "how long it takes is what is measured"
        )]
        let began = std::time::Instant::now();
        eventually("what was taken away there is gone here", async || {
            corp.scope(&key).await == "read:payment"
        })
        .await;
        let took = began.elapsed();
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!(
                "{settings:?}: a right taken away at Keycloak counted here after {took:?}\n"
            ),
        );
        assert!(took < Duration::from_secs(6), "{took:?}");
    }
}
