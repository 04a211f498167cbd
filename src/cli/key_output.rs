//! How keys are shown: to people and programs, and the one time that the key itself is.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Failure, GlobalOptions, print};

/// A new file (mode 0600) for a key or a client secret: made before the key is, so that no key is lost for want of a place to put it, and removed again
/// unless one was written to it.
pub(super) struct KeyFile {
    path: PathBuf,
    file: File,
    written: bool,
}

impl KeyFile {
    /// Makes the file.
    ///
    /// # Errors
    /// When it is there already, or cannot be made.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let file = made.map_err(|error| Failure::Refused {
            code: "key_file".to_owned(),
            detail: format!(
                "no new file {} can be made for the key: {error}",
                path.display()
            ),
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            written: false,
        })
    }

    /// Writes the key, makes sure that it is on disk, and says where.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn write(mut self, key: &str) -> Result<PathBuf, Failure> {
        writeln!(self.file, "{key}")?;
        self.file.sync_all()?;
        self.written = true;
        Ok(self.path.clone())
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        if !self.written {
            // Empty and ours; where it cannot be removed, an empty file does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Gives a key to whoever asked for it: into the file, else on standard output, on its own line.
///
/// # Errors
/// When the file or standard output takes nothing.
pub(super) fn hand_over(
    mut issued: Value,
    file: Option<KeyFile>,
    globals: &GlobalOptions,
) -> Result<(), Failure> {
    if let Some(file) = file {
        let path = file.write(issued["key"].as_str().unwrap_or_default())?;
        if let Some(members) = issued.as_object_mut() {
            members.remove("key");
        }
        print::object(&issued, globals.json, &rows(&issued))?;
        print::advice(&format!(
            "The key is in {}. It cannot be shown again.",
            path.display()
        ));
        return Ok(());
    }
    // Without the hint: it is a piece of the key that stands below.
    let rows: Vec<_> = rows(&issued)
        .into_iter()
        .filter(|(name, _)| *name != "hint")
        .collect();
    print::object(&issued, globals.json, &rows)?;
    if !globals.json {
        print::line("")?;
        print::line(issued["key"].as_str().unwrap_or_default())?;
        print::advice(
            "\nThis is the key. Store it now, where secrets are kept: it cannot be shown again.",
        );
    }
    Ok(())
}

/// What people see of a key.
pub(super) fn rows(key: &Value) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("id", print::text(&key["id"])),
        ("name", print::text(&key["name"])),
        ("organization", print::text(&key["organization_id"])),
        ("status", print::text(&key["status"])),
    ];
    for at in key["permissions"].as_array().into_iter().flatten() {
        let (resource, scopes) = (print::text(&at["resource"]), print::text(&at["scopes"]));
        rows.push(("permission", format!("{resource}  {scopes}")));
    }
    rows.extend([
        ("default resource", print::text(&key["default_resource"])),
        ("hint", print::text(&key["hint"])),
        ("created", print::moment(&key["created_at"])),
        ("expires", moment_or(&key["expires_at"], "never")),
        ("last used", moment_or(&key["last_used_at"], "never")),
    ]);
    let optional = [
        ("rotated", print::moment(&key["rotated_at"])),
        ("old key until", print::moment(&key["retiring_until"])),
        ("revoked", print::moment(&key["revoked_at"])),
        ("networks", print::text(&key["allowed_cidrs"])),
        ("rate limit", rate(&key["rate_limit"])),
        ("rotates itself", yes(&key["self_rotate"])),
        (
            "may act for it",
            print::text(&key["may_act"]["application_id"]),
        ),
        ("metadata", metadata(&key["metadata"])),
    ];
    rows.extend(optional.into_iter().filter(|(_, text)| text != "-"));
    rows
}

fn rate(limit: &Value) -> String {
    if limit.is_null() {
        return "-".to_owned();
    }
    format!("{} in {} s", limit["requests"], limit["per_seconds"])
}

fn yes(value: &Value) -> String {
    if *value == true { "yes" } else { "-" }.to_owned()
}

fn metadata(members: &Value) -> String {
    let members = members.as_object().into_iter().flatten();
    let shown: Vec<Value> = members
        .map(|(name, value)| format!("{name}={}", print::text(value)).into())
        .collect();
    print::text(&shown.into())
}

/// A moment, or what to say where there is none.
pub(super) fn moment_or(moment: &Value, none: &str) -> String {
    if moment.is_null() {
        none.to_owned()
    } else {
        print::moment(moment)
    }
}
