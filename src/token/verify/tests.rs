//! The attack list: tokens that must be refused, each properly signed where a wrong signature would hide the point.

mod claim_attacks;
mod header_attacks;

use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use serde_json::json;

use super::*;
use crate::domain::random::SystemRandom;
use crate::domain::scope::ScopeSet;
use crate::token::key_ring::KeyState;
use crate::token::mint::{AccessTokenClaims, Jti, Owner, mint};
use crate::token::signing_key::SigningKey;

const ISSUER: &str = "https://keys.example.com";
const AUDIENCE: &str = "https://keys.example.com/v1";
const NOW: i64 = 1_800_000_000;

/// A deployment with keys in every state, and a stranger's key.
struct World {
    es: RingKey,
    ed: RingKey,
    rs: RingKey,
    next: RingKey,
    retired: RingKey,
    withdrawn: RingKey,
    stranger: SigningKey,
    verifier: Verifier,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let long_ago = second(NOW - 1_000_000);
    let key = |algorithm, state, created_at| RingKey {
        key: Arc::new(SigningKey::generate(algorithm).unwrap()),
        state,
        created_at,
    };
    let active = KeyState::Active { since: long_ago };
    let retired = KeyState::Retired {
        since: second(NOW - 900),
        remove_at: second(NOW + 3300),
    };
    let es256 = SigningAlgorithm::Es256;
    let (es, ed, rs) = (
        key(es256, active, long_ago),
        key(SigningAlgorithm::EdDsa, active, long_ago),
        key(SigningAlgorithm::Rs256, active, long_ago),
    );
    let next = key(es256, KeyState::Next, second(NOW - 60));
    let retired = key(es256, retired, long_ago);
    let withdrawn = key(es256, KeyState::Withdrawn, long_ago);
    let keys = [&es, &ed, &rs, &next, &retired, &withdrawn].map(Clone::clone);
    let ring = KeyRing::new(keys.into(), RotationPolicy::default()).unwrap();
    World {
        verifier: Verifier::new(ISSUER, &ring),
        stranger: SigningKey::generate(es256).unwrap(),
        es,
        ed,
        rs,
        next,
        retired,
        withdrawn,
    }
});

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn verify(jwt: &str) -> Result<VerifiedClaims, String> {
    let verified = WORLD.verifier.verify(jwt, AUDIENCE, second(NOW));
    verified
        .map(|token| token.claims)
        .map_err(|error| match error {
            VerifyError::Jws(error) => format!("{error:?}"),
            VerifyError::UnknownKey => "UnknownKey".into(),
            VerifyError::Signature(_) => "Signature".into(),
            VerifyError::ClaimsJson(_) => "ClaimsJson".into(),
            VerifyError::Claim(name) => format!("Claim({name})"),
            VerifyError::Expired => "Expired".into(),
        })
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Claims that are good.
fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "key_a", "aud": AUDIENCE, "client_id": "key_a", "jti": "j",
        "iat": NOW - 10, "exp": NOW + 290, "scope": "keys:read",
    })
}

/// Good claims with one of them changed, or taken out by null.
fn but(name: &str, value: Value) -> String {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims.to_string()
}

/// Good claims with one written as it stands here.
fn raw(name: &str, value: &str) -> String {
    let rest = but(name, Value::Null);
    format!("{{{name:?}:{value},{}", &rest[1..])
}

/// A token of ours in all but its claims.
fn signed(claims: &str) -> String {
    let key = &WORLD.es.key;
    key.sign(TokenType::ACCESS_TOKEN, claims.as_bytes())
        .unwrap()
}

fn es256(key: &SigningKey, message: &str) -> String {
    let key = EncodingKey::from_ec_der(key.to_pkcs8().unwrap().expose());
    jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::ES256).unwrap()
}

/// Good claims under this header, with an ES256 signature of the active key.
fn headed(header: &str) -> String {
    let message = format!("{}.{}", b64(header), b64(claims().to_string()));
    let signature = es256(&WORLD.es.key, &message);
    format!("{message}.{signature}")
}

/// The header of the active key with one member more.
fn header_with(member: &str) -> String {
    let kid = WORLD.es.key.kid();
    format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}",{member}}}"#)
}

fn header(alg: &str, typ: &str, kid: &str) -> String {
    format!(r#"{{"alg":{alg},"typ":{typ},"kid":{kid}}}"#)
}

fn our_header(alg: &str) -> String {
    header(alg, r#""at+jwt""#, &format!("{:?}", WORLD.es.key.kid()))
}

/// A good token with another signature.
fn signed_as(signature: &[u8]) -> String {
    let good = signed(&claims().to_string());
    let (message, _) = good.rsplit_once('.').unwrap();
    format!("{message}.{}", b64(signature))
}

fn refuses(attacks: Vec<(&str, String, &str)>) {
    for (attack, token, reason) in attacks {
        let refused = verify(&token);
        assert_eq!(
            refused.err().as_deref(),
            Some(reason),
            "{attack}: {token:.400}"
        );
    }
}

#[test]
fn a_minted_token_of_each_algorithm_is_taken_with_all_it_says() {
    let scope: ScopeSet = "keys:read keys:write".parse().unwrap();
    let jti = Jti::generate(&SystemRandom);
    let act = json!({"sub": "app_gateway"});
    let minted = AccessTokenClaims {
        iss: ISSUER,
        sub: "key_a",
        aud: AUDIENCE,
        exp: second(NOW + 300),
        iat: second(NOW),
        jti: &jti,
        client_id: "app_a",
        scope: &scope,
        org_id: Some("org_a"),
        owner: Some(Owner {
            iss: "https://sso.example.com",
            sub: "ann",
        }),
        generation: Some("crd_a"),
        family: None,
        act: Some(&act),
        may_act: None,
        metadata: &[("team", "cart")],
    };
    for key in [&WORLD.es, &WORLD.ed, &WORLD.rs] {
        let read = verify(&mint(&key.key, &minted).unwrap()).unwrap();
        assert_eq!((read.iss.as_str(), read.sub.as_str()), (ISSUER, "key_a"));
        assert_eq!((read.exp, read.iat), (minted.exp, minted.iat));
        assert_eq!(
            (read.aud.as_slice(), &read.scope),
            (&[AUDIENCE.to_owned()][..], &scope)
        );
        assert_eq!(
            (read.client_id.as_str(), read.org_id.as_deref()),
            ("app_a", Some("org_a"))
        );
        assert_eq!(
            (read.generation.as_deref(), read.family()),
            (Some("crd_a"), jti.as_str())
        );
        assert_eq!(read.owner.unwrap().sub, "ann");
        assert_eq!((read.act, read.may_act), (Some(act.clone()), None));
        assert_eq!(read.metadata["team"], "cart");
    }
    assert!(verify(&signed(&but("aud", json!(["other", AUDIENCE])))).is_ok());
    assert!(verify(&signed(&raw("exp", "1.800000001e9"))).is_ok());
    let typed = header(
        "\"ES256\"",
        r#""application/AT+JWT""#,
        &format!("{:?}", WORLD.es.key.kid()),
    );
    assert!(verify(&headed(&typed)).is_ok());
}

#[test]
fn attack_3_signatures_stripped_borrowed_or_changed() {
    let good = signed(&claims().to_string());
    let parts: Vec<&str> = good.split('.').collect();
    let other = signed(&but("sub", json!("key_b")));
    let borrowed = format!(
        "{}.{}.{}",
        parts[0],
        parts[1],
        other.rsplit_once('.').unwrap().1
    );
    refuses(vec![
        ("stripped", format!("{}.{}.", parts[0], parts[1]), "Shape"),
        (
            "stripped with its dot",
            format!("{}.{}", parts[0], parts[1]),
            "Shape",
        ),
        ("dots alone", "..".into(), "Shape"),
        ("nothing", String::new(), "Shape"),
        ("borrowed", borrowed, "Signature"),
    ]);
    let bytes = good.as_bytes();
    for index in 0..bytes.len() {
        for bit in 0..7 {
            let mut flipped = bytes.to_vec();
            flipped[index] ^= 1 << bit;
            let flipped = String::from_utf8(flipped).unwrap();
            assert!(verify(&flipped).is_err(), "bit {bit} of byte {index}");
        }
    }
}

#[test]
fn attack_7_one_kid_under_two_issuers() {
    let message = format!(
        "{}.{}",
        b64(our_header("\"ES256\"")),
        b64(claims().to_string())
    );
    let forged = format!("{message}.{}", es256(&WORLD.stranger, &message));
    refuses(vec![
        ("our kid, their key", forged, "Signature"),
        (
            "our key, their issuer",
            signed(&but("iss", json!("https://other.example.com"))),
            "Claim(iss)",
        ),
    ]);
}

#[test]
fn attack_14_other_serialisations_and_white_space() {
    let good = signed(&claims().to_string());
    let parts: Vec<&str> = good.split('.').collect();
    let flattened = json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]});
    let general = json!({"payload": parts[1], "signatures": [{"protected": parts[0], "signature": parts[2]}]});
    for token in [
        flattened.to_string(),
        general.to_string(),
        format!("{good}.{flattened}"),
        format!(" {good}"),
        format!("{good}\n"),
        format!("Bearer {good}"),
        good.replacen('.', ".\n", 1),
        format!("{good}="),
        format!("{good}%3D"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{good}"),
        format!("{}\u{200b}", good),
    ] {
        refuses(vec![("shape", token, "Shape")]);
    }
    let kid = WORLD.es.key.kid();
    for header in [
        "",
        "[]",
        "null",
        "\"x\"",
        "{",
        "\u{feff}{}",
        &format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}"}}{{}}"#),
    ] {
        let expected = if header.is_empty() {
            "Shape"
        } else {
            "HeaderJson"
        };
        refuses(vec![(header, headed(header), expected)]);
    }
    let latin1 = b"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"\xe9\"}";
    refuses(vec![(
        "not UTF-8",
        format!("{}.{}.{}", b64(latin1), parts[1], parts[2]),
        "HeaderJson",
    )]);
    refuses(vec![(
        "claims not UTF-8",
        WORLD
            .es
            .key
            .sign(TokenType::ACCESS_TOKEN, b"{\"sub\":\"\xe9\"}")
            .unwrap(),
        "ClaimsJson",
    )]);
}

#[test]
fn attack_16_keys_that_were_not_in_use() {
    let signed_by = |key: &SigningKey, iat: i64| {
        let claims = but("iat", json!(iat));
        key.sign(TokenType::ACCESS_TOKEN, claims.as_bytes())
            .unwrap()
    };
    refuses(vec![
        ("next", signed_by(&WORLD.next.key, NOW - 10), "UnknownKey"),
        (
            "withdrawn",
            signed_by(&WORLD.withdrawn.key, NOW - 10),
            "UnknownKey",
        ),
        (
            "removed",
            signed_by(&WORLD.stranger, NOW - 10),
            "UnknownKey",
        ),
        (
            "retired, token made later",
            signed_by(&WORLD.retired.key, NOW - 10),
            "UnknownKey",
        ),
    ]);
    assert!(verify(&signed_by(&WORLD.retired.key, NOW - 1000)).is_ok());
}

#[test]
fn attack_17_too_long_and_too_deep() {
    let nested = |depth: usize| raw("x", &format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    let actors = |depth: usize| {
        raw(
            "act",
            &format!("{}{{}}{}", "{\"act\":".repeat(depth), "}".repeat(depth)),
        )
    };
    refuses(vec![
        (
            "10 MB",
            signed(&but("x", json!("x".repeat(10_000_000)))),
            "TooLong",
        ),
        ("depth 2000", signed(&nested(2000)), "ClaimsJson"),
        ("depth 10 000", signed(&nested(10_000)), "TooLong"),
        ("depth 17", signed(&nested(16)), "ClaimsJson"),
        ("600 actors", signed(&actors(600)), "ClaimsJson"),
        ("1000 actors", signed(&actors(1000)), "TooLong"),
        (
            "a deep header",
            headed(&header_with(&format!(
                r#""x":{}{}"#,
                "[".repeat(2000),
                "]".repeat(2000)
            ))),
            "HeaderJson",
        ),
    ]);
    assert!(verify(&signed(&nested(15))).is_ok());
    let longest = |length: usize| signed(&but("x", json!("x".repeat(length))));
    let fits = (5000..6200)
        .rev()
        .map(longest)
        .find(|token| token.len() <= 8192)
        .unwrap();
    assert!(fits.len() > 8180 && verify(&fits).is_ok());
}

#[test]
fn attack_18_cut_and_lengthened_tokens() {
    let good = signed(&claims().to_string());
    for length in 0..good.len() {
        assert!(verify(&good[..length]).is_err(), "cut at {length}");
    }
    for more in ["A", "AA", "AAA", "AAAA", "-", "_"] {
        refuses(vec![(more, format!("{good}{more}"), "Signature")]);
    }
}
