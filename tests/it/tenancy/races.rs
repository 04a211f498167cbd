//! What a caller holds is asked inside the transaction that gives it: a narrowing that was answered while an identity provider was slow is
//! never missed, and nothing is left of what came too late.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::management::{Manager, manager_with};
use crate::support::fake_provider::{Ask, FakeProvider, Mood};
use crate::support::test_app::{Issued, MANAGEMENT, PAYMENT, Shop, TestApp};
use crate::support::transcript::Answer;

struct Race {
    shop: Shop,
    fake: Arc<FakeProvider>,
    manager: Manager,
    key: Issued,
}

impl Race {
    async fn new() -> Self {
        let fake = FakeProvider::new("slow");
        let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
        let manager = manager_with(&shop, &["keys:write"], write_payment(), json!({})).await;
        let key = shop
            .issue(json!({"identity_provider": "slow", "permissions": []}))
            .await;
        Self {
            shop,
            fake,
            manager,
            key,
        }
    }

    /// Makes the call, and `meanwhile` once the provider was asked for its part.
    async fn run(
        &self,
        ask: Ask,
        (method, path, body): (&str, &str, Value),
        meanwhile: Meanwhile,
    ) -> Answer {
        self.fake.when(ask, Mood::Late(Duration::from_millis(1500)));
        let before = self.fake.times(ask);
        let call = self
            .shop
            .app
            .request(method, path)
            .by(&self.manager)
            .json(body)
            .send();
        let change = async {
            while self.fake.times(ask) == before {
                tokio::task::yield_now().await;
            }
            self.change(meanwhile).await;
        };
        let (answer, ()) = tokio::join!(call, change);
        self.fake.works_again();
        answer
    }

    async fn change(&self, meanwhile: Meanwhile) {
        let app = &self.shop.app;
        let own = &self.manager.key;
        let managing = json!([{"resource": MANAGEMENT, "scopes": ["keys:write"]}]);
        match meanwhile {
            Meanwhile::Narrowed => {
                let put = app.put(&own.path("/permissions")).operator();
                put.json(json!({"permissions": managing}))
                    .send()
                    .await
                    .expect(200);
            }
            Meanwhile::Ceiling => {
                super::set_ceiling(&self.shop, managing).await.expect(200);
            }
            Meanwhile::Revoked => {
                app.delete(&own.path(""))
                    .operator()
                    .send()
                    .await
                    .expect(204);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Meanwhile {
    Narrowed,
    Ceiling,
    Revoked,
}

fn write_payment() -> Value {
    json!([{"resource": PAYMENT, "scopes": ["write:payment"]}])
}

#[tokio::test]
async fn a_key_is_not_made_by_one_who_holds_less_by_then() {
    for (meanwhile, code) in [
        (Meanwhile::Narrowed, "would_widen"),
        (Meanwhile::Ceiling, "would_widen"),
        (Meanwhile::Revoked, "forbidden"),
    ] {
        let race = Race::new().await;
        let wanted = race.shop.wanted(json!({"identity_provider": "slow"}));
        let before = crate::keys::keys_on_record(&race.shop.app).await;
        let answer = race
            .run(Ask::Create, ("POST", "/v1/keys", wanted), meanwhile)
            .await;
        answer.problem(code);
        assert_eq!(crate::keys::keys_on_record(&race.shop.app).await, before);
    }
}

#[tokio::test]
async fn a_key_is_not_rotated_by_one_who_holds_less_by_then() {
    let race = Race::new().await;
    let app = &race.shop.app;
    let put = app.put(&race.key.path("/permissions")).operator();
    put.json(json!({"permissions": write_payment()}))
        .send()
        .await
        .expect(200);
    let rotate = race.key.path("/rotate");
    let answer = race
        .run(
            Ask::Create,
            ("POST", &rotate, json!({})),
            Meanwhile::Narrowed,
        )
        .await;
    answer.problem("would_widen");
    app.trade(&race.key.key).await.expect(200);
}

#[tokio::test]
async fn a_key_is_not_widened_by_one_who_holds_less_by_then() {
    for (meanwhile, code) in [
        (Meanwhile::Narrowed, "would_widen"),
        (Meanwhile::Revoked, "forbidden"),
    ] {
        let race = Race::new().await;
        let path = race.key.path("/permissions");
        let body = json!({"permissions": write_payment()});
        let answer = race
            .run(Ask::SetPermissions, ("PUT", &path, body), meanwhile)
            .await;
        answer.problem(code);
        race.shop
            .app
            .trade(&race.key.key)
            .await
            .problem("invalid_target");
    }
}
