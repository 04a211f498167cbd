//! The table against the document, and how a server starts and stops.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use ipnet::IpNet;
use tokio::sync::mpsc::channel;

use super::*;
use crate::domain::random::SystemRandom;
use crate::http::access::{Caller, Presented};
use crate::http::address::TrustedProxies;
use crate::http::health::Check;
use crate::http::observer::{FinishedRequest, RequestObserver};
use crate::http::problem::Problem;

struct Nobody;

impl ManagementAuthenticator for Nobody {
    fn authenticate<'a>(&'a self, _: Presented<'a>) -> LocalBoxFuture<'a, Result<Caller, Problem>> {
        Box::pin(async { Err(Problem::invalid_token()) })
    }
}

impl Readiness for Nobody {
    fn checks(&self) -> Vec<Check> {
        Vec::new()
    }
}

impl RequestObserver for Nobody {
    fn finished(&self, _: &FinishedRequest<'_>) {}
}

fn parts() -> Parts {
    Parts {
        surroundings: Surroundings {
            trusted_proxies: TrustedProxies {
                networks: Vec::<IpNet>::new(),
                ..TrustedProxies::default()
            },
            tls: false,
            random: Arc::new(SystemRandom),
            observer: Arc::new(Nobody),
            gate: None,
            pages: None,
        },
        authenticator: Arc::new(Nobody),
        readiness: Arc::new(Nobody),
        metrics: Arc::new(Metrics(Box::new(String::new))),
        dashboard: None,
        data: Arc::new(|_| {}),
    }
}

#[test]
fn the_public_routes_are_these() {
    let public: Vec<String> = routes()
        .iter()
        .filter(|row| row.access == Public)
        .map(|row| format!("{} {}", row.method, row.path))
        .collect();
    insta::assert_snapshot!(public.join("\n"), @r"
    POST /v1/keys/revoke-leaked
    GET /.well-known/oauth-authorization-server
    GET /.well-known/oauth-authorization-server/{issuer_path}
    GET /.well-known/openid-configuration
    GET /.well-known/openid-configuration/{issuer_path}
    GET /.well-known/jwks.json
    GET /.well-known/revocations
    GET /livez
    GET /readyz
    GET /metrics
    GET /openapi.json
    GET /docs
    ");
}

#[test]
fn the_table_and_the_openapi_document_have_the_same_routes() {
    let document = serde_json::to_value(openapi::document(&routes())).unwrap();
    let mut described: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item
                .as_object()
                .unwrap()
                .keys()
                .filter(|name| name.as_str() != "parameters");
            methods
                .map(move |method| format!("{} {path}", method.to_uppercase()))
                .collect::<Vec<_>>()
        })
        .collect();
    let mut table: Vec<String> = routes()
        .iter()
        .map(|row| format!("{} {}", row.method, row.path))
        .collect();
    described.sort();
    table.sort();
    assert_eq!(described, table);
}

#[test]
fn every_operation_has_a_summary_a_known_tag_and_the_error_of_its_kind() {
    let document = serde_json::to_value(openapi::document(&routes())).unwrap();
    let tags: Vec<&str> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tag| tag["name"].as_str())
        .collect();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(
                operation["summary"]
                    .as_str()
                    .is_some_and(|summary| !summary.is_empty()),
                "{method} {path}"
            );
            assert!(
                tags.contains(&operation["tags"][0].as_str().unwrap()),
                "{method} {path}"
            );
            let errors = match path.starts_with("/oauth/") {
                true => "#/components/responses/OAuthError",
                false => "#/components/responses/Problem",
            };
            let default = &operation["responses"]["default"]["$ref"];
            assert_eq!(default, errors, "{method} {path}");
        }
    }
}

#[test]
fn no_row_is_hidden_by_another() {
    let rows = routes();
    for (index, row) in rows.iter().enumerate() {
        let pattern = actix_web::dev::ResourceDef::new(row.path);
        for later in rows[index + 1..]
            .iter()
            .filter(|later| later.path != row.path)
        {
            assert!(
                !pattern.is_match(later.path),
                "{} hides {}",
                row.path,
                later.path
            );
        }
        assert!(
            rows[..index]
                .iter()
                .all(|earlier| (earlier.path, &earlier.method) != (row.path, &row.method)),
            "{}",
            row.path
        );
    }
}

/// One request on a connection of its own: status line and body.
fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    write!(
        connection,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

async fn status(address: SocketAddr, path: &'static str) -> Option<String> {
    let answer = tokio::task::spawn_blocking(move || ask(address, path))
        .await
        .unwrap();
    answer
        .ok()
        .map(|answer| answer.chars().skip(9).take(3).collect())
}

#[tokio::test]
async fn a_stopping_server_says_so_before_it_stops_accepting() {
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), 16).unwrap();
    let address = server.address();
    assert_ne!(address.port(), 0);
    let (word, words) = channel(1);
    let settings = Settings {
        workers: 1,
        max_connections: 100,
        keep_alive: Duration::from_secs(5),
        head_timeout: Duration::from_secs(5),
        // Ended by the second word below, not by the clock.
        drain: Duration::from_secs(600),
        shutdown_timeout: Duration::from_secs(5),
    };
    let run = server.run(settings, parts(), words);
    let ask = async {
        assert_eq!(status(address, "/readyz").await.as_deref(), Some("200"));
        word.send(()).await.unwrap();
        while status(address, "/readyz").await.as_deref() != Some("503") {
            tokio::task::yield_now().await;
        }
        assert_eq!(status(address, "/livez").await.as_deref(), Some("200"));
        word.send(()).await.unwrap();
    };
    let (ended, ()) = tokio::join!(run, ask);
    ended.unwrap();
    assert_eq!(status(address, "/livez").await, None);
}
