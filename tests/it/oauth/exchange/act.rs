//! Who acts (`act`), who may act (`may_act`), and by whose token (RFC 8693 §1.1, §4.1, §4.4).

use serde_json::{Value, json};

use super::{ACCESS_TOKEN, GATEWAY, World, exchange, holder, rule};
use crate::applications::{Application, grant, make};
use crate::support::test_app::{ISSUER, PAYMENT, claims};

/// A resource with an application that serves it and may trade what it gets for the next.
async fn hop(world: &World, from: &str, to: &str, scopes: (&str, &str)) -> Application {
    let app = &world.shop.app;
    let name = format!("behind {from}");
    let hop = make(app, json!({"name": name})).await;
    let body = json!({
        "application_id": hop.id, "subject_resource": from, "requires_scope": [scopes.0], "target_resource": to,
        "scopes": [scopes.1], "subject_must_hold": false,
    });
    rule(app, body).await;
    hop
}

#[tokio::test]
async fn te_13_the_second_hop_nests_the_first_actor_unchanged() {
    let world = World::new().await;
    let app = &world.shop.app;
    app.resource("https://ledger.example.com", &["write:ledger"])
        .await;
    let payment = hop(
        &world,
        PAYMENT,
        "https://ledger.example.com",
        ("write:payment", "write:ledger"),
    )
    .await;
    let first = world.traded(&world.token().await).await;
    let second = exchange(app, &payment, &first, &[]).await.expect(200);
    let (before, after) = (claims(&first), claims(&second.text("access_token")));
    assert_eq!(
        after["act"],
        json!({"sub": payment.id, "act": before["act"]})
    );
    assert_eq!(
        (&after["sub"], &after["fam"]),
        (&before["sub"], &before["fam"])
    );
    assert_eq!(after["client_id"], payment.id.as_str());
    assert!(after["exp"].as_i64() <= before["exp"].as_i64());
}

#[tokio::test]
async fn te_13_nine_actors_are_one_too_many() {
    let world = World::new().await;
    let app = &world.shop.app;
    let mut token = world.token().await;
    let mut from = GATEWAY.to_owned();
    let mut needs = "call:payment".to_owned();
    for number in 1..=9 {
        let to = format!("https://hop{number}.example.com");
        app.resource(&to, &["go"]).await;
        let hop = hop(&world, &from, &to, (&needs, "go")).await;
        let answer = exchange(app, &hop, &token, &[]).await;
        if number == 9 {
            answer.oauth_error("invalid_request");
            return;
        }
        token = answer.expect(200).text("access_token");
        let mut act = &claims(&token)["act"].clone();
        let mut depth = 0;
        while act.is_object() {
            (act, depth) = (&act["act"], depth + 1);
        }
        assert_eq!(depth, number);
        (from, needs) = (to, "go".to_owned());
    }
}

#[tokio::test]
async fn te_15_may_act_of_a_key_is_enforced_and_not_copied() {
    let world = World::new().await;
    let app = &world.shop.app;
    let other = make(app, json!({"name": "other"})).await;
    let token_of = async |may_act: Value| {
        let key = world
            .shop
            .issue(json!({
                "permissions": [
                    {"resource": GATEWAY, "scopes": ["call:payment"]}, {"resource": PAYMENT, "scopes": ["write:payment"]},
                ],
                "default_resource": GATEWAY, "may_act": may_act,
            }))
            .await;
        app.trade(&key.key).await.expect(200).text("access_token")
    };
    let named = token_of(json!({"application_id": world.gateway.id})).await;
    assert_eq!(
        claims(&named)["may_act"],
        json!({"iss": ISSUER, "sub": world.gateway.id})
    );
    let traded = world.traded(&named).await;
    assert!(claims(&traded).get("may_act").is_none());
    let others = token_of(json!({"application_id": other.id})).await;
    world
        .trade(&others, &[])
        .await
        .oauth_error("invalid_request");
    // Absent: the rule alone decides.
    let nobody = token_of(Value::Null).await;
    world.trade(&nobody, &[]).await.expect(200);
}

#[tokio::test]
async fn te_15_may_act_of_an_application_holds_against_impersonation_too() {
    let world = World::with(json!({"impersonation": true})).await;
    let app = &world.shop.app;
    let other = make(app, json!({"name": "other"})).await;
    let may_act = async |id: &str| {
        let change = app.patch(&world.client.path("")).operator();
        let body = json!({"may_act": {"application_id": id}});
        change.json(body).send().await.expect(200);
        world.token().await
    };
    let token = may_act(&other.id).await;
    world
        .trade(&token, &[])
        .await
        .oauth_error("invalid_request");
    let token = may_act(&world.gateway.id).await;
    world.trade(&token, &[]).await.expect(200);
    // A narrowed token is as bound as the one that it was made of.
    let token = may_act(&other.id).await;
    let narrowed = exchange(app, &world.client, &token, &[("scope", "call:payment")]).await;
    let narrowed = narrowed.expect(200).text("access_token");
    world
        .trade(&narrowed, &[])
        .await
        .oauth_error("invalid_request");
}

#[tokio::test]
async fn te_16_impersonation_is_only_where_the_rule_says_so() {
    let world = World::new().await;
    let token = world.token().await;
    assert!(claims(&world.traded(&token).await)["act"].is_object());
    world.change_rule(json!({"impersonation": true})).await;
    let quiet = claims(&world.traded(&token).await);
    assert!(quiet.get("act").is_none());
    assert_eq!(quiet["client_id"], world.gateway.id.as_str());
    // With both, an actor who is named by a token acts.
    let actor = grant(&world.shop.app, &world.client, &[("resource", PAYMENT)]).await;
    let actor = actor.expect(200).text("access_token");
    let by = [
        ("actor_token", actor.as_str()),
        ("actor_token_type", ACCESS_TOKEN),
    ];
    // It is no business of the gateway's: neither issued to it nor for what it serves.
    world
        .trade(&token, &by)
        .await
        .oauth_error("invalid_request");
    let serve = world.shop.app.patch(&world.gateway.path("")).operator();
    serve
        .json(json!({"resources": [world.shop.payment]}))
        .send()
        .await
        .expect(200);
    let named = world.trade(&token, &by).await.expect(200);
    assert_eq!(
        claims(&named.text("access_token"))["act"],
        json!({"sub": world.client.id})
    );
    // Without delegation nobody is.
    world.change_rule(json!({"delegation": false})).await;
    world
        .trade(&token, &by)
        .await
        .oauth_error("invalid_request");
    world.trade(&token, &[]).await.expect(200);
}

#[tokio::test]
async fn te_16_the_actor_is_the_subject_of_the_actor_token_and_the_output_does_not_outlive_it() {
    let world = World::new().await;
    let app = &world.shop.app;
    let agent = holder(
        app,
        "agent",
        json!([{"resource": PAYMENT, "scopes": ["write:payment"]}]),
    )
    .await;
    let serve = app.patch(&world.gateway.path("")).operator();
    serve
        .json(json!({"resources": [world.shop.payment]}))
        .send()
        .await
        .expect(200);
    let path = format!("/v1/resources/{}", world.shop.payment);
    let actors = grant(app, &agent, &[])
        .await
        .expect(200)
        .text("access_token");
    app.pass(200);
    let token = world.token().await;
    let by = [
        ("actor_token", actors.as_str()),
        ("actor_token_type", ACCESS_TOKEN),
    ];
    let answer = world.trade(&token, &by).await.expect(200);
    assert_eq!(answer["expires_in"], 100);
    let new = claims(&answer.text("access_token"));
    assert_eq!(new["act"], json!({"sub": agent.id}));
    assert_eq!(
        (&new["sub"], &new["client_id"]),
        (&json!(world.client.id), &json!(world.gateway.id))
    );
    // may_act names the actor then, not the client.
    let change = app.patch(&world.client.path("")).operator();
    change
        .json(json!({"may_act": {"application_id": agent.id}}))
        .send()
        .await
        .expect(200);
    let bound = world.token().await;
    world.trade(&bound, &by).await.expect(200);
    world
        .trade(&bound, &[])
        .await
        .oauth_error("invalid_request");
    // Whoever is acted for himself is no actor.
    let acted = world.traded(&token).await;
    let by_acted = [
        ("actor_token", acted.as_str()),
        ("actor_token_type", ACCESS_TOKEN),
    ];
    world
        .trade(&token, &by_acted)
        .await
        .oauth_error("invalid_request");
    // An expired one neither.
    app.pass(100);
    let token = world.token().await;
    world
        .trade(&token, &by)
        .await
        .oauth_error("invalid_request");
    let _ = path;
}

#[tokio::test]
async fn te_15_a_client_with_an_actor_token_needs_a_rule_for_its_own_tokens_too() {
    let world = World::new().await;
    let app = &world.shop.app;
    let token = world.token().await;
    let by = [
        ("actor_token", token.as_str()),
        ("actor_token_type", ACCESS_TOKEN),
    ];
    let answer = exchange(app, &world.client, &token, &by).await;
    answer.oauth_error("invalid_target");
}
