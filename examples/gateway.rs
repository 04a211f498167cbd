//! The gateway of the worked example: it stands before the payment service, and never passes on the token that it got.
//!
//! Each token is traded for one that is aimed at the service behind (RFC 8693): for the same subject, with the gateway as the one who
//! acts. What kagiya does not trade, the gateway does not let through, so it needs no verifier of its own.
//! `docs/token-exchange.md` tells the story.
//!
//! ```text
//! GATEWAY_CLIENT_ID=app_… GATEWAY_CLIENT_SECRET_FILE=gateway.secret \
//!   cargo run --example gateway [ISSUER] [ADDRESS:PORT] [SERVICE BEHIND] [ITS RESOURCE]
//! ```

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::web::{Bytes, Data, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde::Deserialize;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// A traded token is used again until it has so long to live.
const SPARE: Duration = Duration::from_secs(10);
/// How many are kept at most.
const MOST_KEPT: usize = 10_000;

fn main() -> io::Result<()> {
    run(std::env::args().skip(1))
}

/// Serves until it is stopped.
#[expect(
    clippy::disallowed_methods,
    reason = "a service of its own, with settings of its own"
)]
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> io::Result<()> {
    let mut next = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let (issuer, listen) = (next("http://127.0.0.1:8787"), next("127.0.0.1:9100"));
    let behind = next("http://127.0.0.1:9000");
    let resource = next("https://payment.example.com/api");
    let variable = |name: &str| {
        std::env::var(name).map_err(|_| io::Error::other(format!("the variable {name} is missing")))
    };
    let secret = std::fs::read_to_string(variable("GATEWAY_CLIENT_SECRET_FILE")?)?;
    // It fails only where one is installed already, which serves as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let gateway = Data::new(Gateway {
        token_endpoint: format!("{issuer}/oauth/token"),
        client_id: variable("GATEWAY_CLIENT_ID")?,
        client_secret: secret.trim_end().to_owned(),
        behind,
        resource,
        http: client(),
        kept: Mutex::default(),
    });
    let server = HttpServer::new(move || App::new().configure(|config| routes(config, &gateway)));
    let server = server.bind(listen)?;
    for address in server.addrs() {
        println!("gateway on http://{address}");
    }
    actix_web::rt::System::new().block_on(server.run())
}

/// Everything goes to the service behind.
fn routes(config: &mut ServiceConfig, gateway: &Data<Gateway>) {
    config
        .app_data(gateway.clone())
        .default_service(web::to(pass_on));
}

/// What the gateway is.
struct Gateway {
    token_endpoint: String,
    client_id: String,
    client_secret: String,
    behind: String,
    resource: String,
    http: reqwest::Client,
    /// What tokens were traded for. A revoked token is traded no more, so this is as old as a revocation can go unnoticed.
    kept: Mutex<HashMap<String, Traded>>,
}

struct Traded {
    token: String,
    good_until: Instant,
}

/// The answer of the token endpoint.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

/// Why a call goes no further.
enum Refusal {
    /// There is no token.
    NoToken,
    /// It is not traded.
    NotTraded,
    /// kagiya, or the service behind, does not answer.
    Outage,
}

async fn pass_on(
    request: HttpRequest,
    body: Bytes,
    gateway: Data<Gateway>,
) -> Result<HttpResponse, actix_web::Error> {
    match gateway.call(&request, body).await {
        Ok(answer) => Ok(answer),
        Err(Refusal::NoToken) => Ok(HttpResponse::Unauthorized()
            .insert_header((WWW_AUTHENTICATE, "Bearer"))
            .finish()),
        Err(Refusal::NotTraded) => Ok(HttpResponse::Unauthorized()
            .insert_header((WWW_AUTHENTICATE, r#"Bearer error="invalid_token""#))
            .finish()),
        Err(Refusal::Outage) => Ok(HttpResponse::ServiceUnavailable()
            .insert_header((RETRY_AFTER, "10"))
            .finish()),
    }
}

impl Gateway {
    async fn call(&self, request: &HttpRequest, body: Bytes) -> Result<HttpResponse, Refusal> {
        let mut headers = request.headers().get_all(AUTHORIZATION);
        let (Some(header), None) = (headers.next(), headers.next()) else {
            return Err(Refusal::NoToken);
        };
        let token = header.to_str().ok().and_then(bearer);
        let traded = self.traded(token.ok_or(Refusal::NoToken)?).await?;
        // The path, and a body with its type: no header of the caller reaches the service behind.
        let url = format!("{}{}", self.behind, request.uri());
        let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes())
            .map_err(|_| Refusal::NoToken)?;
        let mut onward = self
            .http
            .request(method, url)
            .bearer_auth(traded)
            .body(body);
        if let Some(kind) = request.headers().get(CONTENT_TYPE) {
            onward = onward.header(CONTENT_TYPE.as_str(), kind.as_bytes());
        }
        let answer = onward.send().await.map_err(|_| Refusal::Outage)?;
        let status = StatusCode::from_u16(answer.status().as_u16()).map_err(|_| Refusal::Outage)?;
        let mut back = HttpResponse::build(status);
        for name in [CONTENT_TYPE, WWW_AUTHENTICATE, RETRY_AFTER] {
            if let Some(value) = answer.headers().get(name.as_str()) {
                back.insert_header((name, value.as_bytes()));
            }
        }
        let body = answer.bytes().await.map_err(|_| Refusal::Outage)?;
        Ok(back.body(body))
    }

    /// What a token is traded for.
    async fn traded(&self, token: &str) -> Result<String, Refusal> {
        let now = clock();
        if let Some(found) = self
            .kept()
            .get(token)
            .filter(|found| now < found.good_until)
        {
            return Ok(found.token.clone());
        }
        let form = [
            ("grant_type", GRANT),
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
            ("resource", &self.resource),
        ];
        let answer = self
            .http
            .post(&self.token_endpoint)
            .basic_auth(&self.client_id, Some(&self.client_secret))
            .form(&form)
            .send()
            .await
            .map_err(|_| Refusal::Outage)?;
        match answer.status().as_u16() {
            200 => {}
            // The caller's token is not good enough, or nobody may trade it.
            400 => return Err(Refusal::NotTraded),
            _ => return Err(Refusal::Outage),
        }
        let granted: Granted = answer.json().await.map_err(|_| Refusal::Outage)?;
        let lives = Duration::from_secs(granted.expires_in).saturating_sub(SPARE);
        let mut kept = self.kept();
        if kept.len() >= MOST_KEPT {
            kept.retain(|_, one| now < one.good_until);
        }
        if kept.len() < MOST_KEPT {
            let one = Traded {
                token: granted.access_token.clone(),
                good_until: now + lives.min(SPARE),
            };
            kept.insert(token.to_owned(), one);
        }
        Ok(granted.access_token)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, Traded>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a service of its own, which calls the addresses that it is told"
)]
fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("no part of this depends on anything outside")
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

#[expect(clippy::disallowed_methods, reason = "measures the age of tokens")]
fn clock() -> Instant {
    Instant::now()
}
