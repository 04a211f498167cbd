//! Applications are changed: properties, pause, roles.

use serde_json::{Value, json};

use super::{Application, cart_service, grant, machine_role, make};
use crate::support::test_app::{CART, PAYMENT, Shop};
use crate::support::transcript::Answer;

async fn patch(shop: &Shop, client: &Application, body: Value) -> Answer {
    let request = shop.app.patch(&client.path("")).operator().json(body);
    request.send().await
}

#[tokio::test]
async fn what_is_sent_changes_and_the_rest_stays() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let gateway = make(&shop.app, json!({"name": "gateway"})).await;
    shop.app.pass(1);
    let changes = json!({
        "name": "till", "description": "x", "resources": [shop.payment], "default_resource": CART,
        "allowed_cidrs": ["192.0.2.0/24"], "may_act": {"application_id": gateway.id},
        "token_endpoint_auth_method": "client_secret_post",
    });
    let changed = patch(&shop, &client, changes.clone()).await.expect(200);
    for (name, value) in changes.as_object().unwrap() {
        assert_eq!(&changed[name.as_str()], value, "{name}");
    }
    assert_eq!(changed["roles"], client.object["roles"]);
    assert_eq!(changed["updated_at"], shop.app.time_in(0).as_str());
    let nothing = json!({
        "description": null, "resources": null, "default_resource": null, "allowed_cidrs": null, "may_act": null,
        "token_endpoint_auth_method": null,
    });
    let cleared = patch(&shop, &client, nothing).await.expect(200);
    assert_eq!(cleared["resources"], json!([]));
    for name in [
        "description",
        "default_resource",
        "allowed_cidrs",
        "may_act",
    ] {
        assert_eq!(cleared[name], Value::Null);
    }
    for wrong in ["name", "disabled", "legacy_assertion_audience"] {
        let answer = patch(&shop, &client, json!({wrong: null})).await;
        answer.problem("invalid_parameter").names(wrong);
    }
    let stale = shop.app.patch(&client.path("")).operator();
    let stale = stale.if_match("\"v1\"").json(json!({"name": "y"}));
    stale.send().await.problem("precondition_failed");
}

#[tokio::test]
async fn a_paused_application_gets_no_token_until_it_goes_on() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    grant(&shop.app, &client, &[]).await.expect(200);
    patch(&shop, &client, json!({"disabled": true}))
        .await
        .expect(200);
    let refused = grant(&shop.app, &client, &[]).await;
    refused.oauth_error("invalid_client");
    patch(&shop, &client, json!({"disabled": false}))
        .await
        .expect(200);
    grant(&shop.app, &client, &[]).await.expect(200);
}

#[tokio::test]
async fn an_application_of_a_paused_organization_gets_no_token() {
    let shop = Shop::new().await;
    let payment = json!([{"resource": PAYMENT, "scopes": ["write:payment"]}]);
    let role = machine_role(&shop.app, "checkout", payment).await;
    let body = json!({"organization_id": shop.organization, "roles": [role]});
    let client = make(&shop.app, body).await;
    grant(&shop.app, &client, &[]).await.expect(200);
    let path = format!("/v1/organizations/{}", shop.organization);
    let pause = shop.app.patch(&path).operator();
    pause
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    let refused = grant(&shop.app, &client, &[]).await;
    refused.oauth_error("invalid_client");
}

#[tokio::test]
async fn roles_are_added_replaced_and_taken_away_and_the_next_token_follows() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let at = |scopes: &[&str]| json!([{"resource": PAYMENT, "scopes": scopes}]);
    let reads = machine_role(app, "reads", at(&["read:payment"])).await;
    let writes = machine_role(app, "writes", at(&["write:payment"])).await;
    let client = make(app, json!({})).await;
    let path = client.path("/roles");
    let scope = async || {
        let answer = grant(app, &client, &[]).await;
        match answer.status {
            200 => answer.text("scope"),
            _ => answer.oauth_error("invalid_target").text("error"),
        }
    };
    assert_eq!(scope().await, "invalid_target");
    let send = async |method: &str, roles: &[&str]| {
        let request = app.request(method, &path).operator();
        request.json(json!({"roles": roles})).send().await
    };
    let added = send("POST", &[&reads]).await.expect(200);
    assert_eq!(added["roles"], json!([reads]));
    assert_eq!(scope().await, "read:payment");
    send("POST", &[&writes, &reads]).await.expect(200);
    assert_eq!(scope().await, "read:payment write:payment");
    let list = app.get(&path).operator().send().await.expect(200);
    let names: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| role["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 2);
    let one = format!("{path}/{reads}");
    app.delete(&one).operator().send().await.expect(204);
    assert_eq!(scope().await, "write:payment");
    app.delete(&one)
        .operator()
        .send()
        .await
        .problem("not_found");
    send("PUT", &[&reads]).await.expect(200);
    assert_eq!(scope().await, "read:payment");
    send("PUT", &[]).await.expect(200);
    assert_eq!(scope().await, "invalid_target");
    let nobodys = "rol_aaaaaaaaaaaaaaaaaaaaaaaaaa";
    let wrong = send("POST", &[nobodys]).await;
    wrong.problem("invalid_parameter").names("roles[0]");
}

#[tokio::test]
async fn what_its_role_bundles_follows_the_role() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let role = client.object["roles"][0].as_str().unwrap();
    let body = json!({"permissions": [{"resource": CART, "scopes": ["read:cart"]}]});
    let path = format!("/v1/roles/{role}");
    let change = shop.app.patch(&path).operator().json(body);
    change.send().await.expect(200);
    let granted = grant(&shop.app, &client, &[]).await.expect(200);
    assert_eq!(granted.text("scope"), "read:cart");
}

#[tokio::test]
async fn a_key_and_an_application_say_in_their_tokens_who_may_act_for_them() {
    let shop = Shop::new().await;
    let gateway = make(&shop.app, json!({"name": "gateway"})).await;
    let may_act = json!({"application_id": gateway.id});
    let key = shop.issue(json!({"may_act": may_act})).await;
    assert_eq!(key.object["may_act"], may_act);
    let claim = json!({"iss": "https://kagiya.test", "sub": gateway.id});
    assert_eq!(shop.app.claims(&key.key).await["may_act"], claim);
    let path = key.path("");
    let change = shop.app.patch(&path).operator();
    let cleared = change
        .json(json!({"may_act": null}))
        .send()
        .await
        .expect(200);
    assert_eq!(cleared["may_act"], Value::Null);
    assert!(shop.app.claims(&key.key).await.get("may_act").is_none());
    let client = cart_service(&shop).await;
    patch(&shop, &client, json!({"may_act": may_act}))
        .await
        .expect(200);
    let token = grant(&shop.app, &client, &[]).await.text("access_token");
    assert_eq!(crate::support::test_app::claims(&token)["may_act"], claim);
    let nobody = json!({"may_act": {"application_id": "app_aaaaaaaaaaaaaaaaaaaaaaaaaa"}});
    let wrong = shop.app.patch(&path).operator().json(nobody).send().await;
    wrong
        .problem("invalid_parameter")
        .names("may_act.application_id");
}
