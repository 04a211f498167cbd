//! Keycloak (26.7 and newer): machine users in a realm of their own, with client roles for permissions.
//!
//! - A resource is a client that only takes tokens, its identifier the client id; a permission is a client role of it, and a client scope
//!   of the same name that is granted to who holds the role at any resource.
//! - `kagiya-login` signs users in for a token of one resource: its optional scope `kagiya:RESOURCE` brings the audience and the claim
//!   `permissions`, the scopes named beside it narrow both. `kagiya-rights` signs them in to read all that they hold.
//! - A user signs in by an assertion of ours (RFC 7523), for which this deployment is a registered issuer there, or by a password, which
//!   is a deviation from RFC 9700 §2.4 that stays inside this module.

mod admin;
mod client_scopes;
mod directory;
mod inspect;
mod login;
mod owners;
mod resource_clients;
mod resources;
mod setup;
mod users;

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use self::admin::Admin;
use self::directory::Directory;
use super::api::Api;
use super::budget::Budget;
use super::entrance::Entrance;
use super::outbound::Outbound;
use super::remote_keys::RemoteKeys;
use super::setup::{AdminCredentials, Finding, Ground, Step};
use super::users::{FoundUser, Made, NewUser, OwnerState, SignIn, SignedIn, UserAttributes};
use super::{
    Answer, Carried, Error, FoundResource, IdentityProvider, Policy, ResourceState, RightsAge,
    Settling,
};
use crate::domain::clock::Clock;
use crate::domain::id::DeploymentId;
use crate::domain::permission::Permissions;
use crate::domain::plaintext_key::UserName;
use crate::domain::provider_name::ProviderName;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::subject::Subject;
use crate::telemetry::metrics::ProviderFigures;

/// The alias under which this deployment is a registered issuer in the realm.
const ISSUER_ALIAS: &str = "kagiya";
/// The client that reads what a user holds; its secret is that of the login client.
const RIGHTS_CLIENT: &str = "kagiya-rights";

/// How one is reached and used.
pub struct Settings {
    /// Its name here.
    pub name: ProviderName,
    /// Where it is, without `/realms/…`.
    pub url: Url,
    /// The `iss` of its tokens, where that is not what `url` says.
    pub issuer: Option<String>,
    /// Where it finds our keys, if not at the issuer.
    pub jwks_uri: Option<String>,
    /// The realm of machine users.
    pub realm: String,
    /// The realm of people, if its owners of keys are to be watched.
    pub people_realm: Option<String>,
    /// Whether users sign in by a password.
    pub by_password: bool,
    /// The client by which users sign in.
    pub login: Entrance,
    /// The client that makes and removes users.
    pub admin: Entrance,
    /// How old its word on rights may be.
    pub rights_age: Duration,
    /// How its word is used.
    pub policy: Policy,
    /// How many calls are under way at most.
    pub at_once: u32,
}

/// The provider.
pub struct Keycloak {
    settings: Settings,
    /// `…/realms/REALM`
    realm_url: String,
    issuer: String,
    people_issuer: Option<String>,
    sign_ins: Api,
    admin: Admin,
    people: Option<Admin>,
    keys: RemoteKeys,
    directory: Directory,
    outbound: Outbound,
    clock: Arc<dyn Clock>,
    figures: ProviderFigures,
}

impl Keycloak {
    /// One that is reached over `outbound`.
    pub fn new(
        settings: Settings,
        outbound: Outbound,
        figures: ProviderFigures,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let base = settings.url.as_str().trim_end_matches('/').to_owned();
        let realm_url = format!("{base}/realms/{}", settings.realm);
        let issuer = settings.issuer.clone().unwrap_or_else(|| realm_url.clone());
        // The people are in a realm beside, under the same name of the server.
        let people_issuer = settings.people_realm.as_ref().map(|people| {
            let server = issuer
                .rsplit_once("/realms/")
                .map_or(base.as_str(), |(server, _)| server);
            format!("{server}/realms/{people}")
        });
        let api = || {
            let budget = Budget::new(settings.at_once, None);
            Api::new(outbound.clone(), budget, figures.clone())
        };
        let admin_of = |realm: &str| {
            Admin::new(
                api(),
                (&base, realm),
                settings.admin.clone(),
                Arc::clone(&clock),
            )
        };
        let place = format!("{realm_url}/protocol/openid-connect/certs");
        let place = place.parse().unwrap_or_else(|_| settings.url.clone());
        Self {
            sign_ins: api(),
            admin: admin_of(&settings.realm),
            people: settings.people_realm.as_deref().map(admin_of),
            keys: RemoteKeys::at(place, outbound.clone(), Arc::clone(&clock)),
            directory: Directory::default(),
            realm_url,
            issuer,
            people_issuer,
            settings,
            outbound,
            clock,
            figures,
        }
    }
}

impl Keycloak {
    /// What it has to know, with our keys where it finds them.
    fn as_reached(&self, ground: &Ground) -> Ground {
        let mut ground = ground.clone();
        if let Some(jwks_uri) = &self.settings.jwks_uri {
            ground.jwks_uri.clone_from(jwks_uri);
        }
        ground
    }
}

impl IdentityProvider for Keycloak {
    fn name(&self) -> &ProviderName {
        &self.settings.name
    }

    fn rights_age(&self) -> RightsAge {
        RightsAge::AtMost(self.settings.rights_age)
    }

    fn policy(&self) -> Policy {
        self.settings.policy
    }

    fn settling(&self) -> Settling {
        Settling::ELSEWHERE
    }

    fn create<'a>(&'a self, user: &'a NewUser) -> Answer<'a, Made> {
        Box::pin(self.create_user(user))
    }

    fn set_permissions<'a>(
        &'a self,
        user_name: &'a UserName,
        permissions: &'a Permissions,
    ) -> Answer<'a, ()> {
        Box::pin(self.permit(user_name, permissions))
    }

    fn set_attributes<'a>(
        &'a self,
        user_name: &'a UserName,
        attributes: &'a UserAttributes,
    ) -> Answer<'a, ()> {
        Box::pin(self.describe(user_name, attributes))
    }

    fn repair<'a>(&'a self, user: &'a NewUser) -> Answer<'a, ()> {
        Box::pin(self.repair_user(user))
    }

    fn authenticate<'a>(&'a self, sign_in: SignIn<'a>) -> Answer<'a, SignedIn> {
        Box::pin(self.sign_in(sign_in))
    }

    fn look_up<'a>(&'a self, user_name: &'a UserName) -> Answer<'a, Option<FoundUser>> {
        Box::pin(async move { Ok(self.find(user_name).await?.map(FoundUser::from)) })
    }

    fn delete<'a>(
        &'a self,
        user_name: &'a UserName,
        deployment: &'a DeploymentId,
    ) -> Answer<'a, ()> {
        Box::pin(self.delete_user(user_name, deployment))
    }

    fn users<'a>(&'a self, deployment: &'a DeploymentId) -> Answer<'a, Vec<FoundUser>> {
        Box::pin(self.users_of(deployment))
    }

    fn permissions_of<'a>(&'a self, user: &'a FoundUser) -> Answer<'a, Option<Permissions>> {
        Box::pin(async move { self.granted_to(&user.subject).await.map(Some) })
    }

    fn carries_resources(&self) -> bool {
        true
    }

    fn put_resource<'a>(
        &'a self,
        resource: &'a ResourceState,
        carried: &'a Carried,
    ) -> Answer<'a, bool> {
        Box::pin(async move {
            let outcome = self.put_by(&self.admin, resource, carried).await?;
            Ok(outcome.made)
        })
    }

    fn remove_resource<'a>(
        &'a self,
        identifier: &'a ResourceIdentifier,
        carried: &'a Carried,
    ) -> Answer<'a, ()> {
        Box::pin(self.remove(identifier, carried))
    }

    fn resources(&self) -> Answer<'_, Vec<FoundResource>> {
        Box::pin(self.existing_resources())
    }

    fn issuer_of_owners(&self) -> Option<&str> {
        self.people_issuer.as_deref()
    }

    fn owner<'a>(
        &'a self,
        owner: &'a Subject,
        resources: &'a [ResourceIdentifier],
    ) -> Answer<'a, OwnerState> {
        Box::pin(self.owner_of_keys(owner, resources))
    }

    fn set_up<'a>(
        &'a self,
        credentials: &'a AdminCredentials,
        ground: &'a Ground,
    ) -> Answer<'a, Vec<Step>> {
        Box::pin(async move { self.prepare(credentials, &self.as_reached(ground)).await })
    }

    fn inspect<'a>(&'a self, ground: &'a Ground) -> Answer<'a, Vec<Finding>> {
        Box::pin(async move { self.look_over(&self.as_reached(ground)).await })
    }

    fn health(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            let probed = self.keys.probe().await.map_err(Error::unavailable);
            self.figures.up(probed.is_ok());
            probed
        })
    }
}
