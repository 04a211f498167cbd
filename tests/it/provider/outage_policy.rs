//! While a provider gives no answer, its keys are answered 503, or go on for a while by what it said last: as its operator decided.

use std::sync::Arc;
use std::time::Duration;

use kagiya::idp::{Policy, RightsAge};
use serde_json::{Value, json};

use super::eventually;
use crate::support::fake_provider::{Ask, FakeProvider, Mood};
use crate::support::test_app::{Issued, PAYMENT, Shop, TestApp};

/// A shop with one key at a provider whose word counts for a minute, and that was asked just now.
async fn shop(outlast: Option<u64>) -> (Arc<FakeProvider>, Shop, Issued) {
    let minute = RightsAge::AtMost(Duration::from_secs(60));
    let fake = FakeProvider::with_rights_age("minutely", minute);
    fake.use_by(Policy {
        outlast: outlast.map(Duration::from_secs),
        ..Policy::default()
    });
    let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
    let key = shop.issue(json!({"identity_provider": "minutely"})).await;
    shop.app.pass(61);
    shop.app.trade(&key.key).await.expect(200);
    (fake, shop, key)
}

async fn events(app: &TestApp, action: &str) -> Vec<Value> {
    let list = app
        .get(&format!("/v1/audit-events?action={action}"))
        .operator();
    let list = list.send().await.expect(200);
    list["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn by_default_an_outage_is_503_and_on_record() {
    let (fake, shop, key) = shop(None).await;
    fake.always(Mood::FailsBefore);
    shop.app.trade(&key.key).await.expect(200);
    shop.app.pass(60);
    for _ in 0..3 {
        let answer = shop.app.trade(&key.key).await;
        answer.problem("identity_provider_unavailable");
    }
    eventually("it is on record once", async || {
        events(&shop.app, "identity_provider.unavailable")
            .await
            .len()
            == 1
    })
    .await;
    let told = async || {
        let ready = shop.app.get("/readyz").send().await.expect(200);
        ready["checks"][2]["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let expected = "minutely gives no answer: its keys are answered 503 (fail_closed)";
    eventually("it is told", async || told().await == expected).await;
}

#[tokio::test]
async fn serve_last_known_goes_on_for_so_long_and_no_longer() {
    let (fake, shop, key) = shop(Some(300)).await;
    fake.always(Mood::FailsBefore);
    for _ in 0..11 {
        shop.app.pass(30);
        shop.app.trade(&key.key).await.expect(200);
    }
    let counted = shop
        .app
        .metric(r#"kagiya_identity_provider_last_known_total{provider="minutely"}"#);
    assert_eq!(counted.await, 10);
    eventually("it is on record", async || {
        !events(&shop.app, "identity_provider.outlasted")
            .await
            .is_empty()
    })
    .await;
    let told = async || {
        let ready = shop.app.get("/readyz").send().await.expect(200);
        ready["checks"][2]["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    eventually("it is told", async || {
        told().await.contains("for 300 s by what it said last")
    })
    .await;
    shop.app.pass(30);
    shop.app
        .trade(&key.key)
        .await
        .problem("identity_provider_unavailable");
    fake.works_again();
    shop.app.trade(&key.key).await.expect(200);
}

#[tokio::test]
async fn what_was_said_last_never_outlives_a_change_that_is_known_here() {
    let (fake, shop, key) = shop(Some(300)).await;
    fake.always(Mood::FailsBefore);
    shop.app.pass(61);
    shop.app.trade(&key.key).await.expect(200);
    let narrowed = json!({"permissions": []});
    let narrow = shop
        .app
        .put(&key.path("/permissions"))
        .operator()
        .json(narrowed);
    narrow.send().await.expect(200);
    let answer = shop.app.trade(&key.key).await;
    assert_ne!(answer.status, 200, "{}", answer.transcript());
    let other = shop.issue(json!({})).await;
    shop.app.trade(&other.key).await.expect(200);
    shop.app
        .delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    shop.app.trade(&key.key).await.problem("api_key_revoked");
}

#[tokio::test]
async fn a_thousand_trades_of_a_cold_key_at_once_are_one_sign_in() {
    let minute = RightsAge::AtMost(Duration::from_secs(60));
    let fake = FakeProvider::with_rights_age("minutely", minute);
    let setup = TestApp::setup().provider(&fake).workers(2);
    let shop = Shop::on(setup.start().await).await;
    let key = shop.issue(json!({"identity_provider": "minutely"})).await;
    shop.app.pass(61);
    fake.when(Ask::Authenticate, Mood::Late(Duration::from_millis(1500)));
    let trades = (0..1000).map(|_| shop.app.trade(&key.key));
    for answer in futures_util::future::join_all(trades).await {
        answer.expect(200);
    }
    assert_eq!(fake.times(Ask::Authenticate), 1);
}

#[tokio::test]
async fn a_provider_that_hangs_slows_no_key_of_another() {
    let slow = FakeProvider::with_rights_age("slow", RightsAge::AtMost(Duration::ZERO));
    let fast = FakeProvider::with_rights_age("fast", RightsAge::AtMost(Duration::ZERO));
    let setup = TestApp::setup().provider(&slow).provider(&fast);
    let shop = Shop::on(setup.start().await).await;
    let of_slow = shop.issue(json!({"identity_provider": "slow"})).await;
    let of_fast = shop.issue(json!({"identity_provider": "fast"})).await;
    slow.always(Mood::Hangs);
    let hanging = shop.app.trade(&of_slow.key);
    let others = async {
        for _ in 0..10 {
            shop.app.trade(&of_fast.key).await.expect(200);
        }
        let body = shop.wanted(json!({"identity_provider": "fast"}));
        shop.app
            .post("/v1/keys")
            .operator()
            .json(body)
            .send()
            .await
            .expect(201);
        true
    };
    // The others are through while the first one still waits.
    tokio::select! {
        biased;
        answer = hanging => panic!("it hangs: {}", answer.transcript()),
        done = others => assert!(done),
    }
}

#[tokio::test]
async fn a_permission_that_is_asked_for_while_the_provider_is_away_is_no_wrong_scope() {
    let (fake, shop, key) = shop(None).await;
    fake.always(Mood::Hangs);
    shop.app.pass(61);
    let form = [("resource", PAYMENT), ("scope", "write:payment")];
    let request = shop.app.post("/v1/token").form(&form);
    let answer = request
        .by(&crate::support::credentials::Key(&key.key))
        .send()
        .await;
    answer.problem("identity_provider_unavailable");
}
