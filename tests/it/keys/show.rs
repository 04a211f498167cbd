//! `GET /v1/keys/{id}`, and `GET /v1/key` by its holder

use serde_json::{Value, json};

use crate::support::credentials::Key;
use crate::support::test_app::Shop;

#[tokio::test]
async fn what_is_not_there_is_404_however_it_is_written() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let upper = key.id.to_uppercase();
    let cut = &key.id[..key.id.len() - 1];
    for id in [
        "key_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "nonsense",
        "%20",
        "%2e%2e",
        "key_%00aaaaaaaaaaaaaaaaaaaaaaaaa",
        &upper,
        cut,
        &shop.organization,
        &shop.payment,
    ] {
        for method in ["GET", "DELETE"] {
            let request = shop.app.request(method, &format!("/v1/keys/{id}"));
            request.operator().send().await.problem("not_found");
        }
        let request = shop.app.patch(&format!("/v1/keys/{id}")).json(json!({}));
        request.operator().send().await.problem("not_found");
        let request = shop.app.post(&format!("/v1/keys/{id}/rotate"));
        request.operator().send().await.problem("not_found");
        let body = json!({"permissions": []});
        let request = shop
            .app
            .put(&format!("/v1/keys/{id}/permissions"))
            .json(body);
        request.operator().send().await.problem("not_found");
    }
}

#[tokio::test]
async fn a_holder_sees_his_key_without_what_only_admins_see() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let shown = shop
        .app
        .get("/v1/key")
        .by(&Key(&key.key))
        .send()
        .await
        .expect(200);
    let mut expected = key.object.clone();
    for member in ["key", "hint", "identity", "owner"] {
        expected.as_object_mut().unwrap().remove(member);
    }
    assert_eq!(*shown.json(), expected);
    assert_eq!(shown.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn the_last_use_is_written_down_soon_after() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    shop.app.pass(100);
    let used = shop.app.time_in(0);
    shop.app.trade(&key.key).await.expect(200);
    // A stop writes down what was counted until then.
    let shop = shop.again(crate::support::test_app::TestApp::restart).await;
    let shown = shop
        .app
        .get(&key.path(""))
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(shown["last_used_at"], Value::from(used));
}

#[tokio::test]
async fn the_status_follows_the_clock() {
    let shop = Shop::new().await;
    let key = shop
        .issue(json!({"expires_at": shop.app.time_in(60)}))
        .await;
    let status = async || {
        let shown = shop.app.get(&key.path("")).operator().send().await;
        shown.expect(200).text("status")
    };
    assert_eq!(status().await, "active");
    shop.app
        .patch(&key.path(""))
        .operator()
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    assert_eq!(status().await, "disabled");
    shop.app.pass(60);
    assert_eq!(status().await, "expired");
    shop.app
        .delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    assert_eq!(status().await, "revoked");
}
