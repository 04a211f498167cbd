//! `kagiya demo`: what it makes works as printed, and nothing that was used before is touched.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Home, KAGIYA};

#[test]
fn the_demo_serves_a_key_that_works() {
    let home = Home::new();
    let server = home.start(&["demo", "--listen", "127.0.0.1:0"]);
    let file = home.path("kagiya-data/demo.key");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let key = fs::read_to_string(&file).unwrap();
    let key = key.trim();
    assert!(server.said.contains(key), "{}", server.said);
    let (status, answer) = server.trade(key);
    assert_eq!(status, 200);
    assert_eq!(answer["scope"], "read:payment write:payment");

    // The commands that it prints, as they are printed.
    let commands: Vec<String> = server
        .said
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| line.starts_with(KAGIYA))
        .collect();
    assert_eq!(commands.len(), 2, "{}", server.said);
    assert!(home.shell(&commands[0]).done().contains("checkout"));
    home.shell(&commands[1]).done();
    assert_eq!(server.trade(key).0, 401);
    let log = server.stop("INT");
    assert!(!log.contains(key), "{log}");
}

#[test]
fn the_printed_curl_lines_work_word_for_word() {
    let home = Home::new();
    let server = home.start(&["demo", "--listen", "127.0.0.1:0"]);
    let lines: Vec<&str> = server
        .said
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("curl "))
        .collect();
    let scopes = ["read:payment write:payment", "read:payment", "read:cart"];
    assert_eq!(lines.len(), scopes.len(), "{}", server.said);
    for (line, scope) in lines.into_iter().zip(scopes) {
        let answer = home.shell(line).json();
        assert_eq!(answer["scope"], scope, "{line}");
    }
}

#[test]
fn the_demo_touches_nothing_that_was_used() {
    let home = Home::new();
    home.shop();
    let said = home.kagiya(&["demo", "--listen", "127.0.0.1:0"]).refused();
    assert!(said.contains("fresh data folder"), "{said}");
    let said = home
        .kagiya(&["demo", "--database-url", "postgres://localhost/kagiya"])
        .refused();
    assert!(said.contains("the demo is for SQLite"), "{said}");
    assert!(!home.path("kagiya-data/demo.key").exists());
    // A file that is in the way stays, and the folder stays fresh.
    let other = Home::new();
    fs::write(other.path("demo.key"), "mine").unwrap();
    let line = ["demo", "--listen", "127.0.0.1:0", "--key-file", "demo.key"];
    other.kagiya(&line).refused();
    assert_eq!(fs::read_to_string(other.path("demo.key")).unwrap(), "mine");
    assert!(!other.path("kagiya-data/kagiya.db").exists());
}
