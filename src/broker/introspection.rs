//! What a token or an API key is worth now, for those who may know (RFC 7662).
//!
//! Whoever may not know is told what he is told of a token that is dead, so nothing is to be learnt by asking; and he may not ask
//! without end. Every source of revocation is asked, what other nodes wrote included.

use std::sync::Arc;

use serde_json::Value;
use thiserror::Error as ThisError;

use super::authentication::Refusal;
use super::catalogue::{Grant, KnownResource};
use super::token_life::LifeError;
use super::{Broker, Client, Record};
use crate::domain::scope::{ScopeSet, ScopeToken};
use crate::domain::subject::Subject;
use crate::idp;
use crate::store;
use crate::token::claims::VerifiedClaims;

/// The permission to ask about any token.
const INTROSPECT: &str = "tokens:introspect";

/// Something that is good now.
pub enum Introspected {
    /// An access token.
    Token(Box<ActiveToken>),
    /// An API key.
    Key(Box<ActiveKey>),
}

/// A token that is good now.
pub struct ActiveToken {
    /// What it says.
    pub claims: VerifiedClaims,
    /// What it permits now.
    pub scope: ScopeSet,
}

/// A key that is good now, as the asker may see it.
pub struct ActiveKey {
    /// What is on record.
    pub record: Arc<Record>,
    /// The resources at which it holds something and for which the asker may know.
    pub audiences: Vec<String>,
    /// What it holds there.
    pub scope: ScopeSet,
    /// The last second at which it is good.
    pub last_second: Option<i64>,
    /// The person behind it.
    pub owner: Option<Subject>,
    /// Who may act for it, as in a token.
    pub may_act: Option<Value>,
}

/// Why nothing can be told.
#[derive(Debug, ThisError)]
pub enum IntrospectionRefusal {
    /// The asker heard of too many dead tokens; seconds to wait.
    #[error("too many tokens that are not good")]
    TooMany(u32),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The identity provider of the key is not configured.
    #[error(transparent)]
    Provider(Arc<idp::Error>),
    /// A defect.
    #[error("{0}")]
    Internal(String),
}

impl From<LifeError> for IntrospectionRefusal {
    fn from(error: LifeError) -> Self {
        match error {
            LifeError::Store(error) => Self::Store(error),
            LifeError::Provider(error) => Self::Provider(error),
        }
    }
}

impl Broker {
    /// What a text is worth now; `None`: nothing, or not for this asker. With a resource named, an API key is looked at there alone.
    ///
    /// # Errors
    /// See [`IntrospectionRefusal`].
    pub async fn introspect(
        &self,
        asker: &Client,
        text: &str,
        resource: Option<&str>,
    ) -> Result<Option<Introspected>, IntrospectionRefusal> {
        self.catch_up().await?;
        let found = if self.settings.prefixes.begin(text) {
            self.introspect_key(asker, text, resource).await?
        } else {
            self.introspect_token(asker, text).await?
        };
        if found.is_none() {
            self.inactive_answers
                .take(asker.id().packed())
                .map_err(IntrospectionRefusal::TooMany)?;
        }
        Ok(found)
    }

    async fn introspect_token(
        &self,
        asker: &Client,
        text: &str,
    ) -> Result<Option<Introspected>, IntrospectionRefusal> {
        let verified = self
            .signing
            .load()
            .verifier
            .verify_for_any(text, self.now());
        let Ok(verified) = verified else {
            return Ok(None);
        };
        let claims = &verified.claims;
        let may_ask = claims.client_id == asker.id().as_str()
            || (asker.is_within(claims.org_id.as_deref())
                && (asker.manages(self, INTROSPECT)
                    || claims.aud.iter().any(|aud| asker.serves(aud))));
        if !may_ask {
            return Ok(None);
        }
        // With nothing left it is as good as dead: many look at `active` alone.
        let life = self.life(&verified).await?;
        let life = life.filter(|life| !life.scope.is_empty());
        Ok(life.map(|life| {
            Introspected::Token(Box::new(ActiveToken {
                claims: verified.claims,
                scope: life.scope,
            }))
        }))
    }

    async fn introspect_key(
        &self,
        asker: &Client,
        text: &str,
        resource: Option<&str>,
    ) -> Result<Option<Introspected>, IntrospectionRefusal> {
        let may_know = |record: &Record| {
            record.stopped(self.now()).is_none()
                && !self.memory.is_stopping(&record.key_id())
                && asker.is_within(Some(record.organization_id().as_str()))
        };
        let found = match self.identify(text.as_bytes(), None).await {
            // Its provider is asked only for somebody who is told something.
            Ok(record) if !may_know(&record) => return Ok(None),
            Ok(record) => self.fresh(text.as_bytes(), record).await,
            Err(refusal) => Err(refusal),
        };
        let record = match found {
            Ok(record) => record,
            Err(Refusal::Store(error)) => return Err(error.into()),
            Err(Refusal::Provider(error)) => return Err(IntrospectionRefusal::Provider(error)),
            Err(Refusal::Internal(cause)) => return Err(IntrospectionRefusal::Internal(cause)),
            Err(_) => return Ok(None),
        };
        if !may_know(&record) {
            return Ok(None);
        }
        let any = asker.manages(self, INTROSPECT);
        let known = |resource: &KnownResource| any || asker.serves(resource.identifier.as_str());
        let meant = |name: &str| resource.is_none_or(|resource| resource == name);
        let seen: Vec<&Grant> = record
            .policy()
            .grants
            .iter()
            .filter(|grant| known(&grant.resource) && meant(grant.resource.identifier.as_str()))
            .collect();
        let catalogue = self.catalogue().await?;
        // A scope is told only if the key holds it wherever it exists among these: a permission is a pair, and equal names at two
        // resources are unrelated.
        let held_wherever_it_is = |scope: &ScopeToken| {
            seen.iter().all(|grant| {
                grant.scopes.contains(scope)
                    || catalogue.permission(&grant.resource.id, scope).is_none()
            })
        };
        let scope: ScopeSet = seen
            .iter()
            .flat_map(|grant| grant.scopes.iter())
            .filter(|scope| held_wherever_it_is(scope))
            .cloned()
            .collect();
        if scope.is_empty() {
            return Ok(None);
        }
        let audiences = seen
            .iter()
            .map(|grant| grant.resource.identifier.to_string())
            .collect();
        let extras = record.extras();
        Ok(Some(Introspected::Key(Box::new(ActiveKey {
            audiences,
            scope,
            last_second: record.last_second().map(|(second, _)| second),
            owner: extras.and_then(|extras| extras.owner.clone()),
            may_act: self.may_act_claim(extras.and_then(|extras| extras.may_act)),
            record,
        }))))
    }
}
