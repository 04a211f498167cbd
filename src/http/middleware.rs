//! What happens around every request, in one layer: the request id, the client's address, the security headers, the body of a
//! problem, and the word to the [`RequestObserver`] when it is over.
//!
//! One layer and no boxed future, because it lies on the way of every token: some hundred nanoseconds beside the eight
//! microseconds of the bare server.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::BoxBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpMessage, HttpResponse, ResponseError as _};
use pin_project_lite::pin_project;

use super::address::TrustedProxies;
use super::code::Code;
use super::error_pages::{ErrorPage, ErrorPages};
use super::facts::Facts;
use super::gate::Gate;
use super::oauth;
use super::observer::{FinishedRequest, RequestObserver};
use super::problem::Problem;
use super::request_id::{RequestId, X_REQUEST_ID};
use super::security_headers;
use crate::domain::random::Random;

/// What the layer needs to know.
#[derive(Clone)]
pub struct Surroundings {
    /// Whose word on the client's address and on the request id is taken.
    pub trusted_proxies: TrustedProxies,
    /// Whether clients reach us by TLS.
    pub tls: bool,
    /// Where request ids are drawn from.
    pub random: Arc<dyn Random>,
    /// Who is told of each finished request.
    pub observer: Arc<dyn RequestObserver>,
    /// Who turns bad keys away before they are routed; none where there are no keys.
    pub gate: Option<Gate>,
    /// Who makes pages of problems; none where there are no pages.
    pub pages: Option<Arc<dyn ErrorPages>>,
}

/// The layer: the outermost `wrap` of the application.
#[derive(Clone)]
pub struct Around(Surroundings);

impl Around {
    /// Around every request of an application.
    pub fn new(surroundings: Surroundings) -> Self {
        Self(surroundings)
    }
}

impl<S> Transform<S, ServiceRequest> for Around
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = actix_web::Error>,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = actix_web::Error;
    type Transform = AroundService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        // An `Rc` for each worker: workers that counted on one `Arc` would pass its cache line around with every request.
        ready(Ok(AroundService {
            service,
            surroundings: Rc::new(self.0.clone()),
        }))
    }
}

/// [`Around`] on one worker.
pub struct AroundService<S> {
    service: S,
    surroundings: Rc<Surroundings>,
}

impl<S> Service<ServiceRequest> for AroundService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = actix_web::Error>,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = actix_web::Error;
    type Future = Answer<S::Future>;

    actix_web::dev::forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let running = Running::begin(&self.surroundings, &request);
        if let Some(facts) = &running.facts {
            let gate = self.surroundings.gate.as_ref();
            if let Some(problem) = gate.and_then(|gate| gate.turn_away(request.head(), facts)) {
                let turned_away = Some(write(&problem, request, facts));
                return Answer {
                    inner: None,
                    turned_away,
                    running,
                };
            }
            request.extensions_mut().insert(facts.clone());
        }
        Answer {
            inner: Some(self.service.call(request)),
            turned_away: None,
            running,
        }
    }
}

pin_project! {
    /// The answer to come.
    pub struct Answer<F> {
        // None for a request that was turned away at the gate.
        #[pin]
        inner: Option<F>,
        turned_away: Option<ServiceResponse<BoxBody>>,
        running: Running,
    }
}

impl<F> Future for Answer<F>
where
    F: Future<Output = Result<ServiceResponse<BoxBody>, actix_web::Error>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(response) = this.turned_away.take() {
            return Poll::Ready(Ok(this.running.finish(response)));
        }
        let Some(inner) = this.inner.as_pin_mut() else {
            // Answered already: a future is not polled after that.
            return Poll::Pending;
        };
        match inner.poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(response)) => Poll::Ready(Ok(this.running.finish(response))),
            // No layer within ours returns errors; the server answers such a one itself.
            Poll::Ready(Err(error)) => {
                this.running
                    .tell(Some(error.as_response_error().status_code()), None);
                Poll::Ready(Err(error))
            }
        }
    }
}

/// A request that is being served. Dropped before it was finished, it tells that the client went away.
struct Running {
    surroundings: Rc<Surroundings>,
    /// `None` once the observer has been told.
    facts: Option<Facts>,
    method: Method,
    started: Instant,
}

impl Running {
    fn begin(surroundings: &Rc<Surroundings>, request: &ServiceRequest) -> Self {
        let head = request.head();
        let proxies = &surroundings.trusted_proxies;
        let taken_over = match head.peer_addr {
            Some(peer) if proxies.contains(peer.ip().to_canonical()) => {
                head.headers.get(X_REQUEST_ID).and_then(RequestId::read)
            }
            _ => None,
        };
        let id = taken_over.unwrap_or_else(|| RequestId::generate(&*surroundings.random));
        let client = proxies.client(head.peer_addr, &head.headers);
        Self {
            surroundings: Rc::clone(surroundings),
            facts: Some(Facts::new(id, client)),
            method: head.method.clone(),
            started: now(),
        }
    }

    fn finish(&mut self, response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        let Some(facts) = self.facts.clone() else {
            return response;
        };
        let mut response = match response.response().error() {
            None => {
                self.tell(Some(response.status()), None);
                response
            }
            Some(_) => self.write_problem(response, &facts),
        };
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, facts.id().value());
        security_headers::write(headers, self.surroundings.tls);
        response
    }

    /// Gives a problem its body; an error that is not a problem, which is one of the server's own, becomes one.
    fn write_problem(
        &mut self,
        response: ServiceResponse<BoxBody>,
        facts: &Facts,
    ) -> ServiceResponse<BoxBody> {
        // Sent elsewhere: to sign in first.
        if response.status().is_redirection() {
            self.tell(Some(response.status()), None);
            return response;
        }
        let error = response.response().error();
        if let Some(error) = error.and_then(|error| error.as_error::<oauth::error::Error>()) {
            self.tell(Some(response.status()), Some(Told::from(error)));
            return response;
        }
        if let Some(problem) = response
            .response()
            .error()
            .and_then(|error| error.as_error::<Problem>())
        {
            self.tell(Some(response.status()), Some(Told::from(problem)));
            if facts.is_oauth() {
                let error = oauth::error::Error::from(problem);
                return response.map_body(|head, _| {
                    head.status = error.status_code();
                    error.write_headers(&mut head.headers);
                    BoxBody::new(error.body())
                });
            }
            let page = self.page(&response, problem, facts);
            let body = match &page {
                Some(page) => page.html.clone().into_bytes(),
                None => problem.body(facts.request_id()),
            };
            return response.map_body(|head, _| {
                if let Some(page) = &page {
                    page.write_headers(&mut head.headers);
                }
                BoxBody::new(body)
            });
        }
        let content_type = response.headers().get(CONTENT_TYPE);
        if content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/")) {
            self.tell(Some(response.status()), None);
            return response;
        }
        let problem = stand_in(response.status());
        self.tell(Some(problem.code().status()), Some(Told::from(&problem)));
        let page = self.page(&response, &problem, facts);
        response.map_body(|head, _| {
            head.status = problem.code().status();
            problem.write_headers(&mut head.headers);
            match page {
                Some(page) => {
                    page.write_headers(&mut head.headers);
                    BoxBody::new(page.html)
                }
                None => BoxBody::new(problem.body(facts.request_id())),
            }
        })
    }

    /// The page for a problem, where a person asked for one.
    fn page(
        &self,
        response: &ServiceResponse<BoxBody>,
        problem: &Problem,
        facts: &Facts,
    ) -> Option<ErrorPage> {
        let pages = self.surroundings.pages.as_ref()?;
        pages.page(response.request(), problem, facts.request_id())
    }

    fn tell(&mut self, status: Option<StatusCode>, told: Option<Told<'_>>) {
        let Some(facts) = self.facts.take() else {
            return;
        };
        let mut line = FinishedRequest {
            request_id: facts.request_id(),
            method: &self.method,
            route: None,
            status,
            code: told.as_ref().map(|told| told.code),
            reason: None,
            duration: now().saturating_duration_since(self.started),
            client: facts.client(),
            key_id: None,
            organization_id: None,
            actor: None,
            cause: told.and_then(|told| told.cause),
            counted_only: false,
        };
        facts.fill(&mut line);
        self.surroundings.observer.finished(&line);
    }
}

/// What the log is told of an error.
struct Told<'a> {
    code: &'static str,
    cause: Option<&'a (dyn std::error::Error + Send + Sync + 'static)>,
}

impl<'a> From<&'a Problem> for Told<'a> {
    fn from(problem: &'a Problem) -> Self {
        Self {
            code: problem.code().as_str(),
            cause: problem.cause(),
        }
    }
}

impl<'a> From<&'a oauth::error::Error> for Told<'a> {
    fn from(error: &'a oauth::error::Error) -> Self {
        Self {
            code: error.code().as_str(),
            cause: error.cause(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tell(None, None);
    }
}

/// The answer of a request that was turned away.
fn write(problem: &Problem, request: ServiceRequest, facts: &Facts) -> ServiceResponse<BoxBody> {
    let body = BoxBody::new(problem.body(facts.request_id()));
    let mut response = HttpResponse::with_body(problem.code().status(), body);
    problem.write_headers(response.headers_mut());
    request.into_response(response)
}

/// The problem that says what the server's own error with this status says.
fn stand_in(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::not_found(),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::payload_too_large(super::body::LIMIT),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::unsupported_media_type("the body has the wrong media type")
        }
        status if status.is_client_error() => {
            Problem::invalid_request("the request could not be read")
        }
        _ => Problem::new(
            Code::Internal,
            "the log has the cause under this request id",
        ),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures how long the request took"
)]
fn now() -> Instant {
    Instant::now()
}
