//! `kagiya keys …`: the life of a key by commands, beside a server and without one.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Home, PAYMENT};

#[test]
fn a_key_lives_by_commands_alone() {
    let home = Home::new();
    home.shop();
    let key = home.key();
    let id = key["id"].as_str().unwrap();
    assert_eq!(key["status"], "active");

    let list = home.kagiya(&["keys", "list"]).done();
    assert!(list.contains(id) && list.contains("active"), "{list}");
    let shown = home.kagiya(&["keys", "show", id]).done();
    assert!(shown.contains("read:payment write:payment"), "{shown}");

    let rotated = home.kagiya(&["keys", "rotate", id, "--json"]).json();
    assert_eq!(rotated["id"], id);
    assert_ne!(rotated["key"], key["key"]);

    assert_eq!(
        home.kagiya(&["keys", "revoke", id]).done(),
        format!("revoked {id}\n")
    );
    let list = home
        .kagiya(&["keys", "list", "--status", "revoked", "--json"])
        .json();
    assert_eq!(list["items"][0]["id"], id);

    // What was done without a server is so for the next one.
    let server = home.serve();
    for (key, code) in [(&key, "api_key_rotated"), (&rotated, "api_key_revoked")] {
        let (status, problem) = server.trade(key["key"].as_str().unwrap());
        assert_eq!((status, problem["code"].as_str()), (401, Some(code)));
    }
}

#[test]
fn what_a_command_changes_counts_at_once_at_the_running_server() {
    let home = Home::new();
    let server = home.serve();
    home.shop();
    let key = home.key();
    let (id, old) = (key["id"].as_str().unwrap(), key["key"].as_str().unwrap());
    assert_eq!(server.trade(old).0, 200);

    let line = ["keys", "rotate", id, "--grace", "60", "--json"];
    let rotated = home.kagiya(&line).json();
    let new = rotated["key"].as_str().unwrap();
    assert!(rotated["retiring_until"].is_string());
    assert_eq!((server.trade(old).0, server.trade(new).0), (200, 200));

    home.kagiya(&["keys", "revoke", id]).done();
    for key in [old, new] {
        assert_eq!(server.trade(key).0, 401);
    }
}

#[test]
fn people_see_the_key_once_on_a_line_of_its_own() {
    let home = Home::new();
    home.shop();
    let line = ["keys", "create", "--name", "ci", "--organization", "cart"];
    let answer = home.kagiya(&line);
    assert!(answer.err.contains("cannot be shown again"), "{answer:?}");
    let out = answer.done();
    let key = out.lines().last().unwrap();
    assert!(key.starts_with("kgy_") && key.len() == 107, "{out}");
    assert_eq!(out.matches("kgy_").count(), 1, "{out}");
    let id = out.split_whitespace().nth(1).unwrap();
    assert!(!home.kagiya(&["keys", "show", id]).done().contains(key));
}

#[test]
fn a_key_goes_to_a_new_file_and_nowhere_else() {
    let home = Home::new();
    home.shop();
    let line = [
        "keys",
        "create",
        "--name",
        "ci",
        "--organization",
        "cart",
        "--output",
        "ci.key",
    ];
    let answer = home.kagiya(&[&line[..], &["--json"]].concat());
    let file = home.path("ci.key");
    let key = fs::read_to_string(&file).unwrap();
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(key.starts_with("kgy_") && key.ends_with('\n'));
    assert!(!answer.err.contains(key.trim()));
    assert_eq!(answer.json().get("key"), None);

    // A file that is there stays as it is, and no key is made.
    let said = home.kagiya(&line).refused();
    assert!(said.contains("ci.key"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), key);
    let list = home.kagiya(&["keys", "list", "--json"]).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);

    // Where no key is made, no file is left.
    let line = [
        "keys",
        "create",
        "--name",
        "ci",
        "--organization",
        "nobody",
        "--output",
        "b.key",
    ];
    let said = home.kagiya(&line).refused();
    assert!(
        said.contains("no organization has the slug nobody"),
        "{said}"
    );
    assert!(!home.path("b.key").exists());
}

#[test]
fn every_option_of_a_new_key_reaches_it() {
    let home = Home::new();
    home.shop();
    let mut line = vec![
        "keys",
        "create",
        "--json",
        "--name",
        "ci",
        "--organization",
        "cart",
    ];
    line.extend(["--permission", PAYMENT, "read:payment"]);
    line.extend([
        "--default-resource",
        PAYMENT,
        "--expires-at",
        "2099-01-01T00:00:00Z",
    ]);
    line.extend([
        "--allowed-cidr",
        "10.0.0.0/8",
        "--allowed-cidr",
        "192.0.2.0/24",
    ]);
    line.extend(["--rate-limit", "100", "60", "--metadata", "team", "cart"]);
    line.push("--self-rotate");
    let key = home.kagiya(&line).json();
    assert_eq!(key["permissions"][0]["scopes"][0], "read:payment");
    assert_eq!(key["default_resource"], PAYMENT);
    assert_eq!(key["expires_at"], "2099-01-01T00:00:00Z");
    assert_eq!(key["allowed_cidrs"][1], "192.0.2.0/24");
    assert_eq!(key["rate_limit"]["per_seconds"], 60);
    assert_eq!(key["metadata"]["team"], "cart");
    assert_eq!(key["self_rotate"], true);
    let id = key["id"].as_str().unwrap();
    let shown = home.kagiya(&["keys", "show", id]).done();
    for told in [
        "2099-01-01T00:00:00Z",
        "10.0.0.0/8 192.0.2.0/24",
        "100 in 60 s",
        "team=cart",
        "rotates itself    yes",
    ] {
        assert!(shown.contains(told), "{told}\n{shown}");
    }
}

#[test]
fn the_servers_refusal_is_told_with_its_word() {
    let home = Home::new();
    home.shop();
    let line = [
        "keys",
        "create",
        "--json",
        "--name",
        "ci",
        "--organization",
        "cart",
    ];
    let permission = [
        "--permission",
        "https://nowhere.example.com",
        "read:payment",
    ];
    let said = home.kagiya(&[&line[..], &permission].concat()).refused();
    let error: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(error["error"]["code"].is_string(), "{said}");
    assert!(
        error["error"]["detail"]
            .as_str()
            .unwrap()
            .contains("permissions[0]"),
        "{said}"
    );

    let unknown = format!("key_{}", "a".repeat(26));
    let said = home
        .kagiya(&["keys", "revoke", &unknown, "--json"])
        .refused();
    assert!(
        said.contains(r#""code":"not_found""#) && said.contains(&unknown),
        "{said}"
    );
}
