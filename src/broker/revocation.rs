//! A client ends a token of its own before it expires (RFC 7009). What was made of the token ends with it.

use std::sync::Arc;

use serde_json::json;
use thiserror::Error as ThisError;

use super::authentication::Refusal;
use super::{Broker, Client, Record, Stopped, audit};
use crate::domain::audit::Origin;
use crate::store::revoked_tokens::{self, RevokedToken};
use crate::store::{self, Change};

/// Why a token is not revoked.
#[derive(Debug, ThisError)]
pub enum RevocationRefusal {
    /// It was issued to somebody else.
    #[error("the token was issued to another client")]
    AnothersToken,
    /// It is not durable.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Broker {
    /// Whether a text is meant as an API key, by its prefix.
    pub fn looks_like_a_key(&self, text: &str) -> bool {
        self.settings.prefixes.begin(text)
    }

    /// Ends a token that was issued to this client; from the answer on it is refused here. One that is not good by itself, or was
    /// revoked before, is done.
    ///
    /// # Errors
    /// See [`RevocationRefusal`].
    pub async fn revoke_token(
        &self,
        client: &Client,
        text: &str,
        origin: Origin,
    ) -> Result<(), RevocationRefusal> {
        let now = self.now();
        let verified = self.signing.load().verifier.verify_for_any(text, now);
        let Ok(verified) = verified else {
            return Ok(());
        };
        let claims = verified.claims;
        if claims.client_id != client.id().as_str() {
            return Err(RevocationRefusal::AnothersToken);
        }
        let details = json!({"sub": claims.sub, "aud": claims.aud, "fam": claims.family});
        let organization = client.organization_id();
        let event = self.event(&origin, "token.revoked", &claims.jti, organization, details);
        let token = RevokedToken {
            jti: claims.jti,
            expires_at: claims.exp,
        };
        let client = client.id();
        let revoked = self.store.write(move |tx| {
            if !revoked_tokens::revoke(tx, &token, client.as_str(), now)? {
                return Ok(());
            }
            tx.changed(Change::Token {
                jti: token.jti,
                expires_at: token.expires_at,
            });
            audit::append(tx, &event)
        });
        Ok(revoked.await?)
    }

    /// Stops an API key by its possession; one that is dead already is done.
    ///
    /// # Errors
    /// As for a wrong key.
    pub async fn revoke_presented_key(
        self: &Arc<Self>,
        presented: &[u8],
        origin: Origin,
    ) -> Result<Option<Arc<Record>>, Refusal> {
        match self.revoke_own_key(presented, origin).await {
            Ok(record) => Ok(Some(record)),
            Err(Refusal::Stopped(Stopped::Revoked | Stopped::Rotated)) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }
}
