//! The client that stands for a resource, and its roles, which stand for permissions.

use serde_json::{Value, json};

use super::admin::{Admin, made_id, part, refused};
use super::directory::find_client;
use super::login::client_scope;
use super::resources::MARK;
use crate::domain::scope::ScopeToken;
use crate::idp::{Error, ResourceState};

/// Whether a client was made for us.
pub(super) fn is_marked(client: &Value) -> bool {
    client["attributes"][MARK] == "resource"
}

/// The client of a resource by its own id, and whether it was made.
pub(super) async fn put_client(
    admin: &Admin,
    resource: &ResourceState,
) -> Result<(String, bool), Error> {
    let identifier = resource.identifier.as_str();
    let name = resource.name.as_deref().unwrap_or_default();
    if let Some(found) = find_client(admin, identifier).await? {
        let id = found["id"].as_str().unwrap_or_default().to_owned();
        let named = found["name"].as_str().unwrap_or_default();
        if is_marked(&found) && named != name {
            let body = json!({"clientId": identifier, "name": name});
            let reply = admin.put(&format!("/clients/{id}"), &body).await?;
            admin.done("the client of a resource", &reply)?;
        }
        return Ok((id, false));
    }
    let body = json!({
        "clientId": identifier, "name": name, "enabled": true, "bearerOnly": true, "fullScopeAllowed": false,
        "protocol": "openid-connect", "attributes": {MARK: "resource"},
    });
    let reply = admin.post("/clients", &body).await?;
    if reply.status == 409 {
        // Made by another node at the same moment.
        let found = find_client(admin, identifier).await?;
        let id = found.and_then(|client| client["id"].as_str().map(str::to_owned));
        return id
            .map(|id| (id, false))
            .ok_or_else(|| refused("the client of a resource", &reply));
    }
    Ok((made_id("the client of a resource", &reply)?, true))
}

/// A role of a client, as a mapping wants it.
pub(super) async fn put_role(
    admin: &Admin,
    client: &str,
    roles: &[Value],
    (name, description): (&ScopeToken, Option<&str>),
) -> Result<Value, Error> {
    let description = description.unwrap_or_default();
    let path = format!("/clients/{client}/roles/{}", part(name.as_str()));
    let mut found = roles
        .iter()
        .find(|role| role["name"] == name.as_str())
        .cloned();
    if found.is_none() {
        let body = json!({"name": name.as_str(), "description": description});
        let reply = admin
            .post(&format!("/clients/{client}/roles"), &body)
            .await?;
        if reply.status != 409 {
            admin.done("a role", &reply)?;
        }
        found = admin.get(&path).await?;
    } else if found
        .as_ref()
        .is_some_and(|role| role["description"].as_str().unwrap_or_default() != description)
    {
        let body = json!({"name": name.as_str(), "description": description});
        let reply = admin.put(&path, &body).await?;
        admin.done("a role", &reply)?;
    }
    let role = found.ok_or_else(|| Error::unavailable("a role that was made is not there"))?;
    Ok(json!({"id": role["id"], "name": role["name"]}))
}

/// A role goes, with every grant of it, and its client scope if no other resource has a permission of that name: one without a role would
/// be granted to everybody.
pub(super) async fn remove_permission(
    admin: &Admin,
    client: &str,
    name: &ScopeToken,
) -> Result<(), Error> {
    let path = format!("/clients/{client}/roles/{}", part(name.as_str()));
    let scopes = admin.whole("/client-scopes").await?;
    let wanted = client_scope(name);
    let scope = scopes.iter().find(|scope| scope["name"] == wanted.as_str());
    let id = scope
        .filter(|scope| scope["attributes"][MARK] == "permission")
        .and_then(|scope| scope["id"].as_str());
    if let Some(id) = id {
        let mappings = admin
            .get(&format!("/client-scopes/{id}/scope-mappings"))
            .await?;
        let mappings = mappings.unwrap_or_default();
        let clients = mappings["clientMappings"].as_object();
        let others = clients
            .into_iter()
            .flatten()
            .any(|(_, mapping)| mapping["id"] != client);
        if !others {
            // First: what names no role for a moment would be granted to everybody.
            admin.delete(&format!("/client-scopes/{id}"), None).await?;
        }
    }
    admin.delete(&path, None).await
}
