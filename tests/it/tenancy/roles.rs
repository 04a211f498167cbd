//! `/v1/roles`

use serde_json::{Value, json};

use super::{put_member, role, scope, shop_with_member};
use crate::support::credentials::Bearer;
use crate::support::openid_issuer::OpenIdIssuer;
use crate::support::test_app::{MANAGEMENT, PAYMENT, START, Shop};

#[tokio::test]
async fn a_role_is_made_shown_changed_and_removed() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let body = json!({
        "name": "checkout", "description": "Takes payments", "kind": "machine_to_machine",
        "permissions": [{"resource": PAYMENT, "scopes": ["write:payment"]}],
    });
    let made = app
        .post("/v1/roles")
        .operator()
        .json(body)
        .send()
        .await
        .expect(201);
    let path = format!("/v1/roles/{}", made.text("id"));
    assert_eq!(made.header("location"), Some(path.as_str()));
    let expected = json!({
        "id": "rol_…", "name": "checkout", "description": "Takes payments", "kind": "machine_to_machine",
        "permissions": [{"resource": PAYMENT, "scopes": ["write:payment"]}], "created_at": START, "updated_at": START,
    });
    assert_eq!(made.redacted(), expected);
    let shown = app.get(&path).operator().send().await.expect(200);
    assert_eq!(
        (shown.json(), shown.header("etag")),
        (made.json(), made.header("etag"))
    );
    let body = json!({"description": null, "permissions": []});
    let changed = app
        .patch(&path)
        .operator()
        .json(body)
        .send()
        .await
        .expect(200);
    assert_eq!(
        (&changed["description"], &changed["permissions"]),
        (&Value::Null, &json!([]))
    );
    let stale = app
        .patch(&path)
        .operator()
        .if_match(made.header("etag").unwrap());
    stale
        .json(json!({"name": "x"}))
        .send()
        .await
        .problem("precondition_failed");
    let list = app
        .get("/v1/roles?kind=user")
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(list["items"], json!([]));
    let list = app
        .get("/v1/roles?kind=machine_to_machine")
        .operator()
        .send()
        .await;
    assert_eq!(list["items"][0]["id"], made["id"]);
    app.delete(&path).operator().send().await.expect(204);
    app.get(&path).operator().send().await.problem("not_found");
}

#[tokio::test]
async fn wrong_roles_are_told_with_their_field() {
    let shop = Shop::new().await;
    role(&shop.app, "clerk", &[]).await;
    let create = async |body: Value| {
        let request = shop.app.post("/v1/roles").operator().json(body);
        request.send().await
    };
    for (body, field) in [
        (json!({"kind": "user", "permissions": []}), "name"),
        (json!({"name": "x", "permissions": []}), "kind"),
        (
            json!({"name": "x", "kind": "robot", "permissions": []}),
            "kind",
        ),
        (json!({"name": "x", "kind": "user"}), "permissions"),
        (
            json!({"name": "x", "kind": "user", "permissions": [{"resource": PAYMENT, "scopes": ["a", "b"]}]}),
            "permissions[0].scopes[0]",
        ),
    ] {
        create(body).await.problem("invalid_parameter").names(field);
    }
    let twice = create(json!({"name": "clerk", "kind": "user", "permissions": []})).await;
    twice.problem("role_name_taken");
}

#[tokio::test]
async fn a_role_that_somebody_holds_is_not_removed_and_he_is_named() {
    let (shop, user, role) = shop_with_member(&["read:payment"]).await;
    let path = format!("/v1/roles/{role}");
    let refused = shop
        .app
        .delete(&path)
        .operator()
        .send()
        .await
        .problem("role_in_use");
    let named = format!("{user} in {}", shop.organization);
    assert!(
        refused.text("detail").contains(&named),
        "{}",
        refused.transcript()
    );
    put_member(&shop.app, (&shop.organization, &user), "member", &[])
        .await
        .expect(200);
    shop.app.delete(&path).operator().send().await.expect(204);
}

#[tokio::test]
async fn a_role_that_goes_with_all_that_hold_it_is_taken_from_them_at_once() {
    let (shop, user, role) = shop_with_member(&["write:payment"]).await;
    let key = shop.issue(json!({"owner": user})).await;
    assert!(scope(&shop.app, &key.key).await.is_some());
    let path = format!("/v1/roles/{role}?cascade=true");
    shop.app.delete(&path).operator().send().await.expect(204);
    assert_eq!(scope(&shop.app, &key.key).await, None);
}

#[tokio::test]
async fn what_a_role_bundles_counts_at_once_for_the_keys_of_its_holders() {
    let (shop, user, role) = shop_with_member(&["read:payment", "write:payment"]).await;
    let key = shop.issue(json!({"owner": user})).await;
    assert_eq!(
        scope(&shop.app, &key.key).await.as_deref(),
        Some("write:payment")
    );
    let change = async |scopes: Value| {
        let path = format!("/v1/roles/{role}");
        let body = json!({"permissions": [{"resource": PAYMENT, "scopes": scopes}]});
        shop.app
            .patch(&path)
            .operator()
            .json(body)
            .send()
            .await
            .expect(200);
    };
    change(json!(["read:payment"])).await;
    assert_eq!(scope(&shop.app, &key.key).await, None);
    change(json!(["write:payment"])).await;
    assert_eq!(
        scope(&shop.app, &key.key).await.as_deref(),
        Some("write:payment")
    );
}

#[tokio::test]
async fn a_role_that_bundles_rights_on_the_management_api_lets_no_member_give_them() {
    let issuer = OpenIdIssuer::start();
    let shop = Shop::on(issuer.setup(&[]).start().await).await;
    let app = &shop.app;
    let token = issuer.token(app, "ann");
    let me = app.get("/v1/me").by(&Bearer(&token)).send().await;
    let ann = me.expect(200)["user"]["id"].as_str().unwrap().to_owned();
    let managing = json!([{"resource": MANAGEMENT, "scopes": ["keys:read"]}]);
    let body = json!({"name": "clerk", "kind": "user", "permissions": managing});
    let clerk = app.post("/v1/roles").operator().json(body).send().await;
    let clerk = clerk.expect(201).text("id");
    let create = async || {
        let wanted = shop.wanted(json!({"permissions": managing}));
        let request = app.post("/v1/keys").by(&Bearer(&token));
        request.json(wanted).send().await
    };
    let member = (shop.organization.as_str(), ann.as_str());
    put_member(app, member, "member", &[&clerk])
        .await
        .expect(201);
    create().await.problem("beyond_grantor");
    put_member(app, member, "admin", &[&clerk])
        .await
        .expect(200);
    create().await.expect(201);
}
