//! What needs no server: migrations, keys looked at offline, help and completions.

use super::Home;

#[test]
fn a_key_is_told_from_what_is_none_without_repeating_it() {
    let home = Home::new();
    home.shop();
    let key = home.key()["key"].as_str().unwrap().to_owned();

    let seen = home.kagiya_with(&["key", "inspect", "-", "--json"], &key);
    assert!(!seen.out.contains(&key));
    let report = seen.json();
    assert_eq!(report["tag"], "ok");
    assert_eq!(report["prefix"], "kgy");

    std::fs::write(home.path("ci.key"), format!("{key}\n")).unwrap();
    let seen = home.kagiya(&["key", "inspect", "ci.key"]);
    assert!(seen.err.contains("only the server knows"), "{seen:?}");
    assert!(seen.done().contains("made by this kagiya"));

    // Somebody else's key: the form is right, the tag is not.
    let other = Home::new();
    other.shop();
    let seen = other.kagiya_with(&["key", "inspect", "-"], &key);
    assert_eq!(seen.code, Some(1), "{seen:?}");
    assert!(seen.out.contains("the tag does not fit"), "{seen:?}");
    assert!(!seen.out.contains(&key) && !seen.err.contains(&key));

    // Nobody's: without a database only the form is looked at.
    let nobody = Home::new();
    let seen = nobody.kagiya_with(&["key", "inspect", "-", "--json"], &key);
    assert_eq!(seen.json()["tag"], "not_checked");
    assert!(!nobody.path("kagiya-data").exists());

    let slip = key.replace(&key[100..], "aaaaaaa");
    let said = nobody
        .kagiya_with(&["key", "inspect", "-"], &slip)
        .refused();
    assert!(said.contains("the checksum does not fit"), "{said}");
    assert!(!said.contains(&slip));
    let said = nobody.kagiya(&["key", "inspect", "no.key"]).refused();
    assert!(said.contains("no.key cannot be read"), "{said}");
}

#[test]
fn a_key_of_an_earlier_prefix_is_known_by_the_database() {
    let mut home = Home::new();
    home.set("KAGIYA_KEYS_PREFIX", "acme");
    home.shop();
    let key = home.key()["key"].as_str().unwrap().to_owned();
    home.unset();
    let seen = home.kagiya_with(&["key", "inspect", "-", "--json"], &key);
    let report = seen.json();
    assert_eq!(
        (&report["prefix"], &report["tag"]),
        (&"acme".into(), &"ok".into())
    );
}

#[test]
fn migrating_first_leaves_a_folder_that_serves() {
    let home = Home::new();
    let looked = home.kagiya(&["migrate", "--dry-run"]).done();
    assert!(looked.contains("no database yet"), "{looked}");
    assert!(!home.path("kagiya-data").exists());
    let applied = home.kagiya(&["migrate", "--json"]).json();
    assert!(!applied["applied"].as_array().unwrap().is_empty());
    for line in [&["migrate"][..], &["migrate", "--dry-run"]] {
        assert_eq!(home.kagiya(line).done(), "The database is up to date.\n");
    }
    let server = home.serve();
    let said = home.kagiya(&["migrate"]).refused();
    assert!(said.contains("another server holds"), "{said}");
    assert_eq!(server.ask("GET", "/readyz", &[]).0, 200);
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    let home = Home::new();
    for line in [
        &["kyes"][..],
        &["keys", "revoke"],
        &["keys", "show", "kgy_1aabcdefghij"],
        &["serve", "--listen", "nowhere"],
        &["keys", "rotate", "--grace", "-1"],
    ] {
        let answer = home.kagiya(line);
        assert_eq!(answer.code, Some(2), "{line:?}: {answer:?}");
        assert_eq!(answer.out, "");
        assert!(!answer.err.contains("kgy_1aabcdefghij"), "{answer:?}");
    }
    let answer = home.kagiya(&["keys", "list", "--json", "--data-dir", "nowhere"]);
    let error: serde_json::Value = serde_json::from_str(&answer.refused()).unwrap();
    assert_eq!(error["error"]["code"], "no_database");
}

#[test]
fn completions_and_the_version_need_nothing() {
    let home = Home::new();
    let script = home.kagiya(&["completions", "bash"]).done();
    assert!(script.contains("signing-keys"), "{script}");
    let version = home.kagiya(&["--version"]).done();
    assert_eq!(version, format!("kagiya {}\n", env!("CARGO_PKG_VERSION")));
    assert!(!home.path("kagiya-data").exists());
}

#[test]
fn no_secret_is_an_argument_and_no_help_shows_one() {
    let mut home = Home::new();
    let canary = "canary-of-the-tests-that-no-help-may-show";
    for name in ["KAGIYA_ROOT_SECRET", "KAGIYA_DATABASE_URL"] {
        home.set(name, canary);
    }
    let mut pages = vec![vec!["--help"]];
    for command in [
        "serve",
        "demo",
        "migrate",
        "backup",
        "restore",
        "doctor",
        "completions",
    ] {
        pages.push(vec![command, "--help"]);
    }
    for (command, subs) in [
        ("keys", &["create", "list", "show", "rotate", "revoke"][..]),
        ("organizations", &["create", "list"]),
        ("resources", &["create", "list", "add-permission"]),
        ("signing-keys", &["list", "rotate"]),
        ("key", &["inspect"]),
        ("admin", &["token"]),
    ] {
        pages.push(vec![command, "--help"]);
        pages.extend(subs.iter().map(|sub| vec![command, sub, "--help"]));
    }
    for page in pages {
        let text = home.kagiya(&page).done();
        assert!(!text.contains(canary), "{page:?}");
        for flag in [
            "--key ",
            "--key=",
            "--secret",
            "--password",
            "--root-secret",
            "--token ",
        ] {
            assert!(!text.contains(flag), "{page:?} has {flag}");
        }
    }
    let said = home.kagiya(&["keys", "list"]).refused();
    assert!(!said.contains(canary), "{said}");
}
