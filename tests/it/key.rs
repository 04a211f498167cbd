//! `/v1/key`: what the holder of a key can do with it. First of all, the whole life of one.

mod reasons;
mod rotate;

use serde_json::json;

use crate::support::credentials::Key;
use crate::support::test_app::{Issued, PAYMENT, Shop};

#[tokio::test]
async fn a_key_is_issued_traded_changed_rotated_and_revoked() {
    let shop = Shop::new().await;
    let app = &shop.app;

    let key = shop.key().await;
    assert_eq!(app.claims(&key.key).await["scope"], "write:payment");

    app.put(&key.path("/permissions"))
        .operator()
        .json(json!({"permissions": [{"resource": PAYMENT, "scopes": ["read:payment"]}]}))
        .send()
        .await
        .expect(200);
    assert_eq!(app.claims(&key.key).await["scope"], "read:payment");

    let rotated = app
        .post(&key.path("/rotate"))
        .operator()
        .send()
        .await
        .expect(200);
    let rotated = Issued::read(rotated);
    assert_eq!(rotated.id, key.id);
    assert_ne!(rotated.key, key.key);
    app.trade(&key.key).await.problem("api_key_rotated");
    assert_eq!(app.claims(&rotated.key).await["sub"], key.id.as_str());

    app.delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    app.trade(&rotated.key).await.problem("api_key_revoked");
    let shown = app.get("/v1/key").by(&Key(&rotated.key)).send().await;
    shown.problem("api_key_revoked");
}
