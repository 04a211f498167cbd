//! What an organization may use at all, and how many keys it may have.

use serde_json::{Value, json};

use super::{scope, set_ceiling};
use crate::support::test_app::{CART, MANAGEMENT, PAYMENT, Shop, TestApp};

fn payment(scopes: &[&str]) -> Value {
    json!([{"resource": PAYMENT, "scopes": scopes}])
}

#[tokio::test]
async fn a_key_gives_what_its_organization_may_use_and_that_counts_at_once() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let both = payment(&["read:payment", "write:payment"]);
    let key = shop.issue(json!({"permissions": both})).await;
    let scope = async || scope(app, &key.key).await;
    assert_eq!(scope().await.as_deref(), Some("read:payment write:payment"));
    let set = set_ceiling(&shop, payment(&["read:payment"]))
        .await
        .expect(200);
    assert_eq!(set["permissions"], payment(&["read:payment"]));
    assert_eq!(scope().await.as_deref(), Some("read:payment"));
    // What was given is on record still, and counts again when it may be used again.
    let shown = app.get(&key.path("")).operator().send().await;
    assert_eq!(shown["permissions"], both);
    let refused = app
        .post("/v1/token")
        .by(&crate::support::credentials::Key(&key.key));
    let refused = refused.form(&[("scope", "write:payment")]).send().await;
    refused.problem("invalid_scope");
    set_ceiling(&shop, json!([])).await.expect(200);
    assert_eq!(scope().await, None);
    set_ceiling(&shop, json!([{"resource": CART, "scopes": ["read:cart"]}]))
        .await
        .expect(200);
    assert_eq!(scope().await, None);
    let free = set_ceiling(&shop, Value::Null).await.expect(200);
    assert_eq!(free["permissions"], Value::Null);
    assert_eq!(scope().await.as_deref(), Some("read:payment write:payment"));
}

#[tokio::test]
async fn a_ceiling_bounds_one_organization_alone() {
    let shop = Shop::new().await;
    let next_door = shop.app.organization("Next door").await;
    let theirs = shop.app.issue(&next_door, json!({})).await;
    let ours = shop.key().await;
    set_ceiling(&shop, json!([])).await.expect(200);
    assert_eq!(scope(&shop.app, &ours.key).await, None);
    assert_eq!(
        scope(&shop.app, &theirs.key).await.as_deref(),
        Some("write:payment")
    );
}

#[tokio::test]
async fn what_is_added_later_is_within_everything_and_beyond_a_list() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let bounded = json!({"name": "Bounded", "permissions": payment(&["read:payment"])});
    let bounded = app
        .post("/v1/organizations")
        .operator()
        .json(bounded)
        .send()
        .await;
    let bounded = bounded.expect(201);
    assert_eq!(bounded["permissions"], payment(&["read:payment"]));
    let add = app
        .post(&format!("/v1/resources/{}/permissions", shop.payment))
        .operator();
    add.json(json!({"name": "refund:payment"}))
        .send()
        .await
        .expect(201);
    let wanted = json!({"permissions": payment(&["refund:payment", "read:payment"])});
    let free = shop.issue(wanted.clone()).await;
    let bound = app.issue(&bounded.text("id"), wanted).await;
    assert_eq!(
        scope(app, &free.key).await.as_deref(),
        Some("read:payment refund:payment")
    );
    assert_eq!(
        scope(app, &bound.key).await.as_deref(),
        Some("read:payment")
    );
}

#[tokio::test]
async fn a_management_token_is_cut_to_what_the_organization_may_use() {
    let shop = Shop::new().await;
    let manager = crate::management::manager(&shop, &["keys:read", "audit:read"]).await;
    let list = async |path: &str| shop.app.get(path).by(&manager).send().await;
    list("/v1/keys").await.expect(200);
    let only = json!([{"resource": MANAGEMENT, "scopes": ["audit:read"]}]);
    set_ceiling(&shop, only).await.expect(200);
    list("/v1/keys").await.problem("insufficient_scope");
    list("/v1/audit-events").await.expect(200);
}

#[tokio::test]
async fn the_configuration_says_what_new_organizations_may_use() {
    let setup = TestApp::setup().config(|config| {
        let at = |scope: &str| kagiya::config::DefaultPermission {
            resource: PAYMENT.parse().unwrap(),
            scopes: vec![scope.parse().unwrap()],
        };
        let named = vec![at("read:payment"), at("nowhere:payment")];
        config.organizations.default_permissions = Some(named);
    });
    let app = setup.start().await;
    app.resource(PAYMENT, &["read:payment", "write:payment"])
        .await;
    let make = async |body: Value| {
        let made = app
            .post("/v1/organizations")
            .operator()
            .json(body)
            .send()
            .await;
        made.expect(201)["permissions"].clone()
    };
    assert_eq!(make(json!({"name": "a"})).await, payment(&["read:payment"]));
    let own = payment(&["write:payment"]);
    assert_eq!(make(json!({"name": "b", "permissions": own})).await, own);
}

#[tokio::test]
async fn wrong_ceilings_are_told_with_their_place() {
    let shop = Shop::new().await;
    for (permissions, field) in [
        (payment(&["nothing:payment"]), "permissions[0].scopes[0]"),
        (payment(&[]), "permissions[0].scopes"),
        (
            json!([{"resource": "https://nowhere.example", "scopes": ["a"]}]),
            "permissions[0].resource",
        ),
        (json!("all"), "permissions"),
    ] {
        set_ceiling(&shop, permissions)
            .await
            .problem("invalid_parameter")
            .names(field);
    }
    let path = format!("/v1/organizations/{}/permissions", shop.organization);
    let missing = shop.app.put(&path).operator().json(json!({})).send().await;
    missing.problem("invalid_parameter").names("permissions");
}

#[tokio::test]
async fn an_organization_has_at_most_so_many_keys() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let path = format!("/v1/organizations/{}", shop.organization);
    let most = async |most: Value| {
        let body = json!({"max_keys": most});
        app.patch(&path).operator().json(body).send().await
    };
    assert_eq!(most(json!(1)).await.expect(200)["max_keys"], 1);
    let first = shop.key().await;
    let create = async || {
        let request = app.post("/v1/keys").operator().json(shop.wanted(json!({})));
        request.send().await
    };
    create().await.problem("too_many_keys");
    app.delete(&first.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    create().await.expect(201);
    create().await.problem("too_many_keys");
    most(Value::Null).await.expect(200);
    create().await.expect(201);
    most(json!(1_000_001))
        .await
        .problem("invalid_parameter")
        .names("max_keys");
    most(json!(0)).await.expect(200);
    create().await.problem("too_many_keys");
}

#[tokio::test]
async fn of_many_at_once_no_more_are_made_than_may_be() {
    let shop = Shop::new().await;
    let path = format!("/v1/organizations/{}", shop.organization);
    let body = json!({"max_keys": 3});
    shop.app
        .patch(&path)
        .operator()
        .json(body)
        .send()
        .await
        .expect(200);
    let wanted = shop.wanted(json!({}));
    let calls = (0..10).map(|_| {
        shop.app
            .post("/v1/keys")
            .operator()
            .json(wanted.clone())
            .send()
    });
    let answers = futures_util::future::join_all(calls).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 3);
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        answer.problem("too_many_keys");
    }
}
