//! What every provider must stand.

use rstest::rstest;
use serde_json::json;

use super::{At, eventually};
use crate::support::test_app::{Issued, TestApp};

#[rstest]
#[case::builtin("builtin")]
#[case::trusted("trusted")]
#[case::asked("asked")]
#[ignore = "needs Java and Maven: run by the CI"]
#[case::keycloak("keycloak")]
#[ignore = "needs Java and Maven: run by the CI"]
#[case::keycloak_password("keycloak_password")]
#[ignore = "needs Java and Maven: run by the CI"]
#[case::keycloak_passthrough("keycloak_passthrough")]
#[tokio::test]
async fn a_key_lives_its_life(#[case] kind: &'static str) {
    let at = At::kind(kind).await;
    let key = at.key().await;
    assert_eq!(key.object["identity"]["provider"], at.provider);
    assert!(key.object["identity"]["subject"].is_string());
    assert_eq!(at.users().await, 1);
    assert_eq!(at.scope(&key.key).await, "write:payment");
    at.permit(&key, &["read:payment", "write:payment"])
        .await
        .expect(200);
    assert_eq!(at.scope(&key.key).await, "read:payment write:payment");
    at.permit(&key, &["read:payment"]).await.expect(200);
    assert_eq!(at.scope(&key.key).await, "read:payment");

    let new = Issued::read(
        at.rotate(&key, json!({"grace_seconds": at.grace()}))
            .await
            .expect(200),
    );
    assert_eq!(at.users().await, 2);
    for generation in [&key, &new] {
        assert_eq!(at.scope(&generation.key).await, "read:payment");
    }
    at.permit(&key, &["read:payment", "write:payment"])
        .await
        .expect(200);
    for generation in [&key, &new] {
        assert_eq!(
            at.scope(&generation.key).await,
            "read:payment write:payment"
        );
    }
    at.grace_ends(&key).await;
    eventually("the replaced user is gone", async || at.users().await == 1).await;

    let last = Issued::read(at.rotate(&key, json!({})).await.expect(200));
    at.app().trade(&new.key).await.problem("api_key_rotated");
    assert_eq!(at.scope(&last.key).await, "read:payment write:payment");
    eventually("the replaced user is gone", async || at.users().await == 1).await;

    at.revoke(&key).await;
    at.app().trade(&last.key).await.problem("api_key_revoked");
    eventually("the last user is gone", async || at.users().await == 0).await;
}

#[rstest]
#[case::builtin("builtin")]
#[case::trusted("trusted")]
#[case::asked("asked")]
#[ignore = "needs Java and Maven: run by the CI"]
#[case::keycloak("keycloak")]
#[ignore = "needs Java and Maven: run by the CI"]
#[case::keycloak_password("keycloak_password")]
#[ignore = "needs Java and Maven: run by the CI"]
#[case::keycloak_passthrough("keycloak_passthrough")]
#[tokio::test]
async fn a_key_outlives_the_process(#[case] kind: &'static str) {
    let at = At::kind(kind).await;
    let key = at.key().await;
    let at = At {
        shop: at.shop.again(TestApp::restart).await,
        ..at
    };
    assert_eq!(at.scope(&key.key).await, "write:payment");
    let at = At {
        shop: at.shop.again(TestApp::crash).await,
        ..at
    };
    assert_eq!(at.scope(&key.key).await, "write:payment");
}

#[rstest]
#[case::builtin("builtin")]
#[case::trusted("trusted")]
#[case::asked("asked")]
#[ignore = "needs Java and Maven: run by the CI"]
#[case::keycloak("keycloak")]
#[ignore = "needs Java and Maven: run by the CI"]
#[case::keycloak_password("keycloak_password")]
#[ignore = "needs Java and Maven: run by the CI"]
#[case::keycloak_passthrough("keycloak_passthrough")]
#[tokio::test]
async fn a_paused_key_keeps_its_user(#[case] kind: &'static str) {
    let at = At::kind(kind).await;
    let key = at.key().await;
    for (disabled, status) in [(true, 401), (false, 200)] {
        let request = at
            .app()
            .patch(&key.path(""))
            .operator()
            .json(json!({"disabled": disabled}));
        request.send().await.expect(200);
        assert_eq!(at.app().trade(&key.key).await.status, status);
        assert_eq!(at.users().await, 1);
    }
}

#[rstest]
#[tokio::test]
async fn keys_of_several_providers_live_side_by_side(
    #[values("trusted", "asked")] kind: &'static str,
) {
    let at = At::kind(kind).await;
    let (here, built_in) = (at.key().await, at.shop.key().await);
    assert_eq!(built_in.object["identity"]["provider"], "builtin");
    at.fake().lose_users();
    at.app().trade(&built_in.key).await.expect(200);
    at.revoke(&here).await;
    at.app().trade(&built_in.key).await.expect(200);
}
