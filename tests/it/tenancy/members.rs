//! `/v1/organizations/{id}/members`, and what becomes of a leaver's keys.

use serde_json::{Value, json};

use super::{SSO, put_member, role, scope, set_ceiling, shop_with_member, user};
use crate::support::test_app::{CART, PAYMENT, START, Shop};

#[tokio::test]
async fn a_member_is_added_changed_and_removed() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let ann = user(app, "ann").await;
    let clerk = role(app, "clerk", &["read:payment"]).await;
    let path = format!("/v1/organizations/{}/members/{ann}", shop.organization);
    let added = put_member(app, (&shop.organization, &ann), "member", &[&clerk]).await;
    let added = added.expect(201);
    let expected = json!({
        "organization_id": "org_…", "role": "member", "roles": ["rol_…"], "created_at": START, "updated_at": START,
        "user": {
            "id": "usr_…", "iss": SSO, "sub": "ann", "name": null, "created_at": START, "updated_at": START,
        },
    });
    assert_eq!(added.redacted(), expected);
    let shown = app.get(&path).operator().send().await.expect(200);
    assert_eq!(
        (shown.json(), shown.header("etag")),
        (added.json(), added.header("etag"))
    );
    let changed = put_member(app, (&shop.organization, &ann), "admin", &[])
        .await
        .expect(200);
    assert_eq!(
        (&changed["role"], &changed["roles"]),
        (&json!("admin"), &json!([]))
    );
    let stale = app
        .put(&path)
        .operator()
        .if_match(added.header("etag").unwrap());
    stale
        .json(json!({"role": "member"}))
        .send()
        .await
        .problem("precondition_failed");
    let list = app
        .get(&format!("/v1/organizations/{}/members", shop.organization))
        .operator();
    assert_eq!(
        list.send().await.expect(200)["items"],
        json!([changed.json()])
    );
    app.delete(&path).operator().send().await.expect(204);
    app.delete(&path)
        .operator()
        .send()
        .await
        .problem("not_found");
    app.get(&path).operator().send().await.problem("not_found");
}

#[tokio::test]
async fn a_member_is_a_person_and_holds_roles_for_people() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let ann = user(app, "ann").await;
    let nobody = "usr_aaaaaaaaaaaaaaaaaaaaaaaaaa";
    put_member(app, (&shop.organization, nobody), "member", &[])
        .await
        .problem("not_found");
    let body = json!({"name": "machine", "kind": "machine_to_machine", "permissions": []});
    let machine = app
        .post("/v1/roles")
        .operator()
        .json(body)
        .send()
        .await
        .text("id");
    for wrong in [machine.as_str(), "rol_aaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        let refused = put_member(app, (&shop.organization, &ann), "member", &[wrong]).await;
        refused.problem("invalid_parameter").names("roles[0]");
    }
    let refused = put_member(app, (&shop.organization, &ann), "owner", &[]).await;
    refused.problem("invalid_parameter").names("role");
}

#[tokio::test]
async fn a_members_keys_follow_his_roles_at_once() {
    let (shop, ann, clerk) = shop_with_member(&["read:payment"]).await;
    let app = &shop.app;
    let both = json!([{"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}]);
    let key = shop.issue(json!({"owner": ann, "permissions": both})).await;
    let at = (shop.organization.as_str(), ann.as_str());
    assert_eq!(scope(app, &key.key).await.as_deref(), Some("read:payment"));
    put_member(app, at, "member", &[]).await.expect(200);
    assert_eq!(scope(app, &key.key).await, None);
    let cashier = role(app, "cashier", &["write:payment"]).await;
    put_member(app, at, "member", &[&clerk, &cashier])
        .await
        .expect(200);
    assert_eq!(
        scope(app, &key.key).await.as_deref(),
        Some("read:payment write:payment")
    );
    put_member(app, at, "member", &[]).await.expect(200);
    put_member(app, at, "admin", &[]).await.expect(200);
    assert_eq!(
        scope(app, &key.key).await.as_deref(),
        Some("read:payment write:payment")
    );
    // The ceiling counts beside the owner's rights.
    let read = json!([{"resource": PAYMENT, "scopes": ["read:payment"]}]);
    set_ceiling(&shop, read).await.expect(200);
    assert_eq!(scope(app, &key.key).await.as_deref(), Some("read:payment"));
}

/// What a leaver's key gives and is, by what the organization says.
async fn left(owner_gone: &str) -> (Shop, String, Value) {
    let (shop, ann, _) = shop_with_member(&["read:payment"]).await;
    let app = &shop.app;
    let body = json!({"owner_gone": owner_gone});
    let organization = format!("/v1/organizations/{}", shop.organization);
    app.patch(&organization)
        .operator()
        .json(body)
        .send()
        .await
        .expect(200);
    let permissions = json!([
        {"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}, {"resource": CART, "scopes": ["read:cart"]},
    ]);
    let wanted = json!({"owner": ann, "permissions": permissions, "default_resource": CART});
    let key = shop.issue(wanted).await;
    // The memory knows the key: what it knows must go.
    app.trade(&key.key).await;
    let other = shop.key().await;
    let member = format!("{organization}/members/{ann}");
    app.delete(&member).operator().send().await.expect(204);
    assert_eq!(
        scope(app, &other.key).await.as_deref(),
        Some("write:payment")
    );
    let shown = app.get(&key.path("")).operator().send().await.expect(200);
    (shop, key.key, shown.json().clone())
}

#[tokio::test]
async fn a_leavers_keys_are_paused() {
    let (shop, key, shown) = left("pause").await;
    shop.app.trade(&key).await.problem("api_key_disabled");
    assert_eq!(
        (&shown["status"], &shown["owner"]["sub"]),
        (&json!("disabled"), &json!("ann"))
    );
}

#[tokio::test]
async fn a_leavers_keys_are_handed_over_with_what_they_gave() {
    let (shop, key, shown) = left("hand_over").await;
    assert_eq!(
        scope(&shop.app, &key).await.as_deref(),
        Some("read:payment")
    );
    assert_eq!(shown["owner"], Value::Null);
    assert_eq!(
        shown["permissions"],
        json!([{"resource": PAYMENT, "scopes": ["read:payment"]}])
    );
    assert_eq!(shown["default_resource"], Value::Null);
    assert!(shop.app.claims(&key).await.get("owner").is_none());
}

#[tokio::test]
async fn a_leavers_keys_are_kept_with_what_they_gave() {
    let (shop, key, shown) = left("keep").await;
    assert_eq!(
        scope(&shop.app, &key).await.as_deref(),
        Some("read:payment")
    );
    assert_eq!(shown["owner"]["sub"], "ann");
    assert_eq!(
        shown["permissions"],
        json!([{"resource": PAYMENT, "scopes": ["read:payment"]}])
    );
    assert_eq!(
        shop.app.claims(&key).await["owner"],
        json!({"iss": SSO, "sub": "ann"})
    );
}
