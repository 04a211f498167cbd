//! The metadata documents (RFC 8414) list exactly what works: the test walks them and tries each entry.

use serde_json::{Value, json};

use crate::applications::{Application, machine_role, make};
use crate::support::credentials::{Anonymous, Basic};
use crate::support::signer::Signer;
use crate::support::test_app::{ISSUER, PAYMENT, Shop, TestApp};
use crate::support::transcript::Answer;

const DOCUMENTS: [&str; 2] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
];
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

async fn document(app: &TestApp) -> Value {
    let answer = app.get(DOCUMENTS[0]).send().await.expect(200);
    answer.json().clone()
}

#[tokio::test]
async fn md_1_md_2_md_3_both_documents_are_one_that_anybody_may_keep_for_an_hour() {
    let app = TestApp::new().await;
    let mut bodies = Vec::new();
    for path in DOCUMENTS {
        let answer = app.get(path).send().await.expect(200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let tag = answer.header("etag").unwrap().to_owned();
        let again = app.get(path).header("If-None-Match", &tag).send().await;
        assert_eq!(again.header("etag"), Some(tag.as_str()));
        again.expect(304);
        bodies.push(answer.body);
    }
    assert_eq!(bodies[0], bodies[1]);
    let document = document(&app).await;
    assert_eq!(document["issuer"], ISSUER);
    for (name, value) in document.as_object().unwrap() {
        assert_ne!(*value, json!([]), "{name}");
        assert!(!value.is_null(), "{name}");
    }
    assert!(document.get("authorization_endpoint").is_none(), "MD-4");
    assert_eq!(document["response_types_supported"], json!(["none"]));
    let other = app.get("/.well-known/oauth-authorization-server/kagiya");
    other.send().await.problem("not_found");
    let query = format!("{}?x=1", DOCUMENTS[0]);
    let query = app.get(&query).send().await;
    assert_eq!(query.status, 422);
}

#[tokio::test]
async fn md_8_no_header_changes_the_issuer() {
    let app = TestApp::new().await;
    let plain = app.get(DOCUMENTS[0]).send().await.expect(200);
    let bent = app
        .get(DOCUMENTS[0])
        .header("X-Forwarded-Host", "evil.example.com")
        .header("X-Forwarded-Proto", "http")
        .header("Forwarded", "host=evil.example.com;proto=http");
    assert_eq!(bent.send().await.expect(200).body, plain.body);
}

#[tokio::test]
async fn md_2_an_issuer_with_a_path_is_found_where_clients_look_for_it() {
    let setup = TestApp::setup().issuer("https://kagiya.test/keys/v2");
    let app = setup.start().await;
    for found in [
        "/.well-known/oauth-authorization-server/keys/v2",
        "/.well-known/openid-configuration/keys/v2",
        // As a proxy asks that takes the path away: {issuer}/.well-known/openid-configuration.
        "/.well-known/openid-configuration",
    ] {
        let answer = app.get(found).send().await.expect(200);
        assert_eq!(answer["issuer"], "https://kagiya.test/keys/v2");
        assert_eq!(
            answer["token_endpoint"],
            "https://kagiya.test/keys/v2/oauth/token"
        );
    }
    for other in ["keys", "keys/v2/", "keys/v2/x", "Keys/v2"] {
        let path = format!("/.well-known/oauth-authorization-server/{other}");
        app.get(&path).send().await.problem("not_found");
    }
}

/// A client that proves who it is in one way.
struct Walker {
    shop: Shop,
    role: String,
    number: std::cell::Cell<u32>,
}

impl Walker {
    async fn new() -> Self {
        let shop = Shop::new().await;
        let payment = json!([{"resource": PAYMENT, "scopes": ["write:payment"]}]);
        let role = machine_role(&shop.app, "checkout", payment).await;
        Self {
            shop,
            role,
            number: std::cell::Cell::new(0),
        }
    }

    async fn client(&self, method: &str, signer: Option<&Signer>) -> Application {
        let jwks = signer.map(Signer::jwks);
        let body = json!({
            "roles": [self.role], "token_endpoint_auth_method": method, "jwks": jwks, "resources": [self.shop.payment],
        });
        make(&self.shop.app, body).await
    }

    /// Calls an endpoint of the document as this client.
    async fn call(
        &self,
        endpoint: &Value,
        client: &Application,
        signer: Option<&Signer>,
        form: &[(&str, &str)],
    ) -> Answer {
        let path = endpoint.as_str().unwrap().strip_prefix(ISSUER).unwrap();
        let request = self.shop.app.post(path);
        let method = client.object["token_endpoint_auth_method"]
            .as_str()
            .unwrap();
        if let Some(signer) = signer {
            self.number.set(self.number.get() + 1);
            let claims = json!({
                "iss": client.id, "sub": client.id, "aud": ISSUER, "jti": format!("{}", self.number.get()),
                "exp": self.shop.app.now().as_second() + 60,
            });
            let assertion = signer.sign(json!({}), &claims);
            let proof = [
                ("client_assertion_type", ASSERTION),
                ("client_assertion", &assertion),
            ];
            return request.form(&[form, &proof].concat()).send().await;
        }
        if method == "client_secret_post" {
            let proof = [
                ("client_id", client.id.as_str()),
                ("client_secret", client.secret.as_str()),
            ];
            return request
                .by(&Anonymous)
                .form(&[form, &proof].concat())
                .send()
                .await;
        }
        let basic = Basic(&client.id, &client.secret);
        request.by(&basic).form(form).send().await
    }
}

#[tokio::test]
async fn md_5_md_6_md_7_everything_that_is_listed_works() {
    let walker = Walker::new().await;
    let app = &walker.shop.app;
    let document = document(app).await;
    let list = |name: &str| -> Vec<String> {
        let items = document[name]
            .as_array()
            .unwrap_or_else(|| panic!("{name}"));
        items
            .iter()
            .map(|item| item.as_str().unwrap().to_owned())
            .collect()
    };
    for name in ["jwks_uri", "service_documentation"] {
        let url = document[name].as_str().unwrap();
        let path = url.strip_prefix(ISSUER).unwrap();
        app.get(path).send().await.expect(200);
    }
    let mut known = vec![
        "issuer",
        "jwks_uri",
        "service_documentation",
        "response_types_supported",
        "grant_types_supported",
    ];
    for endpoint in [
        "token_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
    ] {
        let methods = format!("{endpoint}_auth_methods_supported");
        let algorithms = format!("{endpoint}_auth_signing_alg_values_supported");
        assert!(!list(&algorithms).iter().any(|name| name == "none"), "MD-6");
        let mut clients = Vec::new();
        for method in list(&methods) {
            if method != "private_key_jwt" {
                clients.push((walker.client(&method, None).await, None));
                continue;
            }
            for algorithm in list(&algorithms) {
                let signer = match algorithm.as_str() {
                    "ES256" => Signer::es256("a"),
                    "EdDSA" => Signer::ed25519("a"),
                    "RS256" => Signer::rsa("a", "RS256"),
                    "PS256" => Signer::rsa("a", "PS256"),
                    other => panic!("an algorithm that nothing tries: {other}"),
                };
                clients.push((walker.client(&method, Some(&signer)).await, Some(signer)));
            }
        }
        for (client, signer) in &clients {
            let signer = signer.as_ref();
            let call = async |endpoint: &str, form: &[(&str, &str)]| {
                walker.call(&document[endpoint], client, signer, form).await
            };
            let form = [("grant_type", "client_credentials")];
            let token = call("token_endpoint", &form).await.expect(200);
            let token = token.text("access_token");
            let form = [("token", token.as_str())];
            match endpoint {
                "introspection_endpoint" => {
                    assert_eq!(call(endpoint, &form).await.expect(200)["active"], true);
                }
                "revocation_endpoint" => drop(call(endpoint, &form).await.expect(200)),
                _ => {}
            }
        }
        known.push(endpoint);
        known.extend([&*methods.leak(), &*algorithms.leak()]);
    }
    for name in document.as_object().unwrap().keys() {
        assert!(known.contains(&name.as_str()), "nothing tries {name}");
    }
    // What a grant does has its own tests; here that each is known, and no other.
    let client = walker.client("client_secret_basic", None).await;
    for grant in list("grant_types_supported") {
        let form = [("grant_type", grant.as_str())];
        let answer = walker
            .call(&document["token_endpoint"], &client, None, &form)
            .await;
        assert_ne!(answer["error"], "unsupported_grant_type", "{grant}");
    }
}
