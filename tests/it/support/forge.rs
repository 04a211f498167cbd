//! Tokens that nobody should make, properly signed: by the very key that the server signs with, taken out of its database with the root
//! secret of the tests, or by the key of somebody outside. A wrong signature would hide what is being tried.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kagiya::domain::purpose::SecretPurpose;
use kagiya::domain::sealed::{Place, Sealer, sealed_generation};
use kagiya::store::{secrets, signing_keys};
use serde_json::{Value, json};

use super::signer::Signer;
use super::test_app::{TestApp, merged, root_secret};

/// Who signs what, and what a good one says.
pub(crate) struct Forge {
    /// The key that is trusted.
    pub(crate) signer: Signer,
    /// A key that is not, under the same name.
    pub(crate) stranger: Signer,
    /// The header of a good token.
    pub(crate) header: Value,
    /// Its claims.
    pub(crate) claims: Value,
}

/// The key that the server signs access tokens with.
pub(crate) async fn signer_of(app: &TestApp) -> Signer {
    let store = &app.database().store;
    let secrets = store.read(secrets::all).await.unwrap();
    let root = root_secret().sealer();
    let sealers: BTreeMap<u32, Sealer> = secrets
        .iter()
        .filter(|secret| secret.purpose == SecretPurpose::Sealing)
        .map(|secret| {
            // The blobs count from 1.
            let generation = u32::try_from(secret.generation).unwrap() + 1;
            let id = secret.generation.to_string();
            let place = Place {
                purpose: "secret",
                name: secret.purpose.as_str(),
                id: &id,
            };
            let opened = root.open(place, &secret.sealed).unwrap();
            (generation, Sealer::new(&opened, generation))
        })
        .collect();
    let keys = store.read(signing_keys::all).await.unwrap();
    let key = keys
        .iter()
        .find(|key| key.state == "active" && key.algorithm.to_string() == "ES256")
        .unwrap();
    let place = Place {
        purpose: "signing_key",
        name: "pkcs8",
        id: &key.kid,
    };
    let sealer = &sealers[&sealed_generation(&key.sealed).unwrap()];
    let pkcs8 = sealer.open(place, &key.sealed).unwrap();
    Signer::es256_of(&key.kid, pkcs8.expose())
}

impl Forge {
    /// The good token, so that what is refused is refused for what was changed.
    pub(crate) fn good(&self) -> String {
        self.signer
            .sign_parts(&self.header.to_string(), &self.claims.to_string())
    }

    /// The same with other claims; null takes one away.
    pub(crate) fn but(&self, claims: Value) -> String {
        let claims = merged(self.claims.clone(), claims);
        self.signer
            .sign_parts(&self.header.to_string(), &claims.to_string())
    }

    /// With a claim as it stands here, whatever JSON thinks of it.
    fn raw(&self, name: &str, value: &str) -> String {
        let rest = merged(self.claims.clone(), json!({name: null})).to_string();
        let claims = format!("{{{name:?}:{value},{}", &rest[1..]);
        self.signer.sign_parts(&self.header.to_string(), &claims)
    }

    fn headed(&self, header: Value) -> String {
        let header = merged(self.header.clone(), header);
        self.signer
            .sign_parts(&header.to_string(), &self.claims.to_string())
    }

    fn headed_raw(&self, name: &str, value: &str) -> String {
        let rest = merged(self.header.clone(), json!({name: null})).to_string();
        let header = format!("{{{name:?}:{value},{}", &rest[1..]);
        self.signer.sign_parts(&header, &self.claims.to_string())
    }

    fn signed_by_stranger(&self, header: Value) -> String {
        let header = merged(self.header.clone(), header);
        self.stranger
            .sign_parts(&header.to_string(), &self.claims.to_string())
    }

    /// The message of the good token under this header, with this signature.
    fn with_signature(&self, header: &Value, signature: &[u8]) -> String {
        let message = format!(
            "{}.{}",
            b64(header.to_string()),
            b64(self.claims.to_string())
        );
        format!("{message}.{}", b64(signature))
    }

    /// The list of standards.md §11 as far as it can be told from a single token: what is tried, by its number, and the token. `called`
    /// is an address of ours that nothing may ever ask.
    pub(crate) fn attacks(&self, called: &str) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        self.header_attacks(called, &mut all);
        self.signature_attacks(&mut all);
        self.claim_attacks(&mut all);
        self.shape_attacks(&mut all);
        all
    }

    fn header_attacks(&self, called: &str, all: &mut Vec<(&'static str, String)>) {
        for alg in ["none", "None", "nOnE", "", "ES384", "es256"] {
            let header = merged(self.header.clone(), json!({"alg": alg}));
            all.push(("1: another alg", self.headed(json!({"alg": alg}))));
            let unsigned = format!(
                "{}.{}.",
                b64(header.to_string()),
                b64(self.claims.to_string())
            );
            all.push(("1: unsigned", unsigned));
        }
        all.push(("1: no alg", self.headed(json!({"alg": null}))));
        all.push(("1: alg as an array", self.headed(json!({"alg": ["ES256"]}))));
        for secret in self.public_key_as_bytes() {
            for alg in ["HS256", "ES256"] {
                let header = merged(self.header.clone(), json!({"alg": alg}));
                let message = format!(
                    "{}.{}",
                    b64(header.to_string()),
                    b64(self.claims.to_string())
                );
                let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
                let mac = aws_lc_rs::hmac::sign(&key, message.as_bytes());
                all.push((
                    "2: a MAC by the public key",
                    format!("{message}.{}", b64(mac.as_ref())),
                ));
            }
        }
        let jwk = self.stranger.jwk();
        all.push((
            "5: an embedded key",
            self.signed_by_stranger(json!({"jwk": jwk})),
        ));
        all.push((
            "5: an embedded key without a kid",
            self.signed_by_stranger(json!({"jwk": jwk, "kid": null})),
        ));
        for name in ["jku", "x5u"] {
            let header = json!({name: format!("{called}/jwks.json")});
            all.push(("5: a key to be fetched", self.signed_by_stranger(header)));
        }
        all.push((
            "5: a certificate chain",
            self.signed_by_stranger(json!({"x5c": ["MIIB"]})),
        ));
        let huge = "k".repeat(10_000);
        for kid in [
            json!("../../etc/passwd"),
            json!("\u{0}"),
            json!("' OR 1=1 --"),
            json!(huge),
            json!(1),
            json!({"a": 1}),
            json!(""),
            json!("another"),
        ] {
            all.push(("6: no name of a key", self.headed(json!({"kid": kid}))));
        }
        all.push(("7: our kid, their key", self.signed_by_stranger(json!({}))));
        for (name, value) in [
            ("cty", json!("JWT")),
            ("zip", json!("DEF")),
            ("enc", json!("A256GCM")),
        ] {
            all.push((
                "8: nested, zipped or encrypted",
                self.headed(json!({name: value})),
            ));
        }
        let jwe = merged(
            self.header.clone(),
            json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 1_000_000_000}),
        );
        all.push((
            "8: JWE",
            format!(
                "{}.a.b.{}.c",
                b64(jwe.to_string()),
                b64(self.claims.to_string())
            ),
        ));
        all.push((
            "8: PBES2",
            self.headed(json!({"alg": "PBES2-HS256+A128KW", "p2c": 1_000_000_000})),
        ));
        for crit in [
            json!([]),
            json!(["b64"]),
            json!(["x"]),
            json!("b64"),
            json!(["exp", "exp"]),
        ] {
            all.push(("9: crit", self.headed(json!({"crit": crit, "b64": false}))));
        }
        all.push(("9: b64", self.headed(json!({"b64": false}))));
        let alg = &self.header["alg"];
        all.push((
            "10: alg twice",
            self.headed_raw("alg", &format!(r#""none","alg":{alg}"#)),
        ));
        all.push(("17: a deep header", self.headed_raw("x", &deep(2000))));
    }

    fn signature_attacks(&self, all: &mut Vec<(&'static str, String)>) {
        let good = self.good();
        let parts: Vec<&str> = good.split('.').collect();
        let (message, signature) = good.rsplit_once('.').unwrap();
        let other = self.but(json!({"jti": "another"}));
        let borrowed = other.rsplit_once('.').unwrap().1;
        all.push(("3: stripped", format!("{message}.")));
        all.push(("3: stripped with its dot", message.to_owned()));
        all.push(("3: two dots", "..".to_owned()));
        all.push(("3: borrowed", format!("{message}.{borrowed}")));
        let starts = [0, parts[0].len() + 1, message.len() + 1];
        for at in starts.map(|start| start + 12) {
            let mut flipped = good.clone().into_bytes();
            flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
            all.push(("3: a letter changed", String::from_utf8(flipped).unwrap()));
        }
        let real = URL_SAFE_NO_PAD.decode(signature).unwrap();
        if self.header["alg"] == "ES256" {
            let (r, s) = real.split_at(32);
            let order: Vec<u8> =
                hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
            let integer = |bytes: &[u8]| [&[0x02, 33, 0], bytes].concat();
            let der = [vec![0x30, 70], integer(r), integer(s)].concat();
            for signature in [
                vec![0; 64],
                [&order, s].concat(),
                [r, &order].concat(),
                vec![0xff; 64],
                der,
                real[..63].to_vec(),
                [&real[..], &[0]].concat(),
            ] {
                all.push((
                    "4: a psychic signature",
                    self.with_signature(&self.header, &signature),
                ));
            }
        }
    }

    fn claim_attacks(&self, all: &mut Vec<(&'static str, String)>) {
        let sub = &self.claims["sub"];
        all.push((
            "10: sub twice",
            self.raw("sub", &format!(r#""other","sub":{sub}"#)),
        ));
        for exp in [
            json!("1900000000"),
            json!(-1),
            json!(0),
            json!([1_900_000_000]),
            json!(9_223_372_036_854_775_808_u64),
        ] {
            all.push(("10: exp", self.but(json!({"exp": exp}))));
        }
        all.push(("10: exp null", self.raw("exp", "null")));
        all.push(("10: exp beyond numbers", self.raw("exp", "1e400")));
        all.push(("10: no exp", self.but(json!({"exp": null}))));
        all.push(("10: nbf to come", self.raw("nbf", "9000000000")));
        all.push(("10: iat to come", self.raw("iat", "9000000000")));
        all.push(("10: iat as a text", self.raw("iat", r#""1""#)));
        let aud = self.claims["aud"].as_str().unwrap();
        for wrong in [
            json!("https://other.example.com"),
            json!(aud[..aud.len() - 1]),
            json!(aud.to_uppercase()),
            json!(format!("{aud}/")),
            json!({"a": aud}),
            json!(7),
            json!([]),
        ] {
            all.push(("11: aud", self.but(json!({"aud": wrong}))));
        }
        all.push(("11: no aud", self.but(json!({"aud": null}))));
        let mut crowd: Vec<String> = (0..10_000)
            .map(|number| format!("https://{number}.example.com"))
            .collect();
        crowd.push(aud.to_owned());
        all.push(("11: hidden in a crowd", self.but(json!({"aud": crowd}))));
        let iss = self.claims["iss"].as_str().unwrap();
        for wrong in [
            json!(iss[..iss.len() - 1]),
            json!(format!("{iss}.evil.example.com")),
            json!(format!("{iss}/")),
            json!(iss.replace('a', "\u{430}")),
            json!([iss]),
            json!(iss.to_uppercase()),
        ] {
            if wrong != self.claims["iss"] {
                all.push(("12: iss", self.but(json!({"iss": wrong}))));
            }
        }
        all.push(("12: no iss", self.but(json!({"iss": null}))));
        all.push(("17: too deep", self.raw("x", &deep(1500))));
        let acts = format!("{}{{}}{}", r#"{"act":"#.repeat(800), "}".repeat(800));
        all.push(("17: a thousand actors", self.raw("act", &acts)));
    }

    fn shape_attacks(&self, all: &mut Vec<(&'static str, String)>) {
        let good = self.good();
        let parts: Vec<&str> = good.split('.').collect();
        let flattened = json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]});
        let general = json!({"payload": parts[1], "signatures": [{"protected": parts[0], "signature": parts[2]}]});
        for shape in [
            flattened.to_string(),
            general.to_string(),
            format!("{good}.{flattened}"),
            format!("{good}="),
            format!("{good}."),
            format!(".{good}"),
            format!("{good}.{good}"),
            good.replace('.', ". "),
            format!("Bearer {good}"),
        ] {
            all.push(("14: another serialisation", shape));
        }
        all.push(("18: cut at 80", good[..80].to_owned()));
        all.push(("18: cut by one", good[..good.len() - 1].to_owned()));
        all.push(("18: longer by one", format!("{good}A")));
        all.push(("18: longer by four", format!("{good}AAAA")));
    }

    /// The trusted public key as PEM, with a space before it, as DER, as its point, as a JWK.
    fn public_key_as_bytes(&self) -> Vec<Vec<u8>> {
        let jwk = self.signer.jwk();
        let mut forms = vec![jwk.to_string().into_bytes()];
        if jwk["kty"] == "EC" {
            let coordinate =
                |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
            // SubjectPublicKeyInfo of a P-256 point (RFC 5480 §2).
            let mut der = hex("3059301306072a8648ce3d020106082a8648ce3d03010703420004");
            der.extend(coordinate("x"));
            der.extend(coordinate("y"));
            let pem = format!(
                "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
                STANDARD.encode(&der)
            );
            forms.push(pem.clone().into_bytes());
            forms.push(format!(" {pem}").into_bytes());
            forms.push(der[26..].to_vec());
            forms.push(der);
        }
        forms
    }
}

fn deep(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<char> = digits.chars().collect();
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
