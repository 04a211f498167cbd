//! `/v1/signing-keys`: rotation that no verifier notices.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use jsonwebtoken::jwk::JwkSet;
use serde_json::{Value, json};

use crate::support::credentials::OperatorWith;
use crate::support::test_app::{PAYMENT, Shop, TestApp};
use crate::support::transcript::Answer;
use crate::support::verifier::{jwk_set, verified};

const MAX_AGE: i64 = 300;

async fn rotate(app: &TestApp, body: Value) -> Answer {
    let request = app.post("/v1/signing-keys/rotate").operator().json(body);
    request.send().await
}

/// How many keys are in each state.
async fn states(app: &TestApp) -> (usize, usize, usize) {
    let list = app
        .get("/v1/signing-keys")
        .operator()
        .send()
        .await
        .expect(200);
    let items = list["items"].as_array().unwrap().clone();
    let count = |state: &str| items.iter().filter(|item| item["state"] == state).count();
    (count("next"), count("active"), count("retired"))
}

/// A resource server that reads the set as seldom as it may.
struct Verifier {
    set: JwkSet,
    read_at: i64,
}

impl Verifier {
    async fn accepts(&mut self, app: &TestApp, token: &str) -> bool {
        let now = app.now().as_second();
        if now - self.read_at >= MAX_AGE {
            *self = Self {
                set: jwk_set(app).await,
                read_at: now,
            };
        }
        verified(&self.set, token, PAYMENT).is_some()
    }
}

#[tokio::test]
async fn the_first_start_makes_one_key_that_signs_and_one_that_will_for_each_algorithm() {
    let app = TestApp::new().await;
    assert_eq!(states(&app).await, (3, 3, 0));
    let list = app
        .get("/v1/signing-keys")
        .operator()
        .send()
        .await
        .expect(200);
    let item = &list["items"][0];
    let shown = app.get(&format!(
        "/v1/signing-keys/{}",
        item["kid"].as_str().unwrap()
    ));
    assert_eq!(shown.operator().send().await.expect(200).json(), item);
    let members: Vec<&String> = item.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        [
            "algorithm",
            "created_at",
            "kid",
            "remove_at",
            "retired_at",
            "state"
        ]
    );
    for kid in ["nonsense", "%20", "%00", "../resources"] {
        app.get(&format!("/v1/signing-keys/{kid}"))
            .operator()
            .send()
            .await
            .problem("not_found");
    }
    for (query, code, field) in [
        ("?limit=0", "invalid_parameter", "limit"),
        ("?cursor=x", "invalid_parameter", "cursor"),
        ("?state=next", "unknown_field", "state"),
    ] {
        let answer = app
            .get(&format!("/v1/signing-keys{query}"))
            .operator()
            .send()
            .await;
        answer.problem(code).names(field);
    }
    // Page by page, each key comes once.
    let (mut seen, mut path) = (Vec::new(), "/v1/signing-keys?limit=4".to_owned());
    loop {
        let page = app.get(&path).operator().send().await.expect(200);
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["kid"].to_string()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/signing-keys?limit=4&cursor={cursor}");
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6);
}

#[tokio::test]
async fn a_next_key_does_not_sign_before_every_verifier_knows_it() {
    let app = TestApp::new().await;
    let answer = rotate(&app, json!({})).await.problem("next_key_too_young");
    assert_eq!(answer.header("retry-after"), Some("600"));
    app.pass(2 * MAX_AGE - 1);
    let answer = rotate(&app, json!({"algorithm": "ES256"})).await;
    assert_eq!(
        answer.problem("next_key_too_young").header("retry-after"),
        Some("1")
    );
    assert_eq!(states(&app).await, (3, 3, 0));
    app.pass(1);
    rotate(&app, json!({"algorithm": "ES256"}))
        .await
        .expect(200);
    assert_eq!(states(&app).await, (3, 3, 1));
    // The other algorithms go on as they were.
    rotate(&app, json!({"algorithm": "ES256"}))
        .await
        .problem("next_key_too_young");
    rotate(&app, json!({"algorithm": "EdDSA"}))
        .await
        .expect(200);
    assert_eq!(states(&app).await, (3, 3, 2));
}

#[tokio::test]
async fn a_rotation_whose_answer_was_lost_gives_the_same_answer_and_rotates_once() {
    let app = TestApp::new().await;
    let rotate = async |app: &TestApp, attempt: &str, body: Value| {
        let request = app.post("/v1/signing-keys/rotate").operator();
        request.idempotency_key(attempt).json(body).send().await
    };
    // One that was refused runs afresh.
    let refused = rotate(&app, "a-name-for-it", json!({})).await;
    refused.problem("next_key_too_young");
    app.pass(2 * MAX_AGE);
    let first = rotate(&app, "a-name-for-it", json!({})).await.expect(200);
    let shown = first.json();
    // Within the time in which a repeat by itself would be refused, and long after it, when it would rotate again.
    for seconds in [0, 2 * MAX_AGE, 4 * 60 * 60] {
        app.pass(seconds);
        let again = rotate(&app, "a-name-for-it", json!({})).await.expect(200);
        assert_eq!(again.json(), shown);
    }
    let app = app.restart().await;
    let again = rotate(&app, "a-name-for-it", json!({})).await.expect(200);
    assert_eq!(again.json(), shown);
    rotate(&app, "a-name-for-it", json!({"algorithm": "ES256"}))
        .await
        .problem("idempotency_key_reused");
    let trail = app
        .get("/v1/audit-events?action=signing_keys.rotated&actor=operator:test")
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(trail["items"].as_array().unwrap().len(), 1);
    rotate(&app, "another-name", json!({})).await.expect(200);
    assert_ne!(states(&app).await.2, 0);
    let other = rotate(&app, "a-name-for-it", json!({})).await.expect(200);
    assert_eq!(other.json(), shown, "as it was then");
}

#[tokio::test]
async fn two_calls_of_one_name_at_once_rotate_the_signing_keys_once() {
    let app = TestApp::new().await;
    app.pass(2 * MAX_AGE);
    let (_, active, retired) = states(&app).await;
    let rotate = async || {
        let request = app.post("/v1/signing-keys/rotate").operator();
        let request = request.idempotency_key("a-name-for-it");
        request.json(json!({})).send().await
    };
    let (one, other) = tokio::join!(rotate(), rotate());
    let done = [&one, &other]
        .iter()
        .filter(|answer| answer.status == 200)
        .count();
    assert!(done >= 1, "{}", one.transcript());
    for answer in [one, other] {
        if answer.status != 200 {
            answer.problem("idempotency_in_progress");
        }
    }
    assert_eq!(states(&app).await, (3, active, retired + 3));
}

#[tokio::test]
async fn a_wrong_body_is_told_with_its_field() {
    let app = TestApp::new().await;
    app.pass(2 * MAX_AGE);
    for (body, code, field) in [
        (
            json!({"algorithm": "HS256"}),
            "invalid_parameter",
            "algorithm",
        ),
        (json!({"algorithm": 7}), "invalid_parameter", "algorithm"),
        (json!({"alg": "ES256"}), "unknown_field", "alg"),
        (json!(["ES256"]), "invalid_parameter", "body"),
    ] {
        rotate(&app, body).await.problem(code).names(field);
    }
    assert_eq!(states(&app).await, (3, 3, 0));
    let none = app.post("/v1/signing-keys/rotate").operator();
    none.send().await.expect(200);
}

#[tokio::test]
async fn a_verifier_that_caches_the_set_never_meets_a_token_that_it_refuses() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let key = shop.key().await;
    let mut verifier = Verifier {
        set: jwk_set(app).await,
        read_at: app.now().as_second(),
    };
    let mut alive: Vec<(i64, String)> = Vec::new();
    let mut kids = std::collections::HashSet::new();
    let mut rotations = 0;
    // Three hours, a token and an attempt to rotate each 50 seconds.
    for _ in 0..216 {
        app.pass(50);
        let now = app.now().as_second();
        if rotate(app, json!({"algorithm": "ES256"})).await.status == 200 {
            rotations += 1;
        }
        let answer = app.trade(&key.key).await.expect(200);
        let token = answer.text("access_token");
        kids.insert(crate::support::test_app::jose_header(&token)["kid"].to_string());
        alive.push((now + answer["expires_in"].as_i64().unwrap(), token));
        alive.retain(|(exp, _)| *exp > now);
        for (_, token) in &alive {
            assert!(verifier.accepts(app, token).await);
        }
    }
    assert_eq!(rotations, 18);
    assert!(kids.len() >= 18);
}

#[tokio::test]
async fn keys_are_replaced_by_age_and_removed_when_no_token_needs_them() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let before = shop
        .app
        .trade(&key.key)
        .await
        .expect(200)
        .text("access_token");
    shop.app.pass(60 * 60 * 24 * 91);
    let shop = shop.again(TestApp::restart).await;
    assert_eq!(states(&shop.app).await, (3, 3, 3));
    let after = shop
        .app
        .trade(&key.key)
        .await
        .expect(200)
        .text("access_token");
    let set = jwk_set(&shop.app).await;
    for token in [&before, &after] {
        assert!(verified(&set, token, PAYMENT).is_some());
    }
    shop.app.pass(60 * 60 + 10 * 60);
    let shop = shop.again(TestApp::restart).await;
    assert_eq!(states(&shop.app).await, (3, 3, 0));
    let set = jwk_set(&shop.app).await;
    assert!(verified(&set, &before, PAYMENT).is_none());
    assert!(verified(&set, &after, PAYMENT).is_some());
}

#[tokio::test]
async fn rotating_breaks_no_management_token() {
    let app = TestApp::new().await;
    app.pass(2 * MAX_AGE);
    app.get("/v1/keys").operator().send().await.expect(200);
    rotate(&app, json!({})).await.expect(200);
    // The same token as before, signed by a key that is retired now.
    app.get("/v1/keys").operator().send().await.expect(200);
}

/// The keys in this state.
async fn kids(app: &TestApp, state: &str) -> Vec<String> {
    let list = app.get("/v1/signing-keys").operator().send().await;
    let list = list.expect(200);
    let items = list["items"].as_array().unwrap().iter();
    items
        .filter(|item| item["state"] == state)
        .map(|item| item["kid"].as_str().unwrap().to_owned())
        .collect()
}

async fn withdraw(app: &TestApp, kid: &str) -> Answer {
    let path = format!("/v1/signing-keys/{kid}/withdraw");
    let answer = app.post(&path).operator().send().await;
    // It may be the one that signed the operator's token.
    app.forget_operator_token();
    answer
}

#[tokio::test]
async fn a_withdrawn_key_is_out_of_the_set_at_once_and_another_signs() {
    let setup = TestApp::setup().config(|config| config.token.reuse_seconds = 60);
    let shop = Shop::on(setup.start().await).await;
    let app = &shop.app;
    let key = shop.key().await;
    let leaked = app.trade(&key.key).await.expect(200).text("access_token");
    let kid = crate::support::test_app::jose_header(&leaked)["kid"].clone();
    let kid = kid.as_str().unwrap();
    let answer = withdraw(app, kid).await.expect(200);
    assert_eq!(answer["state"], "withdrawn");
    assert_eq!(answer["kid"], kid);
    assert!(answer.header("etag").is_some());
    let set = jwk_set(app).await;
    assert!(set.find(kid).is_none());
    assert!(verified(&set, &leaked, PAYMENT).is_none());
    // The next one signs at once, and nothing that the old one signed is handed out again.
    let token = app.trade(&key.key).await.expect(200).text("access_token");
    assert!(verified(&set, &token, PAYMENT).is_some());
    assert_eq!(states(app).await, (3, 3, 0));
    // Once more is done, and on record once.
    withdraw(app, kid).await.expect(200);
    let events =
        "SELECT count(*) AS number FROM audit_events WHERE action = 'signing_keys.withdrawn'";
    assert_eq!(app.count(events).await, 1);
    withdraw(app, "nonsense").await.problem("not_found");
    let shop = shop.again(TestApp::restart).await;
    assert_eq!(kids(&shop.app, "withdrawn").await, [kid]);
    assert!(jwk_set(&shop.app).await.find(kid).is_none());
    shop.app.trade(&key.key).await.expect(200);
}

#[tokio::test]
async fn a_key_of_any_state_can_be_withdrawn_and_one_signs_and_one_is_next() {
    let app = TestApp::new().await;
    app.pass(2 * MAX_AGE);
    rotate(&app, json!({})).await.expect(200);
    for state in ["next", "retired", "active"] {
        for kid in kids(&app, state).await {
            withdraw(&app, &kid).await.expect(200);
            assert!(jwk_set(&app).await.find(&kid).is_none());
        }
    }
    assert_eq!(states(&app).await, (3, 3, 0));
    assert_eq!(kids(&app, "withdrawn").await.len(), 9);
}

#[tokio::test]
async fn a_management_token_that_a_withdrawn_key_signed_is_refused() {
    let app = TestApp::new().await;
    let token = app.operator_token(None);
    let kid = crate::support::test_app::jose_header(&token)["kid"].clone();
    let path = format!("/v1/signing-keys/{}/withdraw", kid.as_str().unwrap());
    let bearer = crate::support::credentials::Bearer(&token);
    app.post(&path).by(&bearer).send().await.expect(200);
    app.get("/v1/keys")
        .by(&bearer)
        .send()
        .await
        .problem("invalid_token");
    app.get("/v1/keys")
        .by(&OperatorWith("keys:read"))
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn rotations_and_withdrawals_at_once_leave_one_that_signs_and_one_that_will() {
    let app = TestApp::setup().workers(3).start().await;
    app.pass(2 * MAX_AGE);
    let active = kids(&app, "active").await;
    let scopes = OperatorWith("signing_keys:read signing_keys:write");
    let rotate = || app.post("/v1/signing-keys/rotate").by(&scopes).send();
    let withdraw = |kid: &str| {
        let path = format!("/v1/signing-keys/{kid}/withdraw");
        app.post(&path).by(&scopes).send()
    };
    // Whichever wins, the other finds it or does its work on it; a token of a withdrawn key is refused.
    let calls = (
        rotate(),
        withdraw(&active[0]),
        rotate(),
        withdraw(&active[1]),
    );
    let (a, b, c, d) = tokio::join!(calls.0, calls.1, calls.2, calls.3);
    for answer in [a, b, c, d] {
        assert!(
            matches!(answer.status, 200 | 401 | 409),
            "{}",
            answer.transcript()
        );
    }
    let list = app
        .get("/v1/signing-keys")
        .by(&scopes)
        .send()
        .await
        .expect(200);
    let items = list["items"].as_array().unwrap();
    for (state, number) in [("active", 3), ("next", 3)] {
        let found = items.iter().filter(|item| item["state"] == state).count();
        assert_eq!(found, number, "{state}");
    }
}
