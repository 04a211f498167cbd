//! Each gateway has its own way to say what its client asked it for, and passes that client's headers on. Only its own way counts.

use kagiya::domain::gateway::Gateway;
use serde_json::json;

use super::behind;
use crate::support::credentials::Key;
use crate::support::test_app::{PAYMENT, Shop};
use crate::support::transcript::{Answer, Request};

const GATEWAYS: [Gateway; 5] = [
    Gateway::Nginx,
    Gateway::Caddy,
    Gateway::Envoy,
    Gateway::Haproxy,
    Gateway::Traefik,
];

/// Headers in which somebody, somewhere says method or path.
const METHODS: [&str; 5] = [
    "X-Original-Method",
    "X-Forwarded-Method",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "X-Envoy-Original-Method",
];
const TARGETS: [&str; 8] = [
    "X-Original-URI",
    "X-Original-URL",
    "X-Forwarded-Uri",
    "X-Rewrite-URL",
    "X-Envoy-Original-Path",
    "X-Auth-Request-Redirect",
    "X-Kagiya-Path",
    "X_Original_URI",
];

/// The two headers that a gateway writes, if it does.
fn own(gateway: Gateway) -> Option<(&'static str, &'static str)> {
    match gateway {
        Gateway::Nginx | Gateway::Haproxy => Some(("X-Original-Method", "X-Original-URI")),
        Gateway::Caddy | Gateway::Traefik => Some(("X-Forwarded-Method", "X-Forwarded-Uri")),
        Gateway::Envoy => None,
    }
}

/// As the gateway asks for its client's `POST /payments`.
fn asks<'a>(shop: &'a Shop, gateway: Gateway, key: &str) -> Request<'a> {
    let request = match own(gateway) {
        None => shop.app.post("/forward-auth/payments?x=1"),
        Some((method, target)) => {
            let request = shop.app.get("/forward-auth").header(method, "POST");
            request.header(target, "/payments?x=1")
        }
    };
    request.by(&Key(key))
}

#[tokio::test]
async fn what_a_client_writes_in_another_gateways_way_has_no_say() {
    for gateway in GATEWAYS {
        let shop = Shop::on(behind(gateway).start().await).await;
        let writer = shop.key().await;
        let reads = json!([{"resource": PAYMENT, "scopes": ["read:payment"]}]);
        let reader = shop.issue(json!({"permissions": reads})).await;
        let ask = async |key: &str| -> Answer {
            let mut request = asks(&shop, gateway, key);
            let (method, target) = own(gateway).unwrap_or_default();
            for name in METHODS.iter().filter(|name| **name != method) {
                request = request.header(name, "GET");
            }
            for name in TARGETS.iter().filter(|name| **name != target) {
                request = request.header(name, "/status");
            }
            request
                .header("X-Kagiya-Resource", PAYMENT)
                .header("X-Kagiya-Scope", "")
                .send()
                .await
        };
        ask(&writer.key).await.expect(200);
        ask(&reader.key).await.problem("insufficient_scope");
    }
}

#[tokio::test]
async fn a_gateway_that_says_it_twice_or_in_another_way_is_refused() {
    for gateway in GATEWAYS {
        let shop = Shop::on(behind(gateway).start().await).await;
        let key = shop.key().await;
        let twice = match own(gateway) {
            // A client's own header beside the gateway's.
            Some((method, target)) => vec![
                asks(&shop, gateway, &key.key).header(method, "GET"),
                asks(&shop, gateway, &key.key).header(target, "/status"),
                shop.app.post("/forward-auth/payments").by(&Key(&key.key)),
            ],
            None => vec![
                shop.app.post("/forward-auth").by(&Key(&key.key)),
                asks(&shop, Gateway::Nginx, &key.key),
                asks(&shop, Gateway::Caddy, &key.key),
            ],
        };
        for request in twice {
            request.send().await.problem("misconfigured_route");
        }
    }
}

#[tokio::test]
async fn behind_envoy_the_clients_query_says_nothing() {
    let shop = Shop::on(behind(Gateway::Envoy).start().await).await;
    let reads = json!([{"resource": PAYMENT, "scopes": ["read:payment"]}]);
    let reader = shop.issue(json!({"permissions": reads})).await;
    let loose = format!("?resource={PAYMENT}&scope=read:payment");
    for (method, path, code) in [
        ("POST", "/payments", "insufficient_scope"),
        ("GET", "/", "misconfigured_route"),
        ("GET", "/payments/../status", "ambiguous_path"),
        ("GET", "//payments", "ambiguous_path"),
        ("GET", "/payments%2f7", "ambiguous_path"),
    ] {
        let path = format!("/forward-auth{path}{loose}");
        let request = shop.app.request(method, &path).by(&Key(&reader.key));
        request.send().await.problem(code);
    }
    let path = format!("/forward-auth/payments/7{loose}");
    let request = shop.app.get(&path).by(&Key(&reader.key));
    request.send().await.expect(200);
}
