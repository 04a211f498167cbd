//! Planted secrets are looked for in everything that this program writes. Every other test does the same for what went over its own
//! wire (`support::witness`); here are the places that they do not reach: error answers, the metrics, and secrets where none belong.

use serde_json::json;

use crate::support::credentials::{Bearer, Key};
use crate::support::fake_provider::{Ask, FakeProvider, Mood};
use crate::support::test_app::{MANAGEMENT, ROOT_SECRET, Shop, TestApp};
use crate::support::witness::Witness;

#[tokio::test]
async fn a_secret_in_the_wrong_place_is_neither_answered_nor_logged() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let key = shop.key().await;
    let canary = key.key.as_str();
    // One that was never valid, but looks the part.
    let other = "canary-canary-canary-canary-0123456789";
    app.witness().keep(other);
    let mut answers = Vec::new();
    for secret in [canary, other] {
        let requests = [
            app.get(&format!("/v1/keys/{secret}")).operator(),
            app.get(&format!("/v1/keys?cursor={secret}")).operator(),
            app.get(&format!("/v1/keys?organization_id={secret}"))
                .operator(),
            app.get(&format!("/v1/{secret}")).operator(),
            app.get(&format!("/livez?api_key={secret}")),
            app.post("/v1/token")
                .by(&Key(canary))
                .form(&[("resource", secret)]),
            app.post("/v1/token")
                .by(&Key(canary))
                .form(&[("scope", secret)]),
            app.post("/v1/token").by(&Key(&format!("{secret}x"))),
            app.post("/v1/token")
                .header("Authorization", format!("Basic {secret}")),
            app.get("/v1/keys").by(&Bearer(secret)),
            app.post("/v1/keys")
                .operator()
                .json(shop.wanted(json!({"organization_id": secret}))),
            app.post("/v1/keys")
                .operator()
                .json(shop.wanted(json!({"expires_at": secret}))),
            app.post("/v1/keys")
                .operator()
                .json(shop.wanted(json!({"metadata": {"A": secret}}))),
            app.post("/v1/keys")
                .operator()
                .json(shop.wanted(json!({"identity_provider": secret}))),
            app.post("/v1/keys")
                .operator()
                .json(shop.wanted(json!({"allowed_cidrs": [secret]}))),
            app.post("/v1/keys").operator().json(json!(secret)),
            app.post("/v1/keys")
                .operator()
                .body("application/json", format!("{{\"name\": {secret}")),
            app.post("/v1/keys")
                .operator()
                .body(&format!("text/{secret}"), "x"),
            app.patch(&key.path(""))
                .operator()
                .if_match(secret)
                .json(json!({})),
            app.post("/v1/keys/revoke-leaked")
                .json(json!({"keys": secret})),
            app.request("GET", "/v1/keys")
                .operator()
                .header("Cookie", format!("session={secret}")),
        ];
        for request in requests {
            let answer = request.send().await;
            assert!(answer.status < 500);
            answers.push(answer);
        }
    }
    // Of what is wrong the answer repeats names alone, never values.
    for answer in &answers {
        let transcript = answer.transcript();
        let (_, answer) = transcript.split_once('\n').unwrap();
        app.witness()
            .assert_absent(answer.as_bytes(), &format!("the answer {}", &answer[..3]));
    }
    let metrics = app.get("/metrics").send().await.expect(200);
    app.witness().assert_absent(&metrics.body, "the metrics");
}

#[tokio::test]
async fn what_this_deployment_keeps_secret_is_nowhere_in_clear() {
    let fake = FakeProvider::new("fake");
    let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
    let app = &shop.app;
    app.witness()
        .keep(std::str::from_utf8(ROOT_SECRET).unwrap());
    let at_fake = json!({"identity_provider": "fake"});
    let key = shop.issue(at_fake.clone()).await;
    for password in fake.passwords() {
        app.witness().keep(&password);
        // The key alone signs in nowhere but here.
        assert!(!key.key.contains(&password));
    }
    // An attempt whose answer is kept, one that fails, and one that fails at the provider.
    let create = async |name: &str, body: serde_json::Value| {
        let request = app.post("/v1/keys").operator().idempotency_key(name);
        request.json(shop.wanted(body)).send().await
    };
    create("canary-of-an-attempt-that-is-kept", at_fake.clone())
        .await
        .expect(201);
    create("canary-of-an-attempt-that-fails", json!({"name": ""}))
        .await
        .problem("invalid_parameter");
    fake.when(Ask::Create, Mood::Refuses);
    let down = create("canary-of-an-attempt-at-a-sick-provider", at_fake).await;
    down.problem("identity_provider_unavailable");
    fake.works_again();
    for password in fake.passwords() {
        app.witness().keep(&password);
    }
    let management = shop
        .issue(json!({"permissions": [{"resource": MANAGEMENT, "scopes": ["keys:read"]}]}))
        .await;
    let token = app
        .trade(&management.key)
        .await
        .expect(200)
        .text("access_token");
    app.get("/v1/keys")
        .by(&Bearer(&token))
        .send()
        .await
        .expect(200);
    for path in [
        "/v1/keys?limit=200",
        "/v1/audit-events?limit=200",
        "/v1/signing-keys",
        "/metrics",
        "/.well-known/jwks.json",
    ] {
        let answer = app.get(path).operator().send().await.expect(200);
        app.witness().assert_absent(&answer.body, path);
    }
}

#[tokio::test]
async fn the_witness_would_see_a_key_in_the_log() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let careless = Witness::default();
    careless.keep(&key.id);
    shop.app
        .get(&key.path(""))
        .operator()
        .send()
        .await
        .expect(200);
    let shop = shop.again(TestApp::restart).await;
    let log = String::from_utf8(shop.app.log().bytes()).unwrap();
    assert!(log.contains(&key.id), "the log is what the witness reads");
    let database = shop.app.dump().await;
    let seen = std::panic::catch_unwind(|| careless.assert_absent(&database, "the database"));
    assert!(seen.is_err(), "an id is no secret, and is there");
}
