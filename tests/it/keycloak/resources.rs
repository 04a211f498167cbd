//! Resources and permissions travel to the realm.

use serde_json::{Value, json};

use crate::provider::eventually;
use crate::support::corp::Corp;
use crate::support::test_app::{CART, PAYMENT};

async fn roles(corp: &Corp, resource: &str) -> Vec<String> {
    let client = corp.realm.client(resource).await;
    let path = format!("/clients/{client}/roles");
    let roles = corp.realm.good(("GET", &path), None).await;
    let name = |role: &Value| role["name"].as_str().unwrap().to_owned();
    let mut names: Vec<String> = roles.as_array().unwrap().iter().map(name).collect();
    names.sort();
    names
}

async fn has_client(corp: &Corp, client_id: &str) -> bool {
    let path = format!(
        "/clients?clientId={}",
        crate::support::corp::coded(client_id)
    );
    corp.realm.good(("GET", &path), None).await != json!([])
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn what_is_added_renamed_and_removed_here_is_so_there() {
    let corp = Corp::start("").await;
    let key = corp.key(super::both()).await;
    assert_eq!(
        roles(&corp, PAYMENT).await,
        ["read:payment", "write:payment"]
    );
    let path = format!("/v1/resources/{}", corp.shop.payment);
    let permissions = format!("{path}/permissions");
    let made = corp
        .app()
        .post(&permissions)
        .operator()
        .json(json!({"name": "refund:payment"}));
    let refund = made.send().await.expect(201).text("id");
    eventually("it is added", async || {
        roles(&corp, PAYMENT).await == ["read:payment", "refund:payment", "write:payment"]
    })
    .await;
    let rename = corp
        .app()
        .patch(&path)
        .operator()
        .json(json!({"name": "Payments"}));
    rename.send().await.expect(200);
    eventually("it is renamed", async || {
        let id = corp.realm.client(PAYMENT).await;
        let client = corp
            .realm
            .good(("GET", &format!("/clients/{id}")), None)
            .await;
        client["name"] == "Payments"
    })
    .await;
    let permission = format!("{permissions}/{refund}");
    corp.app()
        .delete(&permission)
        .operator()
        .send()
        .await
        .expect(204);
    eventually("it is removed", async || {
        roles(&corp, PAYMENT).await == ["read:payment", "write:payment"]
    })
    .await;
    let cart = format!("/v1/resources/{}", corp.shop.cart);
    assert!(has_client(&corp, CART).await);
    corp.app().delete(&cart).operator().send().await.expect(204);
    eventually("it is gone", async || !has_client(&corp, CART).await).await;
    assert_eq!(corp.scope(&key).await, "read:payment write:payment");
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn a_permission_may_have_the_name_of_a_scope_of_keycloaks_own() {
    for settings in ["", "answer = 'passthrough'"] {
        let corp = Corp::start(settings).await;
        let mail = "https://mail.example.com/api";
        corp.app()
            .resource(mail, &["email", "roles", "kagiya:all"])
            .await;
        let body = json!({"permissions": [{"resource": mail, "scopes": ["email", "kagiya:all", "roles"]}]});
        let key = corp.key(body).await;
        assert_eq!(corp.scope(&key).await, "email kagiya:all roles");
        let one = corp.trade_for(&key, mail, "email").await.expect(200);
        assert_eq!(one["scope"], "email");
    }
}

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn what_exists_there_is_imported_and_stays_when_it_goes_here() {
    let corp = Corp::start("").await;
    let orders = "https://orders.example.com/api";
    let client = json!({"clientId": orders, "enabled": true, "bearerOnly": true});
    corp.realm.good(("POST", "/clients"), Some(&client)).await;
    let id = corp.realm.client(orders).await;
    let path = format!("/clients/{id}/roles");
    let role = json!({"name": "read:orders", "description": "May read orders"});
    corp.realm.good(("POST", &path), Some(&role)).await;
    let import = async || {
        let request = corp
            .app()
            .post("/v1/identity-providers/corp/import-resources");
        let answer = request.operator().send().await.expect(200);
        let items = answer["items"].as_array().unwrap().clone();
        items
            .into_iter()
            .find(|item| item["identifier"] == orders)
            .unwrap()
    };
    let imported = import().await;
    assert_eq!(
        (&imported["made"], &imported["added"]),
        (&json!(true), &json!(["read:orders"]))
    );
    let imported = import().await;
    assert_eq!(
        (&imported["made"], &imported["added"]),
        (&json!(false), &json!([]))
    );
    let body = json!({"permissions": [{"resource": orders, "scopes": ["read:orders"]}]});
    let key = corp.key(body).await;
    assert_eq!(corp.scope(&key).await, "read:orders");

    let listed = corp
        .app()
        .get("/v1/resources")
        .operator()
        .send()
        .await
        .expect(200);
    let here = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["identifier"] == orders);
    let id = here.unwrap()["id"].as_str().unwrap();
    let path = format!("/v1/resources/{id}?cascade=true");
    corp.app().delete(&path).operator().send().await.expect(204);
    eventually("its scope is gone", async || {
        let scopes = corp.realm.good(("GET", "/client-scopes"), None).await;
        let name = format!("kagiya:{orders}");
        !scopes
            .as_array()
            .unwrap()
            .iter()
            .any(|scope| scope["name"] == name.as_str())
    })
    .await;
    assert!(has_client(&corp, orders).await, "it was not made for us");
}
