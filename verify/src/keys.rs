//! The issuer's JWK set, parsed once: each key with the one algorithm that it is for and the rules of its tokens.

use std::collections::HashMap;
use std::time::Instant;

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

/// What tokens are taken by; no token has a say in that.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256];
/// How far the clocks may differ, in seconds.
const LEEWAY: u64 = 5;

/// A public key.
pub(crate) struct Key {
    pub(crate) algorithm: Algorithm,
    pub(crate) decoding: DecodingKey,
    /// What its access tokens must say.
    pub(crate) token_rules: Validation,
    /// What its lists of revocations must say.
    pub(crate) list_rules: Validation,
}

/// The keys as they were fetched.
pub(crate) struct Keys {
    by_kid: HashMap<String, Key>,
    /// Until when the issuer wants them to be kept.
    pub(crate) good_until: Instant,
}

impl Keys {
    /// Those of a set that sign tokens; others in it are none of ours.
    pub(crate) fn read(set: &JwkSet, issuer: &str, audience: &str, good_until: Instant) -> Self {
        let keys = set.keys.iter().filter_map(|jwk| {
            let kid = jwk.common.key_id.clone()?;
            Some((kid, Key::read(jwk, issuer, audience)?))
        });
        Self {
            by_kid: keys.collect(),
            good_until,
        }
    }

    pub(crate) fn find(&self, kid: &str) -> Option<&Key> {
        self.by_kid.get(kid)
    }
}

impl Key {
    fn read(jwk: &Jwk, issuer: &str, audience: &str) -> Option<Self> {
        let named = jwk.common.key_algorithm?;
        // The key says what it is for, not the token.
        let algorithm = ALGORITHMS.into_iter().find(|one| named == (*one).into())?;
        let mut list_rules = Validation::new(algorithm);
        list_rules.set_issuer(&[issuer]);
        list_rules.set_required_spec_claims(&["exp", "iss"]);
        list_rules.leeway = LEEWAY;
        list_rules.validate_aud = false;
        let mut token_rules = list_rules.clone();
        token_rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        token_rules.set_audience(&[audience]);
        token_rules.validate_aud = true;
        token_rules.validate_nbf = true;
        Some(Self {
            algorithm,
            decoding: DecodingKey::from_jwk(jwk).ok()?,
            token_rules,
            list_rules,
        })
    }
}
