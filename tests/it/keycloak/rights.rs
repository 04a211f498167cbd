//! Granted = our record ∩ what Keycloak grants.

use serde_json::json;

use crate::provider::eventually;
use crate::support::corp::Corp;
use crate::support::test_app::{CART, PAYMENT};

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn what_keycloak_grants_beyond_the_record_is_shown_and_never_granted() {
    for settings in ["", "answer = 'passthrough'"] {
        let corp = Corp::start(settings).await;
        let key = corp.key(json!({})).await;
        corp.realm
            .permit("POST", &key, (PAYMENT, "read:payment"))
            .await;
        corp.realm.permit("POST", &key, (CART, "read:cart")).await;
        assert_eq!(corp.scope(&key).await, "write:payment", "{settings}");
        corp.trade_for(&key, PAYMENT, "read:payment")
            .await
            .problem("invalid_scope");
        corp.trade_for(&key, CART, "read:cart")
            .await
            .problem("invalid_target");
        let body = json!({"dry_run": true});
        let request = corp.app().post("/v1/identity-providers/corp/reconcile");
        let report = request.operator().json(body).send().await.expect(200);
        let drift = json!([
            {"resource": CART, "scopes": ["read:cart"]}, {"resource": PAYMENT, "scopes": ["read:payment"]},
        ]);
        assert_eq!(report["differences"][0]["more"], drift);
        if settings.is_empty() {
            eventually("it is shown", async || {
                let shown = corp.app().get(&key.path("")).operator().send().await;
                shown["identity"]["drift"] == drift
            })
            .await;
        }
    }
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn what_keycloak_lacks_is_put_back_unless_its_word_counts() {
    for settings in ["", "answer = 'passthrough'"] {
        let corp = Corp::start(settings).await;
        let key = corp.key(super::both()).await;
        corp.realm
            .permit("DELETE", &key, (PAYMENT, "write:payment"))
            .await;
        assert_eq!(corp.scope(&key).await, "read:payment");
        eventually("it is put back", async || {
            corp.scope(&key).await == "read:payment write:payment"
        })
        .await;
    }
}
