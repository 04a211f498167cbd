//! Resources and permissions are carried to the identity providers that must know them before a user there can hold one.
//!
//! What is wanted at each provider is on record in the transaction of the change; the outbox carries it, one resource of a provider at a
//! time. A key waits for a moment, at its making and its widening, for what it is to hold.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Broker, Error};
use crate::domain::permission::Permissions;
use crate::domain::provider_name::ProviderName;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeToken;
use crate::idp::{self, Carried, ResourceState};
use crate::store::idp_claims::LEASE;
use crate::store::idp_resources::{self, Carriage, GONE};
use crate::store::{self, Transaction, resources};

/// How long one resource may take: then its claim still counts.
const LONGEST: Duration = Duration::from_secs(LEASE.as_secs() - 5);
/// The longest time between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How long a key waits for what it is to hold.
const WAIT: Duration = Duration::from_secs(2);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// From when on something that is tried in vain needs a person.
pub(super) const STUCK_AFTER: SignedDuration = SignedDuration::from_hours(24);

impl Broker {
    /// The providers that have to be told of resources.
    pub(super) fn carriers(&self) -> Vec<ProviderName> {
        let carriers = self.providers.iter().filter(|it| it.carries_resources());
        carriers.map(|provider| provider.name().clone()).collect()
    }

    /// Has providers told of all that they were never told of, as one that was just configured.
    pub(super) async fn want_missing_resources(&self) -> Result<(), store::Error> {
        let (carriers, now) = (self.carriers(), self.now());
        if carriers.is_empty() {
            return Ok(());
        }
        let wanted = self.store.write(move |tx| {
            for provider in &carriers {
                idp_resources::want_missing(tx, provider, now)?;
            }
            Ok::<_, store::Error>(())
        });
        wanted.await
    }

    /// Waits until a provider knows these permissions, so that a user there can hold them; for how long it was.
    ///
    /// # Errors
    /// It does not know them in time, or the database does not answer.
    #[expect(
        clippy::disallowed_methods,
        reason = "measures how long the caller has waited, which must not depend on the clock"
    )]
    pub(super) async fn carried_to(
        &self,
        provider: &ProviderName,
        permissions: &Permissions,
    ) -> Result<Duration, Error> {
        let found = self.provider(provider)?;
        if !found.carries_resources() || permissions.is_empty() {
            return Ok(Duration::ZERO);
        }
        let began = std::time::Instant::now();
        let waiting = async {
            loop {
                let missing = self.not_carried(provider, permissions).await?;
                if missing.is_none() {
                    return Ok(began.elapsed());
                }
                self.work.notify_one();
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
        };
        match tokio::time::timeout(WAIT, waiting).await {
            Ok(outcome) => outcome,
            Err(_) => match self.not_carried(provider, permissions).await? {
                None => Ok(began.elapsed()),
                Some(resource) => {
                    let told = format!("it does not know all permissions of {resource} yet");
                    Err(idp::Error::unavailable(told).into())
                }
            },
        }
    }

    /// The first resource of which a provider does not know all these permissions.
    async fn not_carried(
        &self,
        provider: &ProviderName,
        permissions: &Permissions,
    ) -> Result<Option<ResourceIdentifier>, Error> {
        let name = provider.clone();
        let told = self
            .store
            .read(move |connection| idp_resources::of_provider(connection, &name))
            .await?;
        let knows = |resource: &ResourceIdentifier, scope: &ScopeToken| {
            let told = told.iter().find(|told| told.resource == *resource);
            told.is_some_and(|told| told.wanted != GONE && told.permissions.contains(scope))
        };
        let missing = permissions
            .iter()
            .find(|(resource, scopes)| !scopes.iter().all(|scope| knows(resource, scope)));
        Ok(missing.map(|(resource, _)| resource.clone()))
    }

    /// Carries what is due to one provider, as far as nobody else is at it.
    pub(super) async fn carry_resources(&self, provider: &ProviderName) {
        let found = self.providers.find(provider);
        if found.is_none_or(|found| !found.carries_resources()) {
            // Users of one that needs not know do not wait for a look at the table.
            return;
        }
        loop {
            if self.outbox_is_closed() {
                return;
            }
            let (name, now) = (provider.clone(), self.now());
            let taken = self
                .store
                .write(move |tx| idp_resources::take(tx, &name, now));
            let taken = match taken.await {
                Ok(Some(taken)) => taken,
                Ok(None) => return,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the outbox cannot be written");
                    return;
                }
            };
            let carried = tokio::time::timeout(LONGEST, self.carry(taken.clone())).await;
            let carried = carried.unwrap_or_else(|late| Err(idp::Error::unavailable(late).into()));
            if let Err(error) = carried {
                self.carried_in_vain(&taken, &error).await;
            }
        }
    }

    async fn carry(&self, mut taken: Carriage) -> Result<(), Error> {
        let provider = Arc::clone(self.provider(&taken.provider)?);
        let before = Carried {
            made: taken.made,
            permissions: taken.permissions.clone(),
        };
        let identifier = taken.resource.clone();
        let found = self
            .store
            .read(move |connection| state_of(connection, &identifier))
            .await?;
        let (made, permissions) = match found {
            None => {
                provider.remove_resource(&taken.resource, &before).await?;
                taken.wanted = GONE;
                (false, Vec::new())
            }
            Some((state, version)) => {
                let made = provider.put_resource(&state, &before).await?;
                // What was read is what the provider has now: if the record has moved on, there is more to do.
                taken.wanted = version;
                let names = state.permissions.into_iter().map(|(name, _)| name);
                (made || before.made, names.collect())
            }
        };
        self.store
            .write(move |tx| idp_resources::finish(tx, &taken, (made, &permissions)))
            .await?;
        Ok(())
    }

    async fn carried_in_vain(&self, taken: &Carriage, error: &Error) {
        let (attempts, now) = (taken.attempts, self.now());
        let pause = pause_after(attempts);
        let cause = told(error);
        let provider = taken.provider.as_str();
        tracing::warn!(provider, resource = %taken.resource, cause, attempts, "a resource could not be carried to the identity provider");
        let stuck = now.duration_since(taken.wanted_at) >= STUCK_AFTER;
        let event = (stuck && taken.stuck_at.is_none())
            .then(|| self.stuck_event(provider, taken.resource.as_str(), "resource", &cause));
        let taken = taken.clone();
        let given_back = self.store.write(move |tx| {
            idp_resources::give_back(tx, &taken, (pause, now), (stuck, &cause))?;
            if let Some(event) = event {
                super::audit::append(tx, &event)?;
            }
            Ok::<_, store::Error>(())
        });
        if let Err(error) = given_back.await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the outbox cannot be written");
        }
    }
}

/// Has providers told of a resource in the transaction that changes it.
pub(super) fn want(
    tx: &mut Transaction<'_>,
    carriers: &[ProviderName],
    resource: &ResourceIdentifier,
    now: Timestamp,
) -> Result<(), store::Error> {
    idp_resources::want(tx, carriers, resource, now)
}

/// A resource as a provider is told of it, and its version.
fn state_of(
    connection: &mut store::Connection,
    identifier: &ResourceIdentifier,
) -> Result<Option<(ResourceState, i64)>, store::Error> {
    let Some(resource) = resources::find_by_identifier(connection, identifier)? else {
        return Ok(None);
    };
    let everything = crate::domain::allowance::Allowance::Everything;
    let permissions =
        resources::permissions(connection, (&resource.id, &everything), None, usize::MAX)?;
    let permissions = permissions
        .into_iter()
        .map(|permission| (permission.name, permission.description));
    let state = ResourceState {
        identifier: resource.identifier,
        name: resource.name,
        token_lifetime: resource.token_lifetime.seconds(),
        permissions: permissions.collect(),
    };
    Ok(Some((state, resource.version)))
}

/// How long after so many vain tries the next one is.
pub(super) fn pause_after(attempts: i32) -> Duration {
    Duration::from_secs(1)
        .saturating_mul(1 << u32::try_from(attempts).unwrap_or(0).min(16))
        .min(LONGEST_PAUSE)
}

/// What an error says, with what is behind it.
pub(super) fn told(error: &Error) -> String {
    use std::error::Error as _;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}
