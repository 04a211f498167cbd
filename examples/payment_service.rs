//! The payment service of the worked example: an API that takes kagiya's tokens and knows nothing else of kagiya.
//!
//! It checks each token by itself, with the public keys that it fetches once and keeps: signature, `typ`, `iss`, `aud`, `exp`, whether
//! it is on the list of what was revoked, and then the scope (RFC 9068 §4); what it refuses, it refuses as RFC 6750 §3 says.
//! `docs/verify-tokens.md` has the reasons.
//!
//! ```text
//! cargo run --example payment_service [ISSUER] [ADDRESS:PORT] [WHERE THE KEYS ARE]
//! ```

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::web::{Data, Json, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, ResponseError, web};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation, decode, decode_header};
use serde::{Deserialize, Serialize};

/// Who this service is: its resource's identifier.
const AUDIENCE: &str = "https://payment.example.com/api";
/// What it takes tokens by; no token has a say in that.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256];
/// How far the clocks may differ, in seconds.
const LEEWAY: u64 = 5;
/// How long keys are kept that came without a word on it.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(300);
/// How often the keys are fetched at most: anybody can invent a `kid`.
const BETWEEN_FETCHES: Duration = Duration::from_secs(10);
/// How old the list of what was revoked may get: what it names is refused so much later, at most.
const BETWEEN_LISTS: Duration = Duration::from_secs(5);

fn main() -> std::io::Result<()> {
    run(std::env::args().skip(1))
}

/// Serves until it is stopped.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> std::io::Result<()> {
    let mut next = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let (issuer, listen) = (next("http://127.0.0.1:8787"), next("127.0.0.1:9000"));
    // It fails only where one is installed already, which serves as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // Where kagiya is reached, if that is not what it calls itself.
    let well_known = next(&format!("{issuer}/.well-known"));
    let service = Data::new(Service::new(&issuer, &well_known));
    let server = HttpServer::new(move || App::new().configure(|config| routes(config, &service)));
    let server = server.bind(listen)?;
    for address in server.addrs() {
        println!("payments on http://{address}, for tokens of {issuer}");
    }
    actix_web::rt::System::new().block_on(server.run())
}

/// The API: `GET /payments` needs `read:payment`, `POST /payments` needs `write:payment`.
pub(crate) fn routes(config: &mut ServiceConfig, service: &Data<Service>) {
    config
        .app_data(service.clone())
        .route("/payments", web::get().to(list))
        .route("/payments", web::post().to(pay));
}

async fn list(request: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Refusal> {
    let caller = service.caller(&request, "read:payment").await?;
    let payments = service.payments.lock();
    let payments = payments.unwrap_or_else(PoisonError::into_inner);
    // Data belongs to the organization of the key: `sub` would do too, `jti` and `gen` change.
    let own = payments.iter().filter(|paid| paid.by == caller.org_id);
    let own: Vec<&Payment> = own.map(|paid| &paid.payment).collect();
    Ok(HttpResponse::Ok().json(own))
}

async fn pay(
    request: HttpRequest,
    service: Data<Service>,
    Json(payment): Json<Payment>,
) -> Result<HttpResponse, Refusal> {
    let caller = service.caller(&request, "write:payment").await?;
    let answer = HttpResponse::Created().json(&payment);
    let by = caller.org_id;
    let mut payments = service
        .payments
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    payments.push(Paid { by, payment });
    Ok(answer)
}

/// A payment.
#[derive(Serialize, Deserialize)]
struct Payment {
    amount: u32,
    currency: String,
}

struct Paid {
    by: Option<String>,
    payment: Payment,
}

/// What the service holds: its payments, and what it checks tokens with.
pub(crate) struct Service {
    issuer: String,
    well_known: String,
    http: reqwest::Client,
    /// Locked while they are fetched, so that many callers at once make one request.
    keys: tokio::sync::Mutex<Keys>,
    revoked: tokio::sync::Mutex<Revoked>,
    payments: Mutex<Vec<Paid>>,
}

#[derive(Default)]
struct Keys {
    held: Option<JwkSet>,
    asked_at: Option<Instant>,
    good_until: Option<Instant>,
}

/// What was revoked before it expired, as of the last time that the list could be fetched.
#[derive(Default)]
struct Revoked {
    ids: HashSet<String>,
    asked_at: Option<Instant>,
}

/// The list, as far as it is used here.
#[derive(Deserialize)]
struct RevocationList {
    keys: Vec<String>,
    clients: Vec<String>,
    generations: Vec<String>,
    families: Vec<String>,
    tokens: Vec<String>,
    signing_keys: Vec<String>,
    /// Seven characters of each id for which there is no more room.
    #[serde(default)]
    short: String,
}

/// What is read of a token; the library refuses one without `exp`, `iss`, `aud` and `sub`.
#[derive(Deserialize)]
struct Claims {
    scope: String,
    org_id: Option<String>,
    sub: String,
    jti: String,
    client_id: Option<String>,
    #[serde(rename = "gen")]
    generation: Option<String>,
    #[serde(rename = "fam")]
    family: Option<String>,
}

/// Why a request is refused.
#[derive(Debug, PartialEq, thiserror::Error)]
enum Refusal {
    #[error("a token is needed")]
    NoToken,
    #[error("the token is not good here: {0}")]
    InvalidToken(&'static str),
    #[error("the token lacks the scope {0}")]
    InsufficientScope(&'static str),
    #[error("the issuer's keys cannot be fetched")]
    NoKeys,
}

impl Service {
    /// Takes the tokens of `issuer`, whose keys are below the URL `well_known`.
    #[expect(
        clippy::disallowed_methods,
        reason = "a service of its own, which calls the issuer that it is told"
    )]
    pub(crate) fn new(issuer: &str, well_known: &str) -> Self {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("no part of this depends on anything outside");
        Self {
            issuer: issuer.to_owned(),
            well_known: well_known.to_owned(),
            http,
            keys: Default::default(),
            revoked: Default::default(),
            payments: Default::default(),
        }
    }

    /// Who calls, if he may do what needs `scope`.
    async fn caller(&self, request: &HttpRequest, scope: &'static str) -> Result<Claims, Refusal> {
        let mut headers = request.headers().get_all(AUTHORIZATION);
        let token = match (headers.next(), headers.next()) {
            (None, _) => return Err(Refusal::NoToken),
            (Some(header), None) => header.to_str().ok().and_then(bearer),
            (Some(_), Some(_)) => None,
        };
        let claims = self.verify(token.ok_or(Refusal::NoToken)?).await?;
        // Whole words: `read:payment` is not in `read:payments`.
        if claims.scope.split(' ').any(|held| held == scope) {
            Ok(claims)
        } else {
            Err(Refusal::InsufficientScope(scope))
        }
    }

    async fn verify(&self, token: &str) -> Result<Claims, Refusal> {
        let header = decode_header(token).map_err(|_| Refusal::InvalidToken("it is no JWT"))?;
        // RFC 9068 §4: with or without `application/`, in any case. Other kinds of tokens are signed with the same keys.
        let typ = header.typ.unwrap_or_default().to_ascii_lowercase();
        if typ.strip_prefix("application/").unwrap_or(&typ) != "at+jwt" {
            return Err(Refusal::InvalidToken("it is no access token"));
        }
        // RFC 7515 §4.1.11: what is critical must be understood, and nothing is here.
        if header.crit.is_some() || !ALGORITHMS.contains(&header.alg) {
            return Err(Refusal::InvalidToken(
                "its header is not one that is taken here",
            ));
        }
        let kid = header.kid.ok_or(Refusal::InvalidToken("it names no key"))?;
        let key = self.key(&kid, header.alg).await?;
        let mut rules = Validation::new(header.alg);
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.leeway = LEEWAY;
        rules.validate_nbf = true;
        let checked: TokenData<Claims> = decode(token, &key, &rules)
            .map_err(|_| Refusal::InvalidToken("its signature or a claim is wrong"))?;
        let claims = checked.claims;
        let names = [
            Some(&kid),
            Some(&claims.sub),
            Some(&claims.jti),
            claims.client_id.as_ref(),
            claims.generation.as_ref(),
            claims.family.as_ref(),
        ];
        if self.any_revoked(&names).await {
            return Err(Refusal::InvalidToken("it was revoked"));
        }
        Ok(claims)
    }

    /// Whether one of these is on the list; a list that is some seconds old is fetched again first.
    async fn any_revoked(&self, names: &[Option<&String>]) -> bool {
        let mut revoked = self.revoked.lock().await;
        let now = clock();
        if revoked.asked_at.is_none_or(|at| now >= at + BETWEEN_LISTS) {
            revoked.asked_at = Some(now);
            // Where the issuer is down, what is known goes on being refused, and every token ends by itself.
            if let Some(ids) = self.fetch_list().await {
                revoked.ids = ids;
            }
        }
        let listed = |id: &&String| {
            let short = id.get(4..11).unwrap_or_default();
            revoked.ids.contains(*id) || revoked.ids.contains(short)
        };
        names.iter().flatten().any(listed)
    }

    async fn fetch_list(&self) -> Option<HashSet<String>> {
        let url = format!("{}/revocations", self.well_known);
        let answer = self.http.get(url).send().await.ok()?;
        let jwt = answer.error_for_status().ok()?.text().await.ok()?;
        let header = decode_header(&jwt).ok()?;
        // It is signed like a token, and no token is taken for it.
        if header.typ.as_deref() != Some("revocations+jwt") || !ALGORITHMS.contains(&header.alg) {
            return None;
        }
        let key = self.key(&header.kid?, header.alg).await.ok()?;
        let mut rules = Validation::new(header.alg);
        rules.set_issuer(&[&self.issuer]);
        rules.set_required_spec_claims(&["exp", "iss"]);
        rules.validate_aud = false;
        rules.leeway = LEEWAY;
        let list = decode::<RevocationList>(&jwt, &key, &rules).ok()?.claims;
        let whole = [
            list.keys,
            list.clients,
            list.generations,
            list.families,
            list.tokens,
            list.signing_keys,
        ];
        let short = list.short.as_bytes().chunks(7);
        let short = short.map(|some| String::from_utf8_lossy(some).into_owned());
        Some(whole.into_iter().flatten().chain(short).collect())
    }

    /// The key of this name for this algorithm: as held, or fetched if it is unknown or was held long enough.
    async fn key(&self, kid: &str, algorithm: Algorithm) -> Result<DecodingKey, Refusal> {
        let mut keys = self.keys.lock().await;
        let is_known = |keys: &Keys| {
            keys.held
                .as_ref()
                .is_some_and(|set| set.find(kid).is_some())
        };
        let now = clock();
        let is_good = keys.good_until.is_some_and(|end| now < end) && is_known(&keys);
        let asked_lately = keys.asked_at.is_some_and(|at| now < at + BETWEEN_FETCHES);
        if !is_good && !asked_lately {
            keys.asked_at = Some(now);
            // Where the issuer is down, the keys that are held still tell good tokens from bad ones.
            if let Some((set, max_age)) = self.fetch().await {
                keys.held = Some(set);
                keys.good_until = Some(now + max_age);
            }
        }
        let set = keys.held.as_ref().ok_or(Refusal::NoKeys)?;
        let unknown = Refusal::InvalidToken("no key of the issuer has its key's name");
        let jwk = set.find(kid).ok_or(unknown)?;
        // The key says what it is for, not the token.
        if jwk.common.key_algorithm != Some(algorithm.into()) {
            return Err(Refusal::InvalidToken("its key is for another algorithm"));
        }
        DecodingKey::from_jwk(jwk).map_err(|_| Refusal::NoKeys)
    }

    async fn fetch(&self) -> Option<(JwkSet, Duration)> {
        let url = format!("{}/jwks.json", self.well_known);
        let answer = self.http.get(url).send().await.ok()?;
        let answer = answer.error_for_status().ok()?;
        let header = answer.headers().get(CACHE_CONTROL.as_str());
        let max_age = header
            .and_then(|text| text.to_str().ok()?.split("max-age=").nth(1)?.parse().ok())
            .map_or(DEFAULT_MAX_AGE, Duration::from_secs);
        Some((answer.json().await.ok()?, max_age))
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::InvalidToken(_) => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope(_) => StatusCode::FORBIDDEN,
            // An outage is no reason to call a token bad.
            Self::NoKeys => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        let error = match self {
            // RFC 6750 §3.1: to who brought nothing, nothing but the scheme.
            Self::NoToken => "Bearer".to_owned(),
            Self::InvalidToken(_) => {
                format!(r#"Bearer error="invalid_token", error_description="{self}""#)
            }
            Self::InsufficientScope(scope) => {
                format!(r#"Bearer error="insufficient_scope", scope="{scope}""#)
            }
            Self::NoKeys => {
                return answer.insert_header((RETRY_AFTER, "10")).finish();
            }
        };
        answer.insert_header((WWW_AUTHENTICATE, error)).finish()
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

#[expect(clippy::disallowed_methods, reason = "measures the age of the keys")]
fn clock() -> Instant {
    Instant::now()
}
