//! `kagiya serve` beyond loopback: TLS, its certificate replaced while it serves, figures on a port of their own.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Home, PATIENCE, Serving, ask};
use crate::support::certificates::Authority;

/// Where certificate and key lie.
fn files(home: &Home) -> (PathBuf, PathBuf) {
    (home.path("cert.pem"), home.path("key.pem"))
}

fn serve(home: &Home) -> Serving {
    let issuer = "https://localhost:8443";
    let pair = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let line = ["--listen", "127.0.0.1:0", "--issuer", issuer];
    home.start(&[&line[..], &pair].concat())
}

/// Asks until it is answered, on a connection of its own each time.
#[expect(
    clippy::disallowed_methods,
    reason = "measures how long a test has waited"
)]
async fn reached(authority: &Authority, url: &str) {
    let begun = Instant::now();
    while authority.client().get(url).send().await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "{url} is not reached");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Serving {
    /// Waits until it says something with `part` in it.
    fn says(&self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect(part);
            if line.contains(part) {
                return line;
            }
        }
    }
}

#[tokio::test]
async fn with_a_certificate_it_serves_by_tls_alone_and_commands_reach_it() {
    let home = Home::new();
    let authority = Authority::new();
    let (cert, key) = files(&home);
    authority.pair().write(&cert, &key);
    let server = serve(&home);
    let base = format!("https://localhost:{}", server.address.port());
    assert!(
        server.said.contains(&format!("https://{}", server.address)),
        "{}",
        server.said
    );
    let client = authority.client();
    let page = client.get(format!("{base}/docs")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers().contains_key("strict-transport-security"));

    home.shop();
    let issued = home.key();
    let traded = client
        .post(format!("{base}/v1/token"))
        .header("X-API-Key", issued["key"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(traded.status(), 200);

    // Another authority is not believed, and without TLS there is no answer.
    let stranger = Authority::new().client();
    assert!(stranger.get(format!("{base}/livez")).send().await.is_err());
    let plain = format!("http://localhost:{}/livez", server.address.port());
    let plain = client.get(plain).send().await;
    assert!(plain.is_err(), "{plain:?}");
}

#[tokio::test]
async fn a_new_certificate_serves_without_a_restart_and_open_connections_go_on() {
    let home = Home::new();
    let (first, second) = (Authority::new(), Authority::new());
    let (cert, key) = files(&home);
    first.pair().write(&cert, &key);
    let server = serve(&home);
    let live = format!("https://localhost:{}/livez", server.address.port());
    let kept = first.client();
    let answer = kept.get(&live).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "ok\n");

    second.pair().write(&cert, &key);
    reached(&second, &live).await;
    // The first authority is good for no new connection, so this one is the old one.
    let answer = kept.get(&live).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "ok\n");
    assert!(first.client().get(&live).send().await.is_err());
    // Commands know the new one too.
    home.shop();

    // A key that belongs to another certificate, then half a file: the pair from before goes on.
    std::fs::write(&key, first.pair().key).unwrap();
    let said = server.says("cannot be used");
    assert!(
        said.contains("does not belong to the certificate"),
        "{said}"
    );
    std::fs::write(&cert, "-----BEGIN CERTIFICATE-----\nMIIB").unwrap();
    let said = server.says("cannot be used");
    assert!(said.contains("cert.pem"), "{said}");
    reached(&second, &live).await;

    // And a good pair after that is taken.
    first.pair().write(&cert, &key);
    reached(&first, &live).await;
}

#[test]
fn a_pair_that_cannot_be_used_stops_the_start() {
    let home = Home::new();
    let authority = Authority::new();
    let (cert, key) = files(&home);
    authority.pair().write(&cert, &key);
    std::fs::write(&key, authority.pair().key).unwrap();
    let line = ["serve", "--listen", "127.0.0.1:0", "--tls-cert", "cert.pem"];
    let pair = [&line[..], &["--tls-key", "key.pem"]].concat();
    let said = home.kagiya(&pair).refused();
    assert!(
        said.contains("does not belong to the certificate"),
        "{said}"
    );
    std::fs::remove_file(&key).unwrap();
    let said = home.kagiya(&pair).refused();
    assert!(said.contains("key.pem cannot be read"), "{said}");
    let said = home.kagiya(&line).refused();
    assert!(
        said.contains("must be given together with tls.cert"),
        "{said}"
    );
}

#[test]
fn beyond_loopback_it_says_what_is_missing() {
    let home = Home::new();
    let beyond = ["serve", "--listen", "0.0.0.0:0"];
    let said = home.kagiya(&beyond).refused();
    for word in ["--tls-cert", "trusted_proxies", "insecure_http"] {
        assert!(said.contains(word), "{said}");
    }
    let (cert, key) = files(&home);
    Authority::new().pair().write(&cert, &key);
    let tls = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    for enough in [&tls[..], &["--insecure-http"]] {
        let said = home.kagiya(&[&beyond[..], enough].concat()).refused();
        assert!(said.contains("the issuer must be given"), "{said}");
    }
    let plain = ["--insecure-http", "--issuer", "http://keys.example.com"];
    let answer = home.kagiya(&[&beyond[..], &plain].concat());
    assert_eq!(answer.code, Some(2), "{answer:?}");
    assert!(answer.err.contains("must use https"), "{answer:?}");
    assert!(!home.path("kagiya-data").exists());
}

#[test]
fn figures_and_probes_have_an_address_of_their_own_if_wished() {
    let home = Home::new();
    let server = home.start(&["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
    let (_, rest) = server.said.split_once("metrics      http://").unwrap();
    let (address, _) = rest.split_once("/metrics").unwrap();
    let operators = address.parse().unwrap();
    for (path, there, here) in [
        ("/metrics", 200, 404),
        ("/livez", 200, 200),
        ("/readyz", 200, 200),
        ("/v1/keys", 404, 401),
        ("/.well-known/jwks.json", 404, 200),
    ] {
        let line = format!("GET {path}");
        assert_eq!(ask(operators, &line, &[], "").0, there, "{path}");
        assert_eq!(server.ask("GET", path, &[]).0, here, "{path}");
    }
    server.stop("TERM");
    assert!(std::net::TcpStream::connect(operators).is_err());
}
