//! `kagiya organizations`: who keys belong to.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{self, First};
use super::print::{self, Progress};
use super::{Failure, GlobalOptions};
use crate::domain::organization::Slug;

/// Create and list organizations, to which keys belong
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Creates an organization
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya organizations create "Cart team"
  kagiya organizations create "Cart team" --slug cart --json"#
    )]
    Create(CreateOptions),
    /// Lists organizations, the newest first
    List(ListOptions),
}

/// What the new organization is.
#[derive(Clone, Debug, clap::Args)]
pub struct CreateOptions {
    /// What people call it
    pub name: String,
    /// A short name, which stands for the id on the command line
    #[arg(long)]
    pub slug: Option<Slug>,
}

/// Which organizations.
#[derive(Clone, Debug, clap::Args)]
pub struct ListOptions {
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub limit: u32,
}

/// Does what is asked.
///
/// # Errors
/// The server's refusal, or no way to reach one.
pub fn run(command: &Command, globals: &GlobalOptions) -> Result<(), Failure> {
    match command {
        Command::Create(options) => create(options, globals),
        Command::List(options) => list(options, globals),
    }
}

fn create(options: &CreateOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let body = client::body([
        ("name", Some(json!(options.name))),
        ("slug", options.slug.as_ref().map(|slug| json!(slug))),
    ]);
    let made = client::call(globals, First::Allowed, async |client| {
        client.post("/v1/organizations", &body).await
    })?;
    let member = |name: &str| print::text(&made[name]);
    let rows = [
        ("id", member("id")),
        ("name", member("name")),
        ("slug", member("slug")),
    ];
    print::object(&made, globals.json, &rows)
}

fn list(options: &ListOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let mut progress = Progress::new("organizations");
    let list = client::call(globals, First::Refused, async |client| {
        let seen = |count| progress.at(count);
        client
            .list("/v1/organizations", &[], options.limit, seen)
            .await
    })?;
    drop(progress);
    let headings = ["ID", "SLUG", "NAME", "STATE", "CREATED"];
    print::list(list, globals.json, headings, |item| {
        let is_paused = item["disabled"] == Value::Bool(true);
        [
            print::text(&item["id"]),
            print::text(&item["slug"]),
            print::text(&item["name"]),
            if is_paused { "disabled" } else { "active" }.to_owned(),
            print::moment(&item["created_at"]),
        ]
    })
}
