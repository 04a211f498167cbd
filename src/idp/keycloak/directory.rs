//! Clients of a realm, found by their client ids; those of resources are remembered with the ids of their roles.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::Keycloak;
use super::admin::{Admin, part};
use crate::domain::resource::ResourceIdentifier;
use crate::idp::Error;

/// What is remembered of the clients of resources.
#[derive(Default)]
pub(super) struct Directory(Mutex<HashMap<ResourceIdentifier, Arc<ResourceClient>>>);

/// A resource's client.
pub(super) struct ResourceClient {
    pub(super) id: String,
    /// Ids of its roles by name.
    roles: HashMap<String, String>,
}

impl ResourceClient {
    /// Its roles of these names, as a mapping wants them; those that it has not are left out.
    pub(super) fn roles(&self, names: &[&str]) -> Vec<Value> {
        let role = |name: &&str| {
            let id = self.roles.get(*name)?;
            Some(json!({"id": id, "name": name}))
        };
        names.iter().filter_map(role).collect()
    }
}

impl Keycloak {
    /// The client of a resource, as it is remembered or, if `fresh`, as it is now.
    pub(super) async fn client_of(
        &self,
        resource: &ResourceIdentifier,
        fresh: bool,
    ) -> Result<Arc<ResourceClient>, Error> {
        if !fresh && let Some(client) = self.directory.lock().get(resource) {
            return Ok(Arc::clone(client));
        }
        let found = find_client(&self.admin, resource.as_str()).await?;
        let Some(id) = found.and_then(|client| client["id"].as_str().map(str::to_owned)) else {
            let reason = format!("it does not know the resource {resource}");
            return Err(Error::Refused { reason });
        };
        let roles = self.admin.list(&format!("/clients/{id}/roles")).await?;
        let role = |role: &Value| {
            Some((
                role["name"].as_str()?.to_owned(),
                role["id"].as_str()?.to_owned(),
            ))
        };
        let roles = roles.iter().filter_map(role).collect();
        let client = Arc::new(ResourceClient { id, roles });
        self.directory
            .lock()
            .insert(resource.clone(), Arc::clone(&client));
        Ok(client)
    }

    pub(super) async fn login_client(&self, admin: &Admin) -> Result<String, Error> {
        let name = &self.settings.login.id;
        let found = find_client(admin, name).await?;
        let id = found.and_then(|client| client["id"].as_str().map(str::to_owned));
        id.ok_or_else(|| Error::Refused {
            reason: format!("it has no client {name}: run kagiya idp setup"),
        })
    }
}

impl Directory {
    pub(super) fn lock(
        &self,
    ) -> std::sync::MutexGuard<'_, HashMap<ResourceIdentifier, Arc<ResourceClient>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client of this client id.
pub(super) async fn find_client(admin: &Admin, client_id: &str) -> Result<Option<Value>, Error> {
    let path = format!("/clients?clientId={}", part(client_id));
    let found = admin.get(&path).await?;
    let found = found.as_ref().and_then(Value::as_array);
    let same = |client: &&Value| client["clientId"] == client_id;
    Ok(found.into_iter().flatten().find(same).cloned())
}
