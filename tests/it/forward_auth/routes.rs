//! What a gateway is answered by the table of routes.

use std::time::Duration;

use kagiya::domain::gateway::Gateway;
use kagiya::idp::RightsAge;
use serde_json::json;

use super::{behind, token};
use crate::support::credentials::Key;
use crate::support::fake_provider::{FakeProvider, Mood};
use crate::support::test_app::{PAYMENT, Shop};
use crate::support::transcript::Answer;

async fn ask(shop: &Shop, method: &str, target: &str, key: &str) -> Answer {
    let request = shop.app.get("/forward-auth").by(&Key(key));
    let request = request.header("X-Original-Method", method);
    request.header("X-Original-URI", target).send().await
}

#[tokio::test]
async fn method_and_path_say_what_a_request_needs() {
    let shop = Shop::on(behind(Gateway::Nginx).start().await).await;
    let writer = shop.key().await;
    let reads = json!([{"resource": PAYMENT, "scopes": ["read:payment"]}]);
    let reader = shop.issue(json!({"permissions": reads})).await;
    for (method, target, may_read, may_write) in [
        ("GET", "/payments", true, false),
        ("HEAD", "/payments?page=2", true, false),
        ("GET", "/payments/7", true, false),
        ("GET", "/%70ayments/7", true, false),
        ("POST", "/payments", false, true),
        ("POST", "/payments?resource=x", false, true),
        ("GET", "/status", true, true),
    ] {
        for (key, may) in [(&reader, may_read), (&writer, may_write)] {
            let answer = ask(&shop, method, target, &key.key).await;
            if may {
                let aud = token(&answer.expect(200))["aud"].clone();
                assert_eq!(aud, PAYMENT);
            } else {
                answer.problem("insufficient_scope");
            }
        }
    }
}

#[tokio::test]
async fn what_no_route_is_meant_for_is_403() {
    let shop = Shop::on(behind(Gateway::Nginx).start().await).await;
    let key = shop.key().await;
    for (method, target) in [
        ("DELETE", "/payments"),
        ("POST", "/payments/7"),
        ("get", "/payments"),
        ("GET", "/"),
        ("GET", "/payments/"),
        ("GET", "/payments/7/lines"),
        ("GET", "/PAYMENTS"),
        ("GET", "/admin"),
        ("", "/payments"),
        // It asks for a scope that there is not.
        ("GET", "/typo"),
    ] {
        let answer = ask(&shop, method, target, &key.key).await;
        assert_eq!(answer["code"], "misconfigured_route", "{method} {target}");
    }
}

#[tokio::test]
async fn a_path_that_can_be_read_in_two_ways_is_403() {
    let shop = Shop::on(behind(Gateway::Nginx).start().await).await;
    let key = shop.key().await;
    for target in [
        "/status/../payments",
        "/status/..%2fpayments",
        "/%2e%2e/payments",
        "//payments",
        "/payments//7",
        "/payments;v=1",
        "/status;/../payments",
        "/payments%2f7",
        "/payments%5c7",
        "/payments\\7",
        "/payments%00",
        "/payments%252f7",
        "/payments%",
        "http://payment.example.com/payments",
        "payments",
        "",
        "*",
    ] {
        let answer = ask(&shop, "POST", target, &key.key).await;
        assert_eq!(answer["code"], "ambiguous_path", "{target}");
    }
}

#[tokio::test]
async fn whoever_is_no_trusted_proxy_is_not_believed() {
    let setup = behind(Gateway::Nginx).config(|config| {
        config.listener.trusted_proxies = vec!["192.0.2.1/32".parse().unwrap()];
    });
    let shop = Shop::on(setup.start().await).await;
    let key = shop.key().await;
    let answer = ask(&shop, "POST", "/payments", &key.key).await;
    let detail = answer.problem("misconfigured_route").text("detail");
    assert!(detail.contains("trusted_proxies"), "{detail}");
    // What its own query names is no header.
    let query = format!("/forward-auth?resource={PAYMENT}&scope=write:payment");
    shop.app
        .get(&query)
        .by(&Key(&key.key))
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn a_bad_key_learns_nothing_of_the_routes() {
    let shop = Shop::on(behind(Gateway::Nginx).start().await).await;
    for target in ["/payments", "/nowhere", "/..", ""] {
        let answer = ask(&shop, "GET", target, "nonsense").await;
        answer.problem("invalid_api_key");
    }
}

#[tokio::test]
async fn an_outage_is_503_and_lets_nobody_through() {
    let fake = FakeProvider::with_rights_age("asked", RightsAge::AtMost(Duration::ZERO));
    let setup = behind(Gateway::Nginx).provider(&fake);
    let shop = Shop::on(setup.start().await).await;
    let key = shop.issue(json!({"identity_provider": "asked"})).await;
    ask(&shop, "POST", "/payments", &key.key).await.expect(200);
    fake.always(Mood::FailsBefore);
    let answer = ask(&shop, "POST", "/payments", &key.key).await;
    answer.problem("identity_provider_unavailable");
    fake.works_again();
    ask(&shop, "POST", "/payments", &key.key).await.expect(200);
}
