//! Where finished requests are told: the seam between the wire and the log and metrics.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};

use crate::domain::id::{KeyId, OrganizationId};

/// Told once for each request, on the worker that served it; must not wait.
pub trait RequestObserver: Send + Sync + 'static {
    /// The request is over.
    fn finished(&self, line: &FinishedRequest<'_>);
}

/// What one line of the log says. No query, no body, no header, and of the path only the route's pattern: a caller can put a
/// secret into any of them.
pub struct FinishedRequest<'a> {
    /// The id, also in the answer.
    pub request_id: &'a str,
    /// The method.
    pub method: &'a Method,
    /// The pattern that the path matched, as `/v1/keys/{id}`; `None`: no path of ours.
    pub route: Option<&'static str>,
    /// The status of the answer; `None`: the client went away before there was one.
    pub status: Option<StatusCode>,
    /// The problem's code, for answers that are problems.
    pub code: Option<&'static str>,
    /// Why, more exactly than the caller was told.
    pub reason: Option<&'static str>,
    /// From the head of the request read to the head of the answer ready.
    pub duration: Duration,
    /// The client's address.
    pub client: IpAddr,
    /// The key that was presented or is dealt with.
    pub key_id: Option<KeyId>,
    /// The organization that it concerns.
    pub organization_id: Option<OrganizationId>,
    /// The subject of the credential.
    pub actor: Option<Arc<str>>,
    /// What really happened, for a problem that has a cause. Logged here and nowhere else.
    pub cause: Option<&'a (dyn Error + Send + Sync + 'static)>,
    /// Count it, do not log it.
    pub counted_only: bool,
}
