//! Whom a token stands for, as he is now.

use std::sync::Arc;

use super::LifeError;
use crate::broker::authentication::Refusal;
use crate::broker::catalogue::{KnownResource, Policy};
use crate::broker::management::OPERATOR;
use crate::broker::{Broker, Client, Record};
use crate::domain::id::{ApplicationId, CredentialId, KeyId};
use crate::domain::scope::ScopeSet;
use crate::store::{self, credentials};

/// Generations of keys whose user names are remembered, some 100 bytes each.
pub(in crate::broker) const REMEMBERED: usize = 100_000;

/// Whom a token stands for.
pub(in crate::broker) enum Holder {
    /// A key, by a generation that lives.
    Key(Arc<Record>),
    /// An application that is not paused.
    Application(Arc<Client>),
    /// The local operator, who may do what his token says.
    Operator,
}

impl Holder {
    /// Whether he is the very one that was read then: a change makes him be read anew.
    pub(in crate::broker) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Key(one), Self::Key(other)) => Arc::ptr_eq(one, other),
            (Self::Application(one), Self::Application(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// What of `scope` he holds at a resource.
    pub(in crate::broker) fn holds(&self, audience: &str, scope: &ScopeSet) -> ScopeSet {
        let policy: &Policy = match self {
            Self::Key(record) => record.policy(),
            Self::Application(client) => client.policy(),
            Self::Operator => return scope.clone(),
        };
        let grant = policy.at(audience);
        grant.map_or_else(ScopeSet::default, |grant| scope.intersection(&grant.scopes))
    }

    /// The last second at which he may do anything, if he has an end.
    pub(in crate::broker) fn last_second(&self) -> Option<i64> {
        match self {
            Self::Key(record) => record.last_second().map(|(second, _)| second),
            Self::Application(_) | Self::Operator => None,
        }
    }

    /// The members of his metadata that a resource names.
    pub(in crate::broker) fn metadata_for<'a>(
        &'a self,
        resource: &'a KnownResource,
    ) -> Vec<(&'a str, &'a str)> {
        match self {
            Self::Key(record) => record.metadata_for(resource),
            Self::Application(_) | Self::Operator => Vec::new(),
        }
    }
}

impl Broker {
    /// The subject of a token, if he may do anything now.
    ///
    /// # Errors
    /// See [`LifeError`].
    pub(super) async fn holder(
        &self,
        subject: &str,
        generation: Option<&str>,
    ) -> Result<Option<Holder>, LifeError> {
        if subject.starts_with(OPERATOR) {
            return Ok(Some(Holder::Operator));
        }
        if let Ok(id) = subject.parse::<ApplicationId>() {
            let client = self.live_client(&id).await?;
            return Ok(client.map(Holder::Application));
        }
        let generation = generation.map(str::parse);
        let (Ok(key), Some(Ok(generation))) = (subject.parse(), generation) else {
            return Ok(None);
        };
        let record = self.live_key(&key, &generation).await?;
        Ok(record.map(Holder::Key))
    }

    /// An application, if it does anything now.
    pub(in crate::broker) async fn live_client(
        &self,
        id: &ApplicationId,
    ) -> Result<Option<Arc<Client>>, store::Error> {
        let client = self.client(id).await?;
        Ok(client.filter(|client| !client.is_disabled()))
    }

    /// A key by one of its generations, if both are good now.
    async fn live_key(
        &self,
        key: &KeyId,
        generation: &CredentialId,
    ) -> Result<Option<Arc<Record>>, LifeError> {
        let name = match self.generations.get(generation) {
            Some(name) => name,
            None => {
                let id = *generation;
                let found = self
                    .store
                    .read_hot(move |connection| credentials::find(connection, &id))
                    .await?;
                let Some(credential) = found else {
                    return Ok(None);
                };
                self.generations.insert(id, credential.user_name);
                credential.user_name
            }
        };
        let record = match self.recall_or_read(&name).await {
            Ok(record) => record,
            Err(Refusal::Store(error)) => return Err(error.into()),
            Err(Refusal::Provider(error)) => return Err(LifeError::Provider(error)),
            Err(_) => return Ok(None),
        };
        let stopped = record.stopped(self.now()).is_some()
            || self.memory.is_stopping(&record.key_id())
            || record.key_id() != *key;
        Ok((!stopped).then_some(record))
    }
}
