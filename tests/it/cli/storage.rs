//! Storage that fails under a running server: nothing is acknowledged that is not durable, `/readyz` says so, no good key is ever
//! answered 401, and all is well again when the storage is.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Home, ISSUER, PATIENCE, Serving, ask};
use crate::support::database::open;

/// A server with a lease of a second, two keys of which one is in memory, and an operator's token.
struct Shop {
    home: Home,
    server: Serving,
    warm: Value,
    cold: Value,
    bearer: String,
}

impl Shop {
    fn new(memory_seconds: u32) -> Self {
        Self::in_home(Home::new(), memory_seconds)
    }

    fn in_home(mut home: Home, memory_seconds: u32) -> Self {
        home.set("KAGIYA_READINESS_LEASE_SECONDS", "1");
        home.set(
            "KAGIYA_READINESS_MEMORY_SECONDS",
            &memory_seconds.to_string(),
        );
        // Once before, so that the file holds more than its log does.
        home.serve().stop("TERM");
        // A write beyond a limit is to fail, not to end the process.
        let line = r#"trap "" XFSZ; exec "$0" "$@""#;
        let serve = ["serve", "--listen", "127.0.0.1:0", "--issuer", ISSUER];
        let server = home.start_by("sh", &[&["-c", line, super::KAGIYA][..], &serve].concat());
        home.shop();
        let (warm, cold) = (home.key(), home.key());
        assert_eq!(server.trade(warm["key"].as_str().unwrap()).0, 200);
        let token = home.kagiya(&["admin", "token"]).done();
        Self {
            bearer: format!("Bearer {}", token.trim()),
            home,
            server,
            warm,
            cold,
        }
    }

    fn manage(&self, line: &str, body: &Value) -> (u16, Value) {
        let headers = [
            ("Authorization", &*self.bearer),
            ("Content-Type", "application/json"),
        ];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        ask(self.server.address, line, &headers, &body)
    }

    fn make(&self, name: &str) -> u16 {
        self.manage("POST /v1/organizations", &json!({"name": name}))
            .0
    }

    fn trade(&self, key: &Value) -> u16 {
        self.server.trade(key["key"].as_str().unwrap()).0
    }

    /// Asks `/readyz` until it answers so.
    fn ready(&self, expected: u16) -> Value {
        for _ in 0..PATIENCE.as_millis() / 50 {
            let (status, body) = self.server.ask("GET", "/readyz", &[]);
            if status == expected {
                return body;
            }
            // Whatever else happens, a good key is never called a wrong one.
            assert_ne!(self.trade(&self.warm), 401);
            wait();
        }
        panic!("/readyz never answers {expected}");
    }

    /// What the restarted server knows is what was acknowledged.
    fn names_after_restart(self) -> Vec<String> {
        let Self { home, server, .. } = self;
        server.stop("TERM");
        let _server = home.serve();
        names(&home)
    }
}

/// The organizations that there are.
fn names(home: &Home) -> Vec<String> {
    let list = home
        .kagiya(&["organizations", "list", "--json", "--limit", "1000"])
        .json();
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["name"].as_str().unwrap().to_owned())
        .collect()
}

/// A shop whose `fsync` and `fdatasync` fail for as long as the file of this name is there.
fn shop_on_a_disk_that_can_fail() -> (Shop, PathBuf) {
    let mut home = Home::new();
    let (library, mark) = (home.path("failing_sync.so"), home.path("failing"));
    // Whoever built kagiya has a C compiler.
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"])
        .arg(&library)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/it/cli/failing_sync.c"
        ))
        .status();
    assert!(compiled.unwrap().success());
    home.set("LD_PRELOAD", library.to_str().unwrap());
    home.set("FAIL_SYNC_WHILE", mark.to_str().unwrap());
    (Shop::in_home(home, 900), mark)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test of a process has no runtime; it looks again until the event is there"
)]
fn wait() {
    std::thread::sleep(Duration::from_millis(50));
}

/// No file of the server may grow beyond so many bytes.
fn limit_files(server: &Serving, limit: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &server.pid().to_string()])
        .arg(format!("--fsize={limit}:unlimited"))
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn a_full_disk_stops_changes_and_no_key() {
    let shop = Shop::new(900);
    assert_eq!(shop.make("before"), 201);
    limit_files(&shop.server, "1");
    let revoked = format!("DELETE /v1/keys/{}", shop.cold["id"].as_str().unwrap());
    assert_eq!(shop.make("during"), 503);
    assert_eq!(shop.manage(&revoked, &Value::Null).0, 503);
    // Refused here from the moment it was asked for, though nothing could be written.
    assert_eq!(shop.trade(&shop.cold), 401);
    assert_eq!(shop.trade(&shop.warm), 200);
    let body = shop.ready(503);
    assert_eq!(body["checks"][0]["check"], "database");
    assert_eq!(body["checks"][0]["state"], "failed");
    assert_eq!(shop.trade(&shop.warm), 200);

    limit_files(&shop.server, "unlimited");
    shop.ready(200);
    assert_eq!(shop.make("after"), 201);
    assert_eq!(shop.trade(&shop.cold), 401);
    let names = shop.names_after_restart();
    assert!(names.iter().any(|name| name == "before"), "{names:?}");
    assert!(names.iter().any(|name| name == "after"), "{names:?}");
    assert!(names.iter().all(|name| name != "during"), "{names:?}");
}

#[test]
fn a_disk_that_cannot_make_sure_stops_changes_and_no_key() {
    let (shop, mark) = shop_on_a_disk_that_can_fail();
    assert_eq!(shop.make("before"), 201);
    fs::write(&mark, "").unwrap();
    let revoked = format!("DELETE /v1/keys/{}", shop.cold["id"].as_str().unwrap());
    assert_eq!(shop.make("during"), 503);
    assert_eq!(shop.manage(&revoked, &Value::Null).0, 503);
    // Refused here from the moment it was asked for, though nobody can say that it is written.
    assert_eq!(shop.trade(&shop.cold), 401);
    assert_eq!(shop.trade(&shop.warm), 200);
    let body = shop.ready(503);
    assert_eq!(body["checks"][0]["check"], "database");
    assert_eq!(body["checks"][0]["state"], "failed");
    assert_eq!(shop.trade(&shop.warm), 200);
    assert_eq!(shop.make("during"), 503, "it does not get used to it");

    fs::remove_file(&mark).unwrap();
    shop.ready(200);
    assert_eq!(shop.make("after"), 201);
    assert_eq!(shop.trade(&shop.cold), 401);
    assert_eq!(shop.trade(&shop.warm), 200);
    let names = shop.names_after_restart();
    assert!(names.iter().any(|name| name == "before"), "{names:?}");
    assert!(names.iter().any(|name| name == "after"), "{names:?}");
    assert!(names.iter().all(|name| name != "during"), "{names:?}");
}

#[test]
fn what_was_acknowledged_is_there_when_the_power_goes_while_the_disk_cannot_make_sure() {
    let (shop, mark) = shop_on_a_disk_that_can_fail();
    let mut acknowledged = Vec::new();
    for number in 0..20 {
        let name = format!("before {number}");
        assert_eq!(shop.make(&name), 201);
        acknowledged.push(name);
    }
    let log = shop.home.path("kagiya-data/kagiya.db-wal");
    let sure = fs::metadata(&log).unwrap().len();
    fs::write(&mark, "").unwrap();
    assert_eq!(shop.make("during"), 503);
    shop.ready(503);
    assert!(
        fs::metadata(&log).unwrap().len() > sure,
        "it was written, and lay in memory"
    );
    let Shop {
        home,
        server,
        warm,
        cold,
        ..
    } = shop;
    // By SIGKILL.
    drop(server);
    // What the memory of the machine held and the disk did not.
    let open = fs::OpenOptions::new().write(true).open(&log).unwrap();
    open.set_len(sure).unwrap();
    fs::remove_file(&mark).unwrap();

    let server = home.serve();
    let names = names(&home);
    for name in acknowledged {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(names.iter().all(|name| name != "during"), "{names:?}");
    for key in [warm, cold] {
        assert_eq!(server.trade(key["key"].as_str().unwrap()).0, 200);
    }
}

#[test]
fn a_database_file_that_was_replaced_takes_no_write_and_gives_no_wrong_answer() {
    let shop = Shop::new(900);
    let (file, away) = (
        shop.home.path("kagiya-data/kagiya.db"),
        shop.home.path("kagiya-data/away.db"),
    );
    let stranger = Home::new();
    stranger.shop();
    fs::rename(&file, &away).unwrap();
    fs::copy(stranger.path("kagiya-data/kagiya.db"), &file).unwrap();
    assert_eq!(shop.make("into nowhere"), 503);
    assert_eq!(shop.trade(&shop.warm), 200);
    assert_eq!(shop.trade(&shop.cold), 503, "it cannot be read");
    shop.ready(503);
    assert_eq!(shop.make("into nowhere"), 503);

    fs::rename(&away, &file).unwrap();
    shop.ready(200);
    assert_eq!(shop.trade(&shop.cold), 200);
    assert_eq!(shop.make("after"), 201);
    let names = shop.names_after_restart();
    assert!(names.iter().any(|name| name == "after"), "{names:?}");
    assert!(names.iter().all(|name| name != "into nowhere"), "{names:?}");
}

#[test]
fn a_database_file_that_was_cut_short_takes_no_write() {
    let shop = Shop::new(900);
    let file = shop.home.path("kagiya-data/kagiya.db");
    // The log holds the rest, so this and the log are the whole database.
    let whole = fs::read(&file).unwrap();
    assert!(whole.len() > 4096);
    let open = fs::OpenOptions::new().write(true).open(&file).unwrap();
    open.set_len(4096).unwrap();
    assert_eq!(shop.make("into nowhere"), 503);
    assert_eq!(shop.trade(&shop.warm), 200);
    assert_eq!(shop.trade(&shop.cold), 503);
    shop.ready(503);

    use std::os::unix::fs::FileExt;
    open.write_all_at(&whole, 0).unwrap();
    shop.ready(200);
    assert_eq!(shop.trade(&shop.cold), 200);
    assert_eq!(shop.make("after"), 201);
    let names = shop.names_after_restart();
    assert!(names.iter().any(|name| name == "after"), "{names:?}");
    assert!(names.iter().all(|name| name != "into nowhere"), "{names:?}");
}

#[test]
fn what_is_remembered_counts_only_for_so_long() {
    let shop = Shop::new(1);
    let (file, away) = (
        shop.home.path("kagiya-data/kagiya.db"),
        shop.home.path("kagiya-data/away.db"),
    );
    fs::rename(&file, &away).unwrap();
    let mut last = 200;
    for _ in 0..PATIENCE.as_millis() / 50 {
        last = shop.trade(&shop.warm);
        if last != 200 {
            break;
        }
        wait();
    }
    assert_eq!(last, 503);
    fs::rename(&away, &file).unwrap();
    shop.ready(200);
    assert_eq!(shop.trade(&shop.warm), 200);
}

#[test]
fn a_database_that_another_program_locks_is_an_outage() {
    let shop = Shop::new(900);
    let url = format!(
        "sqlite:{}",
        shop.home.path("kagiya-data/kagiya.db").display()
    );
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (held, holds) = std::sync::mpsc::channel::<()>();
    let holder = std::thread::spawn(move || {
        crate::support::database::block_on(async move {
            let store = open(&url).unwrap();
            // Given up after 5 s by whoever waits for it; the lock stays for as long as the code runs.
            let _ = store
                .write(move |_| {
                    let _ = held.send(());
                    let _ = released.recv();
                    Ok::<_, kagiya::store::Error>(())
                })
                .await;
            store.close().await;
        });
    });
    holds.recv().unwrap();
    assert_eq!(shop.make("during"), 503);
    assert_eq!(shop.trade(&shop.warm), 200);
    assert_eq!(shop.trade(&shop.cold), 200, "reading waits for no writer");
    shop.ready(503);
    drop(release);
    holder.join().unwrap();
    shop.ready(200);
    assert_eq!(shop.make("after"), 201);
    let names = shop.names_after_restart();
    assert!(names.iter().all(|name| name != "during"), "{names:?}");
}
