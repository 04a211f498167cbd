//! JSON Web Tokens: the keys that sign ours, how they rotate, how a token is minted and how one is checked.
//!
//! Pure computation: no I/O, no database, no clock. Tokens are JWS compact serialisations (RFC 7515 §7.1) of the
//! RFC 9068 profile. The way of one token: [`key_ring::KeyRing`] says which [`signing_key::SigningKey`] signs now,
//! [`mint`] writes the token, [`verify::Verifier`] takes it back.

pub mod claims;
pub mod client_assertion;
pub mod id_token;
pub mod jwk;
pub mod jws;
pub mod key_ring;
pub mod mint;
pub mod outside;
pub mod rotation;
pub mod signing_key;
mod strict_json;
pub mod verify;
