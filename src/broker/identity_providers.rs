//! The identity providers as their operator sees them: how each is used, what each must know, what is still to be done, what exists there.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::permissions::NewPermission;
use super::resources::NewResource;
use super::{Broker, Caller, Conflict, Error, audit};
use crate::domain::audit::Origin;
use crate::domain::provider_name::ProviderName;
use crate::domain::resource::ResourceIdentifier;
use crate::idp::setup::{Finding, Ground};
use crate::idp::{IdentityProvider, Policy, ResourceState};
use crate::store::idp_resources::{self, GONE};
use crate::store::{self, idp_operations, resources};

/// Things that are listed at most.
const LISTED: usize = 1_000;

/// One provider.
#[derive(Clone, Debug)]
pub struct ShownProvider {
    /// Its name.
    pub name: ProviderName,
    /// Whether keys live there that name none.
    pub default: bool,
    /// How it is used.
    pub policy: Policy,
}

/// Something that is still to be done at a provider.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Where.
    pub provider: ProviderName,
    /// What: `create`, `permit`, `describe`, `delete`, `resource`.
    pub kind: &'static str,
    /// For which key or resource.
    pub subject: String,
    /// How often it was tried in vain.
    pub attempts: i32,
    /// Since when it is to be done.
    pub since: Timestamp,
    /// When it is tried again.
    pub next_try_at: Timestamp,
    /// Whether it needs a person.
    pub stuck: bool,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// A resource of a provider, and what came of it here.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Its identifier.
    pub identifier: String,
    /// Permissions that were made here, or would be.
    pub added: Vec<String>,
    /// Whether the resource was made here, or would be.
    pub made: bool,
    /// Why it cannot be here.
    pub refused: Option<String>,
}

impl Broker {
    /// All of them, by name.
    ///
    /// # Errors
    /// A caller who does not run the deployment.
    pub fn shown_providers(&self, caller: &Caller) -> Result<Vec<ShownProvider>, Error> {
        caller.runs_the_deployment()?;
        let default = self.providers.default_name();
        let shown = |provider: &Arc<dyn IdentityProvider>| ShownProvider {
            name: provider.name().clone(),
            default: provider.name() == default,
            policy: provider.policy(),
        };
        Ok(self.providers.iter().map(shown).collect())
    }

    /// What a provider has to know of us.
    ///
    /// # Errors
    /// No such provider, a caller who does not run the deployment, or the database does not answer.
    pub async fn ground(&self, name: &ProviderName, caller: &Caller) -> Result<Ground, Error> {
        caller.runs_the_deployment()?;
        self.providers.find(name).ok_or(Error::NotFound)?;
        let issuer = self.settings.issuer.as_str();
        let resources = self.store.read(all_states).await?;
        Ok(Ground {
            issuer: issuer.to_owned(),
            jwks_uri: format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/')),
            resources,
        })
    }

    /// Looks for each thing that a provider must have.
    ///
    /// # Errors
    /// As [`Self::ground`], or the provider does not answer.
    pub async fn inspect_provider(
        &self,
        name: &ProviderName,
        caller: &Caller,
    ) -> Result<Vec<Finding>, Error> {
        let ground = self.ground(name, caller).await?;
        let provider = self.providers.find(name).ok_or(Error::NotFound)?;
        Ok(provider.inspect(&ground).await?)
    }

    /// What was tried at providers in vain and is still to be done.
    ///
    /// # Errors
    /// A caller who does not run the deployment, or the database does not answer.
    pub async fn pending_operations(&self, caller: &Caller) -> Result<Vec<Pending>, Error> {
        caller.runs_the_deployment()?;
        let found = self.store.read(|connection| {
            let operations = idp_operations::failing(connection, LISTED)?;
            Ok::<_, store::Error>((operations, idp_resources::open(connection)?))
        });
        let (operations, carriages) = found.await?;
        let operations = operations.into_iter().map(|operation| Pending {
            kind: operation.kind.as_str(),
            subject: operation.key_id.to_string(),
            attempts: operation.attempts,
            since: operation.created_at,
            next_try_at: operation.next_try_at,
            stuck: operation.stuck_at.is_some(),
            last_error: operation.last_error,
            provider: operation.provider,
        });
        let carriages = carriages.into_iter().map(|carriage| Pending {
            kind: if carriage.wanted == GONE {
                "remove_resource"
            } else {
                "resource"
            },
            subject: carriage.resource.to_string(),
            attempts: carriage.attempts,
            since: carriage.wanted_at,
            next_try_at: carriage.next_try_at,
            stuck: carriage.stuck_at.is_some(),
            last_error: carriage.last_error,
            provider: carriage.provider,
        });
        Ok(operations.chain(carriages).collect())
    }

    /// Has all of it tried again at once; how many.
    ///
    /// # Errors
    /// As [`Self::pending_operations`].
    pub async fn retry_operations(&self, caller: &Caller, origin: Origin) -> Result<usize, Error> {
        caller.runs_the_deployment()?;
        let now = self.now();
        let event = self.event(
            &origin,
            "identity_provider.retried",
            "identity_providers",
            None,
            json!({}),
        );
        let retried = self.store.write(move |tx| {
            let operations = idp_operations::retry(tx, now)?;
            let carriages = idp_resources::retry(tx, now)?;
            audit::append(tx, &event)?;
            Ok::<_, store::Error>(operations + carriages)
        });
        let retried = retried.await?;
        self.work.notify_one();
        Ok(retried)
    }

    /// Makes here what exists at a provider: its resources and their permissions. What is here stays as it is.
    ///
    /// # Errors
    /// No such provider, it does not answer, or a caller who does not run the deployment.
    pub async fn import_resources(
        &self,
        name: &ProviderName,
        dry_run: bool,
        caller: &Caller,
        origin: Origin,
    ) -> Result<Vec<Imported>, Error> {
        caller.runs_the_deployment()?;
        let provider = self.providers.find(name).ok_or(Error::NotFound)?;
        let found = provider.resources().await?;
        let mut imported = Vec::with_capacity(found.len());
        for resource in found {
            let mut outcome = Imported {
                identifier: resource.identifier.clone(),
                added: Vec::new(),
                made: false,
                refused: None,
            };
            let identifier: ResourceIdentifier = match resource.identifier.parse() {
                Ok(identifier) => identifier,
                Err(error) => {
                    outcome.refused = Some(format!("the identifier {error}"));
                    imported.push(outcome);
                    continue;
                }
            };
            let wanted = resource
                .permissions
                .iter()
                .filter_map(|(name, description)| {
                    let name = name.parse().ok()?;
                    Some(NewPermission {
                        name,
                        description: description.clone(),
                    })
                });
            let wanted: Vec<NewPermission> = wanted.collect();
            let here = identifier.clone();
            let known = self
                .store
                .read(move |connection| resources::find_by_identifier(connection, &here))
                .await?;
            outcome.made = known.is_none();
            match known {
                None => {
                    outcome.added = wanted.iter().map(|new| new.name.to_string()).collect();
                    if !dry_run {
                        let new = NewResource {
                            identifier,
                            name: resource.name,
                            token_lifetime: None,
                            signing_algorithm: None,
                            metadata_claims: Default::default(),
                            permissions: wanted,
                        };
                        self.create_resource(new, caller, origin.clone(), None)
                            .await?;
                    }
                }
                Some(known) => {
                    for permission in wanted {
                        let id = known.id;
                        if self.has_permission(id, &permission).await? {
                            continue;
                        }
                        outcome.added.push(permission.name.to_string());
                        if dry_run {
                            continue;
                        }
                        let made = self
                            .create_permission(id, permission, caller, origin.clone(), None)
                            .await;
                        match made {
                            Err(Error::Conflict(Conflict::PermissionExists)) => {}
                            made => drop(made?),
                        }
                    }
                }
            }
            imported.push(outcome);
        }
        Ok(imported)
    }

    async fn has_permission(
        &self,
        resource: crate::domain::id::ResourceId,
        permission: &NewPermission,
    ) -> Result<bool, Error> {
        let catalogue = self.catalogue().await?;
        Ok(catalogue.permission(&resource, &permission.name).is_some())
    }
}

/// All resources as a provider is told of them.
fn all_states(connection: &mut store::Connection) -> Result<Vec<ResourceState>, store::Error> {
    let (all, permissions) = resources::all(connection)?;
    let mut states: Vec<ResourceState> = all
        .into_iter()
        .filter(|resource| !resource.reserved)
        .map(|resource| {
            let of_it = permissions
                .iter()
                .filter(|permission| permission.resource_id == resource.id);
            let mut named: Vec<_> = of_it
                .map(|permission| (permission.name.clone(), permission.description.clone()))
                .collect();
            named.sort();
            ResourceState {
                identifier: resource.identifier,
                name: resource.name,
                token_lifetime: resource.token_lifetime.seconds(),
                permissions: named,
            }
        })
        .collect();
    states.sort_by(|one, other| one.identifier.cmp(&other.identifier));
    Ok(states)
}
