//! The owners of keys are watched where a provider can tell of them.
//!
//! Each is asked after again and again, by one node or another. One who is disabled or gone has left: his keys follow `owner_gone` of their
//! organizations. What he may do at a resource, where the provider tells it, bounds what his keys give there from the next exchange on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::json;

use super::Broker;
use super::grantor::of_organization;
use super::members::leave;
use crate::domain::allowance::Allowance;
use crate::domain::audit::{AuditEvent, Origin};
use crate::domain::id::{AuditEventId, OrganizationId, PermissionId, UserId};
use crate::domain::user::User;
use crate::idp::{IdentityProvider, OwnerState};
use crate::store::owner_states::{self, OwnerRecord, OwnerRights};
use crate::store::{Change, Transaction, api_keys, memberships, organizations, rights};

/// How often it is looked whether somebody is to be asked after.
const LOOK: Duration = Duration::from_secs(1);
/// People looked up at a time, and asked after at once.
const BATCH: usize = 100;
const AT_ONCE: usize = 4;

impl Broker {
    /// Asks after the owners of keys, for ever.
    pub(super) async fn watch_owners(self: Arc<Self>) {
        let mut ticks = super::maintenance::every(LOOK);
        loop {
            ticks.tick().await;
            let asking = self
                .providers
                .iter()
                .map(|provider| self.ask_after_owners(provider));
            futures_util::future::join_all(asking).await;
        }
    }

    async fn ask_after_owners(&self, provider: &Arc<dyn IdentityProvider>) {
        let Some(issuer) = provider.issuer_of_owners() else {
            return;
        };
        let (issuer, now) = (issuer.to_owned(), self.now());
        let before = now
            .checked_sub(provider.policy().owner_check)
            .unwrap_or(now);
        let due = self
            .store
            .read(move |connection| owner_states::due(connection, &issuer, before, BATCH));
        let due = match due.await {
            Ok(due) => due,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the owners of keys cannot be read");
                return;
            }
        };
        stream::iter(due)
            .for_each_concurrent(AT_ONCE, async |(owner, before)| {
                self.look_after(provider, &owner, before).await;
            })
            .await;
    }

    async fn look_after(
        &self,
        provider: &Arc<dyn IdentityProvider>,
        owner: &User,
        before: Option<OwnerRecord>,
    ) {
        let Ok(catalogue) = self.catalogue().await else {
            return;
        };
        let resources = catalogue.resources().filter(|resource| !resource.reserved);
        let resources: Vec<_> = resources
            .map(|resource| resource.identifier.clone())
            .collect();
        let told = self.ask(provider.owner(&owner.subject, &resources)).await;
        let now = self.now();
        let (rights, gone) = match told {
            Ok(OwnerState::Active(rights)) => (rights, false),
            Ok(OwnerState::Gone) => (OwnerRights::new(), true),
            // He is asked after again in a moment; until then what was told last counts.
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, owner = %owner.id, "an identity provider does not tell of the owner of keys");
                return;
            }
        };
        let was_gone = before.as_ref().and_then(|before| before.gone_at);
        let after = OwnerRecord {
            user_id: owner.id,
            provider: provider.name().clone(),
            gone_at: gone.then(|| was_gone.unwrap_or(now)),
            rights,
        };
        let leaves = gone && was_gone.is_none();
        let changes = before.as_ref().map(|before| &before.rights) != Some(&after.rights);
        // What his keys gave until now: with what he might do.
        let bound = before.map(|before| before.rights).unwrap_or_default();
        let within = catalogue.ids().into_iter().filter(|id| {
            catalogue.pair(id).is_none_or(|(resource, scope)| {
                let told = bound.get(&resource.identifier);
                told.is_none_or(|told| told.contains(scope))
            })
        });
        let within: std::collections::BTreeSet<PermissionId> = within.collect();
        let (owner_id, random) = (owner.id, Arc::clone(&self.random));
        let event = self.event(
            &Origin::server(),
            "owner.gone",
            owner_id.as_str(),
            None,
            json!({}),
        );
        let written = self.store.write(move |tx| {
            if leaves {
                leave_everywhere(tx, &owner_id, &within, (&*random, now), &event)?;
            } else if changes {
                let user_names = owner_states::user_names(tx, &owner_id)?;
                if let Some((_, key)) = owner_states::keys(tx, &owner_id)?.first() {
                    tx.changed(Change::Key {
                        key: *key,
                        user_names,
                    });
                }
            }
            owner_states::put(tx, &after, now)?;
            Ok::<_, super::Error>(())
        });
        match written.await {
            Ok(()) if leaves => self.work.notify_one(),
            Ok(()) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "what is told of an owner could not be written down");
            }
        }
    }
}

/// The keys of somebody who is gone follow `owner_gone` of each organization that they are in.
fn leave_everywhere(
    tx: &mut Transaction<'_>,
    owner: &UserId,
    within: &std::collections::BTreeSet<PermissionId>,
    at: (&dyn crate::domain::random::Random, Timestamp),
    event: &AuditEvent,
) -> Result<(), super::Error> {
    let keys = owner_states::keys(tx, owner)?;
    let mut places: Vec<OrganizationId> = keys.iter().map(|(place, _)| *place).collect();
    places.dedup();
    for organization in places {
        rights::hold_organization(tx, &organization)?;
        let Some(found) = organizations::find(tx, &organization)? else {
            continue;
        };
        let own = match memberships::find(tx, &organization, owner)? {
            Some(member) => rights::of_member(tx, &member)?,
            None => Allowance::Everything,
        };
        let kept = own
            .and(of_organization(tx, &organization)?)
            .and(Allowance::Only(within.iter().copied().collect()));
        let mut touched = Vec::new();
        for (_, id) in keys.iter().filter(|(place, _)| *place == organization) {
            api_keys::lock(tx, id)?;
            let Some(stored) = api_keys::find(tx, id)? else {
                continue;
            };
            let cut = kept.cut(&stored.key.permissions);
            touched.push(*id);
            leave(tx, (stored.key, cut), found.owner_gone, at)?;
        }
        tx.changed(Change::Organization(organization));
        let row = AuditEvent {
            id: AuditEventId::generate(at.0),
            organization_id: Some(organization),
            details: json!({"owner_gone": found.owner_gone, "keys": touched}),
            ..event.clone()
        };
        super::audit::append(tx, &row)?;
    }
    Ok(())
}
