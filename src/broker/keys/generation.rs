//! A new generation of a key: credentials drawn, the intent written, the user made at its provider, or all of it undone.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::{Broker, Error};
use crate::domain::api_key::ApiKey;
use crate::domain::credential::{Credential, ProviderRights};
use crate::domain::id::{CredentialId, OperationId};
use crate::domain::lifecycle::CredentialState;
use crate::domain::permission::Permissions;
use crate::domain::plaintext_key::PlaintextKey;
use crate::domain::provider_name::ProviderName;
use crate::idp::{self, IdentityProvider, NewUser, UserAttributes};
use crate::store::idp_operations::{Operation, OperationKind};

/// How long the making of a generation may take before it counts as abandoned: far more than the time-out of a provider and of the
/// database's writes together.
const ABANDONED_AFTER: Duration = Duration::from_secs(30);

/// A generation that is being made.
pub(super) struct Draft {
    pub(super) key: PlaintextKey,
    pub(super) credential: Credential,
    pub(super) operation: Operation,
}

impl Broker {
    /// Draws the credentials of a new generation.
    pub(super) fn draft(&self, owner: &ApiKey) -> Result<Draft, Error> {
        let secrets = self.secrets.load();
        let generation = secrets.current_tag;
        let secret = secrets
            .tags
            .secret(generation)
            .ok_or_else(|| Error::Internal("no current tag secret".to_owned()))?;
        let prefix = self.settings.prefixes.current();
        let key = PlaintextKey::generate(prefix, generation, secret, &*self.random);
        let user_name = key.user_name();
        let (digest_generation, digest_secret) = secrets.current_digest();
        let (provider_generation, _) = secrets.current_provider();
        let now = self.now();
        let credential = Credential {
            id: CredentialId::generate(&*self.random),
            key_id: owner.id,
            user_name,
            hint: user_name.hint(prefix),
            password_digest: digest_secret.digest(&user_name, key.password()),
            digest_generation,
            tag_generation: generation,
            provider_generation,
            subject: None,
            state: CredentialState::Pending,
            provider_rights: None,
            created_at: now,
        };
        let operation = Operation {
            next_try_at: now.checked_add(ABANDONED_AFTER).unwrap_or(now),
            ..self.operation(OperationKind::Create, &owner.provider, &credential)
        };
        Ok(Draft {
            key,
            credential,
            operation,
        })
    }

    /// Something to be done at a provider for a generation, now.
    pub(in crate::broker) fn operation(
        &self,
        kind: OperationKind,
        provider: &ProviderName,
        credential: &Credential,
    ) -> Operation {
        Operation {
            id: OperationId::generate(&*self.random),
            provider: provider.clone(),
            kind,
            key_id: credential.key_id,
            credential_id: credential.id,
            user_name: credential.user_name,
            attempts: 0,
            next_try_at: self.now(),
        }
    }

    /// The provider of a key.
    pub(in crate::broker) fn provider(
        &self,
        name: &ProviderName,
    ) -> Result<&Arc<dyn IdentityProvider>, Error> {
        self.providers.find(name).ok_or_else(|| {
            let reason = format!("the identity provider {name} is not configured");
            Error::Provider(idp::Error::Refused { reason })
        })
    }

    /// Makes the user of a draft at its provider.
    pub(super) async fn make_user(
        &self,
        owner: &ApiKey,
        draft: &Draft,
        permissions: &Permissions,
    ) -> Result<(String, ProviderRights), Error> {
        let provider = self.provider(&owner.provider)?;
        let password = {
            let secrets = self.secrets.load();
            let secret = secrets.provider(draft.credential.provider_generation);
            let secret =
                secret.ok_or_else(|| Error::Internal("no current provider secret".to_owned()))?;
            secret.password(&draft.credential.user_name, draft.key.password())
        };
        let user = NewUser {
            user_name: draft.credential.user_name,
            password,
            attributes: UserAttributes {
                deployment_id: self.deployment,
                key_id: owner.id,
                generation: draft.credential.id,
                organization_id: owner.organization_id,
                metadata: owner.metadata.clone(),
            },
            permissions: permissions.clone(),
        };
        let subject = self.ask(provider.create(&user)).await?;
        Ok((
            subject,
            ProviderRights {
                granted: None,
                at: self.now(),
            },
        ))
    }

    /// Waits for a provider's answer, but not for ever.
    pub(in crate::broker) async fn ask<T>(
        &self,
        answer: idp::Answer<'_, T>,
    ) -> Result<T, idp::Error> {
        let answer = tokio::time::timeout(self.settings.provider_timeout, answer).await;
        answer.unwrap_or_else(|late| Err(idp::Error::unavailable(late)))
    }
}
