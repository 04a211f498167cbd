//! What a token costs: minting, the same by `jsonwebtoken::encode`, the bare signature, and checking.
//!
//! `cargo bench --bench token`. Read the ratios of one run: `mint` against `encode` (which parses the key each time) and
//! against `sign` (the signature alone, which nothing can undercut).

use std::sync::Arc;

use divan::{Bencher, black_box};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kagiya::domain::algorithm::SigningAlgorithm;
use kagiya::domain::random::SystemRandom;
use kagiya::domain::scope::ScopeSet;
use kagiya::token::jws::TokenType;
use kagiya::token::key_ring::{KeyRing, KeyState, RingKey};
use kagiya::token::mint::{AccessTokenClaims, Jti, mint};
use kagiya::token::rotation::RotationPolicy;
use kagiya::token::signing_key::SigningKey;
use kagiya::token::verify::Verifier;

const ISSUER: &str = "https://kagiya.example.test";
const AUDIENCE: &str = "https://api.example.test";
const ALGORITHMS: [SigningAlgorithm; 3] = SigningAlgorithm::ALL;

fn main() {
    divan::main();
}

fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::generate(algorithm).expect("a key pair")
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a time")
}

fn scope() -> ScopeSet {
    "orders:read orders:write invoices:read"
        .parse()
        .expect("scopes")
}

/// The claims of a key trade, as they come off the hot path.
fn with_claims<T>(scope: &ScopeSet, use_them: impl FnOnce(&AccessTokenClaims<'_>) -> T) -> T {
    let jti = Jti::generate(&SystemRandom);
    let now = black_box(now());
    use_them(&AccessTokenClaims {
        iss: ISSUER,
        sub: black_box("key_abcdefghijklmnopqrstuvwxyz"),
        aud: AUDIENCE,
        exp: now + jiff::SignedDuration::from_mins(5),
        iat: now,
        jti: &jti,
        client_id: "key_abcdefghijklmnopqrstuvwxyz",
        scope,
        org_id: Some("org_abcdefghijklmnopqrstuvwxyz"),
        owner: None,
        generation: Some("crd_abcdefghijklmnopqrstuvwxyz"),
        family: None,
        act: None,
        may_act: None,
        metadata: &[],
    })
}

#[divan::bench(args = ALGORITHMS)]
fn mint_token(bencher: Bencher<'_, '_>, algorithm: SigningAlgorithm) {
    let (key, scope) = (key(algorithm), scope());
    bencher.bench(|| with_claims(&scope, |claims| mint(&key, claims)));
}

#[divan::bench(args = ALGORITHMS)]
fn sign_alone(bencher: Bencher<'_, '_>, algorithm: SigningAlgorithm) {
    let (key, scope) = (key(algorithm), scope());
    let claims = with_claims(&scope, |claims| serde_json::to_vec(claims)).expect("claims");
    bencher.bench(|| key.sign(TokenType::ACCESS_TOKEN, black_box(&claims)));
}

#[divan::bench]
fn claims_alone(bencher: Bencher<'_, '_>) {
    let scope = scope();
    bencher.bench(|| with_claims(&scope, |claims| serde_json::to_vec(claims)));
}

/// `jsonwebtoken` reads no RSA key in PKCS#8, so RS256 is left out.
#[divan::bench(args = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa])]
fn encode_by_library(bencher: Bencher<'_, '_>, algorithm: SigningAlgorithm) {
    let (key, scope) = (key(algorithm), scope());
    let pkcs8 = key.to_pkcs8().expect("PKCS#8");
    let (algorithm, encoding) = match algorithm {
        SigningAlgorithm::EdDsa => (Algorithm::EdDSA, EncodingKey::from_ed_der(pkcs8.expose())),
        _ => (Algorithm::ES256, EncodingKey::from_ec_der(pkcs8.expose())),
    };
    let mut header = Header::new(algorithm);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some(key.kid().to_owned());
    bencher.bench(|| {
        with_claims(&scope, |claims| {
            jsonwebtoken::encode(&header, claims, &encoding)
        })
    });
}

#[divan::bench(args = ALGORITHMS)]
fn verify_token(bencher: Bencher<'_, '_>, algorithm: SigningAlgorithm) {
    let (key, scope) = (Arc::new(key(algorithm)), scope());
    let token = with_claims(&scope, |claims| mint(&key, claims)).expect("a token");
    let ring_key = RingKey {
        key,
        state: KeyState::Active { since: now() },
        created_at: now(),
    };
    let ring = KeyRing::new(vec![ring_key], RotationPolicy::default()).expect("a ring");
    let verifier = Verifier::new(ISSUER, &ring);
    assert!(verifier.verify(&token, AUDIENCE, now()).is_ok());
    bencher.bench(|| verifier.verify(black_box(&token), AUDIENCE, now()));
}

#[divan::bench]
fn refuse_unknown_kid(bencher: Bencher<'_, '_>) {
    let scope = scope();
    let stranger = key(SigningAlgorithm::Es256);
    let token = with_claims(&scope, |claims| mint(&stranger, claims)).expect("a token");
    let ring = KeyRing::new(vec![], RotationPolicy::default()).expect("a ring");
    let verifier = Verifier::new(ISSUER, &ring);
    bencher.bench(|| verifier.verify(black_box(&token), AUDIENCE, now()));
}
