//! `/oauth/…`: the authorization server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod assertions;
mod attacks;
mod authentication;
mod client_credentials;
pub(crate) mod exchange;
pub(crate) mod introspect;
mod lattice;
mod metadata;
mod revocations;
mod revoke;
mod token;
