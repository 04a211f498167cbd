//! What a gateway is answered when its own configuration names what a request needs.

use serde_json::json;

use super::{IDENTITY, token};
use crate::support::credentials::{Anonymous, Bearer, Key};
use crate::support::test_app::{CART, ISSUER, PAYMENT, Shop, TestApp};
use crate::support::transcript::Answer;

const WRITE: &str = "/forward-auth?resource=https://payment.example.com/api&scope=write:payment";

async fn ask(shop: &Shop, path: &str, key: &str) -> Answer {
    shop.app.get(path).by(&Key(key)).send().await
}

#[tokio::test]
async fn a_good_key_is_let_through_with_a_token_for_the_service() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    for method in [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND",
    ] {
        let answer = shop.app.request(method, WRITE).by(&Key(&key.key));
        let answer = answer.send().await.expect(200);
        assert!(answer.body.is_empty(), "{method}");
        let claims = token(&answer);
        assert_eq!(claims["iss"], ISSUER);
        assert_eq!(claims["aud"], PAYMENT);
        assert_eq!(claims["sub"], key.id);
        assert_eq!(claims["scope"], "write:payment");
        let told = IDENTITY.map(|name| answer.header(name));
        let organization = Some(shop.organization.as_str());
        assert_eq!(
            told[1..],
            [Some(key.id.as_str()), organization, Some("write:payment")]
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn without_a_scope_any_permission_at_the_resource_will_do() {
    let shop = Shop::new().await;
    let both = json!([{"resource": PAYMENT, "scopes": ["write:payment", "read:payment"]}]);
    let key = shop.issue(json!({"permissions": both})).await;
    let answer = ask(
        &shop,
        &format!("/forward-auth?resource={PAYMENT}"),
        &key.key,
    )
    .await;
    let answer = answer.expect(200);
    assert_eq!(
        answer.header("x-kagiya-scope"),
        Some("read:payment write:payment")
    );
    let lacking = ask(&shop, &format!("/forward-auth?resource={CART}"), &key.key).await;
    lacking.problem("insufficient_scope");
}

#[tokio::test]
async fn who_may_not_is_told_so_in_codes_that_every_gateway_knows() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let key = shop.key().await;
    let (revoked, rotated, paused) = (shop.key().await, shop.key().await, shop.key().await);
    app.delete(&revoked.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    app.post(&rotated.path("/rotate"))
        .operator()
        .send()
        .await
        .expect(200);
    let pause = app
        .patch(&paused.path(""))
        .operator()
        .json(json!({"disabled": true}));
    pause.send().await.expect(200);
    let elsewhere = shop.issue(json!({"allowed_cidrs": ["192.0.2.0/24"]})).await;
    let limit = json!({"rate_limit": {"requests": 1, "per_seconds": 60}});
    let limited = shop.issue(limit).await;
    ask(&shop, WRITE, &limited.key).await.expect(200);
    let expired = shop.issue(json!({"expires_at": app.time_in(5)})).await;
    app.pass(6);
    for (held, code) in [
        ("nonsense", "invalid_api_key"),
        ("", "invalid_api_key"),
        (&revoked.key, "api_key_revoked"),
        (&rotated.key, "api_key_rotated"),
        (&paused.key, "api_key_disabled"),
        (&expired.key, "api_key_expired"),
        (&elsewhere.key, "address_not_allowed"),
        (&limited.key, "rate_limited"),
    ] {
        let answer = ask(&shop, WRITE, held).await.problem(code);
        for name in IDENTITY {
            assert_eq!(answer.header(name), None, "{code}");
        }
    }
    let read = format!("/forward-auth?resource={PAYMENT}&scope=read:payment");
    ask(&shop, &read, &key.key)
        .await
        .problem("insufficient_scope");
    app.get(WRITE)
        .by(&Anonymous)
        .send()
        .await
        .problem("unauthorized");
    let two = app.get(WRITE).by(&Key(&key.key)).by(&Key(&key.key));
    two.send().await.expect(401);
    let allowed = app.get(WRITE).by(&Key(&elsewhere.key)).from("192.0.2.7");
    allowed.send().await.expect(200);
}

#[tokio::test]
async fn the_key_decides_whatever_else_the_client_sends() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let other = shop.key().await;
    let foreign = shop
        .app
        .trade(&other.key)
        .await
        .expect(200)
        .text("access_token");
    for authorization in [
        "Basic YTpi",
        "Bearer nonsense",
        &format!("Bearer {foreign}"),
        "",
    ] {
        let request = shop.app.get(WRITE).by(&Key(&key.key));
        let request = request
            .header("Authorization", authorization)
            .header("X-Kagiya-Key-Id", "key_forged")
            .header("X-Kagiya-Scope", "everything")
            .header("X-Kagiya-Resource", CART)
            .header("Cookie", "a=b");
        let answer = request.send().await.expect(200);
        assert_eq!(token(&answer)["sub"], key.id, "{authorization}");
        assert_eq!(answer.header("x-kagiya-scope"), Some("write:payment"));
    }
    // Two of them are as good as one that is not read.
    let twice = shop.app.get(WRITE).by(&Key(&key.key));
    let twice = twice
        .header("Authorization", "a")
        .header("Authorization", "b");
    twice.send().await.expect(200);
    // A key is not taken in its place.
    shop.app
        .get(WRITE)
        .by(&Bearer(&key.key))
        .send()
        .await
        .expect(401);
}

#[tokio::test]
async fn what_the_gateway_got_wrong_is_403_and_says_what() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    for query in [
        "",
        "?",
        "?scope=write:payment",
        "?resource=",
        "?resource=https://payment.example.com/api&resource=https://cart.example.com/api",
        "?resource=https://payment.example.com/api&scope=a&scope=b",
        "?resource=https://payment.example.com/api&zzz=1",
        "?resource=%zz",
        // Nobody holds what does not exist: the gateway has it wrong, not the caller.
        "?resource=https://nowhere.example.com",
        "?resource=no-uri",
        "?resource=https://payment.example.com/api&scope=raed:payment",
        "?resource=https://payment.example.com/api&scope=a%22b",
        "/?resource=https://payment.example.com/api",
        "/payments?resource=https://payment.example.com/api",
    ] {
        let answer = ask(&shop, &format!("/forward-auth{query}"), &key.key).await;
        assert_eq!(answer["code"], "misconfigured_route", "{query}");
    }
    for path in ["/forward-authx", "/forward-auth%2f", "/Forward-Auth"] {
        ask(&shop, path, &key.key).await.problem("not_found");
    }
}

#[tokio::test]
async fn a_token_is_used_again_for_half_a_minute_and_never_across_a_change() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let jti = async || token(&ask(&shop, WRITE, &key.key).await.expect(200))["jti"].clone();
    let first = jti().await;
    shop.app.pass(29);
    assert_eq!(jti().await, first);
    // Not the one that the holder himself gets.
    assert_ne!(shop.app.claims(&key.key).await["jti"], first);
    shop.app.pass(1);
    let second = jti().await;
    assert_ne!(second, first);
    let renamed = shop.app.patch(&key.path("")).operator();
    renamed
        .json(json!({"name": "other"}))
        .send()
        .await
        .expect(200);
    assert_ne!(jti().await, second);
    shop.app
        .delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    ask(&shop, WRITE, &key.key).await.problem("api_key_revoked");
}

#[tokio::test]
async fn no_token_is_given_in_the_second_half_of_its_life() {
    let shop = Shop::new().await;
    let short = json!({"token_lifetime": 40});
    let resource = format!("/v1/resources/{}", shop.payment);
    let change = shop.app.patch(&resource).operator().json(short);
    change.send().await.expect(200);
    let key = shop.key().await;
    let exp = async || token(&ask(&shop, WRITE, &key.key).await.expect(200))["exp"].clone();
    let first = exp().await;
    shop.app.pass(19);
    assert_eq!(exp().await, first);
    shop.app.pass(1);
    assert_ne!(exp().await, first);
}

#[tokio::test]
async fn a_gateway_may_keep_a_yes_only_where_that_is_configured() {
    let setup = TestApp::setup().config(|config| config.forward_auth.cache_seconds = 10);
    let shop = Shop::on(setup.start().await).await;
    let key = shop.key().await;
    let yes = ask(&shop, WRITE, &key.key).await.expect(200);
    assert_eq!(yes.header("cache-control"), Some("max-age=0, s-maxage=10"));
    let vary = yes.header("vary").unwrap();
    assert!(vary.contains("x-api-key"), "{vary}");
    let no = ask(&shop, WRITE, "nonsense").await.expect(401);
    assert_eq!(no.header("cache-control"), Some("no-store"));
    let soon = shop.issue(json!({"expires_at": shop.app.time_in(8)})).await;
    let yes = ask(&shop, WRITE, &soon.key).await.expect(200);
    assert_eq!(yes.header("cache-control"), Some("max-age=0, s-maxage=4"));
}

#[tokio::test]
async fn a_flood_of_bad_keys_through_a_gateway_is_its_clients() {
    let setup = TestApp::setup().config(|config| config.limits.bad_keys_per_minute = 3);
    let shop = Shop::on(setup.start().await).await;
    let key = shop.key().await;
    let bad = async |address: &str| {
        let request = shop.app.get(WRITE).by(&Key("nonsense")).from(address);
        request.send().await
    };
    for _ in 0..3 {
        bad("192.0.2.1").await.problem("invalid_api_key");
    }
    bad("192.0.2.1").await.problem("rate_limited");
    bad("192.0.2.2").await.problem("invalid_api_key");
    let good = shop.app.get(WRITE).by(&Key(&key.key)).from("192.0.2.1");
    good.send().await.expect(200);
}
