//! Clients of the authorization server: applications as the token endpoint sees them.
//!
//! A client is judged by what is on record now: it is remembered like a key ([`super::remembered`]) and forgotten with every change of
//! the application, its organization, a role or the catalogue.

mod authentication;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Broker;
use super::catalogue::{Catalogue, KnownResource, Policy};
use crate::domain::application::{StoredSecret, TokenEndpointAuthMethod};
use crate::domain::id::{ApplicationId, OrganizationId, ResourceId};
use crate::domain::limits::AllowedCidrs;
use crate::store;
use crate::store::applications::client::{self, StoredClient};
use crate::token::outside::OutsideKeys;

pub use self::authentication::{ClientCredentials, ClientRefusal};

/// Clients that are remembered at once.
pub(super) const REMEMBERED: usize = 10_000;

/// An application as it was read. Never changed: a change makes the memory forget it.
pub struct Client {
    id: ApplicationId,
    organization: Option<OrganizationId>,
    /// Whether it, or its organization, is paused.
    disabled: bool,
    method: Option<TokenEndpointAuthMethod>,
    secrets: Vec<StoredSecret>,
    keys: Option<OutsideKeys>,
    legacy_assertion_audience: bool,
    allowed_cidrs: Option<AllowedCidrs>,
    default_resource: Option<ResourceId>,
    may_act: Option<ApplicationId>,
    policy: Arc<Policy>,
    serves: Vec<Arc<KnownResource>>,
}

impl Client {
    fn new(stored: StoredClient, catalogue: &Catalogue) -> Result<Self, store::Error> {
        let StoredClient {
            application,
            organization_disabled,
            secrets,
            permissions,
        } = stored;
        let keys = application.jwks.as_deref().map(|text| {
            OutsideKeys::read_strictly(text.as_bytes())
                .map_err(|error| store::Error::corrupt("applications.jwks", error))
        });
        let served = |id: &ResourceId| catalogue.resource_by_id(id).map(Arc::clone);
        Ok(Self {
            id: application.id,
            organization: application.organization_id,
            disabled: application.disabled_at.is_some() || organization_disabled,
            method: application.auth_method,
            secrets,
            keys: keys.transpose()?,
            legacy_assertion_audience: application.legacy_assertion_audience,
            allowed_cidrs: application.allowed_cidrs,
            default_resource: application.default_resource,
            may_act: application.may_act,
            policy: catalogue.policy(&permissions),
            serves: application.resources.iter().filter_map(served).collect(),
        })
    }

    /// Its `client_id`.
    pub fn id(&self) -> ApplicationId {
        self.id
    }

    /// The tenant that it is bound to, if it is.
    pub fn organization_id(&self) -> Option<OrganizationId> {
        self.organization
    }

    /// What it may do.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether it does anything now.
    pub(super) fn is_disabled(&self) -> bool {
        self.disabled
    }

    /// The resource meant when a request names none.
    pub(super) fn default_resource(&self) -> Option<ResourceId> {
        self.default_resource
    }

    /// Who may act for it.
    pub(super) fn may_act(&self) -> Option<ApplicationId> {
        self.may_act
    }

    /// Whether it serves a resource.
    pub(super) fn serves(&self, identifier: &str) -> bool {
        self.serves
            .iter()
            .any(|resource| resource.identifier.as_str() == identifier)
    }

    /// Whether something of this organization is its business: anything, where it is bound to none.
    pub(super) fn is_within(&self, organization: Option<&str>) -> bool {
        self.organization
            .is_none_or(|own| organization == Some(own.as_str()))
    }

    /// Whether it holds this scope of the management API.
    pub(super) fn manages(&self, broker: &Broker, name: &str) -> bool {
        let grant = self.policy.at(&broker.management_audience);
        grant.is_some_and(|grant| grant.scopes.iter().any(|scope| scope.as_str() == name))
    }

    /// Whether it may come from `address`.
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        self.allowed_cidrs
            .as_ref()
            .is_none_or(|cidrs| cidrs.contains(address))
    }
}

impl Broker {
    /// The client of this id; `None` if there is no such application.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn client(
        &self,
        id: &ApplicationId,
    ) -> Result<Option<Arc<Client>>, store::Error> {
        match self.recall_client(id) {
            Some(client) => Ok(Some(client)),
            None => self.read_client(*id).await,
        }
    }

    /// What is remembered of a client, as long as that counts.
    fn recall_client(&self, id: &ApplicationId) -> Option<Arc<Client>> {
        if self.distrusts_memory.load(Ordering::Relaxed) {
            return None;
        }
        self.clients.recall(id)
    }

    /// Reads a client and remembers it, unless something changed while it was read.
    async fn read_client(&self, id: ApplicationId) -> Result<Option<Arc<Client>>, store::Error> {
        let mut tries = 0;
        loop {
            let ticket = self.clients.ticket();
            let catalogue = self.catalogue().await?;
            let found = self
                .store
                .read_hot(move |connection| client::find(connection, &id))
                .await?;
            let Some(stored) = found else { return Ok(None) };
            let read = Arc::new(Client::new(stored, &catalogue)?);
            self.clients.keep(ticket, id, &read);
            tries += 1;
            // Where everything changes all the time, what was read last is as new as an answer can be.
            if tries == 3 || self.clients.is_current(ticket) {
                return Ok(Some(read));
            }
        }
    }
}
