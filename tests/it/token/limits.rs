//! From where and how often a key may be traded.

use kagiya::config::Config;
use serde_json::{Value, json};

use crate::support::credentials::Key;
use crate::support::test_app::{Issued, Shop, TestApp};
use crate::support::transcript::Answer;

async fn trade_from(shop: &Shop, key: &Issued, forwarded: &[&str]) -> Answer {
    let request = shop.app.post("/v1/token").by(&Key(&key.key));
    let request = forwarded
        .iter()
        .fold(request, |request, address| request.from(address));
    request.send().await
}

#[tokio::test]
async fn a_key_is_taken_from_its_networks_alone() {
    let shop = Shop::new().await;
    let cidrs = json!(["192.0.2.0/24", "198.51.100.7/32", "2001:db8:1::/48"]);
    let key = shop.issue(json!({"allowed_cidrs": cidrs})).await;
    for (address, allowed) in [
        ("192.0.2.1", true),
        ("192.0.2.255", true),
        ("192.0.3.0", false),
        ("198.51.100.7", true),
        ("198.51.100.8", false),
        ("2001:db8:1::1", true),
        ("2001:db8:1:ffff::1", true),
        ("2001:db8:2::1", false),
        // An IPv4 address is one, however it is written.
        ("::ffff:192.0.2.1", true),
        ("[2001:db8:1::1]:443", true),
    ] {
        let answer = trade_from(&shop, &key, &[address]).await;
        if allowed {
            answer.expect(200);
        } else {
            answer.problem("address_not_allowed");
        }
    }
    // Without a word of the proxy it is the proxy itself that asks.
    trade_from(&shop, &key, &[])
        .await
        .problem("address_not_allowed");
    let shown = shop
        .app
        .get("/v1/key")
        .by(&Key(&key.key))
        .from("203.0.113.1");
    shown.send().await.problem("address_not_allowed");
    let body = json!({"allowed_cidrs": null});
    shop.app
        .patch(&key.path(""))
        .operator()
        .json(body)
        .send()
        .await
        .expect(200);
    trade_from(&shop, &key, &["203.0.113.1"]).await.expect(200);
}

#[tokio::test]
async fn only_what_trusted_proxies_wrote_is_believed() {
    let setup = TestApp::setup().config(|config: &mut Config| {
        config.listener.trusted_proxies = vec![
            "127.0.0.1/32".parse().unwrap(),
            "10.0.0.0/8".parse().unwrap(),
        ];
    });
    let shop = Shop::on(setup.start().await).await;
    let key = shop.issue(json!({"allowed_cidrs": ["192.0.2.0/24"]})).await;
    for (forwarded, allowed) in [
        (&["192.0.2.1"][..], true),
        (&["192.0.2.1, 10.1.2.3"], true),
        (&["192.0.2.1", "10.1.2.3"], true),
        (&["203.0.113.9, 192.0.2.1, 10.1.2.3"], true),
        // The client itself wrote the first one.
        (&["192.0.2.1, 203.0.113.9"], false),
        (&["192.0.2.1, 203.0.113.9, 10.1.2.3"], false),
        (&["192.0.2.1", "203.0.113.9"], false),
        (&["192.0.2.1, nonsense"], false),
        (&["192.0.2.1, "], false),
        (&["nonsense"], false),
    ] {
        let answer = trade_from(&shop, &key, forwarded).await;
        if allowed {
            answer.expect(200);
        } else {
            answer.problem("address_not_allowed");
        }
    }
    let other = shop.app.post("/v1/token").by(&Key(&key.key));
    let other = other
        .header("Forwarded", "for=192.0.2.1")
        .header("X-Real-IP", "192.0.2.1");
    other.send().await.problem("address_not_allowed");
}

#[tokio::test]
async fn without_trusted_proxies_nobody_is_believed() {
    let setup = TestApp::setup().config(|config| config.listener.trusted_proxies.clear());
    let shop = Shop::on(setup.start().await).await;
    let key = shop.issue(json!({"allowed_cidrs": ["192.0.2.0/24"]})).await;
    trade_from(&shop, &key, &["192.0.2.1"])
        .await
        .problem("address_not_allowed");
    let local = shop.issue(json!({"allowed_cidrs": ["127.0.0.1/32"]})).await;
    trade_from(&shop, &local, &["192.0.2.1"]).await.expect(200);
}

#[tokio::test]
async fn a_key_has_its_own_rate_and_is_told_how_much_is_left() {
    let shop = Shop::new().await;
    let limit = json!({"requests": 3, "per_seconds": 60});
    let key = shop.issue(json!({"rate_limit": limit})).await;
    for (remaining, reset) in [(2, 20), (1, 40), (0, 60)] {
        let answer = shop.app.trade(&key.key).await.expect(200);
        assert_eq!(
            answer.header("ratelimit-policy"),
            Some(r#""default";q=3;w=60"#)
        );
        let expected = format!(r#""default";r={remaining};t={reset}"#);
        assert_eq!(answer.header("ratelimit"), Some(expected.as_str()));
    }
    let answer = shop.app.trade(&key.key).await.problem("rate_limited");
    assert_eq!(answer.header("retry-after"), Some("20"));
    assert_eq!(answer.header("ratelimit"), Some(r#""default";r=0;t=20"#));
    assert_eq!(
        answer.header("ratelimit-policy"),
        Some(r#""default";q=3;w=60"#)
    );
    shop.app.pass(19);
    shop.app.trade(&key.key).await.problem("rate_limited");
    shop.app.pass(1);
    shop.app.trade(&key.key).await.expect(200);
    shop.app.trade(&key.key).await.problem("rate_limited");
    shop.app.pass(60);
    for _ in 0..3 {
        shop.app.trade(&key.key).await.expect(200);
    }
    shop.app.trade(&key.key).await.problem("rate_limited");
    // Another key feels nothing of it.
    let other = shop.issue(json!({"rate_limit": limit})).await;
    shop.app.trade(&other.key).await.expect(200);
}

#[tokio::test]
async fn both_generations_of_a_key_share_its_rate() {
    let shop = Shop::new().await;
    let key = shop
        .issue(json!({"rate_limit": {"requests": 2, "per_seconds": 60}}))
        .await;
    let body = json!({"grace_seconds": 3600});
    let rotated = shop.app.post(&key.path("/rotate")).operator().json(body);
    let rotated = Issued::read(rotated.send().await.expect(200));
    shop.app.trade(&key.key).await.expect(200);
    shop.app.trade(&rotated.key).await.expect(200);
    shop.app.trade(&key.key).await.problem("rate_limited");
    shop.app.trade(&rotated.key).await.problem("rate_limited");
}

#[tokio::test]
async fn a_changed_rate_counts_at_once() {
    let shop = Shop::new().await;
    let key = shop
        .issue(json!({"rate_limit": {"requests": 1, "per_seconds": 3600}}))
        .await;
    shop.app.trade(&key.key).await.expect(200);
    shop.app.trade(&key.key).await.problem("rate_limited");
    let set = async |limit: Value| {
        let body = json!({"rate_limit": limit});
        shop.app
            .patch(&key.path(""))
            .operator()
            .json(body)
            .send()
            .await
            .expect(200);
    };
    set(json!({"requests": 2, "per_seconds": 3600})).await;
    shop.app.trade(&key.key).await.expect(200);
    set(Value::Null).await;
    for _ in 0..10 {
        assert_eq!(
            shop.app
                .trade(&key.key)
                .await
                .expect(200)
                .header("ratelimit"),
            None
        );
    }
}

#[tokio::test]
async fn a_refused_trade_says_nothing_of_the_rate_to_whoever_proves_nothing() {
    let shop = Shop::new().await;
    let key = shop
        .issue(json!({"rate_limit": {"requests": 1, "per_seconds": 60}}))
        .await;
    shop.app.trade(&key.key).await.expect(200);
    let cut = &key.key[..key.key.len() - 1];
    let answer = shop.app.trade(cut).await.problem("invalid_api_key");
    assert_eq!(answer.header("ratelimit"), None);
}
