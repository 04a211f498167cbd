//! `kagiya keys`: the life of API keys, by their ids. A key itself is never an argument.

use std::path::PathBuf;

use clap::Subcommand;
use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::client::{self, First};
use super::id::id;
use super::key_output::{self, KeyFile};
use super::organization_name::OrganizationName;
use super::print::{self, Progress};
use super::{Failure, GlobalOptions};
use crate::domain::id::{ApplicationId, KeyId, UserId};
use crate::domain::lifecycle::KeyStatus;

/// Create, list, rotate and revoke API keys
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Creates a key and prints it, this once
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya keys create --name checkout --organization cart \
    --permission https://payment.example.com/api "read:payment write:payment"
  kagiya keys create --name ci --organization cart --permission https://payment.example.com/api read:payment \
    --expires-at 2027-01-01T00:00:00Z --allowed-cidr 10.0.0.0/8 --output ci.key"#
    )]
    Create(CreateOptions),
    /// Lists keys, the newest first
    List(ListOptions),
    /// Shows one key: its permissions, limits, state and last use
    Show(ShowOptions),
    /// Replaces a key by a new one with the same id and prints it, this once
    ///
    /// The old one stops at once, or after a grace in which both work.
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya keys rotate key_…
  kagiya keys rotate key_… --grace 86400 --output ci.key"#
    )]
    Rotate(RotateOptions),
    /// Stops keys for ever
    ///
    /// Every exchange from now on is refused; the record stays. Tokens that were minted before live until they expire.
    Revoke(RevokeOptions),
}

/// What the new key is.
#[derive(Clone, Debug, clap::Args)]
pub struct CreateOptions {
    /// What people call it
    #[arg(long)]
    pub name: String,
    /// The organization that it belongs to: its id or its slug
    #[arg(long, value_name = "ORGANIZATION", value_parser = id::<OrganizationName>())]
    pub organization: OrganizationName,
    /// Whose it is: a person's id, usr_… [default: nobody's]
    #[arg(long, value_name = "USER", value_parser = id::<UserId>())]
    pub owner: Option<UserId>,
    /// A resource's identifier and the scopes held there, separated by spaces; may be repeated
    #[arg(long = "permission", num_args = 2, value_names = ["RESOURCE", "SCOPES"])]
    pub permissions: Vec<String>,
    /// The resource that a token is for where the caller names none
    #[arg(long, value_name = "RESOURCE")]
    pub default_resource: Option<String>,
    /// When it stops by itself [default: never]
    #[arg(long, value_name = "TIME")]
    pub expires_at: Option<Timestamp>,
    /// A network it may be used from, such as 10.0.0.0/8; may be repeated [default: any]
    #[arg(long = "allowed-cidr", value_name = "CIDR")]
    pub allowed_cidrs: Vec<IpNet>,
    /// How many exchanges it may make in how many seconds [default: any number]
    #[arg(long, num_args = 2, value_names = ["REQUESTS", "SECONDS"])]
    pub rate_limit: Option<Vec<u32>>,
    /// Lets whoever holds the key rotate it
    #[arg(long)]
    pub self_rotate: bool,
    /// The application that may act for it in a token exchange, app_… [default: whoever a rule lets]
    #[arg(long, value_name = "APPLICATION", value_parser = id::<ApplicationId>())]
    pub may_act: Option<ApplicationId>,
    /// Something to remember with it; may be repeated
    #[arg(long = "metadata", num_args = 2, value_names = ["NAME", "VALUE"])]
    pub metadata: Vec<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "its text would become the help's")]
    pub output: OutputOptions,
}

impl CreateOptions {
    /// The permissions as (resource, scopes): clap gives pairs one after the other.
    pub fn permissions(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(&self.permissions)
    }

    /// The metadata as (name, value).
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(&self.metadata)
    }
}

/// Where a key goes that is shown once.
#[derive(Clone, Debug, clap::Args)]
pub struct OutputOptions {
    /// Write the key to this new file (mode 0600), not to standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Which keys.
#[derive(Clone, Debug, clap::Args)]
pub struct ListOptions {
    /// Only those of this organization: its id or its slug
    #[arg(long, value_name = "ORGANIZATION", value_parser = id::<OrganizationName>())]
    pub organization: Option<OrganizationName>,
    /// Only those of this person, usr_…
    #[arg(long, value_name = "USER", value_parser = id::<UserId>())]
    pub owner: Option<UserId>,
    /// Only those in this state: active, disabled, expired, pending or revoked
    #[arg(long)]
    pub status: Option<KeyStatus>,
    /// Only those whose name or id holds this text
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub limit: u32,
}

/// Which key.
#[derive(Clone, Debug, clap::Args)]
pub struct ShowOptions {
    /// The key's id, key_…
    #[arg(value_parser = id::<KeyId>())]
    pub key_id: KeyId,
}

/// Which key, and how long the old one goes on.
#[derive(Clone, Debug, clap::Args)]
pub struct RotateOptions {
    /// The key's id, key_…
    #[arg(value_parser = id::<KeyId>())]
    pub key_id: KeyId,
    /// How long the old key goes on working, at most 30 days
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=2_592_000))]
    pub grace: u32,
    #[command(flatten)]
    #[expect(missing_docs, reason = "its text would become the help's")]
    pub output: OutputOptions,
}

/// Which keys.
#[derive(Clone, Debug, clap::Args)]
pub struct RevokeOptions {
    /// The keys' ids, key_…
    #[arg(required = true, value_parser = id::<KeyId>())]
    pub key_ids: Vec<KeyId>,
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
        Command::Rotate(options) => rotate(options, globals),
        Command::Revoke(options) => revoke(options, globals),
    }
}

fn create(options: &CreateOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let permissions: Vec<Value> = options
        .permissions()
        .map(|(resource, scopes)| {
            let scopes: Vec<&str> = scopes.split_whitespace().collect();
            json!({ "resource": resource, "scopes": scopes })
        })
        .collect();
    let metadata: Map<String, Value> = options
        .metadata()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let rate_limit = options.rate_limit.as_deref().and_then(|limit| match limit {
        [requests, seconds] => Some(json!({ "requests": requests, "per_seconds": seconds })),
        _ => None,
    });
    let cidrs = &options.allowed_cidrs;
    let mut body = client::body([
        ("name", Some(json!(options.name))),
        ("owner", options.owner.map(|owner| json!(owner))),
        ("permissions", Some(json!(permissions))),
        (
            "default_resource",
            options
                .default_resource
                .as_ref()
                .map(|resource| json!(resource)),
        ),
        ("expires_at", options.expires_at.map(|moment| json!(moment))),
        ("allowed_cidrs", (!cidrs.is_empty()).then(|| json!(cidrs))),
        ("rate_limit", rate_limit),
        (
            "self_rotate",
            options.self_rotate.then_some(Value::Bool(true)),
        ),
        (
            "may_act",
            options.may_act.map(|id| json!({ "application_id": id })),
        ),
        ("metadata", (!metadata.is_empty()).then(|| metadata.into())),
    ]);
    let file = options.output.open()?;
    let issued = client::call(globals, First::Refused, async |client| {
        body["organization_id"] = options.organization.id(client).await?.into();
        client.post("/v1/keys", &body).await
    })?;
    key_output::hand_over(issued, file, globals)
}

fn list(options: &ListOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let mut progress = Progress::new("keys");
    let list = client::call(globals, First::Refused, async |client| {
        let mut filters = Vec::new();
        if let Some(organization) = &options.organization {
            filters.push(("organization_id", organization.id(client).await?));
        }
        filters.extend(
            options
                .status
                .map(|status| ("status", status.as_str().to_owned())),
        );
        filters.extend(options.owner.map(|owner| ("owner", owner.to_string())));
        filters.extend(options.search.clone().map(|text| ("q", text)));
        let seen = |count| progress.at(count);
        client.list("/v1/keys", &filters, options.limit, seen).await
    })?;
    drop(progress);
    let headings = [
        "ID",
        "NAME",
        "STATUS",
        "HINT",
        "ORGANIZATION",
        "LAST USED",
        "EXPIRES",
    ];
    print::list(list, globals.json, headings, |key| {
        [
            print::text(&key["id"]),
            print::text(&key["name"]),
            print::text(&key["status"]),
            print::text(&key["hint"]),
            print::text(&key["organization_id"]),
            key_output::moment_or(&key["last_used_at"], "never"),
            key_output::moment_or(&key["expires_at"], "never"),
        ]
    })
}

fn show(options: &ShowOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let path = format!("/v1/keys/{}", options.key_id);
    let key = client::call(globals, First::Refused, async |client| {
        client.get(&path).await
    })?;
    print::object(&key, globals.json, &key_output::rows(&key))
}

fn rotate(options: &RotateOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let file = options.output.open()?;
    let path = format!("/v1/keys/{}/rotate", options.key_id);
    let body = json!({ "grace_seconds": options.grace });
    let issued = client::call(globals, First::Refused, async |client| {
        client.post(&path, &body).await
    })?;
    key_output::hand_over(issued, file, globals)
}

fn revoke(options: &RevokeOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let mut progress = Progress::new("keys revoked");
    client::call(globals, First::Refused, async |client| {
        for (count, key_id) in options.key_ids.iter().enumerate() {
            client
                .delete(&format!("/v1/keys/{key_id}"))
                .await
                .map_err(|failure| {
                    failure.about(&format!("{key_id} ({count} were revoked before it)"))
                })?;
            progress.at(count + 1);
        }
        Ok(())
    })?;
    drop(progress);
    if globals.json {
        return print::json(&json!({ "revoked": options.key_ids }));
    }
    for key_id in &options.key_ids {
        print::line(&format!("revoked {key_id}"))?;
    }
    Ok(())
}

impl OutputOptions {
    fn open(&self) -> Result<Option<KeyFile>, Failure> {
        self.output.as_deref().map(KeyFile::create).transpose()
    }
}

fn pairs(texts: &[String]) -> impl Iterator<Item = (&str, &str)> {
    texts
        .chunks_exact(2)
        .map(|pair| (pair[0].as_str(), pair[1].as_str()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(subcommand)]
        command: Command,
    }

    fn parse(line: &[&str]) -> Result<Command, clap::Error> {
        Alone::try_parse_from(std::iter::once("keys").chain(line.iter().copied()))
            .map(|alone| alone.command)
    }

    #[test]
    fn a_key_pasted_as_an_id_is_not_repeated() {
        let pasted = "kgy_1aabcdefghij";
        for line in [["show", pasted], ["rotate", pasted], ["revoke", pasted]] {
            let error = parse(&line).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(!error.to_string().contains(pasted), "{error}");
            assert!(
                error.to_string().contains("must be key_ followed by"),
                "{error}"
            );
        }
    }

    #[test]
    fn permissions_are_pairs_of_resource_and_scopes() {
        let organization = format!("org_{}", "a".repeat(26));
        let (cart, payment) = (
            "https://cart.example.com/api",
            "https://payment.example.com/api",
        );
        let mut line = vec!["create", "--name", "ci", "--organization", &organization];
        line.extend([
            "--permission",
            cart,
            "read:cart",
            "--permission",
            payment,
            "read:payment write:payment",
        ]);
        let Command::Create(options) = parse(&line).unwrap() else {
            panic!("{line:?}")
        };
        let permissions: Vec<_> = options.permissions().collect();
        assert_eq!(
            permissions,
            [(cart, "read:cart"), (payment, "read:payment write:payment")]
        );
        line.extend(["--permission", cart]);
        assert_eq!(parse(&line).unwrap_err().exit_code(), 2);
    }
}
