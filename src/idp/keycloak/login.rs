//! A machine user signs in: by an assertion that we sign, or by his password.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::admin::{place, refused};
use super::{Keycloak, RIGHTS_CLIENT};
use crate::domain::permission::Permissions;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::{ScopeSet, ScopeToken};
use crate::domain::secret::SecretText;
use crate::idp::Error;
use crate::idp::api::{Complaint, Purpose, Repeat};
use crate::idp::outbound::{Body, Call, Credential, Reply};
use crate::idp::tokens::{self, Checked, Expected};
use crate::idp::users::{ProviderToken, SignIn, SignedIn, Wanted, login};

/// How long an assertion is good: as long as its call may take, and the difference of two clocks.
const ASSERTION: Duration = Duration::from_secs(60);
/// Client scopes that Keycloak has of itself: a permission of such a name has one of another name.
const RESERVED: [&str; 16] = [
    "acr",
    "address",
    "basic",
    "email",
    "kc-admin-api",
    "microprofile-jwt",
    "offline_access",
    "openid",
    "organization",
    "phone",
    "profile",
    "role_list",
    "roles",
    "saml_organization",
    "service_account",
    "web-origins",
];

/// The client scope of a permission.
pub(super) fn client_scope(permission: &ScopeToken) -> String {
    let name = permission.as_str();
    if RESERVED.contains(&name) || name.starts_with("kagiya:") {
        format!("kagiya-permission:{name}")
    } else {
        name.to_owned()
    }
}

/// The client scope of a resource.
pub(super) fn resource_scope(resource: &ResourceIdentifier) -> String {
    format!("kagiya:{resource}")
}

impl Keycloak {
    pub(super) async fn sign_in(&self, sign_in: SignIn<'_>) -> Result<SignedIn, Error> {
        let secret = self.settings.login.secret()?;
        match sign_in.wanted {
            Wanted::Rights(_) => {
                let token = self.token(&sign_in, (RIGHTS_CLIENT, &secret), None).await?;
                let checked = self.checked(&token, RIGHTS_CLIENT, None).await?;
                Ok(SignedIn {
                    granted: Some(roles(&checked)),
                    token: None,
                })
            }
            Wanted::Token { resource, scopes } => {
                let client = self.settings.login.id.as_str();
                let scope = std::iter::once(resource_scope(resource))
                    .chain(scopes.iter().map(client_scope));
                let scope = scope.collect::<Vec<_>>().join(" ");
                let token = self
                    .token(&sign_in, (client, &secret), Some(&scope))
                    .await?;
                let checked = self.checked(&token, client, Some(resource)).await?;
                Ok(token_for(resource, scopes, token, &checked))
            }
        }
    }

    async fn checked(
        &self,
        token: &SecretText,
        client: &str,
        audience: Option<&ResourceIdentifier>,
    ) -> Result<Checked, Error> {
        let expected = Expected {
            issuer: &self.issuer,
            audience: audience.map(ResourceIdentifier::as_str),
            client,
            subject: None,
        };
        tokens::check(&self.keys, token, &expected).await
    }

    /// Tries a second time where there was no answer: each assertion is good once, so it cannot be sent again.
    async fn token(
        &self,
        sign_in: &SignIn<'_>,
        client: (&str, &SecretText),
        scope: Option<&str>,
    ) -> Result<SecretText, Error> {
        match self.grant(sign_in, client, scope).await {
            Err(Error::Unavailable { .. }) if !self.settings.by_password => {
                self.grant(sign_in, client, scope).await
            }
            granted => granted,
        }
    }

    /// The answer to a sign-in of nobody.
    pub(super) async fn probe_sign_in(&self) -> Result<Reply, Error> {
        let secret = self.settings.login.secret()?;
        let form = if self.settings.by_password {
            [
                ("grant_type", "password"),
                ("username", "k_nobody"),
                ("password", "nobody"),
            ]
        } else {
            [
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                ("assertion", "nobody"),
                ("client_id", self.settings.login.id.as_str()),
            ]
        };
        let call = Call {
            method: Method::POST,
            place: place(&format!("{}/protocol/openid-connect/token", self.realm_url))?,
            credential: Credential::Basic(&self.settings.login.id, &secret),
            header: None,
            body: Body::Form(&form),
        };
        self.sign_ins
            .call(&call, Purpose::Management, Repeat::Safe)
            .await
    }

    async fn grant(
        &self,
        sign_in: &SignIn<'_>,
        (client, secret): (&str, &SecretText),
        scope: Option<&str>,
    ) -> Result<SecretText, Error> {
        let assertion;
        let name;
        let mut form: Vec<(&str, &str)> = if self.settings.by_password {
            name = login(sign_in.user_name);
            vec![
                ("grant_type", "password"),
                ("username", &name),
                ("password", sign_in.password.expose()),
            ]
        } else {
            let subject = sign_in.generation.to_string();
            assertion = sign_in
                .vouch
                .assertion(&self.issuer, &subject, ASSERTION)
                .ok_or_else(|| Error::unavailable("no key of ours signs now"))?;
            vec![
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                ("assertion", assertion.expose()),
            ]
        };
        // An empty scope is an error there.
        form.extend(scope.map(|scope| ("scope", scope)));
        let call = Call {
            method: Method::POST,
            place: place(&format!("{}/protocol/openid-connect/token", self.realm_url))?,
            credential: Credential::Basic(client, secret),
            header: None,
            body: Body::Form(&form),
        };
        // An assertion is good once.
        let repeat = if self.settings.by_password {
            Repeat::Safe
        } else {
            Repeat::Never
        };
        let reply = self.sign_ins.call(&call, Purpose::SignIn, repeat).await?;
        if reply.status != 200 {
            return Err(refusal(&reply));
        }
        let body = reply.json().unwrap_or_default();
        let token = body["access_token"].as_str();
        token
            .map(|token| SecretText::new(token.to_owned()))
            .ok_or_else(|| Error::unavailable("an answer without access_token"))
    }
}

/// What a refused sign-in means. Only what is said of this very user counts as that.
fn refusal(reply: &Reply) -> Error {
    let complaint = Complaint::of(reply);
    match (complaint.code.as_str(), complaint.text.as_str()) {
        ("invalid_grant", "User not found") => Error::NoSuchUser,
        ("invalid_grant", "User is not enabled" | "Account disabled") => Error::Disabled,
        _ => refused("the sign-in", reply),
    }
}

/// The client roles that a token names.
fn roles(checked: &Checked) -> Permissions {
    let access = checked.claims.get("resource_access");
    let clients = access.and_then(Value::as_object).into_iter().flatten();
    clients
        .filter_map(|(client, access)| {
            let resource: ResourceIdentifier = client.parse().ok()?;
            Some((resource, tokens::scopes(access.get("roles"))))
        })
        .flat_map(|(resource, scopes)| {
            let pairs = scopes.iter().map(|scope| (resource.clone(), scope.clone()));
            pairs.collect::<Vec<_>>()
        })
        .collect()
}

fn token_for(
    resource: &ResourceIdentifier,
    asked: &ScopeSet,
    text: SecretText,
    checked: &Checked,
) -> SignedIn {
    let scopes = tokens::scopes(checked.claims.get("permissions"));
    let named: Vec<&str> = match checked.claims.get("scope") {
        Some(Value::String(text)) => text.split(' ').filter(|name| !name.is_empty()).collect(),
        _ => Vec::new(),
    };
    // A scope that the user holds at another resource alone is named too: such a token says more than it gives.
    let allowed: Vec<String> = scopes.iter().map(client_scope).collect();
    let other_audience = match checked.claims.get("aud") {
        Some(Value::Array(several)) => several.len() > 1,
        _ => false,
    };
    let says_more = other_audience
        || !scopes.is_subset(asked)
        || named
            .iter()
            .any(|name| !allowed.iter().any(|allowed| allowed == name));
    SignedIn {
        granted: Some(
            scopes
                .iter()
                .map(|scope| (resource.clone(), scope.clone()))
                .collect(),
        ),
        token: Some(ProviderToken {
            text,
            scopes,
            says_more,
            iat: checked.iat,
            exp: checked.exp,
        }),
    }
}
