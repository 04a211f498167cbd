//! What a management use case can end in beside success.

use jiff::Timestamp;
use thiserror::Error as ThisError;

use crate::domain::algorithm::SigningAlgorithm;
use crate::domain::id::UserId;
use crate::domain::lifecycle::KeyStatus;
use crate::idp;
use crate::store;

/// Why a change was not made, or a thing not shown. Nothing was changed.
#[derive(Debug, ThisError)]
pub enum Error {
    /// Not there, or not the caller's; nobody is told which.
    #[error("not found")]
    NotFound,
    /// The caller may not do that at all.
    #[error("the caller may not do that: {0}")]
    Forbidden(&'static str),
    /// It would give more than the caller holds.
    #[error("it would give more than the caller holds: {0}")]
    WouldWiden(String),
    /// It would give more than a person may give.
    #[error("it would give more than the person may give: {0}")]
    BeyondGrantor(String),
    /// The holder of a key asks for a newer one, which this key does not allow him.
    #[error("the key may not be rotated by its holder")]
    SelfRotateNotAllowed,
    /// He holds the generation that a newer one is replacing.
    #[error("a newer generation of the key is there already")]
    Retiring,
    /// A value is well formed and cannot be.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which one, as in the request.
        field: String,
        /// Why not.
        reason: String,
    },
    /// A permission that does not exist.
    #[error("there is no {} at {resource}", .scope.as_deref().unwrap_or("such resource"))]
    NoSuchPermission {
        /// The identifier that was named.
        resource: String,
        /// The scope that the resource does not have; none if there is no such resource.
        scope: Option<String>,
    },
    /// The present state stands in the way.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// What the caller saw is not what is there any more.
    #[error("changed since it was read")]
    Stale,
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The identity provider did not do it.
    #[error(transparent)]
    Provider(#[from] idp::Error),
    /// A defect of ours.
    #[error("internal: {0}")]
    Internal(String),
}

/// What stands in the way.
#[derive(Clone, Debug, ThisError, PartialEq, Eq)]
pub enum Conflict {
    /// Another organization has that slug.
    #[error("the slug is taken")]
    SlugTaken,
    /// Another resource has that identifier.
    #[error("the identifier is taken")]
    IdentifierTaken,
    /// The resource has a permission of that name.
    #[error("the resource has that permission already")]
    PermissionExists,
    /// The organization has keys that are not revoked.
    #[error("the organization has keys that are not revoked")]
    OrganizationNotEmpty,
    /// The organization has applications; which.
    #[error("the organization has applications: {}", .0.join(", "))]
    OrganizationHasApplications(Vec<String>),
    /// The organization has as many keys as it may have.
    #[error("the organization may have {0} keys that are not revoked, and has them")]
    TooManyKeys(u32),
    /// Another role has that name.
    #[error("the name is taken")]
    RoleNameTaken,
    /// Somebody holds the role; who.
    #[error("the role is held by {}", .0.join(", "))]
    RoleInUse(Vec<String>),
    /// The person is known already.
    #[error("this person is known already as {0}")]
    UserExists(UserId),
    /// The person is a member or owns keys; where, and which.
    #[error("the person is still a member of, or the owner of: {}", .0.join(", "))]
    UserInUse(Vec<String>),
    /// Somebody uses the permission; who.
    #[error("the permission is used by {}", .0.join(", "))]
    PermissionInUse(Vec<String>),
    /// Somebody uses the resource or one of its permissions; who.
    #[error("the resource is used by {}", .0.join(", "))]
    ResourceInUse(Vec<String>),
    /// Something refers to the application; what.
    #[error("the application is used by {}", .0.join(", "))]
    ApplicationInUse(Vec<String>),
    /// The application signs assertions.
    #[error("the application proves who it is by private_key_jwt and has no secrets")]
    SecretsUnused,
    /// The application has as many secrets as it may have.
    #[error("an application has 10 secrets at most: remove one that nobody needs")]
    TooManySecrets,
    /// There is a rule for the same application, from and to the same resources.
    #[error("the application has a rule from and to these resources already: change that one")]
    ExchangeRuleExists,
    /// kagiya's own management API stays as it is.
    #[error("the resource is reserved and stays as it is")]
    ResourceReserved,
    /// The key is revoked.
    #[error("the key is revoked")]
    KeyRevoked,
    /// The key is in a state that does not allow it.
    #[error("the key is {}", .0.as_str())]
    KeyStatus(KeyStatus),
    /// Somebody else changed the key at the same moment.
    #[error("the key was changed by another call meanwhile")]
    KeyChanged,
    /// So many users that nobody needs are not removed at once.
    #[error(
        "{0} users that nobody needs are too many to remove at once: look what they are, and remove them at the provider"
    )]
    TooManyOrphans(usize),
    /// Something that lives needs the secret; who, and how many.
    #[error("{0}")]
    SecretInUse(String),
    /// The secret is in a state that does not allow it.
    #[error("{0}")]
    SecretState(String),
    /// The root secret was given to the server, which cannot replace it.
    #[error(
        "the root secret is given to this server, by KAGIYA_ROOT_SECRET or KAGIYA_ROOT_SECRET_FILE, so only you can replace it: \
         1. kagiya secrets rotate-root --new-root-secret-file FILE lets the database open with the one in FILE too; \
         2. give that one to every server in place of the old one, and start each of them again; \
         3. kagiya secrets rotate-root --finish lets the old one open nothing any more"
    )]
    RootSecretGiven,
    /// There is no signing key to rotate to.
    #[error("there is no next signing key for {0} yet")]
    NoNextSigningKey(SigningAlgorithm),
    /// Verifiers may not know the next signing key yet.
    #[error("the next signing key was published too short a time ago; possible from {0}")]
    SigningKeyTooYoung(Timestamp),
    /// The same Idempotency-Key with another body.
    #[error("the Idempotency-Key was used with another body")]
    IdempotencyKeyReused,
    /// The first request with that Idempotency-Key still runs.
    #[error("a request with that Idempotency-Key is still running")]
    IdempotencyInProgress,
    /// The answer was erased.
    #[error("the answer to that Idempotency-Key was erased")]
    IdempotencyAnswerGone,
}

impl Error {
    /// A value that cannot be.
    pub(super) fn invalid(field: impl Into<String>, reason: impl ToString) -> Self {
        Self::Invalid {
            field: field.into(),
            reason: reason.to_string(),
        }
    }
}

impl From<crate::domain::lifecycle::TransitionError> for Error {
    fn from(error: crate::domain::lifecycle::TransitionError) -> Self {
        use crate::domain::lifecycle::TransitionError;
        match error {
            TransitionError::Revoked => Conflict::KeyRevoked.into(),
            TransitionError::Status { status } => Conflict::KeyStatus(status).into(),
        }
    }
}
