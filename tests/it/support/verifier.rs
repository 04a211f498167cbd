//! A resource server's side: tokens verified with an ordinary library and the published set.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

use super::test_app::{ISSUER, TestApp};

/// The claims of a token that is good for this audience; its time is not looked at, for the clock of the tests stands still.
pub(crate) fn verified(set: &JwkSet, token: &str, audience: &str) -> Option<Value> {
    let header = decode_header(token).unwrap();
    let jwk = set.find(&header.kid.unwrap())?;
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[audience]);
    validation.set_issuer(&[ISSUER]);
    validation.validate_exp = false;
    let key = DecodingKey::from_jwk(jwk).unwrap();
    decode::<Value>(token, &key, &validation)
        .ok()
        .map(|token| token.claims)
}

/// The published set.
pub(crate) async fn jwk_set(app: &TestApp) -> JwkSet {
    let answer = app.get("/.well-known/jwks.json").send().await.expect(200);
    serde_json::from_slice(&answer.body).unwrap()
}

/// The claims of a JWT that a key of the set signed; nothing in it is judged.
pub(crate) fn signed(set: &JwkSet, token: &str) -> Option<Value> {
    let header = decode_header(token).unwrap();
    let jwk = set.find(&header.kid.unwrap())?;
    let mut validation = Validation::new(header.alg);
    validation.validate_aud = false;
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_jwk(jwk).unwrap();
    decode::<Value>(token, &key, &validation)
        .ok()
        .map(|token| token.claims)
}
