//! Verifies the access tokens of a kagiya deployment in the service that they are meant for, without a call per request.
//!
//! A [`Verifier`] keeps the issuer's JWK set and the list of what was revoked, and refreshes both in the background. A token is good when
//! its signature, `typ`, `iss`, `aud` and times are (RFC 9068 §4) and nothing that it names was revoked; what it permits is for each
//! operation to ask ([`Claims::permits`]). Refusals are those of RFC 6750 §3, and an outage of the issuer is never told as a bad token.
//!
//! ```no_run
//! # async fn example() -> Result<(), kagiya_verify::Refusal> {
//! use kagiya_verify::Verifier;
//!
//! // Once a process, within a tokio runtime.
//! let verifier = Verifier::builder("https://keys.example.com", "https://payment.example.com/api").start();
//! let claims = verifier.verify("eyJ…").await?;
//! claims.require("write:payment")?;
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `actix`, [`actix::Token`] is an extractor; with `tower`, [`tower::RequireToken`] a layer.

mod authorization;
mod claims;
mod fetch;
mod keys;
mod refresh;
mod refusal;
mod revoked;
mod verifier;

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "tower")]
pub mod tower;

pub use self::authorization::bearer;
pub use self::claims::{Claims, Owner};
pub use self::refusal::Refusal;
pub use self::verifier::{Builder, Verifier};
