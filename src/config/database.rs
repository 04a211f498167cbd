//! Where the data is. Above all tables.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

use super::layers::{Fault, Section};
use super::secrets;
use crate::domain::secret::SecretText;

/// The settings of the data folder and the database.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Database {
    /// `data_dir`, `KAGIYA_DATA_DIR`, `--data-dir`: the folder for the SQLite file, the root secret and the lock.
    /// Made with mode 0700 where it is missing. Default `./kagiya-data`.
    pub data_dir: PathBuf,
    /// `database_url`, `KAGIYA_DATABASE_URL`, `--database-url`: `sqlite:` and a path, or `postgres://…`. Counts as a secret,
    /// for it may hold a password. Default `sqlite:` and `kagiya.db` in `data_dir`.
    #[serde(deserialize_with = "database_url")]
    pub database_url: Option<DatabaseUrl>,
    /// `database_url_file`, `KAGIYA_DATABASE_URL_FILE`: a file that holds `database_url`. Default none.
    pub database_url_file: Option<PathBuf>,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./kagiya-data"),
            database_url: None,
            database_url_file: None,
        }
    }
}

impl Database {
    /// The database to open: the one given, else the SQLite file in the data folder.
    pub fn url(&self) -> DatabaseUrl {
        self.database_url
            .clone()
            .unwrap_or_else(|| DatabaseUrl::Sqlite(self.data_dir.join("kagiya.db")))
    }
}

impl Section for Database {
    const TABLE: Option<&'static str> = None;

    fn settle(mut self) -> Result<Self, Fault> {
        if let Some(path) = &self.database_url_file {
            secrets::refuse_both(
                self.database_url.is_some(),
                "database_url",
                "database_url_file",
            )?;
            let text = secrets::read("database_url_file", path)?;
            let url = text
                .expose()
                .parse()
                .map_err(|error: ParseDatabaseUrlError| {
                    Fault::new(
                        "database_url_file",
                        format!("names a file whose content {error}"),
                    )
                })?;
            self.database_url = Some(url);
        }
        Ok(self)
    }
}

/// Which database, told from the scheme alone: a slip must not make an empty SQLite file.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// The path of a SQLite file.
    Sqlite(PathBuf),
    /// A whole `postgres://` URL, with its password.
    Postgres(SecretText),
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(_) => f.write_str("postgres://…"),
        }
    }
}

/// The text is not a database URL.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ParseDatabaseUrlError {
    /// Another scheme, or none.
    #[error("must begin with sqlite: or postgres://")]
    Scheme,
    /// `sqlite:` with nothing that can be a file.
    #[error(
        "must name a file after sqlite:, without parameters; a database in memory would lose keys"
    )]
    NotAFile,
}

impl FromStr for DatabaseUrl {
    type Err = ParseDatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, ParseDatabaseUrlError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(SecretText::new(text.to_owned())));
        }
        let path = text
            .strip_prefix("sqlite:")
            .ok_or(ParseDatabaseUrlError::Scheme)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.starts_with(':') || path.contains('?') || path.ends_with('/') {
            return Err(ParseDatabaseUrlError::NotAFile);
        }
        Ok(Self::Sqlite(Path::new(path).to_owned()))
    }
}

fn database_url<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DatabaseUrl>, D::Error> {
    let text = secrets::text(deserializer)?;
    text.map(|text| text.expose().parse().map_err(de::Error::custom))
        .transpose()
}

#[cfg(test)]
mod tests;
