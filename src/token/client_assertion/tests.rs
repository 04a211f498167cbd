//! Which assertions are taken, by claims and header.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

use super::*;
use crate::domain::algorithm::SigningAlgorithm;
use crate::token::signing_key::SigningKey;

const CLIENT: &str = "app_a";
const ISSUER: &str = "https://keys.example.com";
const NOW: i64 = 1_800_000_000;

struct Client {
    key: SigningKey,
}

impl Client {
    fn new() -> Self {
        let key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        Self { key }
    }

    fn keys(&self) -> OutsideKeys {
        let set = json!({"keys": [self.key.public_jwk()]});
        OutsideKeys::read_strictly(set.to_string().as_bytes()).unwrap()
    }

    fn signed(&self, header: &Header, claims: &Value) -> String {
        let pkcs8 = self.key.to_pkcs8().unwrap();
        let key = EncodingKey::from_ec_der(pkcs8.expose());
        jsonwebtoken::encode(header, claims, &key).unwrap()
    }

    fn verify(&self, typ: Option<&str>, changed: Value) -> Result<Assertion, OutsideError> {
        let mut claims = json!({
            "iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "exp": NOW + 60, "iat": NOW, "jti": "one",
        });
        for (name, value) in changed.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        let mut header = Header::new(Algorithm::ES256);
        header.typ = typ.map(str::to_owned);
        header.kid = Some(self.key.kid().to_owned());
        let rules = AssertionRules {
            client_id: CLIENT,
            issuer: ISSUER,
            legacy_audience: None,
        };
        let now = Timestamp::from_second(NOW).unwrap();
        verify(&self.keys(), &self.signed(&header, &claims), &rules, now)
    }
}

#[test]
fn ca_2_ca_4_an_assertion_of_either_kind_is_taken() {
    let client = Client::new();
    for typ in [
        None,
        Some("JWT"),
        Some("client-authentication+jwt"),
        Some("application/client-authentication+jwt"),
    ] {
        let taken = client.verify(typ, json!({}));
        assert_eq!(taken.unwrap().jti, "one", "{typ:?}");
    }
    for claims in [
        json!({"aud": [ISSUER]}),
        json!({"iat": null}),
        json!({"exp": NOW + 300}),
        json!({"nbf": NOW}),
        json!({"exp": NOW as f64 + 0.5}),
        json!({"more": {"than": "that"}}),
    ] {
        assert!(client.verify(None, claims.clone()).is_ok(), "{claims}");
    }
}

#[test]
fn ca_2_ca_3_ca_4_ca_5_what_is_none_is_refused() {
    let client = Client::new();
    for typ in ["at+jwt", "jwt+at", "secevent+jwt", "application/at+jwt", ""] {
        assert!(client.verify(Some(typ), json!({})).is_err(), "{typ}");
    }
    for claims in [
        json!({"iss": "app_b"}),
        json!({"sub": "app_b"}),
        json!({"iss": null}),
        json!({"sub": null}),
        json!({"aud": null}),
        json!({"aud": []}),
        json!({"aud": [ISSUER, "https://other.example.com"]}),
        json!({"aud": [ISSUER, ISSUER]}),
        json!({"aud": format!("{ISSUER}/oauth/token")}),
        json!({"aud": format!("{ISSUER}/")}),
        json!({"aud": {"one": ISSUER}}),
        json!({"exp": null}),
        json!({"exp": NOW}),
        json!({"exp": NOW + 331}),
        json!({"exp": (NOW + 60).to_string()}),
        json!({"iat": NOW - 331}),
        json!({"iat": NOW + 31}),
        json!({"iat": "now"}),
        json!({"nbf": NOW + 31}),
        json!({"jti": null}),
        json!({"jti": ""}),
        json!({"jti": 7}),
        json!({"jti": "x".repeat(256)}),
    ] {
        assert!(client.verify(None, claims.clone()).is_err(), "{claims}");
    }
}

#[test]
fn ca_3_the_token_endpoint_is_an_audience_for_clients_of_old_alone() {
    let client = Client::new();
    let endpoint = format!("{ISSUER}/oauth/token");
    let claims = json!({
        "iss": CLIENT, "sub": CLIENT, "aud": endpoint, "exp": NOW + 60, "jti": "one",
    });
    let header = Header::new(Algorithm::ES256);
    let rules = AssertionRules {
        client_id: CLIENT,
        issuer: ISSUER,
        legacy_audience: Some(&endpoint),
    };
    let now = Timestamp::from_second(NOW).unwrap();
    let signed = client.signed(&header, &claims);
    assert!(verify(&client.keys(), &signed, &rules, now).is_ok());
}

#[test]
fn another_clients_key_is_no_key() {
    let (client, other) = (Client::new(), Client::new());
    let claims = json!({
        "iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "exp": NOW + 60, "jti": "one",
    });
    let signed = other.signed(&Header::new(Algorithm::ES256), &claims);
    let rules = AssertionRules {
        client_id: CLIENT,
        issuer: ISSUER,
        legacy_audience: None,
    };
    let now = Timestamp::from_second(NOW).unwrap();
    assert!(matches!(
        verify(&client.keys(), &signed, &rules, now),
        Err(OutsideError::Signature(_))
    ));
    assert_eq!(unverified_client(&signed).as_deref(), Some(CLIENT));
}

#[test]
fn a_set_that_a_client_writes_down_is_public_usable_and_unambiguous() {
    let client = Client::new();
    let jwk = json!(client.key.public_jwk());
    let with = |name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    };
    use crate::token::outside::JwkSetError as E;
    for (set, error) in [
        (json!([]), E::Shape),
        (json!({}), E::Shape),
        (json!({"keys": "x"}), E::Shape),
        (json!({"keys": [7]}), E::Shape),
        (json!({"keys": []}), E::Number),
        (json!({"keys": vec![jwk.clone(); 17]}), E::Number),
        (json!({"keys": [jwk.clone(), jwk.clone()]}), E::Repeated(1)),
        (json!({"keys": [with("d", json!("AA"))]}), E::Private(0)),
        (json!({"keys": [with("use", json!("enc"))]}), E::Unusable(0)),
        (
            json!({"keys": [with("crv", json!("P-384"))]}),
            E::Unusable(0),
        ),
        (
            json!({"keys": [with("alg", json!("HS256"))]}),
            E::Unusable(0),
        ),
        (json!({"keys": [{"kty": "oct", "k": "AA"}]}), E::Private(0)),
    ] {
        let read = OutsideKeys::read_strictly(set.to_string().as_bytes());
        assert_eq!(read.err(), Some(error), "{set}");
    }
}
