//! What is in use is not removed without a word: its users are named, or go with it when that is asked for.

use serde_json::json;

use super::{cart_service, grant, make};
use crate::support::test_app::{CART, PAYMENT, Shop};

#[tokio::test]
async fn a_removed_application_gets_no_token_and_its_id_is_nobodys() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    grant(&shop.app, &client, &[]).await.expect(200);
    let stale = shop.app.delete(&client.path("")).operator();
    let stale = stale.if_match("\"v9\"").send().await;
    stale.problem("precondition_failed");
    let delete = || shop.app.delete(&client.path("")).operator();
    delete().send().await.expect(204);
    delete().send().await.problem("not_found");
    let refused = grant(&shop.app, &client, &[]).await;
    refused.oauth_error("invalid_client");
}

#[tokio::test]
async fn an_application_that_may_act_for_others_is_named_and_nobody_takes_its_place() {
    let shop = Shop::new().await;
    let gateway = make(&shop.app, json!({"name": "gateway"})).await;
    let may_act = json!({"may_act": {"application_id": gateway.id}});
    let key = shop.issue(may_act.clone()).await;
    let client = make(&shop.app, may_act.clone()).await;
    let path = gateway.path("");
    let refused = shop.app.delete(&path).operator().send().await;
    let refused = refused.problem("application_in_use").text("detail");
    assert!(
        refused.contains(&key.id) && refused.contains(&client.id),
        "{refused}"
    );
    let all = gateway.path("?cascade=true");
    shop.app.delete(&all).operator().send().await.expect(204);
    // Nobody may act now, which is not anybody.
    let shown = shop.app.get(&key.path("")).operator().send().await;
    assert_eq!(shown["may_act"], may_act["may_act"]);
}

#[tokio::test]
async fn a_resource_in_use_names_keys_roles_organizations_and_applications() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let key = shop.key().await;
    let client = cart_service(&shop).await;
    let role = client.object["roles"][0].as_str().unwrap().to_owned();
    let gateway = make(app, json!({"resources": [shop.payment]})).await;
    let till = make(app, json!({"default_resource": PAYMENT})).await;
    let listed = app.organization("Next door").await;
    let path = format!("/v1/organizations/{listed}/permissions");
    let ceiling = json!({"permissions": [{"resource": PAYMENT, "scopes": ["read:payment"]}]});
    app.put(&path)
        .operator()
        .json(ceiling)
        .send()
        .await
        .expect(200);
    let path = format!("/v1/resources/{}", shop.payment);
    let refused = app.delete(&path).operator().send().await;
    let refused = refused.problem("resource_in_use").text("detail");
    for user in [&key.id, &role, &gateway.id, &till.id, &listed] {
        assert!(refused.contains(user.as_str()), "{user}: {refused}");
    }
    let all = format!("{path}?cascade=true");
    app.delete(&all).operator().send().await.expect(204);
    app.trade(&key.key).await.problem("invalid_target");
    grant(app, &client, &[]).await.oauth_error("invalid_target");
    // Nobody uses the cart.
    let cart = format!("/v1/resources/{}", shop.cart);
    app.delete(&cart).operator().send().await.expect(204);
    let wrong = format!("{cart}?cascade=maybe");
    let wrong = app.delete(&wrong).operator().send().await;
    wrong.problem("invalid_parameter").names("cascade");
}

#[tokio::test]
async fn a_revoked_keys_permission_is_in_nobodys_use() {
    let shop = Shop::new().await;
    let permissions = json!([{"resource": CART, "scopes": ["read:cart"]}]);
    let key = shop.issue(json!({"permissions": permissions})).await;
    let path = format!("/v1/resources/{}", shop.cart);
    let refused = shop.app.delete(&path).operator().send().await;
    refused.problem("resource_in_use");
    let revoke = shop.app.delete(&key.path("")).operator();
    revoke.send().await.expect(204);
    shop.app.delete(&path).operator().send().await.expect(204);
}

#[tokio::test]
async fn a_role_that_an_application_holds_names_it_and_goes_when_asked_to() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let role = client.object["roles"][0].as_str().unwrap();
    let path = format!("/v1/roles/{role}");
    let refused = shop.app.delete(&path).operator().send().await;
    let refused = refused.problem("role_in_use").text("detail");
    assert!(refused.contains(&client.id), "{refused}");
    let all = format!("{path}?cascade=true");
    shop.app.delete(&all).operator().send().await.expect(204);
    let refused = grant(&shop.app, &client, &[]).await;
    refused.oauth_error("invalid_target");
}

#[tokio::test]
async fn an_organization_with_applications_is_not_removed_and_they_are_named() {
    let shop = Shop::new().await;
    let client = make(&shop.app, json!({"organization_id": shop.organization})).await;
    let path = format!("/v1/organizations/{}", shop.organization);
    let refused = shop.app.delete(&path).operator().send().await;
    let refused = refused.problem("organization_not_empty").text("detail");
    assert!(refused.contains(&client.id), "{refused}");
    let delete = shop.app.delete(&client.path("")).operator();
    delete.send().await.expect(204);
    shop.app.delete(&path).operator().send().await.expect(204);
}
