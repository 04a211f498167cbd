//! Applications are made, shown and listed.

use serde_json::{Value, json};

use super::{Application, grant, machine_role, make};
use crate::support::credentials::Basic;
use crate::support::test_app::{CART, MANAGEMENT, PAYMENT, Shop};

#[tokio::test]
async fn an_application_is_made_with_a_secret_that_is_shown_this_once() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let payment = json!([{"resource": PAYMENT, "scopes": ["write:payment"]}]);
    let role = machine_role(app, "checkout", payment.clone()).await;
    let body = json!({
        "name": " cart service ", "description": "Takes payments", "roles": [role], "resources": [shop.payment],
        "default_resource": PAYMENT, "allowed_cidrs": ["127.0.0.0/8"],
    });
    let made = app.post("/v1/applications").operator().json(body);
    let made = made.send().await.expect(201);
    let path = format!("/v1/applications/{}", made.text("id"));
    assert_eq!(made.header("location"), Some(path.as_str()));
    assert_eq!(made.header("etag"), Some("\"v1\""));
    assert_eq!(
        made.redacted(),
        json!({
            "id": "app_…", "client_id": "app_…", "name": "cart service", "description": "Takes payments",
            "organization_id": null, "roles": ["rol_…"], "permissions": payment, "resources": ["res_…"],
            "default_resource": PAYMENT, "token_endpoint_auth_method": null, "jwks": null,
            "legacy_assertion_audience": false, "allowed_cidrs": ["127.0.0.0/8"], "may_act": null, "disabled": false,
            "created_at": app.time_in(0), "updated_at": app.time_in(0),
            "client_secret": "kgs_…", "client_secret_id": "sec_…",
        })
    );
    assert_eq!(made["id"], made["client_id"]);
    let shown = app.get(&path).operator().send().await.expect(200);
    let mut expected = made.json().clone();
    for once in ["client_secret", "client_secret_id"] {
        expected.as_object_mut().unwrap().remove(once);
    }
    assert_eq!(*shown.json(), expected);
    let list = app.get("/v1/applications").operator().send().await;
    assert_eq!(list["items"], json!([expected]));
    let event = app.get("/v1/audit-events?action=application.created");
    let event = event.operator().send().await.expect(200);
    assert_eq!(event["items"][0]["subject"], made["id"]);
    assert_eq!(event["items"][0]["details"]["roles"], json!([role]));
}

#[tokio::test]
async fn an_application_of_an_organization_is_listed_there() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let other = app.organization("Next door").await;
    let one = make(app, json!({"organization_id": shop.organization})).await;
    let two = make(app, json!({"organization_id": other})).await;
    let three = make(app, json!({})).await;
    let ids = async |filter: &str| {
        let list = app.get(&format!("/v1/applications{filter}")).operator();
        let list = list.send().await.expect(200);
        let items = list["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let mut all = ids("").await;
    all.sort();
    let mut expected = vec![one.id.clone(), two.id, three.id];
    expected.sort();
    assert_eq!(all, expected);
    let filter = format!("?organization_id={}", shop.organization);
    assert_eq!(ids(&filter).await, [one.id]);
    let page = app.get("/v1/applications?limit=2").operator().send().await;
    assert!(page["next_cursor"].is_string());
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_field() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let user = json!({"name": "clerk", "kind": "user", "permissions": []});
    let user = app.post("/v1/roles").operator().json(user).send().await;
    let user = user.expect(201).text("id");
    let jwk =
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let private = json!({"kty": "OKP", "crv": "Ed25519", "x": jwk["x"], "d": "AA"});
    let own = app.get("/v1/resources?limit=200").operator().send().await;
    let own = own["items"].as_array().unwrap().iter();
    let own = own
        .clone()
        .find(|item| item["identifier"] == MANAGEMENT)
        .unwrap()["id"]
        .clone();
    for (body, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": null}), "name"),
        (json!({"organization_id": "org_x"}), "organization_id"),
        (
            json!({"organization_id": "org_aaaaaaaaaaaaaaaaaaaaaaaaaa"}),
            "organization_id",
        ),
        (
            json!({"roles": ["rol_aaaaaaaaaaaaaaaaaaaaaaaaaa"]}),
            "roles[0]",
        ),
        (json!({"roles": [user]}), "roles[0]"),
        (
            json!({"roles": vec!["rol_aaaaaaaaaaaaaaaaaaaaaaaaaa"; 101]}),
            "roles",
        ),
        (
            json!({"resources": ["res_aaaaaaaaaaaaaaaaaaaaaaaaaa"]}),
            "resources[0]",
        ),
        (json!({"resources": [own]}), "resources[0]"),
        (
            json!({"default_resource": "https://nowhere.example.com"}),
            "default_resource",
        ),
        (
            json!({"token_endpoint_auth_method": "none"}),
            "token_endpoint_auth_method",
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt"}),
            "jwks",
        ),
        (json!({"jwks": {"keys": [jwk]}}), "jwks"),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}}),
            "jwks",
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [private]}}),
            "jwks",
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": [jwk]}),
            "jwks",
        ),
        (json!({"allowed_cidrs": []}), "allowed_cidrs"),
        (json!({"may_act": "app_x"}), "may_act"),
        (
            json!({"may_act": {"application_id": "x"}}),
            "may_act.application_id",
        ),
        (
            json!({"may_act": {"application_id": "app_aaaaaaaaaaaaaaaaaaaaaaaaaa"}}),
            "may_act.application_id",
        ),
    ] {
        let body = crate::support::test_app::merged(json!({"name": "x"}), body);
        let body: Value = match body.get("name") {
            Some(_) => body,
            None => json!({}),
        };
        let answer = app
            .post("/v1/applications")
            .operator()
            .json(body)
            .send()
            .await;
        answer.problem("invalid_parameter").names(field);
    }
    let list = app.get("/v1/applications").operator().send().await;
    assert_eq!(list["items"], json!([]));
}

#[tokio::test]
async fn a_creation_that_is_repeated_gives_the_same_secret_and_one_application() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let create = async || {
        let request = app.post("/v1/applications").operator();
        let request = request.idempotency_key("a-name-for-the-attempt");
        request.json(json!({"name": "cart service"})).send().await
    };
    let (first, second) = (create().await.expect(201), create().await.expect(201));
    assert_eq!(first.json(), second.json());
    let list = app.get("/v1/applications").operator().send().await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let made = Application::read(first);
    let secret = made.object["client_secret_id"].as_str().unwrap();
    app.delete(&made.path(&format!("/secrets/{secret}")))
        .operator()
        .send()
        .await
        .expect(204);
    create().await.problem("idempotency_answer_gone");
}

#[tokio::test]
async fn an_application_gets_what_its_organization_may_use_of_what_its_roles_bundle() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let all = json!([
        {"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}, {"resource": CART, "scopes": ["read:cart"]},
    ]);
    let role = machine_role(app, "everything", all.clone()).await;
    let body = json!({"organization_id": shop.organization, "roles": [role]});
    let client = make(app, body).await;
    assert_eq!(client.object["permissions"], json!([all[1], all[0]]));
    let ceiling = json!([{"resource": PAYMENT, "scopes": ["read:payment"]}]);
    crate::tenancy::set_ceiling(&shop, ceiling.clone())
        .await
        .expect(200);
    let shown = app.get(&client.path("")).operator().send().await;
    assert_eq!(shown["permissions"], ceiling);
    let granted = grant(app, &Basic(&client.id, &client.secret), &[]).await;
    assert_eq!(granted.expect(200).text("scope"), "read:payment");
}
