//! Checking the access tokens that kagiya itself minted (RFC 9068 §4), for management calls.
//!
//! `jsonwebtoken` checks the signature; it lets much through that no token of ours has, so the rest is checked here.
//! The order: shape and header ([`jws`](crate::token::jws)), the key by `kid`, the algorithm against that key alone,
//! the signature, and only then the claims, read without leniency. Nothing is fetched, and the time is the caller's.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::domain::algorithm::SigningAlgorithm;
use crate::token::claims::VerifiedClaims;
use crate::token::jws::{JwsError, TokenType, read_header};
use crate::token::key_ring::{KeyRing, KeyState, RingKey};
use crate::token::rotation::RotationPolicy;
use crate::token::strict_json::StrictObject;

/// How far the clocks of two nodes may be apart: a token is taken so long before `iat`. It is never taken after `exp`: what was said
/// to live ten minutes lives ten minutes.
pub const LEEWAY: SignedDuration = SignedDuration::from_secs(5);

/// A token that is good.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    /// What it says.
    pub claims: VerifiedClaims,
    /// The key that signed it.
    pub kid: String,
}

/// Checks tokens against one snapshot of the key ring; a changed ring needs a new one.
pub struct Verifier {
    issuer: String,
    policy: RotationPolicy,
    keys: HashMap<String, VerificationKey>,
}

/// A public key, parsed once, with the rules that go with it.
struct VerificationKey {
    key: RingKey,
    decoding: DecodingKey,
    validation: Validation,
}

/// Why a token is refused. To whoever presented it each of these is the same "invalid token".
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The outside is not that of a token of this kind.
    #[error("not a token of this kind")]
    Jws(#[from] JwsError),
    /// No key of this name, or one that cannot have signed at that time.
    #[error("no signing key of that name was in use")]
    UnknownKey,
    /// Not a signature of that key.
    #[error("the signature does not match")]
    Signature(#[source] jsonwebtoken::errors::Error),
    /// The claims are not a JSON object, repeat a name, are nested too deep, or one is of a type that it cannot have.
    #[error("the claims are not a plain JSON object")]
    ClaimsJson(#[source] jsonwebtoken::errors::Error),
    /// This claim is missing, of a wrong type, or not what it must be.
    #[error("the claim {0} is missing or wrong")]
    Claim(&'static str),
    /// It was good once.
    #[error("the token has expired")]
    Expired,
}

impl VerifyError {
    /// The word for it in the request log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Jws(_) => "not_an_access_token",
            Self::UnknownKey => "unknown_signing_key",
            Self::Signature(_) => "wrong_signature",
            Self::ClaimsJson(_) => "wrong_claims",
            Self::Claim(name) => match *name {
                "iss" => "wrong_issuer",
                "aud" => "wrong_audience",
                "iat" => "not_yet_valid",
                _ => "wrong_claims",
            },
            Self::Expired => "expired",
        }
    }
}

impl Verifier {
    /// A verifier of the tokens that `issuer` signs with the keys of `ring`.
    pub fn new(issuer: impl Into<String>, ring: &KeyRing) -> Self {
        let keys = ring.keys().iter().cloned();
        let keys = keys.map(|key| (key.key.kid().to_owned(), VerificationKey::new(key)));
        Self {
            issuer: issuer.into(),
            policy: ring.policy(),
            keys: keys.collect(),
        }
    }

    /// Checks an access token meant for `audience`.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn verify(
        &self,
        jwt: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<VerifiedToken, VerifyError> {
        let token = self.verify_for_any(jwt, now)?;
        if !token.claims.aud.iter().any(|one| one == audience) {
            return Err(VerifyError::Claim("aud"));
        }
        Ok(token)
    }

    /// Checks an access token, for whichever resource it is: for who judges its audience himself.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn verify_for_any(&self, jwt: &str, now: Timestamp) -> Result<VerifiedToken, VerifyError> {
        let (key, members) = self.signed_claims(jwt, TokenType::ACCESS_TOKEN)?;
        let claims = VerifiedClaims::read(members).map_err(VerifyError::Claim)?;
        if claims.iss != self.issuer {
            return Err(VerifyError::Claim("iss"));
        }
        if now.duration_since(claims.iat) < -LEEWAY {
            return Err(VerifyError::Claim("iat"));
        }
        if !self.policy.may_have_signed(key, claims.iat) {
            return Err(VerifyError::UnknownKey);
        }
        if now >= claims.exp {
            return Err(VerifyError::Expired);
        }
        let kid = key.key.kid().to_owned();
        Ok(VerifiedToken { claims, kid })
    }

    /// Whether tokens that this key signed are still taken.
    pub fn knows(&self, kid: &str) -> bool {
        let withdrawn = |key: &VerificationKey| matches!(key.key.state, KeyState::Withdrawn);
        self.keys.get(kid).is_some_and(|key| !withdrawn(key))
    }

    /// The key and the claims of a token of kind `typ` whose signature is good; what they say is not judged yet.
    fn signed_claims(
        &self,
        jwt: &str,
        typ: TokenType,
    ) -> Result<(&RingKey, Map<String, Value>), VerifyError> {
        let header = read_header(jwt, typ)?;
        let key = self
            .keys
            .get(&header.unverified_kid)
            .ok_or(VerifyError::UnknownKey)?;
        if header.unverified_alg != key.key.algorithm().as_str() {
            return Err(JwsError::HeaderMember("alg").into());
        }
        let StrictObject(members) = jsonwebtoken::decode(jwt, &key.decoding, &key.validation)
            .map_err(|error| match error.kind() {
                ErrorKind::Json(_) | ErrorKind::Utf8(_) => VerifyError::ClaimsJson(error),
                _ => VerifyError::Signature(error),
            })?
            .claims;
        Ok((&key.key, members))
    }
}

impl VerificationKey {
    fn new(key: RingKey) -> Self {
        let mut validation = Validation::new(match key.algorithm() {
            SigningAlgorithm::Es256 => Algorithm::ES256,
            SigningAlgorithm::EdDsa => Algorithm::EdDSA,
            SigningAlgorithm::Rs256 => Algorithm::RS256,
        });
        // The library would ask the machine's clock and take absent claims for good ones: `Verifier::verify` judges them.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Self {
            decoding: key.key.decoding_key(),
            key,
            validation,
        }
    }
}

#[cfg(test)]
mod tests;
