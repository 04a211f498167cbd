//! Permissions: a permission is the pair of a resource and a scope. Equal names at two resources are unrelated.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::id::{PermissionId, ResourceId};
use super::resource::ResourceIdentifier;
use super::scope::{ScopeSet, ScopeToken};

/// A permission as it is kept at its resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Its id.
    pub id: PermissionId,
    /// Where it counts.
    pub resource_id: ResourceId,
    /// Its name, the scope.
    pub name: ScopeToken,
    /// What it lets do, for people.
    pub description: Option<String>,
    /// Since when it exists.
    pub created_at: Timestamp,
}

/// A set of permissions in words: scopes by resource. What requests, answers and identity providers exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(BTreeMap<ResourceIdentifier, ScopeSet>);

impl Permissions {
    /// Whether nothing is permitted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes at a resource, if there is any.
    pub fn at(&self, resource: &ResourceIdentifier) -> Option<&ScopeSet> {
        self.0.get(resource)
    }

    /// The resources with their scopes, in the order of their identifiers; no set is empty.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ResourceIdentifier, &ScopeSet)> {
        self.0.iter()
    }

    /// Whether all of it is in `other` too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().all(|(resource, scopes)| {
            other
                .at(resource)
                .is_some_and(|held| scopes.is_subset(held))
        })
    }

    /// What is here and not in `other`.
    pub fn without(&self, other: &Self) -> Self {
        let left = |(resource, scopes): (&ResourceIdentifier, &ScopeSet)| {
            let held = other.at(resource);
            let left: Vec<_> = scopes
                .iter()
                .filter(|scope| !held.is_some_and(|held| held.contains(scope)))
                .map(|scope| (resource.clone(), scope.clone()))
                .collect();
            left
        };
        self.iter().flat_map(left).collect()
    }

    /// What is in both.
    pub fn intersection(&self, other: &Self) -> Self {
        let common = |(resource, scopes): (&ResourceIdentifier, &ScopeSet)| {
            Some((resource.clone(), scopes.intersection(other.at(resource)?)))
        };
        Self(
            self.0
                .iter()
                .filter_map(common)
                .filter(|(_, scopes)| !scopes.is_empty())
                .collect(),
        )
    }
}

/// Collects pairs; several sets for one resource become one.
impl FromIterator<(ResourceIdentifier, ScopeToken)> for Permissions {
    fn from_iter<I: IntoIterator<Item = (ResourceIdentifier, ScopeToken)>>(pairs: I) -> Self {
        let mut collected: BTreeMap<ResourceIdentifier, BTreeSet<ScopeToken>> = BTreeMap::new();
        for (resource, scope) in pairs {
            collected.entry(resource).or_default().insert(scope);
        }
        Self(
            collected
                .into_iter()
                .map(|(resource, scopes)| (resource, scopes.into_iter().collect()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn permissions() -> impl Strategy<Value = Permissions> {
        prop::collection::vec(("[a-c]", "[r-v]"), 0..10).prop_map(|pairs| {
            pairs
                .iter()
                .map(|(resource, scope)| {
                    (
                        format!("https://{resource}.example.com").parse().unwrap(),
                        scope.parse().unwrap(),
                    )
                })
                .collect()
        })
    }

    fn pairs(of: &Permissions) -> BTreeSet<(String, String)> {
        of.iter()
            .flat_map(|(resource, scopes)| {
                scopes
                    .iter()
                    .map(|scope| (resource.to_string(), scope.to_string()))
            })
            .collect()
    }

    proptest! {
        #[test]
        fn an_intersection_holds_the_pairs_of_both_and_no_other(a in permissions(), b in permissions()) {
            let both: BTreeSet<_> = pairs(&a).intersection(&pairs(&b)).cloned().collect();
            prop_assert_eq!(pairs(&a.intersection(&b)), both);
            let left: BTreeSet<_> = pairs(&a).difference(&pairs(&b)).cloned().collect();
            prop_assert_eq!(pairs(&a.without(&b)), left);
        }

        #[test]
        fn a_subset_is_one_pair_by_pair(a in permissions(), b in permissions()) {
            prop_assert_eq!(a.is_subset(&b), pairs(&a).is_subset(&pairs(&b)));
            prop_assert!(a.intersection(&b).is_subset(&b));
        }
    }

    #[test]
    fn the_same_scope_at_another_resource_is_another_permission() {
        let of = |resource: &str| -> Permissions {
            [(resource.parse().unwrap(), "read".parse().unwrap())]
                .into_iter()
                .collect()
        };
        assert!(!of("https://a.example.com").is_subset(&of("https://b.example.com")));
        assert!(
            of("https://a.example.com")
                .intersection(&of("https://b.example.com"))
                .is_empty()
        );
    }
}
