//! The machine users of a realm: made, found, permitted, described, removed.

use serde_json::{Map, Value, json};

use super::admin::{made_id, part, refused};
use super::{ISSUER_ALIAS, Keycloak};
use crate::domain::id::DeploymentId;
use crate::domain::permission::Permissions;
use crate::domain::plaintext_key::UserName;
use crate::domain::resource::ResourceIdentifier;
use crate::idp::Error;
use crate::idp::api::Complaint;
use crate::idp::users::{FoundUser, Made, NewUser, UserAttributes, login, user_name};

const DEPLOYMENT: &str = "kagiya_deployment";
const GENERATION: &str = "kagiya_generation";

/// A user as the realm has it.
pub(super) struct Found {
    pub(super) id: String,
    username: String,
    enabled: bool,
    deployment: Option<String>,
    generation: Option<String>,
}

/// The roles of one client that a user holds: client id, the client's own id, roles.
type Held = (String, String, Vec<Value>);

impl From<Found> for FoundUser {
    fn from(found: Found) -> Self {
        Self {
            user_name: user_name(&found.username),
            subject: found.id,
            deployment: found.deployment,
            disabled: !found.enabled,
        }
    }
}

impl Found {
    fn read(user: &Value) -> Option<Self> {
        let attribute = |name: &str| {
            let first = user["attributes"][name].get(0)?;
            first.as_str().map(str::to_owned)
        };
        Some(Self {
            id: user["id"].as_str()?.to_owned(),
            username: user["username"].as_str()?.to_owned(),
            enabled: user["enabled"].as_bool().unwrap_or(false),
            deployment: attribute(DEPLOYMENT),
            generation: attribute(GENERATION),
        })
    }

    fn is_of(&self, deployment: &DeploymentId) -> bool {
        self.deployment.as_deref() == Some(deployment.as_str())
    }
}

impl Keycloak {
    pub(super) async fn create_user(&self, user: &NewUser) -> Result<Made, Error> {
        let body = self.representation(user);
        let mut reply = self.admin.post("/users", &body).await?;
        if reply.status == 409 {
            // Made before by a call whose answer was lost: from scratch, so that it is as asked.
            self.make_room(user).await?;
            reply = self.admin.post("/users", &body).await?;
        }
        let subject = made_id("the user", &reply)?;
        self.change_roles(&subject, &[], &user.permissions).await?;
        Ok(Made {
            subject,
            credential: None,
        })
    }

    async fn make_room(&self, user: &NewUser) -> Result<(), Error> {
        let wanted = &user.attributes;
        match self.find(&user.user_name).await? {
            None => Ok(()),
            Some(found)
                if found.is_of(&wanted.deployment_id)
                    && found.generation.as_deref() == Some(wanted.generation.as_str()) =>
            {
                self.admin
                    .delete(&format!("/users/{}", found.id), None)
                    .await
            }
            Some(_) => Err(not_ours(&user.user_name)),
        }
    }

    /// The user as it is to be.
    fn representation(&self, user: &NewUser) -> Value {
        let mut body = described(&user.user_name, &user.attributes);
        body["enabled"] = json!(true);
        if self.settings.by_password {
            body["credentials"] = password(user);
        } else {
            body["federatedIdentities"] = json!([link(user)]);
        }
        body
    }

    /// The user of this name, and of no other: the search folds case.
    pub(super) async fn find(&self, name: &UserName) -> Result<Option<Found>, Error> {
        let name = login(name);
        let path = format!("/users?username={name}&exact=true&briefRepresentation=false");
        let found = self.admin.get(&path).await?;
        let Some(Value::Array(found)) = found else {
            return Err(Error::unavailable("the list of users is none"));
        };
        Ok(found
            .iter()
            .filter_map(Found::read)
            .find(|user| user.username == name))
    }

    async fn found(&self, name: &UserName) -> Result<Found, Error> {
        self.find(name).await?.ok_or(Error::NoSuchUser)
    }

    pub(super) async fn permit(
        &self,
        name: &UserName,
        permissions: &Permissions,
    ) -> Result<(), Error> {
        let user = self.found(name).await?;
        self.permit_as(&user.id, permissions).await
    }

    async fn permit_as(&self, subject: &str, wanted: &Permissions) -> Result<(), Error> {
        let held = self.roles_of(subject).await?;
        self.change_roles(subject, &held, wanted).await
    }

    async fn change_roles(
        &self,
        subject: &str,
        held: &[Held],
        wanted: &Permissions,
    ) -> Result<(), Error> {
        let at = |client: &str| format!("/users/{subject}/role-mappings/clients/{client}");
        // What is too much first, so that a crash never leaves more than was ever asked for.
        for (resource, client, roles) in held {
            let surplus: Vec<&Value> = roles
                .iter()
                .filter(|role| !is_wanted(wanted, resource, role))
                .collect();
            // Without a role in the body, every role of that client would go.
            if !surplus.is_empty() {
                let body = json!(surplus);
                self.admin.delete(&at(client), Some(&body)).await?;
            }
        }
        for (resource, scopes) in wanted.iter() {
            let has = held.iter().find(|(at, ..)| at == resource.as_str());
            let holds = |scope: &str| {
                has.is_some_and(|(.., roles)| roles.iter().any(|role| role["name"] == scope))
            };
            let missing: Vec<&str> = scopes
                .iter()
                .map(|scope| scope.as_str())
                .filter(|scope| !holds(scope))
                .collect();
            if !missing.is_empty() {
                self.grant_roles(subject, resource, &missing).await?;
            }
        }
        Ok(())
    }

    async fn grant_roles(
        &self,
        subject: &str,
        resource: &ResourceIdentifier,
        names: &[&str],
    ) -> Result<(), Error> {
        // A role that was made anew has another id than the one that is remembered; two who grant at once may fail one of them.
        for fresh in [false, true] {
            let client = self.client_of(resource, fresh).await?;
            let roles = client.roles(names);
            if roles.len() < names.len() {
                if fresh {
                    let reason = format!("it has not every permission of {resource}");
                    return Err(Error::Refused { reason });
                }
                continue;
            }
            let path = format!("/users/{subject}/role-mappings/clients/{}", client.id);
            let reply = self.admin.add(&path, &Value::Array(roles)).await?;
            if reply.is_success() {
                return Ok(());
            }
            if Complaint::of(&reply).code == "User not found" {
                return Err(Error::NoSuchUser);
            }
            if fresh {
                return Err(refused("the permissions", &reply));
            }
        }
        Ok(())
    }

    /// The client roles that a user holds directly.
    async fn roles_of(&self, subject: &str) -> Result<Vec<Held>, Error> {
        let path = format!("/users/{subject}/role-mappings");
        let mappings = self.admin.get(&path).await?.ok_or(Error::NoSuchUser)?;
        let clients = mappings["clientMappings"].as_object();
        let read = |(client, mapping): (&String, &Value)| {
            // What is no resource is a client of Keycloak's own.
            client.parse::<ResourceIdentifier>().ok()?;
            let roles = mapping["mappings"].as_array()?.clone();
            Some((client.clone(), mapping["id"].as_str()?.to_owned(), roles))
        };
        Ok(clients.into_iter().flatten().filter_map(read).collect())
    }

    pub(super) async fn granted_to(&self, subject: &str) -> Result<Permissions, Error> {
        let held = self.roles_of(subject).await?;
        let pairs = held.iter().flat_map(|(client, _, roles)| {
            roles.iter().filter_map(move |role| {
                let scope = role["name"].as_str()?.parse().ok()?;
                Some((client.parse().ok()?, scope))
            })
        });
        Ok(pairs.collect())
    }

    pub(super) async fn describe(
        &self,
        name: &UserName,
        attributes: &UserAttributes,
    ) -> Result<(), Error> {
        let user = self.found(name).await?;
        // All of it: what is not sent beside attributes is deleted.
        let body = described(name, attributes);
        let path = format!("/users/{}", user.id);
        let reply = self.admin.put(&path, &body).await?;
        match reply.status {
            404 => Err(Error::NoSuchUser),
            _ => self.admin.done("the attributes", &reply),
        }
    }

    pub(super) async fn repair_user(&self, user: &NewUser) -> Result<(), Error> {
        let found = self.found(&user.user_name).await?;
        if !found.is_of(&user.attributes.deployment_id) {
            return Err(not_ours(&user.user_name));
        }
        if self.settings.by_password {
            let path = format!("/users/{}/reset-password", found.id);
            let credential = &password(user)[0];
            let reply = self.admin.put(&path, credential).await?;
            self.admin.done("the password", &reply)?;
        } else {
            let path = format!("/users/{}/federated-identity/{ISSUER_ALIAS}", found.id);
            let reply = self.admin.add(&path, &link(user)).await?;
            // It may be there.
            if reply.status != 409 {
                self.admin.done("the link", &reply)?;
            }
        }
        self.permit_as(&found.id, &user.permissions).await
    }

    pub(super) async fn delete_user(
        &self,
        name: &UserName,
        deployment: &DeploymentId,
    ) -> Result<(), Error> {
        let Some(found) = self.find(name).await? else {
            return Ok(());
        };
        if !found.is_of(deployment) {
            return Err(not_ours(name));
        }
        let path = format!("/users/{}", found.id);
        match self.admin.delete(&path, None).await {
            // Of two who delete at once one may fail; then it is gone.
            Err(error) => match self.find(name).await {
                Ok(None) => Ok(()),
                _ => Err(error),
            },
            deleted => deleted,
        }
    }

    pub(super) async fn users_of(
        &self,
        deployment: &DeploymentId,
    ) -> Result<Vec<FoundUser>, Error> {
        let path = format!(
            "/users?q={DEPLOYMENT}:{}&briefRepresentation=false",
            part(deployment.as_str())
        );
        let users = self.admin.list(&path).await?;
        // The search folds case and gives everybody where it does not understand what is sought.
        let ours = users
            .iter()
            .filter_map(Found::read)
            .filter(|user| user.is_of(deployment));
        Ok(ours.map(FoundUser::from).collect())
    }
}

fn is_wanted(wanted: &Permissions, resource: &str, role: &Value) -> bool {
    let scopes = resource
        .parse()
        .ok()
        .and_then(|resource: ResourceIdentifier| wanted.at(&resource));
    let scope = role["name"].as_str().and_then(|name| name.parse().ok());
    matches!((scopes, scope), (Some(scopes), Some(scope)) if scopes.contains(&scope))
}

/// Whom a user stands for, in attributes, and what must be sent beside them.
fn described(name: &UserName, attributes: &UserAttributes) -> Value {
    let mut told = Map::new();
    let mut tell = |name: &str, value: &str| told.insert(name.to_owned(), json!([value]));
    tell(DEPLOYMENT, attributes.deployment_id.as_str());
    tell("kagiya_key", attributes.key_id.as_str());
    tell(GENERATION, attributes.generation.as_str());
    tell("kagiya_organization", attributes.organization_id.as_str());
    if let Some(owner) = &attributes.owner {
        tell("kagiya_owner_iss", owner.iss.as_str());
        tell("kagiya_owner_sub", owner.sub.as_str());
    }
    for (name, value) in attributes.metadata.iter() {
        tell(&format!("kagiya_metadata_{name}"), value);
    }
    let name = login(name);
    json!({
        "username": name, "email": format!("{name}@keys.invalid"), "emailVerified": true,
        "firstName": "kagiya", "lastName": "key", "attributes": told,
    })
}

fn password(user: &NewUser) -> Value {
    json!([{"type": "password", "value": user.password.expose(), "temporary": false}])
}

/// That a user is the subject of our assertions. Its generation, which no other user has.
fn link(user: &NewUser) -> Value {
    json!({
        "identityProvider": ISSUER_ALIAS, "userId": user.attributes.generation.as_str(),
        "userName": login(&user.user_name),
    })
}

fn not_ours(name: &UserName) -> Error {
    Error::Refused {
        reason: format!("the user {} is not of this deployment", login(name)),
    }
}
