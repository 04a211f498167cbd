//! What the token endpoint gives, one grant a file, and what all of them share: what may be asked for, why it is refused, and how a
//! token is signed.

mod client_credentials;
mod token_exchange;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use thiserror::Error as ThisError;

pub use self::token_exchange::{ExchangeRequest, PresentedToken, TokenKind};

use super::Broker;
use super::catalogue::{Grant, KnownResource, Policy};
use super::token_life::LifeError;
use crate::domain::id::{ApplicationId, ResourceId};
use crate::domain::scope::ScopeSet;
use crate::idp;
use crate::store;
use crate::token::mint::{AccessTokenClaims, Jti, Owner, mint};
use crate::token::verify::VerifyError;

/// What a client asks for. An empty text is as good as none.
#[derive(Clone, Copy, Debug, Default)]
pub struct GrantRequest<'a> {
    /// The audience.
    pub resource: Option<&'a str>,
    /// Scopes, separated by spaces.
    pub scope: Option<&'a str>,
}

/// What it gets.
pub struct GrantedToken {
    /// The token.
    pub access_token: String,
    /// For how many seconds it is good.
    pub expires_in: i64,
    /// What it permits.
    pub scope: Arc<str>,
}

/// Why it gets nothing.
#[derive(Debug, ThisError)]
pub enum GrantRefusal {
    /// No resource of that name for this client, or none named where it has several; those that it can name.
    #[error("no such target for this client")]
    InvalidTarget {
        /// The identifiers.
        possible: Vec<String>,
    },
    /// A scope that it does not hold there, or not a list of scopes.
    #[error("a scope that is asked for is not held")]
    InvalidScope,
    /// The token to be traded is not good.
    #[error("the subject_token is not good")]
    Subject(#[source] BadToken),
    /// The token of who acts is not good.
    #[error("the actor_token is not good")]
    Actor(#[source] BadToken),
    /// The token to be traded does not permit what the rule requires.
    #[error("the subject_token does not permit what the rule requires")]
    SubjectLacksScope,
    /// The token to be traded names somebody else who may act.
    #[error("may_act names somebody else")]
    MayNotAct,
    /// The rule takes no token of who acts.
    #[error("the rule takes no actor_token")]
    ActorNotTaken,
    /// Too many act for each other.
    #[error("too many actors")]
    TooManyActors,
    /// It was traded too often.
    #[error("too many trades")]
    TooManyTrades,
    /// The client may trade no token of another.
    #[error("the client has no exchange rule")]
    NoRules,
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The identity provider of the token's key is not configured.
    #[error(transparent)]
    Provider(Arc<idp::Error>),
    /// Nothing signs here now.
    #[error("no signing key: {0}")]
    NoSigningKey(String),
}

/// Why a token is not taken.
#[derive(Debug, ThisError)]
pub enum BadToken {
    /// Not what it is said to be.
    #[error("not a token of that kind")]
    Kind,
    /// Not a token of ours that is good now.
    #[error(transparent)]
    Own(VerifyError),
    /// It was revoked, or something that it stands on was.
    #[error("it does not count any more")]
    Dead,
    /// It is no business of this client.
    #[error("it is somebody else's")]
    Anothers,
}

impl From<LifeError> for GrantRefusal {
    fn from(error: LifeError) -> Self {
        match error {
            LifeError::Store(error) => Self::Store(error),
            LifeError::Provider(error) => Self::Provider(error),
        }
    }
}

impl GrantRefusal {
    /// The word for it in the request log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::InvalidTarget { .. } => "invalid_target",
            Self::InvalidScope => "invalid_scope",
            Self::Subject(_) => "bad_subject_token",
            Self::Actor(_) => "bad_actor_token",
            Self::SubjectLacksScope => "subject_lacks_scope",
            Self::MayNotAct => "may_not_act",
            Self::ActorNotTaken => "actor_not_taken",
            Self::TooManyActors => "too_many_actors",
            Self::TooManyTrades => "too_many_trades",
            Self::NoRules => "no_exchange_rule",
            Self::Store(_) => "database_unavailable",
            Self::Provider(_) => "identity_provider_unavailable",
            Self::NoSigningKey(_) => "signing_key_unavailable",
        }
    }
}

/// A token that is about to be signed.
pub(super) struct NewToken<'a> {
    /// Whom it stands for.
    pub(super) sub: &'a str,
    /// Who asked.
    pub(super) client_id: &'a str,
    /// Where it is good.
    pub(super) resource: &'a KnownResource,
    /// What it permits.
    pub(super) scopes: &'a ScopeSet,
    /// The last second at which it may live, whatever the resource says.
    pub(super) last_second: Option<i64>,
    /// The organization of its subject.
    pub(super) org_id: Option<&'a str>,
    /// The person behind its subject.
    pub(super) owner: Option<Owner<'a>>,
    /// The generation of its subject, which is a key.
    pub(super) generation: Option<&'a str>,
    /// The first token of its chain, if it is not that.
    pub(super) family: Option<&'a str>,
    /// Who acts.
    pub(super) act: Option<&'a Value>,
    /// Who may act.
    pub(super) may_act: Option<&'a Value>,
    /// The members of its subject's metadata that the resource names.
    pub(super) metadata: &'a [(&'a str, &'a str)],
}

/// A token that was signed.
pub(super) struct Signed {
    /// The token.
    pub(super) token: String,
    /// Its id.
    pub(super) jti: Jti,
    /// Its `exp` in seconds since 1970.
    pub(super) exp: i64,
    /// The key that signed it.
    pub(super) kid: String,
}

impl Broker {
    /// Signs a token that begins at `now`.
    pub(super) fn sign(&self, new: &NewToken<'_>, now: Timestamp) -> Result<Signed, GrantRefusal> {
        let lived_out = now.as_second() + i64::from(new.resource.token_lifetime);
        let exp = new
            .last_second
            .map_or(lived_out, |last| lived_out.min(last));
        let signing = self.signing.load();
        let algorithm = new.resource.signing_algorithm;
        let key = signing
            .ring
            .active(algorithm)
            .ok_or_else(|| GrantRefusal::NoSigningKey(format!("none for {algorithm}")))?;
        let jti = Jti::generate(&*self.random);
        let claims = AccessTokenClaims {
            iss: self.settings.issuer.as_str(),
            sub: new.sub,
            aud: new.resource.identifier.as_str(),
            exp: Timestamp::from_second(exp).unwrap_or(now),
            iat: now,
            jti: &jti,
            client_id: new.client_id,
            scope: new.scopes,
            org_id: new.org_id,
            owner: new.owner,
            generation: new.generation,
            family: new.family,
            act: new.act,
            may_act: new.may_act,
            metadata: new.metadata,
        };
        let token =
            mint(key, &claims).map_err(|error| GrantRefusal::NoSigningKey(error.to_string()))?;
        let kid = key.kid().to_owned();
        Ok(Signed {
            token,
            jti,
            exp,
            kid,
        })
    }

    /// The claim `may_act` for who is on record (RFC 8693 §4.4).
    pub(super) fn may_act_claim(&self, application: Option<ApplicationId>) -> Option<Value> {
        application.map(|id| json!({"iss": self.settings.issuer.as_str(), "sub": id}))
    }
}

/// The grant of a policy that is meant: the one named, else the default resource's, else the only one.
pub(super) fn target<'a>(
    policy: &'a Policy,
    resource: Option<&str>,
    default: Option<ResourceId>,
) -> Result<&'a Grant, GrantRefusal> {
    let grants = &policy.grants;
    let found = match resource {
        Some(identifier) => policy.at(identifier),
        None => {
            let default =
                default.and_then(|id| grants.iter().find(|grant| grant.resource.id == id));
            default.or_else(|| grants.first().filter(|_| grants.len() == 1))
        }
    };
    found.ok_or_else(|| GrantRefusal::InvalidTarget {
        possible: grants
            .iter()
            .map(|grant| grant.resource.identifier.to_string())
            .collect(),
    })
}

/// What is asked for, if all of it is held.
pub(super) fn narrow(held: &ScopeSet, scope: &str) -> Result<ScopeSet, GrantRefusal> {
    let asked: ScopeSet = scope.parse().map_err(|_| GrantRefusal::InvalidScope)?;
    if asked.is_subset(held) {
        Ok(asked)
    } else {
        Err(GrantRefusal::InvalidScope)
    }
}
