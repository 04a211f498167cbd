//! `DELETE /v1/keys/{id}`, and `POST /v1/key/revoke` by its holder

use serde_json::json;

use crate::support::credentials::Key;
use crate::support::test_app::{Issued, Shop, TestApp};

#[tokio::test]
async fn a_revoked_key_is_refused_for_ever_and_its_record_stays() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    shop.app.trade(&key.key).await.expect(200);
    shop.app.pass(10);
    let now = shop.app.time_in(0);
    for _ in 0..2 {
        let answer = shop
            .app
            .delete(&key.path(""))
            .operator()
            .send()
            .await
            .expect(204);
        assert!(answer.body.is_empty());
        shop.app.trade(&key.key).await.problem("api_key_revoked");
        shop.app.pass(10);
    }
    let shown = shop
        .app
        .get(&key.path(""))
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(
        (&shown["status"], &shown["revoked_at"]),
        (&json!("revoked"), &json!(now))
    );
    let shop = shop.again(TestApp::crash).await;
    shop.app.trade(&key.key).await.problem("api_key_revoked");
}

#[tokio::test]
async fn revoking_ends_both_generations() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let body = json!({"grace_seconds": 3600});
    let new = shop.app.post(&key.path("/rotate")).operator().json(body);
    let new = Issued::read(new.send().await.expect(200));
    for generation in [&key, &new] {
        shop.app.trade(&generation.key).await.expect(200);
    }
    shop.app
        .delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    for generation in [&key, &new] {
        shop.app
            .trade(&generation.key)
            .await
            .problem("api_key_revoked");
    }
    shop.app.pass(3600);
    for generation in [&key, &new] {
        shop.app
            .trade(&generation.key)
            .await
            .problem("api_key_revoked");
    }
}

#[tokio::test]
async fn a_holder_stops_his_key() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    shop.app
        .post("/v1/key/revoke")
        .by(&Key(&key.key))
        .send()
        .await
        .expect(204);
    shop.app.trade(&key.key).await.problem("api_key_revoked");
    shop.app
        .post("/v1/key/revoke")
        .by(&Key(&key.key))
        .send()
        .await
        .problem("api_key_revoked");
    let shown = shop
        .app
        .get(&key.path(""))
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(shown["status"], "revoked");
}

#[tokio::test]
async fn the_holder_of_a_retiring_generation_ends_its_grace_alone() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let body = json!({"grace_seconds": 3600});
    let new = shop.app.post(&key.path("/rotate")).operator().json(body);
    let new = Issued::read(new.send().await.expect(200));
    shop.app
        .post("/v1/key/revoke")
        .by(&Key(&key.key))
        .send()
        .await
        .expect(204);
    shop.app.trade(&key.key).await.problem("api_key_rotated");
    shop.app.trade(&new.key).await.expect(200);
    let shown = shop
        .app
        .get(&key.path(""))
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(
        (&shown["status"], &shown["retiring_until"]),
        (&json!("active"), &json!(null))
    );
    // A dead one stops nothing.
    shop.app
        .post("/v1/key/revoke")
        .by(&Key(&key.key))
        .send()
        .await
        .problem("api_key_rotated");
    shop.app.trade(&new.key).await.expect(200);
}

#[tokio::test]
async fn nothing_stands_in_the_way_of_stopping_a_key() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let (paused, elsewhere) = (
        shop.key().await,
        shop.issue(json!({"allowed_cidrs": ["192.0.2.0/24"]})).await,
    );
    let limited = shop
        .issue(json!({"rate_limit": {"requests": 1, "per_seconds": 3600}}))
        .await;
    let expired = shop.issue(json!({"expires_at": app.time_in(60)})).await;
    app.patch(&paused.path(""))
        .operator()
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    app.trade(&limited.key).await.expect(200);
    app.trade(&limited.key).await.problem("rate_limited");
    app.pass(60);
    for key in [paused, elsewhere, limited, expired] {
        app.post("/v1/key/revoke")
            .by(&Key(&key.key))
            .send()
            .await
            .expect(204);
        let shown = app.get(&key.path("")).operator().send().await.expect(200);
        assert_eq!(shown["status"], "revoked");
    }
}

#[tokio::test]
async fn a_key_of_a_paused_organization_can_be_stopped() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let path = format!("/v1/organizations/{}", shop.organization);
    shop.app
        .patch(&path)
        .operator()
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    shop.app
        .post("/v1/key/revoke")
        .by(&Key(&key.key))
        .send()
        .await
        .expect(204);
    shop.app
        .patch(&path)
        .operator()
        .json(json!({"disabled": false}))
        .send()
        .await
        .expect(200);
    shop.app.trade(&key.key).await.problem("api_key_revoked");
}

#[tokio::test]
async fn a_replaced_generation_is_told_the_same_after_its_key_was_revoked() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    shop.app
        .post(&key.path("/rotate"))
        .operator()
        .send()
        .await
        .expect(200);
    shop.app.trade(&key.key).await.problem("api_key_rotated");
    shop.app
        .delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    shop.app.trade(&key.key).await.problem("api_key_rotated");
    let shop = shop.again(TestApp::restart).await;
    shop.app.trade(&key.key).await.problem("api_key_rotated");
}
