//! What tests of several areas start from.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

pub(crate) mod browser;
pub(crate) mod certificates;
pub(crate) mod corp;
pub(crate) mod credentials;
pub(crate) mod database;
pub(crate) mod fake_provider;
pub(crate) mod forge;
pub(crate) mod keycloak;
pub(crate) mod line;
pub(crate) mod node;
pub(crate) mod openid_issuer;
pub(crate) mod page;
pub(crate) mod process;
pub(crate) mod redactions;
pub(crate) mod signer;
pub(crate) mod test_app;
pub(crate) mod transcript;
pub(crate) mod verifier;
pub(crate) mod witness;
