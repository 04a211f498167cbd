//! What is known about the request in hand: its id, where it comes from, and what a handler adds for the log.
//!
//! The middleware makes one [`Facts`] for each request; a handler takes it as an argument. Clones share the same facts.

use std::cell::{Cell, RefCell};
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::problem::Problem;
use super::request_id::RequestId;
use crate::broker::TagProof;
use crate::domain::audit::Origin;
use crate::domain::id::{KeyId, OrganizationId};

/// The facts of one request. Cheap to clone; stays on its worker.
#[derive(Clone)]
pub struct Facts(Rc<Inner>);

struct Inner {
    request_id: RequestId,
    client: IpAddr,
    route: Cell<Option<&'static str>>,
    key_id: Cell<Option<KeyId>>,
    organization_id: Cell<Option<OrganizationId>>,
    reason: Cell<Option<&'static str>>,
    counted_only: Cell<bool>,
    tag_proof: Cell<Option<TagProof>>,
    actor: RefCell<Option<Arc<str>>>,
}

impl Facts {
    pub(super) fn new(request_id: RequestId, client: IpAddr) -> Self {
        Self(Rc::new(Inner {
            request_id,
            client,
            route: Cell::new(None),
            key_id: Cell::new(None),
            organization_id: Cell::new(None),
            reason: Cell::new(None),
            counted_only: Cell::new(false),
            tag_proof: Cell::new(None),
            actor: RefCell::new(None),
        }))
    }

    /// The id of the request.
    pub fn request_id(&self) -> &str {
        self.0.request_id.as_str()
    }

    /// The client's address, judged by the trusted proxies; never an IPv4 address written as IPv6.
    pub fn client(&self) -> IpAddr {
        self.0.client
    }

    /// The request as the audit trail names it: done by `actor`, from here.
    pub fn origin(&self, actor: &str) -> Origin {
        Origin {
            actor: actor.to_owned(),
            address: Some(self.client()),
            request_id: Some(self.request_id().to_owned()),
        }
    }

    /// Says which key was presented or is dealt with.
    pub fn key(&self, id: KeyId) {
        self.0.key_id.set(Some(id));
    }

    /// Says which organization it concerns.
    pub fn organization(&self, id: OrganizationId) {
        self.0.organization_id.set(Some(id));
    }

    /// Says who asks: the subject of the credential.
    pub fn actor(&self, actor: Arc<str>) {
        self.0.actor.replace(Some(actor));
    }

    /// Says why it was refused, more exactly than the caller is told: `expired`, `wrong_audience`.
    pub fn reason(&self, reason: &'static str) {
        self.0.reason.set(Some(reason));
    }

    /// Counts the request and leaves it out of the log: for refusals that a stranger can cause at will.
    pub fn count_only(&self) {
        self.0.counted_only.set(true);
    }

    /// The proof that the tag of the key in `X-API-Key` is ours, if the gate made it.
    pub(super) fn tag_proof(&self) -> Option<TagProof> {
        self.0.tag_proof.get()
    }

    pub(super) fn keep_tag_proof(&self, proof: TagProof) {
        self.0.tag_proof.set(Some(proof));
    }

    pub(super) fn matched(&self, route: &'static str) {
        self.0.route.set(Some(route));
    }

    /// Whether it is for an endpoint that answers as the OAuth RFCs say.
    pub(super) fn is_oauth(&self) -> bool {
        let route = self.0.route.get();
        route.is_some_and(|route| route.starts_with(super::oauth::PATHS))
    }

    pub(super) fn id(&self) -> &RequestId {
        &self.0.request_id
    }

    pub(super) fn fill(&self, line: &mut super::observer::FinishedRequest<'_>) {
        line.route = self.0.route.get();
        line.key_id = self.0.key_id.get();
        line.organization_id = self.0.organization_id.get();
        line.reason = self.0.reason.get();
        line.counted_only = self.0.counted_only.get();
        line.actor = self.0.actor.borrow().clone();
    }
}

impl FromRequest for Facts {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let facts = request.extensions().get::<Self>().cloned();
        ready(facts.ok_or_else(|| Problem::internal("the request did not pass the middleware")))
    }
}
