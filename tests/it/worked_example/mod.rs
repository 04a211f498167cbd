//! The worked example with real processes: kagiya, the payment service and the gateway, each on a port of its own; and the documents
//! that walk through it, whose every line is run.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod cart_service;
mod document;
mod gateway_process;
mod lag;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::cli::{Home, ISSUER, PAYMENT, Serving, ask};

#[expect(dead_code, reason = "its main runs where it is an example")]
#[path = "../../../examples/payment_service.rs"]
pub(crate) mod payment_service;

#[expect(dead_code, reason = "its main runs where it is an example")]
#[path = "../../../examples/gateway.rs"]
mod gateway;

/// What an example is told, when this program is run as one.
const ARGUMENTS: &str = "EXAMPLE_ARGUMENTS";

/// No test: what [`Example`] runs in a process of its own, so that it is the example as it is now.
#[test]
#[ignore = "it is a process of other tests"]
#[expect(
    clippy::disallowed_methods,
    reason = "told so by the test that runs it"
)]
fn as_the_payment_service() {
    if let Ok(arguments) = std::env::var(ARGUMENTS) {
        payment_service::run(arguments.split(' ').map(str::to_owned)).unwrap();
    }
}

/// The same for the gateway.
#[test]
#[ignore = "it is a process of other tests"]
#[expect(
    clippy::disallowed_methods,
    reason = "told so by the test that runs it"
)]
fn as_the_gateway() {
    if let Ok(arguments) = std::env::var(ARGUMENTS) {
        gateway::run(arguments.split(' ').map(str::to_owned)).unwrap();
    }
}

/// An example in a process of its own, until it is dropped.
pub(crate) struct Example {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Example {
    /// The payment service, for the tokens of this server.
    pub(crate) fn payments(server: &Serving) -> Self {
        let well_known = format!("http://{}/.well-known", server.address);
        let arguments = format!("{ISSUER} 127.0.0.1:0 {well_known}");
        Self::start("as_the_payment_service", &arguments, &[])
    }

    /// A gateway before another service, with what it trades tokens for.
    pub(crate) fn gateway(
        server: &Serving,
        behind: SocketAddr,
        resource: &str,
        client: &Client,
    ) -> Self {
        let arguments = format!(
            "http://{} 127.0.0.1:0 http://{behind} {resource}",
            server.address
        );
        let variables = [
            ("GATEWAY_CLIENT_ID", client.id.as_str()),
            ("GATEWAY_CLIENT_SECRET_FILE", &client.file),
        ];
        Self::start("as_the_gateway", &arguments, &variables)
    }

    fn start(name: &str, arguments: &str, variables: &[(&str, &str)]) -> Self {
        let name = format!("worked_example::{name}");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--ignored", "--nocapture"])
            .env(ARGUMENTS, arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("it serves").unwrap();
            let words = line.split_once(" on http://").map(|(_, rest)| rest);
            if let Some(address) = words {
                break address.split(',').next().unwrap().parse().unwrap();
            }
        };
        // Whatever it says further must find a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// One request with this token; the status and the body.
    pub(crate) fn ask(&self, line: &str, token: &str, body: &str) -> (u16, Value) {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("Authorization", &*bearer),
            ("Content-Type", "application/json"),
        ];
        ask(self.address, line, &headers, body)
    }

    /// Pays.
    pub(crate) fn pay(&self, token: &str) -> (u16, Value) {
        self.ask("POST /payments", token, &payment().to_string())
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // Where it has ended already there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is paid.
pub(crate) fn payment() -> Value {
    json!({"amount": 42, "currency": "EUR"})
}

/// An application, with its secret in a file.
pub(crate) struct Client {
    pub(crate) id: String,
    file: String,
}

impl Client {
    /// Makes one that holds this.
    pub(crate) fn make(home: &Home, name: &str, permissions: &[(&str, &str)]) -> Self {
        let file = format!("{name}.secret");
        let mut line = vec!["applications", "create", name, "--output", &file, "--json"];
        let role = (!permissions.is_empty()).then(|| {
            let mut role = vec![
                "roles",
                "create",
                name,
                "--kind",
                "machine_to_machine",
                "--json",
            ];
            for (resource, scopes) in permissions {
                role.extend(["--permission", resource, scopes]);
            }
            home.kagiya(&role).json()["id"].as_str().unwrap().to_owned()
        });
        if let Some(role) = &role {
            line.extend(["--role", role]);
        }
        let made = home.kagiya(&line).json();
        Self {
            id: made["id"].as_str().unwrap().to_owned(),
            file: home.path(&file).to_str().unwrap().to_owned(),
        }
    }

    /// Asks the token endpoint for something.
    pub(crate) fn token(&self, server: &Serving, form: &[(&str, &str)]) -> (u16, Value) {
        self.post(server, "/oauth/token", form)
    }

    /// Ends a token.
    pub(crate) fn revoke(&self, server: &Serving, token: &str) {
        let (status, answer) = self.post(server, "/oauth/revoke", &[("token", token)]);
        assert_eq!(status, 200, "{answer}");
    }

    fn post(&self, server: &Serving, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        use base64::Engine as _;
        let secret = std::fs::read_to_string(&self.file).unwrap();
        let pair = format!("{}:{}", self.id, secret.trim_end());
        let pair = base64::engine::general_purpose::STANDARD.encode(pair);
        let headers = [
            ("Authorization", &*format!("Basic {pair}")),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        ask(server.address, &format!("POST {path}"), &headers, &body)
    }

    /// A token for itself.
    pub(crate) fn granted(&self, server: &Serving, resource: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("resource", resource)];
        access_token(self.token(server, &form))
    }

    /// What it gets for a token.
    pub(crate) fn trade(&self, server: &Serving, token: &str, resource: &str) -> (u16, Value) {
        let form = [
            ("grant_type", crate::oauth::exchange::GRANT),
            ("subject_token", token),
            ("subject_token_type", crate::oauth::exchange::ACCESS_TOKEN),
            ("resource", resource),
        ];
        self.token(server, &form)
    }
}

/// The token of an answer that must have one.
#[track_caller]
pub(crate) fn access_token((status, answer): (u16, Value)) -> String {
    assert_eq!(status, 200, "{answer}");
    answer["access_token"].as_str().unwrap().to_owned()
}

/// Lets an application trade.
pub(crate) fn rule(home: &Home, client: &Client, from: (&str, &str), to: (&str, &str)) -> String {
    let line = [
        "exchange-rules",
        "create",
        "--application",
        &client.id,
        "--from",
        from.0,
        "--requires",
        from.1,
        "--to",
        to.0,
        "--scopes",
        to.1,
        "--json",
    ];
    home.kagiya(&line).json()["id"].as_str().unwrap().to_owned()
}

/// The payment API and what may be done there.
pub(crate) const PAY: (&str, &str) = (PAYMENT, "write:payment");
