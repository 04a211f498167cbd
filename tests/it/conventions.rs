//! What holds for every route alike: bodies, headers, methods, addresses.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use actix_web::http::Method;
use kagiya::http::access::Access;
use kagiya::http::routing::Endpoint;
use kagiya::server::routes;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::credentials::Key;
use crate::support::test_app::{Shop, TestApp};
use crate::support::transcript::Request;

/// The path of a route with things that are there, or could be.
pub(crate) fn filled(shop: &Shop, key: &str, route: &Endpoint) -> String {
    let id = match route.path {
        path if path.starts_with("/v1/keys") => key,
        path if path.starts_with("/v1/organizations") => &shop.organization,
        path if path.starts_with("/v1/resources") => &shop.payment,
        path if path.starts_with("/v1/users") => "usr_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        path if path.starts_with("/v1/applications") => "app_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        path if path.starts_with("/v1/exchange-rules") => "rul_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        path if path.starts_with("/v1/roles") => "rol_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        _ => "",
    };
    route
        .path
        .replace("{id}", id)
        .replace("{permission_id}", "per_aaaaaaaaaaaaaaaaaaaaaaaaaa")
        .replace("{user_id}", "usr_aaaaaaaaaaaaaaaaaaaaaaaaaa")
        .replace("{secret_id}", "sec_aaaaaaaaaaaaaaaaaaaaaaaaaa")
        .replace("{role_id}", "rol_aaaaaaaaaaaaaaaaaaaaaaaaaa")
        .replace("{kid}", "nonsense")
        .replace("{issuer_path}", "nonsense")
        .replace("{name}", "builtin")
        .replace("{purpose}", "cookies")
        .replace("{generation}", "0")
}

/// A request by whoever may call the route.
fn allowed<'a>(shop: &'a Shop, route: &Endpoint, path: &str, key: &str) -> Request<'a> {
    let request = shop.app.request(route.method.as_str(), path);
    match route.access {
        Access::Public | Access::Client => request,
        Access::Key | Access::Gateway => request.by(&Key(key)),
        Access::Management(_) | Access::AnyCaller => request.operator(),
        Access::Visitor | Access::Person => unreachable!("pages have a table of their own"),
    }
}

/// Whether the route goes by the conventions of the OAuth RFCs; the tests of `oauth` hold it to those.
fn is_oauth(route: &Endpoint) -> bool {
    route.access == Access::Client
}

/// Whether the route reads a body.
fn reads_json(route: &Endpoint) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(&route.method)
        && route.path != "/v1/key/revoke"
        && !is_oauth(route)
}

#[tokio::test]
async fn every_body_is_read_strictly() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let deep = format!("{{\"name\":{}{}}}", "[".repeat(40), "]".repeat(40));
    for route in routes().iter().filter(|route| reads_json(route)) {
        let path = filled(&shop, &key.id, route);
        let send = async |content_type: &str, body: &[u8]| {
            let request = allowed(&shop, route, &path, &key.key);
            request.body(content_type, body).send().await
        };
        for (body, code, field) in [
            (&b"{"[..], "invalid_json", None),
            (b"{}{}", "invalid_json", None),
            (b"{\"name\":\"\xff\"}", "invalid_json", None),
            (b"{\"name\":1e999}", "invalid_json", None),
            (b"{'name':1}", "invalid_json", None),
            (b"{\"name\":NaN}", "invalid_json", None),
            (deep.as_bytes(), "invalid_json", None),
            (b"{\"zzz\":1,\"zzz\":2}", "invalid_request", Some("zzz")),
            (b"{\"zzz\":1}", "unknown_field", Some("zzz")),
            (b"[]", "invalid_parameter", Some("body")),
            (b"\"{}\"", "invalid_parameter", Some("body")),
            (b"null", "invalid_parameter", Some("body")),
        ] {
            let answer = send("application/json", body).await;
            assert_eq!(
                answer["code"],
                code,
                "{}\n{}",
                String::from_utf8_lossy(body),
                answer.transcript()
            );
            if let Some(field) = field {
                answer.names(field);
            }
        }
        send("text/plain", b"{}")
            .await
            .problem("unsupported_media_type");
        send("application/json; charset=utf-16", b"{}")
            .await
            .problem("unsupported_media_type");
        let limit = if route.path == "/v1/keys/revoke-leaked" {
            256
        } else {
            64
        };
        let long = vec![b' '; limit * 1024 + 1];
        send("application/json", &long)
            .await
            .problem("payload_too_large");
        let packed = allowed(&shop, route, &path, &key.key).header("Content-Encoding", "gzip");
        packed
            .body("application/json", "{}")
            .send()
            .await
            .problem("unsupported_media_type");
        let twice =
            allowed(&shop, route, &path, &key.key).header("Content-Type", "application/json");
        twice
            .body("application/json", "{}")
            .send()
            .await
            .problem("invalid_request");
    }
    assert_eq!(shop.app.claims(&key.key).await["scope"], "write:payment");
}

#[tokio::test]
async fn a_parameter_that_nobody_knows_is_refused_on_every_route() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    // Gateways get 403 for it (`forward_auth`).
    for route in routes()
        .iter()
        .filter(|route| route.access != Access::Gateway && !is_oauth(route))
    {
        let path = format!("{}?zzz=1", filled(&shop, &key.id, route));
        let request = allowed(&shop, route, &path, &key.key);
        let request = if reads_json(route) {
            request.json(json!({}))
        } else {
            request
        };
        let answer = request.send().await;
        assert_eq!(answer["code"], "unknown_field", "{}", answer.transcript());
        answer.names("zzz");
    }
    shop.app.trade(&key.key).await.expect(200);
}

#[tokio::test]
async fn every_other_method_is_405_with_those_that_are_allowed() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let all = routes();
    for route in all.iter().filter(|route| route.access != Access::Gateway) {
        let path = filled(&shop, &key.id, route);
        let mut allowed: Vec<&str> = Vec::new();
        for row in all.iter().filter(|row| row.path == route.path) {
            allowed.push(row.method.as_str());
            if row.method == Method::GET {
                allowed.push("HEAD");
            }
        }
        for method in [
            "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
        ] {
            if allowed.contains(&method) {
                continue;
            }
            let answer = shop.app.request(method, &path).operator().send().await;
            let answer = if is_oauth(route) {
                answer.expect(405)
            } else {
                answer.problem("method_not_allowed")
            };
            assert_eq!(answer.header("allow"), Some(allowed.join(", ").as_str()));
        }
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    for path in [
        &key.path("") as &str,
        "/v1/keys",
        "/livez",
        "/readyz",
        "/openapi.json",
        "/.well-known/jwks.json",
    ] {
        let get = shop.app.get(path).operator().send().await.expect(200);
        let head = shop
            .app
            .request("HEAD", path)
            .operator()
            .send()
            .await
            .expect(200);
        assert!(head.body.is_empty());
        assert_eq!(head.header("etag"), get.header("etag"));
        assert_eq!(head.header("content-type"), get.header("content-type"));
    }
}

#[tokio::test]
async fn what_is_not_there_is_404_to_everybody() {
    let shop = Shop::new().await;
    for path in [
        "/nothing",
        "/v1",
        "/v1/",
        "/v1/keys/",
        "/v2/token",
        "//v1/keys",
        "/v1/keys/x/y/z",
        "/.well-known/nothing",
        "/V1/TOKEN",
    ] {
        for request in [
            shop.app.get(path),
            shop.app.get(path).operator(),
            shop.app.post(path).operator(),
        ] {
            request.send().await.problem("not_found");
        }
    }
}

#[tokio::test]
async fn a_request_id_is_told_and_taken_from_trusted_proxies_alone() {
    let app = TestApp::new().await;
    let ask = async |app: &TestApp, id: &str| {
        let answer = app
            .get("/livez")
            .header("X-Request-Id", id)
            .send()
            .await
            .expect(200);
        answer.header("x-request-id").unwrap().to_owned()
    };
    assert_ne!(ask(&app, "").await, ask(&app, "").await);
    assert_eq!(
        ask(&app, "trace-0123456789abcdef").await,
        "trace-0123456789abcdef"
    );
    for nonsense in ["a b", "\"quoted\"", "x\u{e9}", &"x".repeat(500)] {
        assert_ne!(ask(&app, nonsense).await, nonsense);
    }
    let alone = TestApp::setup().config(|config| config.listener.trusted_proxies.clear());
    let alone = alone.start().await;
    assert_ne!(
        ask(&alone, "trace-0123456789abcdef").await,
        "trace-0123456789abcdef"
    );
}

/// What comes back for these bytes.
async fn raw(app: &TestApp, bytes: &[u8]) -> String {
    let mut connection = TcpStream::connect(app.address()).await.unwrap();
    connection.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_the_server_lives_on() {
    let app = TestApp::new().await;
    let long_header = format!(
        "GET /livez HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n",
        "x".repeat(200_000)
    );
    let many_headers = format!(
        "GET /livez HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X-Many: x\r\n".repeat(1000)
    );
    let both = "POST /v1/token HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let two =
        "POST /v1/token HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello";
    let signed = "POST /v1/token HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello";
    let space = "GET /livez HTTP/1.1\r\nHost : a\r\n\r\n";
    let folded = "GET /livez HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n";
    let nul = "GET /livez HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n";
    for bytes in [
        "\r\n\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "\u{16}\u{3}\u{1}",
        &long_header,
        &many_headers,
        both,
        two,
        signed,
        space,
        folded,
        nul,
    ] {
        let answer = tokio::time::timeout(
            std::time::Duration::from_secs(8),
            raw(&app, bytes.as_bytes()),
        )
        .await;
        let status = answer.unwrap().split(' ').nth(1).map(str::to_owned);
        let refused = status
            .as_deref()
            .is_none_or(|status| status.starts_with('4'));
        assert!(
            refused,
            "{status:?} for {:?}",
            &bytes[..bytes.len().min(60)]
        );
    }
    app.get("/livez").send().await.expect(200);
}

#[tokio::test]
async fn a_path_is_read_as_it_is_written() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    for path in [
        "/v1/%6bey",
        "/v1/keys/..",
        "/v1/keys/../key",
        "/v1/./key",
        "/v1/key%2f",
        "/v1/key;x=1",
        "/v1/key/%00",
    ] {
        let answer = shop
            .app
            .get(path)
            .by(&Key(&key.key))
            .operator()
            .send()
            .await;
        assert!(
            matches!(answer.status, 400 | 401 | 404),
            "{}",
            answer.transcript()
        );
    }
}
