//! The management API: one file for each collection, its bodies beside its handlers.
//!
//! A handler reads, calls the broker once, and shows the outcome; what may be done, and by whom, the broker says. The conventions
//! are those of [`super::management`]: items carry `ETag`, a change may be bound to one with `If-Match`, and a creation that is
//! repeated with its `Idempotency-Key` gives the same answer again.

pub mod application_roles;
pub mod application_secrets;
pub mod applications;
pub mod audit_events;
pub mod bulk_revoke;
pub mod exchange_rules;
pub mod explain;
pub mod identity_providers;
pub mod key;
pub mod keys;
pub mod me;
pub mod members;
pub mod organizations;
pub mod pending_operations;
pub mod permissions;
pub mod resources;
pub mod roles;
pub mod secrets;
pub mod sign_in;
pub mod signing_keys;
pub mod usage;
pub mod users;

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::ETAG;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::access::Caller;
use super::etag::etag;
use super::facts::Facts;
use super::idempotency_key::OptionalIdempotencyKey;
use super::management::kept;
use super::problem::Problem;
use crate::broker::Broker;
use crate::broker::idempotency::{Attempt, KeptAnswer};
use crate::domain::audit::Origin;
use crate::domain::id::KeyId;

/// A call of the management API whose caller has been let in: whom it asks, and who asks.
pub struct Call {
    broker: web::Data<Broker>,
    caller: Caller,
    facts: Facts,
}

impl Call {
    /// The request as the audit trail names it.
    fn origin(&self) -> Origin {
        self.facts.origin(&self.caller.actor)
    }

    /// Lets the log say which key it is about.
    fn about(&self, key: KeyId) {
        self.facts.key(key);
    }

    /// The request as one that may come again, if it has an Idempotency-Key; `place` is its method and path.
    fn attempt(&self, key: OptionalIdempotencyKey, place: &str, body: &[u8]) -> Option<Attempt> {
        let OptionalIdempotencyKey(key) = key;
        key.map(|key| {
            Attempt::new(&self.caller.actor, place, key.as_str(), body).of(self.caller.clone())
        })
    }
}

impl FromRequest for Call {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(call(request, payload))
    }
}

fn call(request: &HttpRequest, payload: &mut Payload) -> Result<Call, Problem> {
    let broker = request.app_data::<web::Data<Broker>>().cloned();
    Ok(Call {
        broker: broker.ok_or_else(|| Problem::internal("the application has no broker"))?,
        caller: Caller::from_request(request, payload).into_inner()?,
        facts: Facts::from_request(request, payload).into_inner()?,
    })
}

/// 201 with where the new thing is, its version, and itself.
fn created<T: Serialize>(location: String, version: i64, body: &T) -> KeptAnswer {
    let tag = format!("\"v{version}\"");
    let headers = vec![("Location", location), ("ETag", tag)];
    kept(StatusCode::CREATED, headers, body)
}

/// 200 with a thing and its version.
fn item<T: Serialize>(version: i64, body: &T) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((ETAG, etag(version)))
        .json(body)
}
