//! Another node on the same database: it learns a new secret from the first key that was made with it; and many that start at once.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Barrier};

use futures_util::future::join_all;
use kagiya::broker::{Exchanged, Refusal, TokenRequest};
use kagiya::domain::algorithm::SigningAlgorithm;
use kagiya::domain::base62;
use kagiya::store;
use serde_json::json;

use super::{replace, rotate};
use crate::support::database::{Database, execute, postgres_url};
use crate::support::node::Node;
use crate::support::test_app::{Shop, TestApp};

impl Node {
    async fn trade(&self, key: &str) -> Result<Exchanged, Refusal> {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let request = TokenRequest::default();
        let traded = self
            .0
            .broker()
            .exchange(key.as_bytes(), None, address, request);
        traded.await.map_err(|refused| refused.refusal)
    }
}

/// The key with the letter of a tag secret that nobody has.
fn of_nobody(key: &str) -> String {
    let mut letters = key.as_bytes()[..key.len() - 6].to_vec();
    letters[5] = b'Z';
    letters.extend(base62::encode_u32(crc32fast::hash(&letters)));
    String::from_utf8(letters).unwrap()
}

#[tokio::test]
async fn a_node_learns_a_secret_from_the_first_key_that_was_made_with_it() {
    let shop = Shop::new().await;
    let old = shop.key().await;
    let node = Node::beside(&shop.app).await;
    node.trade(&old.key).await.unwrap();
    for purpose in ["digest", "tag", "tag", "digest"] {
        // At once, so that the node cannot have heard of it.
        rotate(&shop.app, purpose, json!({"leaked": true}))
            .await
            .expect(200);
        let new = shop.key().await;
        for key in [&new, &old] {
            node.trade(&key.key).await.unwrap();
        }
    }
    node.0.stop().await;
}

#[tokio::test]
async fn keys_under_a_secret_of_nobody_cost_a_reading_a_second_for_all_together() {
    let shop = Shop::new().await;
    let key = shop.key().await.key;
    let node = Node::beside(&shop.app).await;
    let before = node.0.broker().store().reads();
    let forged = of_nobody(&key);
    let refused = join_all((0..200).map(|_| node.trade(&forged))).await;
    for outcome in refused {
        assert!(matches!(outcome, Err(Refusal::Forged)));
    }
    // Beside them the node looks at its database some times a second.
    let reads = node.0.broker().store().reads() - before;
    assert!(reads < 20, "{reads} readings");
    node.0.stop().await;
}

#[tokio::test]
async fn while_the_secrets_cannot_be_read_an_unknown_one_is_an_outage() {
    let shop = Shop::new().await;
    let key = shop.key().await.key;
    let node = Node::beside(&shop.app).await;
    node.trade(&key).await.unwrap();
    node.0.broker().store().clone().close().await;
    let forged = of_nobody(&key);
    let refused = join_all((0..20).map(|_| node.trade(&forged))).await;
    for outcome in refused {
        let unavailable = matches!(
            outcome,
            Err(Refusal::Store(store::Error::Unavailable { .. }))
        );
        assert!(unavailable);
    }
    // What is in memory goes on.
    node.trade(&key).await.unwrap();
}

#[tokio::test]
async fn a_key_that_lives_and_whose_digest_secret_is_gone_is_an_outage() {
    let shop = Shop::new().await;
    let (lives, dead) = (shop.key().await, shop.key().await);
    shop.app
        .delete(&dead.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    let lose = "UPDATE credentials SET digest_generation = digest_generation + 7";
    let lost = shop.app.database().store.write(|tx| execute(tx, lose));
    lost.await.unwrap();
    let shop = shop.again(TestApp::restart).await;
    shop.app
        .trade(&lives.key)
        .await
        .problem("database_unavailable");
    shop.app.trade(&dead.key).await.problem("invalid_api_key");
}

#[tokio::test]
async fn where_nothing_signs_the_answer_is_an_outage() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let now = shop.app.now().as_microsecond();
    let stop = format!(
        "UPDATE signing_keys SET state = 'retired', retired_at = {now}, remove_at = {now} + 3600000000 \
         WHERE state = 'active'"
    );
    let stopped = shop
        .app
        .database()
        .store
        .write(move |tx| execute(tx, &stop));
    assert_eq!(stopped.await.unwrap(), 3);
    let shop = shop.again(TestApp::restart).await;
    let answer = shop
        .app
        .trade(&key.key)
        .await
        .problem("signing_key_unavailable");
    assert_eq!(answer.header("retry-after"), Some("30"));
    // The next ones have been in the set for long enough.
    shop.app.pass(600);
    let shop = shop.again(TestApp::restart).await;
    shop.app.trade(&key.key).await.expect(200);
}

#[tokio::test]
async fn a_node_takes_an_announced_secret_into_use_that_another_announced() {
    let shop = Shop::new().await;
    if shop.app.database().file().is_some() {
        return;
    }
    rotate(&shop.app, "tag", json!({})).await.expect(200);
    // Its clock stands at the start: to it the time has not come, and it only verifies.
    let node = Node::beside(&shop.app).await;
    replace(&shop.app, "digest").await;
    shop.app.pass(4);
    for _ in 0..500 {
        if super::states(&shop.app, "tag").await[0] == "1 current 0" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let key = shop.key().await;
    assert_eq!(&key.key[5..6], "1");
    node.trade(&key.key).await.unwrap();
    node.0.stop().await;
}

#[test]
fn nodes_that_start_together_on_an_empty_database_make_one_deployment() {
    const NODES: usize = 5;
    let Some(server) = postgres_url() else {
        // A SQLite database has one server: the lock of its folder says so.
        return;
    };
    for _ in 0..3 {
        let database = Database::empty_on_postgres(&server);
        let together = Arc::new(Barrier::new(NODES));
        let starts = (0..NODES).map(|_| {
            let (url, together) = (database.url().to_owned(), Arc::clone(&together));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    together.wait();
                    let node = Node::on(&url).await;
                    let mut keys: Vec<String> = node
                        .0
                        .broker()
                        .signing()
                        .published()
                        .into_iter()
                        // Those of RS256 are made beside the requests, by whoever comes first.
                        .filter(|key| key.algorithm != SigningAlgorithm::Rs256)
                        .map(|key| format!("{} {}", key.kid, key.state))
                        .collect();
                    keys.sort();
                    node.0.stop().await;
                    keys
                })
            })
        });
        let starts: Vec<_> = starts.collect();
        let mut rings: Vec<_> = starts
            .into_iter()
            .map(|start| start.join().unwrap())
            .collect();
        rings.dedup();
        assert_eq!(rings.len(), 1, "all see the same keys: {rings:#?}");
        let states = |state: &str| rings[0].iter().filter(|key| key.ends_with(state)).count();
        assert_eq!((states("active"), states("next")), (2, 2));
    }
}
