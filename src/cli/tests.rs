//! The command line as a whole.

use super::*;

fn parse(line: &[&str]) -> Result<Cli, clap::Error> {
    let words = std::iter::once("kagiya")
        .chain(line.iter().copied())
        .map(OsString::from)
        .collect();
    Cli::try_parse_from(with_default_command(words))
}

#[test]
fn the_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn serving_is_the_default() {
    for line in [
        &["--listen", "127.0.0.1:1"][..],
        &["serve", "--listen", "127.0.0.1:1"],
    ] {
        match parse(line).unwrap().command {
            Some(Command::Serve(options)) => {
                assert_eq!(options.settings(), [("listen", "127.0.0.1:1".to_owned())])
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(parse(&[]).unwrap().command.is_none());
    assert!(matches!(
        parse(&["--json"]).unwrap().command,
        Some(Command::Serve(_))
    ));
}

#[test]
fn global_options_stand_before_and_after_a_command() {
    for line in [
        &["--json", "--data-dir", "d", "keys", "list"][..],
        &["keys", "list", "--data-dir", "d", "--json"],
    ] {
        let cli = parse(line).unwrap();
        assert!(cli.globals.json);
        assert_eq!(cli.globals.data_dir.as_deref(), Some("d"));
    }
}

#[test]
fn flags_reach_the_configuration() {
    let cli = parse(&["--data-dir", "somewhere", "--issuer", "http://localhost:1"]).unwrap();
    let config = cli
        .globals
        .config(vec![("workers", "3".to_owned())])
        .unwrap();
    assert_eq!(config.database.data_dir, PathBuf::from("somewhere"));
    assert_eq!(
        config.listener.issuer.unwrap().as_str(),
        "http://localhost:1"
    );
    assert_eq!(config.listener.workers.unwrap().get(), 3);
    let wrong = cli.globals.config(vec![("listen", "nowhere".to_owned())]);
    assert!(matches!(wrong, Err(Failure::Usage(_))));
}

/// Every command and argument says what it is, for `--help` is what a stranger reads.
#[test]
fn everything_is_explained() {
    fn check(command: &clap::Command, path: &str) {
        assert!(command.get_about().is_some(), "{path} has no text");
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{path} {argument} has no text"
            );
        }
        for sub in command
            .get_subcommands()
            .filter(|sub| sub.get_name() != "help")
        {
            check(sub, &format!("{path} {}", sub.get_name()));
        }
    }
    let mut command = Cli::command();
    command.build();
    check(&command, "kagiya");
}

#[test]
fn completions_are_made_for_every_shell() {
    use clap::ValueEnum;
    for shell in clap_complete::Shell::value_variants() {
        let mut script = Vec::new();
        clap_complete::generate(*shell, &mut Cli::command(), "kagiya", &mut script);
        assert!(
            String::from_utf8(script).unwrap().contains("completions"),
            "{shell}"
        );
    }
}
