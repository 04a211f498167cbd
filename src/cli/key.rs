//! `kagiya key`: looks at a key itself, offline.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Failure, GlobalOptions, node, operator, print};
use crate::broker::tag_of;
use crate::config::Config;
use crate::domain::key_tag::KeyTagError;
use crate::domain::plaintext_key::UnverifiedKey;
use crate::domain::sealed::RootSecret;
use crate::store::{Store, deployment};

/// Far more than a key has: whoever gives something longer gave something else.
const MOST_BYTES: u64 = 4096;

/// Look at one key, offline
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Says whether a text is a key: its form, its checksum and, with a data folder, its tag
    ///
    /// It never says whether the key was revoked: only the server knows. The key comes from a file or from standard input,
    /// never from the command line, where the shell's history would keep it.
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya key inspect ci.key
  kagiya key inspect - < ci.key"#
    )]
    Inspect(InspectOptions),
}

/// Where the key is.
#[derive(Clone, Debug, clap::Args)]
pub struct InspectOptions {
    /// The file that holds the key; - for standard input
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
}

/// Does what is asked.
///
/// # Errors
/// Exit code 1 for what is no key, and for a key whose tag is not ours.
pub fn run(command: &Command, globals: &GlobalOptions) -> Result<(), Failure> {
    let Command::Inspect(options) = command;
    let config = globals.config(Vec::new())?;
    let text = read(&options.file)?;
    let database = database(&config, globals)?;
    let mut prefixes = config.keys.prefixes();
    if let Some((store, _)) = &database {
        // Keys of an earlier prefix live on, whatever the configuration says today.
        let recorded = node::block_on(async { Ok(store.read(deployment::prefixes).await?) })?;
        prefixes = prefixes.and(recorded);
    }
    let key = UnverifiedKey::parse(&text, &prefixes).map_err(|error| Failure::Refused {
        code: "malformed_key".to_owned(),
        detail: format!("this is no key: {error}"),
    })?;
    let tag = match database {
        None => None,
        Some((store, root)) => node::block_on(async {
            let tag = tag_of(&key, &store, &root).await?;
            store.close().await;
            Ok(Some(tag))
        })?,
    };
    let word = match tag {
        None => "not_checked",
        Some(Ok(())) => "ok",
        Some(Err(KeyTagError::UnknownGeneration)) => "unknown_generation",
        Some(Err(KeyTagError::Mismatch)) => "mismatch",
    };
    let prefix = key.prefix();
    let hint = key.hint();
    let number = key.tag_generation().number();
    let report = json!({
        "format": "ok", "checksum": "ok", "prefix": prefix, "version": 1, "hint": hint, "tag_generation": number, "tag": word,
    });
    let tag_text = match tag {
        None => "not checked: there is no database here".to_owned(),
        Some(Ok(())) => "made by this kagiya".to_owned(),
        Some(Err(error)) => error.to_string(),
    };
    let rows = [
        ("format", "a key of version 1".to_owned()),
        ("checksum", "fits".to_owned()),
        ("prefix", prefix.to_owned()),
        ("hint", hint),
        ("tag secret", format!("generation {number}")),
        ("tag", tag_text),
    ];
    print::object(&report, globals.json, &rows)?;
    if !globals.json {
        print::advice("Whether it still works, only the server knows.");
    }
    match tag {
        Some(Err(error)) => Err(Failure::Refused {
            code: "foreign_key".to_owned(),
            detail: format!("well formed, but not made by this kagiya: {error}"),
        }),
        _ => Ok(()),
    }
}

/// The database and its root secret; none where there is no database to ask. One that was named must be there.
fn database(
    config: &Config,
    globals: &GlobalOptions,
) -> Result<Option<(Store, RootSecret)>, Failure> {
    let is_named = globals.data_dir.is_some() || globals.database_url.is_some();
    if !is_named && !operator::database_is_there(config) {
        return Ok(None);
    }
    operator::open(config).map(Some)
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let unreadable = |error: io::Error| Failure::Refused {
        code: "key_file".to_owned(),
        detail: format!("{} cannot be read: {error}", file.display()),
    };
    // The full capacity at once: a growing buffer would leave copies behind that nobody wipes.
    let mut text = Zeroizing::new(Vec::with_capacity(MOST_BYTES as usize + 1));
    let most = MOST_BYTES + 1;
    if file == Path::new("-") {
        io::stdin().take(most).read_to_end(&mut text)
    } else {
        File::open(file).and_then(|file| file.take(most).read_to_end(&mut text))
    }
    .map_err(unreadable)?;
    Ok(text)
}
