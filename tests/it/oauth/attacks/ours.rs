//! Our own access tokens: as bearer of the management API, as subject and actor of an exchange, and where one asks about or ends them.

use serde_json::{Value, json};

use super::Trap;
use crate::oauth::exchange::{ACCESS_TOKEN, GATEWAY, World};
use crate::oauth::introspect::{assert_inactive, introspect};
use crate::support::credentials::Bearer;
use crate::support::forge::{Forge, signer_of};
use crate::support::signer::Signer;
use crate::support::test_app::{MANAGEMENT, Shop, TestApp, claims, jose_header};

/// Tokens like this one, properly signed.
async fn forge(app: &TestApp, like: &str) -> Forge {
    let header = jose_header(like);
    Forge {
        signer: signer_of(app).await,
        stranger: Signer::es256(header["kid"].as_str().unwrap()),
        claims: claims(like),
        header,
    }
}

/// Beside the common ones: what only a token of ours can get wrong.
fn further(forge: &Forge) -> Vec<(&'static str, String)> {
    let typed = |typ: Value| {
        let header = crate::support::test_app::merged(forge.header.clone(), json!({"typ": typ}));
        forge
            .signer
            .sign_parts(&header.to_string(), &forge.claims.to_string())
    };
    let mut all = vec![
        ("10: no iat", forge.but(json!({"iat": null}))),
        ("10: nbf", forge.but(json!({"nbf": 1}))),
        ("13: no typ", typed(Value::Null)),
    ];
    for typ in [
        "JWT",
        "jwt",
        "revocations+jwt",
        "client-authentication+jwt",
        "token-introspection+jwt",
        "dpop+jwt",
        "at+jwt ",
    ] {
        all.push(("13: another kind", typed(json!(typ))));
    }
    for name in ["sub", "jti", "client_id", "scope"] {
        all.push(("10: a claim missing", forge.but(json!({name: null}))));
        all.push(("10: a claim of a wrong type", forge.but(json!({name: 7}))));
    }
    for (name, value) in [
        ("act", json!("app_x")),
        ("may_act", json!([])),
        ("fam", json!(1)),
        ("gen", json!({})),
        ("owner", json!("ann")),
    ] {
        all.push((
            "10: a claim of a wrong type",
            forge.but(json!({name: value})),
        ));
    }
    all
}

#[tokio::test]
async fn attack_at_the_management_api() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let forge = forge(app, &app.operator_token(None)).await;
    let list = async |token: &str| app.get("/v1/keys").by(&Bearer(token)).send().await;
    list(&forge.good()).await.expect(200);
    let trap = Trap::set();
    let mut all = forge.attacks(&trap.url());
    all.extend(further(&forge));
    let mut told = std::collections::BTreeSet::new();
    // A head that is too long is cut off before anybody reads it.
    for (attack, token) in all.iter().filter(|(_, token)| token.len() < 10_000) {
        let answer = list(token).await;
        let told_all = answer.transcript();
        assert_eq!(answer.status, 401, "{attack}: {token:.200}\n{told_all}");
        told.insert(answer["code"].to_string());
    }
    assert_eq!(told.len(), 1, "nobody learns why: {told:?}");
    trap.assert_untouched();
    println!("{} tokens were refused", all.len());
}

#[tokio::test]
async fn attack_where_tokens_are_asked_about_and_ended() {
    let world = World::new().await;
    let app = &world.shop.app;
    let forge = forge(app, &world.token().await).await;
    let good = forge.good();
    assert_eq!(introspect(app, &world.client, &good).await["active"], true);
    let trap = Trap::set();
    let mut all = forge.attacks(&trap.url());
    all.extend(further(&forge));
    for (attack, token) in &all {
        if token.len() > 60_000 {
            continue;
        }
        println!("{attack}: {token:.100}");
        assert_inactive(&introspect(app, &world.client, token).await);
        // Of which resource it is has no bearing on who may end it.
        if attack.starts_with("11: aud") {
            continue;
        }
        let revoke = app.post("/oauth/revoke").by(&world.client);
        let answer = revoke.form(&[("token", token)]).send().await;
        // Another's, if it names another client; else there is nothing to end.
        assert!(
            matches!(answer.status, 200 | 400),
            "{attack}: {}",
            answer.transcript()
        );
    }
    assert_eq!(
        introspect(app, &world.client, &good).await["active"],
        true,
        "none of them ended the good one"
    );
    trap.assert_untouched();
}

#[tokio::test]
async fn attack_as_subject_and_as_actor_of_an_exchange() {
    let world = World::new().await;
    let app = &world.shop.app;
    let forge = forge(app, &world.token().await).await;
    let good = forge.good();
    world.trade(&good, &[]).await.expect(200);
    let resources = app.get("/v1/resources").operator().send().await.expect(200);
    let gateway = resources["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["identifier"] == GATEWAY);
    let serve = app.patch(&world.gateway.path("")).operator();
    serve
        .json(json!({"resources": [gateway.unwrap()["id"]]}))
        .send()
        .await
        .expect(200);
    let acting = [
        ("actor_token", good.as_str()),
        ("actor_token_type", ACCESS_TOKEN),
    ];
    world.trade(&good, &acting).await.expect(200);
    let trap = Trap::set();
    let mut all = forge.attacks(&trap.url());
    all.extend(further(&forge));
    for (attack, token) in &all {
        if token.len() > 60_000 {
            continue;
        }
        let subject = world.trade(token, &[]).await;
        assert!(
            subject.status == 400,
            "{attack}: {token:.200}\n{}",
            subject.transcript()
        );
        assert_eq!(
            subject["error"],
            "invalid_request",
            "{attack}: {}",
            subject.transcript()
        );
        let acting = [
            ("actor_token", token.as_str()),
            ("actor_token_type", ACCESS_TOKEN),
        ];
        let actor = world.trade(&good, &acting).await;
        assert!(
            actor.status == 400,
            "{attack}: {token:.200}\n{}",
            actor.transcript()
        );
        assert_eq!(
            actor["error"],
            "invalid_request",
            "{attack}: {}",
            actor.transcript()
        );
    }
    trap.assert_untouched();
}

#[tokio::test]
async fn attack_17_ten_megabytes_are_not_read() {
    let world = World::new().await;
    let app = &world.shop.app;
    let huge = "a".repeat(10_000_000);
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
        let form = [
            ("token", huge.as_str()),
            ("subject_token", "x"),
            ("grant_type", "x"),
        ];
        let answer = app.post(path).by(&world.client).form(&form).send().await;
        answer.expect(413);
    }
}

#[tokio::test]
async fn attack_16_a_token_of_a_key_that_was_withdrawn() {
    let world = World::new().await;
    let app = &world.shop.app;
    let forge = forge(app, &world.token().await).await;
    let management = self::forge(app, &app.operator_token(None)).await;
    let good = forge.good();
    assert_eq!(introspect(app, &world.client, &good).await["active"], true);
    let kid = forge.header["kid"].as_str().unwrap();
    let path = format!("/v1/signing-keys/{kid}/withdraw");
    app.post(&path).operator().send().await.expect(200);
    app.forget_operator_token();
    assert_inactive(&introspect(app, &world.client, &good).await);
    world.trade(&good, &[]).await.oauth_error("invalid_request");
    app.get("/v1/keys")
        .by(&Bearer(&management.good()))
        .send()
        .await
        .problem("invalid_token");
    assert_eq!(management.claims["aud"], MANAGEMENT);
}
