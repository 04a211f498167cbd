//! The request: which parameters there are, and the exact error of each that is wrong.

use serde_json::json;

use super::{ACCESS_TOKEN, GATEWAY, GRANT, World, exchange, holder};
use crate::applications::grant;
use crate::support::credentials::{Anonymous, Basic, Operator};
use crate::support::test_app::{CART, MANAGEMENT, PAYMENT, claims};

const TYPE: &str = "urn:ietf:params:oauth:token-type:";

#[tokio::test]
async fn te_1_te_2_te_3_what_is_missing_or_stands_alone_is_invalid_request() {
    let world = World::new().await;
    let app = &world.shop.app;
    let token = world.token().await;
    let refresh = format!("{TYPE}refresh_token");
    let saml = format!("{TYPE}saml2");
    let (subject, kind) = (
        ("subject_token", token.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
    );
    for form in [
        vec![],
        vec![kind],
        vec![subject],
        vec![subject, ("subject_token_type", "")],
        vec![("subject_token", ""), kind],
        vec![subject, ("subject_token_type", &refresh)],
        vec![subject, ("subject_token_type", &saml)],
        vec![subject, ("subject_token_type", "access_token")],
        vec![subject, kind, ("actor_token", &token)],
        vec![subject, kind, ("actor_token_type", ACCESS_TOKEN)],
        vec![
            subject,
            kind,
            ("actor_token", &token),
            ("actor_token_type", &saml),
        ],
        vec![subject, kind, ("requested_token_type", &refresh)],
        vec![subject, kind, ("requested_token_type", "jwt")],
        vec![subject, subject, kind],
        vec![
            subject,
            kind,
            ("scope", "write:payment"),
            ("scope", "write:payment"),
        ],
    ] {
        let form = [&[("grant_type", GRANT)], form.as_slice()].concat();
        let request = app.post("/oauth/token").by(&world.gateway).form(&form);
        request.send().await.oauth_error("invalid_request");
    }
    let whole = [("requested_token_type", ACCESS_TOKEN), ("x", "y")];
    world.trade(&token, &whole).await.expect(200);
}

#[tokio::test]
async fn te_11_tok_9_whoever_trades_proves_who_he_is() {
    let world = World::new().await;
    let app = &world.shop.app;
    let token = world.token().await;
    let nobody = exchange(app, &Anonymous, &token, &[]).await;
    nobody.oauth_error("invalid_client");
    let wrong = exchange(app, &Basic(&world.gateway.id, "kgs_x"), &token, &[]).await;
    wrong.oauth_error("invalid_client");
    let bearer = exchange(app, &Operator, &token, &[]).await;
    bearer.oauth_error("invalid_client");
}

#[tokio::test]
async fn te_4_te_8_ri_1_a_target_is_one_that_a_rule_names() {
    let world = World::new().await;
    let token = world.token().await;
    for name in ["resource", "audience"] {
        let answer = world.trade(&token, &[(name, PAYMENT)]).await.expect(200);
        assert_eq!(claims(&answer.text("access_token"))["aud"], PAYMENT);
        for wrong in [
            CART,
            MANAGEMENT,
            GATEWAY,
            "https://payment.example.com/api/",
            "https://PAYMENT.example.com/api",
            "https://payment.example.com/api#x",
            "payment",
            "https://unknown.example.com",
            "\"\\\n",
        ] {
            let answer = world.trade(&token, &[(name, wrong)]).await;
            answer.oauth_error("invalid_target");
        }
    }
    // One bad target among several fails the whole request.
    let two = [("resource", PAYMENT), ("resource", CART)];
    world
        .trade(&token, &two)
        .await
        .oauth_error("invalid_target");
    let same = [("resource", PAYMENT), ("audience", PAYMENT)];
    world.trade(&token, &same).await.expect(200);
}

#[tokio::test]
async fn ri_4_without_a_target_it_is_the_only_one_or_none() {
    let world = World::new().await;
    let app = &world.shop.app;
    let token = world.token().await;
    world.trade(&token, &[]).await.expect(200);
    let further = json!({
        "application_id": world.gateway.id, "subject_resource": GATEWAY, "target_resource": CART, "scopes": ["read:cart"],
    });
    super::rule(app, further).await;
    let answer = world.trade(&token, &[]).await.oauth_error("invalid_target");
    let told = answer.text("error_description");
    assert!(told.contains(PAYMENT) && told.contains(CART), "{told}");
    world
        .trade(&token, &[("resource", PAYMENT)])
        .await
        .expect(200);
    // The subject holds nothing there.
    let empty = world.trade(&token, &[("resource", CART)]).await;
    empty.oauth_error("invalid_target");
}

#[tokio::test]
async fn ri_3_tok_15_a_scope_that_is_not_given_is_refused_and_never_dropped() {
    let world = World::with(json!({"scopes": ["read:payment", "write:payment"]})).await;
    let token = world.token().await;
    for scope in [
        // The subject does not hold it.
        "read:payment",
        "write:payment read:payment",
        "call:payment",
        "nothing",
        "write:payment\u{e9}",
        "\"",
    ] {
        let answer = world.trade(&token, &[("scope", scope)]).await;
        answer.oauth_error("invalid_scope");
    }
    for scope in ["write:payment", "write:payment write:payment", ""] {
        let answer = world.trade(&token, &[("scope", scope)]).await.expect(200);
        assert_eq!(answer["scope"], "write:payment");
    }
}

#[tokio::test]
async fn te_12_who_has_no_rule_trades_nobodys_tokens() {
    let world = World::new().await;
    let app = &world.shop.app;
    let token = world.token().await;
    let all = json!([
        {"resource": GATEWAY, "scopes": ["call:payment"]}, {"resource": PAYMENT, "scopes": ["write:payment"]},
    ]);
    // Whatever it holds itself.
    let stranger = holder(app, "stranger", all).await;
    for further in [&[][..], &[("resource", PAYMENT)], &[("resource", GATEWAY)]] {
        let answer = exchange(app, &stranger, &token, further).await;
        answer.oauth_error("unauthorized_client");
    }
    // The client of the token has no rule either: another resource is not its to name.
    let own = exchange(app, &world.client, &token, &[("resource", PAYMENT)]).await;
    own.oauth_error("invalid_target");
    // And the gateway's rule is for tokens for the gateway.
    let direct = grant(app, &world.client, &[("resource", PAYMENT)]).await;
    let direct = direct.expect(200).text("access_token");
    world
        .trade(&direct, &[])
        .await
        .oauth_error("invalid_target");
}

#[tokio::test]
async fn te_7_te_12_the_scope_that_the_rule_requires_must_be_in_the_token() {
    let world = World::new().await;
    let low = world.token_for(&[("scope", "call:cart")]).await;
    let answer = world.trade(&low, &[]).await;
    answer.oauth_error("invalid_request");
    let enough = world.token_for(&[("scope", "call:payment")]).await;
    world.trade(&enough, &[]).await.expect(200);
}

#[tokio::test]
async fn te_5_te_6_a_declared_type_that_is_wrong_is_refused() {
    let world = World::new().await;
    let app = &world.shop.app;
    let token = world.token().await;
    for kind in ["jwt", "id_token"] {
        let kind = format!("{TYPE}{kind}");
        let form = [
            ("grant_type", GRANT),
            ("subject_token", token.as_str()),
            ("subject_token_type", &kind),
        ];
        let answer = app.post("/oauth/token").by(&world.gateway).form(&form);
        answer.send().await.oauth_error("invalid_request");
    }
    let answer = world.trade(&token, &[("subject_issuer", "https://other.example.com")]);
    answer.await.oauth_error("invalid_request");
}

#[tokio::test]
async fn te_7_a_bad_subject_token_is_invalid_request_and_tells_nothing() {
    let world = World::new().await;
    let app = &world.shop.app;
    let good = world.token().await;
    let operator = app.operator_token(None);
    let mut told = std::collections::BTreeSet::new();
    let middle = good.len() - 40;
    let letter = if good[middle..].starts_with('A') {
        'B'
    } else {
        'A'
    };
    let flipped = format!("{}{letter}{}", &good[..middle], &good[middle + 1..]);
    for bad in [
        "x",
        "a.b.c",
        &good[..80],
        &format!(" {good}"),
        &flipped,
        &operator,
    ] {
        let answer = world.trade(bad, &[]).await.oauth_error("invalid_request");
        told.insert(answer.text("error_description"));
    }
    assert_eq!(told.len(), 1, "{told:?}");
    app.pass(300);
    world.trade(&good, &[]).await.oauth_error("invalid_request");
}
