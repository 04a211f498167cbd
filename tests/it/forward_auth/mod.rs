//! `ANY /forward-auth`, as gateways ask it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod answers;
mod dialects;
mod routes;
mod tokens;

use kagiya::config::Config;
use kagiya::domain::gateway::Gateway;
use kagiya::domain::route_table::{Route, RouteTable};
use serde_json::Value;

use crate::support::test_app::{PAYMENT, Setup, TestApp};
use crate::support::transcript::Answer;

/// The headers of a yes that go to the service.
const IDENTITY: [&str; 4] = [
    "authorization",
    "x-kagiya-key-id",
    "x-kagiya-org-id",
    "x-kagiya-scope",
];

/// The payment API's routes.
fn routes() -> RouteTable {
    let route = |methods: &[&str], path: &str, scopes: &[&str]| Route {
        methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        path: path.to_owned(),
        resource: PAYMENT.parse().unwrap(),
        scopes: scopes.iter().map(|scope| scope.parse().unwrap()).collect(),
    };
    RouteTable::new(&[
        route(&["GET"], "/payments", &["read:payment"]),
        route(&["GET"], "/payments/{id}", &["read:payment"]),
        route(&["POST"], "/payments", &["write:payment"]),
        route(&["GET"], "/status", &[]),
        route(&["GET"], "/typo", &["raed:payment"]),
    ])
    .unwrap()
}

/// An application in front of which this gateway stands.
fn behind(gateway: Gateway) -> Setup {
    TestApp::setup().config(|config: &mut Config| {
        config.forward_auth.proxy = Some(gateway);
        config.routes.table = routes();
    })
}

/// The claims of the token that the service gets.
fn token(answer: &Answer) -> Value {
    let bearer = answer.header("authorization").unwrap();
    crate::support::test_app::claims(bearer.strip_prefix("Bearer ").unwrap())
}
