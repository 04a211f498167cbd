//! `kagiya idp`: identity providers prepared, checked, compared with our record.

mod check;
mod credentials;
mod reconcile;
mod resources;
mod set_up;

use clap::Subcommand;

use self::check::{check, pending};
use self::reconcile::reconcile;
use self::resources::import;
use self::set_up::set_up;
use super::{Failure, GlobalOptions};
use crate::domain::provider_name::ProviderName;

/// Prepare and check identity providers, and compare them with the record
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Makes at a provider all that it takes: realm or connection, clients, APIs, roles, scopes
    ///
    /// Run again, it changes nothing. It takes an administrator's credentials from KAGIYA_IDP_ADMIN_USERNAME and
    /// KAGIYA_IDP_ADMIN_PASSWORD, or KAGIYA_IDP_ADMIN_CLIENT_ID and KAGIYA_IDP_ADMIN_CLIENT_SECRET, or KAGIYA_IDP_ADMIN_TOKEN; without
    /// any, the same from standard input: lines such as username=admin. They are not kept.
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  KAGIYA_IDP_ADMIN_USERNAME=admin KAGIYA_IDP_ADMIN_PASSWORD=… kagiya idp setup corp
  kagiya idp setup corp < /run/secrets/keycloak-admin"#
    )]
    Setup(OneOptions),
    /// Looks for each thing that a provider must have, and says what to do about what is missing
    Check(OneOptions),
    /// Compares the record with a provider: users that nobody needs, keys without a user, rights that differ
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya idp reconcile corp --dry-run
  kagiya idp reconcile corp --delete-orphans"#
    )]
    Reconcile(ReconcileOptions),
    /// Lists what was tried at providers in vain and is still to be done
    Pending(PendingOptions),
    /// Makes here the resources and permissions that exist at a provider
    ImportResources(ImportOptions),
}

/// Which provider.
#[derive(Clone, Debug, clap::Args)]
pub struct OneOptions {
    /// Its name in the configuration
    pub name: ProviderName,
}

/// Which provider, and how far to go.
#[derive(Clone, Debug, clap::Args)]
pub struct ReconcileOptions {
    /// Its name in the configuration [default: all of them]
    pub name: Option<ProviderName>,
    /// Change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Remove users that nobody needs, if they are at most 20 and at most 5 % of all
    #[arg(long, conflicts_with = "dry_run")]
    pub delete_orphans: bool,
}

/// Whether to try again.
#[derive(Clone, Debug, clap::Args)]
pub struct PendingOptions {
    /// Try all of it again at once
    #[arg(long)]
    pub retry: bool,
}

/// Which provider, and how far to go.
#[derive(Clone, Debug, clap::Args)]
pub struct ImportOptions {
    /// Its name in the configuration
    pub name: ProviderName,
    /// Change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Does what is asked.
///
/// # Errors
/// The server's or the provider's refusal, or no way to reach one.
pub fn run(command: &Command, globals: &GlobalOptions) -> Result<(), Failure> {
    match command {
        Command::Setup(options) => set_up(&options.name, globals),
        Command::Check(options) => check(&options.name, globals),
        Command::Reconcile(options) => reconcile(options, globals),
        Command::Pending(options) => pending(options, globals),
        Command::ImportResources(options) => import(options, globals),
    }
}

fn path(name: &ProviderName, below: &str) -> String {
    format!("/v1/identity-providers/{name}{below}")
}
