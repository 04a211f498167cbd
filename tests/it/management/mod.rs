//! Who may manage what: the operator, and keys that hold rights on the management API.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod tenancy;
mod tokens;
mod widening;

use serde_json::{Value, json};

use crate::support::credentials::{Credential, Key};
use crate::support::test_app::{Issued, MANAGEMENT, Shop, TestApp};

/// A key that manages, by the token that it was traded for.
pub(crate) struct Manager {
    pub(crate) key: Issued,
    pub(crate) token: String,
}

impl Credential for Manager {
    fn header(&self, _: &TestApp) -> Option<(&'static str, String)> {
        Some(("Authorization", format!("Bearer {}", self.token)))
    }
}

/// A key of the shop's organization with these scopes of the management API, and what else `permissions` says.
pub(crate) async fn manager_with(
    shop: &Shop,
    scopes: &[&str],
    permissions: Value,
    further: Value,
) -> Manager {
    let mut all = vec![json!({"resource": MANAGEMENT, "scopes": scopes})];
    all.extend(permissions.as_array().unwrap().iter().cloned());
    let body = json!({"permissions": all, "default_resource": MANAGEMENT});
    let key = shop
        .issue(crate::support::test_app::merged(body, further))
        .await;
    let token = management_token(shop, &key).await;
    Manager { key, token }
}

/// The same with nothing else.
pub(crate) async fn manager(shop: &Shop, scopes: &[&str]) -> Manager {
    manager_with(shop, scopes, json!([]), json!({})).await
}

/// The token for the management API that a key is traded for.
pub(crate) async fn management_token(shop: &Shop, key: &Issued) -> String {
    let request = shop.app.post("/v1/token").by(&Key(&key.key));
    let answer = request.json(json!({"resource": MANAGEMENT})).send().await;
    answer.expect(200).text("access_token")
}
