//! `Idempotency-Key`: a call whose answer was lost is repeated, and gives the same answer instead of a second key.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::keys::keys_on_record;
use crate::support::credentials::{Key, OperatorWith};
use crate::support::fake_provider::{Ask, FakeProvider, Mood};
use crate::support::test_app::{Issued, PAYMENT, Shop, TestApp};
use crate::support::transcript::Answer;

const DAY: i64 = 24 * 60 * 60;

async fn create(shop: &Shop, attempt: &str, further: Value) -> Answer {
    let request = shop
        .app
        .post("/v1/keys")
        .operator()
        .idempotency_key(attempt);
    request.json(shop.wanted(further)).send().await
}

async fn rotate(shop: &Shop, key: &Issued, attempt: &str, body: Value) -> Answer {
    let request = shop
        .app
        .post(&key.path("/rotate"))
        .operator()
        .idempotency_key(attempt);
    request.json(body).send().await
}

/// Status, headers and body as they were, but for the request id.
fn same(one: &Answer, other: &Answer) {
    let (mut one, mut other) = (one.without_request_id(), other.without_request_id());
    one.1.sort();
    other.1.sort();
    assert_eq!(one, other);
}

#[tokio::test]
async fn a_repeated_creation_gives_the_same_answer_and_one_key() {
    let shop = Shop::new().await;
    let first = create(&shop, "a-name-for-the-attempt", json!({}))
        .await
        .expect(201);
    let second = create(&shop, "a-name-for-the-attempt", json!({})).await;
    same(&first, &second);
    assert_eq!(keys_on_record(&shop.app).await, 1);
    shop.app.pass(DAY - 1);
    same(
        &first,
        &create(&shop, "a-name-for-the-attempt", json!({})).await,
    );
    // Quoted, as the draft has it, it is the same name.
    same(
        &first,
        &create(&shop, "\"a-name-for-the-attempt\"", json!({})).await,
    );
    let other = create(&shop, "another-name-for-it", json!({}))
        .await
        .expect(201);
    assert_ne!(other["id"], first["id"]);
}

#[tokio::test]
async fn after_a_day_the_name_is_free_again() {
    let shop = Shop::new().await;
    let first = create(&shop, "a-name-for-the-attempt", json!({}))
        .await
        .expect(201);
    shop.app.pass(DAY);
    let again = create(&shop, "a-name-for-the-attempt", json!({}))
        .await
        .expect(201);
    assert_ne!(again["id"], first["id"]);
}

#[tokio::test]
async fn every_creation_and_rotation_can_be_repeated() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    for (path, body) in [
        ("/v1/organizations".to_owned(), json!({"name": "Other"})),
        (
            "/v1/resources".to_owned(),
            json!({"identifier": "https://other.example"}),
        ),
        (
            format!("/v1/resources/{}/permissions", shop.cart),
            json!({"name": "write:cart"}),
        ),
        (
            "/v1/roles".to_owned(),
            json!({"name": "clerk", "kind": "user", "permissions": []}),
        ),
        (
            "/v1/users".to_owned(),
            json!({"iss": "https://sso.example", "sub": "ann"}),
        ),
        (key.path("/rotate"), json!({"grace_seconds": 60})),
    ] {
        let send = async || {
            let request = shop
                .app
                .post(&path)
                .operator()
                .idempotency_key("a-name-for-the-attempt");
            request.json(body.clone()).send().await
        };
        let first = send().await;
        assert!(first.status < 300, "{}", first.transcript());
        same(&first, &send().await);
    }
}

#[tokio::test]
async fn another_body_under_the_same_name_is_refused() {
    let shop = Shop::new().await;
    create(&shop, "a-name-for-the-attempt", json!({}))
        .await
        .expect(201);
    let other = create(&shop, "a-name-for-the-attempt", json!({"name": "x"})).await;
    other.problem("idempotency_key_reused");
    assert_eq!(keys_on_record(&shop.app).await, 1);
}

#[tokio::test]
async fn a_name_belongs_to_one_caller_and_one_path() {
    let shop = Shop::new().await;
    let (one, two) = (shop.key().await, shop.key().await);
    let first = rotate(&shop, &one, "a-name-for-the-attempt", json!({}))
        .await
        .expect(200);
    let other = rotate(&shop, &two, "a-name-for-the-attempt", json!({}))
        .await
        .expect(200);
    assert_ne!(first["id"], other["id"]);
    let manager = crate::management::manager(&shop, &["keys:write"]).await;
    let create_as = async |by_manager: bool| {
        let request = shop
            .app
            .post("/v1/keys")
            .idempotency_key("a-name-for-the-attempt");
        let body = shop.wanted(json!({"permissions": []}));
        if by_manager {
            request.by(&manager)
        } else {
            request.operator()
        }
        .json(body)
        .send()
        .await
        .expect(201)
    };
    assert_ne!(create_as(true).await["id"], create_as(false).await["id"]);
    // The same caller with another token is the same caller.
    let request = shop.app.post("/v1/keys").by(&OperatorWith("keys:write"));
    let request = request.idempotency_key("a-name-for-the-attempt");
    let again = request
        .json(shop.wanted(json!({"permissions": []})))
        .send()
        .await;
    assert_eq!(again.expect(201)["id"], create_as(false).await["id"]);
}

#[tokio::test]
async fn a_call_that_came_to_nothing_runs_afresh() {
    let shop = Shop::new().await;
    let wrong = json!({"permissions": [{"resource": "https://late.example", "scopes": ["read"]}]});
    let refused = create(&shop, "a-name-for-the-attempt", wrong.clone()).await;
    refused.problem("invalid_parameter");
    shop.app.resource("https://late.example", &["read"]).await;
    create(&shop, "a-name-for-the-attempt", wrong)
        .await
        .expect(201);
}

#[tokio::test]
async fn while_the_first_call_runs_the_second_is_told_to_wait() {
    let fake = FakeProvider::new("fake");
    let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
    let app = Arc::new(shop);
    let at_fake = json!({"identity_provider": "fake"});
    fake.when(
        Ask::Create,
        Mood::Late(std::time::Duration::from_millis(700)),
    );
    let first = create(&app, "a-name-for-the-attempt", at_fake.clone());
    let second = async {
        while fake.times(Ask::Create) == 0 {
            tokio::task::yield_now().await;
        }
        let answer = create(&app, "a-name-for-the-attempt", at_fake.clone()).await;
        let answer = answer.problem("idempotency_in_progress");
        assert_eq!(answer.header("retry-after"), Some("1"));
        let other = create(&app, "a-name-for-the-attempt", json!({"name": "x"})).await;
        other.problem("idempotency_key_reused");
    };
    let (first, ()) = tokio::join!(first, second);
    same(
        &first.expect(201),
        &create(&app, "a-name-for-the-attempt", at_fake).await,
    );
}

#[tokio::test]
async fn a_call_that_was_given_up_for_dead_makes_no_second_key() {
    let fake = FakeProvider::new("fake");
    let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
    let at_fake = json!({"identity_provider": "fake"});
    fake.when(
        Ask::Create,
        Mood::Late(std::time::Duration::from_millis(700)),
    );
    let first = create(&shop, "a-name-for-the-attempt", at_fake.clone());
    let second = async {
        while fake.times(Ask::Create) == 0 {
            tokio::task::yield_now().await;
        }
        fake.works_again();
        shop.app.pass(30);
        create(&shop, "a-name-for-the-attempt", at_fake.clone()).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.status, 409, "{}", first.transcript());
    let second = second.expect(201);
    same(
        &second,
        &create(&shop, "a-name-for-the-attempt", at_fake).await,
    );
    assert_eq!(keys_on_record(&shop.app).await, 1);
}

#[tokio::test]
async fn the_answer_is_erased_when_its_key_is_rotated_or_revoked() {
    let shop = Shop::new().await;
    let one = Issued::read(
        create(&shop, "a-name-for-the-first", json!({}))
            .await
            .expect(201),
    );
    let two = Issued::read(
        create(&shop, "a-name-for-the-second", json!({}))
            .await
            .expect(201),
    );
    rotate(&shop, &one, "a-name-for-the-rotation", json!({}))
        .await
        .expect(200);
    shop.app
        .delete(&two.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    create(&shop, "a-name-for-the-first", json!({}))
        .await
        .problem("idempotency_answer_gone");
    create(&shop, "a-name-for-the-second", json!({}))
        .await
        .problem("idempotency_answer_gone");
    rotate(&shop, &one, "a-name-for-the-rotation", json!({}))
        .await
        .expect(200);
    rotate(&shop, &one, "another-name-for-a-rotation", json!({}))
        .await
        .expect(200);
    rotate(&shop, &one, "a-name-for-the-rotation", json!({}))
        .await
        .problem("idempotency_answer_gone");
    assert_eq!(keys_on_record(&shop.app).await, 2);
}

#[tokio::test]
async fn the_answer_is_erased_however_its_key_is_stopped() {
    let shop = Shop::new().await;
    let mut keys = Vec::new();
    for attempt in ["one", "two", "three"] {
        keys.push(Issued::read(
            create(&shop, attempt, json!({})).await.expect(201),
        ));
    }
    let own = shop.app.post("/v1/key/revoke").by(&Key(&keys[0].key));
    own.send().await.expect(204);
    let leaked = shop.app.post("/v1/keys/revoke-leaked");
    let leaked = leaked.json(json!({"keys": [keys[1].key]})).send().await;
    leaked.expect(200);
    let many = shop.app.post("/v1/keys/revoke").operator();
    let many = many.json(json!({"organization_id": shop.organization}));
    assert_eq!(many.send().await.expect(200)["count"], 1);
    for attempt in ["one", "two", "three"] {
        create(&shop, attempt, json!({}))
            .await
            .problem("idempotency_answer_gone");
    }
    let sealed = "SELECT count(*) AS number FROM idempotency WHERE credential_id IS NOT NULL AND sealed_answer IS NOT NULL";
    assert_eq!(shop.app.count(sealed).await, 0);
}

#[tokio::test]
async fn the_answer_is_erased_once_its_key_was_used() {
    let shop = Shop::new().await;
    let key = Issued::read(
        create(&shop, "a-name-for-the-attempt", json!({}))
            .await
            .expect(201),
    );
    shop.app.trade(&key.key).await.expect(200);
    // With the batch in which the first use is written down, which a stop writes too.
    let shop = shop.again(TestApp::restart).await;
    create(&shop, "a-name-for-the-attempt", json!({}))
        .await
        .problem("idempotency_answer_gone");
    assert_eq!(keys_on_record(&shop.app).await, 1);
}

#[tokio::test]
async fn an_answer_that_holds_no_secret_is_given_all_day() {
    let shop = Shop::new().await;
    let send = async || {
        let request = shop.app.post("/v1/organizations").operator();
        request
            .idempotency_key("a-name-for-the-attempt")
            .json(json!({"name": "Other"}))
            .send()
            .await
    };
    let first = send().await.expect(201);
    let path = format!("/v1/organizations/{}", first.text("id"));
    shop.app
        .patch(&path)
        .operator()
        .json(json!({"name": "x"}))
        .send()
        .await
        .expect(200);
    same(&first, &send().await);
}

#[tokio::test]
async fn a_call_that_a_crash_cut_off_is_undone_and_its_repeat_runs() {
    let fake = FakeProvider::new("fake");
    let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
    let at_fake = json!({"identity_provider": "fake"});
    fake.when(Ask::Create, Mood::AnswersNever);
    let request = shop
        .app
        .post("/v1/keys")
        .operator()
        .idempotency_key("a-name-for-the-attempt");
    let connection = request.json(shop.wanted(at_fake.clone())).begin().await;
    while fake.users().is_empty() {
        tokio::task::yield_now().await;
    }
    let shop = shop.again(TestApp::crash).await;
    drop(connection);
    fake.works_again();
    if shop.app.database().file().is_none() {
        // With PostgreSQL another node may be running it: only time tells.
        let answer = create(&shop, "a-name-for-the-attempt", at_fake.clone()).await;
        answer.problem("idempotency_in_progress");
        shop.app.pass(30);
    }
    let key = create(&shop, "a-name-for-the-attempt", at_fake)
        .await
        .expect(201);
    shop.app.trade(&key.text("key")).await.expect(200);
}

#[tokio::test]
async fn a_wrong_name_is_refused() {
    let shop = Shop::new().await;
    let long = "x".repeat(256);
    for name in ["", " ", "\"\"", "a b", "\"a", &long] {
        let request = shop
            .app
            .post("/v1/keys")
            .operator()
            .header("Idempotency-Key", name);
        let answer = request.json(shop.wanted(json!({}))).send().await;
        answer.problem("invalid_request").names("Idempotency-Key");
    }
    let twice = shop.app.post("/v1/keys").operator();
    let twice = twice
        .header("Idempotency-Key", "a")
        .header("Idempotency-Key", "a");
    let answer = twice.json(shop.wanted(json!({}))).send().await;
    answer.problem("invalid_request").names("idempotency-key");
    assert_eq!(keys_on_record(&shop.app).await, 0);
}

#[tokio::test]
async fn a_change_that_is_no_creation_takes_no_notice_of_a_name() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    for scope in ["read:payment", "write:payment"] {
        let body = json!({"permissions": [{"resource": PAYMENT, "scopes": [scope]}]});
        let put = shop
            .app
            .put(&key.path("/permissions"))
            .operator()
            .idempotency_key("a-name-for-the-attempt");
        put.json(body).send().await.expect(200);
        assert_eq!(shop.app.claims(&key.key).await["scope"], scope);
    }
}
