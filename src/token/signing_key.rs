//! One key that signs tokens, parsed once and held in memory.
//!
//! Parsing a key costs as much as a signature, so the hot path never parses one. A key has exactly one algorithm
//! (RFC 8725 §3.1). Key pairs and the nonces of ECDSA come from AWS-LC's own generator: it takes no other.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use thiserror::Error;

use crate::domain::algorithm::SigningAlgorithm;
use crate::domain::secret::SecretBytes;
use crate::token::jwk::PublicJwk;
use crate::token::jws::TokenType;

/// The largest RSA key that is taken: 4096 bits, in bytes. A larger one makes every signature a denial of service.
const MAX_RSA_LENGTH: usize = 512;

/// A private key with its algorithm and its name.
pub struct SigningKey {
    pair: Pair,
    jwk: PublicJwk,
    /// `base64url(header) "."` of an access token: the same for every token of this key.
    access_token_header: String,
}

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

/// Why a key cannot be made, read or used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SigningKeyError {
    /// The generator gave no key pair.
    #[error("the key pair could not be generated")]
    Generate,
    /// The bytes are not a private key of that algorithm, or one too weak or too large.
    #[error("not a private key for {0} in PKCS#8")]
    Pkcs8(SigningAlgorithm),
    /// The key pair cannot be written as PKCS#8.
    #[error("the key pair could not be encoded")]
    Encode,
    /// The signature could not be made.
    #[error("the signature could not be made")]
    Sign,
}

impl SigningKey {
    /// A new key: P-256, Ed25519 or RSA of 2048 bits (which takes some 100 ms).
    ///
    /// # Errors
    /// [`SigningKeyError::Generate`].
    pub fn generate(algorithm: SigningAlgorithm) -> Result<Self, SigningKeyError> {
        let pair = match algorithm {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Es256)
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::generate().map(Pair::EdDsa),
            SigningAlgorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rs256),
        };
        pair.map(Self::new).map_err(|_| SigningKeyError::Generate)
    }

    /// Reads a key back from PKCS#8 (RFC 5208).
    ///
    /// # Errors
    /// [`SigningKeyError::Pkcs8`]: another kind of key, RSA under 2048 or over 4096 bits, or no key at all.
    pub fn from_pkcs8(
        algorithm: SigningAlgorithm,
        pkcs8: &SecretBytes,
    ) -> Result<Self, SigningKeyError> {
        let der = pkcs8.expose();
        let pair = match algorithm {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                    .ok()
                    .map(Pair::Es256)
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::from_pkcs8(der).ok().map(Pair::EdDsa),
            SigningAlgorithm::Rs256 => RsaKeyPair::from_pkcs8(der)
                .ok()
                .filter(|pair| (256..=MAX_RSA_LENGTH).contains(&pair.public_modulus_len()))
                .map(Pair::Rs256),
        };
        pair.map(Self::new).ok_or(SigningKeyError::Pkcs8(algorithm))
    }

    /// The private key in PKCS#8, to be sealed at once.
    ///
    /// # Errors
    /// [`SigningKeyError::Encode`].
    pub fn to_pkcs8(&self) -> Result<SecretBytes, SigningKeyError> {
        let bytes = match &self.pair {
            Pair::Es256(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            Pair::EdDsa(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            Pair::Rs256(pair) => {
                AsDer::<Pkcs8V1Der<'static>>::as_der(pair).map(|der| der.as_ref().to_vec())
            }
        };
        bytes
            .map(SecretBytes::new)
            .map_err(|_| SigningKeyError::Encode)
    }

    /// The key's name in headers and in the set: its RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        self.jwk.kid()
    }

    /// The one algorithm that this key signs with.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.jwk.algorithm()
    }

    /// What the world may know of it.
    pub fn public_jwk(&self) -> &PublicJwk {
        &self.jwk
    }

    /// Signs `claims` (JSON) as a token of kind `typ`: `header.claims.signature`.
    ///
    /// # Errors
    /// [`SigningKeyError::Sign`].
    pub fn sign(&self, typ: TokenType, claims: &[u8]) -> Result<String, SigningKeyError> {
        if typ == TokenType::ACCESS_TOKEN {
            return self.sign_after(&self.access_token_header, claims);
        }
        self.sign_after(&header(&self.jwk, typ), claims)
    }

    fn new(pair: Pair) -> Self {
        let jwk = match &pair {
            Pair::Es256(pair) => {
                // SEC 1 §2.3.3: 0x04, then the two coordinates.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                PublicJwk::p256(x, y)
            }
            Pair::EdDsa(pair) => PublicJwk::ed25519(pair.public_key().as_ref()),
            Pair::Rs256(pair) => {
                let public = pair.public_key();
                PublicJwk::rsa(
                    public.modulus().big_endian_without_leading_zero(),
                    public.exponent().big_endian_without_leading_zero(),
                )
            }
        };
        Self {
            access_token_header: header(&jwk, TokenType::ACCESS_TOKEN),
            pair,
            jwk,
        }
    }

    /// Writes the token into one string, allocated once at its final length.
    fn sign_after(&self, header: &str, claims: &[u8]) -> Result<String, SigningKeyError> {
        let length = header.len() + base64_length(claims.len()) + 1 + self.signature_length();
        let mut token = String::with_capacity(length);
        token.push_str(header);
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        // aws-lc-rs takes a generator for the sake of its interface and uses its own.
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Es256(pair) => {
                let signature = pair.sign(&random, token.as_bytes());
                let signature = signature.map_err(|_| SigningKeyError::Sign)?;
                append(&mut token, signature.as_ref());
            }
            Pair::EdDsa(pair) => {
                let signature = pair.try_sign(token.as_bytes());
                let signature = signature.map_err(|_| SigningKeyError::Sign)?;
                append(&mut token, signature.as_ref());
            }
            Pair::Rs256(pair) => {
                let mut room = [0; MAX_RSA_LENGTH];
                let signature = &mut room[..pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, token.as_bytes(), signature)
                    .map_err(|_| SigningKeyError::Sign)?;
                append(&mut token, signature);
            }
        }
        Ok(token)
    }

    fn signature_length(&self) -> usize {
        match &self.pair {
            Pair::Es256(_) | Pair::EdDsa(_) => base64_length(64),
            Pair::Rs256(pair) => base64_length(pair.public_modulus_len()),
        }
    }

    /// The public key in the form in which `jsonwebtoken` takes it.
    pub(super) fn decoding_key(&self) -> DecodingKey {
        match &self.pair {
            Pair::Es256(pair) => DecodingKey::from_ec_der(pair.public_key().as_ref()),
            Pair::EdDsa(pair) => DecodingKey::from_ed_der(pair.public_key().as_ref()),
            Pair::Rs256(pair) => DecodingKey::from_rsa_der(pair.public_key().as_ref()),
        }
    }
}

fn append(token: &mut String, signature: &[u8]) {
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, token);
}

/// `base64url(header) "."`; kid, alg and typ are texts that need no escaping.
fn header(jwk: &PublicJwk, typ: TokenType) -> String {
    let (alg, typ, kid) = (jwk.algorithm(), typ.as_str(), jwk.kid());
    let json = format!(r#"{{"alg":"{alg}","typ":"{typ}","kid":"{kid}"}}"#);
    URL_SAFE_NO_PAD.encode(json) + "."
}

/// How many characters `bytes` bytes take in base64url without padding.
fn base64_length(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_read_back_is_the_same_key() {
        for algorithm in SigningAlgorithm::ALL {
            let key = SigningKey::generate(algorithm).unwrap();
            let again = SigningKey::from_pkcs8(algorithm, &key.to_pkcs8().unwrap()).unwrap();
            assert_eq!(key.public_jwk(), again.public_jwk());
            assert_eq!(again.algorithm(), algorithm);
        }
    }

    #[test]
    fn a_key_of_another_algorithm_is_refused() {
        let key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let pkcs8 = key.to_pkcs8().unwrap();
        for other in [SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256] {
            let refused = SigningKey::from_pkcs8(other, &pkcs8).err();
            assert_eq!(refused, Some(SigningKeyError::Pkcs8(other)));
        }
        let nothing = SigningKey::from_pkcs8(SigningAlgorithm::Es256, &SecretBytes::new(vec![]));
        assert!(nothing.is_err());
    }

    #[test]
    fn a_public_key_names_no_private_member() {
        for algorithm in SigningAlgorithm::ALL {
            let key = SigningKey::generate(algorithm).unwrap();
            let json = serde_json::to_value(key.public_jwk()).unwrap();
            for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
                assert!(json.get(private).is_none(), "{private} of {algorithm}");
            }
            assert_eq!(json["use"], "sig");
            assert_eq!(json["alg"], algorithm.as_str());
            assert_eq!(json["kid"], key.kid());
            assert_eq!(key.kid().len(), 43);
        }
    }

    #[test]
    fn a_token_is_allocated_once_at_its_final_length() {
        for algorithm in SigningAlgorithm::ALL {
            let key = SigningKey::generate(algorithm).unwrap();
            for length in 0..4 {
                let token = key.sign(TokenType::ACCESS_TOKEN, &vec![b'x'; length]);
                let token = token.unwrap();
                assert_eq!(token.len(), token.capacity(), "{algorithm}, {length}");
            }
        }
    }
}
