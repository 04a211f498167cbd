//! `kagiya organizations members`: who is in an organization, and as what.

use clap::Subcommand;
use serde_json::json;

use super::client::{self, First};
use super::id::id;
use super::organization_name::OrganizationName;
use super::print::{self, Progress};
use super::{Failure, GlobalOptions};
use crate::domain::id::{RoleId, UserId};
use crate::domain::user::MemberRole;

/// List, add, change and remove the members of an organization
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Lists members, the newest first
    List(ListOptions),
    /// Makes a person a member, or changes what he is
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya organizations members put cart usr_… --role-id rol_…
  kagiya organizations members put cart usr_… --as admin"#
    )]
    Put(PutOptions),
    /// Takes a person out; his keys there follow the organization's owner_gone
    Remove(RemoveOptions),
}

/// Which members.
#[derive(Clone, Debug, clap::Args)]
pub struct ListOptions {
    /// The organization: its id or its slug
    #[arg(value_parser = id::<OrganizationName>())]
    pub organization: OrganizationName,
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub limit: u32,
}

/// Who, where and as what.
#[derive(Clone, Debug, clap::Args)]
pub struct PutOptions {
    /// The organization: its id or its slug
    #[arg(value_parser = id::<OrganizationName>())]
    pub organization: OrganizationName,
    /// The person's id, usr_…
    #[arg(value_parser = id::<UserId>())]
    pub user_id: UserId,
    /// As what: member or admin
    #[arg(long = "as", value_name = "WHAT", default_value = "member")]
    pub role: MemberRole,
    /// A user role that he is to hold there, rol_…; may be repeated, and what is not named he holds no more
    #[arg(long = "role-id", value_name = "ROLE", value_parser = id::<RoleId>())]
    pub roles: Vec<RoleId>,
}

/// Who, and where.
#[derive(Clone, Debug, clap::Args)]
pub struct RemoveOptions {
    /// The organization: its id or its slug
    #[arg(value_parser = id::<OrganizationName>())]
    pub organization: OrganizationName,
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
        Command::List(options) => list(options, globals),
        Command::Put(options) => put(options, globals),
        Command::Remove(options) => remove(options, globals),
    }
}

fn list(options: &ListOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let mut progress = Progress::new("members");
    let list = client::call(globals, First::Refused, async |client| {
        let organization = options.organization.id(client).await?;
        let path = format!("/v1/organizations/{organization}/members");
        let seen = |count| progress.at(count);
        client.list(&path, &[], options.limit, seen).await
    })?;
    drop(progress);
    let headings = ["ID", "NAME", "SUBJECT", "ROLE", "ROLES"];
    print::list(list, globals.json, headings, |member| {
        [
            print::text(&member["user"]["id"]),
            print::text(&member["user"]["name"]),
            print::text(&member["user"]["sub"]),
            print::text(&member["role"]),
            print::text(&member["roles"]),
        ]
    })
}

fn put(options: &PutOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let body = json!({"role": options.role, "roles": options.roles});
    let member = client::call(globals, First::Refused, async |client| {
        let organization = options.organization.id(client).await?;
        let path = format!(
            "/v1/organizations/{organization}/members/{}",
            options.user_id
        );
        client.put(&path, &body).await
    })?;
    let rows = [
        ("organization", print::text(&member["organization_id"])),
        ("id", print::text(&member["user"]["id"])),
        ("role", print::text(&member["role"])),
        ("roles", print::text(&member["roles"])),
    ];
    print::object(&member, globals.json, &rows)
}

fn remove(options: &RemoveOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    client::call(globals, First::Refused, async |client| {
        let organization = options.organization.id(client).await?;
        let path = format!(
            "/v1/organizations/{organization}/members/{}",
            options.user_id
        );
        client.delete(&path).await
    })?;
    if globals.json {
        return print::json(&json!({ "removed": options.user_id }));
    }
    print::line(&format!("removed {}", options.user_id))
}
