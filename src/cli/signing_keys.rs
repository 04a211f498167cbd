//! `kagiya signing-keys`: the keys that sign tokens.

use clap::Subcommand;
use serde_json::json;

use super::client::{self, First, List};
use super::{Failure, GlobalOptions, print};
use crate::domain::algorithm::SigningAlgorithm;

/// List and rotate the keys that sign tokens
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Lists the signing keys and their states: next, active or retired
    List,
    /// Lets the next signing keys sign
    ///
    /// They were published before, so every service knows them; tokens of the old ones stay valid until they expire. New next
    /// ones are published, and may sign after twice signing.jwks_max_age_seconds. The server does the same by itself when a key
    /// reaches signing.rotate_after.
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya signing-keys rotate
  kagiya signing-keys rotate --algorithm EdDSA"#
    )]
    Rotate(RotateOptions),
}

/// Which signing key.
#[derive(Clone, Debug, clap::Args)]
pub struct RotateOptions {
    /// Only the one of this algorithm: ES256, EdDSA or RS256 [default: all three]
    #[arg(long)]
    pub algorithm: Option<SigningAlgorithm>,
}

/// More than there can be.
const ALL: u32 = 1000;

/// Does what is asked.
///
/// # Errors
/// The server's refusal, or no way to reach one.
pub fn run(command: &Command, globals: &GlobalOptions) -> Result<(), Failure> {
    let list = client::call(globals, First::Refused, async |client| match command {
        Command::List => client.list("/v1/signing-keys", &[], ALL, |_| ()).await,
        Command::Rotate(options) => {
            let algorithm = options.algorithm.map(|algorithm| json!(algorithm));
            let body = client::body([("algorithm", algorithm)]);
            let mut answer = client.post("/v1/signing-keys/rotate", &body).await?;
            Ok(List {
                items: answer["items"]
                    .as_array_mut()
                    .map(std::mem::take)
                    .unwrap_or_default(),
                next_cursor: answer["next_cursor"].take(),
            })
        }
    })?;
    let headings = ["KEY", "ALGORITHM", "STATE", "SINCE", "LEAVES THE SET"];
    print::list(list, globals.json, headings, |item| {
        [
            print::text(&item["kid"]),
            print::text(&item["algorithm"]),
            print::text(&item["state"]),
            print::moment(&item["created_at"]),
            print::moment(&item["remove_at"]),
        ]
    })
}
