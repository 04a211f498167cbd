//! The outside of a token: the shape of a JWS compact serialisation (RFC 7515 §7.1) and its header.
//!
//! What is read here is not yet verified, so it is held to what kagiya itself writes: three parts of base64url, at most
//! 8 KiB, a header of `alg`, `typ` and `kid` and nothing else. That refuses `crit`, `b64`, `zip`, `jwk`, `jku`, `x5u`
//! and `x5c` (RFC 8725 §3.10) without a list of them, and JWE, nested and JSON-serialised tokens by their shape.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use thiserror::Error;

use crate::token::strict_json::StrictObject;

/// The longest token that is looked at, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;

/// The longest `kid` that is looked up, in bytes.
const MAX_KID_LENGTH: usize = 128;

/// What kind of token it is: the `typ` of its header. No kind is ever taken for another (RFC 8725 §3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenType(&'static str);

impl TokenType {
    /// An access token (RFC 9068 §2.1).
    pub const ACCESS_TOKEN: Self = Self("at+jwt");
    /// An assertion for a provider that knows us as an issuer (RFC 7523).
    pub const ASSERTION: Self = Self("kagiya-assertion+jwt");
    /// The list of what is refused although it has not expired, for those who verify offline.
    pub const REVOCATIONS: Self = Self("revocations+jwt");

    /// The value of `typ`, without `application/`.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether a header's `typ` means this kind: media types ignore case and may leave `application/` out
    /// (RFC 7515 §4.1.9).
    fn is(self, typ: &str) -> bool {
        let short = match typ.split_at_checked("application/".len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
            _ => typ,
        };
        short.eq_ignore_ascii_case(self.0)
    }
}

/// Why a token was not worth a signature check.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum JwsError {
    /// Longer than [`MAX_LENGTH`].
    #[error("longer than 8 KiB")]
    TooLong,
    /// Not three parts of base64url.
    #[error("not a JWS compact serialisation")]
    Shape,
    /// The header is not base64url of a JSON object, repeats a name, or is nested too deep.
    #[error("the header is not a plain JSON object")]
    HeaderJson,
    /// The header has this member missing or wrong.
    #[error("the header's {0} is missing or wrong")]
    HeaderMember(&'static str),
    /// The header has a member that no token of ours has.
    #[error("the header has a member that is not taken")]
    HeaderExtra,
}

/// What an unverified header says.
#[derive(Debug)]
pub(super) struct UnverifiedHeader {
    pub(super) unverified_alg: String,
    pub(super) unverified_kid: String,
}

/// Reads the header of a token that claims to be of kind `typ`.
pub(super) fn read_header(jwt: &str, typ: TokenType) -> Result<UnverifiedHeader, JwsError> {
    let json = URL_SAFE_NO_PAD
        .decode(header_part(jwt)?)
        .map_err(|_| JwsError::HeaderJson)?;
    let StrictObject(mut members) =
        serde_json::from_slice(&json).map_err(|_| JwsError::HeaderJson)?;
    let mut text = |name| match members.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(JwsError::HeaderMember(name)),
    };
    let unverified_alg = text("alg")?;
    let unverified_kid = text("kid")?;
    if !typ.is(&text("typ")?) {
        return Err(JwsError::HeaderMember("typ"));
    }
    if unverified_kid.is_empty() || unverified_kid.len() > MAX_KID_LENGTH {
        return Err(JwsError::HeaderMember("kid"));
    }
    if !members.is_empty() {
        return Err(JwsError::HeaderExtra);
    }
    Ok(UnverifiedHeader {
        unverified_alg,
        unverified_kid,
    })
}

fn header_part(jwt: &str) -> Result<&str, JwsError> {
    if jwt.len() > MAX_LENGTH {
        return Err(JwsError::TooLong);
    }
    let base64url = |part: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !part.is_empty() && part.bytes().all(letter)
    };
    let mut parts = jwt.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(claims), Some(signature), None)
            if [header, claims, signature].into_iter().all(base64url) =>
        {
            Ok(header)
        }
        _ => Err(JwsError::Shape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_a_media_type_without_regard_to_case() {
        for same in [
            "at+jwt",
            "AT+JWT",
            "application/at+jwt",
            "Application/At+Jwt",
        ] {
            assert!(TokenType::ACCESS_TOKEN.is(same), "{same}");
        }
        for other in [
            "",
            "JWT",
            "jwt",
            "at+jwt ",
            "application/",
            "application/application/at+jwt",
            "text/at+jwt",
            "revocations+jwt",
            "é/at+jwt",
            "applicatioé/at+jwt",
        ] {
            assert!(!TokenType::ACCESS_TOKEN.is(other), "{other}");
        }
    }
}
