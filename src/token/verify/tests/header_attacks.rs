//! Attacks on header, key and signature.

use super::*;

#[test]
fn attack_1_no_algorithm_or_another_one() {
    let mut attacks: Vec<(&str, String, &str)> = vec![];
    for alg in [
        "\"none\"",
        "\"None\"",
        "\"nOnE\"",
        "\"\"",
        "[\"ES256\"]",
        "null",
        "\"es256\"",
        "\"ES384\"",
    ] {
        let token = headed(&our_header(alg));
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        attacks.push((alg, token, r#"HeaderMember("alg")"#));
        attacks.push((alg, unsigned, "Shape"));
    }
    let missing = format!(r#"{{"typ":"at+jwt","kid":"{}"}}"#, WORLD.es.key.kid());
    attacks.push(("no alg", headed(&missing), r#"HeaderMember("alg")"#));
    refuses(attacks);
}

#[test]
fn attack_2_a_public_key_as_the_secret_of_a_mac() {
    let jwk = serde_json::to_value(WORLD.es.key.public_jwk()).unwrap();
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    // SubjectPublicKeyInfo of a P-256 point (RFC 5480 §2).
    let mut der = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04".to_vec();
    der.extend(coordinate("x"));
    der.extend(coordinate("y"));
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(&der)
    );
    let secrets = [
        pem.clone().into_bytes(),
        format!(" {pem}").into_bytes(),
        der.clone(),
        der[26..].to_vec(),
        jwk.to_string().into_bytes(),
    ];
    for secret in secrets {
        let message = format!(
            "{}.{}",
            b64(our_header("\"HS256\"")),
            b64(claims().to_string())
        );
        let secret = EncodingKey::from_secret(&secret);
        let mac =
            jsonwebtoken::crypto::sign(message.as_bytes(), &secret, Algorithm::HS256).unwrap();
        let under_es256 = format!(
            "{}.{}.{mac}",
            b64(our_header("\"ES256\"")),
            b64(claims().to_string())
        );
        refuses(vec![
            (
                "HS256",
                format!("{message}.{mac}"),
                r#"HeaderMember("alg")"#,
            ),
            ("a MAC under ES256", under_es256, "Signature"),
        ]);
    }
}

#[test]
fn attack_4_psychic_and_misshapen_ecdsa_signatures() {
    let order = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";
    let order: Vec<u8> = (0..32)
        .map(|i| u8::from_str_radix(&order[2 * i..2 * i + 2], 16).unwrap())
        .collect();
    let good = signed(&claims().to_string());
    let real = URL_SAFE_NO_PAD
        .decode(good.rsplit_once('.').unwrap().1)
        .unwrap();
    let (r, s) = real.split_at(32);
    let integer = |bytes: &[u8]| [&[0x02, 33, 0], bytes].concat();
    let der = [vec![0x30, 70], integer(r), integer(s)].concat();
    let zero = [0u8; 32];
    for signature in [
        [zero, zero].concat(),
        [r, &zero].concat(),
        [&zero, s].concat(),
        [&order, s].concat(),
        [r, &order].concat(),
        vec![0xff; 64],
        der,
        real[..63].to_vec(),
        [&real[..], &[0]].concat(),
        [&[0], &real[..]].concat(),
    ] {
        refuses(vec![("signature", signed_as(&signature), "Signature")]);
    }
}

#[test]
fn attack_5_a_key_brought_along() {
    let stranger = serde_json::to_string(WORLD.stranger.public_jwk()).unwrap();
    for member in [
        format!(r#""jwk":{stranger}"#),
        r#""jku":"http://127.0.0.1:1/jwks.json""#.into(),
        r#""x5u":"http://127.0.0.1:1/cert.pem""#.into(),
        r#""x5c":["MIIB"]"#.into(),
        r#""x5t":"AAAA""#.into(),
    ] {
        let header = header_with(&member);
        let message = format!("{}.{}", b64(&header), b64(claims().to_string()));
        let strangers = format!("{message}.{}", es256(&WORLD.stranger, &message));
        refuses(vec![
            ("signed by us", headed(&header), "HeaderExtra"),
            ("signed by the stranger", strangers, "HeaderExtra"),
        ]);
    }
}

#[test]
fn attack_6_key_ids_that_are_no_key_ids() {
    let long = "k".repeat(129);
    let huge = "k".repeat(10_000);
    let kid = |kid: &str| headed(&header("\"ES256\"", "\"at+jwt\"", kid));
    let wrong = r#"HeaderMember("kid")"#;
    refuses(vec![
        ("path", kid(r#""../../etc/passwd""#), "UnknownKey"),
        ("NUL", kid(r#""\u0000""#), "UnknownKey"),
        ("SQL", kid(r#""' OR 1=1 --""#), "UnknownKey"),
        (
            "a stranger's",
            kid(&format!("{:?}", WORLD.stranger.kid())),
            "UnknownKey",
        ),
        ("129 characters", kid(&format!("{long:?}")), wrong),
        ("10 kB", kid(&format!("{huge:?}")), "TooLong"),
        ("empty", kid("\"\""), wrong),
        ("number", kid("1"), wrong),
        ("object", kid("{}"), wrong),
        ("null", kid("null"), wrong),
        (
            "missing",
            headed(r#"{"alg":"ES256","typ":"at+jwt"}"#),
            wrong,
        ),
    ]);
}

#[test]
fn attack_8_encrypted_nested_and_compressed_tokens() {
    let inner = signed(&claims().to_string());
    let jwe = r#"{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":1000000000,"p2s":"AAAA"}"#;
    let es = &WORLD.es.key;
    refuses(vec![
        ("JWE", format!("{}.AAAA.AAAA.AAAA.AAAA", b64(jwe)), "Shape"),
        (
            "JWE header on three parts",
            headed(jwe),
            r#"HeaderMember("kid")"#,
        ),
        (
            "nested",
            es.sign(TokenType::ACCESS_TOKEN, inner.as_bytes()).unwrap(),
            "ClaimsJson",
        ),
        ("cty", headed(&header_with(r#""cty":"JWT""#)), "HeaderExtra"),
        ("zip", headed(&header_with(r#""zip":"DEF""#)), "HeaderExtra"),
        (
            "enc",
            headed(&header_with(r#""enc":"A128GCM""#)),
            "HeaderExtra",
        ),
    ]);
}

#[test]
fn attack_9_critical_headers() {
    for member in [
        r#""crit":["exp"],"exp":1"#,
        r#""crit":[]"#,
        r#""crit":"b64""#,
        r#""crit":["b64"],"b64":false"#,
        r#""b64":false"#,
    ] {
        refuses(vec![(member, headed(&header_with(member)), "HeaderExtra")]);
    }
}

#[test]
fn attack_13_a_token_of_another_kind() {
    let kid = format!("{:?}", WORLD.es.key.kid());
    for typ in [
        "\"JWT\"",
        "\"jwt\"",
        "\"client-authentication+jwt\"",
        "\"token-introspection+jwt\"",
        "\"at+jwt;x\"",
        "\"\"",
        "1",
        "null",
    ] {
        refuses(vec![(
            typ,
            headed(&header("\"ES256\"", typ, &kid)),
            r#"HeaderMember("typ")"#,
        )]);
    }
    let missing = format!(r#"{{"alg":"ES256","kid":{kid}}}"#);
    let list = WORLD
        .es
        .key
        .sign(TokenType::REVOCATIONS, claims().to_string().as_bytes())
        .unwrap();
    refuses(vec![
        ("no typ", headed(&missing), r#"HeaderMember("typ")"#),
        (
            "our own list of revocations",
            list.clone(),
            r#"HeaderMember("typ")"#,
        ),
    ]);
    assert!(
        WORLD
            .verifier
            .signed_claims(&list, TokenType::REVOCATIONS)
            .is_ok()
    );
}

#[test]
fn attack_15_another_algorithm_or_key_than_the_kid_names() {
    let message = |alg: &str, key: &RingKey| {
        let kid = format!("{:?}", key.key.kid());
        format!(
            "{}.{}",
            b64(header(alg, "\"at+jwt\"", &kid)),
            b64(claims().to_string())
        )
    };
    let signed_by_es = |message: String| format!("{message}.{}", es256(&WORLD.es.key, &message));
    refuses(vec![
        (
            "ES256 with the Ed25519 kid",
            signed_by_es(message("\"ES256\"", &WORLD.ed)),
            r#"HeaderMember("alg")"#,
        ),
        (
            "EdDSA with the Ed25519 kid",
            signed_by_es(message("\"EdDSA\"", &WORLD.ed)),
            "Signature",
        ),
        (
            "RS256 with the RSA kid",
            signed_by_es(message("\"RS256\"", &WORLD.rs)),
            "Signature",
        ),
        (
            "PS256 with the RSA kid",
            signed_by_es(message("\"PS256\"", &WORLD.rs)),
            r#"HeaderMember("alg")"#,
        ),
        (
            "RS256 with the P-256 kid",
            signed_by_es(message("\"RS256\"", &WORLD.es)),
            r#"HeaderMember("alg")"#,
        ),
    ]);
}
