//! `kagiya applications secrets`: several live at once, so that one can be replaced without a gap.

use clap::Subcommand;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::applications::{SecretOutput, hand_over};
use super::client::{self, First};
use super::id::id;
use super::key_output::{KeyFile, moment_or};
use super::print::{self, Progress};
use super::{Failure, GlobalOptions};
use crate::domain::id::{ApplicationId, ClientSecretId};

/// Add, list and remove the secrets of an application
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Adds a secret and prints it, this once; the others go on
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya applications secrets add app_… --output cart.secret
  kagiya applications secrets add app_… --expires-at 2027-06-01T00:00:00Z"#
    )]
    Add(AddOptions),
    /// Lists the secrets of an application, the newest first; not the secrets themselves
    List(ListOptions),
    /// Removes a secret: it lets nobody in from now on
    Remove(RemoveOptions),
}

/// What the new secret is.
#[derive(Clone, Debug, clap::Args)]
pub struct AddOptions {
    /// The application's id, app_…
    #[arg(value_parser = id::<ApplicationId>())]
    pub application_id: ApplicationId,
    /// When it stops by itself [default: never]
    #[arg(long, value_name = "TIME")]
    pub expires_at: Option<Timestamp>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "its text would become the help's")]
    pub output: SecretOutput,
}

/// Whose secrets.
#[derive(Clone, Debug, clap::Args)]
pub struct ListOptions {
    /// The application's id, app_…
    #[arg(value_parser = id::<ApplicationId>())]
    pub application_id: ApplicationId,
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub limit: u32,
}

/// Which secret.
#[derive(Clone, Debug, clap::Args)]
pub struct RemoveOptions {
    /// The application's id, app_…
    #[arg(value_parser = id::<ApplicationId>())]
    pub application_id: ApplicationId,
    /// The secret's id, sec_…
    #[arg(value_parser = id::<ClientSecretId>())]
    pub secret_id: ClientSecretId,
}

/// Does what is asked.
///
/// # Errors
/// The server's refusal, or no way to reach one.
pub(super) fn run(command: &Command, globals: &GlobalOptions) -> Result<(), Failure> {
    match command {
        Command::Add(options) => add(options, globals),
        Command::List(options) => list(options, globals),
        Command::Remove(options) => remove(options, globals),
    }
}

fn path(application: &ApplicationId) -> String {
    format!("/v1/applications/{application}/secrets")
}

fn add(options: &AddOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let file = options.output.output.as_deref();
    let file = file.map(KeyFile::create).transpose()?;
    let path = path(&options.application_id);
    let body = client::body([("expires_at", options.expires_at.map(|end| json!(end)))]);
    let issued = client::call(globals, First::Refused, async |client| {
        client.post(&path, &body).await
    })?;
    // Without the hint: it is a piece of the secret that may stand below.
    let rows = |secret: &Value| {
        vec![
            ("id", print::text(&secret["id"])),
            ("expires", moment_or(&secret["expires_at"], "never")),
        ]
    };
    hand_over(issued, rows, file, globals)
}

fn list(options: &ListOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let mut progress = Progress::new("secrets");
    let path = path(&options.application_id);
    let list = client::call(globals, First::Refused, async |client| {
        let seen = |count| progress.at(count);
        client.list(&path, &[], options.limit, seen).await
    })?;
    drop(progress);
    print::list(
        list,
        globals.json,
        ["ID", "HINT", "CREATED", "EXPIRES"],
        |item| {
            [
                print::text(&item["id"]),
                print::text(&item["hint"]),
                moment_or(&item["created_at"], "-"),
                moment_or(&item["expires_at"], "never"),
            ]
        },
    )
}

fn remove(options: &RemoveOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let path = format!("{}/{}", path(&options.application_id), options.secret_id);
    client::call(globals, First::Refused, async |client| {
        client.delete(&path).await
    })?;
    if globals.json {
        return print::json(&json!({ "removed": options.secret_id }));
    }
    print::line(&format!("removed {}", options.secret_id))
}
