//! `kagiya users`: the people who are known here.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{self, First};
use super::id::id;
use super::print::{self, Progress};
use super::{Failure, GlobalOptions};
use crate::domain::id::UserId;

/// Make people known, list and forget them
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Makes a person known by his issuer and his name there
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya users create https://sso.example.com ann --name "Ann""#
    )]
    Create(CreateOptions),
    /// Lists people, the newest first
    List(ListOptions),
    /// Forgets a person who is no member anywhere and owns no living key
    Delete(DeleteOptions),
}

/// Who he is.
#[derive(Clone, Debug, clap::Args)]
pub struct CreateOptions {
    /// The issuer that names him: the `iss` of his tokens
    pub iss: String,
    /// His name there: the `sub` of his tokens
    pub sub: String,
    /// What people call him
    #[arg(long)]
    pub name: Option<String>,
}

/// Which people.
#[derive(Clone, Debug, clap::Args)]
pub struct ListOptions {
    /// Only whom this issuer names
    #[arg(long, value_name = "ISSUER")]
    pub iss: Option<String>,
    /// Only whom an issuer names so
    #[arg(long, value_name = "NAME")]
    pub sub: Option<String>,
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub limit: u32,
}

/// Whom.
#[derive(Clone, Debug, clap::Args)]
pub struct DeleteOptions {
    /// The person's id, usr_…
    #[arg(value_parser = id::<UserId>())]
    pub user_id: UserId,
}

/// Does what is asked.
///
/// # Errors
/// The server's refusal, or no way to reach one.
pub fn run(command: &Command, globals: &GlobalOptions) -> Result<(), Failure> {
    match command {
        Command::Create(options) => create(options, globals),
        Command::List(options) => list(options, globals),
        Command::Delete(options) => delete(options, globals),
    }
}

fn create(options: &CreateOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let body = client::body([
        ("iss", Some(json!(options.iss))),
        ("sub", Some(json!(options.sub))),
        ("name", options.name.as_ref().map(|name| json!(name))),
    ]);
    let made = client::call(globals, First::Allowed, async |client| {
        client.post("/v1/users", &body).await
    })?;
    let member = |name: &str| print::text(&made[name]);
    let rows = ["id", "iss", "sub", "name"].map(|name| (name, member(name)));
    print::object(&made, globals.json, &rows)
}

fn list(options: &ListOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let mut progress = Progress::new("people");
    let filters: Vec<(&str, String)> = [("iss", &options.iss), ("sub", &options.sub)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect();
    let list = client::call(globals, First::Refused, async |client| {
        let seen = |count| progress.at(count);
        client
            .list("/v1/users", &filters, options.limit, seen)
            .await
    })?;
    drop(progress);
    print::list(
        list,
        globals.json,
        ["ID", "NAME", "SUBJECT", "ISSUER"],
        |user: &Value| ["id", "name", "sub", "iss"].map(|name| print::text(&user[name])),
    )
}

fn delete(options: &DeleteOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let path = format!("/v1/users/{}", options.user_id);
    client::call(globals, First::Refused, async |client| {
        client.delete(&path).await
    })?;
    if globals.json {
        return print::json(&json!({ "removed": options.user_id }));
    }
    print::line(&format!("removed {}", options.user_id))
}
