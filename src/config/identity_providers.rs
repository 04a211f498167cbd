//! `[[identity_providers]]`: providers beside the built-in one, at which the machine users of keys can live.
//!
//! A list of tables, in the file alone. `docs/identity-providers.md` says how each kind is set up.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};
use url::{Host, Url};

use super::layers::Fault;
use super::secrets;
use crate::domain::provider_name::ProviderName;
use crate::domain::secret::SecretText;
use crate::domain::subject::SubjectIssuer;

/// One identity provider.
#[derive(Clone, Debug, Deserialize)]
pub struct IdentityProvider {
    /// `name`: by which keys say that their user is there.
    pub name: ProviderName,
    /// `kind`: `keycloak`, `auth0` or `logto`.
    pub kind: ProviderKind,
    /// `url`: where it is, without a path of a realm. https, or http on the loopback.
    #[serde(deserialize_with = "url")]
    pub url: Url,
    /// `default`: whether keys live here that name no provider. Default `false`: the built-in one.
    #[serde(default)]
    pub default: bool,
    /// `answer`: `mint` (tokens of kagiya's own) or `passthrough` (the provider's). Default `mint`.
    #[serde(default)]
    pub answer: Answer,
    /// `sign_in`: how machine users sign in at Keycloak, `jwt_bearer` or `password`. Default `jwt_bearer`.
    pub sign_in: Option<SignInWay>,
    /// `on_outage`: `fail_closed` (503) or `serve_last_known`. Default `fail_closed`.
    #[serde(default)]
    pub on_outage: OnOutage,
    /// `max_outage`: for how many seconds `serve_last_known` goes on, up to 3600. Default 300.
    #[serde(default = "max_outage")]
    pub max_outage: u32,
    /// `max_rights_age`: how many seconds old the provider's word on rights may be, up to 3600; 0: it is asked at every exchange.
    /// Default 60, at Auth0 300.
    pub max_rights_age: Option<u32>,
    /// `max_token_lifetime`: how many seconds a token that is passed through may live, 30 to 86400. Default 3600.
    #[serde(default = "max_token_lifetime")]
    pub max_token_lifetime: u32,
    /// `authority`: whose word on rights counts where the provider grants less than our record: `kagiya` puts back what it lacks,
    /// `provider` leaves it. Default `kagiya`.
    #[serde(default)]
    pub authority: Authority,
    /// `internal`: whether it may be at an inner address (private, link-local, …). Default `false`.
    #[serde(default)]
    pub internal: bool,
    /// `issuer`: the `iss` of its tokens, where that is not what `url` says.
    pub issuer: Option<SubjectIssuer>,
    /// `jwks_uri`: where Keycloak finds our public keys, if it does not reach us by the issuer. Default
    /// `ISSUER/.well-known/jwks.json`.
    #[serde(default, deserialize_with = "some_url")]
    pub jwks_uri: Option<Url>,
    /// `realm`: of Keycloak, for machine users alone. Default `kagiya`.
    pub realm: Option<String>,
    /// `people_realm`: of Keycloak, where owners of keys are, so that one who is disabled there is noticed. Default none.
    pub people_realm: Option<String>,
    /// `connection`: the database of Auth0, for machine users alone. Default `kagiya-keys`.
    pub connection: Option<String>,
    /// `management_api`: the identifier of the provider's own API: at Auth0 default the URL and `/api/v2/`, at Logto
    /// `https://default.logto.app/api`.
    pub management_api: Option<String>,
    /// `login_client_id`: the client by which machine users sign in. Default at Keycloak `kagiya-login`.
    pub login_client_id: Option<String>,
    /// `login_client_secret`: its secret.
    #[serde(default, deserialize_with = "secrets::text")]
    pub login_client_secret: Option<SecretText>,
    /// `login_client_secret_file`: a file that holds it. Default one in the data folder, which `kagiya idp setup` makes.
    pub login_client_secret_file: Option<PathBuf>,
    /// `admin_client_id`: the client that makes and removes machine users. Default at Keycloak `kagiya-admin`.
    pub admin_client_id: Option<String>,
    /// `admin_client_secret`: its secret.
    #[serde(default, deserialize_with = "secrets::text")]
    pub admin_client_secret: Option<SecretText>,
    /// `admin_client_secret_file`: a file that holds it. Default one in the data folder, which `kagiya idp setup` makes.
    pub admin_client_secret_file: Option<PathBuf>,
    /// `max_concurrent_calls`: how many calls to it are under way at most, 1 to 256. Default 16.
    #[serde(default = "max_concurrent_calls")]
    pub max_concurrent_calls: u32,
    /// `management_calls_per_second`: how many calls of its management API are made in a second, up to 1000. Default none, at Auth0 2.
    pub management_calls_per_second: Option<u32>,
    /// `owner_check_seconds`: how often it is asked after the owners of keys, 5 to 3600. Default 30.
    #[serde(default = "owner_check_seconds")]
    pub owner_check_seconds: u32,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident $what:literal { $($(#[$variant_doc:meta])* $variant:ident $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// The word in the file.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match String::deserialize(deserializer)?.as_str() {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(de::Error::custom($what)),
                }
            }
        }
    };
}

words! {
    /// What runs there.
    ProviderKind "must be keycloak, auth0 or logto" {
        /// Keycloak, 26.7 or newer.
        Keycloak "keycloak",
        /// Auth0.
        Auth0 "auth0",
        /// Logto.
        Logto "logto",
    }
}

words! {
    /// Where the token comes from that a key is traded for.
    #[derive(Default)]
    Answer "must be mint or passthrough" {
        /// kagiya signs it.
        #[default]
        Mint "mint",
        /// It is the provider's own.
        Passthrough "passthrough",
    }
}

words! {
    /// How machine users sign in.
    SignInWay "must be jwt_bearer or password" {
        /// kagiya vouches for them (RFC 7523).
        JwtBearer "jwt_bearer",
        /// By a password that is derived from the key's.
        Password "password",
    }
}

words! {
    /// What happens to exchanges while the provider gives no answer.
    #[derive(Default)]
    OnOutage "must be fail_closed or serve_last_known" {
        /// They are answered 503.
        #[default]
        FailClosed "fail_closed",
        /// They go on for a while by what it said last.
        ServeLastKnown "serve_last_known",
    }
}

words! {
    /// Whose word counts where the provider grants less than our record.
    #[derive(Default)]
    Authority "must be kagiya or provider" {
        /// What it lacks is put back.
        #[default]
        Kagiya "kagiya",
        /// What it lacks is gone.
        Provider "provider",
    }
}

fn max_outage() -> u32 {
    300
}

fn max_token_lifetime() -> u32 {
    3600
}

fn max_concurrent_calls() -> u32 {
    16
}

fn owner_check_seconds() -> u32 {
    30
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || {
        de::Error::custom(
            "must be an https URL without user name, query and fragment (http on a loopback address or localhost only)",
        )
    };
    let url: Url = text.parse().map_err(|_| wrong())?;
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let safe = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    if plain && safe { Ok(url) } else { Err(wrong()) }
}

fn some_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    url(deserializer).map(Some)
}

impl IdentityProvider {
    /// How old its word on rights may be, in seconds.
    pub fn rights_age(&self) -> u32 {
        let default = match self.kind {
            ProviderKind::Auth0 => 300,
            ProviderKind::Keycloak | ProviderKind::Logto => 60,
        };
        self.max_rights_age.unwrap_or(default)
    }

    /// Checks what the types cannot say, and reads what is in files of its own.
    pub(super) fn settle(mut self) -> Result<Self, Fault> {
        Fault::unless_within("max_outage", self.max_outage, 0..=3600)?;
        Fault::unless_within("max_rights_age", self.rights_age(), 0..=3600)?;
        Fault::unless_within("max_token_lifetime", self.max_token_lifetime, 30..=86_400)?;
        Fault::unless_within("max_concurrent_calls", self.max_concurrent_calls, 1..=256)?;
        Fault::unless_within("owner_check_seconds", self.owner_check_seconds, 5..=3600)?;
        if let Some(calls) = self.management_calls_per_second {
            Fault::unless_within("management_calls_per_second", calls, 1..=1000)?;
        }
        if self.name.as_str() == ProviderName::BUILTIN {
            return Err(Fault::new("name", "builtin is the built-in provider's"));
        }
        self.refuse_what_is_anothers()?;
        for (name, value, file_name, file) in [
            (
                "login_client_secret",
                &mut self.login_client_secret,
                "login_client_secret_file",
                &self.login_client_secret_file,
            ),
            (
                "admin_client_secret",
                &mut self.admin_client_secret,
                "admin_client_secret_file",
                &self.admin_client_secret_file,
            ),
        ] {
            // A file that is not there is made by `kagiya idp setup`.
            let Some(file) = file else { continue };
            secrets::refuse_both(value.is_some(), name, file_name)?;
            if file.exists() {
                *value = Some(secrets::read(file_name, file)?);
            }
        }
        Ok(self)
    }

    /// A setting that this kind of provider does not have is more likely a slip than a wish.
    fn refuse_what_is_anothers(&self) -> Result<(), Fault> {
        use ProviderKind::{Auth0, Keycloak, Logto};
        let settings: [(&'static str, bool, &[ProviderKind]); 6] = [
            ("jwks_uri", self.jwks_uri.is_some(), &[Keycloak]),
            ("sign_in", self.sign_in.is_some(), &[Keycloak]),
            ("realm", self.realm.is_some(), &[Keycloak]),
            ("people_realm", self.people_realm.is_some(), &[Keycloak]),
            ("connection", self.connection.is_some(), &[Auth0]),
            (
                "management_api",
                self.management_api.is_some(),
                &[Auth0, Logto],
            ),
        ];
        for (field, given, kinds) in settings {
            if given && !kinds.contains(&self.kind) {
                let kind = self.kind.as_str();
                return Err(Fault::new(field, format!("is not a setting of {kind}")));
            }
        }
        Ok(())
    }
}
