//! `kagiya completions`: makes a shell complete commands and flags.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Failure, GlobalOptions, print};

/// Prints what makes a shell complete commands and flags
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_long_help = r#"Examples:
  kagiya completions bash > /etc/bash_completion.d/kagiya
  kagiya completions zsh > "${fpath[1]}/_kagiya"
  kagiya completions fish > ~/.config/fish/completions/kagiya.fish"#
)]
pub struct Options {
    /// The shell
    pub shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// When standard output takes nothing.
pub fn run(options: &Options, _globals: &GlobalOptions) -> Result<(), Failure> {
    // Made in memory first: the generator panics where a write fails, as into `head`.
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "kagiya", &mut script);
    print::line(String::from_utf8_lossy(&script).trim_end())
}
