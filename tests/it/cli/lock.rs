//! One data folder, one server: who holds it is told, a crash leaves nothing in the way, and commands reach whoever holds it.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kagiya::app::DataFolder;

use super::{Home, ask};

#[test]
fn a_second_server_is_told_who_holds_the_folder() {
    let home = Home::new();
    let server = home.serve();
    let said = home.kagiya(&["serve", "--listen", "127.0.0.1:0"]).refused();
    let holder = format!("process {} at {}", server.pid(), server.address);
    assert!(said.contains(&holder), "{said}");
    assert_eq!(server.ask("GET", "/readyz", &[]).0, 200);
}

#[test]
fn a_folder_is_free_again_after_a_crash() {
    let home = Home::new();
    // Dropped, it is killed: what it wrote into the lock stays there.
    drop(home.serve());
    let left = std::fs::read_to_string(home.path("kagiya-data/server.lock")).unwrap();
    assert!(left.contains("address"), "{left}");
    assert_eq!(DataFolder::server(&home.path("kagiya-data")).unwrap(), None);
    assert_eq!(home.serve().ask("GET", "/readyz", &[]).0, 200);
}

#[test]
fn of_two_servers_that_start_at_once_one_serves_and_the_other_names_it() {
    let home = Home::new();
    let folder = DataFolder::hold(&home.path("kagiya-data")).unwrap();
    let said = home.kagiya(&["serve", "--listen", "127.0.0.1:0"]).refused();
    let holder = format!("process {}, which is starting", std::process::id());
    assert!(said.contains(&holder), "{said}");
    drop(folder);
    home.serve();
}

/// Says that the test is the only one of its process.
const ALONE: &str = "ASKING_AND_HOLDING_ALONE";

#[test]
fn who_only_asks_for_the_holder_is_in_nobodys_way() {
    // In a process that starts none: until it has become another program, a child shares every lock that is held at its birth.
    let alone = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "cli::lock::asking_and_holding"])
        .env(ALONE, "yes")
        .output()
        .unwrap();
    let said = [alone.stdout, alone.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(alone.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "it is a process of another test"]
#[expect(
    clippy::disallowed_methods,
    reason = "told so by the test that runs it"
)]
fn asking_and_holding() {
    if std::env::var(ALONE).is_err() {
        return;
    }
    let home = Home::new();
    let path = home.path("kagiya-data");
    drop(DataFolder::hold(&path).unwrap());
    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(DataFolder::server(&path).unwrap(), None);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut held = 0;
        while held < 500 || asked.load(Ordering::Relaxed) < 500 {
            let outcome = DataFolder::hold(&path);
            if let Err(error) = &outcome {
                done.store(true, Ordering::Relaxed);
                panic!("after {held}: {error}");
            }
            held += 1;
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_key_that_a_command_revokes_while_it_is_traded_is_refused_from_then_on() {
    let home = Home::new();
    let server = home.serve();
    home.shop();
    let key = home.key();
    let (id, text) = (key["id"].as_str().unwrap(), key["key"].as_str().unwrap());
    let address = server.address;
    let (revoked, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let (before, after) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let mut trading = Vec::new();
        for _ in 0..3 {
            trading.push(scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let was_revoked = revoked.load(Ordering::SeqCst);
                    let (status, answer) =
                        ask(address, "POST /v1/token", &[("X-API-Key", text)], "");
                    if was_revoked {
                        assert_eq!(
                            (status, answer["code"].as_str()),
                            (401, Some("api_key_revoked"))
                        );
                        after.fetch_add(1, Ordering::Relaxed);
                    } else if status == 200 {
                        before.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }));
        }
        // One that ended has failed, and says so at the end of the scope.
        let goes_on = || trading.iter().all(|thread| !thread.is_finished());
        while before.load(Ordering::Relaxed) < 20 && goes_on() {
            std::thread::yield_now();
        }
        home.kagiya(&["keys", "revoke", id]).done();
        revoked.store(true, Ordering::SeqCst);
        while after.load(Ordering::Relaxed) < 100 && goes_on() {
            std::thread::yield_now();
        }
        done.store(true, Ordering::Relaxed);
    });
}
