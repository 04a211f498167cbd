//! Checking access tokens that somebody else's issuer signed, by its JWK set.
//!
//! Stricter than the library and less strict than for our own tokens: an outside header may hold more than ours, but nothing that
//! changes what the rest means (`crit`, `b64`, `zip`, an encrypted or nested token), and what it says of keys (`jku`, `jwk`, `x5u`,
//! `x5c`) is ignored (RFC 8725 §3.10). A key is taken for one algorithm of its own kind alone, and only if it is public, meant for
//! signatures and long enough. Nothing is fetched here, and the time is the caller's.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::subject::{Subject, SubjectIssuer, SubjectName};
use crate::token::jws::{JwsError, MAX_LENGTH};
use crate::token::strict_json::StrictObject;

/// How far the issuer's clock may be ahead of ours.
const LEEWAY: SignedDuration = SignedDuration::from_secs(30);
/// The longest `kid` that is looked up, in bytes.
const MAX_KID: usize = 128;
/// The most keys of a set that are looked at.
const MAX_KEYS: usize = 64;
/// The most keys of a set that somebody writes down here.
const MAX_KEYS_OF_A_CLIENT: usize = 16;
/// Members that make a key a private one, or a shared secret (RFC 7518 §6).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// What a token must say.
#[derive(Clone, Debug)]
pub struct OutsideRules {
    /// Its `iss`, exactly.
    pub issuer: SubjectIssuer,
    /// One of its `aud`.
    pub audience: String,
    /// What its `azp` and its `client_id` may be; one of the two must be there.
    pub clients: Vec<String>,
}

/// A JWK set (RFC 7517 §5), as far as its keys can be used here.
#[derive(Default)]
pub struct OutsideKeys(Vec<OutsideKey>);

struct OutsideKey {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

/// How others may sign: all asymmetric (RFC 8725 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OutsideAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// ECDSA with P-384 and SHA-384.
    #[serde(rename = "ES384")]
    Es384,
}

impl OutsideAlgorithm {
    /// How an application may sign an assertion.
    pub const OF_CLIENTS: [Self; 4] = [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];
    /// How an identity provider may sign: as its operator has chosen there.
    pub const OF_PROVIDERS: [Self; 7] = [
        Self::Rs256,
        Self::Ps256,
        Self::Es256,
        Self::EdDsa,
        Self::Rs384,
        Self::Rs512,
        Self::Es384,
    ];

    /// Its name (RFC 7518 §3.1, RFC 8037 §3.1).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Es384 => "ES384",
        }
    }

    fn as_library(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Ps256 => Algorithm::PS256,
            Self::Es256 => Algorithm::ES256,
            Self::EdDsa => Algorithm::EdDSA,
            Self::Rs384 => Algorithm::RS384,
            Self::Rs512 => Algorithm::RS512,
            Self::Es384 => Algorithm::ES384,
        }
    }
}

/// The kind and the claims of a token whose signature is good.
pub struct Signed {
    /// By which algorithm it is good.
    pub(super) algorithm: Algorithm,
    /// `typ` of the header, in lower case and without `application/`.
    pub typ: Option<String>,
    /// What it says.
    pub claims: Map<String, Value>,
}

/// A JWK set that is not taken as it is.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum JwkSetError {
    /// Not `{"keys":[…]}` of objects, or a name twice in one.
    #[error("must be a JWK set: an object with the member keys")]
    Shape,
    /// No key, or too many.
    #[error("must hold 1 to 16 keys")]
    Number,
    /// A key with a private member.
    #[error("keys[{0}] holds a private key: give the public one alone, and take that one for lost")]
    Private(usize),
    /// A key that verifies nothing here.
    #[error(
        "keys[{0}] must be RSA of 2048 bits or more, EC on P-256, or OKP on Ed25519, for signatures"
    )]
    Unusable(usize),
    /// A kid that another key has too.
    #[error("keys[{0}] has the kid of another")]
    Repeated(usize),
}

/// Why an outside token is refused. To whoever presented it each of these is the same "invalid token".
#[derive(Debug, Error)]
pub enum OutsideError {
    /// The outside is not that of a token that is taken.
    #[error("not a token of this kind")]
    Jws(#[from] JwsError),
    /// The set has no key of that name for that algorithm: it may be an old set.
    #[error("no key of that name")]
    UnknownKey,
    /// Not a signature of that key.
    #[error("the signature does not match")]
    Signature(#[source] jsonwebtoken::errors::Error),
    /// The claims are not a plain JSON object.
    #[error("the claims are not a plain JSON object")]
    ClaimsJson,
    /// This claim is missing, of a wrong type, or not what it must be.
    #[error("the claim {0} is missing or wrong")]
    Claim(&'static str),
    /// It was good once.
    #[error("the token has expired")]
    Expired,
}

/// The text is not a JWK set.
#[derive(Debug, Error)]
#[error("not a JWK set")]
pub struct NotAJwkSet(#[source] serde_json::Error);

/// The `iss` that a token claims, unverified, so that it can be told whose rules it goes by.
pub fn unverified_issuer(jwt: &str) -> Option<String> {
    unverified_claim(jwt, "iss")
}

/// A claim that is a text, unverified.
pub(super) fn unverified_claim(jwt: &str, name: &str) -> Option<String> {
    let [_, claims, _] = parts(jwt).ok()?;
    match object(claims).ok()?.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// Three parts of base64url, at most 8 KiB.
fn parts(jwt: &str) -> Result<[&str; 3], JwsError> {
    if jwt.len() > MAX_LENGTH {
        return Err(JwsError::TooLong);
    }
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let parts: Vec<&str> = jwt.split('.').collect();
    let parts: [&str; 3] = parts.try_into().map_err(|_| JwsError::Shape)?;
    let plain = |part: &&str| !part.is_empty() && part.bytes().all(letter);
    parts
        .iter()
        .all(plain)
        .then_some(parts)
        .ok_or(JwsError::Shape)
}

fn object(part: &str) -> Result<Map<String, Value>, JwsError> {
    let json = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| JwsError::HeaderJson)?;
    let StrictObject(members) = serde_json::from_slice(&json).map_err(|_| JwsError::HeaderJson)?;
    Ok(members)
}

impl OutsideKeys {
    /// Reads a set. Keys that cannot be used here are left out.
    ///
    /// # Errors
    /// When it is no JWK set.
    pub fn read(json: &[u8]) -> Result<Self, NotAJwkSet> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Map<String, Value>>,
        }
        let set: Set = serde_json::from_slice(json).map_err(NotAJwkSet)?;
        let keys = set.keys.iter().take(MAX_KEYS).filter_map(OutsideKey::read);
        Ok(Self(keys.collect()))
    }

    /// Reads a set of which every key must be usable here, public, and named once: what its owner writes down is what counts.
    ///
    /// # Errors
    /// See [`JwkSetError`].
    pub fn read_strictly(json: &[u8]) -> Result<Self, JwkSetError> {
        let StrictObject(mut set) = serde_json::from_slice(json).map_err(|_| JwkSetError::Shape)?;
        let Some(Value::Array(members)) = set.remove("keys") else {
            return Err(JwkSetError::Shape);
        };
        if members.is_empty() || members.len() > MAX_KEYS_OF_A_CLIENT {
            return Err(JwkSetError::Number);
        }
        let mut keys: Vec<OutsideKey> = Vec::with_capacity(members.len());
        for (index, key) in members.iter().enumerate() {
            let members = key.as_object().ok_or(JwkSetError::Shape)?;
            if PRIVATE_MEMBERS
                .iter()
                .any(|name| members.contains_key(*name))
            {
                return Err(JwkSetError::Private(index));
            }
            let usable = OutsideKey::read(members).filter(OutsideKey::is_for_a_client);
            let key = usable.ok_or(JwkSetError::Unusable(index))?;
            if key.kid.is_some() && keys.iter().any(|other| other.kid == key.kid) {
                return Err(JwkSetError::Repeated(index));
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// Who an access token names, if it is good now by these rules.
    ///
    /// # Errors
    /// [`OutsideError`].
    pub fn verify(
        &self,
        jwt: &str,
        rules: &OutsideRules,
        now: Timestamp,
    ) -> Result<Subject, OutsideError> {
        let signed = self.signed_claims(jwt, &OutsideAlgorithm::OF_PROVIDERS)?;
        if !matches!(signed.typ.as_deref(), None | Some("jwt" | "at+jwt")) {
            return Err(JwsError::HeaderMember("typ").into());
        }
        judge(&signed.claims, rules, now)
    }

    /// What a JWT says that one of these keys signed with one of these algorithms. Nothing of it is judged: neither whom it is for nor
    /// until when it is good.
    ///
    /// # Errors
    /// [`OutsideError`].
    pub fn signed_claims(
        &self,
        jwt: &str,
        allowed: &[OutsideAlgorithm],
    ) -> Result<Signed, OutsideError> {
        let [header, ..] = parts(jwt)?;
        let UnverifiedHeader {
            algorithm,
            kid,
            typ,
        } = read_header(object(header)?)?;
        if !allowed.iter().any(|one| one.as_library() == algorithm) {
            return Err(JwsError::HeaderMember("alg").into());
        }
        let mut fitting = self.0.iter().filter(|key| {
            let named = kid.is_none() || key.kid == kid;
            named && key.algorithms.contains(&algorithm)
        });
        let key = fitting.next().ok_or(OutsideError::UnknownKey)?;
        if fitting.next().is_some() {
            // Two of one name, or several and no name: nobody can tell which is meant.
            return Err(OutsideError::UnknownKey);
        }
        let mut validation = Validation::new(algorithm);
        // The library would ask the machine's clock and take absent claims for good ones: they are judged apart.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let decoded = jsonwebtoken::decode::<StrictObject>(jwt, &key.decoding, &validation);
        let StrictObject(claims) = decoded
            .map_err(|error| match error.kind() {
                ErrorKind::Json(_) | ErrorKind::Utf8(_) => OutsideError::ClaimsJson,
                _ => OutsideError::Signature(error),
            })?
            .claims;
        Ok(Signed {
            algorithm,
            typ,
            claims,
        })
    }
}

/// What a header says, as far as it means what it says.
struct UnverifiedHeader {
    algorithm: Algorithm,
    kid: Option<String>,
    typ: Option<String>,
}

fn read_header(mut members: Map<String, Value>) -> Result<UnverifiedHeader, OutsideError> {
    for changes in ["crit", "b64", "zip", "enc"] {
        if members.contains_key(changes) {
            return Err(JwsError::HeaderMember(changes).into());
        }
    }
    let mut text = |name: &'static str| match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(JwsError::HeaderMember(name)),
    };
    let typ = text("typ")?.map(|typ| {
        let typ = typ.to_ascii_lowercase();
        // Media types may leave `application/` out (RFC 7515 §4.1.9).
        match typ.strip_prefix("application/") {
            Some(short) => short.to_owned(),
            None => typ,
        }
    });
    if text("cty")?.is_some() {
        return Err(JwsError::HeaderMember("cty").into());
    }
    let kid = text("kid")?;
    if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID) {
        return Err(JwsError::HeaderMember("kid").into());
    }
    let algorithm = match text("alg")?.as_deref() {
        Some("RS256") => Algorithm::RS256,
        Some("RS384") => Algorithm::RS384,
        Some("RS512") => Algorithm::RS512,
        Some("PS256") => Algorithm::PS256,
        Some("ES256") => Algorithm::ES256,
        Some("ES384") => Algorithm::ES384,
        Some("EdDSA" | "Ed25519") => Algorithm::EdDSA,
        _ => return Err(JwsError::HeaderMember("alg").into()),
    };
    Ok(UnverifiedHeader {
        algorithm,
        kid,
        typ,
    })
}

fn judge(
    claims: &Map<String, Value>,
    rules: &OutsideRules,
    now: Timestamp,
) -> Result<Subject, OutsideError> {
    let text = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(OutsideError::Claim(name)),
    };
    if text("iss")? != Some(rules.issuer.as_str()) {
        return Err(OutsideError::Claim("iss"));
    }
    let for_us = match claims.get("aud") {
        Some(Value::String(one)) => *one == rules.audience,
        Some(Value::Array(several)) => {
            several.iter().all(Value::is_string)
                && several
                    .iter()
                    .any(|one| one.as_str() == Some(&rules.audience))
        }
        _ => false,
    };
    if !for_us {
        return Err(OutsideError::Claim("aud"));
    }
    let mut client_is_named = false;
    for name in ["azp", "client_id"] {
        let Some(client) = text(name)? else { continue };
        if !rules.clients.iter().any(|allowed| allowed == client) {
            return Err(OutsideError::Claim(name));
        }
        client_is_named = true;
    }
    if !client_is_named {
        return Err(OutsideError::Claim("azp"));
    }
    // An ID token is for the client that asked for it, whatever its audience (OpenID Connect Core §2). A nonce alone says so only where
    // our audience is a client's name: some issuers put it into access tokens too.
    let for_a_client = rules.clients.contains(&rules.audience);
    let marked = ["at_hash", "c_hash"]
        .iter()
        .any(|name| claims.contains_key(*name))
        || (for_a_client && claims.contains_key("nonce"));
    if marked || text("typ")? == Some("ID") {
        return Err(OutsideError::Claim("typ"));
    }
    judge_times(claims, now)?;
    let sub = text("sub")?.ok_or(OutsideError::Claim("sub"))?;
    Ok(Subject {
        iss: rules.issuer.clone(),
        sub: SubjectName::try_from(sub.to_owned()).map_err(|_| OutsideError::Claim("sub"))?,
    })
}

/// Whether claims are good at `now` by their `iat`, `nbf` and `exp`, of which the last must be there.
///
/// # Errors
/// Not yet, no more, or not a time.
pub fn judge_times(claims: &Map<String, Value>, now: Timestamp) -> Result<(), OutsideError> {
    let moment = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_f64()
            .filter(|seconds| seconds.is_finite() && seconds.abs() < 1e11)
            .map(Some)
            .ok_or(OutsideError::Claim(name)),
    };
    let now = now.as_microsecond() as f64 / 1e6;
    let ahead = LEEWAY.as_secs_f64();
    for name in ["iat", "nbf"] {
        if moment(name)?.is_some_and(|at| at > now + ahead) {
            return Err(OutsideError::Claim(name));
        }
    }
    if moment("exp")?.ok_or(OutsideError::Claim("exp"))? <= now {
        return Err(OutsideError::Expired);
    }
    Ok(())
}

impl OutsideKey {
    fn is_for_a_client(&self) -> bool {
        let mut taken = OutsideAlgorithm::OF_CLIENTS.iter();
        taken.any(|algorithm| self.algorithms.contains(&algorithm.as_library()))
    }

    /// A key of a set, if it can be used here.
    fn read(members: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let private = members.contains_key("d") || members.contains_key("k");
        let signs = text("use").is_none_or(|what| what == "sig");
        let verifies = members.get("key_ops").is_none_or(|operations| {
            let operations = operations.as_array();
            operations.is_some_and(|all| all.iter().any(|one| one == "verify"))
        });
        if private || !signs || !verifies {
            return None;
        }
        // SEC 1 §2.3.3. The point must lie on the curve (RFC 8725 §3.4).
        let coordinate = |text| URL_SAFE_NO_PAD.decode(text).ok();
        let (possible, decoding) = match (text("kty")?, text("crv")) {
            ("RSA", None) => {
                let (n, e) = (text("n")?, text("e")?);
                let bytes = URL_SAFE_NO_PAD.decode(n).ok()?;
                let exponent = URL_SAFE_NO_PAD.decode(e).ok()?;
                if bytes.len() < 256 || exponent != [1, 0, 1] {
                    return None;
                }
                let key = DecodingKey::from_rsa_components(n, e).ok()?;
                use Algorithm::{PS256, RS256, RS384, RS512};
                (vec![RS256, PS256, RS384, RS512], key)
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (text("x")?, text("y")?);
                let point = [vec![4], coordinate(x)?, coordinate(y)?].concat();
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).ok()?;
                let key = DecodingKey::from_ec_components(x, y).ok()?;
                (vec![Algorithm::ES256], key)
            }
            ("EC", Some("P-384")) => {
                let (x, y) = (text("x")?, text("y")?);
                let point = [vec![4], coordinate(x)?, coordinate(y)?].concat();
                ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &point).ok()?;
                let key = DecodingKey::from_ec_components(x, y).ok()?;
                (vec![Algorithm::ES384], key)
            }
            ("OKP", Some("Ed25519")) => {
                let x = text("x")?;
                let point = URL_SAFE_NO_PAD.decode(x).ok()?;
                ParsedPublicKey::new(&ED25519, &point).ok()?;
                let key = DecodingKey::from_ed_components(x).ok()?;
                (vec![Algorithm::EdDSA], key)
            }
            _ => return None,
        };
        // One key, one algorithm, where it says so.
        let algorithms: Vec<Algorithm> = match members.get("alg") {
            None => possible,
            Some(Value::String(alg)) => possible
                .into_iter()
                .filter(|known| {
                    format!("{known:?}") == *alg || (alg == "Ed25519" && *known == Algorithm::EdDSA)
                })
                .collect(),
            Some(_) => return None,
        };
        let kid = match members.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return None,
        };
        (!algorithms.is_empty()).then_some(Self {
            kid,
            algorithms,
            decoding,
        })
    }
}
