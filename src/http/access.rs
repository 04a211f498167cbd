//! Who may call an endpoint. The routing table names an [`Access`] for each; nothing is reachable without one.
//!
//! For the management API the check happens before the handler and before its body is read: the bearer token is verified
//! (RFC 6750), its scope compared with the one that the table names, and the [`Caller`] handed to the handler. A handler that
//! asks for a `Caller` on a route without that check gets a 500, so the mistake cannot open a door. A call that was let in is
//! carried to its end whether or not the client waits for it.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::{FromRequest, HttpMessage, HttpRequest, Route, web};
use futures_util::future::LocalBoxFuture;

use super::facts::Facts;
use super::header::{self, Authorization};
use super::problem::Problem;
pub use crate::broker::Caller;

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Whoever presents an API key; the handler's own extractor judges it.
    Key,
    /// A gateway that asks for its client; what he presents, the handler judges.
    Gateway,
    /// A client of the authorization server; the handler judges its credentials, in the way of the RFCs.
    Client,
    /// A bearer token for the management API that holds this scope.
    Management(&'static str),
    /// A bearer token for the management API, whatever it holds.
    AnyCaller,
    /// A page for anybody.
    Visitor,
    /// A page for whoever signed in; the page's own extractor judges the session.
    Person,
}

/// A bearer token that was presented, and with which request.
pub struct Presented<'a> {
    /// The token as it was sent: not verified yet.
    pub unverified_token: &'a str,
    /// The request that it came with.
    pub facts: &'a Facts,
}

/// Verifies bearer tokens for the management API.
pub trait ManagementAuthenticator: Send + Sync + 'static {
    /// Tells whose token it is.
    ///
    /// # Errors
    /// [`Problem::invalid_token`] when it is not good here; 503 when that cannot be found out.
    fn authenticate<'a>(
        &'a self,
        presented: Presented<'a>,
    ) -> LocalBoxFuture<'a, Result<Caller, Problem>>;
}

impl Access {
    /// Whether it is a page for people rather than an endpoint for programs.
    pub fn is_page(self) -> bool {
        matches!(self, Self::Visitor | Self::Person)
    }

    /// Puts the check in front of the route's handler.
    pub(super) fn guard(self, route: Route) -> Route {
        match self {
            Self::Public | Self::Key | Self::Gateway | Self::Client => route,
            // What a page changes is carried to its end as well.
            Self::Visitor | Self::Person => {
                route.wrap(from_fn(|request: ServiceRequest, next: Next<BoxBody>| {
                    to_the_end(next.call(request))
                }))
            }
            Self::Management(scope) => route.wrap(from_fn(
                move |request: ServiceRequest, next: Next<BoxBody>| {
                    check(Some(scope), request, next)
                },
            )),
            Self::AnyCaller => route.wrap(from_fn(
                move |request: ServiceRequest, next: Next<BoxBody>| check(None, request, next),
            )),
        }
    }
}

async fn check(
    scope: Option<&'static str>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    match caller(scope, request.request()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            to_the_end(next.call(request)).await
        }
        Err(problem) => Ok(request.error_response(problem)),
    }
}

/// Runs the handler to its end even if the client goes away meanwhile, which drops this future: a change that is made in several
/// steps is never left between two of them, and an Idempotency-Key finds the answer of the call that it names.
pub(super) async fn to_the_end<T: 'static, E: From<Problem> + 'static>(
    handler: impl Future<Output = Result<T, E>> + 'static,
) -> Result<T, E> {
    match actix_web::rt::spawn(handler).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Problem::internal("the worker stopped before the handler did").into()),
        },
    }
}

async fn caller(scope: Option<&'static str>, request: &HttpRequest) -> Result<Caller, Problem> {
    let facts = Facts::extract(request).await?;
    let Authorization::Bearer(unverified_token) = header::authorization(request.headers())? else {
        return Err(Problem::bearer_required());
    };
    let authenticator = request
        .app_data::<web::Data<dyn ManagementAuthenticator>>()
        .ok_or_else(|| Problem::internal("the application has no authenticator"))?;
    let caller = authenticator
        .authenticate(Presented {
            unverified_token,
            facts: &facts,
        })
        .await?;
    facts.actor(Arc::clone(&caller.actor));
    if let Some(id) = caller.organization_id {
        facts.organization(id);
    }
    let holds = |scope| caller.scopes.iter().any(|held| held.as_str() == scope);
    match scope.filter(|scope| !holds(*scope)) {
        Some(lacking) => Err(Problem::insufficient_scope(lacking)),
        None => Ok(caller),
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Self>().cloned();
        ready(
            caller.ok_or_else(|| {
                Problem::internal("the route has no management access in the table")
            }),
        )
    }
}

#[cfg(test)]
mod tests;
