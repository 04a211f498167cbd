//! The example of a resource server, on tokens of a real server and on such as only a forger or another deployment has.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};

use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer};
use kagiya::domain::algorithm::SigningAlgorithm;
use kagiya::domain::clock::{Clock, SystemClock};
use kagiya::domain::random::SystemRandom;
use kagiya::token::mint::{AccessTokenClaims, Jti, mint};
use kagiya::token::signing_key::SigningKey;
use serde_json::{Value, json};

use crate::cli::{Home, PAYMENT, ask};
use crate::worked_example::payment_service::{Service, routes};

const ISSUER: &str = "https://keys.example.com";

#[test]
fn a_traded_key_pays_and_reads_as_far_as_its_scope_goes() {
    let home = Home::new();
    let server = home.serve();
    home.shop();
    let key = home.key();
    let key = key["key"].as_str().unwrap().to_owned();
    let well_known = format!("http://{}/.well-known", server.address);
    let payments = serve(crate::cli::ISSUER, &well_known);
    let trade = |scope| {
        let headers = [
            ("X-API-Key", &*key),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let (status, answer) = ask(server.address, "POST /v1/token", &headers, scope);
        assert_eq!(status, 200);
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let (reads, writes) = (trade("scope=read:payment"), trade("scope=write:payment"));
    let payment = json!({"amount": 42, "currency": "EUR"});
    assert_eq!(payments.pay(&writes), (201, payment.clone()));
    assert_eq!(payments.list(&reads), (200, json!([payment])));
    assert_eq!(payments.list(&writes).0, 403);
    assert_eq!(payments.pay(&reads).0, 403);
    // Whoever trusts the keys that he holds goes on while kagiya is away.
    drop(server);
    assert_eq!(payments.list(&reads).0, 200);
}

#[test]
fn what_no_token_of_ours_would_be_is_refused() {
    let [key, other] = [(); 2].map(|()| SigningKey::generate(SigningAlgorithm::Es256).unwrap());
    let set = json!({"keys": [serde_json::to_value(key.public_jwk()).unwrap()]});
    let issuer = issuer(set);
    let payments = serve(ISSUER, &format!("http://{issuer}"));
    let good = Token::default();
    assert_eq!(payments.list(&good.sign(&key)).0, 200);
    for (token, why) in [
        (good.sign(&other), "another deployment's key"),
        (
            Token {
                issuer: "https://other.example.com",
                ..good
            }
            .sign(&key),
            "iss",
        ),
        (
            Token {
                audience: "https://cart.example.com/api",
                ..good
            }
            .sign(&key),
            "aud",
        ),
        (Token { lives: -60, ..good }.sign(&key), "exp"),
        (of_another_kind(&good.sign(&key), &key), "typ"),
        (forged(&good.sign(&key)), "a claim was changed"),
        (unsigned(&good.sign(&key)), "alg none"),
        ("no token".to_owned(), "no JWT"),
    ] {
        assert_eq!(payments.list(&token).0, 401, "{why}");
    }
    let near = Token {
        scope: "read:payments write:payment",
        ..good
    };
    assert_eq!(payments.list(&near.sign(&key)).0, 403);
    assert_eq!(ask(payments.0, "GET /payments", &[], "").0, 401);
    let basic = [("Authorization", "Basic a2V5Og==")];
    assert_eq!(ask(payments.0, "GET /payments", &basic, "").0, 401);
}

#[test]
fn without_the_issuers_keys_it_is_an_outage_and_no_bad_token() {
    let key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let well_known = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let payments = serve(ISSUER, &well_known);
    assert_eq!(payments.list(&Token::default().sign(&key)).0, 503);
}

/// A running payment service.
struct Payments(SocketAddr);

impl Payments {
    fn list(&self, token: &str) -> (u16, Value) {
        let bearer = format!("Bearer {token}");
        ask(self.0, "GET /payments", &[("Authorization", &bearer)], "")
    }

    fn pay(&self, token: &str) -> (u16, Value) {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("Authorization", &*bearer),
            ("Content-Type", "application/json"),
        ];
        ask(
            self.0,
            "POST /payments",
            &headers,
            r#"{"amount":42,"currency":"EUR"}"#,
        )
    }
}

/// An access token of somebody's making.
#[derive(Clone, Copy)]
struct Token {
    issuer: &'static str,
    audience: &'static str,
    scope: &'static str,
    lives: i64,
}

impl Default for Token {
    fn default() -> Self {
        Self {
            issuer: ISSUER,
            audience: PAYMENT,
            scope: "read:payment",
            lives: 60,
        }
    }
}

impl Token {
    fn sign(&self, key: &SigningKey) -> String {
        let now = SystemClock.now();
        let claims = AccessTokenClaims {
            iss: self.issuer,
            sub: "somebody",
            aud: self.audience,
            exp: now + jiff::SignedDuration::from_secs(self.lives),
            iat: now,
            jti: &Jti::generate(&SystemRandom),
            client_id: "somebody",
            scope: &self.scope.parse().unwrap(),
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
}

/// The same claims, signed with the same key, in what is no access token.
fn of_another_kind(token: &str, key: &SigningKey) -> String {
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
    header.kid = Some(key.kid().to_owned());
    let pkcs8 = key.to_pkcs8().unwrap();
    let key = jsonwebtoken::EncodingKey::from_ec_der(pkcs8.expose());
    jsonwebtoken::encode(&header, &crate::cli::claims(token), &key).unwrap()
}

/// The token with another scope in it and the old signature.
fn forged(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let claims = crate::cli::claims(token)
        .to_string()
        .replace("read:payment", "read:payment write:payment");
    format!("{}.{}.{}", parts[0], base64url(&claims), parts[2])
}

/// The token as RFC 7519 §6 lets one write it that nobody signed.
fn unsigned(token: &str) -> String {
    let claims = token.split('.').nth(1).unwrap();
    let header = base64url(r#"{"alg":"none","typ":"at+jwt","kid":"none"}"#);
    format!("{header}.{claims}.")
}

fn base64url(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

fn serve(issuer: &str, well_known: &str) -> Payments {
    Payments(run(payments(issuer, well_known)))
}

/// The routes of the example, for tokens of `issuer`.
pub(crate) fn payments(
    issuer: &str,
    well_known: &str,
) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let (issuer, well_known) = (issuer.to_owned(), well_known.to_owned());
    // Its verifier fetches on the thread that serves.
    let service = Arc::new(OnceLock::new());
    move |config| {
        let service = service.get_or_init(|| Service::new(&issuer, &well_known));
        routes(config, service);
    }
}

/// Somebody who publishes these keys.
fn issuer(set: Value) -> SocketAddr {
    let set = Arc::new(set);
    run(move |config| {
        let set = Arc::clone(&set);
        let answer = move || std::future::ready(HttpResponse::Ok().json(&*set));
        config.route("/jwks.json", web::get().to(answer));
    })
}

/// Serves on a thread of its own, until the tests end.
pub(crate) fn run(routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let app = move || App::new().configure(routes.clone());
        let server = HttpServer::new(app).workers(1).disable_signals();
        let served = server.listen(listener).unwrap().run();
        actix_web::rt::System::new().block_on(served).unwrap();
    });
    address
}
