//! The owners of keys are watched where their provider can tell of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use kagiya::idp::OwnerState;
use rstest::rstest;
use serde_json::{Value, json};

use super::eventually;
use crate::support::fake_provider::{Ask, FakeProvider, Mood};
use crate::support::test_app::{CART, Issued, PAYMENT, Shop, TestApp};

const PEOPLE: &str = "https://sso.example.com/realms/people";

struct Watched {
    fake: Arc<FakeProvider>,
    shop: Shop,
    key: Issued,
}

impl Watched {
    /// Ann's key, in an organization with this `owner_gone`.
    async fn with(owner_gone: &str) -> Self {
        let fake = FakeProvider::knowing("corp", PEOPLE);
        let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
        let path = format!("/v1/organizations/{}", shop.organization);
        let change = shop.app.patch(&path).operator();
        let change = change.json(json!({"owner_gone": owner_gone}));
        change.send().await.expect(200);
        let key = shop
            .issue(json!({
                "owner": {"iss": PEOPLE, "sub": "ann"},
                "permissions": [
                    {"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]},
                    {"resource": CART, "scopes": ["read:cart"]},
                ],
                "default_resource": PAYMENT,
            }))
            .await;
        Self { fake, shop, key }
    }

    async fn shown(&self) -> Value {
        let shown = self.shop.app.get(&self.key.path("")).operator();
        shown.send().await.expect(200).json().clone()
    }

    /// Lets time pass until the provider was asked after her once more.
    async fn asked(&self) {
        let before = self.fake.times(Ask::Owner);
        eventually("she is asked after", async || {
            self.shop.app.pass(10);
            self.fake.times(Ask::Owner) > before
        })
        .await;
    }

    async fn gone_on_record(&self) -> i64 {
        let rows = "SELECT count(*) AS number FROM audit_events WHERE action = 'owner.gone'";
        self.shop.app.count(rows).await
    }
}

#[rstest]
#[case::pause("pause")]
#[case::hand_over("hand_over")]
#[case::keep("keep")]
#[tokio::test]
async fn the_keys_of_an_owner_who_is_gone_follow_the_organization(#[case] owner_gone: &str) {
    let watched = Watched::with(owner_gone).await;
    watched.asked().await;
    assert_eq!(watched.shown().await["status"], "active");
    watched.fake.tells_of("ann", OwnerState::Gone);
    eventually("it is on record", async || {
        watched.shop.app.pass(10);
        watched.gone_on_record().await == 1
    })
    .await;
    let (shown, trade) = (
        watched.shown().await,
        watched.shop.app.trade(&watched.key.key).await,
    );
    match owner_gone {
        "pause" => {
            trade.problem("api_key_disabled");
            assert_eq!(shown["status"], "disabled");
        }
        "hand_over" => {
            trade.expect(200);
            assert_eq!(shown["owner"], json!(null));
        }
        _ => {
            trade.expect(200);
            assert_eq!(shown["owner"]["sub"], "ann");
        }
    }
    // Once: whoever enables the key again is not overruled by the next look. Whoever owns nothing is not asked after.
    if owner_gone != "hand_over" {
        watched.asked().await;
        watched.asked().await;
    }
    assert_eq!(watched.gone_on_record().await, 1);
}

#[tokio::test]
async fn what_her_provider_lets_her_do_bounds_her_keys() {
    let watched = Watched::with("pause").await;
    let rights = |scopes: &str| {
        let told = [(PAYMENT.parse().unwrap(), scopes.parse().unwrap())];
        OwnerState::Active(BTreeMap::from(told))
    };
    let scope = async || {
        let request = watched.shop.app.post("/v1/token");
        let request = request.form(&[("resource", PAYMENT)]);
        let key = crate::support::credentials::Key(&watched.key.key);
        let answer = request.by(&key).send().await;
        match answer.status {
            200 => answer.text("scope"),
            _ => answer.text("code"),
        }
    };
    assert_eq!(scope().await, "read:payment write:payment");
    for (told, granted) in [
        ("read:payment", "read:payment"),
        ("read:payment write:payment", "read:payment write:payment"),
        ("", "invalid_target"),
    ] {
        watched.fake.tells_of("ann", rights(told));
        eventually(granted, async || {
            watched.shop.app.pass(10);
            scope().await == granted
        })
        .await;
        // It says nothing of the cart API, so nothing is bounded there.
        let form = [("resource", CART)];
        let request = watched.shop.app.post("/v1/token").form(&form);
        let key = crate::support::credentials::Key(&watched.key.key);
        request.by(&key).send().await.expect(200);
    }
}

#[tokio::test]
async fn while_nobody_tells_of_her_what_was_told_last_counts() {
    let watched = Watched::with("pause").await;
    watched.asked().await;
    watched.fake.when(Ask::Owner, Mood::FailsBefore);
    watched.asked().await;
    watched.asked().await;
    watched.shop.app.trade(&watched.key.key).await.expect(200);
    assert_eq!(watched.gone_on_record().await, 0);
}
