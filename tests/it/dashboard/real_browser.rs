//! The pages in Chromium: `tests/dashboard/*.test.mjs`, each run as it stands. Pictures of every page are left in `target/dashboard`.

use std::path::Path;
use std::process::Command;

/// Runs one of the files; its output is shown if it fails.
#[track_caller]
fn run(file: &str) {
    let output = Command::new("node")
        .args(["--test", "--test-reporter=spec"])
        .arg(Path::new("tests/dashboard").join(file))
        .env("KAGIYA_TEST_BINARY", env!("CARGO_BIN_EXE_kagiya"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(
        output.status.success(),
        "{file}\n{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[ignore = "needs Node and Chromium: run by the CI"]
fn members_admins_and_operators_go_their_ways() {
    run("way.test.mjs");
}

#[test]
#[ignore = "needs Node and Chromium, and takes minutes: run by the CI"]
fn every_page_looks_as_it_should() {
    run("looks.test.mjs");
}

#[test]
#[ignore = "needs Node and Chromium: run by the CI"]
fn people_sign_in_at_a_real_provider() {
    run("providers.test.mjs");
}
