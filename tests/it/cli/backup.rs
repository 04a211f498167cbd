//! `kagiya backup` and `kagiya restore`: a copy taken while the server serves, put back in another place.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::{Home, ask};
use crate::support::database::{block_on, execute, open};

/// A home whose data folder holds this root secret and nothing else.
fn home_with_root_secret(of: &Home) -> Home {
    let home = Home::new();
    fs::create_dir(home.path("kagiya-data")).unwrap();
    fs::copy(
        of.path("kagiya-data/root-secret"),
        home.path("kagiya-data/root-secret"),
    )
    .unwrap();
    home
}

/// What lies in a data folder, beside locks.
fn files(home: &Home) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(home.path("kagiya-data"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".lock"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_backup_taken_while_keys_are_made_and_traded_brings_the_old_keys_back() {
    let home = Home::new();
    let server = home.serve();
    home.shop();
    let key = home.key()["key"].as_str().unwrap().to_owned();
    let token = home.kagiya(&["admin", "token"]).done();
    let bearer = format!("Bearer {}", token.trim());
    let (done, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (address, backup) = (server.address, home.path("first.backup"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let number = made.load(Ordering::Relaxed);
                let body = json!({ "name": format!("number {number}") }).to_string();
                let headers = [
                    ("Authorization", &*bearer),
                    ("Content-Type", "application/json"),
                ];
                let (status, _) = ask(address, "POST /v1/organizations", &headers, &body);
                assert_eq!(status, 201);
                made.fetch_add(1, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let traded = ask(address, "POST /v1/token", &[("X-API-Key", &*key)], "");
                assert_eq!(traded.0, 200);
            }
        });
        while made.load(Ordering::Relaxed) < 5 {
            std::thread::yield_now();
        }
        let answer = home.kagiya(&["backup", backup.to_str().unwrap(), "--json"]);
        done.store(true, Ordering::Relaxed);
        assert!(answer.err.contains("root secret"), "{answer:?}");
        assert!(answer.err.contains("another place"), "{answer:?}");
        let report = answer.json();
        assert_eq!(report["keys"], 1);
        assert!(report["newest_change"].is_string(), "{report}");
    });
    let mode = fs::metadata(&backup).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert!(!home.path("first.backup.unfinished").exists());
    let later = home.key()["key"].as_str().unwrap().to_owned();
    assert_eq!(server.trade(&later).0, 200);

    let other = home_with_root_secret(&home);
    let answer = other.kagiya(&["restore", backup.to_str().unwrap()]);
    assert!(answer.err.contains("Revoke again"), "{answer:?}");
    answer.done();
    assert_eq!(files(&other), ["kagiya.db", "root-secret"]);
    let restored = other.serve();
    assert_eq!(restored.trade(&key).0, 200);
    assert_eq!(restored.trade(&later).0, 401, "it was made afterwards");
    let list = other
        .kagiya(&["organizations", "list", "--json", "--limit", "100000"])
        .json();
    let copied = list["items"].as_array().unwrap().len();
    let made = made.load(Ordering::Relaxed);
    assert!((6..=made + 1).contains(&copied), "{copied} of {made}");
}

#[test]
fn a_damaged_backup_is_refused_and_leaves_nothing_behind() {
    let home = Home::new();
    home.shop();
    let file = home.path("good.backup");
    home.kagiya(&["backup", file.to_str().unwrap()]).done();
    let good = fs::read(&file).unwrap();
    let other = home_with_root_secret(&home);
    let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        let path = other.path("bad.backup");
        fs::write(&path, bytes).unwrap();
        let said = other.kagiya(&["restore", path.to_str().unwrap()]).refused();
        assert_eq!(files(&other), ["root-secret"], "{said}");
        said
    };
    let middle = good.len() / 2;
    let said = damaged(&|bytes| bytes[middle] ^= 1);
    assert!(said.contains("is damaged"), "{said}");
    for said in [
        damaged(&|bytes| bytes.truncate(middle)),
        damaged(&|bytes| bytes.truncate(10)),
        damaged(&|bytes| bytes.push(0)),
        damaged(&|bytes| {
            let end = bytes.len();
            bytes[end - 50] ^= 1;
        }),
    ] {
        assert!(said.contains("no backup that kagiya made"), "{said}");
    }
    let end = good.len();
    let said = damaged(&|bytes| bytes[end - 1] ^= 1);
    assert!(said.contains("is damaged"), "{said}");
    other.kagiya(&["restore", file.to_str().unwrap()]).done();
}

#[test]
fn a_backup_is_not_put_where_it_does_not_belong() {
    let home = Home::new();
    home.shop();
    let file = home.path("a.backup");
    let backup = file.to_str().unwrap();
    home.kagiya(&["backup", backup]).done();
    let said = home.kagiya(&["backup", backup]).refused();
    assert!(said.contains("is there already"), "{said}");

    // No root secret, and one of another database.
    let other = Home::new();
    let said = other.kagiya(&["restore", backup]).refused();
    assert!(said.contains("KAGIYA_ROOT_SECRET_FILE"), "{said}");
    fs::write(
        other.path("kagiya-data/root-secret"),
        "the root secret of something else altogether",
    )
    .unwrap();
    let said = other.kagiya(&["restore", backup]).refused();
    assert!(
        said.contains("not the one that this backup was made under"),
        "{said}"
    );
    assert_eq!(files(&other), ["root-secret"]);

    // A folder in use.
    let server = home.serve();
    let said = home.kagiya(&["restore", backup, "--force"]).refused();
    assert!(
        said.contains(&format!("process {}", server.pid())),
        "{said}"
    );
    server.stop("TERM");
    let said = home.kagiya(&["restore", backup]).refused();
    assert!(said.contains("--force"), "{said}");
}

#[test]
fn by_force_the_database_that_was_there_is_kept_beside() {
    let home = Home::new();
    home.shop();
    let file = home.path("a.backup");
    let backup = file.to_str().unwrap();
    let key = home.key()["key"].as_str().unwrap().to_owned();
    home.kagiya(&["backup", backup]).done();
    let later = home.key()["key"].as_str().unwrap().to_owned();
    // A crash, so that the newest changes are in the log alone.
    let server = home.serve();
    home.kagiya(&["organizations", "create", "Later"]).done();
    drop(server);
    assert!(home.path("kagiya-data/kagiya.db-wal").exists());

    let report = home
        .kagiya(&["restore", backup, "--force", "--json"])
        .json();
    let kept = report["kept"].as_str().unwrap();
    let server = home.serve();
    assert_eq!(server.trade(&key).0, 200);
    assert_eq!(server.trade(&later).0, 401);
    server.stop("TERM");
    let kept = format!("sqlite:{kept}");
    let list = home
        .kagiya(&["organizations", "list", "--json", "--database-url", &kept])
        .json();
    assert_eq!(list["items"][0]["name"], "Later");
}

#[test]
fn no_server_starts_on_half_a_restore() {
    let home = Home::new();
    home.shop();
    let file = home.path("a.backup");
    home.kagiya(&["backup", file.to_str().unwrap()]).done();
    // As a crash leaves it after the old log was moved away.
    fs::copy(&file, home.path("kagiya-data/kagiya.db.restored")).unwrap();
    for line in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["organizations", "list"],
        &["migrate"],
    ] {
        let said = home.kagiya(line).refused();
        assert!(said.contains("a restore was cut off"), "{said}");
    }
    home.kagiya(&["restore", file.to_str().unwrap(), "--force"])
        .done();
    home.serve();
}

#[test]
fn what_a_newer_version_made_is_refused() {
    let home = Home::new();
    home.shop();
    let url = format!("sqlite:{}", home.path("kagiya-data/kagiya.db").display());
    block_on(async {
        let store = open(&url).unwrap();
        let row = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')";
        store
            .write(move |tx| execute(tx, row).map(drop))
            .await
            .unwrap();
        store.close().await;
    });
    let file = home.path("a.backup");
    let said = home.kagiya(&["backup", file.to_str().unwrap()]).refused();
    assert!(said.contains("newer kagiya"), "{said}");
    assert!(!file.exists() && !home.path("a.backup.unfinished").exists());
}

#[test]
fn with_postgres_the_way_is_named_and_nothing_is_made() {
    let mut home = Home::new();
    home.set("KAGIYA_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    let said = home.kagiya(&["backup", "a.backup"]).refused();
    assert!(said.contains("pg_dump"), "{said}");
    let said = home.kagiya(&["restore", "a.backup"]).refused();
    assert!(said.contains("pg_restore"), "{said}");
    assert!(!home.path("a.backup").exists() && !home.path("kagiya-data").exists());
}
