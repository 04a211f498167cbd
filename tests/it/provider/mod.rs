//! Identity providers: one life-cycle suite for the built-in one, for another under its own name and for real ones, and what happens when
//! it misbehaves. Whatever it does, our record and the provider agree in the end: each test ends by that, in `TestApp`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod attributes;
mod carriage;
mod claims;
mod conformance;
mod crashes;
mod drift;
mod late;
mod life_cycle;
mod outage_policy;
mod outages;
mod owners;
mod passthrough;
mod pending;
mod reconcile;
mod refusals;
mod rights;
mod rotate_own;

use std::sync::Arc;
use std::time::Duration;

use kagiya::idp::RightsAge;
use serde_json::{Value, json};

use crate::support::corp::{CORP, Realm, sorted};
use crate::support::fake_provider::FakeProvider;
use crate::support::keycloak::Keycloak;
use crate::support::test_app::{Issued, PAYMENT, Shop, TestApp, merged};
use crate::support::transcript::Answer;

/// A shop whose keys live at a provider of this kind: `builtin`, `trusted` (its word on rights is good until we change them),
/// `asked` (it is asked at every trade), or a real Keycloak where users sign in by assertions (`keycloak`) or by passwords
/// (`keycloak_password`), or whose own tokens are handed on (`keycloak_passthrough`).
struct At {
    shop: Shop,
    fake: Option<Arc<FakeProvider>>,
    realm: Option<Realm>,
    provider: &'static str,
}

impl At {
    async fn kind(kind: &'static str) -> Self {
        let settings = match kind {
            "keycloak" => Some(""),
            "keycloak_password" => Some("sign_in = 'password'"),
            "keycloak_passthrough" => Some("answer = 'passthrough'"),
            _ => None,
        };
        if let Some(settings) = settings {
            let realm = Realm::prepared(Keycloak::shared(), settings).await;
            return Self {
                shop: realm.shop().await,
                fake: None,
                realm: Some(realm),
                provider: CORP,
            };
        }
        let fake = match kind {
            "builtin" => None,
            "trusted" => Some(FakeProvider::new("trusted")),
            "asked" => Some(FakeProvider::with_rights_age(
                "asked",
                RightsAge::AtMost(Duration::ZERO),
            )),
            other => panic!("{other}"),
        };
        let setup = TestApp::setup();
        let setup = fake.iter().fold(setup, |setup, fake| setup.provider(fake));
        let shop = Shop::on(setup.start().await).await;
        Self {
            shop,
            fake,
            realm: None,
            provider: kind,
        }
    }

    /// How long a grace is that a test can wait for, in seconds.
    fn grace(&self) -> i64 {
        if self.realm.is_some() { 3 } else { 60 }
    }

    /// Waits until a key is over whose grace has begun.
    async fn grace_ends(&self, key: &Issued) {
        if self.realm.is_none() {
            self.app().pass(self.grace());
        }
        eventually("the grace is over", async || {
            self.app().trade(&key.key).await.status == 401
        })
        .await;
        self.app().trade(&key.key).await.problem("api_key_rotated");
    }

    fn app(&self) -> &TestApp {
        &self.shop.app
    }

    fn fake(&self) -> &FakeProvider {
        self.fake.as_ref().unwrap()
    }

    fn wanted(&self, further: Value) -> Value {
        self.shop
            .wanted(merged(json!({"identity_provider": self.provider}), further))
    }

    async fn create(&self) -> Answer {
        let body = self.wanted(json!({}));
        self.app()
            .post("/v1/keys")
            .operator()
            .json(body)
            .send()
            .await
    }

    async fn issue(&self, further: Value) -> Issued {
        let body = self.wanted(further);
        let request = self.app().post("/v1/keys").operator().json(body);
        Issued::read(request.send().await.expect(201))
    }

    /// A key that may read and write payments.
    async fn both(&self) -> Issued {
        self.issue(json!({"permissions": [
            {"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]},
        ]}))
        .await
    }

    async fn key(&self) -> Issued {
        self.issue(json!({})).await
    }

    async fn rotate(&self, key: &Issued, body: Value) -> Answer {
        let request = self.app().post(&key.path("/rotate")).operator().json(body);
        request.send().await
    }

    async fn permit(&self, key: &Issued, scopes: &[&str]) -> Answer {
        let body = match scopes {
            [] => json!({"permissions": []}),
            scopes => json!({"permissions": [{"resource": PAYMENT, "scopes": scopes}]}),
        };
        let request = self
            .app()
            .put(&key.path("/permissions"))
            .operator()
            .json(body);
        request.send().await
    }

    async fn revoke(&self, key: &Issued) {
        self.app()
            .delete(&key.path(""))
            .operator()
            .send()
            .await
            .expect(204);
    }

    async fn scope(&self, key: &str) -> String {
        sorted(&self.app().trade(key).await.expect(200).text("scope"))
    }

    /// Lets time pass until it is so: what fails at the provider is tried again, later each time.
    async fn in_the_end(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        eventually(what, async || {
            self.app().pass(5);
            is_so().await
        })
        .await;
    }

    /// How many users there are at the provider.
    async fn users(&self) -> i64 {
        let users = match (&self.fake, &self.realm) {
            (Some(fake), _) => fake.users().len(),
            (None, Some(realm)) => realm.users().await.len(),
            (None, None) => {
                let users = "SELECT count(*) AS number FROM builtin_users";
                return self.app().count(users).await;
            }
        };
        i64::try_from(users).unwrap()
    }
}

/// Waits until it is so, which takes a moment where the outbox is at work.
pub(crate) async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    for _ in 0..2000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to be so: {what}");
}
