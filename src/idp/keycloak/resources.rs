//! Resources and permissions in a realm: a client for each resource, its roles, and the client scopes by which tokens name them.

use serde_json::{Value, json};

use super::Keycloak;
use super::admin::Admin;
use super::client_scopes::ScopesOf;
use super::directory::find_client;
use super::login::resource_scope;
use super::resource_clients::{is_marked, put_client, put_role, remove_permission};
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeToken;
use crate::idp::{Carried, Error, FoundResource, ResourceState};

/// The longest name of a client in Keycloak's tables.
const MAX_CLIENT_ID: usize = 255;
/// What marks what is ours in a realm.
pub(super) const MARK: &str = "kagiya";

/// What came of a resource that was put.
#[derive(Default)]
pub(super) struct Put {
    /// Whether it was not there before.
    pub(super) made: bool,
    /// Whether anything was written.
    pub(super) changed: bool,
}

impl Keycloak {
    /// Has a resource as it is here, by this way into the realm.
    pub(super) async fn put_by(
        &self,
        admin: &Admin,
        resource: &ResourceState,
        carried: &Carried,
    ) -> Result<Put, Error> {
        let writes = admin.writes();
        let identifier = &resource.identifier;
        if identifier.as_str().len() > MAX_CLIENT_ID {
            let reason = format!("the identifier {identifier} is longer than 255 characters");
            return Err(Error::Refused { reason });
        }
        self.directory.lock().remove(identifier);
        let (client, made) = put_client(admin, resource).await?;
        let wanted: Vec<&ScopeToken> = resource.permissions.iter().map(|(name, _)| name).collect();
        for gone in carried
            .permissions
            .iter()
            .filter(|name| !wanted.contains(name))
        {
            remove_permission(admin, &client, gone).await?;
        }
        let login = self.login_client(admin).await?;
        let scopes = ScopesOf::read(admin, &login).await?;
        let scope = scopes.put_resource_scope(admin, identifier).await?;
        scopes.attach(admin, &login, &scope).await?;
        let roles = admin.list(&format!("/clients/{client}/roles")).await?;
        for (name, description) in &resource.permissions {
            let role = put_role(admin, &client, &roles, (name, description.as_deref())).await?;
            let scope = scopes.put_permission_scope(admin, name).await?;
            let mapped = format!("/client-scopes/{scope}/scope-mappings/clients/{client}");
            let held = admin.get(&mapped).await?.unwrap_or_default();
            let has = |held: &Value| held["name"] == role["name"];
            if !held.as_array().is_some_and(|held| held.iter().any(has)) {
                let reply = admin.add(&mapped, &json!([role])).await?;
                admin.done("the role of a client scope", &reply)?;
            }
            scopes.attach(admin, &login, &scope).await?;
        }
        Ok(Put {
            made,
            changed: admin.writes() > writes,
        })
    }

    pub(super) async fn remove(
        &self,
        identifier: &ResourceIdentifier,
        carried: &Carried,
    ) -> Result<(), Error> {
        self.directory.lock().remove(identifier);
        let admin = &self.admin;
        if let Some(found) = find_client(admin, identifier.as_str()).await? {
            let client = found["id"].as_str().unwrap_or_default();
            for name in &carried.permissions {
                remove_permission(admin, client, name).await?;
            }
            if carried.made && is_marked(&found) {
                admin.delete(&format!("/clients/{client}"), None).await?;
            }
        }
        let scopes = admin.whole("/client-scopes").await?;
        let name = resource_scope(identifier);
        for scope in scopes.iter().filter(|scope| scope["name"] == name.as_str()) {
            let id = scope["id"].as_str().unwrap_or_default();
            admin.delete(&format!("/client-scopes/{id}"), None).await?;
        }
        Ok(())
    }

    pub(super) async fn existing_resources(&self) -> Result<Vec<FoundResource>, Error> {
        let clients = self.admin.list("/clients").await?;
        let mut found = Vec::new();
        for client in clients {
            let (Some(name), Some(id)) = (client["clientId"].as_str(), client["id"].as_str())
            else {
                continue;
            };
            // Keycloak's own clients, and those that people sign in by, are no resources.
            if client["bearerOnly"] != true || name.parse::<ResourceIdentifier>().is_err() {
                continue;
            }
            let roles = self.admin.list(&format!("/clients/{id}/roles")).await?;
            let permission = |role: &Value| {
                let description = role["description"].as_str().filter(|text| !text.is_empty());
                Some((
                    role["name"].as_str()?.to_owned(),
                    description.map(str::to_owned),
                ))
            };
            found.push(FoundResource {
                identifier: name.to_owned(),
                name: client["name"].as_str().map(str::to_owned),
                permissions: roles.iter().filter_map(permission).collect(),
            });
        }
        Ok(found)
    }
}
