//! `[retention]`: what has served its purpose goes when its time is over, by the clock, and a key that lives never does.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::time::Duration;

use serde_json::{Value, json};

use crate::outbox::wait_until_nothing_is_open;
use crate::support::database::execute;
use crate::support::fake_provider::{Ask, FakeProvider, Mood};
use crate::support::test_app::{Issued, Shop, TestApp};
use crate::support::transcript::Answer;

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;
const GENERATIONS: &str = "SELECT count(*) AS number FROM credentials";
const DONE: &str = "SELECT count(*) AS number FROM idp_operations WHERE done_at IS NOT NULL";

/// Waits until this query gives this number: what is old is looked for all the time, by the clock.
pub(crate) async fn wait_for(app: &TestApp, query: &str, expected: i64) {
    for _ in 0..1000 {
        if app.count(query).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(app.count(query).await, expected, "{query}");
}

/// Lets ten minutes pass twice, so that the server looks for what is old, and waits until it has.
pub(crate) async fn look_for_old(app: &TestApp) {
    // Whoever looks removes this at the end, before the rows of the trail: when it is gone for the second time all had their turn.
    for _ in 0..2 {
        let statement = "INSERT INTO usage_daily (key_id, day, target, exchanges, refusals) \
                         SELECT id, 0, 'x', 0, 0 FROM api_keys";
        let marked = app
            .database()
            .store
            .write(move |tx| execute(tx, statement).map(drop));
        marked.await.unwrap();
        app.pass(600);
        wait_for(
            app,
            "SELECT count(*) AS number FROM usage_daily WHERE day = 0",
            0,
        )
        .await;
    }
}

async fn rotate(shop: &Shop, key: &Issued, body: Value) -> Issued {
    let rotate = shop.app.post(&key.path("/rotate")).operator();
    Issued::read(rotate.json(body).send().await.expect(200))
}

async fn revoke(shop: &Shop, key: &Issued) {
    let delete = shop.app.delete(&key.path("")).operator();
    delete.send().await.expect(204);
}

/// The shortest time for everything.
async fn shop_that_keeps_little() -> Shop {
    let setup = TestApp::setup().config(|config| {
        config.retention.audit_days = Some(1);
        config.retention.generations_days = 1;
        config.retention.operations_days = 1;
        config.retention.usage_days = 1;
    });
    Shop::on(setup.start().await).await
}

#[tokio::test]
async fn the_holder_of_a_dead_key_is_told_why_for_as_long_as_is_set() {
    let setup = TestApp::setup().config(|config| config.retention.generations_days = 10);
    let shop = Shop::on(setup.start().await).await;
    let (rotated, revoked) = (shop.key().await, shop.key().await);
    let successor = rotate(&shop, &rotated, json!({})).await;
    revoke(&shop, &revoked).await;
    wait_until_nothing_is_open(&shop).await;
    shop.app.pass(10 * DAY - 1200);
    look_for_old(&shop.app).await;
    for (key, code) in [(&rotated, "api_key_rotated"), (&revoked, "api_key_revoked")] {
        shop.app.trade(&key.key).await.problem(code);
    }
    assert_eq!(shop.app.count(GENERATIONS).await, 3);
    shop.app.pass(600);
    wait_for(&shop.app, GENERATIONS, 1).await;
    let shop = shop.again(TestApp::restart).await;
    for key in [&rotated, &revoked] {
        shop.app.trade(&key.key).await.problem("invalid_api_key");
    }
    shop.app.trade(&successor.key).await.expect(200);
    // The record of the key stays.
    let get = shop.app.get(&revoked.path("")).operator();
    assert_eq!(get.send().await.expect(200)["status"], "revoked");
}

#[tokio::test]
async fn what_is_told_of_a_dead_key_does_not_depend_on_who_remembers_it() {
    let shop = shop_that_keeps_little().await;
    let key = shop.key().await;
    revoke(&shop, &key).await;
    wait_until_nothing_is_open(&shop).await;
    // Held in memory from here on.
    shop.app.trade(&key.key).await.problem("api_key_revoked");
    shop.app.pass(DAY + 1);
    wait_for(&shop.app, GENERATIONS, 0).await;
    // The subscribers hear of it before the writer does, and the row is gone for us a moment before that.
    for _ in 0..1000 {
        if shop.app.trade(&key.key).await.json()["code"] == "invalid_api_key" {
            return;
        }
    }
    panic!("it is still remembered");
}

#[tokio::test]
async fn a_key_that_lives_is_never_touched() {
    let shop = shop_that_keeps_little().await;
    let used = shop.key().await;
    let disabled = shop.key().await;
    let expiring = shop
        .issue(json!({"expires_at": shop.app.time_in(DAY)}))
        .await;
    let rotated = shop.key().await;
    let month = json!({"grace_seconds": 30 * DAY});
    let successor = rotate(&shop, &rotated, month).await;
    let patch = shop.app.patch(&disabled.path("")).operator();
    patch
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    shop.app.pass(29 * DAY);
    look_for_old(&shop.app).await;
    shop.app.trade(&rotated.key).await.expect(200);
    shop.app.pass(10 * 365 * DAY);
    look_for_old(&shop.app).await;
    let shop = shop.again(TestApp::restart).await;
    for key in [&used, &successor] {
        shop.app.trade(&key.key).await.expect(200);
    }
    shop.app
        .trade(&expiring.key)
        .await
        .problem("api_key_expired");
    shop.app
        .trade(&disabled.key)
        .await
        .problem("api_key_disabled");
    let patch = shop.app.patch(&disabled.path("")).operator();
    patch
        .json(json!({"disabled": false}))
        .send()
        .await
        .expect(200);
    shop.app.trade(&disabled.key).await.expect(200);
    let rotated = rotate(&shop, &used, json!({})).await;
    shop.app.trade(&rotated.key).await.expect(200);
}

#[tokio::test]
async fn a_dead_generation_stays_for_as_long_as_its_user_does() {
    let fake = FakeProvider::new("corp");
    let setup = TestApp::setup().provider(&fake).config(|config| {
        config.retention.generations_days = 1;
        config.retention.operations_days = 1;
    });
    let shop = Shop::on(setup.start().await).await;
    let key = shop.issue(json!({"identity_provider": "corp"})).await;
    fake.when(Ask::Delete, Mood::FailsBefore);
    revoke(&shop, &key).await;
    for _ in 0..5 {
        shop.app.pass(10 * DAY);
        look_for_old(&shop.app).await;
    }
    assert_eq!(shop.app.count(GENERATIONS).await, 1);
    shop.app.trade(&key.key).await.problem("api_key_revoked");
    fake.works_again();
    // When it is tried next.
    shop.app.pass(HOUR);
    wait_until_nothing_is_open(&shop).await;
    shop.app.pass(HOUR);
    wait_for(&shop.app, GENERATIONS, 0).await;
    shop.app.pass(2 * DAY);
    wait_for(&shop.app, DONE, 0).await;
}

#[tokio::test]
async fn finished_operations_go_and_open_ones_do_not() {
    let fake = FakeProvider::new("corp");
    let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
    let (gone, stuck) = (
        shop.issue(json!({"identity_provider": "corp"})).await,
        shop.issue(json!({"identity_provider": "corp"})).await,
    );
    revoke(&shop, &gone).await;
    // What a provider elsewhere answered may come a second time, so the removal is done once more.
    shop.app.pass(121);
    wait_until_nothing_is_open(&shop).await;
    fake.when(Ask::Delete, Mood::FailsBefore);
    revoke(&shop, &stuck).await;
    let done = shop.app.count(DONE).await;
    assert!(done >= 3, "two creations and a removal");
    shop.app.pass(30 * DAY - 1200 - 121);
    look_for_old(&shop.app).await;
    assert_eq!(shop.app.count(DONE).await, done);
    shop.app.pass(601);
    wait_for(&shop.app, DONE, 0).await;
    let open = "SELECT count(*) AS number FROM idp_operations WHERE done_at IS NULL";
    assert_eq!(shop.app.count(open).await, 1);
}

#[tokio::test]
async fn a_request_may_be_remembered_for_longer_than_its_answer() {
    let setup = TestApp::setup().config(|config| config.retention.idempotency_hours = 48);
    let shop = Shop::on(setup.start().await).await;
    let create = async |shop: &Shop| -> Answer {
        let post = shop.app.post("/v1/keys").operator();
        let post = post.idempotency_key("a-name-for-the-attempt");
        post.json(shop.wanted(json!({}))).send().await
    };
    let first = create(&shop).await.expect(201);
    shop.app.pass(DAY - 1);
    assert_eq!(create(&shop).await.expect(201)["id"], first["id"]);
    shop.app.pass(1);
    create(&shop).await.problem("idempotency_answer_gone");
    // It is not only withheld: it is gone.
    shop.app.pass(600);
    let kept = "SELECT count(*) AS number FROM idempotency WHERE sealed_answer IS NOT NULL";
    wait_for(&shop.app, kept, 0).await;
    shop.app.pass(DAY - 601);
    create(&shop).await.problem("idempotency_answer_gone");
    shop.app.pass(1);
    assert_ne!(create(&shop).await.expect(201)["id"], first["id"]);
}

#[tokio::test]
async fn requests_are_forgotten_when_nobody_asks_again_either() {
    let shop = Shop::new().await;
    let post = shop.app.post("/v1/organizations").operator();
    let post = post.idempotency_key("a-name-for-the-attempt");
    post.json(json!({"name": "x"})).send().await.expect(201);
    let remembered = "SELECT count(*) AS number FROM idempotency";
    shop.app.pass(DAY - 1200);
    look_for_old(&shop.app).await;
    // The last look was at its very end, when it is over.
    shop.app.pass(600);
    wait_for(&shop.app, remembered, 0).await;
}

#[tokio::test]
async fn counts_of_days_go_and_the_last_use_stays() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    shop.app.trade(&key.key).await.expect(200);
    let shop = shop.again(TestApp::restart).await;
    let usage = async || {
        let get = shop.app.get(&key.path("/usage")).operator();
        get.send().await.expect(200)
    };
    let before = usage().await;
    assert_eq!(before["items"].as_array().unwrap().len(), 1);
    shop.app.pass(400 * DAY - 1200);
    look_for_old(&shop.app).await;
    assert_eq!(usage().await["items"].as_array().unwrap().len(), 1);
    shop.app.pass(DAY);
    wait_for(&shop.app, "SELECT count(*) AS number FROM usage_daily", 0).await;
    let after = usage().await;
    assert_eq!(after["items"], json!([]));
    assert_eq!(after["last_used_at"], before["last_used_at"]);
}
