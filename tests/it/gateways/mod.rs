//! The recipes of `deploy/gateways`, run as they stand: the real gateway before the payment service, and kagiya beside them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod client;
mod proxy;
mod tokens;

use std::net::SocketAddr;
use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use self::client::{Answer, Client};
use self::proxy::{Kind, Proxy, free_address};
use crate::cli::{Home, ISSUER, PAYMENT, Serving, ask, claims};
use crate::payment_service::{payments, run};

const ROUTES: &str = r#"
trusted_proxies = ["127.0.0.1"]
routes = [
  { methods = ["GET"], path = "/payments", resource = "https://payment.example.com/api", scopes = ["read:payment"] },
  { methods = ["POST"], path = "/payments", resource = "https://payment.example.com/api", scopes = ["write:payment"] },
  { methods = ["*"], path = "/echo/{*rest}", resource = "https://payment.example.com/api" },
]
[forward_auth]
proxy = "PROXY"
"#;
const PAYMENT_BODY: &str = r#"{"amount":42,"currency":"EUR"}"#;

/// The gateway and what is around it.
struct Scene {
    home: Home,
    kagiya: SocketAddr,
    server: Option<Serving>,
    proxy: Proxy,
}

impl Scene {
    fn behind(kind: Kind) -> Self {
        let home = Home::new();
        let config = ROUTES.replace("PROXY", kind.name());
        std::fs::write(home.path("kagiya.toml"), config).unwrap();
        let kagiya = free_address();
        let well_known = format!("http://{kagiya}/.well-known");
        let payments = payments(ISSUER, &well_known);
        let service = run(move |config: &mut ServiceConfig| {
            payments(config);
            config.default_service(web::to(echo));
        });
        let proxy = Proxy::start(kind, kagiya, service);
        let mut scene = Self {
            home,
            kagiya,
            server: None,
            proxy,
        };
        scene.serve();
        scene.home.shop();
        scene
    }

    fn serve(&mut self) {
        let listen = self.kagiya.to_string();
        let arguments = [
            "--config",
            "kagiya.toml",
            "--listen",
            &listen,
            "--issuer",
            ISSUER,
        ];
        self.server = Some(self.home.start(&arguments));
    }

    fn client(&self) -> Client {
        Client::new(self.proxy.address)
    }

    fn send(&self, line: &str, headers: &[(&str, &str)]) -> Answer {
        let body = if line.starts_with("POST") {
            PAYMENT_BODY
        } else {
            ""
        };
        self.client().send(line, headers, body)
    }

    fn manage(&self, line: &str, body: &Value) -> Value {
        let token = self.home.kagiya(&["admin", "token"]).done();
        let bearer = format!("Bearer {}", token.trim());
        let headers = [
            ("Authorization", &*bearer),
            ("Content-Type", "application/json"),
        ];
        let (status, answer) = ask(self.kagiya, line, &headers, &body.to_string());
        assert!(status < 300, "{line} {status} {answer}");
        answer
    }

    /// A key with these scopes and these further members; its id and its text.
    fn key(&self, scopes: &[&str], further: &Value) -> (String, String) {
        let organizations = self
            .home
            .kagiya(&["organizations", "list", "--json"])
            .json();
        let mut body = json!({
            "name": "client", "organization_id": organizations["items"][0]["id"],
            "permissions": [{"resource": PAYMENT, "scopes": scopes}],
        });
        for (name, value) in further.as_object().unwrap() {
            body[name] = value.clone();
        }
        let made = self.manage("POST /v1/keys", &body);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("id"), text("key"))
    }
}

/// Answers the headers that it saw.
async fn echo(request: HttpRequest) -> HttpResponse {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = request.headers().iter();
    let seen: Vec<(String, String)> = headers
        .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
        .collect();
    HttpResponse::Ok().json(seen)
}

/// Every case of one gateway; how many there were.
fn judge(kind: Kind) {
    let mut scene = Scene::behind(kind);
    let cases = AtomicUsize::new(0);
    let is = |answer: &Answer, status: u16, what: &str| {
        cases.fetch_add(1, Relaxed);
        assert_eq!(answer.status, status, "{kind:?}, {what}: {answer:?}");
    };
    let (id, writer) = scene.key(&["write:payment"], &json!({}));
    let (_, reader) = scene.key(&["read:payment"], &json!({}));
    let key = ("X-API-Key", writer.as_str());

    // The way through.
    is(&scene.send("POST /payments", &[key]), 201, "a good key");
    let paid = scene.send("GET /payments", &[("X-API-Key", &reader)]);
    is(&paid, 200, "a good key that reads");
    assert!(String::from_utf8_lossy(&paid.body).contains("EUR"));
    for (line, headers, status, what) in [
        ("POST /payments", vec![], 401, "no key"),
        (
            "POST /payments",
            vec![("X-API-Key", "nonsense")],
            401,
            "a bad key",
        ),
        (
            "POST /payments",
            vec![("X-API-Key", &*reader)],
            403,
            "a wrong scope",
        ),
        ("GET /payments", vec![key], 403, "a wrong scope"),
        (
            "DELETE /payments",
            vec![key],
            403,
            "no route for the method",
        ),
        ("GET /admin", vec![key], 403, "no route"),
        (
            "POST /payments",
            vec![key, ("X-API-Key", &*reader)],
            401,
            "two keys",
        ),
        ("POST /payments", vec![key, key], 401, "one key twice"),
    ] {
        let answer = scene.send(line, &headers);
        is(&answer, status, what);
        if status == 401 {
            assert!(
                answer.header("www-authenticate").is_some(),
                "{kind:?}, {what}: {answer:?}"
            );
        }
    }

    // What a client writes beside its key has no say, and does not reach the service.
    let weaker = [
        ("X-API-Key", &*reader),
        ("X-Original-Method", "GET"),
        ("X-Original-URI", "/payments"),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Uri", "/payments"),
        ("X-HTTP-Method-Override", "GET"),
        ("X-Envoy-Original-Path", "/payments"),
        ("X-Kagiya-Resource", PAYMENT),
        ("X-Kagiya-Scope", "write:payment"),
    ];
    is(
        &scene.send("POST /payments", &weaker),
        403,
        "the headers of others",
    );
    let forged = [
        key,
        ("Authorization", "Basic Zm9yZ2Vk"),
        ("X-Kagiya-Key-Id", "key_forged"),
        ("X-Kagiya-Org-Id", "org_forged"),
        ("X-Kagiya-Scope", "everything"),
        ("X_Kagiya_Key_Id", "key_forged"),
        ("X_Kagiya_Scope", "everything"),
        ("X_Api_Key", "forged"),
    ];
    let tricks = [
        "Authorization",
        "X-API-Key",
        "X-Kagiya-Key-Id, X-Kagiya-Scope",
        "close, Authorization, X-API-Key, X-Kagiya-Key-Id",
    ];
    let tricks = tricks.map(|names| [&forged[..], &[("Connection", names)]].concat());
    for headers in std::iter::once(forged.to_vec()).chain(tricks) {
        let answer = scene.send("GET /echo/a", &headers);
        let names_key = headers
            .iter()
            .any(|(name, value)| *name == "Connection" && value.contains("X-API-Key"));
        if names_key && answer.status == 401 {
            // Envoy drops what its client names there before anybody is asked.
            cases.fetch_add(1, Relaxed);
            continue;
        }
        is(&answer, 200, "forged headers");
        let seen = answer.seen();
        let of = |name: &str| -> Vec<&str> {
            let normal = |header: &str| header.replace('_', "-").to_ascii_lowercase();
            let values = seen.iter().filter(|(header, _)| normal(header) == name);
            values.map(|(_, value)| value.as_str()).collect()
        };
        let [authorization] = of("authorization")[..] else {
            panic!("{kind:?}, {headers:?}: {seen:?}")
        };
        let token = authorization.strip_prefix("Bearer ").unwrap();
        assert_eq!(claims(token)["sub"], id, "{kind:?}");
        assert_eq!(of("x-api-key"), [""; 0], "{kind:?}, {headers:?}");
        assert_eq!(
            of("x-kagiya-key-id"),
            [id.as_str()],
            "{kind:?}, {headers:?}"
        );
        assert_eq!(
            of("x-kagiya-scope"),
            ["write:payment"],
            "{kind:?}, {headers:?}"
        );
        assert_eq!(of("x-kagiya-org-id").len(), 1, "{kind:?}, {headers:?}");
        assert_ne!(
            of("x-kagiya-org-id"),
            ["org_forged"],
            "{kind:?}, {headers:?}"
        );
    }

    // Paths that the gateway, kagiya and the service might read differently.
    for path in [
        "/echo/../payments",
        "/echo/..%2fpayments",
        "/echo/%2e%2e/payments",
        "//payments",
        "/echo//a",
        "/echo/a;b",
        "/echo/a%5cb",
        "/echo/a%00b",
        "/echo/a%252fb",
    ] {
        let answer = scene.send(&format!("GET {path}"), &[("X-API-Key", &reader)]);
        cases.fetch_add(1, Relaxed);
        let refused = matches!(answer.status, 400 | 403);
        assert!(refused, "{kind:?}, {path}: {answer:?}");
    }

    // Too often.
    let limit = json!({"rate_limit": {"requests": 2, "per_seconds": 600}});
    let (_, limited) = scene.key(&["read:payment"], &limit);
    for _ in 0..2 {
        let answer = scene.send("GET /payments", &[("X-API-Key", &limited)]);
        is(&answer, 200, "within the limit");
    }
    let answer = scene.send("GET /payments", &[("X-API-Key", &limited)]);
    is(&answer, 429, "over the limit");
    let wait = answer
        .header("retry-after")
        .and_then(|wait| wait.parse().ok());
    assert!(
        wait.is_some_and(|wait: u32| wait > 0),
        "{kind:?}: {answer:?}"
    );

    // Revoked a moment ago.
    let (stopped, text) = scene.key(&["read:payment"], &json!({}));
    let held = [("X-API-Key", text.as_str())];
    is(&scene.send("GET /payments", &held), 200, "before");
    scene.manage(&format!("DELETE /v1/keys/{stopped}"), &json!({}));
    is(
        &scene.send("GET /payments", &held),
        401,
        "revoked a moment ago",
    );

    // kagiya is away.
    let caller = tokens::Caller::of(&scene);
    drop(scene.server.take());
    let answer = scene.send("POST /payments", &[key]);
    is(&answer, 503, "kagiya is away");
    assert!(
        answer.header("retry-after").is_some(),
        "{kind:?}: {answer:?}"
    );
    scene.serve();
    is(&scene.send("POST /payments", &[key]), 201, "kagiya is back");
    caller.judge(&scene, is);

    rotate_in_the_middle(&scene, kind);
    println!(
        "{}: {} cases and 10000 requests with a rotation in the middle",
        kind.version(),
        cases.into_inner(),
    );
}

/// Ten thousand requests of eight clients; the key is rotated, with a grace, in the middle. None is refused.
fn rotate_in_the_middle(scene: &Scene, kind: Kind) {
    const CLIENTS: usize = 8;
    const EACH: usize = 1250;
    let (id, text) = scene.key(&["read:payment"], &json!({}));
    let (held, sent) = (RwLock::new(text), AtomicUsize::new(0));
    let address = scene.proxy.address;
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Client::new(address);
                for _ in 0..EACH {
                    let key = held.read().unwrap().clone();
                    let answer = client.send("GET /payments", &[("X-API-Key", &key)], "");
                    assert_eq!(answer.status, 200, "{kind:?}: {answer:?}");
                    if answer.header("connection") == Some("close") {
                        client = Client::new(address);
                    }
                    sent.fetch_add(1, Relaxed);
                }
            });
        }
        while sent.load(Relaxed) < CLIENTS * EACH / 2 {
            std::thread::yield_now();
        }
        let grace = json!({"grace_seconds": 600});
        let rotated = scene.manage(&format!("POST /v1/keys/{id}/rotate"), &grace);
        *held.write().unwrap() = rotated["key"].as_str().unwrap().to_owned();
    });
    assert_eq!(sent.into_inner(), CLIENTS * EACH);
}

#[test]
#[ignore = "needs nginx: run by the CI"]
fn nginx_guards_the_payment_service() {
    judge(Kind::Nginx);
}

#[test]
#[ignore = "needs Caddy: run by the CI"]
fn caddy_guards_the_payment_service() {
    judge(Kind::Caddy);
}

#[test]
#[ignore = "needs Envoy: run by the CI"]
fn envoy_guards_the_payment_service() {
    judge(Kind::Envoy);
}

#[test]
#[ignore = "needs HAProxy: run by the CI"]
fn haproxy_guards_the_payment_service() {
    judge(Kind::Haproxy);
}
