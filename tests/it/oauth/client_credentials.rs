//! A client gets a token for itself (RFC 6749 §4.4): for one resource, with what it holds there.

use serde_json::json;

use crate::applications::{cart_service, grant, machine_role, make};
use crate::support::credentials::Bearer;
use crate::support::test_app::{
    CART, ISSUER, MANAGEMENT, PAYMENT, Shop, TestApp, claims, jose_header,
};
use crate::support::verifier::{jwk_set, verified};

async fn shop_with_a_client_of_two(
    default: Option<&str>,
) -> (Shop, crate::applications::Application) {
    let shop = Shop::new().await;
    let permissions = json!([
        {"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]},
        {"resource": CART, "scopes": ["read:cart"]},
    ]);
    let role = machine_role(&shop.app, "till", permissions).await;
    let body = json!({"roles": [role], "default_resource": default});
    let client = make(&shop.app, body).await;
    (shop, client)
}

#[tokio::test]
async fn at_1_at_2_at_3_the_token_stands_for_the_client_and_says_no_more_than_it_must() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let token = grant(&shop.app, &client, &[]).await.text("access_token");
    let header = jose_header(&token);
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&json!("ES256"), &json!("at+jwt"))
    );
    assert!(header["kid"].is_string());
    let claims = claims(&token);
    let now = shop.app.now().as_second();
    assert_eq!(
        claims,
        json!({
            "iss": ISSUER, "sub": client.id, "aud": PAYMENT, "exp": now + 300, "iat": now, "jti": claims["jti"],
            "client_id": client.id, "scope": "write:payment", "permissions": ["write:payment"],
        })
    );
    // 22 letters of 64: 128 bits.
    assert!(claims["jti"].as_str().unwrap().len() >= 22, "{claims}");
    let again = grant(&shop.app, &client, &[]).await.text("access_token");
    assert_ne!(self::claims(&again)["jti"], claims["jti"]);
    let set = jwk_set(&shop.app).await;
    assert!(verified(&set, &token, PAYMENT).is_some());
    assert!(verified(&set, &token, CART).is_none());
}

#[tokio::test]
async fn a_client_of_an_organization_names_it_in_its_tokens() {
    let shop = Shop::new().await;
    let payment = json!([{"resource": PAYMENT, "scopes": ["write:payment"]}]);
    let role = machine_role(&shop.app, "checkout", payment).await;
    let body = json!({"organization_id": shop.organization, "roles": [role]});
    let client = make(&shop.app, body).await;
    let token = grant(&shop.app, &client, &[]).await.text("access_token");
    assert_eq!(claims(&token)["org_id"], shop.organization);
}

#[tokio::test]
async fn at_6_the_resource_says_how_long_and_with_which_algorithm() {
    let shop = Shop::new().await;
    let slow = "https://slow.example.com";
    let further = json!({"token_lifetime": 3600, "signing_alg": "RS256"});
    shop.app.resource_with(slow, &["read:all"], further).await;
    let permissions = json!([{"resource": slow, "scopes": ["read:all"]}]);
    let role = machine_role(&shop.app, "slow", permissions).await;
    let client = make(&shop.app, json!({"roles": [role]})).await;
    let answer = grant(&shop.app, &client, &[]).await.expect(200);
    assert_eq!(answer["expires_in"], 3600);
    let token = answer.text("access_token");
    assert_eq!(jose_header(&token)["alg"], "RS256");
    assert_eq!(claims(&token)["aud"], slow);
}

#[tokio::test]
async fn ri_4_without_a_resource_it_is_the_default_one_else_the_only_one() {
    let (shop, client) = shop_with_a_client_of_two(None).await;
    let refused = grant(&shop.app, &client, &[]).await;
    let refused = refused.oauth_error("invalid_target");
    let description = refused.text("error_description");
    assert!(description.contains(PAYMENT) && description.contains(CART));
    let (shop, client) = shop_with_a_client_of_two(Some(CART)).await;
    let answer = grant(&shop.app, &client, &[]).await.expect(200);
    assert_eq!(claims(&answer.text("access_token"))["aud"], CART);
    let answer = grant(&shop.app, &client, &[("resource", PAYMENT)]).await;
    assert_eq!(
        answer.expect(200).text("scope"),
        "read:payment write:payment"
    );
}

#[tokio::test]
async fn ri_1_ri_2_a_resource_is_compared_letter_by_letter() {
    let (shop, client) = shop_with_a_client_of_two(None).await;
    for wrong in [
        "https://payment.example.com/api/",
        "https://payment.example.com/API",
        "HTTPS://payment.example.com/api",
        "https://payment.example.com:443/api",
        "https://payment.example.com/api#",
        "https://payment.example.com/api?x=1",
        "/api",
        "payment",
        "https://nowhere.example.com",
        "https://payment.example.com/api https://cart.example.com/api",
        " https://payment.example.com/api",
        MANAGEMENT,
        "\u{e9}\"\\\n",
    ] {
        let refused = grant(&shop.app, &client, &[("resource", wrong)]).await;
        refused.oauth_error("invalid_target");
    }
}

#[tokio::test]
async fn ri_5_te_8_two_targets_are_one_too_many_and_audience_is_another_name() {
    let (shop, client) = shop_with_a_client_of_two(None).await;
    for two in [
        [("resource", PAYMENT), ("resource", CART)],
        [("resource", PAYMENT), ("audience", CART)],
        [("audience", PAYMENT), ("audience", CART)],
    ] {
        let refused = grant(&shop.app, &client, &two).await;
        refused.oauth_error("invalid_target");
    }
    let answer = grant(&shop.app, &client, &[("audience", CART)]).await;
    assert_eq!(claims(&answer.text("access_token"))["aud"], CART);
}

#[tokio::test]
async fn ri_3_tok_15_what_is_asked_for_is_given_or_refused_and_never_dropped() {
    let (shop, client) = shop_with_a_client_of_two(None).await;
    let ask = async |scope: &str| {
        let further = [("resource", PAYMENT), ("scope", scope)];
        grant(&shop.app, &client, &further).await
    };
    for (asked, given) in [
        ("write:payment", "write:payment"),
        ("write:payment read:payment", "read:payment write:payment"),
        ("write:payment write:payment", "write:payment"),
        ("", "read:payment write:payment"),
    ] {
        let answer = ask(asked).await.expect(200);
        assert_eq!(answer.text("scope"), given);
        assert_eq!(claims(&answer.text("access_token"))["scope"], given);
    }
    for refused in [
        "delete:payment",
        "write:payment delete:payment",
        "WRITE:payment",
        "read:cart",
        "write:payment  read:payment",
        " write:payment",
        "write:payment\tread:payment",
        "a\"b",
        "a\\b",
        "\u{e9}",
    ] {
        ask(refused).await.oauth_error("invalid_scope");
    }
}

#[tokio::test]
async fn a_client_that_holds_nothing_has_no_target() {
    let shop = Shop::new().await;
    let client = make(&shop.app, json!({})).await;
    for further in [&[][..], &[("resource", PAYMENT)]] {
        let refused = grant(&shop.app, &client, further).await;
        refused.oauth_error("invalid_target");
    }
}

#[tokio::test]
async fn tok_16_there_is_no_refresh_token() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let answer = grant(&shop.app, &client, &[("scope", "write:payment")]).await;
    assert!(answer.expect(200).json().get("refresh_token").is_none());
}

#[tokio::test]
async fn an_application_with_the_scopes_for_it_manages_with_its_token() {
    let shop = Shop::new().await;
    let permissions =
        json!([{"resource": MANAGEMENT, "scopes": ["keys:read", "applications:read"]}]);
    let role = machine_role(&shop.app, "watcher", permissions).await;
    let body = json!({"organization_id": shop.organization, "roles": [role]});
    let client = make(&shop.app, body).await;
    let other = shop.app.organization("Next door").await;
    shop.app.issue(&other, json!({})).await;
    let key = shop.key().await;
    let answer = grant(&shop.app, &client, &[("resource", MANAGEMENT)]).await;
    let token = answer.expect(200).text("access_token");
    let list = shop.app.get("/v1/keys").by(&Bearer(&token)).send().await;
    let list = list.expect(200);
    let ids: Vec<_> = list["items"].as_array().unwrap().iter().collect();
    assert_eq!((ids.len(), &ids[0]["id"]), (1, &json!(key.id)));
    let me = shop.app.get("/v1/me").by(&Bearer(&token)).send().await;
    assert_eq!(me.expect(200)["application_id"], client.id.as_str());
    let write = shop.app.delete(&key.path("")).by(&Bearer(&token));
    write.send().await.problem("insufficient_scope");
}

#[tokio::test]
async fn tokens_of_clients_are_counted() {
    let app = TestApp::new().await;
    let shop = Shop::on(app).await;
    let client = cart_service(&shop).await;
    grant(&shop.app, &client, &[]).await.expect(200);
    let refused = grant(&shop.app, &client, &[("scope", "x")]).await;
    refused.oauth_error("invalid_scope");
    let granted = r#"kagiya_grants_total{grant="client_credentials"}"#;
    assert_eq!(shop.app.metric(granted).await, 1);
    let errors = r#"kagiya_oauth_errors_total{error="invalid_scope"}"#;
    assert_eq!(shop.app.metric(errors).await, 1);
}
