//! Token exchange (RFC 8693): the world of a client, a gateway and the payment API behind it.

mod act;
mod chain;
mod keys;
mod narrow;
mod requests;
mod rules;

use serde_json::{Value, json};

use crate::applications::{Application, grant, machine_role, make};
use crate::support::credentials::Credential;
use crate::support::test_app::{MANAGEMENT, PAYMENT, Shop, TestApp, claims, merged};
use crate::support::transcript::Answer;

/// The grant.
pub(crate) const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The type of an access token.
pub(crate) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// The resource that the gateway is.
pub(crate) const GATEWAY: &str = "https://gateway.example.com";

/// A client that calls a gateway, which calls the payment API in its name.
pub(crate) struct World {
    pub(crate) shop: Shop,
    /// May call the gateway, and pay.
    pub(crate) client: Application,
    pub(crate) gateway: Application,
    /// Its rule.
    pub(crate) rule: String,
}

/// Trades an access token of ours as this client.
pub(crate) async fn exchange(
    app: &TestApp,
    by: &impl Credential,
    subject_token: &str,
    further: &[(&str, &str)],
) -> Answer {
    let form = [
        &[
            ("grant_type", GRANT),
            ("subject_token", subject_token),
            ("subject_token_type", ACCESS_TOKEN),
        ],
        further,
    ]
    .concat();
    app.post("/oauth/token").by(by).form(&form).send().await
}

/// Makes a rule; its id.
pub(crate) async fn rule(app: &TestApp, body: Value) -> String {
    let answer = app.post("/v1/exchange-rules").operator().json(body);
    answer.send().await.expect(201).text("id")
}

/// An application with a role of its own that bundles this.
pub(crate) async fn holder(app: &TestApp, name: &str, permissions: Value) -> Application {
    let role = machine_role(app, name, permissions).await;
    make(app, json!({"name": name, "roles": [role]})).await
}

/// The body of the gateway's rule, changed by `further`.
pub(crate) fn gateway_rule(gateway: &Application, further: Value) -> Value {
    let usual = json!({
        "application_id": gateway.id, "subject_resource": GATEWAY, "requires_scope": ["call:payment"],
        "target_resource": PAYMENT, "scopes": ["write:payment"],
    });
    merged(usual, further)
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(json!({})).await
    }

    /// With a rule that says this.
    pub(crate) async fn with(rule_says: Value) -> Self {
        let shop = Shop::new().await;
        let app = &shop.app;
        app.resource(GATEWAY, &["call:payment", "call:cart"]).await;
        let client = holder(
            app,
            "client",
            json!([
                {"resource": GATEWAY, "scopes": ["call:payment", "call:cart"]},
                {"resource": PAYMENT, "scopes": ["write:payment"]},
            ]),
        )
        .await;
        let gateway = make(app, json!({"name": "gateway"})).await;
        let rule = rule(app, gateway_rule(&gateway, rule_says)).await;
        Self {
            shop,
            client,
            gateway,
            rule,
        }
    }

    /// A token of the client for the gateway.
    pub(crate) async fn token(&self) -> String {
        self.token_for(&[]).await
    }

    /// One with this scope.
    pub(crate) async fn token_for(&self, further: &[(&str, &str)]) -> String {
        let asked = [&[("resource", GATEWAY)], further].concat();
        let answer = grant(&self.shop.app, &self.client, &asked).await;
        answer.expect(200).text("access_token")
    }

    /// What the gateway gets for a token.
    pub(crate) async fn trade(&self, token: &str, further: &[(&str, &str)]) -> Answer {
        exchange(&self.shop.app, &self.gateway, token, further).await
    }

    /// The token that the gateway gets.
    pub(crate) async fn traded(&self, token: &str) -> String {
        self.trade(token, &[])
            .await
            .expect(200)
            .text("access_token")
    }

    /// Changes the gateway's rule.
    pub(crate) async fn change_rule(&self, body: Value) {
        let path = format!("/v1/exchange-rules/{}", self.rule);
        let change = self.shop.app.patch(&path).operator().json(body);
        change.send().await.expect(200);
    }
}

/// Who may ask about everything.
pub(crate) async fn auditor(app: &TestApp) -> Application {
    let scopes = json!([{"resource": MANAGEMENT, "scopes": ["tokens:introspect"]}]);
    holder(app, "auditor", scopes).await
}

#[tokio::test]
async fn te_9_te_10_te_16_te_17_the_gateway_gets_a_token_for_the_same_subject_in_which_it_acts() {
    let world = World::new().await;
    let token = world.token().await;
    world.shop.app.pass(100);
    let answer = world.trade(&token, &[]).await.expect(200);
    assert_eq!(
        answer.redacted(),
        json!({
            "access_token": "[jwt]", "token_type": "Bearer", "expires_in": 200, "scope": "write:payment",
            "issued_token_type": ACCESS_TOKEN,
        })
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let (before, after) = (claims(&token), claims(&answer.text("access_token")));
    assert_eq!(after["sub"], before["sub"]);
    assert_eq!(after["aud"], PAYMENT);
    assert_eq!(after["client_id"], world.gateway.id.as_str());
    assert_eq!(after["act"], json!({"sub": world.gateway.id}));
    assert_eq!(
        after["exp"], before["exp"],
        "the output does not outlive the input"
    );
    assert_eq!(after["fam"], before["jti"]);
    assert_ne!(after["jti"], before["jti"]);
    assert_eq!(after["scope"], "write:payment");
    // TE-12: the subject token is not used up.
    world.trade(&token, &[]).await.expect(200);
}

#[tokio::test]
async fn te_12_the_output_lives_as_long_as_its_resource_says_and_never_longer_than_the_input() {
    let world = World::new().await;
    let app = &world.shop.app;
    let path = format!("/v1/resources/{}", world.shop.payment);
    let shorten = app
        .patch(&path)
        .operator()
        .json(json!({"token_lifetime": 60}));
    shorten.send().await.expect(200);
    let token = world.token().await;
    let answer = world.trade(&token, &[]).await.expect(200);
    assert_eq!(answer["expires_in"], 60);
    app.pass(299);
    let answer = world.trade(&token, &[]).await.expect(200);
    assert_eq!(answer["expires_in"], 1);
    app.pass(1);
    let answer = world.trade(&token, &[]).await;
    answer.oauth_error("invalid_request");
}

#[tokio::test]
async fn te_21_a_trade_is_on_record_before_its_answer_and_a_refusal_too() {
    let world = World::new().await;
    let app = &world.shop.app;
    let token = world.token().await;
    let traded = world.traded(&token).await;
    let low = world.token_for(&[("scope", "call:cart")]).await;
    world.trade(&low, &[]).await.oauth_error("invalid_request");
    let events = async |action: &str| {
        let path = format!("/v1/audit-events?action={action}");
        let answer = app.get(&path).operator().send().await.expect(200);
        answer["items"].as_array().unwrap().clone()
    };
    let done = events("token.exchanged").await;
    assert_eq!(done.len(), 1);
    let (event, new) = (&done[0], claims(&traded));
    assert_eq!(event["actor"], world.gateway.id.as_str());
    assert_eq!(event["subject"], world.client.id.as_str());
    let details = &event["details"];
    assert_eq!(details["jti"], new["jti"]);
    assert_eq!(details["input"]["jti"], claims(&token)["jti"]);
    assert_eq!(details["act"], new["act"]);
    assert_eq!(details["rule"], world.rule.as_str());
    assert_eq!(
        (&details["aud"], &details["scope"]),
        (&new["aud"], &new["scope"])
    );
    let refused = events("token.exchange_refused").await;
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["details"]["reason"], "subject_lacks_scope");
    assert_eq!(refused[0]["actor"], world.gateway.id.as_str());
}
