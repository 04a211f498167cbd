//! `kagiya doctor`: each check fails where it should, names a remedy, and nothing else fails with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::{Home, ISSUER, Serving};
use crate::support::database::{block_on, execute, open};

/// A home whose server ran and stopped: whole, but for nobody serving.
fn settled() -> Home {
    let home = Home::new();
    let server = home.serve();
    whole(&server);
    home.shop();
    server.stop("TERM");
    home
}

/// Waits until the keys that are made beside the requests are there.
fn whole(server: &Serving) {
    loop {
        let set = server.ask("GET", "/.well-known/jwks.json", &[]).1;
        if set["keys"].as_array().unwrap().len() == 6 {
            return;
        }
        std::thread::yield_now();
    }
}

/// The names of what failed, each with a remedy; the exit code goes with it.
fn failed(home: &Home, arguments: &[&str]) -> Vec<String> {
    let answer = home.kagiya(&[&["doctor", "--json"], arguments].concat());
    let report: Value = serde_json::from_str(&answer.out).expect("a report");
    let failed: Vec<String> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["state"] == "failed")
        .map(|check| {
            let remedy = check["remedy"].as_str().unwrap_or_default();
            assert!(remedy.len() > 10, "{check}");
            check["check"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(report["ok"], failed.is_empty());
    assert_eq!(answer.code, Some(i32::from(!failed.is_empty())), "{report}");
    failed
}

fn change(home: &Home, statement: &'static str) {
    let url = format!("sqlite:{}", home.path("kagiya-data/kagiya.db").display());
    block_on(async {
        let store = open(&url).unwrap();
        store
            .write(move |tx| execute(tx, statement).map(drop))
            .await
            .unwrap();
        store.close().await;
    });
}

#[test]
fn a_healthy_server_passes_every_check() {
    let home = Home::new();
    let server = home.start(&["--listen", "127.0.0.1:0"]);
    whole(&server);
    let report = home.kagiya(&["doctor", "--json"]).json();
    assert_eq!(report["ok"], true, "{report}");
    let mut names = Vec::new();
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["state"], "ok", "{check}");
        names.push(check["check"].as_str().unwrap());
    }
    let expected = [
        "folder_modes",
        "free_disk",
        "database",
        "migrations",
        "root_secret",
        "clock",
        "signing_keys",
        "issuer",
        "forward_auth",
        "trusted_proxies",
        "identity_provider",
    ];
    assert_eq!(names, expected);
    let text = home.kagiya(&["doctor"]).done();
    assert_eq!(text.lines().count(), expected.len(), "{text}");
}

#[test]
fn without_a_server_the_issuer_is_a_warning_alone() {
    let home = settled();
    assert_eq!(failed(&home, &[]), [""; 0]);
    let text = home.kagiya(&["doctor"]).done();
    assert!(text.contains("WARNING  issuer"), "{text}");
    assert!(text.contains("→ start kagiya serve"), "{text}");
}

#[test]
fn what_is_open_to_others_is_found() {
    let home = settled();
    let (folder, secret) = ("kagiya-data", "kagiya-data/root-secret");
    for (name, wrong, right) in [(folder, 0o755, 0o700), (secret, 0o644, 0o600)] {
        let path = home.path(name);
        fs::set_permissions(&path, PermissionsExt::from_mode(wrong)).unwrap();
        assert_eq!(failed(&home, &[]), ["folder_modes"]);
        fs::set_permissions(&path, PermissionsExt::from_mode(right)).unwrap();
    }
    assert_eq!(failed(&home, &[]), [""; 0]);
}

#[test]
fn a_root_secret_that_is_missing_or_does_not_match_is_found() {
    let mut home = settled();
    let file = home.path("kagiya-data/root-secret");
    let secret = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert_eq!(failed(&home, &[]), ["root_secret"]);
    fs::write(&file, secret).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(failed(&home, &[]), [""; 0]);
    home.set(
        "KAGIYA_ROOT_SECRET",
        "a root secret that belongs to another database",
    );
    assert_eq!(failed(&home, &[]), ["root_secret"]);
}

#[test]
fn migrations_to_come_and_those_of_a_newer_version_are_found() {
    let home = settled();
    change(
        &home,
        "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')",
    );
    assert_eq!(failed(&home, &[]), ["migrations"]);
    change(
        &home,
        "DELETE FROM __diesel_schema_migrations WHERE version IN ('99990101000000', (SELECT max(version) FROM __diesel_schema_migrations WHERE version < '9999'))",
    );
    assert_eq!(failed(&home, &[]), ["migrations"]);
}

#[test]
fn a_clock_before_the_newest_change_is_found() {
    let home = settled();
    change(&home, "UPDATE audit_events SET at = at + 86400000000");
    assert_eq!(failed(&home, &[]), ["clock"]);
}

#[test]
fn a_missing_next_signing_key_is_found() {
    let home = settled();
    change(
        &home,
        "DELETE FROM signing_keys WHERE state = 'next' AND alg = 'ES256'",
    );
    assert_eq!(failed(&home, &[]), ["signing_keys"]);
}

#[test]
fn an_issuer_that_is_not_reached_or_leads_elsewhere_is_found() {
    // Nothing listens there: the port is free again.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let home = Home::new();
    let server = home.start(&["--listen", "127.0.0.1:0", "--issuer", &nowhere]);
    whole(&server);
    assert_eq!(failed(&home, &[]), ["issuer"]);
    let other = Home::new();
    let issuer = format!("http://{}", server.address);
    let stranger = other.start(&["--listen", "127.0.0.1:0", "--issuer", &issuer]);
    whole(&stranger);
    let report = other.kagiya(&["doctor"]);
    assert!(report.out.contains("leads elsewhere"), "{report:?}");
    assert_eq!(failed(&other, &[]), ["issuer"]);
    // And one that is configured otherwise than it was recorded.
    let home = settled();
    assert_eq!(
        failed(&home, &["--issuer", "http://127.0.0.1:1"]),
        ["issuer"]
    );
    assert_eq!(failed(&home, &["--issuer", ISSUER]), [""; 0]);
}

#[test]
fn a_proxy_that_is_not_trusted_is_found() {
    let home = Home::new();
    let issuer = "https://keys.example.com";
    let server = home.start(&["--listen", "127.0.0.1:0", "--issuer", issuer]);
    whole(&server);
    server.stop("TERM");
    assert_eq!(failed(&home, &["--issuer", issuer]), ["trusted_proxies"]);
    let mut home = home;
    home.set("KAGIYA_TRUSTED_PROXIES", "10.1.2.3");
    assert_eq!(failed(&home, &["--issuer", issuer]), [""; 0]);
    home.unset();
    home.set("KAGIYA_TRUSTED_PROXIES", "198.0.0.0/8");
    let text = home.kagiya(&["doctor", "--issuer", issuer]).done();
    assert!(text.contains("WARNING  trusted_proxies"), "{text}");
}

#[test]
fn a_certificate_that_cannot_be_used_is_found() {
    let mut home = settled();
    home.set("KAGIYA_TLS_CERT", "cert.pem");
    home.set("KAGIYA_TLS_KEY", "key.pem");
    assert_eq!(failed(&home, &[]), ["certificate"]);
}

#[test]
fn too_little_disk_is_found() {
    let home = settled();
    assert_eq!(failed(&home, &["--min-free", "1000000000"]), ["free_disk"]);
}

#[test]
fn no_database_is_found_and_none_is_made() {
    let home = Home::new();
    fs::create_dir(home.path("kagiya-data")).unwrap();
    let folder = home.path("kagiya-data");
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    assert_eq!(failed(&home, &[]), ["database"]);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}
