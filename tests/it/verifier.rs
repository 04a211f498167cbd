//! The verifier for Rust services (`kagiya-verify`), before issuers who answer what a test wants.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse};
use arc_swap::ArcSwap;
use http::{Request, Response};
use kagiya::domain::algorithm::SigningAlgorithm;
use kagiya::domain::clock::{Clock, SystemClock};
use kagiya::domain::random::SystemRandom;
use kagiya::token::mint::{AccessTokenClaims, Jti, mint};
use kagiya::token::signing_key::SigningKey;
use kagiya_verify::tower::RequireToken;
use kagiya_verify::{Builder, Claims, Refusal, Verifier};
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::payment_service::run;

const ISSUER: &str = "https://keys.example.com";
const AUDIENCE: &str = "https://payment.example.com/api";

/// Who publishes keys and a list.
#[derive(Default)]
struct Issuer {
    keys: ArcSwap<Vec<Value>>,
    /// The list as it is signed; empty: 503.
    list: ArcSwap<String>,
    asked_for_keys: AtomicUsize,
    asked_for_list: AtomicUsize,
    same: AtomicUsize,
}

impl Issuer {
    fn start() -> (Arc<Self>, SocketAddr) {
        let issuer = Arc::new(Self::default());
        let data = Data::from(Arc::clone(&issuer));
        let address = run(move |config| {
            config
                .app_data(data.clone())
                .route("/jwks.json", web::get().to(jwks))
                .route("/revocations", web::get().to(list));
        });
        (issuer, address)
    }

    fn publish(&self, keys: &[&SigningKey]) {
        let keys = keys
            .iter()
            .map(|key| serde_json::to_value(key.public_jwk()).unwrap());
        self.keys.store(Arc::new(keys.collect()));
    }

    fn refuse(&self, signed_by: &SigningKey, ids: &[&str]) {
        self.list.store(Arc::new(list_of(signed_by, ids)));
    }
}

async fn jwks(issuer: Data<Issuer>) -> HttpResponse {
    issuer.asked_for_keys.fetch_add(1, Relaxed);
    let keys = issuer.keys.load();
    if keys.is_empty() {
        return HttpResponse::ServiceUnavailable().finish();
    }
    HttpResponse::Ok().json(json!({"keys": **keys}))
}

async fn list(issuer: Data<Issuer>, request: HttpRequest) -> HttpResponse {
    issuer.asked_for_list.fetch_add(1, Relaxed);
    let list = issuer.list.load();
    if list.is_empty() {
        return HttpResponse::ServiceUnavailable().finish();
    }
    let etag = format!("\"{}\"", list.len());
    let held = request.headers().get("if-none-match");
    if held.is_some_and(|held| held == etag.as_str()) {
        issuer.same.fetch_add(1, Relaxed);
        return HttpResponse::NotModified().finish();
    }
    HttpResponse::Ok()
        .insert_header(("ETag", etag))
        .body(list.to_string())
}

/// A list of revocations.
fn list_of(key: &SigningKey, ids: &[&str]) -> String {
    let now = SystemClock.now().as_second();
    let claims = json!({
        "iss": ISSUER, "iat": now, "exp": now + 60, "keys": ids, "clients": [], "generations": [], "families": [],
        "tokens": [], "signing_keys": [],
    });
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
    header.typ = Some("revocations+jwt".to_owned());
    header.kid = Some(key.kid().to_owned());
    let pkcs8 = key.to_pkcs8().unwrap();
    let key = jsonwebtoken::EncodingKey::from_ec_der(pkcs8.expose());
    jsonwebtoken::encode(&header, &claims, &key).unwrap()
}

fn key() -> SigningKey {
    SigningKey::generate(SigningAlgorithm::Es256).unwrap()
}

fn token(key: &SigningKey, sub: &str) -> String {
    let now = SystemClock.now();
    let claims = AccessTokenClaims {
        iss: ISSUER,
        sub,
        aud: AUDIENCE,
        exp: now + jiff::SignedDuration::from_secs(60),
        iat: now,
        jti: &Jti::generate(&SystemRandom),
        client_id: sub,
        scope: &"read:payment".parse().unwrap(),
        org_id: None,
        owner: None,
        generation: None,
        family: None,
        act: None,
        may_act: None,
        metadata: &[],
    };
    mint(key, &claims).unwrap()
}

fn verifier(address: SocketAddr) -> Builder {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Verifier::builder(ISSUER, AUDIENCE)
        .well_known(format!("http://{address}"))
        .revocations_every(Duration::from_millis(20))
}

/// Until it is so, or fails.
async fn until(what: &str, is: impl AsyncFn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn a_good_token_is_told_with_what_it_says() {
    let (issuer, address) = Issuer::start();
    let key = key();
    issuer.publish(&[&key]);
    issuer.refuse(&key, &[]);
    let verifier = verifier(address).start();
    let claims = verifier.verify(&token(&key, "key_a")).await.unwrap();
    assert_eq!(
        (claims.sub.as_str(), claims.client_id.as_str()),
        ("key_a", "key_a")
    );
    assert!(claims.permits("read:payment") && !claims.permits("read:pay"));
    assert_eq!(
        claims.require("write:payment"),
        Err(Refusal::InsufficientScope("write:payment".to_owned()))
    );
}

#[tokio::test]
async fn a_service_that_has_just_started_knows_what_was_revoked_before() {
    let (issuer, address) = Issuer::start();
    let key = key();
    issuer.publish(&[&key]);
    issuer.refuse(&key, &["key_a"]);
    let verifier = verifier(address).start();
    let refused = verifier.verify(&token(&key, "key_a")).await;
    assert_eq!(refused, Err(Refusal::InvalidToken("it was revoked")));
    verifier.verify(&token(&key, "key_b")).await.unwrap();
}

#[tokio::test]
async fn what_is_revoked_later_is_refused_and_an_unchanged_list_is_not_sent_again() {
    let (issuer, address) = Issuer::start();
    let key = key();
    issuer.publish(&[&key]);
    issuer.refuse(&key, &[]);
    let verifier = verifier(address).start();
    let good = token(&key, "key_a");
    verifier.verify(&good).await.unwrap();
    until("a 304", async || issuer.same.load(Relaxed) > 2).await;
    verifier.verify(&good).await.unwrap();
    issuer.refuse(&key, &["key_a"]);
    until("refused", async || verifier.verify(&good).await.is_err()).await;
    // Where the issuer is down, what is known goes on being refused.
    issuer.list.store(Arc::default());
    let asked = issuer.asked_for_list.load(Relaxed);
    until("asked", async || {
        issuer.asked_for_list.load(Relaxed) > asked
    })
    .await;
    verifier.verify(&good).await.unwrap_err();
}

#[tokio::test]
async fn a_list_that_another_signed_changes_nothing() {
    let (issuer, address) = Issuer::start();
    let (key, other) = (key(), key());
    issuer.publish(&[&key]);
    issuer.refuse(&other, &["key_a"]);
    let verifier = verifier(address).start();
    let good = token(&key, "key_a");
    verifier.verify(&good).await.unwrap();
    // Nor is a token one.
    issuer.list.store(Arc::new(good.clone()));
    let asked = issuer.asked_for_list.load(Relaxed);
    until("asked", async || {
        issuer.asked_for_list.load(Relaxed) > asked + 1
    })
    .await;
    verifier.verify(&good).await.unwrap();
}

#[tokio::test]
async fn whoever_demands_a_list_serves_nobody_without_one() {
    let (issuer, address) = Issuer::start();
    let key = key();
    issuer.publish(&[&key]);
    let demanding = verifier(address).unavailable_without_revocations_for(Duration::from_secs(1));
    let demanding = demanding.start();
    let good = token(&key, "key_a");
    let refused = demanding.verify(&good).await.unwrap_err();
    assert_eq!((refused.status(), refused.retry_after()), (503, Some(10)));
    issuer.refuse(&key, &[]);
    until("served", async || demanding.verify(&good).await.is_ok()).await;
    issuer.list.store(Arc::default());
    until("refused", async || demanding.verify(&good).await.is_err()).await;
}

#[tokio::test]
async fn keys_are_fetched_once_for_all_who_miss_them_and_not_again_for_invented_names() {
    let (issuer, address) = Issuer::start();
    let key = key();
    issuer.publish(&[&key]);
    issuer.refuse(&key, &[]);
    let verifier = verifier(address).start();
    let all: Vec<String> = (0..200).map(|_| token(&key, "key_a")).collect();
    let verified = all.iter().map(|token| verifier.verify(token));
    for claims in futures_util::future::join_all(verified).await {
        claims.unwrap();
    }
    let invented: Vec<String> = (0..200).map(|_| token(&self::key(), "key_a")).collect();
    let verified = invented.iter().map(|token| verifier.verify(token));
    for refused in futures_util::future::join_all(verified).await {
        assert_eq!(refused.unwrap_err().status(), 401);
    }
    assert_eq!(issuer.asked_for_keys.load(Relaxed), 1);
}

#[tokio::test]
async fn without_keys_it_is_an_outage_and_their_coming_is_noticed() {
    let (issuer, address) = Issuer::start();
    let verifier = verifier(address).start();
    let key = key();
    let good = token(&key, "key_a");
    let refused = verifier.verify(&good).await.unwrap_err();
    assert_eq!(refused.status(), 503);
    issuer.refuse(&key, &[]);
    issuer.publish(&[&key]);
    until("served", async || verifier.verify(&good).await.is_ok()).await;
}

#[tokio::test]
async fn with_the_verifier_its_fetching_ends() {
    let (issuer, address) = Issuer::start();
    let key = key();
    issuer.publish(&[&key]);
    issuer.refuse(&key, &[]);
    let verifier = verifier(address).start();
    verifier.verify(&token(&key, "key_a")).await.unwrap();
    drop(verifier);
    // Whatever was under way is answered; then nothing is asked any more.
    until("silence", async || {
        let before = issuer.asked_for_list.load(Relaxed);
        tokio::time::sleep(Duration::from_millis(200)).await;
        issuer.asked_for_list.load(Relaxed) == before
    })
    .await;
}

#[tokio::test]
async fn the_layer_lets_through_whom_its_scope_permits() {
    let (issuer, address) = Issuer::start();
    let key = key();
    issuer.publish(&[&key]);
    issuer.refuse(&key, &[]);
    let verifier = verifier(address).start();
    let reads = RequireToken::new(verifier.clone()).scope("read:payment");
    let writes = RequireToken::new(verifier).scope("write:payment");
    let handler = |request: Request<()>| {
        let claims = request.extensions().get::<Claims>().unwrap();
        ready(Ok::<_, Infallible>(Response::new(claims.sub.clone())))
    };
    let good = format!("Bearer {}", token(&key, "key_a"));
    let ask = async |rule: &RequireToken, authorization: &[&str]| {
        let mut request = Request::builder().uri("/payments");
        for value in authorization {
            request = request.header("authorization", *value);
        }
        let service = ServiceBuilder::new()
            .layer(rule.clone())
            .service(service_fn(handler));
        service.oneshot(request.body(()).unwrap()).await.unwrap()
    };
    let answer = ask(&reads, &[&good]).await;
    assert_eq!(
        (answer.status().as_u16(), answer.body().as_str()),
        (200, "key_a")
    );
    for (rule, authorization, status, challenge) in [
        (&reads, vec![], 401, "Bearer"),
        (
            &reads,
            vec!["Bearer x"],
            401,
            r#"Bearer error="invalid_token""#,
        ),
        (
            &reads,
            vec![good.as_str(), good.as_str()],
            401,
            r#"Bearer error="invalid_token""#,
        ),
        (
            &writes,
            vec![good.as_str()],
            403,
            r#"Bearer error="insufficient_scope", scope="write:payment""#,
        ),
    ] {
        let answer = ask(rule, &authorization).await;
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(answer.headers()["www-authenticate"], challenge);
        assert_eq!(answer.body(), "");
    }
}
