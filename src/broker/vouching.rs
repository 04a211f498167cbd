//! kagiya vouches for the machine users of its keys: an assertion (RFC 7523) for a provider that knows this deployment as an issuer.
//!
//! It is signed by the keys that sign tokens, which the provider finds in our JWK set; its `typ` keeps it from ever being taken for one.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::signing_keys::Signing;
use crate::domain::algorithm::SigningAlgorithm;
use crate::domain::clock::Clock;
use crate::domain::random::Random;
use crate::domain::secret::SecretText;
use crate::idp::Vouch;
use crate::token::mint::{Jti, assertion};

/// Who vouches.
pub(super) struct Voucher {
    pub(super) issuer: String,
    pub(super) algorithm: SigningAlgorithm,
    pub(super) signing: Arc<ArcSwap<Signing>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
}

impl Vouch for Voucher {
    fn assertion(&self, audience: &str, subject: &str, lifetime: Duration) -> Option<SecretText> {
        let signing = self.signing.load();
        let key = signing.ring.active(self.algorithm)?;
        let now = self.clock.now();
        let claims = serde_json::json!({
            "iss": self.issuer, "sub": subject, "aud": audience, "iat": now.as_second(),
            "exp": now.checked_add(lifetime).unwrap_or(now).as_second(),
            "jti": Jti::generate(&*self.random).as_str(),
        });
        let signed = assertion(key, &claims);
        match signed {
            Ok(text) => Some(SecretText::new(text)),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "no assertion can be signed");
                None
            }
        }
    }
}
