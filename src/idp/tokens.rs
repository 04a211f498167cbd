//! Tokens that a provider gives: those with which we manage it, kept as long as they are good, and the checks that every other must pass.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::Error;
use super::remote_keys::{RemoteError, RemoteKeys};
use crate::domain::clock::Clock;
use crate::domain::scope::ScopeSet;
use crate::domain::secret::SecretText;
use crate::token::outside::{OutsideAlgorithm, OutsideError, judge_times};

/// How long before its end a management token is replaced.
const BEFORE_END: Duration = Duration::from_secs(30);

/// The management token of one client: fetched once for all who need it, and again before it ends.
pub(super) struct ManagementToken {
    clock: Arc<dyn Clock>,
    held: Mutex<Option<(Arc<SecretText>, Timestamp)>>,
}

impl ManagementToken {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            held: Mutex::new(None),
        }
    }

    /// The token, or a new one by `fetch`, with how long it is good.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub(super) async fn get(
        &self,
        fetch: impl AsyncFnOnce() -> Result<(SecretText, Duration), Error>,
    ) -> Result<Arc<SecretText>, Error> {
        let mut held = self.held.lock().await;
        let now = self.clock.now();
        if let Some((token, until)) = &*held
            && now < *until
        {
            return Ok(Arc::clone(token));
        }
        let (token, lifetime) = fetch().await?;
        let token = Arc::new(token);
        let until = now
            .checked_add(lifetime.saturating_sub(BEFORE_END))
            .unwrap_or(now);
        *held = Some((Arc::clone(&token), until));
        Ok(token)
    }

    /// The provider does not take this one any more.
    pub(super) async fn drop_it(&self, token: &Arc<SecretText>) {
        let mut held = self.held.lock().await;
        if held
            .as_ref()
            .is_some_and(|(held, _)| Arc::ptr_eq(held, token))
        {
            *held = None;
        }
    }
}

/// What a token that a machine user was given must say.
pub(super) struct Expected<'a> {
    /// Its `iss`.
    pub(super) issuer: &'a str,
    /// In its `aud`.
    pub(super) audience: Option<&'a str>,
    /// Its `azp` or `client_id`.
    pub(super) client: &'a str,
    /// Its `sub`.
    pub(super) subject: Option<&'a str>,
}

/// A token that passed.
pub(super) struct Checked {
    /// All that it says.
    pub(super) claims: Map<String, Value>,
    /// Since when it is good, in seconds since 1970.
    pub(super) iat: i64,
    /// Until when, in seconds since 1970.
    pub(super) exp: i64,
}

/// Checks a token of a machine user by the provider's keys.
///
/// # Errors
/// [`Error::Unavailable`] without keys; [`Error::Refused`] if it is not what we asked for: then the provider is not set up as it must be.
pub(super) async fn check(
    keys: &RemoteKeys,
    token: &SecretText,
    expected: &Expected<'_>,
) -> Result<Checked, Error> {
    let checked = keys
        .check(|keys, now| {
            let signed = keys.signed_claims(token.expose(), &OutsideAlgorithm::OF_PROVIDERS)?;
            judge(signed.claims, expected, now)
        })
        .await;
    checked.map_err(|error| match error {
        RemoteError::Unavailable(error) => Error::unavailable(error),
        RemoteError::Token(error) => Error::Refused {
            reason: format!("its token is not what was asked for: {error}"),
        },
    })
}

fn judge(
    claims: Map<String, Value>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Checked, OutsideError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Err(OutsideError::Claim("iss"));
    }
    let has_audience = |wanted: &str| match claims.get("aud") {
        Some(Value::String(one)) => one == wanted,
        Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(wanted)),
        _ => false,
    };
    if expected
        .audience
        .is_some_and(|wanted| !has_audience(wanted))
    {
        return Err(OutsideError::Claim("aud"));
    }
    let client = text("azp").or_else(|| text("client_id"));
    if client != Some(expected.client) {
        return Err(OutsideError::Claim("azp"));
    }
    if expected.subject.is_some_and(|sub| text("sub") != Some(sub)) {
        return Err(OutsideError::Claim("sub"));
    }
    judge_times(&claims, now)?;
    let second = |name: &'static str| {
        let value = claims.get(name).and_then(Value::as_f64);
        value
            .map(|seconds| seconds.floor() as i64)
            .ok_or(OutsideError::Claim(name))
    };
    Ok(Checked {
        iat: second("iat")?,
        exp: second("exp")?,
        claims,
    })
}

/// The scopes of a claim that is text with spaces or a list; what is none of ours is left out.
pub(super) fn scopes(claim: Option<&Value>) -> ScopeSet {
    match claim {
        Some(Value::String(text)) => text
            .split(' ')
            .filter_map(|scope| scope.parse().ok())
            .collect(),
        Some(Value::Array(several)) => several
            .iter()
            .filter_map(|scope| scope.as_str()?.parse().ok())
            .collect(),
        _ => ScopeSet::default(),
    }
}
