//! `POST /oauth/introspect` (RFC 7662): who may ask, what he is told, and that nobody else is told anything.

use serde_json::{Value, json};

use crate::applications::{Application, cart_service, grant, machine_role, make};
use crate::support::credentials::{Anonymous, Basic, Bearer, Credential, Key};
use crate::support::test_app::{CART, ISSUER, Issued, MANAGEMENT, PAYMENT, Shop, TestApp, claims};
use crate::support::transcript::Answer;

pub(crate) const API_KEY: &str = "urn:kagiya:params:oauth:token-type:api-key";

/// Asks about a text as this client.
pub(crate) async fn introspect(app: &TestApp, client: &impl Credential, token: &str) -> Answer {
    let request = app.post("/oauth/introspect").by(client);
    request.form(&[("token", token)]).send().await
}

/// Fails unless the answer is what everybody is told who may not know.
#[track_caller]
pub(crate) fn assert_inactive(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, br#"{"active":false}"#.as_slice()),
        "{}",
        answer.transcript()
    );
}

async fn token(shop: &Shop, client: &Application) -> String {
    let answer = grant(&shop.app, client, &[]).await;
    answer.expect(200).text("access_token")
}

/// An application that serves the payment API.
pub(crate) async fn payment_service(shop: &Shop) -> Application {
    make(
        &shop.app,
        json!({"name": "payment service", "resources": [shop.payment]}),
    )
    .await
}

/// One that may ask about everything.
async fn auditor(shop: &Shop, further: Value) -> Application {
    let scopes = json!([{"resource": MANAGEMENT, "scopes": ["tokens:introspect"]}]);
    let name = format!(
        "auditor {}",
        shop.app.count("SELECT count(*) AS number FROM roles").await
    );
    let role = machine_role(&shop.app, &name, scopes).await;
    let body = crate::support::test_app::merged(json!({"roles": [role]}), further);
    make(&shop.app, body).await
}

#[tokio::test]
async fn in_5_the_client_that_a_token_was_issued_to_hears_all_of_it() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let token = token(&shop, &client).await;
    let answer = introspect(&shop.app, &client, &token).await.expect(200);
    let claims = claims(&token);
    let mut expected = claims.clone();
    let members = expected.as_object_mut().unwrap();
    members.remove("permissions");
    members.insert("active".to_owned(), json!(true));
    members.insert("token_type".to_owned(), json!("Bearer"));
    assert_eq!(*answer.json(), expected);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"), "IN-6");
}

#[tokio::test]
async fn in_5_a_keys_token_is_told_with_its_generation_its_owner_and_who_may_act() {
    let shop = Shop::new().await;
    let server = payment_service(&shop).await;
    let body = json!({
        "owner": {"iss": "https://sso.example.com", "sub": "ann"}, "may_act": {"application_id": server.id},
    });
    let key = shop.issue(body).await;
    let token = shop.app.trade(&key.key).await.text("access_token");
    let claims = claims(&token);
    let answer = introspect(&shop.app, &server, &token).await.expect(200);
    for member in [
        "sub",
        "client_id",
        "org_id",
        "owner",
        "gen",
        "may_act",
        "jti",
        "exp",
        "aud",
    ] {
        assert_eq!(answer[member], claims[member], "{member}");
        assert!(!answer[member].is_null(), "{member}");
    }
    assert_eq!(answer["sub"], key.id.as_str());
}

#[tokio::test]
async fn in_3_only_those_hear_of_a_token_whom_it_concerns() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let client = cart_service(&shop).await;
    let token = token(&shop, &client).await;
    let server = payment_service(&shop).await;
    let others_server = make(app, json!({"resources": [shop.cart]})).await;
    let stranger = make(app, json!({})).await;
    let auditor_of_all = auditor(&shop, json!({})).await;
    for (asker, active) in [
        (&client, true),
        (&server, true),
        (&auditor_of_all, true),
        (&others_server, false),
        (&stranger, false),
    ] {
        let answer = introspect(app, asker, &token).await.expect(200);
        if active {
            assert_eq!(answer["active"], true);
        } else {
            assert_inactive(&answer);
        }
    }
    // What it serves now counts, and what it holds now.
    let stop = app.patch(&server.path("")).operator();
    stop.json(json!({"resources": []})).send().await.expect(200);
    assert_inactive(&introspect(app, &server, &token).await);
    let bare = app.put(&auditor_of_all.path("/roles")).operator();
    bare.json(json!({"roles": []})).send().await.expect(200);
    assert_inactive(&introspect(app, &auditor_of_all, &token).await);
}

#[tokio::test]
async fn in_3_an_application_of_an_organization_hears_of_nobody_elses_tokens() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let next_door = app.organization("Next door").await;
    let own = |body: Value| {
        crate::support::test_app::merged(json!({"organization_id": shop.organization}), body)
    };
    // Only the operator lets an application of an organization serve something.
    let server = make(app, own(json!({"resources": [shop.payment]}))).await;
    let auditor = auditor(&shop, own(json!({}))).await;
    let key = shop.key().await;
    let foreign = app.issue(&next_door, json!({})).await;
    let deployments = cart_service(&shop).await;
    for (key, active) in [(&key, true), (&foreign, false)] {
        let token = app.trade(&key.key).await.text("access_token");
        for asker in [&server, &auditor] {
            for text in [&token, &key.key] {
                let answer = introspect(app, asker, text).await.expect(200);
                assert_eq!(answer["active"], active, "{}", answer.transcript());
            }
        }
    }
    let of_none = self::token(&shop, &deployments).await;
    for asker in [&server, &auditor] {
        assert_inactive(&introspect(app, asker, &of_none).await);
    }
}

#[tokio::test]
async fn in_1_the_asker_proves_who_it_is_and_says_what_it_asks_about() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let key = shop.key().await;
    let token = token(&shop, &client).await;
    let nobody = introspect(&shop.app, &Anonymous, &token).await;
    nobody.oauth_error("invalid_client");
    let bearer = introspect(&shop.app, &Bearer(&token), &token).await;
    bearer.oauth_error("invalid_client");
    let key = introspect(&shop.app, &Key(&key.key), &token).await;
    key.oauth_error("invalid_client");
    let wrong = introspect(&shop.app, &Basic(&client.id, "kgs_x"), &token).await;
    wrong.oauth_error("invalid_client");
    introspect(&shop.app, &client, "")
        .await
        .oauth_error("invalid_request");
    let get = shop.app.get("/oauth/introspect").by(&client).send().await;
    assert_eq!(get.header("allow"), Some("POST"));
    get.expect(405);
    let query = format!("/oauth/introspect?token={token}");
    let query = shop.app.post(&query).by(&client).form(&[("token", "x")]);
    query.send().await.oauth_error("invalid_request");
    let json = shop.app.post("/oauth/introspect").by(&client);
    let json = json.json(json!({"token": token})).send().await;
    json.oauth_error("invalid_request");
}

#[tokio::test]
async fn rv_2_a_hint_is_ignored_whatever_it_says() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let token = token(&shop, &client).await;
    for hint in ["access_token", "refresh_token", API_KEY, "nonsense", ""] {
        let form = [("token", token.as_str()), ("token_type_hint", hint)];
        let answer = shop.app.post("/oauth/introspect").by(&client).form(&form);
        assert_eq!(answer.send().await["active"], true, "{hint}");
    }
}

#[tokio::test]
async fn in_2_what_is_not_good_is_told_in_two_words() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let client = cart_service(&shop).await;
    let good = token(&shop, &client).await;
    let key = shop.key().await;
    let mut parts: Vec<String> = good.split('.').map(str::to_owned).collect();
    let signature = parts[2].clone();
    parts[2] = signature.chars().rev().collect();
    let cut = &good[..80];
    let short_key = &key.key[..key.key.len() - 1];
    let long_key = format!("{}A", key.key);
    for text in [
        "x",
        "a.b.c",
        cut,
        &parts.join("."),
        &format!(" {good}"),
        &format!("{good}="),
        &good.replace('.', ""),
        short_key,
        &long_key,
        "kgy_",
        &"a".repeat(40_000),
    ] {
        assert_inactive(&introspect(app, &client, text).await);
    }
    app.pass(299);
    assert_eq!(introspect(app, &client, &good).await["active"], true);
    app.pass(1);
    assert_inactive(&introspect(app, &client, &good).await);
}

#[tokio::test]
async fn rv_8_a_token_dies_with_its_key_at_once() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let server = payment_service(&shop).await;
    let trade = async |key: &Issued| app.trade(&key.key).await.text("access_token");
    let active = async |token: &str| introspect(app, &server, token).await["active"] == true;
    // Revoked.
    let key = shop.key().await;
    let token = trade(&key).await;
    assert!(active(&token).await && active(&key.key).await);
    app.delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    assert!(!active(&token).await && !active(&key.key).await);
    // Paused, and going on.
    let key = shop.key().await;
    let token = trade(&key).await;
    for (disabled, expected) in [(true, false), (false, true)] {
        let pause = app.patch(&key.path("")).operator();
        pause
            .json(json!({"disabled": disabled}))
            .send()
            .await
            .expect(200);
        assert_eq!(active(&token).await, expected);
        assert_eq!(active(&key.key).await, expected);
    }
    // Rotated with a grace: the old generation goes on until then.
    let rotate = app.post(&key.path("/rotate")).operator();
    let rotated = rotate.json(json!({"grace_seconds": 60})).send().await;
    let rotated = Issued::read(rotated.expect(200));
    assert!(active(&token).await && active(&key.key).await);
    assert!(active(&trade(&rotated).await).await);
    app.pass(60);
    assert!(!active(&token).await && !active(&key.key).await);
    // Its organization is paused.
    let token = trade(&rotated).await;
    let path = format!("/v1/organizations/{}", shop.organization);
    let pause = app.patch(&path).operator().json(json!({"disabled": true}));
    pause.send().await.expect(200);
    assert!(!active(&token).await && !active(&rotated.key).await);
}

#[tokio::test]
async fn a_token_dies_with_its_application() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let server = payment_service(&shop).await;
    let client = cart_service(&shop).await;
    let token = token(&shop, &client).await;
    let active = async || introspect(app, &server, &token).await["active"] == true;
    assert!(active().await);
    for (disabled, expected) in [(true, false), (false, true)] {
        let pause = app.patch(&client.path("")).operator();
        pause
            .json(json!({"disabled": disabled}))
            .send()
            .await
            .expect(200);
        assert_eq!(active().await, expected);
    }
    app.delete(&client.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    assert!(!active().await);
}

#[tokio::test]
async fn in_3_the_scope_is_cut_to_what_is_held_now() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let server = payment_service(&shop).await;
    let both = json!([{"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}]);
    let read = json!([{"resource": PAYMENT, "scopes": ["read:payment"]}]);
    let role = machine_role(app, "till", both.clone()).await;
    let client = make(app, json!({"roles": [role]})).await;
    let key = shop.issue(json!({"permissions": both})).await;
    let tokens = [
        grant(app, &client, &[]).await.text("access_token"),
        app.trade(&key.key).await.text("access_token"),
        key.key.clone(),
    ];
    let scopes = async || {
        let mut scopes = Vec::new();
        for token in &tokens {
            let answer = introspect(app, &server, token).await;
            scopes.push(answer["scope"].as_str().unwrap_or("dead").to_owned());
        }
        scopes
    };
    assert_eq!(scopes().await, ["read:payment write:payment"; 3]);
    let path = format!("/v1/roles/{role}");
    let change = app.patch(&path).operator();
    change
        .json(json!({"permissions": read}))
        .send()
        .await
        .expect(200);
    let change = app.put(&key.path("/permissions")).operator();
    change
        .json(json!({"permissions": read}))
        .send()
        .await
        .expect(200);
    assert_eq!(scopes().await, ["read:payment"; 3]);
    // With nothing left it is as good as dead.
    let change = app.patch(&path).operator();
    change
        .json(json!({"permissions": []}))
        .send()
        .await
        .expect(200);
    let change = app.put(&key.path("/permissions")).operator();
    change
        .json(json!({"permissions": []}))
        .send()
        .await
        .expect(200);
    assert_eq!(scopes().await, ["dead"; 3]);
}

#[tokio::test]
async fn a_key_is_told_as_far_as_the_asker_serves_what_it_opens() {
    let shop = Shop::new().await;
    let app = &shop.app;
    app.resource("https://stock.example.com", &["read:cart", "read:stock"])
        .await;
    let permissions = json!([
        {"resource": PAYMENT, "scopes": ["write:payment"]},
        {"resource": CART, "scopes": ["read:cart"]},
        {"resource": "https://stock.example.com", "scopes": ["read:stock"]},
    ]);
    let body = json!({
        "permissions": permissions, "expires_at": app.time_in(600), "owner": {"iss": "https://sso.example.com", "sub": "ann"},
    });
    let key = shop.issue(body).await;
    let server = payment_service(&shop).await;
    let answer = introspect(app, &server, &key.key).await.expect(200);
    assert_eq!(
        answer.redacted(),
        json!({
            "active": true, "scope": "write:payment", "client_id": "key_…", "token_type": API_KEY,
            "exp": app.now().as_second() + 600, "sub": "key_…", "aud": PAYMENT, "iss": ISSUER, "org_id": "org_…",
            "owner": {"iss": "https://sso.example.com", "sub": "ann"}, "gen": "crd_…",
        })
    );
    // At all three: read:cart is not told, for the key does not hold it wherever it exists.
    let auditor = auditor(&shop, json!({})).await;
    let answer = introspect(app, &auditor, &key.key).await.expect(200);
    assert_eq!(answer["scope"], "read:stock write:payment");
    assert_eq!(
        answer["aud"],
        json!([CART, PAYMENT, "https://stock.example.com"])
    );
    let at = async |asker: &Application, resource: &str| {
        let form = [("token", key.key.as_str()), ("resource", resource)];
        let request = app.post("/oauth/introspect").by(asker).form(&form);
        request.send().await.expect(200)
    };
    assert_eq!(at(&auditor, CART).await["scope"], "read:cart");
    assert_inactive(&at(&server, CART).await);
    let nothing = shop.issue(json!({"permissions": []})).await;
    assert_inactive(&introspect(app, &auditor, &nothing.key).await);
}

#[tokio::test]
async fn in_6_whoever_asks_about_many_dead_tokens_waits() {
    let setup =
        TestApp::setup().config(|config| config.limits.inactive_introspections_per_minute = 5);
    let shop = Shop::on(setup.start().await).await;
    let client = cart_service(&shop).await;
    let token = token(&shop, &client).await;
    for _ in 0..5 {
        assert_inactive(&introspect(&shop.app, &client, "x").await);
    }
    let waits = introspect(&shop.app, &client, "x").await.expect(429);
    assert_eq!(waits["error"], "temporarily_unavailable");
    // Good tokens are answered all the same, and others do not feel it.
    assert_eq!(introspect(&shop.app, &client, &token).await["active"], true);
    let server = payment_service(&shop).await;
    assert_inactive(&introspect(&shop.app, &server, "x").await);
}
