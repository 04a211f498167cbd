//! `kagiya secrets`: kagiya's own secrets, listed, replaced and dropped.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::client::{self, First, List};
use super::{Failure, GlobalOptions, print};
use crate::domain::purpose::SecretPurpose;

/// List, replace and drop kagiya's own secrets
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Lists the secrets, their states, and how many keys need each
    List,
    /// Lists the keys that still need a secret
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya secrets keys tag 0
  kagiya secrets keys digest 2 --json"#
    )]
    Keys(KeysOptions),
    /// Makes a new secret that takes the place of the current one
    ///
    /// New keys are made with it from now on; with PostgreSQL a few seconds later (secrets.announce_seconds), so that every server
    /// learns it first. Keys made before go on working.
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya secrets rotate digest
  kagiya secrets rotate tag --leaked"#
    )]
    Rotate(RotateOptions),
    /// Drops the secrets of a purpose that are used no more and that no key needs
    #[command(
        after_long_help = "Examples:\n  kagiya secrets retire tag\n  kagiya secrets retire tag --generation 0"
    )]
    Retire(RetireOptions),
    /// Replaces the root secret; no key, token or caller notices
    ///
    /// Where this kagiya made it, in its data folder, one call does all. The old one stays beside it as root-secret.previous: backups
    /// made until now open with that one alone. Where you give it (PostgreSQL, KAGIYA_ROOT_SECRET, KAGIYA_ROOT_SECRET_FILE), it takes
    /// three steps: the first example, a start of every server with the new one, the second example.
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya secrets rotate-root --new-root-secret-file /run/secrets/kagiya-root-secret.new
  kagiya secrets rotate-root --finish"#
    )]
    RotateRoot(RootOptions),
}

/// Which keys.
#[derive(Clone, Debug, clap::Args)]
pub struct KeysOptions {
    /// tag, digest or provider
    pub purpose: SecretPurpose,
    /// The secret's number
    pub generation: u16,
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    pub limit: u32,
}

/// Which secret, and why.
#[derive(Clone, Debug, clap::Args)]
pub struct RotateOptions {
    /// tag, digest, provider, sealing, cookies or audit
    pub purpose: SecretPurpose,
    /// The old one is known to others: mark it so, and use the new one at once
    #[arg(long)]
    pub leaked: bool,
    /// Which one leaked, where that is not the current one: an older one is only marked
    #[arg(long, value_name = "NUMBER", requires = "leaked")]
    pub generation: Option<u16>,
}

/// Which secrets.
#[derive(Clone, Debug, clap::Args)]
pub struct RetireOptions {
    /// tag, digest, provider, sealing, cookies or audit
    pub purpose: SecretPurpose,
    /// Only this one [default: all that are used no more]
    #[arg(long, value_name = "NUMBER")]
    pub generation: Option<u16>,
}

/// Which step, where the root secret is given.
#[derive(Clone, Debug, clap::Args)]
#[group(multiple = false)]
pub struct RootOptions {
    /// Let the database open with the one in this file too; - reads standard input
    #[arg(long, value_name = "FILE")]
    pub new_root_secret_file: Option<PathBuf>,
    /// Let the old one open nothing any more
    #[arg(long)]
    pub finish: bool,
    /// Let the new one open nothing; before any server runs with it
    #[arg(long)]
    pub cancel: bool,
}

/// The longest root secret that is read.
const MOST_BYTES: u64 = 32 * 1024;
/// More than there can be.
const ALL: u32 = 10_000;

/// Does what is asked.
///
/// # Errors
/// The server's refusal, or no way to reach one.
pub fn run(command: &Command, globals: &GlobalOptions) -> Result<(), Failure> {
    match command {
        Command::Keys(options) => keys(options, globals),
        Command::RotateRoot(options) => rotate_root(options, globals),
        Command::List => show(globals, async |client| {
            client.list("/v1/secrets", &[], ALL, |_| ()).await
        }),
        Command::Rotate(options) => show(globals, async |client| {
            let leaked = options.leaked.then_some(json!(true));
            let generation = options.generation.map(|number| json!(number));
            let body = client::body([("leaked", leaked), ("generation", generation)]);
            let path = format!("/v1/secrets/{}/rotate", options.purpose);
            Ok(all_of(client.post(&path, &body).await?))
        }),
        Command::Retire(options) => show(globals, async |client| {
            let generation = options.generation.map(|number| json!(number));
            let body = client::body([("generation", generation)]);
            let path = format!("/v1/secrets/{}/retire", options.purpose);
            Ok(all_of(client.post(&path, &body).await?))
        }),
    }
}

fn show(
    globals: &GlobalOptions,
    ask: impl AsyncFnOnce(&client::Client) -> Result<List, Failure>,
) -> Result<(), Failure> {
    let list = client::call(globals, First::Refused, ask)?;
    let headings = [
        "PURPOSE",
        "NUMBER",
        "STATE",
        "SINCE",
        "USED FROM",
        "NEEDED BY",
    ];
    print::list(list, globals.json, headings, |item| {
        [
            print::text(&item["purpose"]),
            print::text(&item["generation"]),
            print::text(&item["state"]),
            print::moment(&item["changed_at"]),
            print::moment(&item["usable_from"]),
            print::text(&item["needed_by"]),
        ]
    })
}

fn keys(options: &KeysOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let path = format!(
        "/v1/secrets/{}/{}/keys",
        options.purpose, options.generation
    );
    let list = client::call(globals, First::Refused, async |client| {
        client.list(&path, &[], options.limit, |_| ()).await
    })?;
    let headings = ["KEY", "NAME", "ORGANIZATION", "CREATED"];
    print::list(list, globals.json, headings, |item| {
        [
            print::text(&item["id"]),
            print::text(&item["name"]),
            print::text(&item["organization_id"]),
            print::moment(&item["created_at"]),
        ]
    })
}

fn rotate_root(options: &RootOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let new = options
        .new_root_secret_file
        .as_deref()
        .map(read)
        .transpose()?;
    let step = match (options.finish, options.cancel) {
        (true, _) => Some(json!("finish")),
        (_, true) => Some(json!("cancel")),
        _ => None,
    };
    let answer = client::call(globals, First::Refused, async |client| {
        let new = new.as_deref().map(|text| json!(text));
        let body = client::body([("new_root_secret", new), ("step", step)]);
        client.post("/v1/secrets/root/rotate", &body).await
    })?;
    if globals.json {
        return print::json(&answer);
    }
    print::line(told(&answer, options))
}

fn told(answer: &Value, options: &RootOptions) -> &'static str {
    if answer["state"] == "begun" {
        "The database opens with the old root secret and with the new one. Give the new one to every server in place of the old one,\n\
         start each of them again, then: kagiya secrets rotate-root --finish"
    } else if options.cancel {
        "The root secret stays as it was."
    } else if options.finish {
        "The old root secret opens nothing any more, except backups made before: keep it with those."
    } else {
        "The root secret was replaced. Copy the new one to its safe place; the old one is kept as root-secret.previous for the backups\n\
         made until now."
    }
}

/// A secret's file, without the one line end that editors and `echo` leave, as KAGIYA_ROOT_SECRET_FILE is read.
fn read(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let unreadable = |error: io::Error| Failure::Refused {
        code: "secret_file".to_owned(),
        detail: format!("{} cannot be read: {error}", file.display()),
    };
    // The full capacity at once: a growing buffer would leave copies behind that nobody wipes.
    let mut text = Zeroizing::new(String::with_capacity(MOST_BYTES as usize + 1));
    if file == Path::new("-") {
        io::stdin().take(MOST_BYTES).read_to_string(&mut text)
    } else {
        File::open(file).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text))
    }
    .map_err(unreadable)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

fn all_of(mut answer: Value) -> List {
    List {
        items: answer["items"]
            .as_array_mut()
            .map(std::mem::take)
            .unwrap_or_default(),
        next_cursor: answer["next_cursor"].take(),
    }
}
