//! Identity providers as the configuration names them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::AppError;
use crate::config::{
    self, Answer as ConfiguredAnswer, Authority, Config, OnOutage, ProviderKind, SignInWay,
};
use crate::domain::clock::Clock;
use crate::domain::provider_name::ProviderName;
use crate::domain::random::Random;
use crate::idp::builtin::Builtin;
use crate::idp::entrance::Entrance;
use crate::idp::keycloak::{self, Keycloak};
use crate::idp::outbound::Outbound;
use crate::idp::{AnswerMode, IdentityProvider, Policy, Providers};
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

/// How long one call to a provider may take: less than a caller of ours is kept waiting.
const PATIENCE: Duration = Duration::from_millis(3_500);

/// What providers are made of, beside their configuration.
pub struct Makings {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Where they are counted.
    pub metrics: Arc<Metrics>,
}

/// The built-in provider, those of the configuration and `further` ones, and which of them is the default.
///
/// # Errors
/// Two of one name, two defaults, or one that cannot be reached in any case.
pub fn registry(
    config: &Config,
    store: &Store,
    makings: &Makings,
    further: Vec<Arc<dyn IdentityProvider>>,
) -> Result<Providers, AppError> {
    let name: ProviderName = ProviderName::BUILTIN.parse()?;
    let builtin = Builtin::new(name.clone(), store.clone(), Arc::clone(&makings.clock));
    let mut all: Vec<Arc<dyn IdentityProvider>> = vec![Arc::new(builtin)];
    let mut default = name;
    for section in &config.identity_providers {
        if section.default {
            if default.as_str() != ProviderName::BUILTIN {
                let told = format!(
                    "identity_providers: {default} and {} are default",
                    section.name
                );
                return Err(AppError::Config(told));
            }
            default = section.name.clone();
        }
        all.push(provider(config, section, makings)?);
    }
    all.extend(further);
    Ok(Providers::new(all, default)?)
}

/// One provider of the configuration.
///
/// # Errors
/// When it cannot be reached in any case.
pub fn provider(
    config: &Config,
    section: &config::IdentityProvider,
    makings: &Makings,
) -> Result<Arc<dyn IdentityProvider>, AppError> {
    let wrong = |what: &dyn std::fmt::Display| {
        AppError::Config(format!("identity_providers: {}: {what}", section.name))
    };
    let outbound =
        Outbound::with_patience(section.internal, PATIENCE).map_err(|error| wrong(&error))?;
    let figures = makings.metrics.provider(section.name.as_str());
    let clock = Arc::clone(&makings.clock);
    match section.kind {
        ProviderKind::Keycloak => {
            let settings = keycloak::Settings {
                name: section.name.clone(),
                url: section.url.clone(),
                issuer: section
                    .issuer
                    .as_ref()
                    .map(|issuer| issuer.as_str().to_owned()),
                jwks_uri: section.jwks_uri.as_ref().map(ToString::to_string),
                realm: section.realm.clone().unwrap_or_else(|| "kagiya".to_owned()),
                people_realm: section.people_realm.clone(),
                by_password: section.sign_in == Some(SignInWay::Password),
                login: entrance(config, section, makings, Which::Login),
                admin: entrance(config, section, makings, Which::Admin),
                rights_age: Duration::from_secs(section.rights_age().into()),
                policy: policy(section),
                at_once: section.max_concurrent_calls,
            };
            Ok(Arc::new(Keycloak::new(settings, outbound, figures, clock)))
        }
        ProviderKind::Auth0 | ProviderKind::Logto => Err(wrong(&format!(
            "{} is not built yet",
            section.kind.as_str()
        ))),
    }
}

/// How a provider is used.
fn policy(section: &config::IdentityProvider) -> Policy {
    let outlast = Duration::from_secs(section.max_outage.into());
    Policy {
        answer: match section.answer {
            ConfiguredAnswer::Mint => AnswerMode::Mint,
            ConfiguredAnswer::Passthrough => AnswerMode::Passthrough,
        },
        outlast: (section.on_outage == OnOutage::ServeLastKnown).then_some(outlast),
        max_token_lifetime: Duration::from_secs(section.max_token_lifetime.into()),
        puts_back: section.authority == Authority::Kagiya,
        owner_check: Duration::from_secs(section.owner_check_seconds.into()),
    }
}

/// Which of the two clients.
#[derive(Clone, Copy)]
enum Which {
    Login,
    Admin,
}

/// A client by which we come in. Without a secret in the configuration, the set-up keeps one in the data folder.
fn entrance(
    config: &Config,
    section: &config::IdentityProvider,
    makings: &Makings,
    which: Which,
) -> Entrance {
    let (word, id, secret, file) = match which {
        Which::Login => (
            "login",
            &section.login_client_id,
            &section.login_client_secret,
            &section.login_client_secret_file,
        ),
        Which::Admin => (
            "admin",
            &section.admin_client_id,
            &section.admin_client_secret,
            &section.admin_client_secret_file,
        ),
    };
    let default_id = match section.kind {
        ProviderKind::Keycloak => format!("kagiya-{word}"),
        // The provider chooses it.
        ProviderKind::Auth0 | ProviderKind::Logto => String::new(),
    };
    let default_file = || {
        let folder: &Path = &config.database.data_dir;
        folder
            .join("identity-providers")
            .join(format!("{}-{word}-client-secret", section.name))
    };
    Entrance {
        id: id.clone().unwrap_or(default_id),
        secret: secret.clone(),
        file: file.clone().unwrap_or_else(default_file),
        random: Arc::clone(&makings.random),
    }
}
