//! For tower: a layer before any service of `http` requests, such as those of axum, tonic and hyper.
//!
//! ```no_run
//! use kagiya_verify::{Verifier, tower::RequireToken};
//!
//! # fn example(verifier: Verifier) {
//! // Every request must bring a token with this scope; the handlers find its `Claims` among the request's extensions.
//! let reads = RequireToken::new(verifier).scope("read:payment");
//! # let _ = reads;
//! # }
//! ```

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Claims, Refusal, Verifier, bearer};

/// Lets those requests through whose token is good, with its [`Claims`] among their extensions. Others are answered with an empty body.
#[derive(Clone)]
pub struct RequireToken {
    verifier: Verifier,
    scope: Option<Arc<str>>,
}

impl RequireToken {
    /// Any good token will do.
    pub fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            scope: None,
        }
    }

    /// Only one that permits this.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<Arc<str>>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    async fn judge(&self, headers: &http::HeaderMap) -> Result<Claims, Refusal> {
        let values = headers.get_all(AUTHORIZATION).iter();
        let token = bearer(values.map(HeaderValue::as_bytes))?;
        let claims = self.verifier.verify(token).await?;
        if let Some(scope) = &self.scope {
            claims.require(scope)?;
        }
        Ok(claims)
    }
}

impl<S> Layer<S> for RequireToken {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            inner,
            rule: self.clone(),
        }
    }
}

/// A service behind [`RequireToken`].
#[derive(Clone)]
pub struct Guarded<S> {
    inner: S,
    rule: RequireToken,
}

impl<S, B, R> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that is ready, not its clone.
        let next = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, next);
        let rule = self.rule.clone();
        Box::pin(async move {
            let headers = std::mem::take(request.headers_mut());
            let judged = rule.judge(&headers).await;
            *request.headers_mut() = headers;
            match judged {
                Ok(claims) => {
                    request.extensions_mut().insert(claims);
                    ready.call(request).await
                }
                Err(refusal) => Ok(refused(&refusal)),
            }
        })
    }
}

fn refused<R: Default>(refusal: &Refusal) -> Response<R> {
    let mut answer = Response::new(R::default());
    *answer.status_mut() =
        StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let challenge = refusal.www_authenticate();
    if let Some(challenge) = challenge.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(seconds) = refusal.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}
