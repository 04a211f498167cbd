//! The provider where people sign in: whose access tokens are taken as credentials of persons, and by which keys.
//!
//! Its keys are found by OpenID Connect Discovery (§4), kept for a while and replaced whole. A name that is not among them makes the
//! set be read again, once in 30 seconds at most. Where the provider does not answer, the keys at hand are used for an hour more; then
//! nobody can be told from anybody, and that is an outage, never a wrong token.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::Mutex;
use url::Url;

use super::outbound::{Outbound, OutboundError};
use crate::domain::clock::Clock;
use crate::domain::subject::Subject;
use crate::token::outside::{NotAJwkSet, OutsideError, OutsideKeys, OutsideRules};

/// How long keys are used before they are read again.
const FRESH: SignedDuration = SignedDuration::from_mins(10);
/// How long they are used where they cannot be read again.
const USABLE: SignedDuration = SignedDuration::from_hours(1);
/// How long nobody asks again after a token with an unknown key, or after a failure.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);
const PAUSE_AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(5);

/// The provider.
pub struct SignIn {
    rules: OutsideRules,
    outbound: Outbound,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<(Timestamp, Arc<OutsideKeys>)>,
    failed_at: Option<Timestamp>,
}

/// Why a person cannot be told by a token.
#[derive(Debug, Error)]
pub enum SignInError {
    /// The token is not good.
    #[error("the token is not good here")]
    Token(#[from] OutsideError),
    /// The provider's keys cannot be had.
    #[error("the sign-in provider's keys cannot be had")]
    Unavailable(#[source] Arc<FetchError>),
}

/// Why keys cannot be had.
#[derive(Debug, Error)]
pub enum FetchError {
    /// No document.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The discovery document is not what it should be.
    #[error("the discovery document is not that of this issuer")]
    Discovery,
    /// The JWK set is none.
    #[error(transparent)]
    Keys(#[from] NotAJwkSet),
    /// It failed a moment ago.
    #[error("it failed a moment ago")]
    Recently,
}

impl SignIn {
    /// The provider of these rules.
    pub fn new(rules: OutsideRules, outbound: Outbound, clock: Arc<dyn Clock>) -> Self {
        Self {
            rules,
            outbound,
            clock,
            state: Mutex::default(),
        }
    }

    /// Its issuer identifier.
    pub fn issuer(&self) -> &str {
        self.rules.issuer.as_str()
    }

    /// Whom an access token names.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn verify(&self, token: &str) -> Result<Subject, SignInError> {
        let now = self.clock.now();
        let (read_at, keys) = self.keys(now, FRESH).await?;
        match keys.verify(token, &self.rules, now) {
            // The provider may have a new key.
            Err(OutsideError::UnknownKey) if now.duration_since(read_at) >= PAUSE => {
                let (_, keys) = self.keys(now, PAUSE).await?;
                Ok(keys.verify(token, &self.rules, now)?)
            }
            verified => Ok(verified?),
        }
    }

    /// Keys that are no older than `age`, if they can be had; older ones for a while, if not. Everybody waits for the one who asks.
    async fn keys(
        &self,
        now: Timestamp,
        age: SignedDuration,
    ) -> Result<(Timestamp, Arc<OutsideKeys>), SignInError> {
        let mut state = self.state.lock().await;
        if let Some((at, keys)) = &state.held
            && now.duration_since(*at) < age
        {
            return Ok((*at, Arc::clone(keys)));
        }
        let recently = state
            .failed_at
            .is_some_and(|at| now.duration_since(at) < PAUSE_AFTER_FAILURE);
        let fetched = if recently {
            Err(FetchError::Recently)
        } else {
            self.fetch().await
        };
        match fetched {
            Ok(keys) => {
                let keys = Arc::new(keys);
                state.failed_at = None;
                state.held = Some((now, Arc::clone(&keys)));
                Ok((now, keys))
            }
            Err(error) => {
                if !recently {
                    state.failed_at = Some(now);
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        issuer = self.issuer(),
                        "the keys of the sign-in provider cannot be read"
                    );
                }
                match &state.held {
                    Some((at, keys)) if now.duration_since(*at) < USABLE => {
                        Ok((*at, Arc::clone(keys)))
                    }
                    _ => Err(SignInError::Unavailable(Arc::new(error))),
                }
            }
        }
    }

    async fn fetch(&self) -> Result<OutsideKeys, FetchError> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
            jwks_uri: Url,
        }
        let base = self.issuer().trim_end_matches('/');
        let place = format!("{base}/.well-known/openid-configuration");
        let place = place.parse().map_err(|_| FetchError::Discovery)?;
        let document = self.outbound.json(&place).await?;
        let found: Discovery =
            serde_json::from_slice(&document).map_err(|_| FetchError::Discovery)?;
        if found.issuer != self.issuer() {
            return Err(FetchError::Discovery);
        }
        Ok(OutsideKeys::read(
            &self.outbound.json(&found.jwks_uri).await?,
        )?)
    }
}
