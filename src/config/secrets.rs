//! The root secret, and how every secret is read: as a value, or from a file that `…_file` names; never both.
//!
//! No text of a secret enters an error.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de};

use super::layers::{Fault, Section};
use crate::domain::secret::SecretText;

/// The shortest root secret, in bytes: what it seals is drawn with 256 bits.
const SHORTEST_ROOT_SECRET: usize = 32;

/// The settings of the root secret. Above all tables.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Secrets {
    /// `root_secret`, `KAGIYA_ROOT_SECRET`: any text of at least 32 bytes, taken as it is; all other secrets are sealed under
    /// it. Default: a file in the data folder, made together with an empty SQLite database; never for PostgreSQL.
    #[serde(deserialize_with = "text")]
    pub root_secret: Option<SecretText>,
    /// `root_secret_file`, `KAGIYA_ROOT_SECRET_FILE`: a file that holds `root_secret`; one line end after it is not part of
    /// it. Default none.
    pub root_secret_file: Option<PathBuf>,
}

impl Section for Secrets {
    const TABLE: Option<&'static str> = None;

    fn settle(mut self) -> Result<Self, Fault> {
        let mut field = "root_secret";
        if let Some(path) = &self.root_secret_file {
            refuse_both(
                self.root_secret.is_some(),
                "root_secret",
                "root_secret_file",
            )?;
            field = "root_secret_file";
            self.root_secret = Some(read(field, path)?);
        }
        match &self.root_secret {
            Some(secret) if secret.expose().len() < SHORTEST_ROOT_SECRET => Err(Fault::new(
                field,
                format!("must hold at least {SHORTEST_ROOT_SECRET} bytes"),
            )),
            _ => Ok(self),
        }
    }
}

/// A secret that stands in the layer itself. What the deserializer would say holds the value, so it says nothing.
pub(super) fn text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretText>, D::Error> {
    let text = String::deserialize(deserializer)
        .map_err(|_| de::Error::custom("must be text in quotes"))?;
    Ok(Some(SecretText::new(text)))
}

/// A secret and its file cannot both be given, whatever the layers: nobody could tell which one counts.
pub(super) fn refuse_both(
    given: bool,
    value: &'static str,
    file: &'static str,
) -> Result<(), Fault> {
    if !given {
        return Ok(());
    }
    Err(Fault::new(
        file,
        format!("is given beside {value}: give one of them, in whatever place"),
    ))
}

/// The content of a secret's file, without the one line end that editors and `echo` leave.
pub(super) fn read(field: &'static str, path: &Path) -> Result<SecretText, Fault> {
    let mut text = fs::read_to_string(path).map_err(|error| {
        Fault::new(
            field,
            format!("names {}, which cannot be read: {error}", path.display()),
        )
    })?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() {
        return Err(Fault::new(
            field,
            format!("names {}, which is empty", path.display()),
        ));
    }
    Ok(SecretText::new(text))
}
