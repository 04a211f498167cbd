//! Public keys as JSON Web Keys (RFC 7517) and their set.
//!
//! A [`PublicJwk`] has no place for a private member, so none can be published. Its `kid` is the RFC 7638 thumbprint:
//! two different keys never share one, and whoever has the key can compute it.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::domain::algorithm::SigningAlgorithm;

/// One public key: `kty` with its parameters, `use` (always `sig`), `alg`, `kid`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicJwk {
    #[serde(flatten)]
    parameters: Parameters,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: SigningAlgorithm,
    kid: String,
}

/// The members that make the key (RFC 7518 §6.2.1, §6.3.1; RFC 8037 §2), values in base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kty")]
enum Parameters {
    #[serde(rename = "EC")]
    EllipticCurve {
        crv: &'static str,
        x: String,
        y: String,
    },
    #[serde(rename = "OKP")]
    OctetKeyPair { crv: &'static str, x: String },
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
}

impl PublicJwk {
    /// A P-256 point, its coordinates as 32 big-endian bytes each.
    pub(super) fn p256(x: &[u8], y: &[u8]) -> Self {
        let parameters = Parameters::EllipticCurve {
            crv: "P-256",
            x: URL_SAFE_NO_PAD.encode(x),
            y: URL_SAFE_NO_PAD.encode(y),
        };
        Self::new(SigningAlgorithm::Es256, parameters)
    }

    /// An Ed25519 public key of 32 bytes.
    pub(super) fn ed25519(x: &[u8]) -> Self {
        let parameters = Parameters::OctetKeyPair {
            crv: "Ed25519",
            x: URL_SAFE_NO_PAD.encode(x),
        };
        Self::new(SigningAlgorithm::EdDsa, parameters)
    }

    /// An RSA modulus and exponent, big-endian without leading zeroes.
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Self {
        let parameters = Parameters::Rsa {
            n: URL_SAFE_NO_PAD.encode(n),
            e: URL_SAFE_NO_PAD.encode(e),
        };
        Self::new(SigningAlgorithm::Rs256, parameters)
    }

    fn new(alg: SigningAlgorithm, parameters: Parameters) -> Self {
        Self {
            kid: parameters.thumbprint(),
            parameters,
            usage: "sig",
            alg,
        }
    }

    /// The thumbprint: 43 characters of base64url.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm that this key is for.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.alg
    }
}

impl Parameters {
    /// RFC 7638 §3: SHA-256 of the required members in the order of their names, without white space.
    fn thumbprint(&self) -> String {
        let canonical = match self {
            Self::EllipticCurve { crv, x, y } => {
                format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::OctetKeyPair { crv, x } => {
                format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#)
            }
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        };
        URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
    }
}

/// A JWK set (RFC 7517 §5), rendered once and served many times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwkSet {
    json: String,
    etag: String,
}

impl JwkSet {
    /// Renders the set; the same keys in the same order always give the same text and ETag.
    pub(super) fn render<'a>(keys: impl Iterator<Item = &'a PublicJwk>) -> Self {
        #[derive(Serialize)]
        struct Set<'a> {
            keys: Vec<&'a PublicJwk>,
        }
        let set = Set {
            keys: keys.collect(),
        };
        // Invariant: strings and enums of strings always serialise.
        let json = serde_json::to_string(&set).expect("only strings");
        let etag = format!("\"{}\"", &blake3::hash(json.as_bytes()).to_hex()[..32]);
        Self { json, etag }
    }

    /// The document, `application/jwk-set+json` or `application/json`.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The strong entity tag, with its quotation marks.
    pub fn etag(&self) -> &str {
        &self.etag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(base64url: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(base64url).unwrap()
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638_section_3_1() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let jwk = PublicJwk::rsa(&bytes(n), &bytes("AQAB"));
        assert_eq!(jwk.kid(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037_appendix_a_3() {
        let jwk = PublicJwk::ed25519(&bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"));
        assert_eq!(jwk.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_key_is_rendered_with_its_public_members_use_alg_and_kid() {
        let jwk = PublicJwk::ed25519(&bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"));
        let set = JwkSet::render([&jwk].into_iter());
        assert_eq!(
            set.json(),
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"sig","alg":"EdDSA","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"}]}"#
        );
    }

    #[test]
    fn the_etag_changes_with_the_set_alone() {
        let jwk = PublicJwk::ed25519(&[1; 32]);
        let one = JwkSet::render([&jwk].into_iter());
        assert_eq!(one, JwkSet::render([&jwk].into_iter()));
        let other = PublicJwk::ed25519(&[2; 32]);
        let two = JwkSet::render([&jwk, &other].into_iter());
        assert_ne!(one.etag(), two.etag());
        assert_eq!(one.etag().len(), 34);
    }
}
