//! The conventions together: rows of a table, the layer around them, and what comes out on the wire.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use actix_web::body::{MessageBody, to_bytes};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::HeaderName;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpResponse, web};
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;
use serde_json::Value;

use super::access::Access::{Key, Management, Public};
use super::access::{Caller, ManagementAuthenticator, Presented};
use super::address::TrustedProxies;
use super::facts::Facts;
use super::json::Json;
use super::middleware::{Around, Surroundings};
use super::observer::{FinishedRequest, RequestObserver};
use super::path::Id;
use super::problem::Problem;
use super::routing::{self, Endpoint, get, post};
use crate::domain::id::KeyId;
use crate::domain::random::SystemRandom;
use crate::domain::scope::ScopeSet;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    name: String,
}

async fn create(caller: Caller, Json(new): Json<NewKey>) -> HttpResponse {
    HttpResponse::Created().json(serde_json::json!({"name": new.name, "by": &*caller.actor}))
}

async fn show(facts: Facts, Id(id): Id<KeyId>) -> Result<HttpResponse, Problem> {
    facts.key(id);
    facts.reason("nothing_is_kept");
    Err(Problem::not_found())
}

async fn broken() -> Result<HttpResponse, Problem> {
    Err(Problem::internal("the disk said: kgy_secret"))
}

async fn unguarded(_: Caller) -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn foreign() -> Result<HttpResponse, actix_web::Error> {
    Err(actix_web::error::ErrorBadGateway("kgy_secret"))
}

async fn forged(facts: Facts) -> Result<HttpResponse, Problem> {
    facts.count_only();
    Err(Problem::invalid_api_key())
}

fn rows() -> Vec<Endpoint> {
    vec![
        post("/v1/token", Key, forged),
        get("/v1/keys/{id}", Public, show),
        post("/v1/keys", Management("keys:write"), create),
        get("/broken", Public, broken),
        get("/unguarded", Public, unguarded),
        get("/foreign", Public, foreign),
    ]
}

/// Knows two tokens: `writer`, and `reader`, who lacks `keys:write`.
struct TwoTokens;

impl ManagementAuthenticator for TwoTokens {
    fn authenticate<'a>(
        &'a self,
        presented: Presented<'a>,
    ) -> LocalBoxFuture<'a, Result<Caller, Problem>> {
        Box::pin(async move {
            let scopes: ScopeSet = match presented.unverified_token {
                "writer" => "keys:read keys:write",
                "reader" => "keys:read",
                _ => return Err(Problem::invalid_token()),
            }
            .parse()
            .map_err(|_| Problem::invalid_token())?;
            Ok(Caller {
                actor: presented.unverified_token.into(),
                organization_id: None,
                scopes,
                standing: crate::broker::Standing::Operator,
            })
        })
    }
}

#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl RequestObserver for Lines {
    fn finished(&self, line: &FinishedRequest<'_>) {
        let status = line
            .status
            .map_or("gone".to_owned(), |status| status.as_u16().to_string());
        self.0.lock().unwrap().push(format!(
            "{} {} {status} {} {} {} {} {}",
            line.method,
            line.route.unwrap_or("-"),
            line.code.unwrap_or("-"),
            line.reason.unwrap_or("-"),
            line.actor.as_deref().unwrap_or("-"),
            line.key_id.map_or("-".to_owned(), |id| id.to_string()),
            if line.counted_only {
                "counted"
            } else {
                "logged"
            },
        ));
    }
}

struct Answer {
    status: u16,
    headers: actix_web::http::header::HeaderMap,
    body: Value,
    line: String,
}

impl Answer {
    fn header(&self, name: &'static str) -> Option<&str> {
        self.headers
            .get(HeaderName::from_static(name))
            .map(|value| value.to_str().unwrap())
    }
}

async fn answer(request: TestRequest) -> Answer {
    let lines = Arc::new(Lines::default());
    let authenticator: Arc<dyn ManagementAuthenticator> = Arc::new(TwoTokens);
    let surroundings = Surroundings {
        trusted_proxies: TrustedProxies {
            networks: vec!["10.0.0.0/8".parse().unwrap()],
            ..TrustedProxies::default()
        },
        tls: true,
        random: Arc::new(SystemRandom),
        observer: Arc::clone(&lines) as Arc<dyn RequestObserver>,
        gate: None,
        pages: None,
    };
    let app = App::new()
        .app_data(web::Data::from(authenticator))
        .configure(|config| routing::register(rows(), config))
        .wrap(Around::new(surroundings));
    let app = init_service(app).await;
    // As on a worker, whose tasks are its own.
    let tasks = tokio::task::LocalSet::new();
    let response: ServiceResponse<_> = tasks
        .run_until(call_service(&app, request.to_request()))
        .await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = to_bytes(response.into_body().boxed()).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let told = lines.0.lock().unwrap().clone();
    assert_eq!(told.len(), 1, "one line for one request: {told:?}");
    Answer {
        status,
        headers,
        body,
        line: told[0].clone(),
    }
}

fn create_as(token: &str, body: &'static str) -> TestRequest {
    TestRequest::post()
        .uri("/v1/keys")
        .insert_header(("authorization", format!("Bearer {token}")))
        .insert_header(("content-type", "application/json"))
        .set_payload(body)
}

#[tokio::test]
async fn a_good_request_gets_through() {
    let answer = answer(create_as("writer", r#"{"name":"cart"}"#)).await;
    assert_eq!(
        (answer.status, answer.body["by"].as_str()),
        (201, Some("writer"))
    );
    assert_eq!(answer.line, "POST /v1/keys 201 - - writer - logged");
}

#[tokio::test]
async fn every_answer_has_the_security_headers_and_an_id() {
    for request in [
        create_as("writer", r#"{"name":"cart"}"#),
        TestRequest::get().uri("/nowhere"),
        TestRequest::get().uri("/foreign"),
    ] {
        let answer = answer(request).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(
            answer.header("content-security-policy"),
            None,
            "a policy for documents says nothing about JSON"
        );
        assert_eq!(
            answer.header("strict-transport-security"),
            Some("max-age=63072000")
        );
        assert!(
            answer
                .header("x-request-id")
                .is_some_and(|id| id.starts_with("req_"))
        );
        if answer.status >= 400 {
            assert_eq!(
                answer.body["request_id"].as_str(),
                answer.header("x-request-id")
            );
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json")
            );
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.body["status"], answer.status);
        }
    }
}

#[tokio::test]
async fn refusals_before_the_handler_have_their_codes() {
    let twice = create_as("writer", "{}").append_header(("authorization", "Bearer writer"));
    for (request, status, code, challenge) in [
        (TestRequest::get().uri("/nowhere"), 404, "not_found", None),
        (TestRequest::get().uri("/v1/keys/"), 404, "not_found", None),
        (
            TestRequest::get().uri("/v1/keys/key_short"),
            404,
            "not_found",
            None,
        ),
        (
            TestRequest::get().uri("/v1/keys/%ff"),
            404,
            "not_found",
            None,
        ),
        (
            TestRequest::delete().uri("/v1/keys"),
            405,
            "method_not_allowed",
            None,
        ),
        (
            TestRequest::post().uri("/v1/keys"),
            401,
            "unauthorized",
            Some(r#"Bearer realm="kagiya""#),
        ),
        (
            create_as("stranger", "{}"),
            401,
            "invalid_token",
            Some(r#"Bearer realm="kagiya", error="invalid_token""#),
        ),
        (
            create_as("reader", "not even JSON"),
            403,
            "insufficient_scope",
            Some(r#"Bearer realm="kagiya", error="insufficient_scope", scope="keys:write""#),
        ),
        (twice, 400, "invalid_request", None),
        (create_as("writer", "{}"), 422, "invalid_parameter", None),
        (create_as("writer", "{"), 400, "invalid_json", None),
        (
            TestRequest::post().uri("/v1/token"),
            401,
            "invalid_api_key",
            Some(r#"ApiKey realm="kagiya""#),
        ),
        (TestRequest::get().uri("/unguarded"), 500, "internal", None),
        (TestRequest::get().uri("/foreign"), 500, "internal", None),
        (TestRequest::get().uri("/broken"), 500, "internal", None),
    ] {
        let answer = answer(request).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (status, Some(code)),
            "{}",
            answer.line
        );
        assert_eq!(
            answer.header("www-authenticate"),
            challenge,
            "{}",
            answer.line
        );
        assert!(
            !answer.body.to_string().contains("kgy_secret"),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    assert_eq!(
        answer(TestRequest::delete().uri("/v1/keys"))
            .await
            .header("allow"),
        Some("POST")
    );
    assert_eq!(
        answer(TestRequest::post().uri("/broken"))
            .await
            .header("allow"),
        Some("GET, HEAD")
    );
    assert_eq!(
        answer(
            TestRequest::default()
                .method(actix_web::http::Method::HEAD)
                .uri("/broken")
        )
        .await
        .status,
        500
    );
}

#[tokio::test]
async fn the_line_says_what_the_handler_knew_and_never_the_path() {
    let id = KeyId::generate(&SystemRandom);
    let shown = answer(TestRequest::get().uri(&format!("/v1/keys/{id}?q=kgy_secret"))).await;
    assert_eq!(
        shown.line,
        format!("GET /v1/keys/{{id}} 404 not_found nothing_is_kept - {id} logged")
    );
    assert_eq!(
        answer(TestRequest::get().uri("/kgy_secret")).await.line,
        "GET - 404 not_found - - - logged"
    );
    assert_eq!(
        answer(TestRequest::post().uri("/v1/token")).await.line,
        "POST /v1/token 401 invalid_api_key - - - counted"
    );
    assert_eq!(
        answer(TestRequest::put().uri("/v1/token")).await.line,
        "PUT /v1/token 405 method_not_allowed - - - logged"
    );
    assert_eq!(
        answer(create_as("reader", "{}")).await.line,
        "POST /v1/keys 403 insufficient_scope - reader - logged"
    );
}

#[tokio::test]
async fn a_request_id_is_taken_over_from_a_trusted_proxy_alone() {
    let from = |peer: &str, id: &'static str| {
        let peer: SocketAddr = peer.parse().unwrap();
        answer(
            TestRequest::get()
                .uri("/nowhere")
                .peer_addr(peer)
                .insert_header(("x-request-id", id)),
        )
    };
    assert_eq!(
        from("10.0.0.1:1", "edge-7").await.header("x-request-id"),
        Some("edge-7")
    );
    assert_ne!(
        from("10.0.0.1:1", "a b").await.header("x-request-id"),
        Some("a b")
    );
    assert_ne!(
        from("203.0.113.7:1", "edge-7").await.header("x-request-id"),
        Some("edge-7")
    );
}
