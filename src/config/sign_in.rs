//! `[sign_in]`: where people sign in, and whose access tokens of theirs are taken.

use std::path::PathBuf;

use serde::Deserialize;

use super::layers::{Fault, Section};
use super::secrets;
use crate::domain::secret::SecretText;
use crate::domain::sign_in::MembershipRule;
use crate::domain::subject::{Subject, SubjectIssuer};

/// The settings of the sign-in provider.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SignIn {
    /// `issuer`, `KAGIYA_SIGN_IN_ISSUER`: the issuer identifier of the OpenID provider where people sign in, exactly as it stands in
    /// the `iss` of its tokens. Default none: then no person signs in.
    pub issuer: Option<SubjectIssuer>,
    /// `client_id`, `KAGIYA_SIGN_IN_CLIENT_ID`: our client there, and the one whose access tokens are taken.
    pub client_id: Option<String>,
    /// `client_secret`, `KAGIYA_SIGN_IN_CLIENT_SECRET`: its secret.
    #[serde(deserialize_with = "secrets::text")]
    pub client_secret: Option<SecretText>,
    /// `client_secret_file`, `KAGIYA_SIGN_IN_CLIENT_SECRET_FILE`: a file that holds `client_secret`.
    pub client_secret_file: Option<PathBuf>,
    /// `audience`, `KAGIYA_SIGN_IN_AUDIENCE`: what must be in the `aud` of an access token. Default the issuer of this server and `/v1`.
    pub audience: Option<String>,
    /// `clients`, `KAGIYA_SIGN_IN_CLIENTS`: other clients there whose access tokens are taken: what their `azp` or `client_id` may be.
    /// Default none.
    pub clients: Vec<String>,
    /// `internal`, `KAGIYA_SIGN_IN_INTERNAL`: whether the provider may be at an inner address (private, link-local, …). Default `false`.
    pub internal: bool,
    /// `scopes`, `KAGIYA_SIGN_IN_SCOPES`: what is asked for when somebody signs in at the dashboard. Default `openid`, `profile` and `email`.
    pub scopes: Option<Vec<String>>,
    /// `memberships`: which people are members of what, such as
    /// `[[sign_in.memberships]] claim = "groups", value = "billing", organization = "acme", role = "member", roles = ["clerk"]`;
    /// judged at each sign-in by what the provider says then. In the file alone. Default none.
    pub memberships: Vec<MembershipRule>,
    /// `operators`: people who run the deployment, such as `[{ iss = "https://sso.example.com", sub = "ann" }]`. In the file alone.
    /// Default none.
    pub operators: Vec<Subject>,
}

impl Section for SignIn {
    const TABLE: Option<&'static str> = Some("sign_in");

    fn settle(mut self) -> Result<Self, Fault> {
        if let Some(path) = &self.client_secret_file {
            secrets::refuse_both(
                self.client_secret.is_some(),
                "client_secret",
                "client_secret_file",
            )?;
            self.client_secret = Some(secrets::read("client_secret_file", path)?);
        }
        if let Some(scopes) = &self.scopes
            && !scopes.iter().any(|scope| scope == "openid")
        {
            return Err(Fault::new("scopes", "must hold openid"));
        }
        let Some(issuer) = &self.issuer else {
            return Ok(self);
        };
        let url = url::Url::parse(issuer.as_str()).ok();
        let loopback = |host: url::Host<&str>| match host {
            url::Host::Ipv4(ip) => ip.is_loopback(),
            url::Host::Ipv6(ip) => ip.is_loopback(),
            url::Host::Domain(_) => false,
        };
        let good = url.is_some_and(|url| {
            let plain = url.query().is_none() && url.fragment().is_none();
            let safe = url.scheme() == "https"
                || (url.scheme() == "http" && url.host().is_some_and(loopback));
            plain && safe
        });
        if !good {
            return Err(Fault::new(
                "issuer",
                "must be an https URL without query and fragment (http on a loopback address only)",
            ));
        }
        if self.client_id.is_none() {
            return Err(Fault::new("client_id", "must be given beside issuer"));
        }
        Ok(self)
    }
}
