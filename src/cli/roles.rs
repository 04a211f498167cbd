//! `kagiya roles`: permissions under one name, for people or for applications.

use clap::Subcommand;
use serde_json::json;

use super::client::{self, First};
use super::id::id;
use super::print::{self, Progress};
use super::{Failure, GlobalOptions, permissions};
use crate::domain::id::RoleId;
use crate::domain::role::RoleKind;

/// Create, list and remove roles
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Creates a role
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya roles create checkout --kind user --permission https://payment.example.com/api "read:payment write:payment"
  kagiya roles create backend --kind machine_to_machine --permission https://payment.example.com/api write:payment"#
    )]
    Create(CreateOptions),
    /// Lists roles, the newest first
    List(ListOptions),
    /// Shows one role and what it bundles
    Show(OneOptions),
    /// Removes a role that nobody holds
    Delete(OneOptions),
}

/// What the new role is.
#[derive(Clone, Debug, clap::Args)]
pub struct CreateOptions {
    /// Its name, of which there is only one
    pub name: String,
    /// Who can hold it: user (members of organizations) or machine_to_machine (applications)
    #[arg(long)]
    pub kind: RoleKind,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// A resource's identifier and the scopes there, separated by spaces; may be repeated
    #[arg(long = "permission", num_args = 2, value_names = ["RESOURCE", "SCOPES"])]
    pub permissions: Vec<String>,
}

/// Which roles.
#[derive(Clone, Debug, clap::Args)]
pub struct ListOptions {
    /// Only those of this kind: user or machine_to_machine
    #[arg(long)]
    pub kind: Option<RoleKind>,
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub limit: u32,
}

/// Which role.
#[derive(Clone, Debug, clap::Args)]
pub struct OneOptions {
    /// The role's id, rol_…
    #[arg(value_parser = id::<RoleId>())]
    pub role_id: RoleId,
}

/// Does what is asked.
///
/// # Errors
/// The server's refusal, or no way to reach one.
pub fn run(command: &Command, globals: &GlobalOptions) -> Result<(), Failure> {
    match command {
        Command::Create(options) => create(options, globals),
        Command::List(options) => list(options, globals),
        Command::Show(options) => show(options, globals),
        Command::Delete(options) => delete(options, globals),
    }
}

fn create(options: &CreateOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let body = client::body([
        ("name", Some(json!(options.name))),
        ("kind", Some(json!(options.kind))),
        (
            "description",
            options.description.as_ref().map(|text| json!(text)),
        ),
        (
            "permissions",
            Some(permissions::as_json(&options.permissions)),
        ),
    ]);
    let made = client::call(globals, First::Allowed, async |client| {
        client.post("/v1/roles", &body).await
    })?;
    print_one(&made, globals)
}

fn list(options: &ListOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let mut progress = Progress::new("roles");
    let kind = options.kind.map(|kind| ("kind", kind.as_str().to_owned()));
    let filters: Vec<_> = kind.into_iter().collect();
    let list = client::call(globals, First::Refused, async |client| {
        let seen = |count| progress.at(count);
        client
            .list("/v1/roles", &filters, options.limit, seen)
            .await
    })?;
    drop(progress);
    print::list(
        list,
        globals.json,
        ["ID", "NAME", "KIND", "PERMISSIONS"],
        |role| {
            [
                print::text(&role["id"]),
                print::text(&role["name"]),
                print::text(&role["kind"]),
                permissions::in_words(&role["permissions"]),
            ]
        },
    )
}

fn show(options: &OneOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let path = format!("/v1/roles/{}", options.role_id);
    let role = client::call(globals, First::Refused, async |client| {
        client.get(&path).await
    })?;
    print_one(&role, globals)
}

fn delete(options: &OneOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let path = format!("/v1/roles/{}", options.role_id);
    client::call(globals, First::Refused, async |client| {
        client.delete(&path).await
    })?;
    if globals.json {
        return print::json(&json!({ "removed": options.role_id }));
    }
    print::line(&format!("removed {}", options.role_id))
}

fn print_one(role: &serde_json::Value, globals: &GlobalOptions) -> Result<(), Failure> {
    let mut rows = Vec::from(
        ["id", "name", "kind", "description"].map(|name| (name, print::text(&role[name]))),
    );
    rows.push(("permissions", permissions::in_words(&role["permissions"])));
    print::object(role, globals.json, &rows)
}
