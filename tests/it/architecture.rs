//! The floors of the house, held by reading the sources: a module imports only from lower floors, siblings on one floor
//! are strangers, and each outside library, the clock and the random source have the one place that `docs/ARCHITECTURE.md`
//! gives them. Also what a file looks like: it opens by saying what it is, and it is short.
//!
//! It reads paths as they are written. What hides one (a glob, a renamed `crate`) is refused instead of followed.

use std::fs;
use std::path::Path;

mod paths;

/// Every module at the root of the crate and the floor it stands on.
const FLOORS: [(&str, u8); 12] = [
    ("cli", 8),
    ("server", 7),
    ("app", 6),
    ("dashboard", 6),
    ("http", 5),
    ("broker", 4),
    ("idp", 3),
    ("store", 2),
    ("token", 2),
    ("telemetry", 2),
    ("config", 1),
    ("domain", 0),
];

/// Libraries that only some places may name: the start of the crate's name, then those places.
const LIBRARIES: [(&str, &[&str]); 9] = [
    ("diesel", &["src/store/"]),
    ("libsqlite3_sys", &["src/store/"]),
    ("r2d2", &["src/store/"]),
    ("tokio_postgres", &["src/store/"]),
    (
        "actix",
        &[
            "src/http/",
            "src/dashboard/",
            "src/server.rs",
            "src/server/",
            "src/cli/",
        ],
    ),
    ("clap", &["src/cli/", "src/main.rs"]),
    ("rand", &["src/domain/random.rs"]),
    ("getrandom", &["src/domain/random.rs"]),
    ("jsonwebtoken", &["src/token/", "src/idp/"]),
];

/// Calls that have one place, by how their path ends.
const CALLS: [([&str; 2], &str); 4] = [
    (["SystemTime", "now"], "src/domain/clock.rs"),
    (["Timestamp", "now"], "src/domain/clock.rs"),
    (["Zoned", "now"], "src/domain/clock.rs"),
    (["rand", "fill"], "src/domain/random.rs"),
];

#[test]
fn every_module_imports_only_from_lower_floors() {
    let offences: Vec<String> = sources("src")
        .iter()
        .flat_map(|(file, text)| offences(file, text))
        .collect();
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

#[test]
fn every_file_opens_by_saying_what_it_is() {
    let silent: Vec<String> = ["src", "tests", "examples", "benches", "bench"]
        .into_iter()
        .flat_map(sources)
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(file, _)| file)
        .collect();
    assert!(
        silent.is_empty(),
        "these do not start with `//!`: {}",
        silent.join(", ")
    );
}

#[test]
fn files_are_short() {
    let mut lengths: Vec<(usize, String)> = sources("src")
        .into_iter()
        .map(|(file, text)| (text.lines().count(), file))
        .collect();
    lengths.sort();
    let (median, tenth) = (
        &lengths[lengths.len() / 2],
        &lengths[lengths.len() * 9 / 10],
    );
    // One module holds what diesel's macros must know of all tables at once.
    let longest = lengths
        .iter()
        .rfind(|(_, file)| file != "src/store/schema.rs");
    let longest = longest.expect("src has files");
    assert!(
        median.0 <= 150,
        "the median file has {} lines: {}",
        median.0,
        median.1
    );
    assert!(
        tenth.0 <= 400,
        "one file in ten is longer than 400 lines, from {} ({})",
        tenth.1,
        tenth.0
    );
    assert!(
        longest.0 <= 600,
        "{} has {} lines; split it",
        longest.1,
        longest.0
    );
}

#[test]
fn an_offender_is_caught() {
    let broker = "src/broker/keys.rs";
    let store = "src/store/keys.rs";
    for (file, text) in [
        ("src/domain/id.rs", "use crate::store::Store;"),
        (store, "fn f() { crate::token::mint() }"),
        (store, "use crate::{domain::id, token::{self, Claims}};"),
        (store, "use super::super::token::mint;"),
        ("src/telemetry.rs", "use super::broker;"),
        (
            "src/telemetry.rs",
            "mod tests { use super::super::broker; }",
        ),
        ("src/app.rs", "use crate::dashboard::pages;"),
        (broker, "use crate::*;"),
        (broker, "use crate::helpers::f;"),
        ("src/helpers.rs", ""),
        (broker, "use diesel::prelude::*;"),
        (broker, "#[diesel(table_name = x)] struct Row;"),
        (broker, "use ::diesel_async::RunQueryDsl;"),
        (broker, "async fn f(r: actix_web::HttpRequest) {}"),
        (broker, "let t = jiff::Timestamp::now();"),
        (broker, "let t = std::time::SystemTime::now();"),
        (broker, "let r = rand::rng();"),
        ("src/token/mint.rs", "aws_lc_rs::rand::fill(&mut b)"),
    ] {
        assert!(!offences(file, text).is_empty(), "{file} may say `{text}`");
    }
}

#[test]
fn an_honest_file_is_left_alone() {
    let honest = r##"
        //! See [`crate::broker`], which uses this.
        use crate::domain::{id::KeyId, scope::{self, ScopeSet}};
        use crate::{config, domain};
        use super::super::store::keys;
        /* crate::cli /* nested */ diesel */
        const TEXT: &str = "crate::server \" actix_web";
        const RAW: &str = r#"rand::rng() " "#;
        fn f<'a>(c: char) -> bool { c == '"' || c == '\'' || self.rand.is_some() }
        pub(crate) fn g() { aws_lc_rs::rand::SystemRandom::new(); clock.now(); }
        mod tests { use super::*; fn f() { if true {} } }
    "##;
    assert_eq!(
        offences("src/store/postgres/listen.rs", honest),
        Vec::<String>::new()
    );
    assert_eq!(
        offences(
            "src/config/mod.rs",
            "mod token; mod tests { use super::token::Token; }"
        ),
        Vec::<String>::new()
    );
}

/// What is wrong with `text` as the content of `file` (a path from the root of the repository, with `/`).
fn offences(file: &str, text: &str) -> Vec<String> {
    if matches!(file, "src/lib.rs" | "src/main.rs") {
        return Vec::new();
    }
    let modules = paths::modules_of(file);
    let home = modules[0];
    let Some(here) = floor(home) else {
        return vec![format!(
            "{file}: the module `{home}` has no floor; give it one in tests/it/architecture.rs"
        )];
    };
    let mut found = Vec::new();
    for named in paths::in_source(text) {
        let path = &named.path;
        let written = path.join("::");
        let target = named.below_the_root(modules.len());
        if let Some(target) = target.filter(|target| *target != home) {
            match floor(target) {
                Some(there) if there < here => {}
                Some(there) => found.push(format!(
                    "{file} (floor {here}) names `{written}` (floor {there})"
                )),
                None => found.push(format!("{file} names `{written}`: no module with a floor")),
            }
        }
        for (library, places) in LIBRARIES {
            let its_own = path[0] == library || path[0].starts_with(&format!("{library}_"));
            let variable = path.len() == 1 && library != "diesel";
            if its_own && !variable && !places.iter().any(|place| file.starts_with(place)) {
                found.push(format!(
                    "{file} names `{written}`: only in {}",
                    places.join(", ")
                ));
            }
        }
        for (end, place) in CALLS {
            let ends = path.len() >= 2 && path[path.len() - 2..] == end;
            if ends && file != place {
                found.push(format!("{file} names `{written}`: only in {place}"));
            }
        }
    }
    found
}

fn floor(module: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, floor)| *floor)
}

/// Every `.rs` file below `folder`, sorted, with its text; nothing when there is no such folder.
fn sources(folder: &str) -> Vec<(String, String)> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<(String, String)>) {
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for path in entries.map(|entry| entry.expect("a readable folder").path()) {
            if path.is_dir() {
                walk(root, &path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(root)
                    .expect("below the root")
                    .to_string_lossy()
                    .replace('\\', "/");
                found.push((
                    name,
                    fs::read_to_string(&path).expect("a source file is UTF-8"),
                ));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(root, &root.join(folder), &mut found);
    found.sort();
    found
}
