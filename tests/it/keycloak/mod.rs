//! A real Keycloak: set up by `kagiya idp setup`, looked over by `kagiya idp check`, and used through all that can happen to it.
//! `provider/` has the life-cycle suite that it shares with every other provider.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod check;
mod economy;
mod outages;
mod owners;
mod passthrough;
mod resources;
mod rights;
mod setup;
mod sign_in;

use crate::support::test_app::PAYMENT;
use serde_json::{Value, json};

/// The body of a key that may read and write payments.
fn both() -> Value {
    json!({"permissions": [{"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}]})
}
