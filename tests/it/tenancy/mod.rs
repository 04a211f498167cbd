//! Tenants: what an organization may use, who is in it, whose keys are whose, and that nobody sees or gives what is not his.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod ceiling;
mod kept_answers;
mod lattice;
mod members;
mod owners;
mod people;
mod races;
mod roles;
mod users;
mod waits;
mod walk;

use serde_json::{Value, json};

use crate::support::test_app::{PAYMENT, Shop, TestApp};
use crate::support::transcript::Answer;

/// The issuer of the people in these tests.
pub(crate) const SSO: &str = "https://sso.example.com";

/// Makes a person known; his id.
pub(crate) async fn user(app: &TestApp, sub: &str) -> String {
    let body = json!({"iss": SSO, "sub": sub});
    let answer = app.post("/v1/users").operator().json(body).send().await;
    answer.expect(201).text("id")
}

/// Makes a role for people with these scopes at the payment service; its id.
pub(crate) async fn role(app: &TestApp, name: &str, scopes: &[&str]) -> String {
    let permissions = if scopes.is_empty() {
        json!([])
    } else {
        json!([{"resource": PAYMENT, "scopes": scopes}])
    };
    let body = json!({"name": name, "kind": "user", "permissions": permissions});
    let answer = app.post("/v1/roles").operator().json(body).send().await;
    answer.expect(201).text("id")
}

/// Makes a person what he is in an organization, as the operator.
pub(crate) async fn put_member(
    app: &TestApp,
    (organization, user): (&str, &str),
    role: &str,
    roles: &[&str],
) -> Answer {
    let path = format!("/v1/organizations/{organization}/members/{user}");
    let body = json!({"role": role, "roles": roles});
    app.put(&path).operator().json(body).send().await
}

/// The shop with a member who holds these scopes by a role; his id and the role's.
pub(crate) async fn shop_with_member(scopes: &[&str]) -> (Shop, String, String) {
    let shop = Shop::new().await;
    let user = user(&shop.app, "ann").await;
    let role = role(&shop.app, "clerk", scopes).await;
    put_member(&shop.app, (&shop.organization, &user), "member", &[&role])
        .await
        .expect(201);
    (shop, user, role)
}

/// What a key's token carries at the payment service; nothing if there is none for it.
pub(crate) async fn scope(app: &TestApp, key: &str) -> Option<String> {
    let answer = app.trade(key).await;
    if answer.status == 400 {
        answer.problem("invalid_target");
        return None;
    }
    Some(answer.expect(200).text("scope"))
}

/// Replaces what an organization may use.
pub(crate) async fn set_ceiling(shop: &Shop, permissions: Value) -> Answer {
    let path = format!("/v1/organizations/{}/permissions", shop.organization);
    let body = json!({"permissions": permissions});
    shop.app.put(&path).operator().json(body).send().await
}
