//! For actix-web: an extractor, and refusals that are responses.
//!
//! ```no_run
//! use actix_web::{HttpResponse, web};
//! use kagiya_verify::{Refusal, Verifier, actix::Token};
//!
//! async fn pay(token: Token) -> Result<HttpResponse, Refusal> {
//!     let caller = token.require("write:payment")?;
//!     Ok(HttpResponse::Created().json(&caller.org_id))
//! }
//!
//! fn routes(config: &mut web::ServiceConfig, verifier: Verifier) {
//!     config.app_data(web::Data::new(verifier)).route("/payments", web::post().to(pay));
//! }
//! ```

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError, web};

use crate::{Claims, Refusal, Verifier, bearer};

/// The claims of the request's token, verified by the [`Verifier`] among the application's data (`web::Data<Verifier>`). What it permits is
/// not judged yet: [`Claims::require`].
#[derive(Clone, Debug)]
pub struct Token(pub Claims);

impl Deref for Token {
    type Target = Claims;

    fn deref(&self) -> &Claims {
        &self.0
    }
}

impl FromRequest for Token {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let verifier = request.app_data::<web::Data<Verifier>>();
            let verifier = verifier.ok_or(Refusal::Unavailable(
                "there is no web::Data<Verifier> among the application's data",
            ))?;
            let values = request.headers().get_all(AUTHORIZATION);
            let token = bearer(values.map(|value| value.as_bytes()))?;
            verifier.verify(token).await.map(Self)
        })
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        answer.insert_header((CACHE_CONTROL, "no-store"));
        if let Some(challenge) = self.www_authenticate() {
            answer.insert_header((WWW_AUTHENTICATE, challenge));
        }
        if let Some(seconds) = self.retry_after() {
            answer.insert_header((RETRY_AFTER, seconds));
        }
        answer.finish()
    }
}
