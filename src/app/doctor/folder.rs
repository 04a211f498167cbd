//! The data folder: who else can read it, and how much room there is.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Finding;
use crate::app::root_secret;
use crate::config::{Config, DatabaseUrl};

/// Folder 0700, root secret in it 0600, both of one owner.
pub(super) fn modes(config: &Config) -> Finding {
    const CHECK: &str = "folder_modes";
    let folder = &config.database.data_dir;
    let remedy = |mode: &str, path: &Path| format!("chmod {mode} {}", path.display());
    let owner = match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => {
            let detail = format!("{} is no folder", folder.display());
            return Finding::failed(CHECK, detail, "name the data folder with --data-dir");
        }
        Ok(found) if is_open(found.permissions().mode()) => {
            let detail = format!(
                "{} is open to others than its owner (mode {:03o})",
                folder.display(),
                found.permissions().mode() & 0o777
            );
            return Finding::failed(CHECK, detail, remedy("700", folder));
        }
        Ok(found) => found.uid(),
        Err(error) => {
            let detail = format!("{}: {error}", folder.display());
            let remedy =
                "name the data folder with --data-dir, or start kagiya serve, which makes it";
            return Finding::failed(CHECK, detail, remedy);
        }
    };
    let secret = root_secret::path(folder);
    if let Ok(found) = fs::metadata(&secret) {
        let mode = found.permissions().mode();
        if is_open(mode) {
            let detail = format!(
                "{} can be read by others than its owner (mode {:03o})",
                secret.display(),
                mode & 0o777
            );
            return Finding::failed(CHECK, detail, remedy("600", &secret));
        }
        if found.uid() != owner {
            let detail = format!("{} and its folder have different owners", secret.display());
            let remedy = format!(
                "chown --reference={} {}",
                folder.display(),
                secret.display()
            );
            return Finding::failed(CHECK, detail, remedy);
        }
    }
    Finding::ok(CHECK, format!("{} is its owner's alone", folder.display()))
}

fn is_open(mode: u32) -> bool {
    mode & 0o077 != 0
}

/// Room for the database to grow, and for a copy of it.
pub(super) fn free_disk(config: &Config, min_free: u64) -> Finding {
    const CHECK: &str = "free_disk";
    let place = place(config);
    let found = match rustix::fs::statvfs(&place) {
        Ok(found) => found,
        Err(error) => return Finding::skipped(CHECK, format!("{}: {error}", place.display())),
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let used = match config.database.url() {
        DatabaseUrl::Sqlite(path) => fs::metadata(path).map_or(0, |file| file.len()),
        DatabaseUrl::Postgres(_) => 0,
    };
    let remedy = "make room, or move the data folder to a larger disk: what cannot be written is answered 503";
    let detail = format!("{} MiB free at {}", free >> 20, place.display());
    if free < min_free {
        let detail = format!("{detail}, wanted {} MiB", min_free >> 20);
        Finding::failed(CHECK, detail, remedy)
    } else if free < used.saturating_mul(2) {
        let detail = format!(
            "{detail}, less than twice the database ({} MiB)",
            used >> 20
        );
        Finding::warning(CHECK, detail, remedy)
    } else {
        Finding::ok(CHECK, detail)
    }
}

/// The nearest folder that is there.
fn place(config: &Config) -> PathBuf {
    let wanted = match config.database.url() {
        DatabaseUrl::Sqlite(path) => path,
        DatabaseUrl::Postgres(_) => config.database.data_dir.clone(),
    };
    let mut folder = wanted.as_path();
    while !folder.is_dir() {
        match folder.parent() {
            Some(parent) if parent != Path::new("") => folder = parent,
            _ => return PathBuf::from("."),
        }
    }
    folder.to_owned()
}
