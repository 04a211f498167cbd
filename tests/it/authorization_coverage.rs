//! Every route of the table is called by those who may not: nobody, a token without the scope, a key that was stopped.

use kagiya::http::access::Access;
use kagiya::server::routes;
use serde_json::json;

use crate::conventions::filled;
use crate::management::manager;
use crate::support::credentials::{Anonymous, Bearer, Key, OperatorWith};
use crate::support::test_app::{MANAGEMENT, Shop};

/// Reviewed: whoever adds a line here opens a door to everybody.
const PUBLIC: [&str; 12] = [
    "POST /v1/keys/revoke-leaked",
    "GET /.well-known/oauth-authorization-server",
    "GET /.well-known/oauth-authorization-server/{issuer_path}",
    "GET /.well-known/openid-configuration",
    "GET /.well-known/openid-configuration/{issuer_path}",
    "GET /.well-known/jwks.json",
    "GET /.well-known/revocations",
    "GET /livez",
    "GET /readyz",
    "GET /metrics",
    "GET /openapi.json",
    "GET /docs",
];

/// Reviewed: any token for the management API, whatever it holds.
const FOR_ANY_CALLER: [&str; 1] = ["GET /v1/me"];

/// Reviewed: an API key is the credential, and the handler judges it.
const FOR_HOLDERS: [&str; 4] = [
    "POST /v1/token",
    "GET /v1/key",
    "POST /v1/key/rotate",
    "POST /v1/key/revoke",
];

/// Reviewed: a gateway asks for the holder of a key.
const FOR_GATEWAYS: [&str; 2] = ["GET /forward-auth", "GET /forward-auth/{path}"];

/// Reviewed: a client of the authorization server proves who it is to the handler.
const FOR_CLIENTS: [&str; 3] = [
    "POST /oauth/token",
    "POST /oauth/introspect",
    "POST /oauth/revoke",
];

fn names(wanted: impl Fn(Access) -> bool) -> Vec<String> {
    let rows = routes();
    let rows = rows.iter().filter(|row| wanted(row.access));
    rows.map(|row| format!("{} {}", row.method, row.path))
        .collect()
}

#[test]
fn the_routes_that_are_open_are_these() {
    assert_eq!(names(|access| access == Access::Public), PUBLIC);
    assert_eq!(names(|access| access == Access::Key), FOR_HOLDERS);
    assert_eq!(names(|access| access == Access::Gateway), FOR_GATEWAYS);
    assert_eq!(names(|access| access == Access::AnyCaller), FOR_ANY_CALLER);
    assert_eq!(names(|access| access == Access::Client), FOR_CLIENTS);
}

#[tokio::test]
async fn every_managing_route_wants_a_token_with_its_scope() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let key = shop.key().await;
    let payment = app.trade(&key.key).await.expect(200).text("access_token");
    let stopped = manager(&shop, &["keys:read"]).await;
    app.delete(&stopped.key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    let shown = app
        .get("/v1/resources?limit=200")
        .operator()
        .send()
        .await
        .expect(200);
    let own = shown["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["identifier"] == MANAGEMENT);
    let own = format!("/v1/resources/{}", own.unwrap()["id"].as_str().unwrap());
    let own = app.get(&own).operator().send().await.expect(200);
    let all: Vec<&str> = own["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|p| p["name"].as_str())
        .collect();
    for row in routes() {
        let scope = match row.access {
            Access::Management(scope) => Some(scope),
            Access::AnyCaller => None,
            Access::Public | Access::Key | Access::Gateway | Access::Client => continue,
            Access::Visitor | Access::Person => unreachable!("pages have a table of their own"),
        };
        let path = filled(&shop, &key.id, &row);
        let call = || app.request(row.method.as_str(), &path).json(json!({}));
        call().by(&Anonymous).send().await.problem("unauthorized");
        call()
            .by(&Key(&key.key))
            .send()
            .await
            .problem("unauthorized");
        call()
            .header("Authorization", "Basic b3BlcmF0b3I6eA==")
            .send()
            .await
            .problem("unauthorized");
        call()
            .by(&Bearer("nonsense"))
            .send()
            .await
            .problem("invalid_token");
        call()
            .by(&Bearer(&key.key))
            .send()
            .await
            .problem("invalid_token");
        call()
            .by(&Bearer(&payment))
            .send()
            .await
            .problem("invalid_token");
        call()
            .by(&Bearer(&stopped.token))
            .send()
            .await
            .problem("invalid_token");
        let Some(scope) = scope else {
            call().by(&OperatorWith("")).send().await.expect(200);
            continue;
        };
        assert!(all.contains(&scope), "{scope} can be held");
        let others: Vec<&str> = all
            .iter()
            .copied()
            .filter(|other| *other != scope)
            .collect();
        let answer = call().by(&OperatorWith(&others.join(" "))).send().await;
        let answer = answer.problem("insufficient_scope");
        assert!(
            answer.text("detail").ends_with(scope),
            "{}",
            answer.transcript()
        );
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(
            challenge.contains(&format!(r#"scope="{scope}""#)),
            "{challenge}"
        );
        // With it alone, the request is let in; what comes then is another matter.
        let answer = call().by(&OperatorWith(scope)).send().await;
        assert!(
            !matches!(answer.status, 401 | 403),
            "{}",
            answer.transcript()
        );
    }
}

#[tokio::test]
async fn every_route_for_holders_wants_a_key_that_lives() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let token = manager(&shop, &["keys:read"]).await.token;
    let (revoked, rotated) = (shop.key().await, shop.key().await);
    app.delete(&revoked.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    app.post(&rotated.path("/rotate"))
        .operator()
        .send()
        .await
        .expect(200);
    for row in routes() {
        if row.access != Access::Key {
            continue;
        }
        let call = || app.request(row.method.as_str(), row.path);
        call().by(&Anonymous).send().await.problem("unauthorized");
        call()
            .by(&Key("nonsense"))
            .send()
            .await
            .problem("invalid_api_key");
        call()
            .by(&Bearer(&token))
            .send()
            .await
            .problem("invalid_api_key");
        call().operator().send().await.problem("invalid_api_key");
        call()
            .by(&Key(&revoked.key))
            .send()
            .await
            .problem("api_key_revoked");
        call()
            .by(&Key(&rotated.key))
            .send()
            .await
            .problem("api_key_rotated");
    }
}

#[tokio::test]
async fn every_open_route_answers_without_a_credential_and_tells_no_secret() {
    let shop = Shop::new().await;
    shop.key().await;
    for row in routes() {
        if row.access != Access::Public {
            continue;
        }
        let answer = shop.app.request(row.method.as_str(), row.path).send().await;
        assert!(
            !matches!(answer.status, 401 | 403),
            "{}",
            answer.transcript()
        );
        shop.app.witness().assert_absent(&answer.body, row.path);
    }
}
