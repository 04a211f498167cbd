//! `/oauth/…`: the authorization server.

mod assertions;
mod authentication;
mod client_credentials;
mod token;
