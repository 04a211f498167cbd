//! A client proves who it is by a JWT that it signed (RFC 7523, draft-ietf-oauth-rfc7523bis), which is good once.

use serde_json::{Value, json};

use crate::applications::{Application, grant, machine_role, make};
use crate::support::credentials::Anonymous;
use crate::support::signer::Signer;
use crate::support::test_app::{ISSUER, PAYMENT, Shop, TestApp, merged};
use crate::support::transcript::Answer;

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

struct Door {
    shop: Shop,
    signer: Signer,
    client: Application,
    number: std::cell::Cell<u32>,
}

impl Door {
    async fn new() -> Self {
        Self::with(Signer::es256("first"), json!({})).await
    }

    async fn with(signer: Signer, further: Value) -> Self {
        let shop = Shop::new().await;
        let payment = json!([{"resource": PAYMENT, "scopes": ["write:payment"]}]);
        let role = machine_role(&shop.app, "checkout", payment).await;
        let body = json!({
            "roles": [role], "token_endpoint_auth_method": "private_key_jwt", "jwks": signer.jwks(),
        });
        let client = make(&shop.app, merged(body, further)).await;
        Self {
            shop,
            signer,
            client,
            number: std::cell::Cell::new(0),
        }
    }

    /// What a client of ours says, with these members in place of others.
    fn claims(&self, further: Value) -> Value {
        self.number.set(self.number.get() + 1);
        let now = self.shop.app.now().as_second();
        let usual = json!({
            "iss": self.client.id, "sub": self.client.id, "aud": ISSUER, "iat": now, "exp": now + 60,
            "jti": format!("number-{}", self.number.get()),
        });
        merged(usual, further)
    }

    async fn ask(&self, header: Value, claims: Value) -> Answer {
        self.send(&self.signer.sign(header, &self.claims(claims)))
            .await
    }

    async fn send(&self, assertion: &str) -> Answer {
        self.send_with(assertion, &[]).await
    }

    async fn send_with(&self, assertion: &str, further: &[(&str, &str)]) -> Answer {
        self.shop.app.witness().keep_token(assertion);
        let form = [
            ("client_assertion_type", TYPE),
            ("client_assertion", assertion),
        ];
        grant(&self.shop.app, &Anonymous, &[&form[..], further].concat()).await
    }
}

#[tokio::test]
async fn ca_1_every_algorithm_of_the_list_lets_in() {
    for signer in [
        Signer::es256("a"),
        Signer::ed25519("b"),
        Signer::rsa("c", "RS256"),
        Signer::rsa("d", "PS256"),
    ] {
        let door = Door::with(signer, json!({})).await;
        let answer = door.ask(json!({}), json!({})).await.expect(200);
        assert_eq!(answer.text("scope"), "write:payment");
        let named = door.signer.sign(json!({}), &door.claims(json!({})));
        let beside = [("client_id", door.client.id.as_str())];
        door.send_with(&named, &beside).await.expect(200);
    }
}

#[tokio::test]
async fn ca_3_ca_4_the_audience_is_our_issuer_alone_and_the_type_is_told_or_not() {
    let door = Door::new().await;
    for header in [
        json!({"typ": null}),
        json!({"typ": "JWT"}),
        json!({"typ": "jwt"}),
        json!({"typ": "client-authentication+jwt"}),
        json!({"typ": "application/client-authentication+jwt"}),
        json!({"kid": null}),
    ] {
        door.ask(header, json!({})).await.expect(200);
    }
    door.ask(json!({}), json!({"aud": [ISSUER]}))
        .await
        .expect(200);
    let token_endpoint = format!("{ISSUER}/oauth/token");
    for audience in [
        json!(token_endpoint),
        json!([token_endpoint]),
        json!([ISSUER, token_endpoint]),
        json!([ISSUER, ISSUER]),
        json!([ISSUER, "https://other.example.com"]),
        json!([]),
        json!(null),
        json!(7),
        json!({"a": 1}),
        json!("https://kagiya.test/"),
        json!("https://KAGIYA.test"),
        json!("https://kagiya.tes"),
    ] {
        let refused = door.ask(json!({}), json!({"aud": audience})).await;
        refused.oauth_error("invalid_client");
    }
    for typ in ["at+jwt", "application/at+jwt", "logout+jwt", ""] {
        let refused = door.ask(json!({"typ": typ}), json!({})).await;
        refused.oauth_error("invalid_client");
    }
}

#[tokio::test]
async fn ca_3_the_token_endpoint_is_taken_for_a_client_of_old_that_says_so() {
    let further = json!({"legacy_assertion_audience": true});
    let door = Door::with(Signer::es256("a"), further).await;
    let token_endpoint = format!("{ISSUER}/oauth/token");
    let audience = |value: Value| json!({"aud": value});
    for good in [json!(token_endpoint), json!(ISSUER)] {
        door.ask(json!({}), audience(good)).await.expect(200);
    }
    for bad in [
        json!([ISSUER, token_endpoint]),
        json!(format!("{ISSUER}/oauth/introspect")),
    ] {
        let refused = door.ask(json!({}), audience(bad)).await;
        refused.oauth_error("invalid_client");
    }
}

#[tokio::test]
async fn ca_2_ca_5_who_it_is_for_how_long_and_its_own_name_must_be_told() {
    let door = Door::new().await;
    let now = door.shop.app.now().as_second();
    for claims in [
        json!({"iss": null}),
        json!({"sub": null}),
        json!({"iss": "app_aaaaaaaaaaaaaaaaaaaaaaaaaa"}),
        json!({"sub": "app_aaaaaaaaaaaaaaaaaaaaaaaaaa"}),
        json!({"exp": null}),
        json!({"exp": now}),
        json!({"exp": now - 1}),
        json!({"exp": now + 331}),
        json!({"exp": "soon"}),
        json!({"exp": 1e300}),
        json!({"iat": now - 331}),
        json!({"iat": now + 31}),
        json!({"nbf": now + 31}),
        json!({"jti": null}),
        json!({"jti": ""}),
        json!({"jti": 7}),
        json!({"jti": "a".repeat(256)}),
    ] {
        let refused = door.ask(json!({}), claims.clone()).await;
        assert_eq!(refused["error"], "invalid_client", "{claims}");
    }
    for good in [
        json!({"exp": now + 300}),
        json!({"exp": now + 1}),
        json!({"iat": null}),
        json!({"iat": now - 299}),
        json!({"nbf": now - 3}),
    ] {
        door.ask(json!({}), good).await.expect(200);
    }
}

#[tokio::test]
async fn ca_5_an_assertion_is_good_once_and_after_a_restart_too() {
    let mut door = Door::new().await;
    let assertion = door.signer.sign(json!({}), &door.claims(json!({})));
    let ignored = json!({"jti": "another", "iat": null});
    door.send(&assertion).await.expect(200);
    door.send(&assertion).await.oauth_error("invalid_client");
    door.ask(json!({}), ignored.clone()).await.expect(200);
    // The same name in another text is the same assertion.
    let again = door.ask(json!({"typ": null}), ignored).await;
    again.oauth_error("invalid_client");
    door.shop = door.shop.again(TestApp::restart).await;
    door.send(&assertion).await.oauth_error("invalid_client");
    door.shop = door.shop.again(TestApp::restart).await;
    let text = String::from_utf8(door.shop.app.log().bytes()).unwrap();
    assert!(text.contains("client_assertion_replayed"), "{text}");
}

#[tokio::test]
async fn ca_5_of_many_who_bring_the_same_assertion_at_once_one_is_let_in() {
    let door = Door::new().await;
    let assertion = door.signer.sign(json!({}), &door.claims(json!({})));
    let all = futures_util::future::join_all((0..16).map(|_| door.send(&assertion))).await;
    let let_in = all.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(let_in, 1);
}

#[tokio::test]
async fn the_names_of_assertions_are_forgotten_when_they_cannot_be_used_any_more() {
    let mut door = Door::new().await;
    door.ask(json!({}), json!({})).await.expect(200);
    let kept = "SELECT count(*) AS number FROM used_assertions";
    assert_eq!(door.shop.app.count(kept).await, 1);
    door.shop.app.pass(329);
    door.shop = door.shop.again(TestApp::restart).await;
    assert_eq!(door.shop.app.count(kept).await, 1);
    door.shop.app.pass(1);
    door.shop = door.shop.again(TestApp::restart).await;
    for _ in 0..500 {
        if door.shop.app.count(kept).await == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it is kept");
}

#[tokio::test]
async fn another_clients_assertion_and_another_clients_key_let_nobody_in() {
    let door = Door::new().await;
    let signer = Signer::es256("first");
    let body = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": signer.jwks()});
    let other = make(&door.shop.app, body).await;
    let stolen = signer.sign(json!({}), &door.claims(json!({})));
    door.send(&stolen).await.oauth_error("invalid_client");
    let good = door.signer.sign(json!({}), &door.claims(json!({})));
    let misnamed = door.send_with(&good, &[("client_id", &other.id)]).await;
    misnamed.oauth_error("invalid_client");
    let secret = make(&door.shop.app, json!({})).await;
    let claims = json!({"iss": secret.id, "sub": secret.id});
    let refused = door.ask(json!({}), claims).await;
    refused.oauth_error("invalid_client");
    let other_type = [
        ("client_assertion_type", "urn:x"),
        ("client_assertion", &good),
    ];
    let refused = grant(&door.shop.app, &Anonymous, &other_type).await;
    refused.oauth_error("invalid_client");
    // None of that used it.
    door.send(&good).await.expect(200);
}

#[tokio::test]
async fn replaced_keys_count_at_once() {
    let door = Door::new().await;
    door.ask(json!({}), json!({})).await.expect(200);
    let fresh = Signer::ed25519("second");
    let patch = door.shop.app.patch(&door.client.path("")).operator();
    let patch = patch.json(json!({"jwks": fresh.jwks()}));
    patch.send().await.expect(200);
    door.ask(json!({}), json!({}))
        .await
        .oauth_error("invalid_client");
    let signed = fresh.sign(json!({}), &door.claims(json!({})));
    door.send(&signed).await.expect(200);
}
