//! `kagiya applications`: machine-to-machine clients, their roles and their secrets. A secret itself is never an argument.

use std::path::PathBuf;

use clap::Subcommand;
use ipnet::IpNet;
use serde_json::{Value, json};

use super::client::{self, First};
use super::id::id;
use super::key_output::{KeyFile, moment_or};
use super::organization_name::OrganizationName;
use super::print::{self, Progress};
use super::{Failure, GlobalOptions, application_secrets, permissions};
use crate::domain::application::TokenEndpointAuthMethod;
use crate::domain::id::{ApplicationId, ResourceId, RoleId};

/// Create, list and remove machine-to-machine applications
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Creates an application and prints its secret, this once
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya applications create "cart service" --role rol_…
  kagiya applications create gateway --serves res_… --output gateway.secret
  kagiya applications create deployer --auth-method private_key_jwt --jwks deployer-public.json"#
    )]
    Create(CreateOptions),
    /// Lists applications, the newest first
    List(ListOptions),
    /// Shows one application: its roles and what it may do
    Show(OneOptions),
    /// Replaces the roles of an application
    Roles(RolesOptions),
    /// Pauses an application: it gets no token until it goes on
    Pause(OneOptions),
    /// Lets a paused application go on
    Resume(OneOptions),
    /// Removes an application; tokens that it got are not active any more
    Delete(DeleteOptions),
    /// Adds, lists and removes the secrets of an application
    #[command(subcommand)]
    Secrets(application_secrets::Command),
}

/// What the new application is.
#[derive(Clone, Debug, clap::Args)]
pub struct CreateOptions {
    /// What people call it
    pub name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// The organization that it belongs to: its id or its slug [default: the deployment]
    #[arg(long, value_name = "ORGANIZATION", value_parser = id::<OrganizationName>())]
    pub organization: Option<OrganizationName>,
    /// A machine_to_machine role that it holds, rol_…; may be repeated
    #[arg(long = "role", value_name = "ROLE", value_parser = id::<RoleId>())]
    pub roles: Vec<RoleId>,
    /// A resource that it serves, res_…, so that it may ask about tokens for it; may be repeated
    #[arg(long = "serves", value_name = "RESOURCE", value_parser = id::<ResourceId>())]
    pub resources: Vec<ResourceId>,
    /// The identifier of the resource that a token is for where the application names none
    #[arg(long, value_name = "RESOURCE")]
    pub default_resource: Option<String>,
    /// client_secret_basic, client_secret_post or private_key_jwt [default: its secret, by Basic or in the body]
    #[arg(long, value_name = "METHOD")]
    pub auth_method: Option<TokenEndpointAuthMethod>,
    /// A file with its public keys, a JWK set, for private_key_jwt
    #[arg(long, value_name = "FILE")]
    pub jwks: Option<PathBuf>,
    /// A network it may come from, such as 10.0.0.0/8; may be repeated [default: any]
    #[arg(long = "allowed-cidr", value_name = "CIDR")]
    pub allowed_cidrs: Vec<IpNet>,
    /// The application that may act for it, app_… [default: whoever a rule lets]
    #[arg(long, value_name = "APPLICATION", value_parser = id::<ApplicationId>())]
    pub may_act: Option<ApplicationId>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "its text would become the help's")]
    pub output: SecretOutput,
}

/// Where a secret goes that is shown once.
#[derive(Clone, Debug, clap::Args)]
pub struct SecretOutput {
    /// Write the secret to this new file (mode 0600), not to standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Which applications.
#[derive(Clone, Debug, clap::Args)]
pub struct ListOptions {
    /// Only those of this organization: its id or its slug
    #[arg(long, value_name = "ORGANIZATION", value_parser = id::<OrganizationName>())]
    pub organization: Option<OrganizationName>,
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub limit: u32,
}

/// Which application.
#[derive(Clone, Debug, clap::Args)]
pub struct OneOptions {
    /// The application's id, app_…
    #[arg(value_parser = id::<ApplicationId>())]
    pub application_id: ApplicationId,
}

/// Which application, and what it is to hold.
#[derive(Clone, Debug, clap::Args)]
pub struct RolesOptions {
    /// The application's id, app_…
    #[arg(value_parser = id::<ApplicationId>())]
    pub application_id: ApplicationId,
    /// All machine_to_machine roles that it holds from now on, rol_…
    #[arg(value_parser = id::<RoleId>())]
    pub roles: Vec<RoleId>,
}

/// Which application, and what becomes of what refers to it.
#[derive(Clone, Debug, clap::Args)]
pub struct DeleteOptions {
    /// The application's id, app_…
    #[arg(value_parser = id::<ApplicationId>())]
    pub application_id: ApplicationId,
    /// Remove it even where something refers to it, and its rules with it
    #[arg(long)]
    pub cascade: bool,
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
        Command::Roles(options) => set_roles(options, globals),
        Command::Pause(options) => pause(options, true, globals),
        Command::Resume(options) => pause(options, false, globals),
        Command::Delete(options) => delete(options, globals),
        Command::Secrets(command) => application_secrets::run(command, globals),
    }
}

fn create(options: &CreateOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let jwks: Option<Value> = options.jwks.as_deref().map(super::json_file).transpose()?;
    let file = options.output.output.as_deref();
    let file = file.map(KeyFile::create).transpose()?;
    let cidrs = &options.allowed_cidrs;
    let may_act = options.may_act;
    let made = client::call(globals, First::Allowed, async |client| {
        let organization = match &options.organization {
            Some(organization) => Some(json!(organization.id(client).await?)),
            None => None,
        };
        let body = client::body([
            ("name", Some(json!(options.name))),
            (
                "description",
                options.description.as_ref().map(|text| json!(text)),
            ),
            ("organization_id", organization),
            ("roles", Some(json!(options.roles))),
            (
                "resources",
                (!options.resources.is_empty()).then(|| json!(options.resources)),
            ),
            (
                "default_resource",
                options.default_resource.as_ref().map(|text| json!(text)),
            ),
            (
                "token_endpoint_auth_method",
                options.auth_method.map(|method| json!(method)),
            ),
            ("jwks", jwks.clone()),
            ("allowed_cidrs", (!cidrs.is_empty()).then(|| json!(cidrs))),
            ("may_act", may_act.map(|id| json!({ "application_id": id }))),
        ]);
        client.post("/v1/applications", &body).await
    })?;
    hand_over(made, rows, file, globals)
}

fn list(options: &ListOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let mut progress = Progress::new("applications");
    let list = client::call(globals, First::Refused, async |client| {
        let mut filters = Vec::new();
        if let Some(organization) = &options.organization {
            filters.push(("organization_id", organization.id(client).await?));
        }
        let seen = |count| progress.at(count);
        client
            .list("/v1/applications", &filters, options.limit, seen)
            .await
    })?;
    drop(progress);
    let headings = ["ID", "NAME", "ORGANIZATION", "PERMISSIONS", "PAUSED"];
    print::list(list, globals.json, headings, |item| {
        [
            print::text(&item["id"]),
            print::text(&item["name"]),
            print::text(&item["organization_id"]),
            permissions::in_words(&item["permissions"]),
            print::text(&item["disabled"]),
        ]
    })
}

fn show(options: &OneOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let path = format!("/v1/applications/{}", options.application_id);
    let shown = client::call(globals, First::Refused, async |client| {
        client.get(&path).await
    })?;
    print::object(&shown, globals.json, &rows(&shown))
}

fn set_roles(options: &RolesOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let path = format!("/v1/applications/{}/roles", options.application_id);
    let body = json!({ "roles": options.roles });
    let changed = client::call(globals, First::Refused, async |client| {
        client.put(&path, &body).await
    })?;
    print::object(&changed, globals.json, &rows(&changed))
}

fn pause(options: &OneOptions, disabled: bool, globals: &GlobalOptions) -> Result<(), Failure> {
    let path = format!("/v1/applications/{}", options.application_id);
    let body = json!({ "disabled": disabled });
    let changed = client::call(globals, First::Refused, async |client| {
        client.patch(&path, &body).await
    })?;
    print::object(&changed, globals.json, &rows(&changed))
}

fn delete(options: &DeleteOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let cascade = if options.cascade { "?cascade=true" } else { "" };
    let path = format!("/v1/applications/{}{cascade}", options.application_id);
    client::call(globals, First::Refused, async |client| {
        client.delete(&path).await
    })?;
    if globals.json {
        return print::json(&json!({ "removed": options.application_id }));
    }
    print::line(&format!("removed {}", options.application_id))
}

/// Gives a secret to whoever asked for it: into the file, else on standard output, on its own line.
///
/// # Errors
/// When the file or standard output takes nothing.
pub(super) fn hand_over(
    mut issued: Value,
    rows: impl Fn(&Value) -> Vec<(&'static str, String)>,
    file: Option<KeyFile>,
    globals: &GlobalOptions,
) -> Result<(), Failure> {
    let secret = issued["client_secret"].as_str().map(str::to_owned);
    let Some(secret) = secret else {
        return print::object(&issued, globals.json, &rows(&issued));
    };
    if let Some(file) = file {
        let path = file.write(&secret)?;
        if let Some(members) = issued.as_object_mut() {
            members.remove("client_secret");
        }
        print::object(&issued, globals.json, &rows(&issued))?;
        print::advice(&format!(
            "The secret is in {}. It cannot be shown again.",
            path.display()
        ));
        return Ok(());
    }
    print::object(&issued, globals.json, &rows(&issued))?;
    if !globals.json {
        print::line("")?;
        print::line(&secret)?;
        print::advice(
            "\nThis is the client secret. Store it now, where secrets are kept: it cannot be shown again.",
        );
    }
    Ok(())
}

fn rows(application: &Value) -> Vec<(&'static str, String)> {
    let text = |name: &str| print::text(&application[name]);
    let mut rows = vec![
        ("client id", text("client_id")),
        ("name", text("name")),
        ("organization", text("organization_id")),
        ("roles", text("roles")),
        (
            "permissions",
            permissions::in_words(&application["permissions"]),
        ),
        ("serves", text("resources")),
        ("default resource", text("default_resource")),
        ("authenticates by", text("token_endpoint_auth_method")),
        ("paused", text("disabled")),
        ("created", moment_or(&application["created_at"], "-")),
    ];
    let optional = [
        ("networks", text("allowed_cidrs")),
        (
            "may act for it",
            print::text(&application["may_act"]["application_id"]),
        ),
    ];
    rows.extend(optional.into_iter().filter(|(_, text)| text != "-"));
    rows
}
