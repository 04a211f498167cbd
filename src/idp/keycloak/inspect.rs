//! Looks for each thing that the realm must have, with the credentials that the server itself uses.

use serde_json::{Value, json};

use super::directory::find_client;
use super::login::{client_scope, resource_scope};
use super::setup::{ADMIN_ROLES, CLAIMS, client_fits, issuer_fits, profile_fits};
use super::{ISSUER_ALIAS, Keycloak, RIGHTS_CLIENT};
use crate::idp::setup::{Finding, Ground};
use crate::idp::{AnswerMode, Error};

const SET_UP: &str = "run kagiya idp setup";

impl Keycloak {
    pub(super) async fn look_over(&self, ground: &Ground) -> Result<Vec<Finding>, Error> {
        let mut findings = vec![match self.keys.probe().await {
            Ok(()) => Finding::ok("reachable"),
            Err(error) => {
                let why = format!("the keys of the realm cannot be read: {error}");
                let remedy = "check url and realm, and that the server is up and reachable";
                return Ok(vec![Finding::wrong("reachable", why, remedy)]);
            }
        }];
        findings.push(self.issuer_is_right().await);
        let admin = &self.admin;
        match admin.realm_exists().await {
            Ok(true) => findings.push(Finding::ok("administration")),
            Ok(false) => {
                findings.push(Finding::wrong("administration", "no such realm", SET_UP));
                return Ok(findings);
            }
            Err(error) => {
                let remedy = "run kagiya idp setup, or give admin_client_id and its secret";
                findings.push(Finding::wrong("administration", told(&error), remedy));
                return Ok(findings);
            }
        }
        for (check, found) in [
            ("administration_roles", self.admin_roles().await),
            ("user_profile", self.profile().await),
            ("brute_force", self.brute_force().await),
            ("token_lifetime", self.token_lifetime().await),
            ("login_client", self.client_of_logins(false).await),
            ("rights_client", self.client_of_logins(true).await),
            ("claims", self.claims().await),
            ("issuer_registration", self.registration(ground).await),
        ] {
            findings.push(finding(check, found));
        }
        for resource in &ground.resources {
            findings.push(finding("resources", self.resource_is_there(resource).await));
        }
        findings.push(finding("sign_in", self.can_sign_in().await));
        if let Some(people) = &self.people {
            let found = people.whole("/users?max=1").await;
            let found = found.map(|_| None);
            findings.push(finding("people", found));
        }
        Ok(findings)
    }

    async fn issuer_is_right(&self) -> Finding {
        const CHECK: &str = "issuer";
        let place = format!("{}/.well-known/openid-configuration", self.realm_url);
        let document = match place.parse() {
            Ok(place) => self.outbound.json(&place).await.ok(),
            Err(_) => None,
        };
        let document: Option<Value> = document.and_then(|text| serde_json::from_slice(&text).ok());
        let named = document
            .as_ref()
            .and_then(|document| document["issuer"].as_str());
        match named {
            Some(issuer) if issuer == self.issuer => Finding::ok(CHECK),
            Some(issuer) => Finding::wrong(
                CHECK,
                format!("the realm says {issuer}, and {} is expected", self.issuer),
                "give issuer, or set --hostname of Keycloak",
            ),
            None => Finding::wrong(CHECK, "no discovery document", "check url and realm"),
        }
    }

    async fn admin_roles(&self) -> Result<Option<String>, Error> {
        let name = &self.settings.admin.id;
        let Some(client) = find_client(&self.admin, name).await? else {
            return Ok(Some(format!("there is no client {name}")));
        };
        let client = client["id"].as_str().unwrap_or_default();
        let path = format!("/clients/{client}/service-account-user");
        let account = self.admin.get(&path).await?.unwrap_or_default();
        let Some(management) = find_client(&self.admin, "realm-management").await? else {
            return Ok(Some("there is no client realm-management".to_owned()));
        };
        let path = format!(
            "/users/{}/role-mappings/clients/{}/composite",
            account["id"].as_str().unwrap_or_default(),
            management["id"].as_str().unwrap_or_default()
        );
        let held = self.admin.whole(&path).await?;
        let lacks: Vec<&str> = ADMIN_ROLES
            .into_iter()
            .filter(|role| !held.iter().any(|held| held["name"] == *role))
            .collect();
        Ok((!lacks.is_empty()).then(|| format!("{name} lacks {}", lacks.join(", "))))
    }

    async fn profile(&self) -> Result<Option<String>, Error> {
        let profile = self.admin.get("/users/profile").await?.unwrap_or_default();
        let wrong =
            "attributes that are not managed are dropped, or machine users need more than a name";
        Ok((!profile_fits(&profile)).then(|| wrong.to_owned()))
    }

    async fn brute_force(&self) -> Result<Option<String>, Error> {
        let realm = self.admin.get("").await?.unwrap_or_default();
        let wrong = "bruteForceProtected is on: whoever knows a user's name can lock its key";
        Ok((realm["bruteForceProtected"] == true).then(|| wrong.to_owned()))
    }

    /// Tokens that live too long are not handed on.
    async fn token_lifetime(&self) -> Result<Option<String>, Error> {
        let policy = self.settings.policy;
        if policy.answer == AnswerMode::Mint {
            return Ok(None);
        }
        let realm = self.admin.get("").await?.unwrap_or_default();
        let lives = realm["accessTokenLifespan"].as_u64().unwrap_or_default();
        let most = policy.max_token_lifetime.as_secs();
        Ok((lives > most).then(|| {
            format!("tokens live {lives} s (accessTokenLifespan), and max_token_lifetime is {most}")
        }))
    }

    async fn client_of_logins(&self, rights: bool) -> Result<Option<String>, Error> {
        let name = if rights {
            RIGHTS_CLIENT
        } else {
            self.settings.login.id.as_str()
        };
        let Some(found) = find_client(&self.admin, name).await? else {
            return Ok(Some(format!("there is no client {name}")));
        };
        let scopes = json!([]);
        if !client_fits(&found, &self.login_body(name, rights, scopes)) {
            return Ok(Some(format!("{name} is not set as it must be")));
        }
        let id = found["id"].as_str().unwrap_or_default();
        let path = format!("/clients/{id}/client-secret");
        let held = self.admin.get(&path).await?.unwrap_or_default();
        let ours = self.settings.login.secret()?;
        // Newer servers do not show it.
        let shown = held["value"].as_str().filter(|held| !held.starts_with('*'));
        if shown.is_some_and(|held| held != ours.expose()) {
            return Ok(Some(format!("the secret of {name} is another one")));
        }
        if !rights {
            return Ok(None);
        }
        let path = format!("/clients/{id}/default-client-scopes");
        let scopes = self.admin.whole(&path).await?;
        let has_roles = scopes.iter().any(|scope| scope["name"] == "roles");
        Ok((!has_roles).then(|| format!("{name} lacks the default client scope roles")))
    }

    async fn claims(&self) -> Result<Option<String>, Error> {
        let client = self.login_client(&self.admin).await?;
        let path = format!("/clients/{client}/protocol-mappers/models");
        let held = self.admin.whole(&path).await?;
        let lacks: Vec<&str> = CLAIMS
            .into_iter()
            .map(|(claim, _)| claim)
            .filter(|claim| {
                !held
                    .iter()
                    .any(|held| held["config"]["claim.name"] == *claim)
            })
            .collect();
        Ok((!lacks.is_empty()).then(|| format!("tokens lack the claims {}", lacks.join(", "))))
    }

    async fn registration(&self, ground: &Ground) -> Result<Option<String>, Error> {
        if self.settings.by_password {
            return Ok(None);
        }
        let path = format!("/identity-provider/instances/{ISSUER_ALIAS}");
        Ok(match self.admin.get(&path).await? {
            None => Some(format!("there is no identity provider {ISSUER_ALIAS}")),
            Some(found) if issuer_fits(&found, ground) => None,
            Some(_) => Some(format!(
                "the identity provider {ISSUER_ALIAS} is not that of {} with {}",
                ground.issuer, ground.jwks_uri
            )),
        })
    }

    async fn resource_is_there(
        &self,
        resource: &crate::idp::ResourceState,
    ) -> Result<Option<String>, Error> {
        let identifier = &resource.identifier;
        let client = match self.client_of(identifier, true).await {
            Ok(client) => client,
            Err(Error::Refused { reason }) => return Ok(Some(reason)),
            Err(error) => return Err(error),
        };
        let login = self.login_client(&self.admin).await?;
        let path = format!("/clients/{login}/optional-client-scopes");
        let attached = self.admin.whole(&path).await?;
        let is_attached = |name: &str| attached.iter().find(|scope| scope["name"] == name);
        if is_attached(&resource_scope(identifier)).is_none() {
            return Ok(Some(format!("users cannot sign in for {identifier}")));
        }
        for (name, _) in &resource.permissions {
            if client.roles(&[name.as_str()]).is_empty() {
                return Ok(Some(format!("{identifier} lacks the role {name}")));
            }
            let Some(scope) = is_attached(&client_scope(name)) else {
                return Ok(Some(format!("users cannot sign in for the scope {name}")));
            };
            let path = format!(
                "/client-scopes/{}/scope-mappings/clients/{}",
                scope["id"].as_str().unwrap_or_default(),
                client.id
            );
            let mapped = self.admin.whole(&path).await?;
            if !mapped.iter().any(|role| role["name"] == name.as_str()) {
                let wrong =
                    format!("the client scope {name} does not ask for the role at {identifier}");
                return Ok(Some(wrong));
            }
        }
        Ok(None)
    }

    /// Nobody's sign-in must be refused as nobody's, and not because of how it is asked.
    async fn can_sign_in(&self) -> Result<Option<String>, Error> {
        let reply = self.probe_sign_in().await?;
        let complaint = crate::idp::api::Complaint::of(&reply);
        let known = ["invalid_grant"].contains(&complaint.code.as_str());
        Ok((!known).then(|| complaint.reason("a sign-in", reply.status)))
    }
}

fn finding(check: &'static str, found: Result<Option<String>, Error>) -> Finding {
    match found {
        Ok(None) => Finding::ok(check),
        Ok(Some(wrong)) => Finding::wrong(check, wrong, SET_UP),
        Err(error) => Finding::wrong(check, told(&error), SET_UP),
    }
}

fn told(error: &Error) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
