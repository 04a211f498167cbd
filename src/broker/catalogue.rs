//! The resources and permissions in memory, and what sets of permissions mean.
//!
//! A catalogue is a snapshot of its tables, replaced whole when they change; every remembered key goes with it, so that a permission
//! that is gone is in no token from that moment. Equal sets of permissions share one [`Policy`].

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::domain::algorithm::SigningAlgorithm;
use crate::domain::id::{PermissionId, ResourceId};
use crate::domain::permission::{Permission, Permissions};
use crate::domain::resource::{MetadataClaims, Resource, ResourceIdentifier};
use crate::domain::scope::{ScopeSet, ScopeToken};

/// A resource as the minting of tokens sees it.
#[derive(Debug)]
pub struct KnownResource {
    /// Its id.
    pub id: ResourceId,
    /// The audience.
    pub identifier: ResourceIdentifier,
    /// How long its tokens live, in seconds.
    pub token_lifetime: u32,
    /// How they are signed.
    pub signing_algorithm: SigningAlgorithm,
    /// Which metadata of a key they carry.
    pub metadata_claims: MetadataClaims,
    /// Whether it is the management API.
    pub reserved: bool,
}

/// What a set of permissions allows, resource by resource.
#[derive(Debug, Default)]
pub struct Policy {
    /// In the order of the resources' identifiers; no set of scopes is empty.
    pub grants: Box<[Grant]>,
}

/// What is allowed at one resource.
#[derive(Debug)]
pub struct Grant {
    /// Where.
    pub resource: Arc<KnownResource>,
    /// What.
    pub scopes: ScopeSet,
    /// The same, as in an answer.
    pub scope: Arc<str>,
}

impl Policy {
    /// What is allowed at a resource.
    pub fn at(&self, identifier: &str) -> Option<&Grant> {
        self.grants
            .iter()
            .find(|grant| grant.resource.identifier.as_str() == identifier)
    }

    /// The same in words, without what is at the management API: that is nobody else's to know or to grant.
    pub fn permissions_elsewhere(&self) -> Permissions {
        let elsewhere = |grant: &&Grant| !grant.resource.reserved;
        let pairs = self.grants.iter().filter(elsewhere).flat_map(|grant| {
            let identifier = &grant.resource.identifier;
            grant
                .scopes
                .iter()
                .map(move |scope| (identifier.clone(), scope.clone()))
        });
        pairs.collect()
    }

    /// The same in words.
    pub fn permissions(&self) -> Permissions {
        let pairs = |grant: &Grant| {
            let identifier = grant.resource.identifier.clone();
            grant
                .scopes
                .iter()
                .map(move |scope| (identifier.clone(), scope.clone()))
                .collect::<Vec<_>>()
        };
        self.grants.iter().flat_map(pairs).collect()
    }
}

/// The snapshot.
#[derive(Default)]
pub struct Catalogue {
    by_identifier: HashMap<ResourceIdentifier, Arc<KnownResource>>,
    permissions: HashMap<PermissionId, (Arc<KnownResource>, ScopeToken)>,
    ids: HashMap<(ResourceId, ScopeToken), PermissionId>,
    policies: Mutex<HashMap<Box<[PermissionId]>, Weak<Policy>>>,
}

impl Catalogue {
    /// The snapshot of these rows.
    pub fn new(resources: Vec<Resource>, permissions: Vec<Permission>) -> Self {
        let known = |resource: Resource| {
            Arc::new(KnownResource {
                id: resource.id,
                identifier: resource.identifier,
                token_lifetime: resource.token_lifetime.seconds(),
                signing_algorithm: resource.signing_algorithm,
                metadata_claims: resource.metadata_claims,
                reserved: resource.reserved,
            })
        };
        let by_id: HashMap<ResourceId, Arc<KnownResource>> = resources
            .into_iter()
            .map(known)
            .map(|resource| (resource.id, resource))
            .collect();
        let mut catalogue = Self::default();
        for permission in permissions {
            // A permission whose resource came or went between the two reads: the change that did it makes a new snapshot.
            let Some(resource) = by_id.get(&permission.resource_id) else {
                continue;
            };
            catalogue
                .ids
                .insert((resource.id, permission.name.clone()), permission.id);
            catalogue
                .permissions
                .insert(permission.id, (Arc::clone(resource), permission.name));
        }
        catalogue.by_identifier = by_id
            .into_values()
            .map(|resource| (resource.identifier.clone(), resource))
            .collect();
        catalogue
    }

    /// The resource of this identifier.
    pub fn resource(&self, identifier: &ResourceIdentifier) -> Option<&Arc<KnownResource>> {
        self.by_identifier.get(identifier)
    }

    /// The resource of this id.
    pub fn resource_by_id(&self, id: &ResourceId) -> Option<&Arc<KnownResource>> {
        self.by_identifier
            .values()
            .find(|resource| resource.id == *id)
    }

    /// All resources.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<KnownResource>> {
        self.by_identifier.values()
    }

    /// The id of a scope at a resource.
    pub fn permission(&self, resource: &ResourceId, scope: &ScopeToken) -> Option<PermissionId> {
        self.ids.get(&(*resource, scope.clone())).copied()
    }

    /// What a set of permissions means; those that do not exist any more mean nothing.
    pub fn policy(&self, permissions: &[PermissionId]) -> Arc<Policy> {
        debug_assert!(permissions.is_sorted(), "one set has one order");
        let mut policies = self.policies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(policy) = policies.get(permissions).and_then(Weak::upgrade) {
            return policy;
        }
        let policy = Arc::new(self.make_policy(permissions));
        if policies.len() == policies.capacity() {
            policies.retain(|_, policy| policy.strong_count() > 0);
        }
        policies.insert(permissions.into(), Arc::downgrade(&policy));
        policy
    }

    /// What is both recorded and granted by the provider.
    pub fn policy_within(
        &self,
        permissions: &[PermissionId],
        granted: &Permissions,
    ) -> Arc<Policy> {
        self.policy(&self.within(permissions, Some(granted)))
    }

    /// Those that the provider grants as well; all, where it grants what is recorded.
    pub fn within(
        &self,
        permissions: &[PermissionId],
        granted: Option<&Permissions>,
    ) -> Vec<PermissionId> {
        let Some(granted) = granted else {
            return permissions.to_vec();
        };
        let within = |id: &&PermissionId| {
            self.permissions.get(*id).is_some_and(|(resource, scope)| {
                // The management API is nobody else's to grant.
                resource.reserved
                    || granted
                        .at(&resource.identifier)
                        .is_some_and(|scopes| scopes.contains(scope))
            })
        };
        permissions.iter().filter(within).copied().collect()
    }

    /// Those that an owner may have, as far as his rights at their resources are told.
    pub fn bounded(
        &self,
        permissions: &[PermissionId],
        rights: &BTreeMap<ResourceIdentifier, ScopeSet>,
    ) -> Vec<PermissionId> {
        let within = |id: &&PermissionId| {
            self.permissions.get(*id).is_some_and(|(resource, scope)| {
                let told = rights.get(&resource.identifier);
                told.is_none_or(|told| told.contains(scope))
            })
        };
        permissions.iter().filter(within).copied().collect()
    }

    /// The resource and the scope of a permission.
    pub fn pair(&self, id: &PermissionId) -> Option<(&Arc<KnownResource>, &ScopeToken)> {
        self.permissions
            .get(id)
            .map(|(resource, scope)| (resource, scope))
    }

    /// Every permission that there is.
    pub fn ids(&self) -> Vec<PermissionId> {
        self.permissions.keys().copied().collect()
    }

    /// Whether a word is the name of a permission, at whatever resource.
    pub fn names_permission(&self, word: &str) -> bool {
        self.permissions
            .values()
            .any(|(_, scope)| scope.as_str() == word)
    }

    /// The id of a scope of the management API.
    pub fn management(&self, scope: &str) -> Option<PermissionId> {
        let own = self.resources().find(|resource| resource.reserved)?;
        self.permission(&own.id, &scope.parse().ok()?)
    }

    fn make_policy(&self, permissions: &[PermissionId]) -> Policy {
        let mut scopes: HashMap<ResourceId, (Arc<KnownResource>, Vec<ScopeToken>)> = HashMap::new();
        for (resource, scope) in permissions.iter().filter_map(|id| self.permissions.get(id)) {
            let entry = scopes
                .entry(resource.id)
                .or_insert_with(|| (Arc::clone(resource), Vec::new()));
            entry.1.push(scope.clone());
        }
        let grant = |(resource, scopes): (Arc<KnownResource>, Vec<ScopeToken>)| {
            let scopes: ScopeSet = scopes.into_iter().collect();
            Grant {
                resource,
                scope: scopes.to_string().into(),
                scopes,
            }
        };
        let mut grants: Vec<Grant> = scopes.into_values().map(grant).collect();
        grants.sort_by(|one, other| one.resource.identifier.cmp(&other.resource.identifier));
        Policy {
            grants: grants.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SystemRandom;

    fn catalogue() -> (Catalogue, Vec<PermissionId>) {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let resource = |identifier: &str| Resource {
            id: ResourceId::generate(&SystemRandom),
            identifier: identifier.parse().unwrap(),
            name: None,
            token_lifetime: Default::default(),
            signing_algorithm: Default::default(),
            metadata_claims: Default::default(),
            reserved: false,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let resources = vec![
            resource("https://cart.example.com"),
            resource("https://payment.example.com"),
        ];
        let permission = |resource: usize, name: &str| Permission {
            id: PermissionId::generate(&SystemRandom),
            resource_id: resources[resource].id,
            name: name.parse().unwrap(),
            description: None,
            created_at: now,
        };
        let permissions = vec![
            permission(0, "read"),
            permission(1, "read"),
            permission(1, "write"),
        ];
        let mut ids: Vec<_> = permissions.iter().map(|permission| permission.id).collect();
        ids.sort_unstable();
        (Catalogue::new(resources, permissions), ids)
    }

    #[test]
    fn equal_sets_of_permissions_share_one_policy() {
        let (catalogue, ids) = catalogue();
        let policy = catalogue.policy(&ids);
        assert!(Arc::ptr_eq(&policy, &catalogue.policy(&ids)));
        assert_eq!(
            policy
                .at("https://payment.example.com")
                .unwrap()
                .scope
                .as_ref(),
            "read write"
        );
        assert_eq!(policy.grants.len(), 2);
    }

    #[test]
    fn what_the_provider_grants_beyond_the_record_is_not_granted() {
        let (catalogue, ids) = catalogue();
        let wide: Permissions = [
            (
                "https://payment.example.com".parse().unwrap(),
                "write".parse().unwrap(),
            ),
            (
                "https://payment.example.com".parse().unwrap(),
                "admin".parse().unwrap(),
            ),
            (
                "https://other.example.com".parse().unwrap(),
                "read".parse().unwrap(),
            ),
        ]
        .into_iter()
        .collect();
        let policy = catalogue.policy_within(&ids, &wide);
        assert_eq!(policy.grants.len(), 1);
        assert_eq!(policy.grants[0].scope.as_ref(), "write");
    }

    #[test]
    fn permissions_that_are_gone_mean_nothing() {
        let (catalogue, _) = catalogue();
        assert!(
            catalogue
                .policy(&[PermissionId::generate(&SystemRandom)])
                .grants
                .is_empty()
        );
    }
}
