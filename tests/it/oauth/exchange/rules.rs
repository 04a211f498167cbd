//! A rule as it is now decides: over what is asked for, and over what was given by it.

use serde_json::json;

use super::{GATEWAY, World, auditor, exchange, gateway_rule, holder};
use crate::applications::{grant, make};
use crate::oauth::introspect::{assert_inactive, introspect};
use crate::support::test_app::{CART, PAYMENT, claims};

#[tokio::test]
async fn te_12_the_output_is_the_rules_scopes_and_what_the_subject_holds_there_now() {
    let world = World::with(json!({"scopes": ["read:payment", "write:payment"]})).await;
    let app = &world.shop.app;
    let token = world.token().await;
    assert_eq!(
        claims(&world.traded(&token).await)["scope"],
        "write:payment"
    );
    // What the subject gets, the next trade gives; what it loses, none does.
    let role = world.client.object["roles"][0].as_str().unwrap();
    let hold = async |scopes: serde_json::Value| {
        let body = json!({"permissions": [
            {"resource": GATEWAY, "scopes": ["call:payment"]}, {"resource": PAYMENT, "scopes": scopes},
        ]});
        let path = format!("/v1/roles/{role}");
        app.patch(&path)
            .operator()
            .json(body)
            .send()
            .await
            .expect(200);
    };
    hold(json!(["read:payment", "write:payment"])).await;
    let wide = world.traded(&token).await;
    assert_eq!(claims(&wide)["scope"], "read:payment write:payment");
    hold(json!(["read:payment"])).await;
    assert_eq!(claims(&world.traded(&token).await)["scope"], "read:payment");
    let asker = auditor(app).await;
    assert_eq!(
        introspect(app, &asker, &wide).await["scope"],
        "read:payment"
    );
}

#[tokio::test]
async fn te_12_a_subject_that_need_not_hold_it_gets_what_the_rule_gives() {
    let world = World::with(json!({"target_resource": CART, "scopes": ["read:cart"]})).await;
    let app = &world.shop.app;
    let token = world.token().await;
    world.trade(&token, &[]).await.oauth_error("invalid_target");
    world.change_rule(json!({"subject_must_hold": false})).await;
    let traded = world.traded(&token).await;
    assert_eq!(claims(&traded)["scope"], "read:cart");
    let asker = auditor(app).await;
    assert_eq!(introspect(app, &asker, &traded).await["active"], true);
    world.change_rule(json!({"subject_must_hold": true})).await;
    assert_inactive(&introspect(app, &asker, &traded).await);
}

#[tokio::test]
async fn te_12_what_a_rule_gave_goes_with_the_rule() {
    let world = World::with(json!({"scopes": ["write:payment"], "requires_scope": []})).await;
    let app = &world.shop.app;
    let asker = auditor(app).await;
    let token = world.token_for(&[("scope", "call:cart")]).await;
    let traded = world.traded(&token).await;
    let active = async || introspect(app, &asker, &traded).await["active"] == true;
    assert!(active().await);
    // It requires now what the token does not have.
    world
        .change_rule(json!({"requires_scope": ["call:payment"]}))
        .await;
    assert!(!active().await);
    world
        .change_rule(json!({"requires_scope": ["call:cart"]}))
        .await;
    assert!(active().await);
    world.change_rule(json!({"scopes": ["read:payment"]})).await;
    assert!(!active().await);
    world
        .change_rule(json!({"scopes": ["write:payment"]}))
        .await;
    assert!(active().await);
    let path = format!("/v1/exchange-rules/{}", world.rule);
    app.delete(&path).operator().send().await.expect(204);
    assert!(!active().await);
    world
        .trade(&token, &[])
        .await
        .oauth_error("unauthorized_client");
    // A new rule is another one.
    super::rule(
        app,
        gateway_rule(&world.gateway, json!({"requires_scope": []})),
    )
    .await;
    assert!(!active().await);
    world.trade(&token, &[]).await.expect(200);
}

#[tokio::test]
async fn te_12_equal_names_at_two_resources_are_unrelated() {
    let world = World::new().await;
    let app = &world.shop.app;
    app.resource("https://twin.example.com", &["write:payment"])
        .await;
    let client = holder(app, "twin", json!([
        {"resource": GATEWAY, "scopes": ["call:payment"]}, {"resource": "https://twin.example.com", "scopes": ["write:payment"]},
    ]))
    .await;
    let token = grant(app, &client, &[("resource", GATEWAY)])
        .await
        .expect(200)
        .text("access_token");
    // It holds write:payment, and not there.
    world.trade(&token, &[]).await.oauth_error("invalid_target");
}

#[tokio::test]
async fn a_rule_narrows_within_one_resource_for_another_client() {
    let world = World::new().await;
    let app = &world.shop.app;
    let proxy = make(app, json!({"name": "proxy"})).await;
    let body = json!({
        "application_id": proxy.id, "subject_resource": GATEWAY, "target_resource": GATEWAY, "scopes": ["call:cart"],
    });
    super::rule(app, body).await;
    let token = world.token().await;
    let answer = exchange(app, &proxy, &token, &[]).await.expect(200);
    let new = claims(&answer.text("access_token"));
    assert_eq!(
        (&new["scope"], &new["aud"]),
        (&json!("call:cart"), &json!(GATEWAY))
    );
    assert_eq!(new["act"], json!({"sub": proxy.id}));
    // TE-12: within one resource nothing is given that the token had not.
    let low = world.token_for(&[("scope", "call:payment")]).await;
    exchange(app, &proxy, &low, &[])
        .await
        .oauth_error("invalid_target");
}
