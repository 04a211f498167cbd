//! A tag secret that others know: its keys go on working, and whoever makes up keys with it is slowed down.

use kagiya::domain::key_tag::{TagGeneration, TagSecret};
use kagiya::domain::plaintext_key::PlaintextKey;
use kagiya::domain::random::SystemRandom;
use kagiya::domain::sealed::{Place, RootSecret};
use kagiya::domain::secret::SecretBytes;
use kagiya::store::{Error, secrets};
use serde_json::json;

use super::{of, rotate, states, trail};
use crate::support::credentials::Key;
use crate::support::test_app::{ROOT_SECRET, Shop, TestApp};

/// What somebody who has the first tag secret can make: keys with a good tag.
struct Thief(TagSecret);

impl Thief {
    async fn of(app: &TestApp) -> Self {
        let rows = app.database().store.read(secrets::all).await;
        let rows: Vec<_> = rows.map_err(|error: Error| error).unwrap();
        let row = rows
            .iter()
            .find(|row| row.purpose.as_str() == "tag")
            .unwrap();
        let root = RootSecret::new(SecretBytes::new(ROOT_SECRET.to_vec())).unwrap();
        let place = Place {
            purpose: "secret",
            name: "tag",
            id: "0",
        };
        let secret = root.sealer().open(place, &row.sealed).unwrap();
        Self(TagSecret::new(secret.expose().try_into().unwrap()))
    }

    fn key(&self) -> String {
        let prefix = "kgy".parse().unwrap();
        let generation = TagGeneration::default();
        let key = PlaintextKey::generate(&prefix, generation, &self.0, &SystemRandom);
        key.expose().to_owned()
    }
}

async fn slow() -> Shop {
    let setup = TestApp::setup().config(|config| config.limits.fruitless_lookups_per_minute = 5);
    Shop::on(setup.start().await).await
}

#[tokio::test]
async fn under_a_secret_that_leaked_look_ups_that_find_nothing_are_limited_by_address() {
    let shop = slow().await;
    let thief = Thief::of(&shop.app).await;
    let (warm, cold) = (shop.key().await, shop.key().await);
    let leaked = json!({"leaked": true});
    let answer = rotate(&shop.app, "tag", leaked).await.expect(200);
    assert_eq!(answer["items"][1]["state"], "leaked");
    let new = shop.key().await;
    // Nothing is in memory.
    let shop = shop.again(TestApp::restart).await;
    let app = &shop.app;
    let trade = async |key: &str, address: &str| {
        app.post("/v1/token")
            .by(&Key(key))
            .from(address)
            .send()
            .await
    };
    trade(&warm.key, "192.0.2.1").await.expect(200);
    for _ in 0..6 {
        trade(&thief.key(), "192.0.2.1")
            .await
            .problem("invalid_api_key");
    }
    let misses = app.metric("kagiya_key_cache_misses_total").await;
    for _ in 0..20 {
        trade(&thief.key(), "192.0.2.1")
            .await
            .problem("rate_limited");
    }
    assert_eq!(app.metric("kagiya_key_cache_misses_total").await, misses);
    // What is in memory, what has a good tag secret, and who is elsewhere does not feel it.
    trade(&warm.key, "192.0.2.1").await.expect(200);
    trade(&new.key, "192.0.2.1").await.expect(200);
    let answer = trade(&cold.key, "192.0.2.1").await.problem("rate_limited");
    let wait: i64 = answer.header("retry-after").unwrap().parse().unwrap();
    trade(&cold.key, "192.0.2.2").await.expect(200);
    app.pass(wait);
    trade(&thief.key(), "192.0.2.1")
        .await
        .problem("invalid_api_key");
    // The one who found keys and reports them is not held up.
    let found: Vec<String> = (0..20)
        .map(|_| thief.key())
        .chain([cold.key.clone()])
        .collect();
    let report = app
        .post("/v1/keys/revoke-leaked")
        .json(json!({"keys": found}));
    assert_eq!(report.send().await.expect(200)["revoked"], 1);
}

#[tokio::test]
async fn an_older_secret_is_found_to_have_leaked_too() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let key = shop.key().await;
    rotate(app, "tag", json!({"leaked": true}))
        .await
        .expect(200);
    rotate(app, "tag", json!({"leaked": true}))
        .await
        .expect(200);
    assert_eq!(
        states(app, "tag").await,
        ["2 current 0", "1 leaked 0", "0 leaked 1"]
    );
    super::replace(app, "digest").await;
    assert_eq!(of(app, "digest").await[1]["state"], "retired");
    let which = json!({"leaked": true, "generation": 0});
    for _ in 0..2 {
        rotate(app, "digest", which.clone()).await.expect(200);
        assert_eq!(states(app, "digest").await, ["1 current 0", "0 leaked 1"]);
    }
    let trail = trail(app).await;
    let noted = trail.iter().filter(|(action, _)| action == "secret.leaked");
    assert_eq!(noted.count(), 1);
    let (action, details) = trail.last().unwrap();
    assert_eq!(action, "secret.leaked");
    assert_eq!(*details, json!({"purpose": "digest", "generation": 0}));
    app.trade(&key.key).await.expect(200);
}
