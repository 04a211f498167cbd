//! What is added to a key's figures.

use jiff::Timestamp;
use kagiya::store::key_usage::{self, Usage};

use super::number;
use crate::support::test_app::Shop;

#[tokio::test]
async fn a_batch_that_comes_late_adds_up_and_does_not_put_the_last_use_back() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let id = key.id.parse().unwrap();
    let usage = |second: i64, exchanges: i64| Usage {
        key_id: id,
        last_used_at: Timestamp::from_second(second).unwrap(),
        exchanges,
        refusals: 0,
    };
    let store = &shop.app.database().store;
    for batch in [usage(1_000, 1), usage(3_000, 2), usage(2_000, 4)] {
        store
            .write(move |tx| key_usage::add(tx, &[batch]))
            .await
            .unwrap();
    }
    let figures = store.read(move |connection| {
        let exchanges = number(connection, "SELECT exchanges AS number FROM key_usage")?;
        let last = number(connection, "SELECT last_used_at AS number FROM key_usage")?;
        Ok::<_, kagiya::store::Error>((exchanges, last))
    });
    assert_eq!(figures.await.unwrap(), (7, 3_000_000_000));
}
