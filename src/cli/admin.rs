//! `kagiya admin`: the local operator's own access to the management API.

use clap::Subcommand;

use super::{Failure, GlobalOptions, node, operator, print};
use crate::broker::every_scope;
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
    let Command::Token(options) = command;
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
