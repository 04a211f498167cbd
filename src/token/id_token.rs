//! Checking ID tokens: what the sign-in provider says of who just signed in (OpenID Connect Core §3.1.3.7).
//!
//! Nothing is fetched here, and the time is the caller's. Each rule that is broken is named, for the log alone.

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::outside::{OutsideAlgorithm, OutsideError, OutsideKeys, Signed, judge_times};
use crate::domain::secret::SecretText;
use crate::domain::subject::{Subject, SubjectIssuer, SubjectName};

/// How old an ID token may be when it is read: it was asked for a moment ago.
const MAX_AGE: SignedDuration = SignedDuration::from_mins(10);

/// What an ID token must say.
pub struct IdTokenRules<'a> {
    /// Its `iss`, exactly.
    pub issuer: &'a SubjectIssuer,
    /// Our client: it must be in its `aud`, and is its `azp` if there is one.
    pub client_id: &'a str,
    /// What else may be in its `aud`.
    pub other_audiences: &'a [String],
    /// Its `nonce`.
    pub nonce: &'a SecretText,
    /// The access token that came with it.
    pub access_token: &'a SecretText,
}

impl OutsideKeys {
    /// Who an ID token names, and all that it says of him.
    ///
    /// # Errors
    /// [`OutsideError`].
    pub fn verify_id_token(
        &self,
        jwt: &str,
        rules: &IdTokenRules<'_>,
        now: Timestamp,
    ) -> Result<(Subject, Map<String, Value>), OutsideError> {
        let Signed {
            algorithm, claims, ..
        } = self.signed_claims(jwt, &OutsideAlgorithm::OF_PROVIDERS)?;
        let text = |name: &'static str| match claims.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(OutsideError::Claim(name)),
        };
        if text("iss")? != Some(rules.issuer.as_str()) {
            return Err(OutsideError::Claim("iss"));
        }
        audience(&claims, rules)?;
        let azp = text("azp")?;
        if azp.is_some_and(|azp| azp != rules.client_id) {
            return Err(OutsideError::Claim("azp"));
        }
        judge_times(&claims, now)?;
        let issued = claims.get("iat").and_then(Value::as_f64);
        let issued = issued.ok_or(OutsideError::Claim("iat"))?;
        let age = now.as_microsecond() as f64 / 1e6 - issued;
        if age > MAX_AGE.as_secs_f64() {
            return Err(OutsideError::Claim("iat"));
        }
        let nonce = text("nonce")?.ok_or(OutsideError::Claim("nonce"))?;
        if !bool::from(nonce.as_bytes().ct_eq(rules.nonce.expose().as_bytes())) {
            return Err(OutsideError::Claim("nonce"));
        }
        if let Some(hash) = text("at_hash")?
            && hash != half_hash(algorithm, rules.access_token.expose())
        {
            return Err(OutsideError::Claim("at_hash"));
        }
        let sub = text("sub")?.ok_or(OutsideError::Claim("sub"))?;
        let subject = Subject {
            iss: rules.issuer.clone(),
            sub: SubjectName::try_from(sub.to_owned()).map_err(|_| OutsideError::Claim("sub"))?,
        };
        Ok((subject, claims))
    }
}

fn audience(claims: &Map<String, Value>, rules: &IdTokenRules<'_>) -> Result<(), OutsideError> {
    let wrong = || OutsideError::Claim("aud");
    let all: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several
            .iter()
            .map(|one| one.as_str().ok_or_else(wrong))
            .collect::<Result<_, _>>()?,
        _ => return Err(wrong()),
    };
    let known = |one: &&str| {
        *one == rules.client_id || rules.other_audiences.iter().any(|other| other == one)
    };
    let ours = all.contains(&rules.client_id);
    (ours && all.iter().all(known))
        .then_some(())
        .ok_or_else(wrong)
}

/// The left half of a token's hash, by the algorithm of the ID token (OpenID Connect Core §3.1.3.6).
fn half_hash(algorithm: Algorithm, token: &str) -> String {
    let hash = match algorithm {
        // Ed25519 goes with SHA-512.
        Algorithm::EdDSA | Algorithm::RS512 => digest(&SHA512, token.as_bytes()),
        Algorithm::RS384 | Algorithm::ES384 => digest(&SHA384, token.as_bytes()),
        _ => digest(&SHA256, token.as_bytes()),
    };
    let hash = hash.as_ref();
    URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2])
}
