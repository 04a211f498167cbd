//! The program itself, as people and scripts run it: a process, a working directory of its own, ports that the system gives.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod backup;
mod commands;
mod demo;
mod doctor;
mod keys;
mod lock;
mod oauth;
mod offline;
mod serve;
mod storage;
mod tenancy;
mod tls;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub(crate) const KAGIYA: &str = env!("CARGO_BIN_EXE_kagiya");
/// The issuer of every server here: the port differs from start to start, the issuer must not.
pub(crate) const ISSUER: &str = "http://127.0.0.1:8787";
/// The payment service of the worked example.
pub(crate) const PAYMENT: &str = "https://payment.example.com/api";

/// Longer than anything here takes, so that what hangs fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A working directory with nothing in it, and no variables but those that a test sets.
pub(crate) struct Home {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A server that runs until it is dropped.
pub(crate) struct Serving {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What it said when it stood.
    pub(crate) said: String,
    lines: Receiver<String>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        }
    }

    /// With a variable from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Without any variable from now on.
    pub(crate) fn unset(&mut self) {
        self.variables.clear();
    }

    /// A file or folder here.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program to its end.
    pub(crate) fn kagiya(&self, arguments: &[&str]) -> Answer {
        self.kagiya_with(arguments, "")
    }

    /// The same with something on standard input.
    pub(crate) fn kagiya_with(&self, arguments: &[&str], input: &str) -> Answer {
        let mut command = assert_cmd::Command::from_std(self.command(KAGIYA));
        let output = command
            .args(arguments)
            .write_stdin(input)
            .timeout(PATIENCE)
            .output()
            .unwrap();
        Answer {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a line as a shell does.
    pub(crate) fn shell(&self, line: &str) -> Answer {
        let output = self.command("sh").args(["-c", line]).output().unwrap();
        Answer {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts a server on a free port and waits until it says that it serves.
    pub(crate) fn serve(&self) -> Serving {
        self.start(&["--listen", "127.0.0.1:0", "--issuer", ISSUER])
    }

    /// Starts the program with these arguments and waits until it says that it serves.
    pub(crate) fn start(&self, arguments: &[&str]) -> Serving {
        self.start_by(KAGIYA, arguments)
    }

    /// The same by another program, which becomes it.
    pub(crate) fn start_by(&self, program: &str, arguments: &[&str]) -> Serving {
        let mut command = self.command(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        for output in [Box::new(out) as Box<dyn Read + Send>, Box::new(err)] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        let mut said = String::new();
        let is_last =
            |line: &str| line == "Ctrl-C stops it." || line.contains(r#""message":"serving""#);
        loop {
            let line = lines
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("it does not serve:\n{said}"));
            said.push_str(&line);
            said.push('\n');
            if is_last(&line) {
                break;
            }
        }
        // The address that commands go by.
        let lock = std::fs::read_to_string(self.path("kagiya-data/server.lock")).unwrap();
        let lock: Value = serde_json::from_str(&lock).unwrap();
        assert_eq!(lock["pid"], child.id());
        Serving {
            child,
            address: lock["address"].as_str().unwrap().parse().unwrap(),
            said,
            lines,
        }
    }

    /// An organization and the payment API, made by commands.
    pub(crate) fn shop(&self) {
        self.kagiya(&["organizations", "create", "Cart team", "--slug", "cart"])
            .done();
        let permissions = [
            "--permission",
            "read:payment",
            "--permission",
            "write:payment",
        ];
        let mut line = vec!["resources", "create", PAYMENT];
        line.extend(permissions);
        self.kagiya(&line).done();
    }

    /// A key of that organization.
    pub(crate) fn key(&self) -> Value {
        let line = [
            "keys",
            "create",
            "--name",
            "ci",
            "--organization",
            "cart",
            "--json",
        ];
        let permission = ["--permission", PAYMENT, "read:payment write:payment"];
        self.kagiya(&[&line[..], &permission].concat()).json()
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", env!("PATH"))
            .env("USER", "tester")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Answer {
    /// What it printed, if it did what was asked.
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// The JSON that it printed.
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.done()).unwrap()
    }

    /// What it said, if it refused (exit code 1) and answered nothing.
    pub(crate) fn refused(self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.out, "");
        self.err
    }
}

impl Serving {
    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it as an operator does, and answers all that it said after it stood.
    pub(crate) fn stop(mut self, signal: &str) -> String {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(status.unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let lines: Vec<String> = self.lines.iter().collect();
        lines.join("\n")
    }

    /// One request; the status and the body.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        ask(self.address, &format!("{method} {path}"), headers, "")
    }

    /// Trades a key for all that it may do at its default resource.
    pub(crate) fn trade(&self, key: &str) -> (u16, Value) {
        self.ask("POST", "/v1/token", &[("X-API-Key", key)])
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Where it has ended already there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request on a connection of its own.
pub(crate) fn ask(
    address: SocketAddr,
    line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, Value) {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = format!("{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// The payload of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
