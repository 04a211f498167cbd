//! Whose token comes to the management API: the local operator's, that of a key or an application that holds rights on it, or a person's
//! of the configured sign-in provider.
//!
//! The token says who; whether he still may is asked of the record at every call: a revoked key's management token is refused at
//! once, and its scopes are cut to what the key holds now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use thiserror::Error as ThisError;

use super::signing_keys::Signing;
use super::token_life::{Holder, LifeError};
use super::{Broker, Caller, Person, Settings, Standing, StartError, audit};
use crate::domain::algorithm::SigningAlgorithm;
use crate::domain::audit::Origin;
use crate::domain::random::Random;
use crate::domain::scope::ScopeSet;
use crate::domain::sealed::RootSecret;
use crate::domain::user::{Membership, User};
use crate::idp;
use crate::idp::remote_keys::RemoteError;
use crate::idp::sign_in::SignIn;
use crate::store::{self, Store, credentials, deployment};
use crate::token::claims::VerifiedClaims;
use crate::token::mint::{AccessTokenClaims, Jti, mint};
use crate::token::outside::{OutsideError, unverified_issuer};
use crate::token::verify::VerifyError;

/// How long an operator's token lives.
const OPERATOR_TOKEN_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// What the subject of an operator's token starts with; no id of ours does.
pub(super) const OPERATOR: &str = "operator:";

/// Why a bearer token is not taken.
#[derive(Debug, ThisError)]
pub enum CallerError {
    /// Not a token of ours for this API that is good now.
    #[error("the token is not good here")]
    Token(#[from] VerifyError),
    /// Its subject may do nothing here any more.
    #[error("the token's subject is stopped or unknown")]
    Subject,
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The subject's identity provider is not configured.
    #[error(transparent)]
    Provider(Arc<idp::Error>),
    /// Not a token of the sign-in provider that is good now.
    #[error(transparent)]
    SignIn(OutsideError),
    /// The sign-in provider does not answer.
    #[error("the sign-in provider does not answer")]
    SignInUnavailable(#[source] RemoteError),
}

impl From<LifeError> for CallerError {
    fn from(error: LifeError) -> Self {
        match error {
            LifeError::Store(error) => Self::Store(error),
            LifeError::Provider(error) => Self::Provider(error),
        }
    }
}

impl CallerError {
    /// The word for it in the request log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Token(error) => error.reason(),
            Self::Subject => "subject_stopped_or_unknown",
            Self::Store(_) => "database_unavailable",
            Self::SignIn(_) => "sign_in_token",
            Self::Provider(_) | Self::SignInUnavailable(_) => "identity_provider_unavailable",
        }
    }
}

/// Tokens of operators that were used before, until they expire.
#[derive(Default)]
pub(super) struct SeenTokens(Mutex<HashMap<String, Timestamp>>);

impl SeenTokens {
    /// Whether this is the first use.
    fn is_first(&self, claims: &VerifiedClaims, now: Timestamp) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, exp| *exp + OPERATOR_TOKEN_LIFETIME > now);
        seen.insert(claims.jti.clone(), claims.exp).is_none()
    }

    fn forget(&self, claims: &VerifiedClaims) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&claims.jti);
    }
}

impl Broker {
    /// Whose bearer token it is. The first use of an operator's token is on record before this returns.
    ///
    /// # Errors
    /// See [`CallerError`].
    pub async fn authenticate_caller(
        &self,
        token: &str,
        origin: &Origin,
    ) -> Result<Caller, CallerError> {
        let now = self.now();
        // Unverified, it only says by whose rules the token is judged.
        if let Some(sign_in) = &self.sign_in
            && unverified_issuer(token).as_deref() == Some(sign_in.issuer())
        {
            return self.person(sign_in, token, origin).await;
        }
        let verified =
            self.signing
                .load()
                .verifier
                .verify(token, &self.management_audience, now)?;
        if verified.claims.sub.starts_with(OPERATOR) {
            return self.operator(verified.claims, origin).await;
        }
        let life = self.life(&verified).await?.ok_or(CallerError::Subject)?;
        let (organization_id, standing) = match life.holder {
            Holder::Key(record) => (Some(record.organization_id()), Standing::Key(record)),
            Holder::Application(client) => {
                (client.organization_id(), Standing::Application(client))
            }
            // Told by his subject, above.
            Holder::Operator => return Err(CallerError::Subject),
        };
        Ok(Caller {
            actor: verified.claims.sub.into(),
            organization_id,
            scopes: life.scope,
            standing,
        })
    }

    /// A person by his access token of the sign-in provider. One who comes for the first time is known from then on.
    async fn person(
        &self,
        sign_in: &SignIn,
        token: &str,
        origin: &Origin,
    ) -> Result<Caller, CallerError> {
        let subject = sign_in.verify(token).await.map_err(|error| match error {
            RemoteError::Token(error) => CallerError::SignIn(error),
            unavailable => CallerError::SignInUnavailable(unavailable),
        })?;
        // A user that stands behind a key is no person, wherever people sign in.
        let name = subject.sub.clone();
        let is_ours = self
            .store
            .read(move |connection| credentials::is_subject_of_any(connection, name.as_str()))
            .await?;
        if is_ours {
            return Err(CallerError::Subject);
        }
        let origin = Origin {
            actor: "sign-in".to_owned(),
            ..origin.clone()
        };
        let user = self.known_user(subject, &origin).await?;
        let caller = self.caller_of(user).await?;
        caller.ok_or(CallerError::Subject)
    }

    /// A person as a caller, with what he may do as of now; `None` for one who may not come.
    pub(super) async fn caller_of(&self, user: User) -> Result<Option<Caller>, store::Error> {
        let id = user.id;
        let (known, memberships) = self
            .store
            .read(move |connection| {
                let known = store::people::find(connection, &id)?;
                Ok::<_, store::Error>((known, store::memberships::of_user(connection, &id)?))
            })
            .await?;
        Ok(self.caller_from(user, known.as_ref(), memberships))
    }

    /// The same from what was read already.
    pub(super) fn caller_from(
        &self,
        user: User,
        known: Option<&store::people::Person>,
        memberships: Vec<Membership>,
    ) -> Option<Caller> {
        if known.is_some_and(|known| known.disabled_at.is_some()) {
            return None;
        }
        let actor = user.id.as_str().into();
        let granted = known.is_some_and(|known| known.operator_since.is_some());
        if granted || self.settings.operators.contains(&user.subject) {
            return Some(Caller {
                actor,
                organization_id: None,
                scopes: every_scope(),
                standing: Standing::Operator,
            });
        }
        let only = match memberships.as_slice() {
            [only] => Some(only.organization_id),
            _ => None,
        };
        let person = Person { user, memberships };
        Some(Caller {
            actor,
            organization_id: only,
            scopes: person.scopes(),
            standing: Standing::Person(Arc::new(person)),
        })
    }

    async fn operator(
        &self,
        claims: VerifiedClaims,
        origin: &Origin,
    ) -> Result<Caller, CallerError> {
        if self.operator_tokens.is_first(&claims, self.now()) {
            let origin = Origin {
                actor: claims.sub.clone(),
                ..origin.clone()
            };
            let details = json!({"jti": claims.jti, "scope": claims.scope.to_string()});
            let event = self.event(&origin, "operator_token.used", &claims.sub, None, details);
            let recorded = self.store.write(move |tx| audit::append(tx, &event)).await;
            if let Err(error) = recorded {
                // Not on record, so not used: the next call tries again.
                self.operator_tokens.forget(&claims);
                return Err(error.into());
            }
        }
        Ok(Caller {
            actor: claims.sub.into(),
            organization_id: None,
            scopes: claims.scope,
            standing: Standing::Operator,
        })
    }
}

/// All that the management API lets do.
pub fn every_scope() -> ScopeSet {
    super::resources::MANAGEMENT_SCOPES
        .iter()
        .filter_map(|(name, _)| name.parse().ok())
        .collect()
}

/// What an operator's token is made from.
pub struct OperatorToken<'a> {
    /// Who he is, such as his login name; the token's subject is `operator:` and this.
    pub name: &'a str,
    /// What the token lets him do; all that there is, if none.
    pub scopes: Option<ScopeSet>,
    /// Now.
    pub now: Timestamp,
}

impl OperatorToken<'_> {
    /// Signs it with the key on record, beside a running server or without one: for whoever can read the database and the root secret.
    ///
    /// # Errors
    /// A wrong root secret, a database without a deployment, or no signing key.
    pub async fn mint(
        &self,
        store: &Store,
        root: &RootSecret,
        settings: &Settings,
        random: &dyn Random,
    ) -> Result<String, StartError> {
        let deployment = store
            .read(deployment::find)
            .await?
            .ok_or(StartError::NotStarted)?;
        if !super::start::opens(root, &deployment) {
            return Err(StartError::WrongRootSecret);
        }
        let (_, signing) = Signing::load_with_secrets(store, root, settings).await?;
        let keys = SigningAlgorithm::ALL
            .into_iter()
            .find_map(|algorithm| signing.ring.active(algorithm));
        let key = keys.ok_or(StartError::NotStarted)?;
        let scopes = self.scopes.clone().unwrap_or_else(every_scope);
        let subject = format!("{OPERATOR}{}", self.name);
        let claims = AccessTokenClaims {
            iss: &deployment.issuer,
            sub: &subject,
            aud: &format!("{}/v1", deployment.issuer),
            exp: self.now + OPERATOR_TOKEN_LIFETIME,
            iat: self.now,
            jti: &Jti::generate(random),
            client_id: &subject,
            scope: &scopes,
            org_id: None,
            owner: None,
            generation: None,
            family: None,
            act: None,
            may_act: None,
            metadata: &[],
        };
        mint(key, &claims).map_err(|error| StartError::Signing(error.into()))
    }
}
