//! The payment service of the worked example: an API that takes kagiya's tokens and knows nothing else of kagiya.
//!
//! `kagiya_verify` checks each token, with the public keys and the list of what was revoked that it keeps: signature, `typ`, `iss`,
//! `aud`, `exp` (RFC 9068 §4). What an operation needs, the operation asks; what is refused, is refused as RFC 6750 §3 says.
//! `docs/verify-tokens.md` has the reasons, and the same for services that are not written in Rust.
//!
//! ```text
//! cargo run --example payment_service [ISSUER] [ADDRESS:PORT] [WHERE THE KEYS ARE]
//! ```

use std::sync::{Mutex, PoisonError};

use actix_web::web::{self, Data, Json, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer};
use kagiya_verify::actix::Token;
use kagiya_verify::{Refusal, Verifier};
use serde::{Deserialize, Serialize};

/// Who this service is: its resource's identifier.
const AUDIENCE: &str = "https://payment.example.com/api";

fn main() -> std::io::Result<()> {
    run(std::env::args().skip(1))
}

/// Serves until it is stopped.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> std::io::Result<()> {
    let mut next = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let (issuer, listen) = (next("http://127.0.0.1:8787"), next("127.0.0.1:9000"));
    // Where kagiya is reached, if that is not what it calls itself.
    let well_known = next(&format!("{issuer}/.well-known"));
    actix_web::rt::System::new().block_on(async move {
        let service = Service::new(&issuer, &well_known);
        let app = move || App::new().configure(|config| routes(config, &service));
        let server = HttpServer::new(app).bind(listen)?;
        for address in server.addrs() {
            println!("payments on http://{address}, for tokens of {issuer}");
        }
        server.run().await
    })
}

/// The API: `GET /payments` needs `read:payment`, `POST /payments` needs `write:payment`.
pub(crate) fn routes(config: &mut ServiceConfig, service: &Service) {
    config
        .app_data(service.verifier.clone())
        .app_data(service.payments.clone())
        .route("/payments", web::get().to(list))
        .route("/payments", web::post().to(pay));
}

async fn list(caller: Token, payments: Data<Payments>) -> Result<HttpResponse, Refusal> {
    caller.require("read:payment")?;
    let payments = payments.0.lock().unwrap_or_else(PoisonError::into_inner);
    // Data belongs to the organization of the key: `sub` would do too, `jti` and `gen` change.
    let own = payments.iter().filter(|paid| paid.by == caller.org_id);
    let own: Vec<&Payment> = own.map(|paid| &paid.payment).collect();
    Ok(HttpResponse::Ok().json(own))
}

async fn pay(
    caller: Token,
    payments: Data<Payments>,
    Json(payment): Json<Payment>,
) -> Result<HttpResponse, Refusal> {
    let by = caller.require("write:payment")?.org_id.clone();
    let answer = HttpResponse::Created().json(&payment);
    let mut payments = payments.0.lock().unwrap_or_else(PoisonError::into_inner);
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

/// What was paid.
#[derive(Default)]
struct Payments(Mutex<Vec<Paid>>);

/// What the service holds.
#[derive(Clone)]
pub(crate) struct Service {
    verifier: Data<Verifier>,
    payments: Data<Payments>,
}

impl Service {
    /// Takes the tokens of `issuer`, whose keys are below the URL `well_known`.
    pub(crate) fn new(issuer: &str, well_known: &str) -> Self {
        let verifier = Verifier::builder(issuer, AUDIENCE).well_known(well_known);
        Self {
            verifier: Data::new(verifier.start()),
            payments: Data::default(),
        }
    }
}
