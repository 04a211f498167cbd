//! The realm is made, with its clients and ours as a registered issuer; done again, nothing is written.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::admin::{Admin, made_id, part};
use super::directory::find_client;
use super::{ISSUER_ALIAS, Keycloak, RIGHTS_CLIENT};
use crate::domain::secret::SecretText;
use crate::idp::api::Api;
use crate::idp::budget::Budget;
use crate::idp::outbound::Outbound;
use crate::idp::setup::{AdminCredentials, Ground, How, Step};
use crate::idp::{Carried, Error};

/// How long one call of the set-up may take: a server that has just started is slow.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the service account of the administration may do in its realm, and in that of the people.
pub(super) const ADMIN_ROLES: [&str; 8] = [
    "manage-users",
    "view-users",
    "query-users",
    "manage-clients",
    "view-clients",
    "query-clients",
    "view-realm",
    "view-identity-providers",
];
pub(super) const PEOPLE_ROLES: [&str; 4] =
    ["view-users", "query-users", "view-clients", "query-clients"];

impl Keycloak {
    pub(super) async fn prepare(
        &self,
        credentials: &AdminCredentials,
        ground: &Ground,
    ) -> Result<Vec<Step>, Error> {
        let (realm, login) = (&self.settings.realm, &self.settings.login);
        let admin = self.administrator(realm, credentials)?;
        let mut steps = vec![
            self.put_realm(&admin, ground).await?,
            put_profile(&admin).await?,
        ];
        if !self.settings.by_password {
            steps.push(put_issuer(&admin, ground).await?);
        }
        let secret = login.secret_or_new(&mut steps)?;
        for (name, full, scopes) in [
            (login.id.as_str(), false, json!(["basic"])),
            (RIGHTS_CLIENT, true, json!(["basic", "roles"])),
        ] {
            let body = self.login_body(name, full, scopes);
            steps.push(put_client(&admin, &body, &secret).await?);
        }
        steps.push(put_mappers(&admin, &login.id).await?);
        let secret = self.settings.admin.secret_or_new(&mut steps)?;
        steps.extend(
            self.put_administration(&admin, &secret, &ADMIN_ROLES)
                .await?,
        );
        if let Some(people) = &self.settings.people_realm {
            let people = self.administrator(people, credentials)?;
            steps.extend(
                self.put_administration(&people, &secret, &PEOPLE_ROLES)
                    .await?,
            );
        }
        for resource in &ground.resources {
            let put = self.put_by(&admin, resource, &Carried::default()).await?;
            let how = match (put.made, put.changed) {
                (true, _) => How::Made,
                (false, true) => How::Changed,
                (false, false) => How::Unchanged,
            };
            steps.push(Step::new(format!("resource {}", resource.identifier), how));
        }
        Ok(steps)
    }

    fn administrator(&self, realm: &str, credentials: &AdminCredentials) -> Result<Admin, Error> {
        let outbound = Outbound::with_patience(self.outbound.is_internal(), PATIENCE)
            .map_err(Error::unavailable)?;
        let api = Api::new(outbound, Budget::new(4, None), self.figures.clone());
        let server = self.settings.url.as_str().trim_end_matches('/');
        Ok(Admin::of_administrator(
            api,
            (server, realm),
            credentials.clone(),
            Arc::clone(&self.clock),
        ))
    }

    async fn put_realm(&self, admin: &Admin, ground: &Ground) -> Result<Step, Error> {
        let realm = &self.settings.realm;
        let what = format!("realm {realm}");
        if admin.realm_exists().await? {
            return Ok(Step::new(what, How::Unchanged));
        }
        // Plain HTTP is for a machine of its own; elsewhere Keycloak refuses it.
        let plain = self.settings.url.scheme() == "http" || ground.issuer.starts_with("http://");
        let body = json!({
            "realm": realm, "enabled": true, "displayName": "Machine users of kagiya",
            "sslRequired": if plain { "none" } else { "external" }, "registrationAllowed": false,
            "loginWithEmailAllowed": false, "duplicateEmailsAllowed": true, "accessTokenLifespan": 300,
            "ssoSessionIdleTimeout": 600, "ssoSessionMaxLifespan": 3600, "bruteForceProtected": false,
            // Of 256 random bits nothing slower is called for.
            "passwordPolicy": "hashAlgorithm(pbkdf2-sha512) and hashIterations(1)",
        });
        admin.make_realm(&body).await?;
        Ok(Step::new(what, How::Made))
    }

    pub(super) fn login_body(&self, name: &str, full_scope: bool, scopes: Value) -> Value {
        let mut attributes = json!({"use.refresh.tokens": "false"});
        if !self.settings.by_password {
            attributes["oauth2.jwt.authorization.grant.enabled"] = json!("true");
            attributes["oauth2.jwt.authorization.grant.idp"] = json!(ISSUER_ALIAS);
        }
        json!({
            "clientId": name, "enabled": true, "publicClient": false, "standardFlowEnabled": false,
            "directAccessGrantsEnabled": self.settings.by_password, "serviceAccountsEnabled": false,
            "fullScopeAllowed": full_scope, "attributes": attributes, "defaultClientScopes": scopes,
            "optionalClientScopes": [],
        })
    }

    /// The client that makes and removes users, with what its service account may do.
    async fn put_administration(
        &self,
        admin: &Admin,
        secret: &SecretText,
        roles: &[&str],
    ) -> Result<Vec<Step>, Error> {
        let name = self.settings.admin.id.as_str();
        let body = json!({
            "clientId": name, "enabled": true, "publicClient": false, "standardFlowEnabled": false,
            "directAccessGrantsEnabled": false, "serviceAccountsEnabled": true, "fullScopeAllowed": true,
        });
        let mut steps = vec![put_client(admin, &body, secret).await?];
        let client = client_id(admin, name).await?;
        let account = admin
            .get(&format!("/clients/{client}/service-account-user"))
            .await?;
        let account = account.unwrap_or_default();
        let account = account["id"].as_str().unwrap_or_default();
        let management = client_id(admin, "realm-management").await?;
        let path = format!("/users/{account}/role-mappings/clients/{management}");
        let held = admin.whole(&path).await?;
        let mut missing = Vec::new();
        for role in roles {
            if held.iter().any(|held| held["name"] == *role) {
                continue;
            }
            let place = format!("/clients/{management}/roles/{}", part(role));
            let found = admin.get(&place).await?.unwrap_or_default();
            missing.push(json!({"id": found["id"], "name": found["name"]}));
        }
        let what = format!("roles of {name}");
        if missing.is_empty() {
            steps.push(Step::new(what, How::Unchanged));
        } else {
            let reply = admin.add(&path, &Value::Array(missing)).await?;
            admin.done("the roles of the administration", &reply)?;
            steps.push(Step::new(what, How::Changed));
        }
        steps.extend(put_admin_audience(admin, &client).await?);
        Ok(steps)
    }
}

/// From Keycloak 26.8.2 on, the Admin API takes tokens alone that carry this scope.
async fn put_admin_audience(admin: &Admin, client: &str) -> Result<Option<Step>, Error> {
    const NAME: &str = "kc-admin-api";
    let scopes = admin.whole("/client-scopes").await?;
    let Some(scope) = scopes.iter().find(|scope| scope["name"] == NAME) else {
        return Ok(None);
    };
    let held = format!("/clients/{client}/default-client-scopes");
    let has = admin.whole(&held).await?;
    if has.iter().any(|scope| scope["name"] == NAME) {
        return Ok(Some(Step::new(format!("scope {NAME}"), How::Unchanged)));
    }
    let scope = scope["id"].as_str().unwrap_or_default();
    let reply = admin.put(&format!("{held}/{scope}"), &json!({})).await?;
    admin.done("the scope of the Admin API", &reply)?;
    Ok(Some(Step::new(format!("scope {NAME}"), How::Changed)))
}

/// Attributes that the realm does not know must be kept, and nothing of people's profiles be demanded of machine users.
async fn put_profile(admin: &Admin) -> Result<Step, Error> {
    const WHAT: &str = "user profile";
    let mut profile = admin.get("/users/profile").await?.unwrap_or_default();
    if profile_fits(&profile) {
        return Ok(Step::new(WHAT, How::Unchanged));
    }
    if profile["unmanagedAttributePolicy"] != "ENABLED" {
        profile["unmanagedAttributePolicy"] = json!("ADMIN_EDIT");
    }
    for attribute in profile["attributes"].as_array_mut().into_iter().flatten() {
        if attribute["name"] != "username"
            && let Some(attribute) = attribute.as_object_mut()
        {
            attribute.remove("required");
        }
    }
    let reply = admin.put("/users/profile", &profile).await?;
    admin.done("the user profile", &reply)?;
    Ok(Step::new(WHAT, How::Changed))
}

/// Whether a realm's user profile serves machine users.
pub(super) fn profile_fits(profile: &Value) -> bool {
    let keeps = matches!(
        profile["unmanagedAttributePolicy"].as_str(),
        Some("ADMIN_EDIT" | "ENABLED")
    );
    let attributes = profile["attributes"].as_array();
    let demands = attributes
        .into_iter()
        .flatten()
        .any(|attribute| attribute["name"] != "username" && attribute.get("required").is_some());
    keeps && !demands
}

async fn put_issuer(admin: &Admin, ground: &Ground) -> Result<Step, Error> {
    let what = format!("issuer {ISSUER_ALIAS}");
    let config = json!({
        "issuer": ground.issuer, "jwksUrl": ground.jwks_uri, "useJwksUrl": "true", "validateSignature": "true",
        "jwtAuthorizationGrantEnabled": "true",
    });
    let path = format!("/identity-provider/instances/{ISSUER_ALIAS}");
    let body = json!({
        "alias": ISSUER_ALIAS, "providerId": "jwt-authorization-grant", "enabled": true, "config": config,
    });
    let (reply, how) = match admin.get(&path).await? {
        Some(found) if issuer_fits(&found, ground) => {
            return Ok(Step::new(what, How::Unchanged));
        }
        Some(mut found) => {
            found["enabled"] = json!(true);
            for (name, value) in config.as_object().into_iter().flatten() {
                found["config"][name] = value.clone();
            }
            (admin.put(&path, &found).await?, How::Changed)
        }
        None => (
            admin.post("/identity-provider/instances", &body).await?,
            How::Made,
        ),
    };
    admin.done("the registration as an issuer", &reply)?;
    Ok(Step::new(what, how))
}

/// Whether we are registered as an issuer as we must be.
pub(super) fn issuer_fits(found: &Value, ground: &Ground) -> bool {
    found["enabled"] == true
        && found["config"]["issuer"] == ground.issuer.as_str()
        && found["config"]["jwksUrl"] == ground.jwks_uri.as_str()
        && found["config"]["useJwksUrl"] == "true"
        && found["config"]["validateSignature"] == "true"
        && found["config"]["jwtAuthorizationGrantEnabled"] == "true"
}

/// A client of ours, with this secret; what it must not be otherwise is put right.
async fn put_client(admin: &Admin, body: &Value, secret: &SecretText) -> Result<Step, Error> {
    let name = body["clientId"].as_str().unwrap_or_default();
    let what = format!("client {name}");
    let mut whole = body.clone();
    whole["secret"] = json!(secret.expose());
    whole["protocol"] = json!("openid-connect");
    let Some(found) = find_client(admin, name).await? else {
        let reply = admin.post("/clients", &whole).await?;
        made_id("a client", &reply)?;
        return Ok(Step::new(what, How::Made));
    };
    let id = found["id"].as_str().unwrap_or_default();
    let held = admin.get(&format!("/clients/{id}/client-secret")).await?;
    let same_secret = held.is_some_and(|held| held["value"] == secret.expose());
    if same_secret && client_fits(&found, body) {
        return Ok(Step::new(what, How::Unchanged));
    }
    // Which scopes it has is not changed this way.
    for list in ["defaultClientScopes", "optionalClientScopes"] {
        whole.as_object_mut().and_then(|whole| whole.remove(list));
    }
    if let (Some(held), Some(wanted)) = (
        found["attributes"].as_object(),
        whole["attributes"].as_object(),
    ) {
        let mut attributes = held.clone();
        attributes.extend(wanted.clone());
        whole["attributes"] = Value::Object(attributes);
    }
    let reply = admin.put(&format!("/clients/{id}"), &whole).await?;
    admin.done("a client", &reply)?;
    Ok(Step::new(what, How::Changed))
}

/// Whether a client is as it must be, its secret and its scopes apart.
pub(super) fn client_fits(found: &Value, wanted: &Value) -> bool {
    let wanted = wanted.as_object().into_iter().flatten();
    wanted
        .filter(|(name, _)| !name.ends_with("ClientScopes"))
        .all(|(name, value)| match value.as_object() {
            None => found[name] == *value,
            Some(members) => members
                .iter()
                .all(|(member, value)| found[name][member] == *value),
        })
}

/// What every token of a machine user says of its key.
async fn put_mappers(admin: &Admin, login: &str) -> Result<Step, Error> {
    let what = format!("claims of {login}");
    let client = client_id(admin, login).await?;
    let path = format!("/clients/{client}/protocol-mappers/models");
    let held = admin.whole(&path).await?;
    let mut how = How::Unchanged;
    for (claim, attribute) in CLAIMS {
        if held.iter().any(|mapper| mapper["name"] == claim) {
            continue;
        }
        let body = json!({
            "name": claim, "protocol": "openid-connect", "protocolMapper": "oidc-usermodel-attribute-mapper",
            "config": {
                "user.attribute": attribute, "claim.name": claim, "jsonType.label": "String",
                "access.token.claim": "true", "id.token.claim": "false", "userinfo.token.claim": "false",
            },
        });
        let reply = admin.post(&path, &body).await?;
        admin.done("a claim", &reply)?;
        how = How::Changed;
    }
    Ok(Step::new(what, how))
}

/// The claims of a machine user's token, and the attributes that they come from.
pub(super) const CLAIMS: [(&str, &str); 4] = [
    ("key_id", "kagiya_key"),
    ("org_id", "kagiya_organization"),
    ("owner.iss", "kagiya_owner_iss"),
    ("owner.sub", "kagiya_owner_sub"),
];

async fn client_id(admin: &Admin, name: &str) -> Result<String, Error> {
    let found = find_client(admin, name).await?;
    let id = found.and_then(|client| client["id"].as_str().map(str::to_owned));
    id.ok_or_else(|| Error::Refused {
        reason: format!("it has no client {name}"),
    })
}
