//! The owners of keys, who are people in a realm of their own: whether they are there, and what they may do where that realm knows it.

use std::collections::BTreeMap;

use super::Keycloak;
use super::admin::part;
use super::directory::find_client;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeSet;
use crate::domain::subject::Subject;
use crate::idp::Error;
use crate::idp::users::OwnerState;

impl Keycloak {
    pub(super) async fn owner_of_keys(
        &self,
        owner: &Subject,
        resources: &[ResourceIdentifier],
    ) -> Result<OwnerState, Error> {
        let Some(people) = &self.people else {
            return Ok(OwnerState::Active(BTreeMap::new()));
        };
        let id = part(owner.sub.as_str());
        let found = people.get(&format!("/users/{id}")).await?;
        if found.is_none_or(|person| person["enabled"] != true) {
            return Ok(OwnerState::Gone);
        }
        let mut rights = BTreeMap::new();
        for resource in resources {
            // Where the realm of the people has no such client, it knows nothing of who may do what there.
            let Some(client) = find_client(people, resource.as_str()).await? else {
                continue;
            };
            let client = client["id"].as_str().unwrap_or_default();
            let path = format!("/users/{id}/role-mappings/clients/{client}/composite");
            let roles = people.whole(&path).await?;
            let scopes: ScopeSet = roles
                .iter()
                .filter_map(|role| role["name"].as_str()?.parse().ok())
                .collect();
            rights.insert(resource.clone(), scopes);
        }
        Ok(OwnerState::Active(rights))
    }
}
