//! `kagiya organizations`: who keys belong to.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{self, First};
use super::id::id;
use super::organization_name::OrganizationName;
use super::print::{self, Progress};
use super::{Failure, GlobalOptions, members, permissions};
use crate::domain::organization::{OwnerGone, Slug};

/// Create, list and bound organizations, to which keys belong
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
    /// Pauses all keys of an organization, from now on
    Disable(OneOptions),
    /// Lets the keys of an organization work again
    Enable(OneOptions),
    /// Says what an organization may use at all, in place of what was said before
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya organizations permit cart --permission https://payment.example.com/api "read:payment write:payment"
  kagiya organizations permit cart --everything"#
    )]
    Permit(PermitOptions),
    #[command(subcommand)]
    #[expect(missing_docs, reason = "its text would become the help's")]
    Members(members::Command),
}

/// Which organization.
#[derive(Clone, Debug, clap::Args)]
pub struct OneOptions {
    /// The organization: its id or its slug
    #[arg(value_parser = id::<OrganizationName>())]
    pub organization: OrganizationName,
}

/// What it may use.
#[derive(Clone, Debug, clap::Args)]
pub struct PermitOptions {
    /// The organization: its id or its slug
    #[arg(value_parser = id::<OrganizationName>())]
    pub organization: OrganizationName,
    /// A resource's identifier and the scopes there, separated by spaces; may be repeated; without any it may use nothing
    #[arg(long = "permission", num_args = 2, value_names = ["RESOURCE", "SCOPES"])]
    pub permissions: Vec<String>,
    /// Everything, what is added later included
    #[arg(long, conflicts_with = "permissions")]
    pub everything: bool,
}

/// What the new organization is.
#[derive(Clone, Debug, clap::Args)]
pub struct CreateOptions {
    /// What people call it
    pub name: String,
    /// A short name, which stands for the id on the command line
    #[arg(long)]
    pub slug: Option<Slug>,
    /// How many keys it may have that are not revoked [default: any number]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub max_keys: Option<u32>,
    /// What becomes of the keys of a member who leaves: pause, hand_over or keep [default: pause]
    #[arg(long, value_name = "WHAT")]
    pub owner_gone: Option<OwnerGone>,
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
        Command::Disable(options) => pause(options, true, globals),
        Command::Enable(options) => pause(options, false, globals),
        Command::Permit(options) => permit(options, globals),
        Command::Members(command) => members::run(command, globals),
    }
}

fn pause(options: &OneOptions, disabled: bool, globals: &GlobalOptions) -> Result<(), Failure> {
    let body = json!({ "disabled": disabled });
    let changed = client::call(globals, First::Refused, async |client| {
        let id = options.organization.id(client).await?;
        client
            .patch(&format!("/v1/organizations/{id}"), &body)
            .await
    })?;
    print_one(&changed, globals)
}

fn permit(options: &PermitOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let wanted = if options.everything {
        Value::Null
    } else {
        permissions::as_json(&options.permissions)
    };
    let body = json!({ "permissions": wanted });
    let changed = client::call(globals, First::Refused, async |client| {
        let id = options.organization.id(client).await?;
        let path = format!("/v1/organizations/{id}/permissions");
        client.put(&path, &body).await
    })?;
    print_one(&changed, globals)
}

fn print_one(organization: &Value, globals: &GlobalOptions) -> Result<(), Failure> {
    let member = |name: &str| print::text(&organization[name]);
    let may_use = match &organization["permissions"] {
        Value::Null => "everything".to_owned(),
        list => permissions::in_words(list),
    };
    let rows = [
        ("id", member("id")),
        ("name", member("name")),
        ("slug", member("slug")),
        ("disabled", member("disabled")),
        ("may use", may_use),
        ("max keys", member("max_keys")),
        ("owner gone", member("owner_gone")),
    ];
    print::object(organization, globals.json, &rows)
}

fn create(options: &CreateOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let body = client::body([
        ("name", Some(json!(options.name))),
        ("slug", options.slug.as_ref().map(|slug| json!(slug))),
        ("max_keys", options.max_keys.map(|most| json!(most))),
        ("owner_gone", options.owner_gone.map(|what| json!(what))),
    ]);
    let made = client::call(globals, First::Allowed, async |client| {
        client.post("/v1/organizations", &body).await
    })?;
    print_one(&made, globals)
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
