//! What a provider's user lacks is put back, what it has beyond our record is written down, and what it signs in by is put right.

use super::alignment::attributes;
use super::follow;
use crate::broker::{Broker, Error};
use crate::domain::credential::ProviderRights;
use crate::domain::id::CredentialId;
use crate::domain::plaintext_key::UserName;
use crate::domain::secret::SecretText;
use crate::idp::NewUser;
use crate::store::idp_operations::{self, OperationKind};
use crate::store::{self, api_keys, credentials};

impl Broker {
    /// Writes down what a provider grants a generation, and has it put back what it lacks.
    pub(in crate::broker) async fn settle_difference(
        &self,
        generation: CredentialId,
        granted: Option<ProviderRights>,
        puts_back: bool,
    ) {
        let (random, now) = (std::sync::Arc::clone(&self.random), self.now());
        let settled = self.store.write(move |tx| {
            let Some(found) = credentials::find(tx, &generation)? else {
                return Ok(());
            };
            if let Some(granted) = granted {
                credentials::set_granted(tx, &generation, &granted)?;
            }
            let kind = OperationKind::Permit;
            if puts_back && !idp_operations::is_open(tx, &generation, kind)? {
                let Some(stored) = api_keys::find(tx, &found.key_id)? else {
                    return Ok(());
                };
                let users = (&stored.key, std::slice::from_ref(&found));
                follow(tx, kind, users, (&*random, now))?;
            }
            Ok::<_, store::Error>(())
        });
        match settled.await {
            Ok(()) => self.work.notify_one(),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "what a provider grants could not be written down");
            }
        }
    }

    /// Puts right what a user signs in by, of whom the provider says that he is there and whom it refused.
    pub(in crate::broker) async fn repair_user(&self, name: UserName, password: SecretText) {
        if let Err(error) = self.try_repair(name, password).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "a refused user could not be put right");
        }
    }

    async fn try_repair(&self, name: UserName, password: SecretText) -> Result<(), Error> {
        let found = self.store.read(move |connection| {
            let Some(found) = credentials::find_by_user_name(connection, &name)? else {
                return Ok(None);
            };
            let stored = api_keys::find(connection, &found.key_id)?;
            Ok::<_, store::Error>(stored.map(|stored| (found, stored)))
        });
        let Some((credential, stored)) = found.await? else {
            return Ok(());
        };
        let key = &stored.key;
        let provider = self.provider(&key.provider)?;
        let now = self.now();
        // What comes after an answer that is lost is the outbox's: it tells the provider all that it must know of the user.
        let operation = self
            .operation(OperationKind::Describe, &key.provider, &credential)
            .taken_up(now);
        let written = operation.clone();
        self.in_turn((key.id, &key.provider), move |tx| {
            Ok(idp_operations::insert(tx, &written, now)?)
        })
        .await?;
        let attributes = attributes(self.deployment, key, &credential.id, stored.owner.as_ref());
        let user = NewUser {
            user_name: name,
            password,
            permissions: Default::default(),
            attributes,
        };
        match self.ask(provider.repair(&user)).await {
            Ok(()) => self.align(&operation).await,
            Err(error) => {
                let error = Error::from(error);
                self.put_off(&operation, &error).await;
                Err(error)
            }
        }
    }
}
