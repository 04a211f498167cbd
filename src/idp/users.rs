//! Machine users and the owners of keys, as a provider is asked about them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::domain::id::{CredentialId, DeploymentId, KeyId, OrganizationId};
use crate::domain::metadata::Metadata;
use crate::domain::permission::Permissions;
use crate::domain::plaintext_key::UserName;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeSet;
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

/// A machine user that was made.
pub struct Made {
    /// Its subject at the provider.
    pub subject: String,
    /// What it signs in by, where the provider makes that itself.
    pub credential: Option<SecretText>,
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

/// Somebody who vouches for machine users: a provider that knows him as an issuer takes his word for a sign-in (RFC 7523).
pub trait Vouch: Send + Sync {
    /// A signed statement for `audience` that its bearer is `subject`, good for so long. `None`: nothing can be signed now.
    fn assertion(&self, audience: &str, subject: &str, lifetime: Duration) -> Option<SecretText>;
}

/// A sign-in of a machine user.
#[derive(Clone, Copy)]
pub struct SignIn<'a> {
    /// The generation's user name.
    pub user_name: &'a UserName,
    /// The generation.
    pub generation: CredentialId,
    /// The password there.
    pub password: &'a SecretText,
    /// What it signs in by, where the provider made that itself.
    pub credential: Option<&'a SecretText>,
    /// Who vouches for it.
    pub vouch: &'a dyn Vouch,
    /// From where its key was presented.
    pub address: Option<IpAddr>,
    /// What is wanted.
    pub wanted: Wanted<'a>,
}

/// What a sign-in is for.
#[derive(Clone, Copy)]
pub enum Wanted<'a> {
    /// To learn which of these the user may do; what else it may do is told where the provider says it.
    Rights(&'a Permissions),
    /// A token for a resource with these scopes.
    Token {
        /// Where.
        resource: &'a ResourceIdentifier,
        /// What.
        scopes: &'a ScopeSet,
    },
}

/// What a sign-in brought.
#[derive(Clone)]
pub struct SignedIn {
    /// What the user may do; `None`: whatever our record says, because nobody else can change it.
    pub granted: Option<Permissions>,
    /// The token that was asked for.
    pub token: Option<ProviderToken>,
}

/// An access token of the provider's.
#[derive(Clone)]
pub struct ProviderToken {
    /// Its text.
    pub text: SecretText,
    /// What it permits at the resource that it is for.
    pub scopes: ScopeSet,
    /// Whether it says anything beyond that.
    pub says_more: bool,
    /// Since when it is good, in seconds since 1970.
    pub iat: i64,
    /// Until when, in seconds since 1970.
    pub exp: i64,
}

/// A machine user that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundUser {
    /// Its subject.
    pub subject: String,
    /// The generation's user name, if its own has the form of one.
    pub user_name: Option<UserName>,
    /// The deployment that it says made it.
    pub deployment: Option<String>,
    /// Whether it cannot sign in.
    pub disabled: bool,
}

/// What a provider tells of the owner of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerState {
    /// He is there. What he may do at those resources whose permissions it knows.
    Active(BTreeMap<ResourceIdentifier, ScopeSet>),
    /// He is disabled or gone.
    Gone,
}

/// The name of a generation's user at any provider.
pub(super) fn login(user_name: &UserName) -> String {
    format!("k_{user_name}")
}

/// The generation's user name of a user's name.
pub(super) fn user_name(login: &str) -> Option<UserName> {
    UserName::parse(login.strip_prefix("k_")?)
}
