//! Pure types and rules of kagiya: what a key is, what a permission is, who may be in which state.
//!
//! Nothing here waits, reads a clock, draws a random number or touches a disk: time and randomness come in as
//! [`clock::Clock`] and [`random::Random`]. Values are parsed once, at the edge; a value of a type of this floor is valid.

pub mod algorithm;
pub mod allowance;
pub mod api_key;
pub mod application;
pub mod audit;
pub mod audit_chain;
pub mod base32;
pub mod base62;
pub mod browser_secret;
pub mod client_secret;
pub mod clock;
pub mod credential;
pub mod exchange_rule;
pub mod gateway;
pub mod id;
pub mod issuer;
pub mod key_tag;
pub mod lifecycle;
pub mod limits;
pub mod metadata;
pub mod organization;
pub mod owner_gone;
pub mod password;
pub mod permission;
pub mod plaintext_key;
pub mod prefix;
pub mod provider_name;
pub mod purpose;
pub mod random;
pub mod refusal;
pub mod request_path;
pub mod resource;
pub mod role;
pub mod route_table;
pub mod scope;
pub mod sealed;
pub mod secret;
pub mod sign_in;
pub mod subject;
pub mod text;
pub mod user;
