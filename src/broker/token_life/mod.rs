//! Whether a token of ours that is good by itself still counts, and what it still permits.
//!
//! A token is as alive as all that it stands on: the generation of its key, its application, the clients that asked for it and for what
//! it was made of, the tokens that it was made of and of those who act, the keys that signed them, and the rules by which it was made.
//! What it permits is what it says, as far as all of them give it now (RFC 7662 §4).

mod chain;
mod holder;

use thiserror::Error as ThisError;

use std::sync::Arc;

use self::chain::Chain;
pub(super) use self::holder::{Holder, REMEMBERED};
use super::Broker;
use crate::domain::id::ApplicationId;
use crate::domain::scope::ScopeSet;
use crate::idp;
use crate::store::{self, exchanged_tokens};
use crate::token::claims::VerifiedClaims;
use crate::token::verify::VerifiedToken;

/// The most trades that may lie behind a token.
pub(super) const MOST_TRADES: u32 = 32;

/// What is left of a token.
pub(super) struct Life {
    /// Whom it stands for.
    pub(super) holder: Holder,
    /// What it permits now; it may be nothing.
    pub(super) scope: ScopeSet,
    /// How many trades lie behind it.
    pub(super) trades: u32,
}

/// Why that cannot be told.
#[derive(Debug, ThisError)]
pub enum LifeError {
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The identity provider of the token's key is not configured.
    #[error(transparent)]
    Provider(Arc<idp::Error>),
}

impl Broker {
    /// What is left of a token whose signature and time are good; `None`: nothing.
    ///
    /// # Errors
    /// See [`LifeError`].
    pub(super) async fn life(&self, token: &VerifiedToken) -> Result<Option<Life>, LifeError> {
        let claims = &token.claims;
        let [audience] = claims.aud.as_slice() else {
            return Ok(None);
        };
        let Some(chain) = self.chain(claims).await? else {
            return Ok(None);
        };
        let mut ids = vec![claims.jti.as_str(), claims.family()];
        ids.extend(chain.ids());
        if self.any_revoked(&ids).await? {
            return Ok(None);
        }
        let signing = self.signing.load_full();
        if !chain.kids().all(|kid| signing.verifier.knows(kid)) {
            return Ok(None);
        }
        // A key, or an operator, is its own client, and looked at as the subject.
        let its_own = (claims.client_id != claims.sub).then_some(claims.client_id.as_str());
        for client in chain.clients().chain(its_own) {
            if !self.is_live_client(client).await? {
                return Ok(None);
            }
        }
        for (subject, generation) in chain.actors() {
            if !self.is_live_actor(subject, generation).await? {
                return Ok(None);
            }
        }
        let Some(holder) = self
            .holder(&claims.sub, claims.generation.as_deref())
            .await?
        else {
            return Ok(None);
        };
        let scope = if chain.is_empty() {
            holder.holds(audience, &claims.scope)
        } else {
            let rules = self.known_rules().await?;
            chain.scope_now(audience, &claims.scope, &holder, &rules)
        };
        Ok(Some(Life {
            holder,
            scope,
            trades: chain.trades(claims),
        }))
    }

    /// What a token was made of; `None` if that should be on record and is not.
    async fn chain(&self, claims: &VerifiedClaims) -> Result<Option<Chain>, store::Error> {
        if claims.family.is_none() {
            return Ok(Some(Chain::default()));
        }
        let jti = claims.jti.clone();
        let found = self
            .store
            .read_hot(move |connection| {
                exchanged_tokens::with_ancestors(connection, &jti, 4 * MOST_TRADES as usize)
            })
            .await?;
        let chain = Chain::new(found);
        // Only who narrows a first token of his own leaves no row.
        let needs_none = claims.act.is_none() && claims.client_id == claims.sub;
        let there = chain.begins_with(&claims.jti);
        Ok((there || needs_none).then_some(chain))
    }

    async fn is_live_client(&self, id: &str) -> Result<bool, store::Error> {
        match id.parse::<ApplicationId>() {
            Ok(id) => Ok(self.live_client(&id).await?.is_some()),
            Err(_) => Ok(false),
        }
    }

    async fn is_live_actor(
        &self,
        subject: &str,
        generation: Option<&str>,
    ) -> Result<bool, LifeError> {
        Ok(self.holder(subject, generation).await?.is_some())
    }
}
