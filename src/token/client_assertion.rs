//! Client assertions (RFC 7521 §4.2, RFC 7523 §3, draft-ietf-oauth-rfc7523bis): a client proves who it is with a JWT that it signed.
//!
//! The audience is our issuer identifier and nothing else: an assertion that names several servers, or an endpoint that a stranger's
//! metadata could name, could be taken from one of them to the other. That it is used once is the caller's to see to.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::jws::{JwsError, MAX_LENGTH};
use super::outside::{OutsideAlgorithm, OutsideError, OutsideKeys, unverified_claim};

/// How far the clocks may be apart.
const LEEWAY: SignedDuration = SignedDuration::from_secs(30);
/// How far `exp` may lie ahead, and `iat` behind.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);
/// The longest `jti`.
const MAX_JTI: usize = 255;

/// What an assertion must say.
pub struct AssertionRules<'a> {
    /// Its `iss` and its `sub`.
    pub client_id: &'a str,
    /// Its one `aud`: our issuer identifier.
    pub issuer: &'a str,
    /// Another that is taken as well, for clients of old.
    pub legacy_audience: Option<&'a str>,
}

/// An assertion that is good, if it was not used before.
#[derive(Debug)]
pub struct Assertion {
    /// Its own name.
    pub jti: String,
    /// Until when it could be used again.
    pub usable_until: Timestamp,
}

/// The client that an assertion claims to be, unverified, so that its keys can be found.
pub fn unverified_client(jwt: &str) -> Option<String> {
    if jwt.len() > MAX_LENGTH {
        return None;
    }
    unverified_claim(jwt, "sub")
}

/// Checks an assertion by its client's keys.
///
/// # Errors
/// [`OutsideError`].
pub fn verify(
    keys: &OutsideKeys,
    jwt: &str,
    rules: &AssertionRules<'_>,
    now: Timestamp,
) -> Result<Assertion, OutsideError> {
    let signed = keys.signed_claims(jwt, &OutsideAlgorithm::OF_CLIENTS)?;
    // What most libraries write, `JWT`, says nothing; any other kind of token is no assertion (RFC 8725 §3.11).
    if !matches!(
        signed.typ.as_deref(),
        None | Some("jwt" | "client-authentication+jwt")
    ) {
        return Err(JwsError::HeaderMember("typ").into());
    }
    let claims = &signed.claims;
    for name in ["iss", "sub"] {
        if text(claims, name)? != rules.client_id {
            return Err(OutsideError::Claim(name));
        }
    }
    let audience = match claims.get("aud") {
        Some(Value::String(one)) => one.as_str(),
        Some(Value::Array(several)) => match several.as_slice() {
            [Value::String(one)] => one,
            _ => return Err(OutsideError::Claim("aud")),
        },
        _ => return Err(OutsideError::Claim("aud")),
    };
    if audience != rules.issuer && Some(audience) != rules.legacy_audience {
        return Err(OutsideError::Claim("aud"));
    }
    let exp = seconds(claims, "exp")?.ok_or(OutsideError::Claim("exp"))?;
    let at = now.as_microsecond() as f64 / 1e6;
    if exp <= at {
        return Err(OutsideError::Expired);
    }
    if exp > at + (LONGEST + LEEWAY).as_secs_f64() {
        return Err(OutsideError::Claim("exp"));
    }
    for name in ["iat", "nbf"] {
        if seconds(claims, name)?.is_some_and(|moment| moment > at + LEEWAY.as_secs_f64()) {
            return Err(OutsideError::Claim(name));
        }
    }
    if seconds(claims, "iat")?.is_some_and(|iat| iat < at - (LONGEST + LEEWAY).as_secs_f64()) {
        return Err(OutsideError::Claim("iat"));
    }
    let jti = text(claims, "jti")?;
    if jti.is_empty() || jti.len() > MAX_JTI {
        return Err(OutsideError::Claim("jti"));
    }
    Ok(Assertion {
        jti: jti.to_owned(),
        // At most some minutes away, and a whole second that is never too early.
        usable_until: now + LONGEST + LEEWAY,
    })
}

fn text<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, OutsideError> {
    claims
        .get(name)
        .and_then(Value::as_str)
        .ok_or(OutsideError::Claim(name))
}

/// A NumericDate (RFC 7519 §2).
fn seconds(claims: &Map<String, Value>, name: &'static str) -> Result<Option<f64>, OutsideError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_f64()
            .filter(|seconds| seconds.is_finite() && seconds.abs() < 1e11)
            .map(Some)
            .ok_or(OutsideError::Claim(name)),
    }
}

#[cfg(test)]
mod tests;
