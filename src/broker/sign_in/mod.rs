//! People at the dashboard: how they sign in, who they are then, and how that ends.
//!
//! A session is a row, so that it ends everywhere at once; what the browser holds opens it and is stored nowhere. Each way to sign in
//! ends in the same [`OpenedSession`], with a new secret each time. Who a person is and what he may do is read again for each
//! request: nothing of it is in the browser.

mod browser;
mod link_use;
mod links;
mod membership_rules;
mod passkeys;
mod passwords;
mod people;
mod provider;
mod sessions;

use jiff::Timestamp;
use thiserror::Error as ThisError;

pub use self::link_use::{LinkUse, NewAccount};
pub use self::links::{MadeLink, NewLink, SeenLink};
pub use self::passkeys::{PasskeyCeremony, WebAuthnSite};
pub use self::people::ShownPerson;
pub use self::provider::{Callback, ProviderRedirect};
pub use self::sessions::{OpenedSession, SignedIn};

use super::Error;
use super::rate::{AddressLimits, NameLimits};
use crate::domain::audit::Origin;
use crate::domain::clock::Clock;
use crate::domain::id::LinkId;
use crate::domain::sign_in::MembershipRule;
use crate::idp::sign_in::SignInError;
use crate::store;

/// Tries to sign in from one address in a minute.
const TRIES_PER_ADDRESS: std::num::NonZeroU32 = std::num::NonZeroU32::new(30).expect("30 is not 0");
/// Names that are remembered at once.
const NAMES: usize = 10_000;
/// Passwords that are hashed at once: each takes 19 MiB and a core for some 20 ms.
const HASHES_AT_ONCE: usize = 2;

/// Seconds after which a provider that gave no good answer is asked again.
const PROVIDER_WAIT: u32 = 10;

/// How people sign in.
#[derive(Clone, Debug)]
pub struct SignInSettings {
    /// For how long an unused session lasts.
    pub session_idle: std::time::Duration,
    /// For how long a session lasts whatever happens.
    pub session_lifetime: std::time::Duration,
    /// Whether people may have a password or passkey here.
    pub local_accounts: bool,
    /// Which people of the provider are members of what.
    pub memberships: Vec<MembershipRule>,
}

/// Who asks to be let in, before it is known who he is.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The request.
    pub origin: Origin,
    /// What the browser says that it is.
    pub agent: Option<String>,
}

/// What bounds the tries.
pub(super) struct SignInLimits {
    addresses: AddressLimits,
    names: NameLimits,
    hashes: tokio::sync::Semaphore,
}

impl SignInLimits {
    pub(super) fn new(addresses: usize, clock: &std::sync::Arc<dyn Clock>) -> Self {
        Self {
            addresses: AddressLimits::new(
                TRIES_PER_ADDRESS,
                addresses,
                std::sync::Arc::clone(clock),
            ),
            names: NameLimits::new(NAMES, std::sync::Arc::clone(clock)),
            hashes: tokio::sync::Semaphore::new(HASHES_AT_ONCE),
        }
    }
}

/// Why somebody is not let in.
#[derive(Debug, ThisError)]
pub enum SignInFailure {
    /// Not a name and password, or passkey, of somebody who may come; nobody is told which.
    #[error("the name, the password or the passkey is wrong")]
    Wrong,
    /// Too many tries; seconds to wait.
    #[error("too many tries")]
    TooMany(u32),
    /// No link that can be used, or not any more.
    #[error("there is no such link, or not any more")]
    NoSuchLink,
    /// A link that can be used on the server's own machine alone.
    #[error("the link can be used on the server's own machine alone")]
    OnlyFromHere,
    /// The answer to an attempt that this browser did not begin, that came back before, or that is too old.
    #[error("no attempt of this browser is waiting for that answer")]
    NoAttempt,
    /// The provider says no; its word for it.
    #[error("the sign-in provider refuses: {0}")]
    Refused(String),
    /// The provider's answer is not good.
    #[error("the sign-in provider's answer is not good: {0}")]
    BadAnswer(String),
    /// No provider is configured, or no accounts are kept here.
    #[error("people do not sign in that way here")]
    NotThatWay,
    /// The provider does not answer.
    #[error("the sign-in provider does not answer")]
    Unavailable(#[source] SignInError),
    /// The rest.
    #[error(transparent)]
    Other(#[from] Error),
}

impl From<store::Error> for SignInFailure {
    fn from(error: store::Error) -> Self {
        Self::Other(error.into())
    }
}

impl SignInFailure {
    /// After how many seconds it is worth to try again, where that is known.
    pub fn wait(&self) -> Option<u32> {
        match self {
            Self::TooMany(seconds) => Some(*seconds),
            Self::Unavailable(_) | Self::BadAnswer(_) => Some(PROVIDER_WAIT),
            _ => None,
        }
    }

    /// The word for it in the request log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Wrong => "sign_in_wrong",
            Self::TooMany(_) => "sign_in_too_many",
            Self::NoSuchLink => "sign_in_no_such_link",
            Self::OnlyFromHere => "sign_in_only_from_here",
            Self::NoAttempt => "sign_in_no_attempt",
            Self::Refused(_) => "sign_in_refused",
            Self::BadAnswer(_) => "sign_in_bad_answer",
            Self::NotThatWay => "sign_in_not_that_way",
            Self::Unavailable(_) => "identity_provider_unavailable",
            Self::Other(_) => "other",
        }
    }
}

/// A moment that lies so far ahead, or the end of time.
fn later(now: Timestamp, by: std::time::Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// How the audit trail names what a link did.
fn by_link(link: &LinkId) -> String {
    format!("link:{link}")
}
