//! The other commands that go through the management API, and the operator's token itself.

use std::sync::Barrier;

use serde_json::json;

use super::{Home, PAYMENT, ask, claims};
use crate::support::database::Database;

#[test]
fn organizations_and_resources_are_made_and_listed() {
    let home = Home::new();
    home.shop();
    let organizations = home.kagiya(&["organizations", "list"]).done();
    assert!(organizations.starts_with("ID"), "{organizations}");
    assert!(
        organizations.contains("cart  Cart team  active"),
        "{organizations}"
    );
    let resources = home.kagiya(&["resources", "list", "--json"]).json();
    let payment = &resources["items"][0];
    assert_eq!(payment["identifier"], PAYMENT);

    let id = payment["id"].as_str().unwrap();
    let line = [
        "resources",
        "add-permission",
        id,
        "refund:payment",
        "--description",
        "pay back",
    ];
    assert!(home.kagiya(&line).done().contains("refund:payment"));
    let said = home.kagiya(&line).refused();
    assert!(
        said.contains("refund:payment") || said.contains("already"),
        "{said}"
    );
}

#[test]
fn a_long_list_comes_whole_and_a_cut_one_says_so() {
    let home = Home::new();
    let server = home.serve();
    let token = home.kagiya(&["admin", "token"]).done();
    let bearer = format!("Bearer {}", token.trim());
    for number in 0..205 {
        let body = json!({ "name": format!("number {number}") }).to_string();
        let headers = [
            ("Authorization", &*bearer),
            ("Content-Type", "application/json"),
        ];
        assert_eq!(
            ask(server.address, "POST /v1/organizations", &headers, &body).0,
            201
        );
    }
    let line = ["organizations", "list", "--json", "--limit", "1000"];
    let list = home.kagiya(&line).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 205);
    assert!(list["next_cursor"].is_null());
    assert_eq!(list["items"][204]["name"], "number 0");

    let answer = home.kagiya(&["organizations", "list", "--limit", "203"]);
    assert!(answer.err.contains("There are more"), "{}", answer.err);
    assert_eq!(answer.done().lines().count(), 204);
}

#[test]
fn a_signing_key_is_withdrawn_beside_a_server_and_commands_go_on() {
    let home = Home::new();
    home.shop();
    let key = home.key()["key"].as_str().unwrap().to_owned();
    let server = home.serve();
    let list = home.kagiya(&["signing-keys", "list", "--json"]).json();
    let items = list["items"].as_array().unwrap();
    // Those of RS256 are made beside the requests, and may come later.
    let active: Vec<_> = items
        .iter()
        .filter(|item| item["state"] == "active")
        .collect();
    assert!(active.len() >= 2);
    for item in &active {
        let kid = item["kid"].as_str().unwrap();
        let line = ["signing-keys", "withdraw", kid, "--json"];
        let withdrawn = home.kagiya(&line).json();
        assert_eq!(withdrawn["items"][0]["state"], "withdrawn");
        assert_eq!(server.trade(&key).0, 200);
    }
    let list = home.kagiya(&["signing-keys", "list"]).done();
    assert_eq!(list.matches("withdrawn").count(), active.len(), "{list}");
    home.kagiya(&["signing-keys", "withdraw", "nonsense"])
        .refused();
    for line in [
        ["signing-keys", "withdraw", "../keys"],
        ["secrets", "rotate", "nonsense"],
    ] {
        assert_eq!(home.kagiya(&line).code, Some(2));
    }
}

#[test]
fn signing_keys_are_listed_and_not_rotated_too_soon() {
    let home = Home::new();
    home.shop();
    let list = home.kagiya(&["signing-keys", "list", "--json"]).json();
    let states: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["state"].as_str().unwrap())
        .collect();
    assert!(
        states.contains(&"active") && states.contains(&"next"),
        "{states:?}"
    );
    let said = home
        .kagiya(&["signing-keys", "rotate", "--algorithm", "ES256"])
        .refused();
    assert!(said.contains("possible from"), "{said}");
}

#[test]
fn the_operators_token_is_printed_alone_and_carries_what_was_asked_for() {
    let home = Home::new();
    let server = home.serve();
    let answer = home.kagiya(&["admin", "token", "--scope", "keys:read"]);
    assert_eq!(answer.err, "");
    let token = answer.done();
    assert_eq!(token.lines().count(), 1);
    let bearer = format!("Bearer {}", token.trim());
    let get = |path| server.ask("GET", path, &[("Authorization", &*bearer)]).0;
    assert_eq!(get("/v1/keys"), 200);
    assert_eq!(get("/v1/organizations"), 403);
    let claims = claims(&token);
    assert_eq!(claims["sub"], "operator:tester");
    assert_eq!(claims["scope"], "keys:read");
    let exp = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(exp, 600);
}

#[test]
fn a_slip_of_the_folder_makes_nothing() {
    let home = Home::new();
    for line in [
        &["keys", "list"][..],
        &["organizations", "list"],
        &["signing-keys", "rotate"],
        &["admin", "token"],
    ] {
        let line = [line, &["--data-dir", "nowhere"]].concat();
        let said = home.kagiya(&line).refused();
        assert!(
            said.contains("there is no database at nowhere/kagiya.db"),
            "{said}"
        );
    }
    assert!(!home.path("nowhere").exists());
}

#[test]
fn commands_at_once_without_a_server_wait_for_one_another() {
    let home = Home::new();
    home.shop();
    let barrier = Barrier::new(4);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (home, barrier) = (&home, &barrier);
            scope.spawn(move || {
                barrier.wait();
                let name = format!("number {number}");
                home.kagiya(&["organizations", "create", &name]).done();
            });
        }
    });
    let list = home.kagiya(&["organizations", "list", "--json"]).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 5);
}

#[test]
fn a_database_elsewhere_is_found_by_its_url_beside_a_server_and_without_one() {
    let database = Database::empty();
    let mut home = Home::new();
    home.set("KAGIYA_DATABASE_URL", database.url());
    home.set(
        "KAGIYA_ROOT_SECRET",
        "a root secret that the operator keeps elsewhere",
    );
    home.kagiya(&["migrate"]).done();
    home.shop();
    let before = home.key();
    let server = home.serve();
    let after = home.key();
    for key in [before, after] {
        assert_eq!(server.trade(key["key"].as_str().unwrap()).0, 200);
        let id = key["id"].as_str().unwrap();
        home.kagiya(&["keys", "revoke", id]).done();
        assert_eq!(server.trade(key["key"].as_str().unwrap()).0, 401);
    }
    // No root secret is ever made for a database that was used, or that others use too.
    home.unset();
    home.set("KAGIYA_DATABASE_URL", database.url());
    let said = home.kagiya(&["admin", "token"]).refused();
    assert!(said.contains("KAGIYA_ROOT_SECRET"), "{said}");
    assert!(!home.path("kagiya-data/root-secret").exists());
}

#[test]
fn a_server_of_another_database_is_not_called_with_a_wrong_token() {
    let home = Home::new();
    home.shop();
    let _server = home.serve();
    // The lock says that a server is there, the database is another one.
    let other = Home::new();
    other.shop();
    let database = other.path("kagiya-data/kagiya.db");
    let url = format!("sqlite:{}", database.display());
    let said = home
        .kagiya(&["keys", "list", "--database-url", &url])
        .refused();
    assert!(
        said.contains("not the one that this database was made with"),
        "{said}"
    );
}

#[test]
fn a_scope_that_does_not_exist_is_no_token() {
    let home = Home::new();
    let answer = home.kagiya(&["admin", "token", "--scope", "keys:raed"]);
    assert_eq!((answer.code, answer.out.as_str()), (Some(2), ""));
    assert!(answer.err.contains("keys:read"), "{answer:?}");
}
