//! A gateway's caller who brings an access token of ours: for the service, for the gateway, or for somebody else.

use kagiya::config::Config;
use serde_json::json;

use super::{IDENTITY, token};
use crate::applications::{grant, make};
use crate::oauth::exchange::{GATEWAY, World};
use crate::support::credentials::{Bearer, Key};
use crate::support::test_app::{CART, PAYMENT, Shop, claims};
use crate::support::transcript::Answer;

const WRITE: &str = "/forward-auth?resource=https://payment.example.com/api&scope=write:payment";

async fn ask(shop: &Shop, token: &str) -> Answer {
    shop.app.get(WRITE).by(&Bearer(token)).send().await
}

/// In which the configuration says which application the gateway is, and it serves the gateway's own resource.
async fn behind_the_gateway() -> World {
    configured(|_| {}).await
}

async fn configured(change: impl FnOnce(&mut Config)) -> World {
    let mut world = World::new().await;
    let resources = world.shop.app.get("/v1/resources").operator().send().await;
    let own = resources["items"].as_array().unwrap().iter();
    let own = own.filter(|resource| resource["identifier"] == GATEWAY);
    let own: Vec<_> = own.map(|resource| resource["id"].clone()).collect();
    let serves = world
        .shop
        .app
        .patch(&world.gateway.path(""))
        .operator()
        .json(json!({"resources": own}));
    serves.send().await.expect(200);
    let id = world.gateway.id.parse().unwrap();
    world.shop = world
        .shop
        .again(|app| {
            app.restart_configured(|config| {
                config.forward_auth.application_id = Some(id);
                change(config);
            })
        })
        .await;
    world
}

#[tokio::test]
async fn a_token_for_the_service_goes_on_as_it_is() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let traded = shop.app.trade(&key.key).await.expect(200);
    let own = traded.text("access_token");
    let answer = ask(&shop, &own).await.expect(200);
    let told = IDENTITY.map(|name| answer.header(name));
    let bearer = format!("Bearer {own}");
    assert_eq!(
        told,
        [
            Some(bearer.as_str()),
            Some(key.id.as_str()),
            Some(shop.organization.as_str()),
            Some("write:payment"),
        ]
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn what_a_token_has_no_value_for_is_told_as_empty() {
    let world = World::new().await;
    let app = &world.shop.app;
    let token = grant(app, &world.client, &[("resource", PAYMENT)]).await;
    let token = token.expect(200).text("access_token");
    let answer = ask(&world.shop, &token).await.expect(200);
    let told = IDENTITY.map(|name| answer.header(name));
    assert_eq!(told[1..], [Some(""), Some(""), Some("write:payment")]);
}

#[tokio::test]
async fn a_token_is_judged_at_every_request_by_what_it_stands_on() {
    let shop = Shop::new().await;
    let both = json!([{"resource": PAYMENT, "scopes": ["write:payment", "read:payment"]}]);
    let [revoked, narrowed, paused, expired] = [
        shop.key().await,
        shop.issue(json!({"permissions": both})).await,
        shop.key().await,
        shop.key().await,
    ];
    let mut tokens = Vec::new();
    for key in [&revoked, &narrowed, &paused, &expired] {
        let traded = shop.app.trade(&key.key).await.expect(200);
        tokens.push(traded.text("access_token"));
        ask(&shop, tokens.last().unwrap()).await.expect(200);
    }
    let app = &shop.app;
    let delete = app.delete(&revoked.path("")).operator();
    delete.send().await.expect(204);
    ask(&shop, &tokens[0]).await.problem("invalid_token");
    // The service would believe a scope that the key does not hold any more, so its holder must come for another token.
    let write = json!([{"resource": PAYMENT, "scopes": ["write:payment"]}]);
    let put = app.put(&narrowed.path("/permissions")).operator();
    let put = put.json(json!({"permissions": write})).send().await;
    put.expect(200);
    ask(&shop, &tokens[1]).await.problem("invalid_token");
    let again = app.trade(&narrowed.key).await.expect(200);
    ask(&shop, &again.text("access_token")).await.expect(200);
    let pause = async |disabled: bool| {
        let patch = app.patch(&paused.path("")).operator();
        let patch = patch.json(json!({"disabled": disabled})).send().await;
        patch.expect(200)
    };
    pause(true).await;
    ask(&shop, &tokens[2]).await.problem("invalid_token");
    pause(false).await;
    ask(&shop, &tokens[2]).await.expect(200);
    app.pass(300);
    let refused = ask(&shop, &tokens[3]).await.problem("invalid_token");
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(
        challenge.contains(r#"error="invalid_token""#),
        "{challenge}"
    );
}

#[tokio::test]
async fn a_token_that_permits_less_than_the_request_needs_is_not_let_through() {
    let shop = Shop::new().await;
    let read = json!([{"resource": PAYMENT, "scopes": ["read:payment"]}]);
    let key = shop.issue(json!({"permissions": read})).await;
    let traded = shop.app.trade(&key.key).await.expect(200);
    let own = traded.text("access_token");
    ask(&shop, &own).await.problem("insufficient_scope");
    let at = async |scope: &str| {
        let path = format!("/forward-auth?resource={PAYMENT}{scope}");
        shop.app.get(&path).by(&Bearer(&own)).send().await
    };
    let any = at("").await.expect(200);
    assert_eq!(any.header("x-kagiya-scope"), Some("read:payment"));
    let typo = at("&scope=raed:payment").await;
    typo.problem("misconfigured_route");
}

#[tokio::test]
async fn what_is_no_token_for_this_service_is_nobodys() {
    let shop = Shop::new().await;
    let cart = json!([{"resource": CART, "scopes": ["read:cart"]}]);
    let elsewhere = shop.issue(json!({"permissions": cart})).await;
    let elsewhere = shop.app.trade(&elsewhere.key).await.expect(200);
    let key = shop.key().await;
    let operator = shop.app.operator_token(None);
    for wrong in [
        elsewhere.text("access_token").as_str(),
        operator.as_str(),
        // A key is shown as X-API-Key.
        key.key.as_str(),
        "x",
        "a.b.c",
    ] {
        ask(&shop, wrong).await.problem("invalid_token");
    }
    let twice = shop.app.get(WRITE).header("Authorization", "Bearer a.b.c");
    let twice = twice.header("Authorization", "Bearer a.b.c").send().await;
    twice.problem("unauthorized");
    for none in ["Basic YTpi", "Bearer", "Bearer "] {
        let request = shop.app.get(WRITE).header("Authorization", none);
        request.send().await.problem("unauthorized");
    }
}

#[tokio::test]
async fn a_key_beside_a_token_decides() {
    let shop = Shop::new().await;
    let (key, other) = (shop.key().await, shop.key().await);
    let traded = shop.app.trade(&other.key).await.expect(200);
    let bearer = format!("Bearer {}", traded.text("access_token"));
    let both = |key: &str| {
        let request = shop.app.get(WRITE).by(&Key(key));
        request.header("Authorization", &bearer).send()
    };
    let answer = both(&key.key).await.expect(200);
    assert_eq!(token(&answer)["sub"], key.id);
    both("kgy_x").await.problem("invalid_api_key");
}

#[tokio::test]
async fn a_token_for_the_gateway_is_traded_and_the_service_sees_the_new_one_alone() {
    let world = behind_the_gateway().await;
    let for_gateway = world.token().await;
    let answer = ask(&world.shop, &for_gateway).await.expect(200);
    let (before, after) = (claims(&for_gateway), token(&answer));
    assert_eq!(after["aud"], PAYMENT);
    assert_eq!(after["sub"], before["sub"]);
    assert_eq!(after["scope"], "write:payment");
    assert_eq!(after["act"], json!({"sub": world.gateway.id}));
    assert!(after["exp"].as_i64() <= before["exp"].as_i64());
    assert_eq!(answer.header("x-kagiya-key-id"), Some(""));
    let headers = format!("{:?}", IDENTITY.map(|name| answer.header(name)));
    assert!(!headers.contains(&for_gateway));
    let events = world.shop.app.get("/v1/audit-events").operator();
    let events = events.send().await;
    let trade = events["items"].as_array().unwrap().iter();
    let mut trade = trade.filter(|event| event["action"] == "token.exchanged");
    assert_eq!(
        trade.next().unwrap()["details"]["client"],
        world.gateway.id.as_str()
    );
}

#[tokio::test]
async fn an_equal_request_soon_after_gets_the_same_token_as_long_as_nothing_changed() {
    let world = behind_the_gateway().await;
    let app = &world.shop.app;
    let for_gateway = world.token().await;
    let get = async || {
        let answer = ask(&world.shop, &for_gateway).await.expect(200);
        token(&answer)["jti"].clone()
    };
    let first = get().await;
    app.pass(29);
    assert_eq!(get().await, first);
    app.pass(1);
    let second = get().await;
    assert_ne!(second, first);
    // Somebody else's rule is nobody's business here; the client's own name is.
    let rename = app.patch(&world.client.path("")).operator();
    let rename = rename.json(json!({"name": "another"})).send().await;
    rename.expect(200);
    assert_ne!(get().await, second);
    let disable = app.patch(&world.client.path("")).operator();
    let disable = disable.json(json!({"disabled": true})).send().await;
    disable.expect(200);
    ask(&world.shop, &for_gateway)
        .await
        .problem("invalid_token");
}

#[tokio::test]
async fn a_trade_that_the_rules_stopped_is_refused_at_the_next_request() {
    let world = behind_the_gateway().await;
    let app = &world.shop.app;
    let for_gateway = world.token().await;
    ask(&world.shop, &for_gateway).await.expect(200);
    world
        .change_rule(json!({"requires_scope": ["call:payment", "call:cart"]}))
        .await;
    ask(&world.shop, &for_gateway).await.expect(200);
    let narrow = world.token_for(&[("scope", "call:payment")]).await;
    let refused = ask(&world.shop, &narrow).await;
    refused.problem("insufficient_scope");
    let path = format!("/v1/exchange-rules/{}", world.rule);
    app.delete(&path).operator().send().await.expect(204);
    let refused = ask(&world.shop, &for_gateway).await;
    refused.problem("insufficient_scope");
    app.delete(&world.gateway.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    let refused = ask(&world.shop, &for_gateway).await;
    refused.problem("misconfigured_route");
}

#[tokio::test]
async fn who_may_act_is_asked_of_the_gateway_too() {
    let world = behind_the_gateway().await;
    let app = &world.shop.app;
    let other = make(app, json!({"name": "another gateway"})).await;
    let may_act = async |application: &str| {
        let patch = app.patch(&world.client.path("")).operator();
        let body = json!({"may_act": {"application_id": application}});
        patch.json(body).send().await.expect(200);
        world.token().await
    };
    let others = may_act(&other.id).await;
    ask(&world.shop, &others)
        .await
        .problem("insufficient_scope");
    let its_own = may_act(&world.gateway.id).await;
    ask(&world.shop, &its_own).await.expect(200);
}

#[tokio::test]
async fn tokens_for_the_gateway_are_traded_for_nobody_but_a_trusted_proxy() {
    let elsewhere = "192.0.2.0/24";
    let world = configured(|config| {
        config.listener.trusted_proxies = vec![elsewhere.parse().unwrap()];
    })
    .await;
    let for_gateway = world.token().await;
    let refused = ask(&world.shop, &for_gateway).await;
    refused.problem("invalid_token");
    let forged = world.shop.app.get(WRITE).by(&Bearer(&for_gateway));
    let forged = forged.header("X-Forwarded-For", "192.0.2.1").send().await;
    forged.problem("invalid_token");
    // One that is meant for the service needs no gateway.
    let own = grant(&world.shop.app, &world.client, &[("resource", PAYMENT)]).await;
    ask(&world.shop, &own.text("access_token"))
        .await
        .expect(200);
}

#[tokio::test]
async fn the_gateways_own_networks_count_for_the_proxy() {
    let world = behind_the_gateway().await;
    let app = &world.shop.app;
    let for_gateway = world.token().await;
    let allow = async |cidr: &str| {
        let patch = app.patch(&world.gateway.path("")).operator();
        let patch = patch.json(json!({"allowed_cidrs": [cidr]})).send().await;
        patch.expect(200)
    };
    allow("192.0.2.0/24").await;
    let refused = ask(&world.shop, &for_gateway).await;
    refused.problem("misconfigured_route");
    allow("127.0.0.0/8").await;
    ask(&world.shop, &for_gateway).await.expect(200);
}

#[tokio::test]
async fn without_a_configured_application_a_token_for_the_gateway_is_nobodys() {
    let world = World::new().await;
    let for_gateway = world.token().await;
    let refused = ask(&world.shop, &for_gateway).await;
    refused.problem("invalid_token");
}
