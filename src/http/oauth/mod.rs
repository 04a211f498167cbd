//! The OAuth 2.0 authorization server's endpoints: token, introspection, revocation, metadata.
//!
//! They speak the RFCs' own language: forms in, JSON out, and errors as RFC 6749 §5.2 writes them, whatever went wrong; the conventions
//! of the management API do not hold here. Each endpoint is a file; [`parameters`] reads a form, [`client`] finds out who asks,
//! [`error`] is the one error type.

pub mod client;
pub mod error;
mod exchange;
pub mod introspect;
pub mod metadata;
pub mod parameters;
pub mod revoke;
pub mod token;

/// What every path of these endpoints starts with.
pub const PATHS: &str = "/oauth/";
