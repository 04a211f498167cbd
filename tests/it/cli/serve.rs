//! `kagiya serve`: what a start makes, finds again and refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Home, ISSUER, KAGIYA};

#[test]
fn a_first_start_makes_everything_and_a_second_finds_it_again() {
    let home = Home::new();
    let server = home.serve();
    let mode = |name: &str| fs::metadata(home.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("kagiya-data"), 0o700);
    assert_eq!(mode("kagiya-data/root-secret"), 0o600);
    assert_eq!(mode("kagiya-data/server.lock"), 0o600);
    assert_eq!(server.ask("GET", "/readyz", &[]).0, 200);
    let secret = fs::read(home.path("kagiya-data/root-secret")).unwrap();
    home.shop();
    let key = home.key();
    let text = key["key"].as_str().unwrap();
    assert_eq!(server.trade(text).0, 200);
    let signing_keys = |server: &super::Serving| {
        let set = server.ask("GET", "/.well-known/jwks.json", &[]).1;
        set["keys"].as_array().unwrap().clone()
    };
    let before = signing_keys(&server);
    server.stop("TERM");

    let server = home.serve();
    assert_eq!(server.trade(text).0, 200);
    // RSA keys are made beside the requests, so the second set may hold more.
    let after = signing_keys(&server);
    assert!(!before.is_empty());
    for key in before {
        assert!(after.contains(&key), "{key} is gone");
    }
    assert_eq!(
        fs::read(home.path("kagiya-data/root-secret")).unwrap(),
        secret
    );
    server.stop("INT");
}

#[test]
fn the_first_start_says_where_everything_is_and_the_second_says_it_in_a_line() {
    let home = Home::new();
    let server = home.serve();
    let data = home.path("kagiya-data");
    for told in [
        format!("listens on http://{}", server.address),
        format!("data         {}", data.display()),
        format!("root secret  {}", data.join("root-secret").display()),
        "another place than the backup".to_owned(),
    ] {
        assert!(server.said.contains(&told), "{told}\n{}", server.said);
    }
    home.shop();
    server.stop("TERM");
    let server = home.serve();
    assert_eq!(server.said.lines().count(), 1, "{}", server.said);
    assert!(server.said.contains(&server.address.to_string()));
}

#[test]
fn the_three_printed_commands_make_a_key_word_for_word() {
    let home = Home::new();
    let server = home.serve();
    let commands = printed_commands(&server.said);
    assert_eq!(commands.len(), 3, "{}", server.said);
    let printed: Vec<String> = commands
        .iter()
        .map(|command| home.shell(command).done())
        .collect();
    let key = printed[2].lines().last().unwrap();
    assert!(key.starts_with("kgy_"));
    let (status, answer) = server.trade(key);
    assert_eq!(status, 200);
    assert_eq!(answer["scope"], "read:payment write:payment");
    let claims = super::claims(answer["access_token"].as_str().unwrap());
    assert_eq!(claims["iss"], ISSUER);
}

#[test]
fn the_printed_commands_find_a_folder_of_another_name() {
    let home = Home::new();
    fs::create_dir(home.path("it's here")).unwrap();
    // The harness looks for the lock in kagiya-data, so that is where the odd name leads.
    std::os::unix::fs::symlink(home.path("it's here"), home.path("kagiya-data")).unwrap();
    let server = home.start(&["--listen", "127.0.0.1:0", "--data-dir", "it's here"]);
    let commands = printed_commands(&server.said);
    assert_eq!(commands.len(), 3, "{}", server.said);
    for command in commands {
        assert!(command.contains(r"--data-dir 'it'\''s here'"), "{command}");
        home.shell(command).done();
    }
}

#[test]
fn a_lost_root_secret_is_never_replaced() {
    let home = Home::new();
    home.serve().stop("TERM");
    let file = home.path("kagiya-data/root-secret");
    let secret = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    for arguments in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["keys", "list"],
        &["admin", "token"],
    ] {
        let said = home.kagiya(arguments).refused();
        assert!(said.contains("there is no root secret"), "{said}");
        assert!(said.contains("KAGIYA_ROOT_SECRET"), "{said}");
        assert!(!file.exists());
    }
    fs::write(&file, secret).unwrap();
    home.serve();
}

#[test]
fn a_wrong_root_secret_is_refused_and_not_repeated() {
    let mut home = Home::new();
    home.serve().stop("TERM");
    let wrong = "a root secret that belongs to another database";
    home.set("KAGIYA_ROOT_SECRET", wrong);
    for arguments in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["keys", "list"],
        &["admin", "token"],
    ] {
        let said = home.kagiya(arguments).refused();
        assert!(
            said.contains("not the one that this database was made with"),
            "{said}"
        );
        assert!(!said.contains(wrong), "{said}");
    }
    home.unset();
    home.serve();
}

#[test]
fn another_issuer_is_refused_until_it_is_accepted() {
    let home = Home::new();
    home.serve().stop("TERM");
    let other = [
        "--listen",
        "127.0.0.1:0",
        "--issuer",
        "https://keys.example.com",
    ];
    let said = home.kagiya(&other).refused();
    assert!(
        said.contains(ISSUER) && said.contains("--accept-new-issuer"),
        "{said}"
    );
    home.start(&[&other[..], &["--accept-new-issuer"]].concat())
        .stop("TERM");
    home.start(&other);
}

#[test]
fn a_port_in_use_is_told_with_its_address() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = home.kagiya(&["serve", "--listen", &address]).refused();
    assert!(
        said.contains(&format!("cannot listen on {address}")),
        "{said}"
    );
    // What that start made is enough for the next one.
    home.serve();
}

#[test]
fn a_setting_that_is_not_known_is_refused_with_the_nearest_one() {
    let home = Home::new();
    fs::write(home.path("kagiya.toml"), "[token]\nlifetime_second = 60\n").unwrap();
    let said = home.kagiya(&["serve", "--config", "kagiya.toml"]).refused();
    assert!(
        said.contains("lifetime_second") && said.contains("lifetime_seconds"),
        "{said}"
    );
    let said = home.kagiya(&["serve", "--listen", "0.0.0.0:0"]).refused();
    assert!(
        said.contains("keys would cross the network in clear"),
        "{said}"
    );
    assert!(!home.path("kagiya-data").exists());
}

#[test]
fn a_stopped_server_has_written_what_it_counted() {
    let home = Home::new();
    let server = home.serve();
    home.shop();
    let key = home.key();
    assert_eq!(server.trade(key["key"].as_str().unwrap()).0, 200);
    let log = server.stop("TERM");
    assert!(log.contains(r#""route":"/v1/token""#), "{log}");
    let id = key["id"].as_str().unwrap();
    let shown = home.kagiya(&["keys", "show", id, "--json"]).json();
    assert!(shown["last_used_at"].is_string(), "{shown}");
}

/// The lines that call the program, as somebody would paste them.
fn printed_commands(said: &str) -> Vec<&str> {
    said.lines()
        .map(str::trim)
        .filter(|line| line.starts_with(KAGIYA))
        .collect()
}
