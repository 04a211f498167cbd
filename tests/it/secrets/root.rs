//! The root secret is replaced: by the server that made it, or step by step by the operator who gives it; a crash in the middle leaves
//! a database that the root at hand opens.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::load::{Load, command, kagiya, serve};
use crate::cli::Home;
use crate::support::database::postgres_url;
use crate::support::process::{Place, Wire};

const GIVEN: &str = "the next root secret, given by its operator: 32 bytes and more";
const OTHER: &str = "a root secret that nobody asked for, of 32 bytes and some more";
const FILE: &str = "kagiya-data/root-secret";
const NEW: &str = "kagiya-data/root-secret.new";

/// A folder that was served from, and a key in it.
fn used() -> (Home, String) {
    let home = Home::new();
    home.shop();
    let key = home.key()["key"].as_str().unwrap().to_owned();
    fs::write(home.path("next"), format!("{GIVEN}\n")).unwrap();
    (home, key)
}

fn root(home: &Home) -> String {
    fs::read_to_string(home.path(FILE))
        .unwrap()
        .trim()
        .to_owned()
}

/// Serves, trades the key, and stops.
fn works(home: &Home, key: &str) {
    let server = home.serve();
    assert_eq!(server.trade(key).0, 200);
    server.stop("TERM");
}

/// Runs a command with this root secret given.
fn with_root<T>(home: &mut Home, root: &str, run: impl FnOnce(&Home) -> T) -> T {
    home.set("KAGIYA_ROOT_SECRET", root);
    let outcome = run(home);
    home.unset();
    outcome
}

fn opens(home: &mut Home, root: &str) -> bool {
    with_root(home, root, |home| {
        let answer = home.kagiya(&["admin", "token"]);
        let wrong = answer
            .err
            .contains("not the one that this database was made with");
        assert!(wrong != (answer.code == Some(0)), "{answer:?}");
        !wrong
    })
}

#[test]
fn a_root_that_the_server_made_is_replaced_in_one_call() {
    let (mut home, key) = used();
    let first = root(&home);
    let server = home.serve();
    let said = home.kagiya(&["secrets", "rotate-root"]).done();
    assert!(said.contains("root-secret.previous"), "{said}");
    let second = root(&home);
    assert_ne!(first, second);
    assert!(!home.path(NEW).exists());
    for name in [FILE, "kagiya-data/root-secret.previous"] {
        let mode = fs::metadata(home.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let previous = fs::read_to_string(home.path("kagiya-data/root-secret.previous")).unwrap();
    assert_eq!(previous.trim(), first, "the backups until now need it");
    assert_eq!(server.trade(&key).0, 200);
    home.kagiya(&["secrets", "rotate", "digest"]).done();
    let later = home.key()["key"].as_str().unwrap().to_owned();
    server.stop("TERM");
    works(&home, &key);
    works(&home, &later);
    assert!(!opens(&mut home, &first));
    assert!(opens(&mut home, &second));
    // Without a server too.
    home.kagiya(&["secrets", "rotate-root"]).done();
    assert!(!opens(&mut home, &second));
    works(&home, &key);
    let trail = home.kagiya(&["admin", "token"]).done();
    let server = home.serve();
    let bearer = format!("Bearer {}", trail.trim());
    let events = "/v1/audit-events?subject=root_secret";
    let (_, events) = server.ask("GET", events, &[("Authorization", &bearer)]);
    let actions: Vec<_> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["action"].clone())
        .collect();
    let once = ["root_secret.replaced", "root_secret.announced"];
    assert_eq!(actions, [once, once].concat());
}

#[test]
fn a_change_that_was_cut_off_before_the_database_knew_is_forgotten() {
    let (home, key) = used();
    let first = root(&home);
    // Half a secret, and a whole one.
    for left in ["half", GIVEN] {
        fs::write(home.path(NEW), left).unwrap();
        works(&home, &key);
        assert_eq!(root(&home), first);
        assert!(!home.path(NEW).exists());
    }
}

/// As the server leaves it when it is killed after it told the database of the new root and before the file had it.
fn cut_off() -> (Home, String, String) {
    let (mut home, key) = used();
    let first = root(&home);
    let line = ["secrets", "rotate-root", "--new-root-secret-file", "next"];
    with_root(&mut home, &first, |home| home.kagiya(&line).done());
    (home, key, first)
}

#[test]
fn a_change_that_was_cut_off_before_the_file_had_the_new_one_is_ended() {
    let (mut home, key, first) = cut_off();
    fs::write(home.path(NEW), GIVEN).unwrap();
    works(&home, &key);
    assert_eq!(root(&home), GIVEN);
    assert!(!opens(&mut home, &first));
    works(&home, &key);
}

#[test]
fn a_change_whose_new_root_was_lost_is_undone() {
    let (mut home, key, first) = cut_off();
    works(&home, &key);
    assert_eq!(root(&home), first);
    assert!(!opens(&mut home, GIVEN));
    works(&home, &key);
}

#[test]
fn a_change_that_was_cut_off_after_the_file_had_the_new_one_is_ended() {
    let (mut home, key, first) = cut_off();
    assert!(opens(&mut home, &first) && opens(&mut home, GIVEN));
    fs::write(home.path(FILE), GIVEN).unwrap();
    works(&home, &key);
    assert!(!opens(&mut home, &first));
    works(&home, &key);
}

#[test]
fn a_root_that_is_given_is_replaced_in_three_steps() {
    let (mut home, key) = used();
    let first = root(&home);
    fs::remove_file(home.path(FILE)).unwrap();
    home.set("KAGIYA_ROOT_SECRET", &first);
    let server = home.serve();
    let said = home.kagiya(&["secrets", "rotate-root"]).refused();
    for told in [
        "--new-root-secret-file",
        "start each of them again",
        "--finish",
    ] {
        assert!(said.contains(told), "{said}");
    }
    let said = home
        .kagiya(&["secrets", "rotate-root", "--finish"])
        .refused();
    assert!(said.contains("not being changed"), "{said}");
    let begin = ["secrets", "rotate-root", "--new-root-secret-file", "next"];
    for _ in 0..2 {
        let said = home.kagiya(&begin).done();
        assert!(
            said.contains("with the old root secret and with the new one"),
            "{said}"
        );
    }
    fs::write(home.path("other"), OTHER).unwrap();
    let other = ["secrets", "rotate-root", "--new-root-secret-file", "other"];
    assert!(home.kagiya(&other).refused().contains("finish or cancel"));
    let said = home.kagiya(&["secrets", "rotate", "tag"]).refused();
    assert!(said.contains("the root secret is being changed"), "{said}");
    let said = home
        .kagiya(&["secrets", "rotate-root", "--finish"])
        .refused();
    assert!(
        said.contains("still runs with the old root secret"),
        "{said}"
    );
    assert_eq!(server.trade(&key).0, 200);
    server.stop("TERM");
    home.unset();
    // Another start of the old one breaks nothing.
    home.set("KAGIYA_ROOT_SECRET", &first);
    works(&home, &key);
    home.unset();
    home.set("KAGIYA_ROOT_SECRET", GIVEN);
    works(&home, &key);
    home.unset();
    // One server on SQLite: it has the new one, so the old one is needed by nobody.
    assert!(!opens(&mut home, &first));
    assert!(opens(&mut home, GIVEN));
    home.set("KAGIYA_ROOT_SECRET", GIVEN);
    home.kagiya(&["secrets", "rotate", "tag"]).done();
    works(&home, &key);
}

#[test]
fn a_change_that_was_begun_can_be_cancelled() {
    let (mut home, key, first) = cut_off();
    home.set("KAGIYA_ROOT_SECRET", &first);
    let said = home.kagiya(&["secrets", "rotate-root", "--cancel"]).done();
    assert!(said.contains("stays as it was"), "{said}");
    home.unset();
    assert!(!opens(&mut home, GIVEN));
    home.kagiya(&["secrets", "rotate", "tag"]).done();
    works(&home, &key);
}

#[test]
fn no_root_secret_is_printed_and_a_wrong_one_is_told_with_the_remedy() {
    let (mut home, _) = used();
    fs::write(home.path("next"), "short").unwrap();
    let first = root(&home);
    let begin = ["secrets", "rotate-root", "--new-root-secret-file", "next"];
    let said = with_root(&mut home, &first, |home| home.kagiya(&begin).refused());
    assert!(
        said.contains("at least 32 bytes") && !said.contains("short\n"),
        "{said}"
    );
    fs::write(home.path("next"), &first).unwrap();
    let said = with_root(&mut home, &first, |home| home.kagiya(&begin).refused());
    assert!(
        said.contains("another one than the present one") && !said.contains(&first),
        "{said}"
    );
    let said = with_root(&mut home, OTHER, |home| home.kagiya(&["serve"]).refused());
    assert!(
        said.contains("KAGIYA_ROOT_SECRET") && !said.contains(OTHER),
        "{said}"
    );
}

#[tokio::test]
async fn a_server_that_is_killed_while_it_replaces_its_root_serves_again() {
    let place = Arc::new(Place::on_sqlite());
    let (mut server, wire) = serve(&place).await;
    let load = Load::on(wire).await;
    let mut done = 0;
    for round in 0..12u64 {
        let beside = Arc::clone(&place);
        let command = std::thread::spawn(move || kagiya(&beside, &["secrets", "rotate-root"]));
        // Most of it is the start of the command; later rounds kill it later.
        tokio::time::sleep(Duration::from_millis(20 + round * 12)).await;
        server.kill().await;
        // It may have found no server, and be one itself for a moment.
        done += usize::from(command.join().unwrap().is_ok());
        let wire;
        (server, wire) = serve(&place).await;
        load.at(wire).trade_all().await;
    }
    let (address, token) = (server.address().await, place.operator_token());
    let again = load.at(Wire { address, token });
    again
        .during(command(&place, &["secrets", "rotate-root"]))
        .await;
    again.trade_all().await;
    server.kill().await;
    assert!(done < 12, "some were cut off");
}

#[tokio::test]
async fn a_given_root_is_replaced_under_load_on_postgresql() {
    let Some(postgres) = postgres_url() else {
        return;
    };
    let mut place = Place::on_postgres(&postgres);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("next");
    fs::write(&file, GIVEN).unwrap();
    let old = Arc::new(place.sibling());
    let (before, wire) = serve(&old).await;
    let load = Load::on(wire).await;
    let next = file.to_str().unwrap();
    let begin = ["secrets", "rotate-root", "--new-root-secret-file", next];
    let begun = load.during(command(&old, &begin)).await;
    assert_eq!(begun, json!({"state": "begun"}));
    // Server by server: the first still runs with the old one.
    place.root_secret(GIVEN);
    let new = Arc::new(place);
    let (after, wire) = serve(&new).await;
    let later = load.at(wire);
    later.trade_all().await;
    let finish = ["secrets", "rotate-root", "--finish"];
    let refused = kagiya(&old, &finish).unwrap_err();
    assert!(
        refused.contains("still runs with the old root secret"),
        "{refused}"
    );
    let finished = later.during(command(&new, &finish)).await;
    assert_eq!(finished, json!({"state": "done"}));
    // What the first has in memory goes on; what it would have to open is an outage, and no wrong key.
    load.trade_all().await;
    kagiya(&new, &["secrets", "rotate", "tag", "--leaked"]).unwrap();
    later.during(|| ()).await;
    let key = later.keys.lock().unwrap().last().unwrap().clone();
    let answer = load.wire().present("/v1/token", &key).await.unwrap();
    assert_eq!(
        (answer.status, answer.code()),
        (503, "database_unavailable")
    );
    // To wait for its sessions to end would be to wait for those of the other too.
    drop(before);
    after.kill().await;
    let refused = kagiya(&old, &["secrets", "list"]).unwrap_err();
    assert!(
        refused.contains("not the one that this database was made with"),
        "{refused}"
    );
}
