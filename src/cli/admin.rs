//! `kagiya admin`: the local operator's own access to the management API, and who else runs the deployment.

use clap::Subcommand;

use serde_json::json;

use super::client::{self, First};
use super::id::id;
use super::{Failure, GlobalOptions, node, operator, print};
use crate::broker::every_scope;
use crate::domain::id::UserId;
use crate::domain::scope::ScopeToken;

/// Access to the management API for whoever holds this machine
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Prints a token for the management API, and nothing else
    ///
    /// It lives for 10 minutes and is recorded in the audit log at its first use. It is signed with what the data folder (or
    /// the database) and the root secret hold, so it works while the server runs and needs no other credential.
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya admin token
  kagiya admin token --scope keys:read --scope audit:read
  curl -H "Authorization: Bearer $(kagiya admin token)" http://127.0.0.1:8787/v1/keys"#
    )]
    Token(TokenOptions),
    /// Prints a link that lets one person into the dashboard as an operator
    ///
    /// It can be used once, within 15 minutes, and only in a browser on the server's own machine unless --anywhere says otherwise.
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya admin sign-in-link
  kagiya admin sign-in-link --anywhere"#
    )]
    SignInLink(LinkOptions),
    /// Makes a person an operator, who is known by having signed in or by `kagiya users create`
    #[command(after_long_help = r#"Examples:
  kagiya admin grant-operator usr_2qk5c7hnv3xw6yjz4m2tq7rdpa"#)]
    GrantOperator(PersonOptions),
    /// Takes that from him
    RevokeOperator(PersonOptions),
}

/// Where the link may be used.
#[derive(Clone, Debug, clap::Args)]
pub struct LinkOptions {
    /// Let it be used from any address, as where the server runs in a container
    #[arg(long)]
    pub anywhere: bool,
}

/// Whom.
#[derive(Clone, Debug, clap::Args)]
pub struct PersonOptions {
    /// The person's id, usr_…
    #[arg(value_parser = id::<UserId>())]
    pub user_id: UserId,
}

/// What the token may do.
#[derive(Clone, Debug, clap::Args)]
pub struct TokenOptions {
    /// A scope that the token carries, such as keys:read; may be repeated [default: all]
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ' ', value_parser = scope)]
    pub scopes: Vec<ScopeToken>,
}

/// One of the scopes that there are: a misspelt one would be missed only later, where it is needed.
fn scope(text: &str) -> Result<ScopeToken, String> {
    let all = every_scope();
    let found = all.iter().find(|scope| scope.as_str() == text);
    found
        .cloned()
        .ok_or_else(|| format!("there is no such scope; there are {all}"))
}

/// Does what is asked.
///
/// # Errors
/// A database or root secret that is not there or does not fit.
pub fn run(command: &Command, globals: &GlobalOptions) -> Result<(), Failure> {
    match command {
        Command::Token(options) => token(options, globals),
        Command::SignInLink(options) => sign_in_link(options, globals),
        Command::GrantOperator(options) => set_operator(options, true, globals),
        Command::RevokeOperator(options) => set_operator(options, false, globals),
    }
}

fn sign_in_link(options: &LinkOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let body = json!({"purpose": "operator", "loopback": !options.anywhere});
    let (made, base) = client::call(globals, First::Allowed, async |client| {
        let made = client.post("/v1/sign-in-links", &body).await?;
        Ok((made, client.loopback_base()))
    })?;
    let url = made["url"].as_str().unwrap_or_default();
    // On the server's own machine it is reached at the address that it listens on, whatever others call it.
    let url = match (options.anywhere, base, url.split_once("/dashboard/")) {
        (false, Some(base), Some((_, path))) => format!("{base}/dashboard/{path}"),
        _ => url.to_owned(),
    };
    if globals.json {
        return print::json(&json!({"url": url, "expires_at": made["expires_at"]}));
    }
    print::line(&url)
}

fn set_operator(
    options: &PersonOptions,
    operator: bool,
    globals: &GlobalOptions,
) -> Result<(), Failure> {
    let path = format!("/v1/users/{}/operator", options.user_id);
    client::call(globals, First::Refused, async |client| {
        client.put(&path, &json!({ "operator": operator })).await
    })?;
    if globals.json {
        return print::json(&json!({"user_id": options.user_id, "operator": operator}));
    }
    let is = if operator { "is" } else { "is no longer" };
    print::line(&format!("{} {is} an operator", options.user_id))
}

fn token(options: &TokenOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let config = globals.config(Vec::new())?;
    let asked = !options.scopes.is_empty();
    let scopes = asked.then(|| options.scopes.iter().cloned().collect());
    let token = node::block_on(operator::token(&config, globals, scopes))?;
    if globals.json {
        print::json(&serde_json::json!({ "access_token": token.expose(), "token_type": "Bearer" }))
    } else {
        print::line(token.expose())
    }
}
