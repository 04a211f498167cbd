//! The public keys of an issuer elsewhere (RFC 7517), for whatever is signed there.
//!
//! Found by discovery (OpenID Connect Discovery §4) or at a given place, kept for a while and replaced whole. A name that is not among
//! them makes the set be read again at once, though no second time within 30 seconds. Where the issuer does not answer, the keys at hand
//! are used for an hour more; then nothing of it can be checked, and that is an outage, never a wrong token. Of any number who wait one
//! asks.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::Mutex;
use url::Url;

use super::outbound::{Outbound, OutboundError};
use crate::domain::clock::Clock;
use crate::token::outside::{NotAJwkSet, OutsideError, OutsideKeys};

/// How long keys are used before they are read again.
const FRESH: SignedDuration = SignedDuration::from_mins(10);
/// How long they are used where they cannot be read again.
const USABLE: SignedDuration = SignedDuration::from_hours(1);
/// How long nobody asks a second time for an unknown key, or after a failure.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);
const PAUSE_AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(5);

/// What a discovery document says (OpenID Connect Discovery §3), as far as it is used here.
#[derive(Clone, Debug, Deserialize)]
pub struct Discovery {
    /// Whose it is.
    pub issuer: String,
    /// Where his keys are.
    pub jwks_uri: Url,
    /// Where a browser is sent.
    #[serde(default)]
    pub authorization_endpoint: Option<Url>,
    /// Where a code is traded.
    #[serde(default)]
    pub token_endpoint: Option<Url>,
    /// Where more is told of who signed in.
    #[serde(default)]
    pub userinfo_endpoint: Option<Url>,
    /// How clients may show who they are.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether the issuer names himself in the browser's answer (RFC 9207 §3).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

/// What was read of an issuer.
struct Read {
    keys: OutsideKeys,
    /// Where his keys were found by it.
    discovery: Option<Discovery>,
}

/// The keys of one issuer.
pub struct RemoteKeys {
    place: Place,
    outbound: Outbound,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

enum Place {
    /// Where the discovery document of this issuer says.
    Discovered(String),
    /// Here.
    Given(Url),
}

#[derive(Default)]
struct State {
    held: Option<(Timestamp, Arc<Read>)>,
    failed_at: Option<Timestamp>,
    /// When they were last read again for a key that was not among them.
    missed_at: Option<Timestamp>,
}

/// Why something that was signed elsewhere is not taken.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// It is not good.
    #[error("the token is not good here")]
    Token(#[from] OutsideError),
    /// The issuer's keys cannot be had.
    #[error("the keys of the issuer cannot be had")]
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

impl RemoteKeys {
    /// Those that the discovery document of an issuer points to.
    pub fn discovered(issuer: String, outbound: Outbound, clock: Arc<dyn Clock>) -> Self {
        Self::new(Place::Discovered(issuer), outbound, clock)
    }

    /// Those at a place.
    pub fn at(jwks_uri: Url, outbound: Outbound, clock: Arc<dyn Clock>) -> Self {
        Self::new(Place::Given(jwks_uri), outbound, clock)
    }

    fn new(place: Place, outbound: Outbound, clock: Arc<dyn Clock>) -> Self {
        Self {
            place,
            outbound,
            clock,
            state: Mutex::default(),
        }
    }

    /// What `check` makes of a token by these keys; asked again by newer ones where it knows none that fits.
    ///
    /// # Errors
    /// That of `check`, or the keys cannot be had.
    pub async fn check<T>(
        &self,
        check: impl Fn(&OutsideKeys, Timestamp) -> Result<T, OutsideError>,
    ) -> Result<T, RemoteError> {
        let now = self.clock.now();
        let read = self.read(now).await?;
        match check(&read.keys, now) {
            // The issuer may have a new key.
            Err(OutsideError::UnknownKey) => match self.newer(&read, now).await? {
                Some(newer) => Ok(check(&newer.keys, now)?),
                None => Err(OutsideError::UnknownKey.into()),
            },
            checked => Ok(checked?),
        }
    }

    /// The discovery document by which the keys were found.
    ///
    /// # Errors
    /// It cannot be had, or the keys are at a given place.
    pub async fn discovery(&self) -> Result<Discovery, RemoteError> {
        let read = self.read(self.clock.now()).await?;
        let discovery = read.discovery.clone();
        discovery.ok_or_else(|| RemoteError::Unavailable(Arc::new(FetchError::Discovery)))
    }

    /// Whether the keys can be had now, asked of the issuer itself.
    ///
    /// # Errors
    /// Why not.
    pub async fn probe(&self) -> Result<(), FetchError> {
        self.fetch().await.map(drop)
    }

    /// The keys at hand, read again where they are too old. Everybody waits for the one who asks.
    async fn read(&self, now: Timestamp) -> Result<Arc<Read>, RemoteError> {
        let mut state = self.state.lock().await;
        match &state.held {
            Some((at, keys)) if now.duration_since(*at) < FRESH => Ok(Arc::clone(keys)),
            _ => self.read_again(&mut state, now).await,
        }
    }

    /// Newer keys than these, in which one was missed; `None`: they were read again for that a moment ago.
    async fn newer(
        &self,
        old: &Arc<Read>,
        now: Timestamp,
    ) -> Result<Option<Arc<Read>>, RemoteError> {
        let mut state = self.state.lock().await;
        if let Some((_, held)) = &state.held
            && !Arc::ptr_eq(held, old)
        {
            return Ok(Some(Arc::clone(held)));
        }
        let recently = |at: Timestamp| now.duration_since(at) < PAUSE;
        if state.missed_at.is_some_and(recently) {
            return Ok(None);
        }
        state.missed_at = Some(now);
        self.read_again(&mut state, now).await.map(Some)
    }

    /// Reads the keys; where they cannot be had, older ones count for a while.
    async fn read_again(
        &self,
        state: &mut State,
        now: Timestamp,
    ) -> Result<Arc<Read>, RemoteError> {
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
                Ok(keys)
            }
            Err(error) => {
                if !recently {
                    state.failed_at = Some(now);
                    let issuer = match &self.place {
                        Place::Discovered(issuer) => issuer,
                        Place::Given(place) => place.as_str(),
                    };
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, issuer, "the keys of an issuer cannot be read");
                }
                match &state.held {
                    Some((at, keys)) if now.duration_since(*at) < USABLE => Ok(Arc::clone(keys)),
                    _ => Err(RemoteError::Unavailable(Arc::new(error))),
                }
            }
        }
    }

    async fn fetch(&self) -> Result<Read, FetchError> {
        let (place, discovery) = match &self.place {
            Place::Given(place) => (place.clone(), None),
            Place::Discovered(issuer) => {
                let discovery = self.discover(issuer).await?;
                (discovery.jwks_uri.clone(), Some(discovery))
            }
        };
        let keys = OutsideKeys::read(&self.outbound.json(&place).await?)?;
        Ok(Read { keys, discovery })
    }

    async fn discover(&self, issuer: &str) -> Result<Discovery, FetchError> {
        let base = issuer.trim_end_matches('/');
        let place = format!("{base}/.well-known/openid-configuration");
        let place = place.parse().map_err(|_| FetchError::Discovery)?;
        let document = self.outbound.json(&place).await?;
        let found: Discovery =
            serde_json::from_slice(&document).map_err(|_| FetchError::Discovery)?;
        if found.issuer == issuer {
            Ok(found)
        } else {
            Err(FetchError::Discovery)
        }
    }
}
