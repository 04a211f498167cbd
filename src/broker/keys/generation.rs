//! A new generation of a key: credentials drawn, the intent written, the user made at its provider, or all of it undone.

use std::sync::Arc;
use std::time::Duration;

use super::alignment::attributes;
use crate::broker::secrets::seal_credential;
use crate::broker::{Broker, Error};
use crate::domain::api_key::ApiKey;
use crate::domain::credential::{Credential, ProviderRights};
use crate::domain::id::{CredentialId, KeyId, OperationId, PermissionId};
use crate::domain::lifecycle::CredentialState;
use crate::domain::permission::Permissions;
use crate::domain::plaintext_key::PlaintextKey;
use crate::domain::provider_name::ProviderName;
use crate::domain::user::User;
use crate::idp::{self, IdentityProvider, NewUser};
use crate::store::idp_operations::{Operation, OperationKind};
use crate::store::{Transaction, idp_claims};

/// How long a request waits for its turn: whoever asks a provider for longer counts as unanswered.
const TURN: Duration = Duration::from_secs(2);
/// How often he looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// A generation that is being made.
pub(super) struct Draft {
    pub(super) key: PlaintextKey,
    pub(super) credential: Credential,
    pub(super) operation: Operation,
}

/// The user of a draft, made at its provider.
pub(super) struct AtProvider {
    pub(super) subject: String,
    /// What the provider made for it to sign in by, sealed.
    pub(super) sealed: Option<Vec<u8>>,
    pub(super) rights: ProviderRights,
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
        // Found open when its claim counts no more, it was abandoned.
        let operation = self
            .operation(OperationKind::Create, &owner.provider, &credential)
            .taken_up(now);
        Ok(Draft {
            key,
            credential,
            operation,
        })
    }

    /// What permissions mean to a provider.
    pub(super) async fn elsewhere(&self, ids: &[PermissionId]) -> Result<Permissions, Error> {
        Ok(self.catalogue().await?.policy(ids).permissions_elsewhere())
    }

    /// Something to be done at a provider for a generation, now.
    pub(in crate::broker) fn operation(
        &self,
        kind: OperationKind,
        provider: &ProviderName,
        credential: &Credential,
    ) -> Operation {
        let id = OperationId::generate(&*self.random);
        Operation::new(id, kind, (provider, credential), self.now())
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

    /// Makes the user of a draft at its provider, for somebody who has waited for so long already.
    pub(super) async fn make_user(
        &self,
        (key, owner): (&ApiKey, Option<&User>),
        draft: &Draft,
        (permissions, waited): (&Permissions, Duration),
    ) -> Result<AtProvider, Error> {
        let provider = self.provider(&key.provider)?;
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
            attributes: attributes(self.deployment, key, &draft.credential.id, owner),
            permissions: permissions.clone(),
        };
        let made = self.ask_after(waited, provider.create(&user)).await?;
        // It opens with the key's own password alone, which is stored nowhere.
        let by = (&draft.credential.id, draft.key.password());
        let seal = |credential| seal_credential(&self.secrets.load(), by, &credential);
        Ok(AtProvider {
            subject: made.subject,
            sealed: made.credential.map(seal),
            rights: ProviderRights {
                granted: None,
                at: self.now(),
            },
        })
    }

    /// Waits for a provider's answer, but not for ever.
    pub(in crate::broker) async fn ask<T>(
        &self,
        answer: idp::Answer<'_, T>,
    ) -> Result<T, idp::Error> {
        self.ask_after(Duration::ZERO, answer).await
    }

    /// The same for somebody who has waited for his turn already.
    pub(super) async fn ask_after<T>(
        &self,
        waited: Duration,
        answer: idp::Answer<'_, T>,
    ) -> Result<T, idp::Error> {
        let left = self.settings.provider_timeout.saturating_sub(waited);
        let answer = tokio::time::timeout(left, answer).await;
        answer.unwrap_or_else(|late| Err(idp::Error::unavailable(late)))
    }

    /// Writes down what is about to be done for the users of a key, in place of whoever is at them for too long; with how long it
    /// waited.
    #[expect(
        clippy::disallowed_methods,
        reason = "measures how long the caller has waited, which must not depend on the clock"
    )]
    pub(super) async fn in_turn<F>(
        &self,
        (key, provider): (KeyId, &ProviderName),
        code: F,
    ) -> Result<Duration, Error>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<(), Error> + Clone + Send + 'static,
    {
        let began = std::time::Instant::now();
        loop {
            let (now, code) = (self.now(), code.clone());
            let waited = began.elapsed();
            let rest_at = self.rest_at(provider, now);
            let written = self.store.write(move |tx| {
                if !idp_claims::turn(tx, &key, now)? {
                    if waited < TURN {
                        return Ok(false);
                    }
                    idp_claims::seize(tx, &key, rest_at)?;
                }
                code(tx)?;
                Ok::<_, Error>(true)
            });
            if written.await? {
                return Ok(waited);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}
