//! `kagiya signing-keys`: the keys that sign tokens.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{self, First, List};
use super::{Failure, GlobalOptions, print};
use crate::domain::algorithm::SigningAlgorithm;

/// List, rotate and withdraw the keys that sign tokens
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Lists the signing keys and their states: next, active, retired or withdrawn
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
    /// Takes a signing key out of the set at once, for ever
    ///
    /// For a key that others may have. What it signed is refused here from now on, and by a service when it reads the set again. If it
    /// was active, the next one signs from now on.
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya signing-keys withdraw NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"#
    )]
    Withdraw(WithdrawOptions),
}

/// Which signing key is to go.
#[derive(Clone, Debug, clap::Args)]
pub struct WithdrawOptions {
    /// The key's id, as the list shows it
    #[arg(value_name = "KEY", value_parser = kid, allow_hyphen_values = true)]
    pub kid: String,
}

/// Which signing key.
#[derive(Clone, Debug, clap::Args)]
pub struct RotateOptions {
    /// Only the one of this algorithm: ES256, EdDSA or RS256 [default: all three]
    #[arg(long)]
    pub algorithm: Option<SigningAlgorithm>,
}

/// Letters, digits, `-` and `_`: what a path can hold as it is.
fn kid(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("is no id of a signing key".to_owned())
    }
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
        Command::Withdraw(options) => {
            let path = format!("/v1/signing-keys/{}/withdraw", options.kid);
            let withdrawn = client.post(&path, &json!({})).await?;
            Ok(List {
                items: vec![withdrawn],
                next_cursor: Value::Null,
            })
        }
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
