//! What is left to be done at identity providers, as the database has it.

use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::support::test_app::{Issued, Shop};

pub(crate) const OPEN: &str = "SELECT count(*) AS number FROM idp_operations WHERE done_at IS NULL";

async fn rotate_with_a_grace(shop: &Shop, key: &Issued) {
    let request = shop.app.post(&key.path("/rotate")).operator();
    let grace = json!({"grace_seconds": 3600});
    request.json(grace).send().await.expect(200);
    assert_eq!(
        shop.app.count(OPEN).await,
        1,
        "the removal at the end of the grace"
    );
}

pub(crate) async fn wait_until_nothing_is_open(shop: &Shop) {
    let done = async {
        while shop.app.count(OPEN).await > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), done)
        .await
        .expect("nothing is left to be done");
}

#[tokio::test]
async fn a_grace_that_a_rotation_cuts_short_leaves_nothing_to_be_done_at_its_end() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    rotate_with_a_grace(&shop, &key).await;
    let request = shop.app.post(&key.path("/rotate")).operator();
    request.send().await.expect(200);
    wait_until_nothing_is_open(&shop).await;
}

#[tokio::test]
async fn a_grace_that_a_revocation_cuts_short_leaves_nothing_to_be_done_at_its_end() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    rotate_with_a_grace(&shop, &key).await;
    let request = shop.app.delete(&key.path("")).operator();
    request.send().await.expect(204);
    wait_until_nothing_is_open(&shop).await;
}
