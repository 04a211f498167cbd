//! Who acts, by a token of his own (RFC 8693 §2.1, `actor_token`).

use jiff::Timestamp;

use super::{Identity, PresentedToken, TokenKind};
use crate::broker::grant::{BadToken, GrantRefusal};
use crate::broker::{Broker, Client};
use crate::store::exchanged_tokens::ActorToken;

/// Somebody who proved who he is.
pub(super) struct Actor {
    /// Who he is.
    pub(super) identity: Identity,
    /// The token that proved it, for the record.
    pub(super) token: ActorToken,
    /// When it expires: what he does by it does not outlive it.
    pub(super) exp: Timestamp,
}

impl Broker {
    /// Who acts by this token, which must be the client's business: issued to it, or meant for a resource that it serves.
    pub(super) async fn actor(
        &self,
        client: &Client,
        presented: PresentedToken<'_>,
    ) -> Result<Actor, GrantRefusal> {
        if presented.kind != TokenKind::AccessToken || presented.issuer.is_some() {
            return Err(GrantRefusal::Actor(BadToken::Kind));
        }
        self.own_actor(client, presented.token).await
    }

    async fn own_actor(&self, client: &Client, token: &str) -> Result<Actor, GrantRefusal> {
        let bad = GrantRefusal::Actor;
        let verified = self
            .signing
            .load()
            .verifier
            .verify_for_any(token, self.now())
            .map_err(|error| bad(BadToken::Own(error)))?;
        let claims = &verified.claims;
        let is_its_business = claims.client_id == client.id().as_str()
            || claims.aud.iter().any(|audience| client.serves(audience));
        // An actor speaks for himself: whoever acts for him would be left out of the new token.
        if !is_its_business || claims.act.is_some() {
            return Err(bad(BadToken::Anothers));
        }
        let life = self.life(&verified).await?;
        if life.is_none_or(|life| life.scope.is_empty()) {
            return Err(bad(BadToken::Dead));
        }
        let claims = verified.claims;
        let generation = claims.generation.as_deref();
        let generation = generation.and_then(|text| text.parse().ok());
        Ok(Actor {
            token: ActorToken::Own {
                jti: claims.jti,
                kid: verified.kid,
                subject: claims.sub.clone(),
                generation,
            },
            exp: claims.exp,
            identity: Identity {
                iss: claims.iss,
                sub: claims.sub,
                client_id: Some(claims.client_id),
            },
        })
    }
}
