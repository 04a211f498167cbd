//! The `kagiya` program: takes the arguments and variables of the process and leaves the rest to [`kagiya::cli`].

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    kagiya::cli::run(env::args_os(), env::vars_os().collect())
}
