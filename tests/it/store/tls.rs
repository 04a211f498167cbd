//! TLS to PostgreSQL: with the root that signed the server's certificate, and with no other.

use crate::support::database::{number, open, postgres_url};

/// The PEM file with the root under which the server's certificate is signed (`.ci/run` makes both).
#[expect(
    clippy::disallowed_methods,
    reason = "a variable of the tests, not of the program"
)]
fn root() -> String {
    std::env::var("KAGIYA_TEST_POSTGRES_ROOT_CERT").expect("KAGIYA_TEST_POSTGRES_ROOT_CERT")
}

#[tokio::test]
#[ignore = "needs a PostgreSQL with TLS, and the root of its certificate in KAGIYA_TEST_POSTGRES_ROOT_CERT"]
async fn a_server_is_known_by_the_root_that_the_url_names() {
    let server = postgres_url().expect("KAGIYA_TEST_POSTGRES_URL");
    let base = server.split('?').next().unwrap();
    for mode in ["require", "verify-full"] {
        let store = open(&format!("{base}?sslmode={mode}&sslrootcert={}", root())).unwrap();
        let query =
            "SELECT count(*) AS number FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";
        let encrypted = store
            .read(move |connection| number(connection, query))
            .await
            .unwrap();
        assert_eq!(encrypted, 1);
        store.close().await;
    }
    // The public roots did not sign it, and the name must be the certificate's.
    let stranger = open(&format!("{base}?sslmode=require"));
    assert!(stranger.is_err());
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.pem");
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    std::fs::write(&other, params.self_signed(&key).unwrap().pem()).unwrap();
    let stranger = open(&format!(
        "{base}?sslmode=require&sslrootcert={}",
        other.display()
    ));
    assert!(stranger.is_err());
}
