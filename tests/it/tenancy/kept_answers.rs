//! An answer that shows a key or a secret is kept for whoever made the call, and given again only as long as he could make it
//! now.

use serde_json::{Value, json};

use super::put_member;
use crate::applications::{Application, machine_role};
use crate::management::manager_with;
use crate::support::credentials::{Bearer, Credential};
use crate::support::openid_issuer::OpenIdIssuer;
use crate::support::test_app::{MANAGEMENT, PAYMENT, Shop};
use crate::support::transcript::Answer;

fn write_payment() -> Value {
    json!([{"resource": PAYMENT, "scopes": ["write:payment"]}])
}

async fn call(shop: &Shop, by: &impl Credential, path: &str, body: &Value) -> Answer {
    let request = shop.app.post(path).by(by).idempotency_key("an-attempt");
    request.json(body.clone()).send().await
}

#[tokio::test]
async fn a_key_that_was_narrowed_is_not_shown_again_what_it_made_before() {
    let shop = Shop::new().await;
    let manager = manager_with(&shop, &["keys:write"], write_payment(), json!({})).await;
    let other = shop.key().await;
    let (create, rotate) = (shop.wanted(json!({})), json!({}));
    let rotation = other.path("/rotate");
    for (path, body) in [("/v1/keys", &create), (rotation.as_str(), &rotate)] {
        let first = call(&shop, &manager, path, body).await;
        let again = call(&shop, &manager, path, body).await;
        assert_eq!(first.json(), again.json());
    }
    let put = async |permissions: Value| {
        let put = shop.app.put(&manager.key.path("/permissions")).operator();
        let put = put.json(json!({"permissions": permissions})).send().await;
        put.expect(200)
    };
    let managing = json!({"resource": MANAGEMENT, "scopes": ["keys:write"]});
    put(json!([managing])).await;
    for (path, body) in [("/v1/keys", &create), (rotation.as_str(), &rotate)] {
        call(&shop, &manager, path, body)
            .await
            .problem("would_widen");
    }
    // It was refused, not forgotten.
    put(json!([managing, write_payment()[0]])).await;
    for (path, body) in [("/v1/keys", &create), (rotation.as_str(), &rotate)] {
        let again = call(&shop, &manager, path, body).await;
        assert!(again.json()["key"].is_string(), "{}", again.transcript());
    }
}

#[tokio::test]
async fn who_left_is_not_shown_again_what_he_made_before() {
    let issuer = OpenIdIssuer::start();
    let shop = Shop::on(issuer.setup(&[]).start().await).await;
    let app = &shop.app;
    let token = issuer.token(app, "ann");
    let by = Bearer(&token);
    let me = app.get("/v1/me").by(&by).send().await.expect(200);
    let ann = me["user"]["id"].as_str().unwrap().to_owned();
    let other = app.organization("Next door").await;
    for organization in [&shop.organization, &other] {
        put_member(app, (organization, &ann), "admin", &[])
            .await
            .expect(201);
    }
    let wanted = shop.wanted(json!({}));
    let first = call(&shop, &by, "/v1/keys", &wanted).await.expect(201);
    put_member(app, (&shop.organization, &ann), "member", &[])
        .await
        .expect(200);
    // It is nobody's, so as a plain member she does not see it.
    call(&shop, &by, "/v1/keys", &wanted)
        .await
        .problem("not_found");
    let path = format!("/v1/organizations/{}/members/{ann}", shop.organization);
    app.delete(&path).operator().send().await.expect(204);
    call(&shop, &by, "/v1/keys", &wanted)
        .await
        .problem("not_found");
    app.trade(&first.text("key")).await.expect(200);
}

#[tokio::test]
async fn a_key_that_was_narrowed_is_not_shown_again_a_client_secret_that_it_made() {
    let shop = Shop::new().await;
    let manager = manager_with(&shop, &["applications:write"], write_payment(), json!({})).await;
    let role = machine_role(&shop.app, "pays", write_payment()).await;
    let create = json!({"name": "cart service", "roles": [role]});
    let made = call(&shop, &manager, "/v1/applications", &create).await;
    let made = Application::read(made.expect(201));
    let (more, nothing) = (made.path("/secrets"), json!({}));
    let calls = [("/v1/applications", &create), (more.as_str(), &nothing)];
    let added = call(&shop, &manager, &more, &nothing).await;
    let shown = [made.secret, added.expect(201).text("client_secret")];
    let put = async |permissions: Value| {
        let put = shop.app.put(&manager.key.path("/permissions")).operator();
        let put = put.json(json!({"permissions": permissions})).send().await;
        put.expect(200)
    };
    let managing = json!({"resource": MANAGEMENT, "scopes": ["applications:write"]});
    put(json!([managing])).await;
    for (path, body) in calls {
        let refused = call(&shop, &manager, path, body).await;
        refused.problem("would_widen");
    }
    // It was refused, not forgotten.
    put(json!([managing, write_payment()[0]])).await;
    for ((path, body), secret) in calls.into_iter().zip(shown) {
        let again = call(&shop, &manager, path, body).await;
        assert_eq!(again.text("client_secret"), secret);
    }
}
