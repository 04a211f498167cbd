//! `kagiya exchange-rules`: which application may trade tokens for one resource for tokens for another.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{self, First};
use super::id::id;
use super::print::{self, Progress};
use super::{Failure, GlobalOptions};
use crate::domain::id::{ApplicationId, ExchangeRuleId};

/// Create, list and remove exchange rules
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Lets an application trade tokens
    #[command(
        verbatim_doc_comment,
        after_long_help = r#"Examples:
  kagiya exchange-rules create --application app_2qk5c7hnv3xw6yjz4m2tq7rdpa \
    --from https://gateway.example.com --requires "call:payment" \
    --to https://payment.example.com/api --scopes "write:payment""#
    )]
    Create(CreateOptions),
    /// Lists rules, the newest first
    List(ListOptions),
    /// Shows one rule
    Show(OneOptions),
    /// Removes a rule; tokens that were made by it are not good any more
    Delete(OneOptions),
}

/// What the new rule says.
#[derive(Clone, Debug, clap::Args)]
pub struct CreateOptions {
    /// The application that may trade, app_…
    #[arg(long, value_name = "ID", value_parser = id::<ApplicationId>())]
    pub application: ApplicationId,
    /// The resource whose tokens it trades
    #[arg(long, value_name = "RESOURCE")]
    pub from: String,
    /// Scopes that such a token must have, separated by spaces
    #[arg(long, value_name = "SCOPES", default_value = "")]
    pub requires: String,
    /// The resource for which it gets tokens
    #[arg(long, value_name = "RESOURCE")]
    pub to: String,
    /// Scopes that they may have, separated by spaces
    #[arg(long, value_name = "SCOPES")]
    pub scopes: String,
    /// They need not name the application as the one who acts
    #[arg(long)]
    pub impersonation: bool,
    /// They never name who acts; goes with --impersonation
    #[arg(long, requires = "impersonation")]
    pub no_delegation: bool,
    /// The subject need not hold what is given
    #[arg(long)]
    pub subject_need_not_hold: bool,
}

/// Which rules.
#[derive(Clone, Debug, clap::Args)]
pub struct ListOptions {
    /// Only those of this application, app_…
    #[arg(long, value_name = "ID", value_parser = id::<ApplicationId>())]
    pub application: Option<ApplicationId>,
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub limit: u32,
}

/// Which rule.
#[derive(Clone, Debug, clap::Args)]
pub struct OneOptions {
    /// The rule's id, rul_…
    #[arg(value_parser = id::<ExchangeRuleId>())]
    pub rule_id: ExchangeRuleId,
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
    let body = json!({
        "application_id": options.application, "subject_resource": options.from,
        "requires_scope": split(&options.requires), "target_resource": options.to, "scopes": split(&options.scopes),
        "delegation": !options.no_delegation, "impersonation": options.impersonation,
        "subject_must_hold": !options.subject_need_not_hold,
    });
    let made = client::call(globals, First::Refused, async |client| {
        client.post("/v1/exchange-rules", &body).await
    })?;
    print_one(&made, globals)
}

fn list(options: &ListOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let mut progress = Progress::new("exchange rules");
    let of = options
        .application
        .map(|id| ("application_id", id.to_string()));
    let filters: Vec<_> = of.into_iter().collect();
    let list = client::call(globals, First::Refused, async |client| {
        let seen = |count| progress.at(count);
        client
            .list("/v1/exchange-rules", &filters, options.limit, seen)
            .await
    })?;
    drop(progress);
    print::list(
        list,
        globals.json,
        ["ID", "APPLICATION", "FROM", "TO", "SCOPES"],
        |rule| {
            [
                print::text(&rule["id"]),
                print::text(&rule["application_id"]),
                print::text(&rule["subject_resource"]),
                print::text(&rule["target_resource"]),
                words(&rule["scopes"]),
            ]
        },
    )
}

fn show(options: &OneOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let path = format!("/v1/exchange-rules/{}", options.rule_id);
    let rule = client::call(globals, First::Refused, async |client| {
        client.get(&path).await
    })?;
    print_one(&rule, globals)
}

fn delete(options: &OneOptions, globals: &GlobalOptions) -> Result<(), Failure> {
    let path = format!("/v1/exchange-rules/{}", options.rule_id);
    client::call(globals, First::Refused, async |client| {
        client.delete(&path).await
    })?;
    if globals.json {
        return print::json(&json!({ "removed": options.rule_id }));
    }
    print::line(&format!("removed {}", options.rule_id))
}

fn print_one(rule: &Value, globals: &GlobalOptions) -> Result<(), Failure> {
    let of = |name| (name, print::text(&rule[name]));
    let rows = [
        of("id"),
        of("application_id"),
        of("subject_resource"),
        ("requires_scope", words(&rule["requires_scope"])),
        of("target_resource"),
        ("scopes", words(&rule["scopes"])),
        of("delegation"),
        of("impersonation"),
        of("subject_must_hold"),
    ];
    print::object(rule, globals.json, &rows)
}

fn split(scopes: &str) -> Vec<&str> {
    scopes.split_whitespace().collect()
}

fn words(list: &Value) -> String {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
    items.join(" ")
}
