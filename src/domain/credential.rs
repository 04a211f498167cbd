//! One generation of a key's credentials, as it is on record.

use jiff::Timestamp;

use super::id::{CredentialId, KeyId};
use super::key_tag::TagGeneration;
use super::lifecycle::CredentialState;
use super::password::PasswordDigest;
use super::permission::Permissions;
use super::plaintext_key::UserName;

/// A generation: a row of its own for each rotation of a key.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its id, the claim `gen`.
    pub id: CredentialId,
    /// The key that it belongs to.
    pub key_id: KeyId,
    /// What it is looked up by.
    pub user_name: UserName,
    /// What lists show of it.
    pub hint: String,
    /// What is kept of its password.
    pub password_digest: PasswordDigest,
    /// Which digest secret made the digest.
    pub digest_generation: i32,
    /// Which tag secret made its tag.
    pub tag_generation: TagGeneration,
    /// Which provider secret made its password at the provider.
    pub provider_generation: i32,
    /// Its subject at the provider, known when its user was made there.
    pub subject: Option<String>,
    /// Its state.
    pub state: CredentialState,
    /// What the provider granted when it was last asked; `None` before that.
    pub provider_rights: Option<ProviderRights>,
    /// When the making of it began.
    pub created_at: Timestamp,
}

/// What an identity provider grants a user, and when it said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderRights {
    /// The permissions there; `None`: whatever our record grants, because nobody but us can change that user.
    pub granted: Option<Permissions>,
    /// When the provider was asked.
    pub at: Timestamp,
}
