//! What a trade costs the database: nothing for a forged key, nothing for one in memory, one row for one that is not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use kagiya::domain::base62;

use crate::support::credentials::Key;
use crate::support::test_app::{Shop, TestApp};

const TRADES: u64 = 300;

/// What the server has counted.
#[derive(Debug)]
struct Figures {
    hits: u64,
    misses: u64,
    reads: u64,
    commits: u64,
}

impl Figures {
    async fn of(app: &TestApp) -> Self {
        Self {
            hits: app.metric("kagiya_key_cache_hits_total").await,
            misses: app.metric("kagiya_key_cache_misses_total").await,
            reads: app.metric("kagiya_store_reads_total").await,
            commits: app.metric("kagiya_store_commits_total").await,
        }
    }

    /// What came since. The outbox, the watch on the database and the writing of use go on beside: some reads and a commit a second.
    async fn since(app: &TestApp, before: &Self) -> Self {
        let now = Self::of(app).await;
        Self {
            hits: now.hits - before.hits,
            misses: now.misses - before.misses,
            reads: now.reads - before.reads,
            commits: now.commits - before.commits,
        }
    }

    fn assert_no_statement_for_each_trade(&self) {
        assert!(
            self.reads < TRADES / 3 && self.commits < TRADES / 3,
            "{self:?}"
        );
    }
}

/// The key with another letter in this place, and a checksum that is right.
fn forged(key: &str, index: usize) -> String {
    let mut letters = key.as_bytes()[..key.len() - 6].to_vec();
    letters[index] = if letters[index] == b'a' { b'b' } else { b'a' };
    letters.extend(base62::encode_u32(crc32fast::hash(&letters)));
    String::from_utf8(letters).unwrap()
}

#[tokio::test]
async fn a_malformed_or_forged_key_costs_no_statement_and_no_look_into_the_cache() {
    let shop = Shop::new().await;
    let key = shop.key().await.key;
    let before = Figures::of(&shop.app).await;
    for round in 0..TRADES {
        let place = 6 + usize::try_from(round % 90).unwrap();
        let text = if round % 10 == 0 {
            key[..50].to_owned()
        } else {
            forged(&key, place)
        };
        let status = shop
            .app
            .post("/v1/token")
            .by(&Key(&text))
            .send()
            .await
            .status;
        assert_eq!(status, 401);
    }
    let cost = Figures::since(&shop.app, &before).await;
    assert_eq!((cost.hits, cost.misses), (0, 0));
    cost.assert_no_statement_for_each_trade();
}

#[tokio::test]
async fn a_key_in_memory_costs_no_statement() {
    let shop = Shop::new().await;
    let key = shop.key().await.key;
    shop.app.trade(&key).await.expect(200);
    let before = Figures::of(&shop.app).await;
    for _ in 0..TRADES {
        shop.app.trade(&key).await.expect(200);
    }
    let cost = Figures::since(&shop.app, &before).await;
    assert_eq!((cost.hits, cost.misses), (TRADES, 0));
    cost.assert_no_statement_for_each_trade();
}

#[tokio::test]
async fn a_stopped_key_in_memory_costs_no_statement_either() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    shop.app
        .delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    shop.app.trade(&key.key).await.problem("api_key_revoked");
    let before = Figures::of(&shop.app).await;
    for _ in 0..TRADES {
        shop.app.trade(&key.key).await.problem("api_key_revoked");
    }
    let cost = Figures::since(&shop.app, &before).await;
    assert_eq!((cost.hits, cost.misses), (TRADES, 0));
    cost.assert_no_statement_for_each_trade();
}

#[tokio::test]
async fn a_key_that_is_not_in_memory_is_read_once() {
    let shop = Shop::new().await;
    let key = shop.key().await.key;
    let shop = shop.again(TestApp::restart).await;
    let before = Figures::of(&shop.app).await;
    for _ in 0..3 {
        shop.app.trade(&key).await.expect(200);
    }
    let cost = Figures::since(&shop.app, &before).await;
    assert_eq!((cost.hits, cost.misses), (2, 1));
}

#[tokio::test]
async fn the_memory_is_bounded_and_what_falls_out_is_read_again() {
    let setup = TestApp::setup().config(|config| config.cache.keys = 1000);
    let shop = Shop::on(setup.start().await).await;
    let keys = [shop.key().await.key, shop.key().await.key];
    for key in keys.iter().cycle().take(10) {
        shop.app.trade(key).await.expect(200);
    }
    assert!(shop.app.metric("kagiya_key_cache_keys").await <= 1000);
}
