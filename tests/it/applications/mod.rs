//! `/v1/applications`: machine-to-machine clients, their secrets and roles, and who may have them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod change;
mod create;
mod delete;
mod secrets;
mod widening;

use serde_json::{Value, json};

use crate::support::credentials::{Basic, Credential};
use crate::support::test_app::{PAYMENT, Shop, TestApp, merged};
use crate::support::transcript::Answer;

/// An application with its secret.
#[derive(Clone)]
pub(crate) struct Application {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) object: Value,
}

impl Credential for Application {
    fn header(&self, app: &TestApp) -> Option<(&'static str, String)> {
        Basic(&self.id, &self.secret).header(app)
    }
}

impl Application {
    /// From the answer that shows it.
    pub(crate) fn read(answer: Answer) -> Self {
        Self {
            id: answer.text("client_id"),
            secret: answer["client_secret"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            object: answer.json().clone(),
        }
    }

    /// Its path, and of what is below it.
    pub(crate) fn path(&self, below: &str) -> String {
        format!("/v1/applications/{}{below}", self.id)
    }
}

/// Makes a machine-to-machine role; its id.
pub(crate) async fn machine_role(app: &TestApp, name: &str, permissions: Value) -> String {
    let body = json!({"name": name, "kind": "machine_to_machine", "permissions": permissions});
    let answer = app.post("/v1/roles").operator().json(body).send().await;
    answer.expect(201).text("id")
}

/// Makes an application as the operator.
pub(crate) async fn make(app: &TestApp, body: Value) -> Application {
    let body = merged(json!({"name": "cart service"}), body);
    let answer = app.post("/v1/applications").operator().json(body);
    Application::read(answer.send().await.expect(201))
}

/// An application of the deployment that may pay.
pub(crate) async fn cart_service(shop: &Shop) -> Application {
    let payment = json!([{"resource": PAYMENT, "scopes": ["write:payment"]}]);
    let role = machine_role(&shop.app, "checkout", payment).await;
    make(&shop.app, json!({"roles": [role]})).await
}

/// Asks for a token as this client.
pub(crate) async fn grant(
    app: &TestApp,
    client: &impl Credential,
    further: &[(&str, &str)],
) -> Answer {
    let form = [&[("grant_type", "client_credentials")], further].concat();
    app.post("/oauth/token").by(client).form(&form).send().await
}
