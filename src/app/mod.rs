//! The composition root: from a configuration to everything that serves.
//!
//! `kagiya serve`, every command that finds no server to call, and every test go through [`App::start`], so what is tested is what
//! runs. What a test holds still is passed in: the time, the randomness, further identity providers, where the log goes.

pub mod certificate;
pub mod data_folder;
pub mod doctor;
mod observer;
pub mod providers;
mod readiness;
pub mod restore;
pub mod root_secret;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use thiserror::Error as ThisError;

pub use self::data_folder::{DataFolder, FolderError, Holder, ServerAddress};
pub use self::observer::Observer;
pub use self::readiness::NodeReadiness;

use crate::broker::maintenance::Maintenance;
use crate::broker::retention::Retention;
use crate::broker::sign_in::SignInSettings;
use crate::broker::{Broker, Foundations, RootSecretFile, Settings, StartError};
use crate::config::{self, Config, DatabaseUrl};
use crate::domain::clock::Clock;
use crate::domain::issuer::Issuer;
use crate::domain::provider_name::ParseProviderNameError;
use crate::domain::random::Random;
use crate::domain::resource::TokenLifetime;
use crate::domain::sealed::RootSecret;
use crate::domain::secret::SecretText;
use crate::idp::outbound::Outbound;
use crate::idp::sign_in::{SignIn, SignInClient};
use crate::idp::{IdentityProvider, RegistryError};
use crate::store::{self, Options, Store};
use crate::telemetry::logs::LineFormat;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::request_log::{RequestLog, RequestLogGuard, RequestLogOptions};
use crate::token::outside::OutsideRules;

/// Connections to PostgreSQL: more are slower (`bench/README.md`).
const POSTGRES_CONNECTIONS: usize = 8;
/// How long an identity provider may take; the caller has his answer within five seconds.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(4);

/// What the surroundings give.
pub struct Surroundings {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The root secret's file, if it is the server's to replace.
    pub root_file: Option<Arc<dyn RootSecretFile>>,
    /// Identity providers beside the built-in one.
    pub providers: Vec<Arc<dyn IdentityProvider>>,
    /// Where the request log goes.
    pub log: Box<dyn Write + Send>,
    /// How its lines look.
    pub log_format: LineFormat,
}

/// Everything that serves, started.
pub struct App {
    broker: Arc<Broker>,
    metrics: Arc<Metrics>,
    log: RequestLog,
    dashboard: crate::config::Dashboard,
    readiness: Arc<NodeReadiness>,
    maintenance: Maintenance,
    log_guard: RequestLogGuard,
}

/// Why it cannot start.
#[derive(Debug, ThisError)]
pub enum AppError {
    /// The database.
    #[error("the database cannot be used")]
    Store(#[from] store::Error),
    /// What is in the database, or the root secret.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The identity providers.
    #[error(transparent)]
    Providers(#[from] RegistryError),
    /// A provider's name.
    #[error(transparent)]
    ProviderName(#[from] ParseProviderNameError),
    /// A number that the configuration lets through and that cannot be.
    #[error("the configuration cannot be used: {0}")]
    Config(String),
    /// The system.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

impl App {
    /// Starts: opens and migrates the database, records what a first start records, and begins what runs beside the requests.
    ///
    /// # Errors
    /// See [`AppError`].
    pub async fn start(
        config: &Config,
        issuer: Issuer,
        root: RootSecret,
        around: Surroundings,
    ) -> Result<Self, AppError> {
        let store = open_store(config)?;
        store.migrate()?;
        let metrics = Arc::new(Metrics::new());
        let (log, log_guard) = RequestLog::start(RequestLogOptions {
            format: around.log_format,
            requests: config.log.requests,
            output: around.log,
            clock: Arc::clone(&around.clock),
            dropped: metrics.dropped_lines(),
        })?;
        let makings = providers::Makings {
            clock: Arc::clone(&around.clock),
            random: Arc::clone(&around.random),
            metrics: Arc::clone(&metrics),
        };
        let providers = providers::registry(config, &store, &makings, around.providers)?;
        let clock = Arc::clone(&around.clock);
        let foundations = Foundations {
            store: store.clone(),
            clock: around.clock,
            random: around.random,
            root,
            root_file: around.root_file,
            providers,
            sign_in: sign_in(config, &issuer, &clock)?,
            metrics: Arc::clone(&metrics),
        };
        let broker = Broker::start(foundations, settings(config, issuer)?).await?;
        let readiness = Arc::new(NodeReadiness::new(Arc::clone(&broker), &config.readiness));
        let maintenance = broker.maintain().beside(readiness.watch());
        Ok(Self {
            broker,
            metrics,
            log,
            dashboard: config.dashboard.clone(),
            readiness,
            maintenance,
            log_guard,
        })
    }

    /// The use cases.
    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// How the pages for people look.
    pub fn dashboard(&self) -> &crate::config::Dashboard {
        &self.dashboard
    }

    /// Where the lines of requests go.
    pub fn log(&self) -> &RequestLog {
        &self.log
    }

    /// What `/readyz` reports.
    pub fn readiness(&self) -> &Arc<NodeReadiness> {
        &self.readiness
    }

    /// Ends what runs beside the requests, writes down what was counted, and closes the database. Lines of the log that wait are written.
    pub async fn stop(self) {
        self.broker.finish_outbox().await;
        drop(self.maintenance);
        self.broker.flush_usage().await;
        self.broker.end_trail().await;
        self.broker.store().clone().close().await;
        drop(self.log_guard);
    }
}

/// Opens the database that the configuration names; its schema is not touched.
///
/// # Errors
/// When it does not answer.
pub fn open_store(config: &Config) -> Result<Store, store::Error> {
    open_or_create(config, true)
}

/// The same, without making a SQLite file that is not there.
///
/// # Errors
/// When it does not answer.
pub fn open_existing_store(config: &Config) -> Result<Store, store::Error> {
    open_or_create(config, false)
}

fn open_or_create(config: &Config, create: bool) -> Result<Store, store::Error> {
    let (url, readers) = match config.database.url() {
        DatabaseUrl::Sqlite(path) => (
            SecretText::new(format!("sqlite:{}", path.display())),
            workers(config) + 2,
        ),
        DatabaseUrl::Postgres(url) => (url, POSTGRES_CONNECTIONS),
    };
    Store::open(&Options {
        url,
        readers,
        create,
    })
}

/// Where people sign in, if the configuration says where.
fn sign_in(
    config: &Config,
    issuer: &Issuer,
    clock: &Arc<dyn Clock>,
) -> Result<Option<SignIn>, AppError> {
    let section = &config.sign_in;
    let Some(theirs) = &section.issuer else {
        return Ok(None);
    };
    if theirs.as_str() == issuer.as_str() {
        let told = "sign_in.issuer must not be this server's own";
        return Err(AppError::Config(told.to_owned()));
    }
    let rules = OutsideRules {
        issuer: theirs.clone(),
        audience: section
            .audience
            .clone()
            .unwrap_or_else(|| issuer.management_audience()),
        clients: section
            .client_id
            .iter()
            .chain(&section.clients)
            .cloned()
            .collect(),
    };
    let scopes = ["openid", "profile", "email"].map(str::to_owned);
    let client = SignInClient {
        id: section.client_id.clone().unwrap_or_default(),
        secret: section.client_secret.clone(),
        scopes: section.scopes.clone().unwrap_or_else(|| scopes.to_vec()),
    };
    let outbound = Outbound::new(section.internal)
        .map_err(|error| AppError::Config(format!("sign_in: {error}")))?;
    Ok(Some(SignIn::new(
        rules,
        client,
        outbound,
        Arc::clone(clock),
    )))
}

/// How many threads answer requests.
pub fn workers(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    config
        .listener
        .workers
        .map_or_else(cores, std::num::NonZeroUsize::get)
}

/// How the broker is to behave.
///
/// # Errors
/// A number that cannot be.
pub fn settings(config: &Config, issuer: Issuer) -> Result<Settings, AppError> {
    let positive = |number: u32, name: &str| {
        std::num::NonZeroU32::new(number)
            .ok_or_else(|| AppError::Config(format!("{name} must not be 0")))
    };
    if !config.routes.table.is_empty() {
        let lacks = |what: &str| Err(AppError::Config(format!("routes need {what}")));
        if config.forward_auth.proxy.is_none() {
            return lacks("forward_auth.proxy: it says where a gateway tells what it asks about");
        }
        if config.listener.trusted_proxies.is_empty() {
            return lacks("trusted_proxies: only a gateway that is named there is believed");
        }
    }
    if config.forward_auth.application_id.is_some() && config.listener.trusted_proxies.is_empty() {
        return Err(AppError::Config(
            "forward_auth.application_id needs trusted_proxies: only a gateway that is named there is believed"
                .to_owned(),
        ));
    }
    let lifetime = TokenLifetime::try_from(config.token.lifetime_seconds);
    Ok(Settings {
        issuer,
        accept_new_issuer: config.listener.accept_new_issuer,
        prefixes: config.keys.prefixes(),
        remembered_keys: config.cache.keys as usize,
        reuse_seconds: config.token.reuse_seconds,
        forward_auth_reuse_seconds: config.forward_auth.reuse_seconds,
        bad_keys_per_minute: positive(
            config.limits.bad_keys_per_minute,
            "limits.bad_keys_per_minute",
        )?,
        revoke_leaked_per_minute: positive(
            config.limits.revoke_leaked_per_minute,
            "limits.revoke_leaked_per_minute",
        )?,
        fruitless_lookups_per_minute: positive(
            config.limits.fruitless_lookups_per_minute,
            "limits.fruitless_lookups_per_minute",
        )?,
        inactive_introspections_per_minute: positive(
            config.limits.inactive_introspections_per_minute,
            "limits.inactive_introspections_per_minute",
        )?,
        bad_clients_per_minute: positive(
            config.limits.bad_clients_per_minute,
            "limits.bad_clients_per_minute",
        )?,
        remembered_addresses: config.limits.bad_key_addresses as usize,
        operators: config.sign_in.operators.clone(),
        sign_in: SignInSettings {
            session_idle: Duration::from_secs(
                u64::from(config.dashboard.session_idle_minutes) * 60,
            ),
            session_lifetime: Duration::from_secs(u64::from(config.dashboard.session_hours) * 3600),
            local_accounts: config.dashboard.enabled && config.dashboard.local_accounts,
            memberships: config.sign_in.memberships.clone(),
        },
        default_permissions: config.organizations.permissions(),
        default_token_lifetime: lifetime
            .map_err(|error| AppError::Config(format!("token.lifetime_seconds {error}")))?,
        default_algorithm: config.signing.default_algorithm,
        jwks_max_age: Duration::from_secs(config.signing.jwks_max_age_seconds.into()),
        rotate_signing_keys_after: config.signing.rotate_after,
        announce_secrets: Duration::from_secs(config.rotation.announce_seconds.into()),
        usage_flush: Duration::from_secs(config.usage.flush_seconds.into()),
        retention: retention(&config.retention),
        provider_timeout: PROVIDER_TIMEOUT,
    })
}

fn retention(section: &config::Retention) -> Retention {
    let days = |days: u16| SignedDuration::from_hours(24 * i64::from(days));
    Retention {
        audit: section.audit_days.map(days),
        generations: days(section.generations_days),
        operations: days(section.operations_days),
        requests: SignedDuration::from_hours(section.idempotency_hours.into()),
        usage: days(section.usage_days),
    }
}
