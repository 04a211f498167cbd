//! Where the root secret is: given by the operator, or in a file of the data folder that this server makes and may replace.
//!
//! The file is 0600. It is whole under its name or not there, and what was answered survives a power loss.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::data_folder::FolderError;
use crate::broker::RootSecretFile;
use crate::config::{Config, DatabaseUrl};
use crate::domain::random::Random;
use crate::domain::sealed::RootSecret;
use crate::domain::secret::SecretBytes;

const NAME: &str = "root-secret";
/// One that was made and is not in force yet.
const NEW: &str = "new";
/// The one before: backups of its time need it.
const PREVIOUS: &str = "previous";

/// Where the root secret of a data folder lies.
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

/// The root secret that was given or lies in the folder; `None` if there is none yet.
///
/// # Errors
/// When it cannot be read, or is too short.
pub fn read(config: &Config) -> Result<Option<RootSecret>, FolderError> {
    if let Some(given) = &config.secrets.root_secret {
        return Ok(Some(RootSecret::new(SecretBytes::new(
            given.expose().as_bytes().to_vec(),
        ))?));
    }
    let path = path(&config.database.data_dir);
    match read_file(&path) {
        Ok(Some(bytes)) => Ok(Some(RootSecret::new(bytes)?)),
        Ok(None) => Ok(None),
        Err(source) => Err(FolderError::System { path, source }),
    }
}

/// The file of the root secret, if the server keeps it itself: with SQLite, where none is given.
pub fn file(config: &Config) -> Option<Arc<dyn RootSecretFile>> {
    let kept = matches!(config.database.url(), DatabaseUrl::Sqlite(_))
        && config.secrets.root_secret.is_none();
    let path = path(&config.database.data_dir);
    kept.then(|| Arc::new(InFolder(path)) as Arc<dyn RootSecretFile>)
}

/// Makes a first one.
pub(super) fn make(path: &Path, random: &dyn Random) -> Result<RootSecret, FolderError> {
    let file = InFolder(path.to_owned());
    let made = file
        .prepare(random)
        .and_then(|made| file.take_over().map(|()| made));
    made.map_err(|source| FolderError::System {
        path: path.to_owned(),
        source,
    })
}

/// A root secret in a file of this name; beside it the one that comes and the one that was.
struct InFolder(PathBuf);

impl InFolder {
    fn beside(&self, extension: &str) -> PathBuf {
        self.0.with_extension(extension)
    }

    /// The new one takes the name, whole: a crash leaves the one or the other.
    fn take_over(&self) -> io::Result<()> {
        fs::rename(self.beside(NEW), &self.0)?;
        self.sync_names()
    }

    /// Names too must survive a power loss, or a database has no root.
    fn sync_names(&self) -> io::Result<()> {
        let folder = self.0.parent().unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

impl RootSecretFile for InFolder {
    fn prepare(&self, random: &dyn Random) -> io::Result<RootSecret> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        random.fill(&mut *bytes);
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes));
        write(&self.beside(NEW), &[text.as_bytes(), b"\n"])?;
        self.sync_names()?;
        root_of(SecretBytes::new(text.as_bytes().to_vec()))
    }

    fn prepared(&self) -> io::Result<Option<RootSecret>> {
        let read = read_file(&self.beside(NEW))?;
        // Half of one is none: it is in force nowhere.
        Ok(read.and_then(|bytes| RootSecret::new(bytes).ok()))
    }

    fn adopt(&self) -> io::Result<()> {
        let old = Zeroizing::new(fs::read(&self.0)?);
        write(&self.beside(PREVIOUS), &[&old])?;
        self.take_over()
    }

    fn discard(&self) -> io::Result<()> {
        match fs::remove_file(self.beside(NEW)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn read_file(path: &Path) -> io::Result<Option<SecretBytes>> {
    match fs::read(path) {
        Ok(bytes) => {
            let bytes = Zeroizing::new(bytes);
            Ok(Some(SecretBytes::new(bytes.trim_ascii_end().to_vec())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()
}

fn root_of(bytes: SecretBytes) -> io::Result<RootSecret> {
    RootSecret::new(bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SystemRandom;

    #[test]
    fn a_new_one_takes_the_place_of_the_old_one_which_is_kept_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        let first = make(&path, &SystemRandom).unwrap();
        let file = InFolder(path.clone());
        let in_force = || RootSecret::new(read_file(&path).unwrap().unwrap()).unwrap();
        assert!(file.prepared().unwrap().is_none());
        let second = file.prepare(&SystemRandom).unwrap();
        assert!(in_force().matches(&first.check_value()), "not yet");
        let prepared = file.prepared().unwrap().unwrap();
        assert!(prepared.matches(&second.check_value()));
        file.adopt().unwrap();
        assert!(in_force().matches(&second.check_value()));
        let previous = read_file(&path.with_extension(PREVIOUS)).unwrap().unwrap();
        assert!(
            RootSecret::new(previous)
                .unwrap()
                .matches(&first.check_value())
        );
        assert!(file.prepared().unwrap().is_none());
        file.prepare(&SystemRandom).unwrap();
        file.discard().unwrap();
        file.discard().unwrap();
        assert!(file.prepared().unwrap().is_none());
    }
}
