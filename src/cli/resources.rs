//! `kagiya resources`: the APIs that tokens are for, and what one may do there.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{self, First};
use super::id::id;
use super::print::{self, Progress};
use super::{Failure, GlobalOptions};
use crate::domain::algorithm::SigningAlgorithm;
use crate::domain::id::ResourceId;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeToken;

/// Create and list API resources and their permissions
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Creates a resource: an API that tokens are for
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya resources create https://payment.example.com/api --permission read:payment --permission write:payment
  kagiya resources create https://payment.example.com/api --name Payment --token-lifetime 60 --algorithm EdDSA"#
    )]
    Create(CreateOptions),
    /// Lists resources, the newest first
    List(ListOptions),
    /// Adds a permission to a resource
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya resources add-permission res_… refund:payment --description "pay money back""#
    )]
    AddPermission(AddPermissionOptions),
}

/// What the new resource is.
#[derive(Clone, Debug, clap::Args)]
pub struct CreateOptions {
    /// Its identifier, an absolute URI: the `aud` of tokens
    pub identifier: ResourceIdentifier,
    /// What people call it
    #[arg(long)]
    pub name: Option<String>,
    /// How long its tokens live, 30 to 3600 [default: token.lifetime_seconds]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(30..=3600))]
    pub token_lifetime: Option<u32>,
    /// How its tokens are signed: ES256, EdDSA or RS256 [default: signing.default_algorithm]
    #[arg(long)]
    pub algorithm: Option<SigningAlgorithm>,
    /// A permission on it, which is a scope of its tokens; may be repeated
    #[arg(long = "permission", value_name = "SCOPE")]
    pub permissions: Vec<ScopeToken>,
}

/// Which resources.
#[derive(Clone, Debug, clap::Args)]
pub struct ListOptions {
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub limit: u32,
}

/// What is added where.
#[derive(Clone, Debug, clap::Args)]
pub struct AddPermissionOptions {
    /// The resource's id, res_…
    #[arg(value_parser = id::<ResourceId>())]
    pub resource_id: ResourceId,
    /// The permission, which is a scope of the resource's tokens
    pub permission: ScopeToken,
    /// What it allows, for people
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
}

/// Does what is asked.
///
/// # Errors
/// The server's refusal, or no way to reach one.
pub fn run(command: &Command, globals: &GlobalOptions) -> Result<(), Failure> {
    match command {
        Command::Create(options) => create(options, globals),
        Command::List(options) => list(options, globals),
        Command::AddPermission(options) => add_permission(options, globals),
    }
}

fn create(options: &CreateOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let permissions: Vec<Value> = options
        .permissions
        .iter()
        .map(|name| json!({ "name": name }))
        .collect();
    let body = client::body([
        ("identifier", Some(json!(options.identifier))),
        ("name", options.name.as_ref().map(|name| json!(name))),
        (
            "token_lifetime",
            options.token_lifetime.map(|seconds| json!(seconds)),
        ),
        (
            "signing_alg",
            options.algorithm.map(|algorithm| json!(algorithm)),
        ),
        ("permissions", Some(json!(permissions))),
    ]);
    let made = client::call(globals, First::Allowed, async |client| {
        client.post("/v1/resources", &body).await
    })?;
    let member = |name: &str| print::text(&made[name]);
    let rows = [
        ("id", member("id")),
        ("identifier", member("identifier")),
        ("name", member("name")),
        ("permissions", names(&made["permissions"])),
        ("token lifetime", format!("{} s", member("token_lifetime"))),
        ("algorithm", member("signing_alg")),
    ];
    print::object(&made, globals.json, &rows)
}

fn list(options: &ListOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let mut progress = Progress::new("resources");
    let list = client::call(globals, First::Refused, async |client| {
        let seen = |count| progress.at(count);
        client.list("/v1/resources", &[], options.limit, seen).await
    })?;
    drop(progress);
    let headings = ["ID", "IDENTIFIER", "NAME", "TOKENS LIVE", "ALGORITHM"];
    print::list(list, globals.json, headings, |item| {
        [
            print::text(&item["id"]),
            print::text(&item["identifier"]),
            print::text(&item["name"]),
            format!("{} s", print::text(&item["token_lifetime"])),
            print::text(&item["signing_alg"]),
        ]
    })
}

fn add_permission(options: &AddPermissionOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let body = client::body([
        ("name", Some(json!(options.permission))),
        (
            "description",
            options.description.as_ref().map(|text| json!(text)),
        ),
    ]);
    let path = format!("/v1/resources/{}/permissions", options.resource_id);
    let made = client::call(globals, First::Refused, async |client| {
        client.post(&path, &body).await
    })?;
    let rows = [
        ("id", print::text(&made["id"])),
        ("permission", print::text(&made["name"])),
        ("description", print::text(&made["description"])),
    ];
    print::object(&made, globals.json, &rows)
}

fn names(permissions: &Value) -> String {
    let permissions = permissions
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let names: Vec<Value> = permissions
        .iter()
        .map(|permission| permission["name"].clone())
        .collect();
    print::text(&names.into())
}
