//! Client assertions, at each endpoint that a client proves itself at.

use serde_json::{Value, json};

use super::Trap;
use crate::applications::{Application, machine_role, make};
use crate::support::credentials::Anonymous;
use crate::support::forge::Forge;
use crate::support::signer::Signer;
use crate::support::test_app::{ISSUER, PAYMENT, Shop, TestApp};
use crate::support::transcript::Answer;

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

struct Door {
    shop: Shop,
    client: Application,
    number: std::cell::Cell<u32>,
}

impl Door {
    async fn new(signer: &Signer) -> Self {
        // Whoever fails that often would have to wait.
        let setup =
            TestApp::setup().config(|config| config.limits.bad_clients_per_minute = 100_000);
        let shop = Shop::on(setup.start().await).await;
        let payment = json!([{"resource": PAYMENT, "scopes": ["write:payment"]}]);
        let role = machine_role(&shop.app, "checkout", payment).await;
        let body = json!({
            "roles": [role], "token_endpoint_auth_method": "private_key_jwt", "jwks": signer.jwks(),
        });
        let client = make(&shop.app, body).await;
        Self {
            shop,
            client,
            number: std::cell::Cell::new(0),
        }
    }

    /// A good one of the next number.
    fn forge(&self, signer: Signer, header: Value) -> Forge {
        self.number.set(self.number.get() + 1);
        let now = self.shop.app.now().as_second();
        Forge {
            stranger: Signer::es256("a"),
            header,
            claims: json!({
                "iss": self.client.id, "sub": self.client.id, "aud": ISSUER, "iat": now, "exp": now + 60,
                "jti": format!("number-{}", self.number.get()),
            }),
            signer,
        }
    }

    async fn send(&self, path: &str, assertion: &str) -> Answer {
        let form = [
            ("grant_type", "client_credentials"),
            ("token", "x"),
            ("client_assertion_type", TYPE),
            ("client_assertion", assertion),
        ];
        self.shop
            .app
            .post(path)
            .by(&Anonymous)
            .form(&form)
            .send()
            .await
    }
}

#[tokio::test]
async fn attack_as_client_assertion_at_every_endpoint_of_clients() {
    let signer = Signer::es256("a");
    let door = Door::new(&signer).await;
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": "a"});
    let forge = door.forge(signer, header);
    let trap = Trap::set();
    let mut all = forge.attacks(&trap.url());
    let typed = |typ: &str| {
        let header = json!({"alg": "ES256", "typ": typ, "kid": "a"});
        forge
            .signer
            .sign_parts(&header.to_string(), &forge.claims.to_string())
    };
    for typ in [
        "at+jwt",
        "application/at+jwt",
        "revocations+jwt",
        "token-introspection+jwt",
        "dpop+jwt",
    ] {
        all.push(("13: another kind", typed(typ)));
    }
    for name in ["jti", "sub"] {
        all.push(("10: a claim missing", forge.but(json!({name: null}))));
        all.push(("10: a claim of a wrong type", forge.but(json!({name: 7}))));
    }
    // An access token that the client got is no assertion of its own.
    let granted = door
        .send("/oauth/token", &forge.but(json!({"jti": "first"})))
        .await;
    all.push((
        "13: an access token",
        granted.expect(200).text("access_token"),
    ));
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
        for (attack, assertion) in all.iter().filter(|(_, assertion)| assertion.len() < 60_000) {
            let answer = door.send(path, assertion).await;
            assert!(
                answer.status == 401 && answer["error"] == "invalid_client",
                "{attack} at {path}: {assertion:.200}\n{}",
                answer.transcript()
            );
        }
        let good = forge.but(json!({"jti": format!("good at {path}")}));
        door.send(path, &good).await.expect(200);
    }
    trap.assert_untouched();
}

#[tokio::test]
async fn attack_7_a_kid_that_two_clients_have_stands_for_each_its_own_key() {
    let (one, other) = (Signer::es256("a"), Signer::es256("a"));
    let door = Door::new(&one).await;
    let body = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": other.jwks()});
    make(&door.shop.app, body).await;
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": "a"});
    let crossed = door.forge(other, header.clone());
    door.send("/oauth/token", &crossed.good())
        .await
        .oauth_error("invalid_client");
    let right = door.forge(one, header);
    door.send("/oauth/token", &right.good()).await.expect(200);
}

#[tokio::test]
async fn attack_16_a_key_that_was_replaced_proves_nothing() {
    let (old, new) = (Signer::es256("a"), Signer::es256("b"));
    let door = Door::new(&old).await;
    let change = door.shop.app.patch(&door.client.path("")).operator();
    change
        .json(json!({"jwks": new.jwks()}))
        .send()
        .await
        .expect(200);
    let forge = door.forge(old, json!({"alg": "ES256", "typ": "JWT", "kid": "a"}));
    door.send("/oauth/token", &forge.good())
        .await
        .oauth_error("invalid_client");
    let forge = door.forge(new, json!({"alg": "ES256", "typ": "JWT", "kid": "b"}));
    door.send("/oauth/token", &forge.good()).await.expect(200);
}

#[tokio::test]
async fn attack_15_keys_that_are_none_are_not_taken_from_a_client() {
    let shop = Shop::new().await;
    let with = |further: Value| crate::support::test_app::merged(Signer::es256("a").jwk(), further);
    let rsa = Signer::rsa("a", "RS256").jwk();
    let small = crate::support::test_app::merged(
        rsa.clone(),
        json!({"n": &rsa["n"].as_str().unwrap()[..171]}),
    );
    let weak = crate::support::test_app::merged(rsa, json!({"e": "AQ"}));
    for (attack, key) in [
        ("for encryption", with(json!({"use": "enc"}))),
        ("not for verifying", with(json!({"key_ops": ["encrypt"]}))),
        ("another algorithm", with(json!({"alg": "RS256"}))),
        ("a MAC", json!({"kty": "oct", "k": "AAAA"})),
        ("another curve", with(json!({"crv": "secp256k1"}))),
        (
            "off the curve",
            with(json!({"x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})),
        ),
        ("RSA of 1024 bits", small),
        ("RSA with e = 1", weak),
    ] {
        let body = json!({"name": "x", "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key]}});
        let answer = shop
            .app
            .post("/v1/applications")
            .operator()
            .json(body)
            .send()
            .await;
        assert_eq!(answer.status, 422, "{attack}: {}", answer.transcript());
    }
}
