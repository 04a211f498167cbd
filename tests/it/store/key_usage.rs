//! What is added to a key's figures.

use jiff::Timestamp;
use kagiya::store::key_usage::{self, DailyUse, LastUse};

use super::number;
use crate::support::test_app::Shop;

#[tokio::test]
async fn a_batch_that_comes_late_does_not_put_the_last_use_back() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let id = key.id.parse().unwrap();
    let store = &shop.app.database().store;
    for second in [1_000, 3_000, 2_000] {
        let at = Timestamp::from_second(second).unwrap();
        store
            .write(move |tx| key_usage::note(tx, &[LastUse { key_id: id, at }]))
            .await
            .unwrap();
    }
    let last =
        store.read(|connection| number(connection, "SELECT last_used_at AS number FROM key_usage"));
    assert_eq!(last.await.unwrap(), 3_000_000_000);
}

#[tokio::test]
async fn equal_places_add_up_and_different_ones_do_not() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let id = key.id.parse().unwrap();
    let used = |resource: Option<&str>, scope: Option<&str>, exchanges| DailyUse {
        key_id: id,
        day: 20_000,
        resource: resource.map(str::to_owned),
        scope: scope.map(str::to_owned),
        exchanges,
        refusals: 0,
    };
    let store = &shop.app.database().store;
    for batch in [
        vec![used(Some("a"), Some("b"), 1), used(Some("a"), Some("b"), 2)],
        vec![used(Some("a"), Some("b"), 4), used(Some("a"), None, 8)],
        vec![used(None, None, 16), used(Some("ab"), Some(""), 32)],
    ] {
        store
            .write(move |tx| key_usage::add(tx, &batch))
            .await
            .unwrap();
    }
    let rows = store.read(move |connection| key_usage::list(connection, &id, None, 10));
    let mut counts: Vec<i64> = rows
        .await
        .unwrap()
        .iter()
        .map(|row| row.exchanges)
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [7, 8, 16, 32]);
    let forgotten = store.write(|tx| key_usage::forget_before(tx, 20_000, 100));
    assert_eq!(forgotten.await.unwrap(), 0);
    let forgotten = store.write(|tx| key_usage::forget_before(tx, 20_001, 3));
    assert_eq!(forgotten.await.unwrap(), 3);
    let forgotten = store.write(|tx| key_usage::forget_before(tx, 20_001, 3));
    assert_eq!(forgotten.await.unwrap(), 1);
}
