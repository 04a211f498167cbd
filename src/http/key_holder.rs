//! A key as it is presented, and what its refusal looks like from outside.
//!
//! Malformed, forged and unknown keys get one identical answer; from an address that sends too many of them another one, which says
//! nothing more. Only who passed both proofs learns why his key is refused.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::code::Code;
use super::facts::Facts;
use super::header::{Authorization, X_API_KEY, authorization};
use super::management::{database, provider_retry};
use super::problem::Problem;
use crate::broker::{Broker, RateLimitState, Refusal, Stopped};
use crate::telemetry::metrics::Refusal as Reason;
use crate::telemetry::refusals::BadKey;
use crate::telemetry::request_log::RequestLog;

/// Seconds after which a caller may try again what an identity provider did not do.
const PROVIDER_RETRY: u32 = 5;
/// Seconds after which a caller may try again where nothing signs.
const SIGNING_RETRY: u32 = 30;
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The key that a request presents: `X-API-Key`, or `Authorization: Bearer`; not verified.
///
/// # Errors
/// 400 for both at once or one twice, 401 for none.
pub fn unverified_key(headers: &HeaderMap) -> Result<&[u8], Problem> {
    let mut keys = headers.get_all(X_API_KEY);
    match (keys.next(), keys.next()) {
        (Some(_), Some(_)) => Err(Problem::repeated(X_API_KEY.as_str())),
        (Some(_), None) if headers.contains_key(AUTHORIZATION) => Err(Problem::invalid_request(
            "send the key as X-API-Key or as Authorization, not both",
        )),
        // As bytes: what is no text is no key, and gets the answer of every other text that is none.
        (Some(key), None) => Ok(key.as_bytes()),
        (None, _) => match authorization(headers)? {
            Authorization::Bearer(key) => Ok(key.as_bytes()),
            Authorization::Absent | Authorization::Other => Err(Problem::api_key_required()),
        },
    }
}

/// The code that a refusal is answered with.
pub fn refusal_code(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::Malformed | Refusal::Forged | Refusal::Unknown => Code::InvalidApiKey,
        Refusal::Stopped(Stopped::Revoked) => Code::ApiKeyRevoked,
        Refusal::Stopped(Stopped::Rotated) => Code::ApiKeyRotated,
        Refusal::Stopped(Stopped::Expired) => Code::ApiKeyExpired,
        Refusal::Stopped(Stopped::Disabled) => Code::ApiKeyDisabled,
        Refusal::AddressNotAllowed => Code::AddressNotAllowed,
        Refusal::RateLimited(_) | Refusal::TooManyLookups(_) => Code::RateLimited,
        Refusal::InvalidTarget { .. } => Code::InvalidTarget,
        Refusal::InvalidScope => Code::InvalidScope,
        Refusal::Store(crate::store::Error::Unavailable { .. }) => Code::DatabaseUnavailable,
        Refusal::Provider(_) => Code::IdentityProviderUnavailable,
        Refusal::NoSigningKey(_) => Code::SigningKeyUnavailable,
        Refusal::Store(_) | Refusal::Internal(_) => Code::Internal,
    }
}

/// Turns a refusal into its answer, and counts a bad key against its address.
pub struct Refuser<'a> {
    /// The use cases.
    pub broker: &'a Broker,
    /// Where bad keys are counted.
    pub log: &'a RequestLog,
    /// The request.
    pub facts: &'a Facts,
}

impl Refuser<'_> {
    /// The answer.
    pub fn refuse(&self, refusal: Refusal) -> Problem {
        let code = refusal_code(&refusal);
        match refusal {
            Refusal::Malformed => self.bad_key(BadKey::Malformed),
            Refusal::Forged => self.bad_key(BadKey::Forged),
            Refusal::Unknown => self.bad_key(BadKey::Unknown),
            Refusal::Stopped(stopped) => Problem::new(
                code,
                match stopped {
                    Stopped::Revoked => "the key was revoked",
                    Stopped::Rotated => "the key was replaced by a newer one",
                    Stopped::Expired => "the key has expired",
                    Stopped::Disabled => "the key is disabled",
                },
            ),
            Refusal::AddressNotAllowed => {
                Problem::new(code, "the key may not be used from this address")
            }
            Refusal::RateLimited(state) => {
                let problem = Problem::rate_limited("the key's rate limit is used up", state.reset);
                rate_limit_headers(state)
                    .into_iter()
                    .fold(problem, |problem, (name, value)| {
                        problem.with_header(name, value)
                    })
            }
            Refusal::TooManyLookups(wait) => {
                Problem::rate_limited("too many bad keys from this address", wait)
            }
            Refusal::InvalidTarget { possible } if possible.is_empty() => {
                Problem::new(code, "the key has no permission at all")
            }
            Refusal::InvalidTarget { possible } => Problem::new(
                code,
                format!(
                    "name one of the resources of this key: {}",
                    possible.join(" ")
                ),
            ),
            Refusal::InvalidScope => Problem::new(
                code,
                "a scope was asked for that the key does not hold at this resource",
            ),
            Refusal::Store(error) => database(error),
            Refusal::Provider(error) => {
                Problem::identity_provider_unavailable(provider_retry(&error, PROVIDER_RETRY))
                    .with_cause(error)
            }
            Refusal::NoSigningKey(cause) => {
                Problem::signing_key_unavailable(SIGNING_RETRY).with_cause(cause)
            }
            Refusal::Internal(cause) => Problem::internal(cause),
        }
    }

    fn bad_key(&self, bad_key: BadKey) -> Problem {
        let address = self.facts.client();
        self.facts.count_only();
        self.log.count_bad_key(address, bad_key);
        match self.broker.take_bad_key(address) {
            Ok(()) => Problem::invalid_api_key(),
            Err(wait) => {
                self.broker.metrics().refused(Reason::TooManyBadKeys);
                Problem::rate_limited("too many bad keys from this address", wait)
            }
        }
    }
}

/// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
pub fn rate_limit_headers(state: RateLimitState) -> [(HeaderName, HeaderValue); 2] {
    let RateLimitState {
        quota,
        window,
        remaining,
        reset,
    } = state;
    let value = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    [
        (
            RATE_LIMIT_POLICY,
            value(format!(r#""default";q={quota};w={window}"#)),
        ),
        (
            RATE_LIMIT,
            value(format!(r#""default";r={remaining};t={reset}"#)),
        ),
    ]
}
