//! Identity providers: where the machine user behind each key lives.
//!
//! [`IdentityProvider`] is what kagiya asks of one. Every call may be repeated: it goes by the generation's user name, and asking twice
//! ends where asking once ends. Nothing above this floor knows which provider it talks to; what differs is said by the trait.

pub mod builtin;
mod error;
pub mod outbound;
mod registry;
pub mod sign_in;

use std::time::Duration;

use futures_util::future::BoxFuture;

pub use self::error::Error;
pub use self::registry::{Providers, RegistryError};
use crate::domain::id::{CredentialId, DeploymentId, KeyId, OrganizationId};
use crate::domain::metadata::Metadata;
use crate::domain::permission::Permissions;
use crate::domain::plaintext_key::UserName;
use crate::domain::provider_name::ProviderName;
use crate::domain::secret::SecretText;
use crate::domain::subject::Subject;

/// A machine user to be made.
pub struct NewUser {
    /// The generation's user name; at the provider it stands behind `k_`.
    pub user_name: UserName,
    /// The password there, which is not the key's own.
    pub password: SecretText,
    /// Whom the user stands for.
    pub attributes: UserAttributes,
    /// What it may do.
    pub permissions: Permissions,
}

/// Whom a machine user stands for; public.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct UserAttributes {
    /// Which deployment made the user: clean-up touches no other's.
    pub deployment_id: DeploymentId,
    /// The key.
    pub key_id: KeyId,
    /// The generation.
    pub generation: CredentialId,
    /// The key's tenant.
    pub organization_id: OrganizationId,
    /// Whose key it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Subject>,
    /// The key's metadata.
    pub metadata: Metadata,
}

/// For how long what a provider said of a user's rights may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RightsAge {
    /// Until we change them ourselves: nobody else can.
    UntilChanged,
    /// At most so long; then the provider is asked again.
    AtMost(Duration),
}

/// How long what a provider was asked may still have an effect, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settling {
    /// After nobody waits for the answer any more.
    pub unanswered: Duration,
    /// After it was answered: the way there may deliver a thing twice.
    pub answered: Duration,
}

impl Settling {
    /// What is assumed of a provider elsewhere.
    pub const ELSEWHERE: Self = Self {
        unanswered: Duration::from_secs(60),
        answered: Duration::from_secs(60),
    };
}

/// What a signed-in user may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rights {
    /// What our record says: the provider holds no more and no less.
    AsRecorded,
    /// These.
    Granted(Permissions),
}

/// The answer of a provider, some time later.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// An identity provider.
pub trait IdentityProvider: Send + Sync + 'static {
    /// The name by which keys say that their user is here.
    fn name(&self) -> &ProviderName;

    /// For how long rights may be remembered.
    fn rights_age(&self) -> RightsAge;

    /// How long what it was asked may still have an effect.
    fn settling(&self) -> Settling;

    /// Makes the user with its permissions, and returns its subject here. A user of that name is made to be as asked.
    fn create<'a>(&'a self, user: &'a NewUser) -> Answer<'a, String>;

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

    /// Signs the user in and tells what it may do. A user that is not there, disabled, or whose password is refused is
    /// [`Error::NoSuchUser`], [`Error::Disabled`] or [`Error::Refused`].
    fn authenticate<'a>(
        &'a self,
        user_name: &'a UserName,
        password: &'a SecretText,
    ) -> Answer<'a, Rights>;

    /// Keeps the user from signing in. A user that is not there is disabled enough.
    fn disable<'a>(&'a self, user_name: &'a UserName) -> Answer<'a, ()>;

    /// Removes the user, if it is of this deployment; one of another is left alone, and that is [`Error::Refused`]. A user that is not
    /// there is removed.
    fn delete<'a>(
        &'a self,
        user_name: &'a UserName,
        deployment: &'a DeploymentId,
    ) -> Answer<'a, ()>;

    /// Whether the provider answers and lets us do what we must.
    fn health(&self) -> Answer<'_, ()>;
}
