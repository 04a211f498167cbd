//! `POST /v1/key/rotate`: the holder of a key that may rotate itself gets a newer one, and can ask again when the answer was lost.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::credentials::Key;
use crate::support::test_app::{Issued, PAYMENT, Shop, TestApp};
use crate::support::transcript::{Answer, Request};

const DAY: i64 = 24 * 60 * 60;

async fn rotating(shop: &Shop) -> Issued {
    shop.issue(json!({"self_rotate": true})).await
}

fn request<'a>(shop: &'a Shop, key: &str) -> Request<'a> {
    shop.app.post("/v1/key/rotate").by(&Key(key))
}

async fn rotate(shop: &Shop, key: &str, body: Value) -> Answer {
    request(shop, key).json(body).send().await
}

/// With a grace of an hour and a name for the attempt.
async fn named(shop: &Shop, key: &str, attempt: &str) -> Answer {
    let request = request(shop, key).idempotency_key(attempt);
    request.json(json!({"grace_seconds": 3600})).send().await
}

async fn patch(shop: &Shop, key: &Issued, body: Value) -> Answer {
    shop.app
        .patch(&key.path(""))
        .operator()
        .json(body)
        .send()
        .await
}

#[tokio::test]
async fn the_id_stays_and_the_old_key_is_dead_at_once() {
    let shop = Shop::new().await;
    let key = rotating(&shop).await;
    shop.app.trade(&key.key).await.expect(200);
    shop.app.pass(10);
    let answer = request(&shop, &key.key).send().await.expect(200);
    let mut expected = key.object.clone();
    for member in ["hint", "identity", "owner"] {
        expected.as_object_mut().unwrap().remove(member);
    }
    expected["rotated_at"] = json!(shop.app.time_in(0));
    expected["key"] = answer["key"].clone();
    // When it was last traded is written down later.
    expected["last_used_at"] = answer["last_used_at"].clone();
    assert_eq!(*answer.json(), expected);
    let new = Issued::read(answer);
    assert_ne!(new.key, key.key);
    shop.app.trade(&key.key).await.problem("api_key_rotated");
    shop.app.trade(&new.key).await.expect(200);
    let shown = shop.app.get("/v1/key").by(&Key(&new.key)).send().await;
    assert_eq!(shown.header("etag"), Some(new.etag.as_str()));
    let events = format!(
        "SELECT count(*) AS number FROM audit_events WHERE action = 'key.rotated' AND subject = '{0}' AND actor = '{0}'",
        key.id
    );
    assert_eq!(shop.app.count(&events).await, 1);
}

#[tokio::test]
async fn a_key_that_does_not_say_so_is_not_rotated_by_its_holder() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let refused = async || {
        request(&shop, &key.key)
            .send()
            .await
            .problem("self_rotate_not_allowed");
        named(&shop, &key.key, "the-name-of-an-attempt")
            .await
            .problem("self_rotate_not_allowed");
    };
    refused().await;
    let allowed = patch(&shop, &key, json!({"self_rotate": true})).await;
    assert_eq!(allowed.expect(200)["self_rotate"], true);
    let key = Issued::read(rotate(&shop, &key.key, json!({})).await.expect(200));
    patch(&shop, &key, json!({"self_rotate": false}))
        .await
        .expect(200);
    request(&shop, &key.key)
        .send()
        .await
        .problem("self_rotate_not_allowed");
    shop.app.trade(&key.key).await.expect(200);
}

#[tokio::test]
async fn while_it_retires_a_key_does_not_rotate_and_goes_on_working() {
    let shop = Shop::new().await;
    let key = rotating(&shop).await;
    let new = named(&shop, &key.key, "the-name-of-an-attempt").await;
    let new = Issued::read(new.expect(200));
    assert_eq!(new.object["retiring_until"], shop.app.time_in(3600));
    rotate(&shop, &key.key, json!({}))
        .await
        .problem("api_key_retiring");
    named(&shop, &key.key, "the-name-of-another")
        .await
        .problem("api_key_retiring");
    for key in [&key.key, &new.key] {
        shop.app.trade(key).await.expect(200);
    }
    shop.app.pass(3600);
    named(&shop, &key.key, "the-name-of-an-attempt")
        .await
        .problem("api_key_rotated");
    shop.app.trade(&new.key).await.expect(200);
}

#[tokio::test]
async fn a_lost_answer_is_given_again_to_the_key_that_asked_and_to_the_new_one() {
    let shop = Shop::new().await;
    let key = rotating(&shop).await;
    let first = named(&shop, &key.key, "the-name-of-an-attempt").await;
    let first = first.expect(200);
    for asking in [&key.key, &first.text("key"), &key.key] {
        let again = named(&shop, asking, "the-name-of-an-attempt").await;
        assert_eq!(first.json(), again.expect(200).json());
    }
    let shop = shop.again(TestApp::crash).await;
    let again = named(&shop, &key.key, "the-name-of-an-attempt").await;
    assert_eq!(first.json(), again.expect(200).json());
    let other = request(&shop, &key.key).idempotency_key("the-name-of-an-attempt");
    let other = other.json(json!({"grace_seconds": 60})).send().await;
    other.problem("idempotency_key_reused");
    shop.app.trade(&first.text("key")).await.expect(200);
    let generations = "SELECT count(*) AS number FROM credentials";
    assert_eq!(shop.app.count(generations).await, 2);
}

#[tokio::test]
async fn without_a_grace_a_lost_answer_stays_lost() {
    let shop = Shop::new().await;
    let key = rotating(&shop).await;
    let send = async || {
        let request = request(&shop, &key.key).idempotency_key("the-name-of-an-attempt");
        request.send().await
    };
    send().await.expect(200);
    send().await.problem("api_key_rotated");
}

#[tokio::test]
async fn the_answer_is_erased_once_the_new_key_was_used() {
    let shop = Shop::new().await;
    let key = rotating(&shop).await;
    let new = named(&shop, &key.key, "the-name-of-an-attempt").await;
    // The use of the old key erases nothing.
    shop.app.trade(&key.key).await.expect(200);
    let shop = shop.again(TestApp::restart).await;
    let again = named(&shop, &key.key, "the-name-of-an-attempt").await;
    shop.app
        .trade(&again.expect(200).text("key"))
        .await
        .expect(200);
    let shop = shop.again(TestApp::restart).await;
    for asking in [&key.key, &new.text("key")] {
        named(&shop, asking, "the-name-of-an-attempt")
            .await
            .problem("idempotency_answer_gone");
    }
}

#[tokio::test]
async fn the_answer_is_erased_when_the_key_is_rotated_or_revoked_again() {
    let shop = Shop::new().await;
    let first = rotating(&shop).await;
    let second = named(&shop, &first.key, "the-name-of-the-first").await;
    let second = second.expect(200).text("key");
    let third = named(&shop, &second, "the-name-of-the-second").await;
    let third = third.expect(200).text("key");
    named(&shop, &first.key, "the-name-of-the-first")
        .await
        .problem("api_key_rotated");
    for asking in [&second, &third] {
        named(&shop, asking, "the-name-of-the-first")
            .await
            .problem("idempotency_answer_gone");
    }
    // By an admin as well: what replaced his is not shown to the holder of an older one.
    let rotate = shop.app.post(&first.path("/rotate")).operator();
    let fourth = rotate.json(json!({"grace_seconds": 3600})).send().await;
    let fourth = fourth.expect(200).text("key");
    named(&shop, &third, "the-name-of-the-second")
        .await
        .problem("idempotency_answer_gone");
    named(&shop, &third, "the-name-of-another")
        .await
        .problem("api_key_retiring");
    shop.app
        .delete(&first.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    named(&shop, &fourth, "the-name-of-the-second")
        .await
        .problem("api_key_revoked");
    let kept = "SELECT count(*) AS number FROM idempotency WHERE sealed_answer IS NOT NULL AND credential_id IS NOT NULL";
    assert_eq!(shop.app.count(kept).await, 0);
}

#[tokio::test]
async fn the_answer_is_erased_after_a_day() {
    let shop = Shop::new().await;
    let key = rotating(&shop).await;
    let rotate = async |shop: &Shop| {
        let request = request(shop, &key.key).idempotency_key("the-name-of-an-attempt");
        let body = json!({"grace_seconds": 2 * DAY});
        request.json(body).send().await
    };
    rotate(&shop).await.expect(200);
    shop.app.pass(DAY - 1);
    rotate(&shop).await.expect(200);
    shop.app.pass(1);
    // Then it is a call like any other, and no key that retires may make one.
    rotate(&shop).await.problem("api_key_retiring");
    let shop = shop.again(TestApp::restart).await;
    rotate(&shop).await.problem("api_key_retiring");
    crate::provider::eventually("the answer is erased", async || {
        let kept = "SELECT count(*) AS number FROM idempotency";
        shop.app.count(kept).await == 0
    })
    .await;
}

#[tokio::test]
async fn a_key_that_may_not_rotate_any_more_gets_no_kept_answer() {
    let shop = Shop::new().await;
    let key = rotating(&shop).await;
    let new = named(&shop, &key.key, "the-name-of-an-attempt").await;
    let new = Issued::read(new.expect(200));
    patch(&shop, &new, json!({"self_rotate": false}))
        .await
        .expect(200);
    for asking in [&key.key, &new.key] {
        named(&shop, asking, "the-name-of-an-attempt")
            .await
            .problem("self_rotate_not_allowed");
    }
}

#[tokio::test]
async fn nothing_is_loosened() {
    let shop = Shop::new().await;
    let limits = json!({
        "self_rotate": true, "expires_at": shop.app.time_in(1000), "allowed_cidrs": ["127.0.0.0/8"],
        "rate_limit": {"requests": 100, "per_seconds": 60}, "metadata": {"team": "cart"}, "default_resource": PAYMENT,
    });
    let key = shop.issue(limits.clone()).await;
    let new = rotate(&shop, &key.key, json!({"grace_seconds": 2_592_000}))
        .await
        .expect(200);
    for (member, value) in limits.as_object().unwrap() {
        assert_eq!(new[member.as_str()], *value);
    }
    assert_eq!(new["permissions"], key.object["permissions"]);
    for key in [&key.key, &new.text("key")] {
        let elsewhere = shop.app.post("/v1/token").by(&Key(key)).from("192.0.2.1");
        elsewhere.send().await.problem("address_not_allowed");
        assert_eq!(shop.app.claims(key).await["scope"], "write:payment");
    }
    shop.app.pass(1000);
    for key in [&key.key, &new.text("key")] {
        shop.app.trade(key).await.problem("api_key_expired");
    }
}

#[tokio::test]
async fn a_stale_version_is_refused_and_the_present_one_is_taken() {
    let shop = Shop::new().await;
    let key = rotating(&shop).await;
    patch(&shop, &key, json!({"name": "another"}))
        .await
        .expect(200);
    let stale = request(&shop, &key.key).if_match(&key.etag);
    stale.send().await.problem("precondition_failed");
    let stale = shop.app.post(&key.path("/rotate")).operator();
    let stale = stale.if_match(&key.etag).send().await;
    stale.problem("precondition_failed");
    let shown = shop.app.get("/v1/key").by(&Key(&key.key)).send().await;
    let tag = shown.header("etag").unwrap().to_owned();
    let new = request(&shop, &key.key).if_match(&tag).send().await;
    let new = Issued::read(new.expect(200));
    let newer = shop.app.post(&key.path("/rotate")).operator();
    newer.if_match(&new.etag).send().await.expect(200);
}

#[tokio::test]
async fn of_holders_who_rotate_at_once_the_winners_follow_each_other_and_one_key_lives() {
    let app = TestApp::setup().workers(3).start().await;
    let shop = Shop::on(app).await;
    for _ in 0..10 {
        let key = rotating(&shop).await;
        let answers = join_all((0..4).map(|_| rotate(&shop, &key.key, json!({})))).await;
        let mut live = Vec::new();
        for answer in answers {
            match answer.status {
                200 => live.push(answer.text("key")),
                409 => drop(answer.problem("key_changed")),
                // It came when the key was replaced already.
                _ => drop(answer.problem("api_key_rotated")),
            }
        }
        assert_eq!(live.len(), 1);
        shop.app.trade(&live[0]).await.expect(200);
    }
}

#[tokio::test]
async fn equal_calls_at_once_under_one_name_make_one_key() {
    let app = TestApp::setup().workers(3).start().await;
    let shop = Shop::on(app).await;
    for round in 0..10 {
        let key = rotating(&shop).await;
        let name = format!("the-name-of-attempt-{round}");
        let answers = join_all((0..4).map(|_| named(&shop, &key.key, &name))).await;
        let mut keys = Vec::new();
        for answer in answers {
            match answer.status {
                200 => keys.push(answer.text("key")),
                _ => drop(answer.problem("idempotency_in_progress")),
            }
        }
        keys.dedup();
        assert_eq!(keys.len(), 1);
        let again = named(&shop, &key.key, &name).await.expect(200);
        assert_eq!(again.text("key"), keys[0]);
    }
}

#[tokio::test]
async fn every_wrong_value_is_told_with_its_field_and_nothing_changes() {
    let shop = Shop::new().await;
    let key = rotating(&shop).await;
    for (body, code, field) in [
        (
            json!({"grace_seconds": 2_592_001}),
            "invalid_parameter",
            "grace_seconds",
        ),
        (
            json!({"grace_seconds": -1}),
            "invalid_parameter",
            "grace_seconds",
        ),
        (json!({"grace": 60}), "unknown_field", "grace"),
    ] {
        let answer = rotate(&shop, &key.key, body).await;
        answer.problem(code).names(field);
    }
    let both = request(&shop, &key.key).operator().send().await;
    both.problem("invalid_request");
    let twice = request(&shop, &key.key).by(&Key(&key.key)).send().await;
    twice.problem("invalid_request");
    let bearer = shop.app.post("/v1/key/rotate");
    let bearer = bearer.by(&crate::support::credentials::Bearer(&key.key));
    bearer.send().await.expect(200);
    shop.app.trade(&key.key).await.problem("api_key_rotated");
}
