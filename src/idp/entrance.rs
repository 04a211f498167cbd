//! A client of a provider's by which we come in, and where its secret is.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::Error;
use super::setup::{How, Step};
use crate::domain::base62;
use crate::domain::random::Random;
use crate::domain::secret::SecretText;

/// A client and its secret.
#[derive(Clone)]
pub struct Entrance {
    /// Its id; empty where the provider chooses it and it is not configured yet.
    pub id: String,
    /// Its secret, as configured.
    pub secret: Option<SecretText>,
    /// Where the secret is, if it is not configured: a file that the set-up makes.
    pub file: PathBuf,
    /// What a new secret is drawn from.
    pub random: Arc<dyn Random>,
}

impl Entrance {
    /// The secret. The file is read each time, since a running server must notice that it was made.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn secret(&self) -> Result<SecretText, Error> {
        if let Some(secret) = &self.secret {
            return Ok(secret.clone());
        }
        match std::fs::read_to_string(&self.file) {
            Ok(text) if !text.trim().is_empty() => Ok(SecretText::new(text.trim().to_owned())),
            _ => Err(Error::Refused {
                reason: format!(
                    "the client {} has no secret here: give it, or run kagiya idp setup",
                    self.id
                ),
            }),
        }
    }

    /// The secret: the one at hand, else a new one of 43 letters and digits, which is kept.
    pub(super) fn secret_or_new(&self, steps: &mut Vec<Step>) -> Result<SecretText, Error> {
        if let Ok(secret) = self.secret() {
            return Ok(secret);
        }
        let mut letters = vec![0; 43];
        self.random.text(base62::ALPHABET, &mut letters);
        // The alphabet is ASCII.
        let secret = SecretText::new(String::from_utf8(letters).unwrap_or_default());
        steps.push(self.keep(&secret)?);
        Ok(secret)
    }

    /// Writes a secret where the server looks for it.
    pub(super) fn keep(&self, secret: &SecretText) -> Result<Step, Error> {
        let written = || -> std::io::Result<()> {
            if let Some(folder) = self.file.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&self.file)?;
            file.write_all(secret.expose().as_bytes())?;
            file.sync_all()
        };
        let file = self.file.display();
        written().map_err(|error| Error::Refused {
            reason: format!("{file} cannot be written: {error}"),
        })?;
        Ok(Step::new(
            format!("secret of {} in {file}", self.id),
            How::Made,
        ))
    }
}
