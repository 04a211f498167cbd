//! Attacks on the claims, all properly signed.

use super::*;

/// Refused because of `name`, by us or already by the library, which knows the registered claims as well.
fn refuses_claim(name: &str, claims: &str) {
    let reason = verify(&signed(claims)).unwrap_err();
    let reasons = [format!("Claim({name})"), "ClaimsJson".into()];
    assert!(reasons.contains(&reason), "{reason}: {claims}");
}

#[test]
fn attack_10_repeated_names_and_crooked_times() {
    let claims = claims().to_string();
    let repeated = format!(r#"{{"sub":"key_b",{}"#, &claims[1..]);
    let escaped = format!(r#"{{"s\u0075b":"key_b",{}"#, &claims[1..]);
    let unknown = format!(r#"{{"x":1,"x":1,{}"#, &claims[1..]);
    refuses(vec![
        ("sub twice", signed(&repeated), "ClaimsJson"),
        ("sub twice, once escaped", signed(&escaped), "ClaimsJson"),
        ("an unknown claim twice", signed(&unknown), "ClaimsJson"),
        (
            "alg twice",
            headed(&header_with(r#""alg":"ES256""#)),
            "HeaderJson",
        ),
        (
            "an unknown header twice",
            headed(&header_with(r#""x":1,"x":1"#)),
            "HeaderJson",
        ),
        (
            "exp too large a number",
            signed(&raw("exp", "1e400")),
            "ClaimsJson",
        ),
        (
            "iat in the future",
            signed(&raw("iat", &(NOW + 6).to_string())),
            "Claim(iat)",
        ),
        (
            "exp gone",
            signed(&raw("exp", &(NOW - 5).to_string())),
            "Expired",
        ),
        ("exp zero", signed(&raw("exp", "0")), "Expired"),
        (
            "nbf in the future",
            signed(&raw("nbf", &(NOW + 60).to_string())),
            "Claim(nbf)",
        ),
        ("nbf as text", signed(&raw("nbf", "\"x\"")), "Claim(nbf)"),
    ]);
    for name in ["exp", "iat"] {
        for value in [
            "\"1800000300\"",
            "null",
            "-1",
            "-1.5",
            "9223372036854775807",
            "9223372036854775808",
            "1e30",
            "true",
            "[1]",
            "{}",
        ] {
            refuses_claim(name, &raw(name, value));
        }
    }
    assert!(verify(&signed(&raw("exp", &(NOW + 1).to_string()))).is_ok());
    assert!(verify(&signed(&raw("exp", &NOW.to_string()))).is_err());
    assert!(verify(&signed(&raw("iat", &(NOW + 5).to_string()))).is_ok());
}

#[test]
fn attack_10_a_claim_missing_or_of_a_wrong_type() {
    for name in [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "jti",
        "client_id",
        "scope",
    ] {
        refuses_claim(name, &but(name, Value::Null));
    }
    for name in ["iss", "sub", "jti", "client_id", "org_id", "gen", "fam"] {
        for value in [json!(""), json!(1), json!(["x"]), json!({})] {
            refuses_claim(name, &but(name, value));
        }
    }
    for (name, value) in [
        ("scope", json!(["keys:read"])),
        ("scope", json!("a  b")),
        ("owner", json!("ann")),
        ("owner", json!({"sub": "ann"})),
        ("owner", json!({"iss": "i", "sub": 1})),
        ("act", json!("app_a")),
        ("may_act", json!([])),
        ("metadata", json!({"a": 1})),
    ] {
        refuses_claim(name, &but(name, value));
    }
}

#[test]
fn attack_11_audiences_that_are_not_ours() {
    let many: Vec<String> = (0..10_000)
        .map(|i| i.to_string())
        .chain([AUDIENCE.into()])
        .collect();
    let aud = |value: Value| signed(&but("aud", value));
    for value in [
        json!("https://payment.example.com/api"),
        json!("https://keys.example.com"),
        json!("https://keys.example.com/v1/"),
        json!("https://KEYS.example.com/v1"),
        json!("https://keys.example.com/v11"),
        json!(" https://keys.example.com/v1"),
        json!(""),
        json!([]),
        json!(["https://keys.example.com/v1/"]),
        json!([AUDIENCE, 1]),
        json!([[AUDIENCE]]),
        json!({"a": AUDIENCE}),
        json!(1),
    ] {
        refuses(vec![("aud", aud(value), "Claim(aud)")]);
    }
    refuses(vec![("among 10 000", aud(json!(many)), "TooLong")]);
}

#[test]
fn attack_12_issuers_that_look_like_us() {
    for value in [
        json!("https://keys.example.co"),
        json!("https://keys.example.com/"),
        json!("https://keys.example.com.evil.example"),
        json!("https://Keys.example.com"),
        json!("https://k\u{435}ys.example.com"),
        json!([ISSUER]),
    ] {
        refuses(vec![("iss", signed(&but("iss", value)), "Claim(iss)")]);
    }
}
