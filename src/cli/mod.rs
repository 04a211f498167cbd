//! The command line: what can be asked, and which file answers it.
//!
//! Standard output holds answers, standard error everything else; exit codes are 0 done, 1 refused or failed, 2 wrong usage.
//! No secret is ever an argument: the shell's history and the list of processes would show it.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use self::json_file::json_file;
use crate::config::{Config, Environment, Sources};

pub mod admin;
pub mod application_secrets;
pub mod applications;
pub mod audit;
pub mod backup;
mod client;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod exchange_rules;
mod failure;
mod id;
pub mod idp;
mod json_file;
pub mod key;
mod key_output;
pub mod keys;
pub mod members;
pub mod migrate;
mod node;
mod operator;
mod organization_name;
pub mod organizations;
mod permissions;
mod pinned;
mod print;
pub mod resources;
pub mod restore;
pub mod roles;
pub mod secrets;
pub mod serve;
pub mod signing_keys;
pub mod users;
mod welcome;

pub use self::failure::Failure;

/// Permanent API keys over an identity provider whose tokens expire
///
/// People and programs hold permanent API keys; the services behind them only ever see short-lived, scoped JWTs. Without a
/// command kagiya serves.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    globals: GlobalOptions,
}

const EXAMPLES: &str = "\
Examples:
  kagiya                              serve on 127.0.0.1:8787, data in ./kagiya-data
  kagiya demo                         an example to try, with a working key
  kagiya keys list --json
  kagiya help keys create             the options of one command

Settings: flags win over variables (KAGIYA_…), variables over the file; config.example.toml describes them all.";

/// What every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct GlobalOptions {
    /// The configuration file [variable: KAGIYA_CONFIG] [default: none]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data folder [variable: KAGIYA_DATA_DIR] [default: ./kagiya-data]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data_dir: Option<String>,
    /// The database [variable: KAGIYA_DATABASE_URL] [default: sqlite: kagiya.db in the data folder]
    ///
    /// Give a URL with a password by the variable or by KAGIYA_DATABASE_URL_FILE: the list of processes shows flags.
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// The URL under which others reach the server [variable: KAGIYA_ISSUER]
    ///
    /// It is the `iss` of tokens. Must be given where the server listens beyond this machine; the default on loopback is http://
    /// and the listening address.
    #[arg(long, global = true, value_name = "URL")]
    pub issuer: Option<String>,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// The variables of the process, from `main`.
    #[arg(skip)]
    pub environment: Environment,
    /// How this program was called, for the commands that it prints.
    #[arg(skip)]
    pub program: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Options),
    Demo(demo::Options),
    #[command(subcommand)]
    Keys(keys::Command),
    #[command(subcommand)]
    Organizations(organizations::Command),
    #[command(subcommand)]
    Users(users::Command),
    #[command(subcommand)]
    Roles(roles::Command),
    #[command(subcommand)]
    Applications(applications::Command),
    #[command(subcommand)]
    ExchangeRules(exchange_rules::Command),
    #[command(subcommand)]
    Resources(resources::Command),
    #[command(subcommand)]
    Idp(idp::Command),
    #[command(subcommand)]
    SigningKeys(signing_keys::Command),
    #[command(subcommand)]
    Secrets(secrets::Command),
    #[command(subcommand)]
    Key(key::Command),
    #[command(subcommand)]
    Audit(audit::Command),
    #[command(subcommand)]
    Admin(admin::Command),
    Migrate(migrate::Options),
    Doctor(doctor::Options),
    Backup(backup::Options),
    Restore(restore::Options),
    Completions(completions::Options),
}

/// Does what `arguments` (the program's name first) ask for, with the variables of the process.
pub fn run(arguments: impl IntoIterator<Item = OsString>, environment: Environment) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let program = arguments
        .first()
        .map(|name| name.to_string_lossy().into_owned());
    let arguments = with_default_command(arguments);
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, with exit code 0. There is nobody to tell where the output is closed.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let globals = GlobalOptions {
        environment,
        program: program.unwrap_or_else(|| "kagiya".to_owned()),
        ..cli.globals
    };
    match dispatch(cli.command, &globals) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(globals.json),
    }
}

fn dispatch(command: Option<Command>, globals: &GlobalOptions) -> Result<(), Failure> {
    match command {
        None => serve::run(&serve::Options::default(), globals),
        Some(Command::Serve(options)) => serve::run(&options, globals),
        Some(Command::Demo(options)) => demo::run(&options, globals),
        Some(Command::Keys(command)) => keys::run(&command, globals),
        Some(Command::Organizations(command)) => organizations::run(&command, globals),
        Some(Command::Users(command)) => users::run(&command, globals),
        Some(Command::Roles(command)) => roles::run(&command, globals),
        Some(Command::Applications(command)) => applications::run(&command, globals),
        Some(Command::ExchangeRules(command)) => exchange_rules::run(&command, globals),
        Some(Command::Resources(command)) => resources::run(&command, globals),
        Some(Command::Idp(command)) => idp::run(&command, globals),
        Some(Command::SigningKeys(command)) => signing_keys::run(&command, globals),
        Some(Command::Secrets(command)) => secrets::run(&command, globals),
        Some(Command::Key(command)) => key::run(&command, globals),
        Some(Command::Audit(command)) => audit::run(&command, globals),
        Some(Command::Admin(command)) => admin::run(&command, globals),
        Some(Command::Migrate(options)) => migrate::run(&options, globals),
        Some(Command::Doctor(options)) => doctor::run(&options, globals),
        Some(Command::Backup(options)) => backup::run(&options, globals),
        Some(Command::Restore(options)) => restore::run(&options, globals),
        Some(Command::Completions(options)) => completions::run(&options, globals),
    }
}

impl GlobalOptions {
    /// The configuration, with these options and a command's own `settings` (name in the file, value) on top.
    ///
    /// # Errors
    /// As [`Config::load`]; a wrong flag is wrong usage.
    pub fn config(&self, settings: Vec<(&'static str, String)>) -> Result<Config, Failure> {
        let ours = [
            ("data_dir", &self.data_dir),
            ("database_url", &self.database_url),
            ("issuer", &self.issuer),
        ];
        let given = ours
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?)));
        let flags = given.chain(settings).collect();
        let sources = Sources {
            file: self.config.clone(),
            environment: self.environment.clone(),
            flags,
        };
        Ok(Config::load(&sources)?)
    }
}

/// `kagiya --listen …` is `kagiya serve --listen …`: clap would have to be told the flags of `serve` twice.
fn with_default_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let is_command = |argument: &OsStr| {
        argument == "help"
            || Cli::command()
                .get_subcommands()
                .any(|command| argument == command.get_name())
    };
    let asks_only = |argument: &OsStr| {
        ["--help", "-h", "--version", "-V"]
            .iter()
            .any(|flag| argument == *flag)
    };
    let has_options = arguments.len() > 1;
    if has_options
        && !arguments
            .iter()
            .skip(1)
            .any(|argument| is_command(argument) || asks_only(argument))
    {
        arguments.insert(1, "serve".into());
    }
    arguments
}

#[cfg(test)]
mod tests;
