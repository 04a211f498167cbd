//! The local operator: whoever can read the database and the root secret may make himself a token for the management API.

use std::fs;

use super::{Failure, GlobalOptions};
use crate::app::{self, FolderError, root_secret};
use crate::broker::{OperatorToken, StartError};
use crate::config::{Config, DatabaseUrl};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::random::SystemRandom;
use crate::domain::scope::ScopeSet;
use crate::domain::sealed::RootSecret;
use crate::domain::secret::SecretText;
use crate::store::{Store, deployment};

/// The name of an operator whose login name is not known or not fit for a log.
const NAMELESS: &str = "local";

/// Makes a token, beside a running server or without one. With no scopes: all.
///
/// # Errors
/// No database, a wrong root secret or none, or no server ever started here.
pub(super) async fn token(
    config: &Config,
    globals: &GlobalOptions,
    scopes: Option<ScopeSet>,
) -> Result<SecretText, Failure> {
    // A server that replaces its root secret meanwhile leaves the new one in the file before the old one opens nothing.
    match token_by(config, globals, scopes.clone()).await {
        Err(Failure::Failed(error)) if is_wrong_root(&*error) => {
            token_by(config, globals, scopes).await
        }
        token => token,
    }
}

fn is_wrong_root(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(
        error.downcast_ref(),
        Some(StartError::WrongRootSecret | StartError::Secrets(_))
    )
}

async fn token_by(
    config: &Config,
    globals: &GlobalOptions,
    scopes: Option<ScopeSet>,
) -> Result<SecretText, Failure> {
    let (store, root) = open(config)?;
    let recorded = store.read(deployment::find).await?;
    let issuer = recorded.ok_or(StartError::NotStarted)?.issuer;
    let settings = app::settings(config, issuer.parse()?)?;
    let operator = OperatorToken {
        name: globals.environment.login_name().unwrap_or(NAMELESS),
        scopes,
        now: SystemClock.now(),
    };
    let token = operator
        .mint(&store, &root, &settings, &SystemRandom)
        .await?;
    store.close().await;
    Ok(SecretText::new(token))
}

/// The database and the root secret, neither of which is made here.
///
/// # Errors
/// When one of them is not there.
pub(super) fn open(config: &Config) -> Result<(Store, RootSecret), Failure> {
    refuse_missing_database(config)?;
    let root = root_secret::read(config)?.ok_or_else(|| match config.database.url() {
        DatabaseUrl::Postgres(_) => FolderError::RootSecretNotGiven,
        DatabaseUrl::Sqlite(_) => FolderError::RootSecretMissing {
            path: root_secret::path(&config.database.data_dir),
        },
    })?;
    Ok((app::open_store(config)?, root))
}

/// # Errors
/// When the database is a file that is not there.
pub(super) fn refuse_missing_database(config: &Config) -> Result<(), Failure> {
    if database_is_there(config) {
        return Ok(());
    }
    let database = match config.database.url() {
        DatabaseUrl::Sqlite(path) => path.display().to_string(),
        DatabaseUrl::Postgres(_) => String::new(),
    };
    Err(Failure::Refused {
        code: "no_database".to_owned(),
        detail: format!(
            "there is no database at {database}: start kagiya serve first, or say with --data-dir or --database-url where it is"
        ),
    })
}

/// Whether the database has been made; one that is elsewhere is taken to be there.
pub(super) fn database_is_there(config: &Config) -> bool {
    match config.database.url() {
        DatabaseUrl::Sqlite(path) => fs::metadata(path).is_ok_and(|file| file.len() > 0),
        DatabaseUrl::Postgres(_) => true,
    }
}
