//! Machine-to-machine applications: made, shown, changed, given roles, and removed.
//!
//! They belong to an organization, or to the deployment. Whoever makes one, gives it roles or hands out its secrets holds what it may do
//! himself ([`super::grantor`]).

mod change;
mod remove;
mod roles;
mod secrets;

use serde_json::json;

use super::catalogue::Catalogue;
use super::idempotency::Keep;
use super::keys::gone;
use super::{Broker, Caller, Error, audit};
use crate::domain::application::{Application, TokenEndpointAuthMethod};
use crate::domain::audit::Origin;
use crate::domain::id::{ApplicationId, OrganizationId, PermissionId, ResourceId, RoleId};
use crate::domain::limits::AllowedCidrs;
use crate::domain::permission::Permissions;
use crate::domain::resource::ResourceIdentifier;
use crate::store::applications::client;
use crate::store::{Change, Place, applications, organizations, secrets as root_secrets};
use crate::token::outside::OutsideKeys;

pub use self::change::ApplicationChange;
pub use self::secrets::IssuedSecret;

use self::roles::machine_roles;

/// How many of those who use one an answer names, of each kind.
pub(super) const NAMED: usize = 10;

/// An application to be made.
#[derive(Clone, Debug)]
pub struct NewApplication {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its organization; where the caller is bound to one, that one, if none is named; else the deployment.
    pub organization: Option<OrganizationId>,
    /// What it may do.
    pub roles: Vec<RoleId>,
    /// What it serves.
    pub resources: Vec<ResourceId>,
    /// The resource meant when a request names none.
    pub default_resource: Option<ResourceIdentifier>,
    /// How it proves who it is.
    pub auth_method: Option<TokenEndpointAuthMethod>,
    /// Its public keys, a JWK set as text.
    pub jwks: Option<String>,
    /// Whether its assertions may name the token endpoint.
    pub legacy_assertion_audience: bool,
    /// From where it may come.
    pub allowed_cidrs: Option<AllowedCidrs>,
    /// Who may act for it.
    pub may_act: Option<ApplicationId>,
}

/// An application as it is shown, in words.
#[derive(Clone, Debug)]
pub struct ShownApplication {
    /// What is on record.
    pub application: Application,
    /// The resource meant when a request names none.
    pub default_resource: Option<ResourceIdentifier>,
    /// What it may do now: what its roles bundle, as far as its organization may use it.
    pub permissions: Permissions,
}

/// An application just made, with its first secret, which is shown this once.
pub struct MadeApplication {
    /// The application.
    pub shown: ShownApplication,
    /// Its secret; none where it signs assertions.
    pub secret: Option<IssuedSecret>,
}

impl Broker {
    /// Makes one.
    ///
    /// # Errors
    /// What the request refers to is not there, or it would give more than the caller may.
    pub async fn create_application(
        &self,
        new: NewApplication,
        caller: &Caller,
        origin: Origin,
        keep: Option<Keep<'_, MadeApplication>>,
    ) -> Result<MadeApplication, Error> {
        let organization = new.organization.or(caller.organization_id);
        self.may_make_in(organization, caller).await?;
        if !new.resources.is_empty() {
            caller.runs_the_deployment()?;
        }
        let now = self.now();
        let application = Application {
            id: ApplicationId::generate(&*self.random),
            organization_id: organization,
            name: new.name,
            description: new.description,
            auth_method: new.auth_method,
            jwks: new.jwks,
            legacy_assertion_audience: new.legacy_assertion_audience,
            default_resource: self.default_resource(new.default_resource).await?,
            allowed_cidrs: new.allowed_cidrs,
            may_act: new.may_act,
            disabled_at: None,
            roles: sorted(new.roles),
            resources: sorted(new.resources),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        check_keys(&application)?;
        self.check_references(&application).await?;
        let secret = application
            .uses_secrets()
            .then(|| self.draw_secret(application.id, None));
        let catalogue = self.catalogue().await?;
        let grantor = caller.grantor("applications:write", &catalogue, now);
        let id = application.id;
        let details = json!({
            "name": application.name, "roles": application.roles, "resources": application.resources,
            "token_endpoint_auth_method": application.auth_method, "may_act": application.may_act,
            "secret": secret.as_ref().map(|secret| secret.stored.id),
        });
        let event = self.event(
            &origin,
            "application.created",
            id.as_str(),
            organization,
            details,
        );
        let found = self
            .store
            .read(move |connection| client::with_permissions(connection, vec![application]));
        let found = found.await?.pop().ok_or(Error::NotFound)?;
        let shown = show(found, &catalogue);
        let made = MadeApplication { shown, secret };
        let shows = made.secret.as_ref().map(|secret| secret.stored.id);
        let kept = self.kept_showing(keep, &made, shows.as_ref().map(|id| id.as_str()))?;
        let written = made.shown.application.clone();
        let stored = made.secret.as_ref().map(|secret| secret.stored.clone());
        let since = self.secrets_since();
        let result = self.store.write(move |tx| {
            let given = machine_roles(tx, &written.roles)?;
            grantor.check_application(tx, &written, &given, None)?;
            applications::insert(tx, &written)?;
            if let Some(stored) = &stored {
                root_secrets::require_usable_digest(tx, stored.digest_generation, since)?;
                applications::secrets::insert(tx, stored)?;
            }
            if let Some(kept) = &kept {
                kept.write(tx)?;
            }
            tx.changed(Change::Application(written.id));
            audit::append(tx, &event)?;
            Ok::<_, Error>(())
        });
        result.await.map_err(|error| match error {
            Error::Store(error) => gone(error, "organization_id"),
            error => error,
        })?;
        Ok(made)
    }

    /// One of them.
    ///
    /// # Errors
    /// Not there, or not the caller's.
    pub async fn application(
        &self,
        id: ApplicationId,
        caller: &Caller,
    ) -> Result<ShownApplication, Error> {
        let found = self.store.read(move |connection| {
            let found = applications::find(connection, &id)?;
            client::with_permissions(connection, found.into_iter().collect())
        });
        let found = found.await?.pop().ok_or(Error::NotFound)?;
        caller.sees_application(&found.0, "applications:read")?;
        Ok(show(found, &*self.catalogue().await?))
    }

    /// A page of them, newest first; of an organization, or with this text in the name or the id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn applications(
        &self,
        caller: &Caller,
        (organization, text): (Option<OrganizationId>, Option<String>),
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<ShownApplication>, Error> {
        let within = caller.within(organization, "applications:read");
        let found = self.store.read(move |connection| {
            let narrowed = (within.as_deref(), text.as_deref());
            let page = applications::list(connection, narrowed, after.as_ref(), limit)?;
            client::with_permissions(connection, page)
        });
        let found = found.await?;
        let catalogue = self.catalogue().await?;
        Ok(found.into_iter().map(|one| show(one, &catalogue)).collect())
    }

    /// One that the caller may change, as it is on record, if it has the version that he saw.
    pub(super) async fn changeable_application(
        &self,
        id: ApplicationId,
        caller: &Caller,
        expected: impl Fn(i64) -> bool,
    ) -> Result<Application, Error> {
        let found = self
            .store
            .read(move |connection| applications::find(connection, &id))
            .await?
            .ok_or(Error::NotFound)?;
        caller.sees_application(&found, "applications:write")?;
        if expected(found.version) {
            Ok(found)
        } else {
            Err(Error::Stale)
        }
    }

    /// Whether the caller may make one there at all, and there is such an organization.
    async fn may_make_in(
        &self,
        organization: Option<OrganizationId>,
        caller: &Caller,
    ) -> Result<(), Error> {
        let nowhere = || Error::invalid("organization_id", "there is no such organization");
        let Some(id) = organization else {
            return caller.runs_the_deployment().map_err(|_| {
                Error::invalid("organization_id", "is required of who is bound to one")
            });
        };
        caller.sees(&id).map_err(|_| nowhere())?;
        let within = caller.within(Some(id), "applications:write");
        if within.is_some_and(|within| within.is_empty()) {
            return Err(Error::Forbidden("it takes an admin of the organization"));
        }
        let found = self
            .store
            .read(move |connection| organizations::find(connection, &id));
        found.await?.map(drop).ok_or_else(nowhere)
    }

    async fn default_resource(
        &self,
        named: Option<ResourceIdentifier>,
    ) -> Result<Option<ResourceId>, Error> {
        let Some(identifier) = named else {
            return Ok(None);
        };
        let catalogue = self.catalogue().await?;
        let found = catalogue.resource(&identifier).map(|known| known.id);
        found.map(Some).ok_or_else(|| {
            Error::invalid(
                "default_resource",
                "there is no resource of this identifier",
            )
        })
    }

    /// Whether what it refers to is there. Roles are looked at in the transaction that gives them.
    async fn check_references(&self, application: &Application) -> Result<(), Error> {
        let catalogue = self.catalogue().await?;
        for (index, id) in application.resources.iter().enumerate() {
            let field = format!("resources[{index}]");
            match catalogue.resource_by_id(id) {
                None => return Err(Error::invalid(field, "there is no such resource")),
                Some(resource) if resource.reserved => {
                    return Err(Error::invalid(field, "is served by kagiya itself"));
                }
                Some(_) => {}
            }
        }
        self.check_may_act(application.may_act).await
    }

    /// Whether there is such an application, of whatever organization: who may act for others serves many.
    pub(super) async fn check_may_act(&self, named: Option<ApplicationId>) -> Result<(), Error> {
        match named {
            Some(id) => self.check_exists(id, "may_act.application_id").await,
            None => Ok(()),
        }
    }
}

fn show(
    (application, permissions): (Application, Vec<PermissionId>),
    catalogue: &Catalogue,
) -> ShownApplication {
    let default = application
        .default_resource
        .and_then(|id| catalogue.resource_by_id(&id));
    ShownApplication {
        default_resource: default.map(|resource| resource.identifier.clone()),
        permissions: catalogue.policy(&permissions).permissions(),
        application,
    }
}

/// Whether its way to prove who it is and its keys belong together.
fn check_keys(application: &Application) -> Result<(), Error> {
    match (&application.jwks, application.uses_secrets()) {
        (None, true) => Ok(()),
        (None, false) => Err(Error::invalid("jwks", "is required for private_key_jwt")),
        (Some(_), true) => Err(Error::invalid(
            "jwks",
            "goes with token_endpoint_auth_method private_key_jwt alone",
        )),
        (Some(text), false) => OutsideKeys::read_strictly(text.as_bytes())
            .map(drop)
            .map_err(|error| Error::invalid("jwks", error)),
    }
}

fn sorted<T: Ord>(mut ids: Vec<T>) -> Vec<T> {
    ids.sort_unstable();
    ids.dedup();
    ids
}
