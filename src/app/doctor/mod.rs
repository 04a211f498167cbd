//! Looks a deployment over from outside its server: what is wrong, and what to do about it.
//!
//! Nothing is changed. Each check says one thing and names its remedy; what cannot be looked at because something before it is
//! wrong is skipped, and says over what.

mod database;
mod folder;
mod gateway;
mod issuer;
mod network;

use std::sync::Arc;

use serde::Serialize;

use super::DataFolder;
use super::root_secret;
use crate::broker::StartError;
use crate::config::{Config, DatabaseUrl};
use crate::domain::clock::Clock;
use crate::domain::provider_name::ProviderName;
use crate::idp::IdentityProvider;
use crate::idp::builtin::Builtin;
use crate::store::Store;
use crate::store::deployment::{self, Deployment};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// It could not be looked at.
    Skipped,
    /// It serves, and somebody should look at it.
    Warning,
    /// It is wrong.
    Failed,
}

/// What a check found.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The check's stable name.
    pub check: &'static str,
    /// How it ended.
    pub state: State,
    /// What was found, for people.
    pub detail: String,
    /// What to do about it; none where nothing is to be done.
    pub remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Ok,
            detail: detail.into(),
            remedy: None,
        }
    }

    fn skipped(check: &'static str, over: impl Into<String>) -> Self {
        Self {
            state: State::Skipped,
            ..Self::ok(check, over)
        }
    }

    fn warning(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            state: State::Warning,
            ..Self::failed(check, detail, remedy)
        }
    }

    fn failed(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Failed,
            detail: detail.into(),
            remedy: Some(remedy.into()),
        }
    }
}

/// What is looked over.
pub struct Patient<'a> {
    /// The configuration that its server runs with.
    pub config: &'a Config,
    /// The time here.
    pub clock: Arc<dyn Clock>,
    /// Identity providers beside the built-in one.
    pub providers: Vec<Arc<dyn IdentityProvider>>,
    /// How much disk must be free, in bytes.
    pub min_free: u64,
}

/// All checks, in the order in which they are best put right.
pub async fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let config = patient.config;
    let mut findings = vec![
        folder::modes(config),
        folder::free_disk(config, patient.min_free),
    ];
    let store = match open(config) {
        Ok(store) => store,
        Err(finding) => {
            findings.push(finding);
            let over = "the database cannot be looked at";
            findings.extend(
                [
                    "root_secret",
                    "migrations",
                    "clock",
                    "signing_keys",
                    "issuer",
                    "forward_auth",
                ]
                .map(|check| Finding::skipped(check, over)),
            );
            findings.extend(network::all(config));
            return findings;
        }
    };
    let pending = database::migrations(&store).await;
    let is_current = pending.state == State::Ok;
    findings.push(Finding::ok("database", "answers"));
    findings.push(pending);
    if is_current {
        findings.extend(of_deployment(patient, &store).await);
    } else {
        let over = "the tables are not of this version";
        findings.extend(
            [
                "root_secret",
                "clock",
                "signing_keys",
                "issuer",
                "forward_auth",
            ]
            .map(|check| Finding::skipped(check, over)),
        );
    }
    findings.extend(network::all(config));
    if is_current {
        findings.extend(providers(patient, &store).await);
    }
    store.close().await;
    findings
}

/// What needs tables of this version.
async fn of_deployment(patient: &Patient<'_>, store: &Store) -> Vec<Finding> {
    let config = patient.config;
    let deployment = match store.read(deployment::find).await {
        Ok(Some(deployment)) => deployment,
        found => {
            let detail = match found {
                Err(error) => chain(&error),
                _ => StartError::NotStarted.to_string(),
            };
            let remedy = "start it with kagiya serve";
            return vec![Finding::failed("root_secret", detail, remedy)];
        }
    };
    let running = DataFolder::server(&config.database.data_dir)
        .ok()
        .flatten()
        .is_some();
    vec![
        root_secret(config, &deployment),
        database::clock(store, &*patient.clock).await,
        database::signing_keys(store, config.signing.default_algorithm).await,
        issuer::check(config, store, &deployment, running).await,
        gateway::check(config, store).await,
    ]
}

fn root_secret(config: &Config, deployment: &Deployment) -> Finding {
    const CHECK: &str = "root_secret";
    let remedy = "put the root secret that the database was made with back in its place, or give it by \
                  KAGIYA_ROOT_SECRET or KAGIYA_ROOT_SECRET_FILE (docs/operations.md: a lost root)";
    match root_secret::read(config) {
        Ok(Some(root)) if root.matches(&deployment.root_check) => {
            Finding::ok(CHECK, "belongs to this database")
        }
        Ok(Some(_)) => {
            let detail = "is not the one that this database was made with";
            Finding::failed(CHECK, detail, remedy)
        }
        Ok(None) => Finding::failed(CHECK, "there is none", remedy),
        Err(error) => Finding::failed(CHECK, chain(&error), remedy),
    }
}

async fn providers(patient: &Patient<'_>, store: &Store) -> Vec<Finding> {
    const CHECK: &str = "identity_provider";
    let mut all = patient.providers.clone();
    if let Ok(name) = ProviderName::BUILTIN.parse() {
        let builtin = Builtin::new(name, store.clone(), Arc::clone(&patient.clock));
        all.insert(0, Arc::new(builtin));
    }
    let mut findings = Vec::new();
    for provider in all {
        let name = provider.name();
        let health = tokio::time::timeout(super::PROVIDER_TIMEOUT, provider.health()).await;
        findings.push(match health {
            Ok(Ok(())) => Finding::ok(CHECK, format!("{name} answers")),
            Ok(Err(error)) => Finding::failed(
                CHECK,
                format!("{name}: {}", chain(&error)),
                format!("see what kagiya idp check {name} says"),
            ),
            Err(_) => Finding::failed(
                CHECK,
                format!("{name} does not answer in time"),
                "look whether it runs and whether this machine reaches it",
            ),
        });
    }
    findings
}

/// Opens the database, if it is there.
fn open(config: &Config) -> Result<Store, Finding> {
    const CHECK: &str = "database";
    if let DatabaseUrl::Sqlite(path) = config.database.url()
        && std::fs::metadata(&path).map_or(true, |file| file.len() == 0)
    {
        return Err(Finding::failed(
            CHECK,
            format!("there is none at {}", path.display()),
            "start kagiya serve, restore a backup, or say with --data-dir or --database-url where it is",
        ));
    }
    super::open_existing_store(config).map_err(|error| {
        let remedy = match config.database.url() {
            DatabaseUrl::Sqlite(_) => "look at the file's owner and mode, and at the disk; kagiya restore puts a backup back",
            DatabaseUrl::Postgres(_) => "look whether PostgreSQL runs, and whether host, user, password and sslmode in the URL are right",
        };
        Finding::failed(CHECK, chain(&error), remedy)
    })
}

/// An error and its causes, each once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
