//! Identity providers: where the machine user behind each key lives.
//!
//! [`IdentityProvider`] is what kagiya asks of one. Every call may be repeated: it goes by the generation's user name, and asking twice
//! ends where asking once ends. Nothing above this floor knows which provider it talks to; what differs is said by the trait.

mod api;
mod budget;
pub mod builtin;
pub mod entrance;
mod error;
pub mod keycloak;
pub mod outbound;
mod policy;
mod registry;
pub mod remote_keys;
mod resources;
pub mod setup;
pub mod sign_in;
mod tokens;
mod users;

use std::time::Duration;

use futures_util::future::BoxFuture;

pub use self::error::Error;
pub use self::policy::{AnswerMode, Policy, Settling};
pub use self::registry::{Providers, RegistryError};
pub use self::resources::{Carried, FoundResource, ResourceState};
use self::setup::{AdminCredentials, Finding, Ground, Step};
pub use self::users::{
    FoundUser, Made, NewUser, OwnerState, ProviderToken, SignIn, SignedIn, UserAttributes, Vouch,
    Wanted,
};
use crate::domain::id::DeploymentId;
use crate::domain::permission::Permissions;
use crate::domain::plaintext_key::UserName;
use crate::domain::provider_name::ProviderName;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::subject::Subject;

/// For how long what a provider said of a user's rights may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RightsAge {
    /// Until we change them ourselves: nobody else can.
    UntilChanged,
    /// At most so long; then the provider is asked again.
    AtMost(Duration),
}

/// The answer of a provider, some time later.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// An identity provider.
pub trait IdentityProvider: Send + Sync + 'static {
    /// The name by which keys say that their user is here.
    fn name(&self) -> &ProviderName;

    /// For how long rights may be remembered.
    fn rights_age(&self) -> RightsAge;

    /// How its word is used.
    fn policy(&self) -> Policy {
        Policy::default()
    }

    /// How long what it was asked may still have an effect.
    fn settling(&self) -> Settling;

    /// Makes the user with its permissions. A user of that name is made to be as asked; one of another deployment is left alone, and that
    /// is [`Error::Refused`].
    fn create<'a>(&'a self, user: &'a NewUser) -> Answer<'a, Made>;

    /// Replaces what the user may do. A user that is not there is [`Error::NoSuchUser`].
    fn set_permissions<'a>(
        &'a self,
        user_name: &'a UserName,
        permissions: &'a Permissions,
    ) -> Answer<'a, ()>;

    /// Replaces whom the user stands for. A user that is not there is [`Error::NoSuchUser`].
    fn set_attributes<'a>(
        &'a self,
        user_name: &'a UserName,
        attributes: &'a UserAttributes,
    ) -> Answer<'a, ()>;

    /// Makes what the user signs in by as it must be: for one that is there and was refused.
    fn repair<'a>(&'a self, user: &'a NewUser) -> Answer<'a, ()>;

    /// Signs the user in and tells what it may do. A user that is not there, disabled, or that is refused is
    /// [`Error::NoSuchUser`], [`Error::Disabled`] or [`Error::Refused`].
    fn authenticate<'a>(&'a self, sign_in: SignIn<'a>) -> Answer<'a, SignedIn>;

    /// Looks the user up; `None`: it is not there.
    fn look_up<'a>(&'a self, user_name: &'a UserName) -> Answer<'a, Option<FoundUser>>;

    /// Removes the user, if it is of this deployment; one of another is left alone, and that is [`Error::Refused`]. A user that is not
    /// there is removed.
    fn delete<'a>(
        &'a self,
        user_name: &'a UserName,
        deployment: &'a DeploymentId,
    ) -> Answer<'a, ()>;

    /// All users that this deployment made, each judged by itself.
    fn users<'a>(&'a self, deployment: &'a DeploymentId) -> Answer<'a, Vec<FoundUser>>;

    /// What a user may do now, for a comparison with our record; `None` where that cannot be told without signing in.
    fn permissions_of<'a>(&'a self, user: &'a FoundUser) -> Answer<'a, Option<Permissions>> {
        let _ = user;
        Box::pin(async { Ok(None) })
    }

    /// Whether it has to be told of resources and permissions before a user can hold them.
    fn carries_resources(&self) -> bool {
        false
    }

    /// Has a resource as it is here; returns whether it was not there before.
    fn put_resource<'a>(
        &'a self,
        resource: &'a ResourceState,
        carried: &'a Carried,
    ) -> Answer<'a, bool> {
        let _ = (resource, carried);
        Box::pin(async { Ok(false) })
    }

    /// Takes away what was carried there for a resource that is here no more, and all of it if it was made for us.
    fn remove_resource<'a>(
        &'a self,
        identifier: &'a ResourceIdentifier,
        carried: &'a Carried,
    ) -> Answer<'a, ()> {
        let _ = (identifier, carried);
        Box::pin(async { Ok(()) })
    }

    /// The resources that exist there.
    fn resources(&self) -> Answer<'_, Vec<FoundResource>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The issuer whose people it can tell of, if it can of any.
    fn issuer_of_owners(&self) -> Option<&str> {
        None
    }

    /// What it can tell of the owner of keys: of his rights at these resources as well, where it can.
    fn owner<'a>(
        &'a self,
        owner: &'a Subject,
        resources: &'a [ResourceIdentifier],
    ) -> Answer<'a, OwnerState> {
        let _ = (owner, resources);
        Box::pin(async { Ok(OwnerState::Active(Default::default())) })
    }

    /// Makes there all that it takes, with an administrator's credentials, and tells what it did. Done again, it does nothing.
    fn set_up<'a>(
        &'a self,
        credentials: &'a AdminCredentials,
        ground: &'a Ground,
    ) -> Answer<'a, Vec<Step>> {
        let _ = (credentials, ground);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Looks for each thing that it takes.
    fn inspect<'a>(&'a self, ground: &'a Ground) -> Answer<'a, Vec<Finding>> {
        let _ = ground;
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Whether the provider answers.
    fn health(&self) -> Answer<'_, ()>;
}
