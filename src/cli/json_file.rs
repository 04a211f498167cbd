//! JSON that a command takes from a file, or from standard input where the file is `-`: what is too long for a command line.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::Failure;

/// Reads the file.
///
/// # Errors
/// When it cannot be read, or is no JSON.
pub(super) fn json_file(path: &Path) -> Result<Value, Failure> {
    let text = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let shown = path.display();
    let text = text.map_err(|error| Failure::Usage(format!("{shown} cannot be read: {error}")))?;
    // The message names line and column, and holds nothing of the text.
    serde_json::from_str(&text)
        .map_err(|error| Failure::Usage(format!("{shown} is no JSON: {error}")))
}
