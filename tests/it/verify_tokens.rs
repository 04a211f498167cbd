//! The verifiers of `docs/verify-tokens.md`, run as they stand against a running kagiya: jose on Node and PyJWT on Python know
//! nothing of us but the JWK set.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::process::{Answer, Place, Wire};
use crate::support::test_app::{ISSUER, claims, jose_header};

/// An audience for each algorithm.
const AUDIENCES: [(&str, &str); 3] = [
    ("ES256", "https://es256.example.com"),
    ("RS256", "https://rs256.example.com"),
    ("EdDSA", "https://eddsa.example.com"),
];

#[tokio::test]
#[ignore = "needs Node and jose: run by the CI"]
async fn jose_on_node_accepts_our_tokens_and_no_others() {
    let script = folder().join("verify.mjs");
    Verifier::new("node".into(), script).judges_rightly().await;
}

#[tokio::test]
#[ignore = "needs Python and PyJWT: run by the CI"]
async fn pyjwt_on_python_accepts_our_tokens_and_no_others() {
    let (program, script) = (
        folder().join(".venv/bin/python"),
        folder().join("verify.py"),
    );
    Verifier::new(program, script).judges_rightly().await;
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify")
}

/// A program that verifies a token.
struct Verifier {
    program: PathBuf,
    script: PathBuf,
}

/// What it is told.
#[derive(Clone)]
struct Case<'a> {
    jwks: &'a str,
    issuer: &'a str,
    audience: &'a str,
    scope: &'a str,
    token: String,
}

impl Verifier {
    fn new(program: PathBuf, script: PathBuf) -> Self {
        Self { program, script }
    }

    async fn judges_rightly(&self) {
        let place = Place::on_sqlite();
        let mut server = place.spawn();
        let address = server.address().await;
        let wire = Wire {
            address,
            token: place.operator_token(),
        };
        let key = key(&wire).await;
        let jwks = format!("http://{address}/.well-known/jwks.json");
        let mut good = Vec::new();
        for (algorithm, audience) in AUDIENCES {
            let traded = whole(wire.trade(&key.text("key"), audience).await, 200);
            let token = traded.text("access_token");
            assert_eq!(jose_header(&token)["alg"], algorithm);
            let right = Case {
                jwks: &jwks,
                issuer: ISSUER,
                audience,
                scope: "write:thing",
                token,
            };
            let accepted = self.accepts(&right);
            assert_eq!(accepted["sub"], key.json["id"]);
            assert_eq!(accepted, claims(&right.token));
            self.refuses(
                "a wrong audience",
                &Case {
                    audience: "https://other.example.com",
                    ..right.clone()
                },
            );
            self.refuses(
                "a wrong issuer",
                &Case {
                    issuer: "https://other.test",
                    ..right.clone()
                },
            );
            self.refuses(
                "a missing scope",
                &Case {
                    scope: "write",
                    ..right.clone()
                },
            );
            for (part, what) in [
                "a tampered header",
                "tampered claims",
                "a tampered signature",
            ]
            .into_iter()
            .enumerate()
            {
                let token = tampered(&right.token, part);
                self.refuses(
                    what,
                    &Case {
                        token,
                        ..right.clone()
                    },
                );
            }
            good.push(right);
        }
        let path = format!("/v1/keys/{}", key.text("id"));
        whole(wire.manage(("DELETE", &path), None, None).await, 204);
        for revoked in &good {
            self.refuses("a token of a revoked key", revoked);
        }
    }

    fn accepts(&self, case: &Case<'_>) -> Value {
        let output = self.run(case);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{} refuses {}: {errors}",
            self.script.display(),
            case.audience
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refuses(&self, what: &str, case: &Case<'_>) {
        let output = self.run(case);
        let reason = String::from_utf8_lossy(&output.stderr);
        let script = self.script.display();
        assert_eq!(output.status.code(), Some(1), "{script}, {what}: {reason}");
        assert!(output.stdout.is_empty(), "{script}, {what}");
        // One line is a refusal; more are the trace of a program that broke.
        assert_eq!(reason.lines().count(), 1, "{script}, {what}: {reason}");
    }

    fn run(&self, case: &Case<'_>) -> Output {
        let mut program = Command::new(&self.program)
            .arg(&self.script)
            .args([case.jwks, case.issuer, case.audience, case.scope])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{}: {error}; docs/CONTRIBUTING.md says what to install",
                    self.program.display()
                )
            });
        // A program that broke before it read says so itself.
        let _ = program
            .stdin
            .take()
            .unwrap()
            .write_all(case.token.as_bytes());
        program.wait_with_output().unwrap()
    }
}

/// A key with the permission at every audience.
async fn key(wire: &Wire) -> Answer {
    let organization = json!({"name": "Acme"});
    let organization = whole(
        wire.manage(("POST", "/v1/organizations"), None, Some(&organization))
            .await,
        201,
    );
    for (algorithm, audience) in AUDIENCES {
        let resource = json!({
            "identifier": audience, "signing_alg": algorithm, "permissions": [{"name": "write:thing"}, {"name": "read:thing"}],
        });
        whole(
            wire.manage(("POST", "/v1/resources"), None, Some(&resource))
                .await,
            201,
        );
    }
    let permissions = AUDIENCES.map(
        |(_, audience)| json!({"resource": audience, "scopes": ["write:thing", "read:thing"]}),
    );
    let key = json!({"name": "verified", "organization_id": organization.text("id"), "permissions": permissions});
    whole(
        wire.manage(("POST", "/v1/keys"), None, Some(&key)).await,
        201,
    )
}

fn whole(answer: Option<Answer>, status: u16) -> Answer {
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, status, "{}", answer.json);
    answer
}

/// The token with another letter in the middle of one of its three parts.
fn tampered(token: &str, part: usize) -> String {
    let mut parts: Vec<Vec<u8>> = token
        .split('.')
        .map(|part| part.as_bytes().to_vec())
        .collect();
    let middle = parts[part].len() / 2;
    parts[part][middle] = if parts[part][middle] == b'A' {
        b'B'
    } else {
        b'A'
    };
    String::from_utf8(parts.join(&b'.')).unwrap()
}
