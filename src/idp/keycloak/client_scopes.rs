//! Client scopes, by which a token is for one resource and names the permissions that were asked for.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::admin::{Admin, made_id};
use super::login::{client_scope, resource_scope};
use super::resources::MARK;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeToken;
use crate::idp::Error;

/// The client scopes of a realm, and those that users can sign in for.
pub(super) struct ScopesOf {
    ids: Mutex<HashMap<String, (String, bool)>>,
    attached: Mutex<Vec<String>>,
}

impl ScopesOf {
    pub(super) async fn read(admin: &Admin, login: &str) -> Result<Self, Error> {
        let scopes = admin.whole("/client-scopes").await?;
        let read = |scope: &Value| {
            let ours = scope["attributes"][MARK].is_string();
            let id = scope["id"].as_str()?.to_owned();
            Some((scope["name"].as_str()?.to_owned(), (id, ours)))
        };
        let path = format!("/clients/{login}/optional-client-scopes");
        let attached = admin.get(&path).await?.unwrap_or_default();
        let attached = attached.as_array().into_iter().flatten();
        Ok(Self {
            ids: Mutex::new(scopes.iter().filter_map(read).collect()),
            attached: Mutex::new(
                attached
                    .filter_map(|scope| scope["id"].as_str().map(str::to_owned))
                    .collect(),
            ),
        })
    }

    fn known(&self, name: &str) -> Option<(String, bool)> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.get(name).cloned()
    }

    pub(super) async fn put_permission_scope(
        &self,
        admin: &Admin,
        permission: &ScopeToken,
    ) -> Result<String, Error> {
        let attributes = json!({
            "include.in.token.scope": "true", "display.on.consent.screen": "false", MARK: "permission",
        });
        self.put(admin, &client_scope(permission), (attributes, json!([])))
            .await
    }

    pub(super) async fn put_resource_scope(
        &self,
        admin: &Admin,
        resource: &ResourceIdentifier,
    ) -> Result<String, Error> {
        let attributes = json!({
            "include.in.token.scope": "false", "display.on.consent.screen": "false", MARK: "resource",
        });
        let mappers = json!([
            {
                "name": "permissions", "protocol": "openid-connect",
                "protocolMapper": "oidc-usermodel-client-role-mapper",
                "config": {
                    "usermodel.clientRoleMapping.clientId": resource.as_str(), "claim.name": "permissions",
                    "jsonType.label": "String", "multivalued": "true", "access.token.claim": "true",
                },
            },
            {
                "name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
                "config": {
                    "included.client.audience": resource.as_str(), "access.token.claim": "true",
                    "id.token.claim": "false",
                },
            },
        ]);
        self.put(admin, &resource_scope(resource), (attributes, mappers))
            .await
    }

    async fn put(
        &self,
        admin: &Admin,
        name: &str,
        (attributes, mappers): (Value, Value),
    ) -> Result<String, Error> {
        match self.known(name) {
            Some((id, true)) => return Ok(id),
            Some((_, false)) => {
                let reason = format!("the realm has a client scope {name} that is not kagiya's");
                return Err(Error::Refused { reason });
            }
            None => {}
        }
        let body = json!({
            "name": name, "protocol": "openid-connect", "attributes": attributes, "protocolMappers": mappers,
        });
        let reply = admin.post("/client-scopes", &body).await?;
        let id = made_id("a client scope", &reply)?;
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.insert(name.to_owned(), (id.clone(), true));
        Ok(id)
    }

    pub(super) async fn attach(
        &self,
        admin: &Admin,
        login: &str,
        scope: &str,
    ) -> Result<(), Error> {
        let is_attached = {
            let attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
            attached.iter().any(|attached| attached == scope)
        };
        if is_attached {
            return Ok(());
        }
        let path = format!("/clients/{login}/optional-client-scopes/{scope}");
        let reply = admin.put(&path, &json!({})).await?;
        admin.done("an optional client scope", &reply)?;
        let mut attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
        attached.push(scope.to_owned());
        Ok(())
    }
}
