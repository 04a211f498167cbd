//! Minting access tokens: JWTs in the RFC 9068 profile.
//!
//! This is the hot path. A signature costs 15 µs and more; all around it is one buffer for the claims and one string
//! for the token, with the header encoded when the key was loaded.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::domain::random::Random;
use crate::domain::scope::ScopeSet;
use crate::token::jws::TokenType;
use crate::token::signing_key::{SigningKey, SigningKeyError};

/// Room for the claims of a common token; a longer one grows the buffer.
const CLAIMS_CAPACITY: usize = 1024;

/// Signs `claims` with `key`: the token in compact form.
///
/// # Errors
/// [`SigningKeyError::Sign`].
pub fn mint(key: &SigningKey, claims: &AccessTokenClaims<'_>) -> Result<String, SigningKeyError> {
    let mut json = Vec::with_capacity(CLAIMS_CAPACITY);
    // Invariant: writing to a Vec does not fail, and every name in the claims is a string.
    serde_json::to_writer(&mut json, claims).expect("claims always serialise");
    key.sign(TokenType::ACCESS_TOKEN, &json)
}

/// Signs an assertion with `key` (RFC 7523 §3).
///
/// # Errors
/// [`SigningKeyError::Sign`].
pub fn assertion(key: &SigningKey, claims: &Value) -> Result<String, SigningKeyError> {
    key.sign(TokenType::ASSERTION, claims.to_string().as_bytes())
}

/// What an access token says (RFC 9068 §2.2, RFC 8693 §4). Absent options leave no trace in the token.
#[derive(Clone, Copy, Debug)]
pub struct AccessTokenClaims<'a> {
    /// Our issuer identifier.
    pub iss: &'a str,
    /// Whom the token stands for: key, application, or the subject of the token that was exchanged.
    pub sub: &'a str,
    /// The resource.
    pub aud: &'a str,
    /// Until when; fractions of a second are cut off, so it is never later than asked.
    pub exp: Timestamp,
    /// Since when; to the second.
    pub iat: Timestamp,
    /// The token's own id.
    pub jti: &'a Jti,
    /// Who asked for the token.
    pub client_id: &'a str,
    /// What it permits, written twice: `scope` as text, `permissions` as array.
    pub scope: &'a ScopeSet,
    /// The organization that the subject belongs to.
    pub org_id: Option<&'a str>,
    /// The person behind the subject.
    pub owner: Option<Owner<'a>>,
    /// The generation of the key's credential, `crd_…`.
    pub generation: Option<&'a str>,
    /// For a token made by exchange: the `jti` of the first token of the chain. Absent in a first token, whose own
    /// `jti` names the family; so the tokens of a family are those with this `fam` and the one with this `jti`.
    pub family: Option<&'a str>,
    /// Who acts (RFC 8693 §4.1).
    pub act: Option<&'a Value>,
    /// Who may act (RFC 8693 §4.4).
    pub may_act: Option<&'a Value>,
    /// The members of the key's metadata that the resource names.
    pub metadata: &'a [(&'a str, &'a str)],
}

/// A person, as an identity provider names him.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Owner<'a> {
    /// The provider.
    pub iss: &'a str,
    /// His name there.
    pub sub: &'a str,
}

/// A token's id: 128 random bits as 22 characters of base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jti([u8; Self::LENGTH]);

impl Jti {
    const LENGTH: usize = 22;

    /// Draws a new one.
    pub fn generate(random: &dyn Random) -> Self {
        let mut bits = [0; 16];
        random.fill(&mut bits);
        let mut text = [0; Self::LENGTH];
        // Invariant: 16 bytes are exactly 22 characters.
        URL_SAFE_NO_PAD
            .encode_slice(bits, &mut text)
            .expect("22 characters");
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        // Invariant: base64url is ASCII.
        str::from_utf8(&self.0).expect("ASCII")
    }
}

impl fmt::Display for Jti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for AccessTokenClaims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut claims = serializer.serialize_map(None)?;
        claims.serialize_entry("iss", self.iss)?;
        claims.serialize_entry("sub", self.sub)?;
        claims.serialize_entry("aud", self.aud)?;
        claims.serialize_entry("exp", &self.exp.as_second())?;
        claims.serialize_entry("iat", &self.iat.as_second())?;
        claims.serialize_entry("jti", self.jti.as_str())?;
        claims.serialize_entry("client_id", self.client_id)?;
        claims.serialize_entry("scope", &format_args!("{}", self.scope))?;
        claims.serialize_entry("permissions", self.scope)?;
        entry(&mut claims, "org_id", self.org_id)?;
        entry(&mut claims, "owner", self.owner)?;
        entry(&mut claims, "gen", self.generation)?;
        entry(&mut claims, "fam", self.family)?;
        entry(&mut claims, "act", self.act)?;
        entry(&mut claims, "may_act", self.may_act)?;
        if !self.metadata.is_empty() {
            claims.serialize_entry("metadata", &Members(self.metadata))?;
        }
        claims.end()
    }
}

fn entry<M: SerializeMap>(
    claims: &mut M,
    name: &'static str,
    value: Option<impl Serialize>,
) -> Result<(), M::Error> {
    match value {
        Some(value) => claims.serialize_entry(name, &value),
        None => Ok(()),
    }
}

/// Pairs, written as an object.
struct Members<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};
    use serde_json::json;

    use super::*;
    use crate::domain::algorithm::SigningAlgorithm;
    use crate::domain::random::SystemRandom;

    /// Reads a token with nothing of ours but the published JWK.
    fn decode(key: &SigningKey, token: &str) -> (jsonwebtoken::Header, Value) {
        let jwk = serde_json::to_value(key.public_jwk()).unwrap();
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwk).unwrap();
        let algorithm: Algorithm = key.algorithm().as_str().parse().unwrap();
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.validate_aud = false;
        let data = jsonwebtoken::decode(token, &DecodingKey::from_jwk(&jwk).unwrap(), &validation);
        let data = data.unwrap();
        (data.header, data.claims)
    }

    #[test]
    fn at_1_at_2_a_token_is_an_rfc_9068_token_that_any_library_can_check() {
        let scope: ScopeSet = "write:payment read:payment".parse().unwrap();
        let jti = Jti::generate(&SystemRandom);
        let act = json!({"sub": "app_gateway", "act": {"sub": "app_edge"}});
        let may_act = json!({"sub": "app_gateway"});
        let claims = AccessTokenClaims {
            iss: "https://keys.example.com",
            sub: "key_a",
            aud: "https://payment.example.com/api",
            exp: "2026-11-22T00:05:00.999Z".parse().unwrap(),
            iat: "2026-11-22T00:00:00Z".parse().unwrap(),
            jti: &jti,
            client_id: "key_a",
            scope: &scope,
            org_id: Some("org_a"),
            owner: Some(Owner {
                iss: "https://sso.example.com",
                sub: "ann \"a\"",
            }),
            generation: Some("crd_a"),
            family: Some("first"),
            act: Some(&act),
            may_act: Some(&may_act),
            metadata: &[("team", "cart"), ("tier", "gold")],
        };
        for algorithm in SigningAlgorithm::ALL {
            let key = SigningKey::generate(algorithm).unwrap();
            let (header, read) = decode(&key, &mint(&key, &claims).unwrap());
            assert_eq!(header.typ.as_deref(), Some("at+jwt"));
            assert_eq!(header.kid.as_deref(), Some(key.kid()));
            assert_eq!(
                read,
                json!({
                    "iss": "https://keys.example.com", "sub": "key_a", "client_id": "key_a",
                    "aud": "https://payment.example.com/api",
                    "iat": 1_795_305_600, "exp": 1_795_305_900, "jti": jti.as_str(),
                    "scope": "read:payment write:payment",
                    "permissions": ["read:payment", "write:payment"],
                    "org_id": "org_a", "gen": "crd_a", "fam": "first",
                    "owner": {"iss": "https://sso.example.com", "sub": "ann \"a\""},
                    "act": act, "may_act": may_act,
                    "metadata": {"team": "cart", "tier": "gold"},
                })
            );
        }
    }

    #[test]
    fn what_is_absent_leaves_no_trace() {
        let jti = Jti::generate(&SystemRandom);
        let claims = AccessTokenClaims {
            iss: "i",
            sub: "s",
            aud: "a",
            exp: Timestamp::UNIX_EPOCH,
            iat: Timestamp::UNIX_EPOCH,
            jti: &jti,
            client_id: "c",
            scope: &ScopeSet::default(),
            org_id: None,
            owner: None,
            generation: None,
            family: None,
            act: None,
            may_act: None,
            metadata: &[],
        };
        let json = serde_json::to_value(claims).unwrap();
        let names: Vec<_> = json.as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            [
                "aud",
                "client_id",
                "exp",
                "iat",
                "iss",
                "jti",
                "permissions",
                "scope",
                "sub"
            ]
        );
    }

    #[test]
    fn at_2_every_jti_is_new_and_url_safe() {
        let one = Jti::generate(&SystemRandom);
        assert_ne!(one, Jti::generate(&SystemRandom));
        assert_eq!(one.to_string().len(), 22);
        assert_eq!(URL_SAFE_NO_PAD.decode(one.as_str()).unwrap().len(), 16);
    }
}
