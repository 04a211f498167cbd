//! A real `kagiya serve` in a process of its own, which can be killed at any moment and started again on what it left.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use kagiya::app::ServerAddress;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::database::{self, Database, number};
use super::test_app::ISSUER;

const ROOT_SECRET: &str = "the root secret of a server in a process of its own, 32 bytes and more";
/// How long a start may take on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// What outlives the process: its data folder and its database.
pub(crate) struct Place {
    folder: TempDir,
    port: AtomicU16,
    postgres: Option<(Arc<Database>, String)>,
    root_secret: String,
    variables: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn on_sqlite() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            port: AtomicU16::new(0),
            postgres: None,
            root_secret: ROOT_SECRET.to_owned(),
            variables: Vec::new(),
        }
    }

    pub(crate) fn on_postgres(server: &str) -> Self {
        let database = Database::empty_on_postgres(server);
        // By this name the sessions of dead servers are told from all others.
        let name = format!("kagiya_killed_{}", std::process::id());
        let url = format!("{}&application_name={name}", database.url());
        Self {
            folder: tempfile::tempdir().unwrap(),
            port: AtomicU16::new(0),
            postgres: Some((Arc::new(database), url)),
            root_secret: ROOT_SECRET.to_owned(),
            variables: Vec::new(),
        }
    }

    /// With a variable for the servers from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// A file or folder beside its database.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// At this port from now on, so that others find it.
    pub(crate) fn listen(&self, port: u16) {
        self.port.store(port, Ordering::SeqCst);
    }

    /// All that is in the files of the database.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let file = self.path("kagiya.db");
        let mut bytes = fs::read(&file).unwrap();
        bytes.extend(fs::read(file.with_extension("db-wal")).unwrap_or_default());
        bytes
    }

    /// With this configuration file from now on.
    pub(crate) fn configure(&self, text: &str) {
        fs::write(self.configuration(), text).unwrap();
    }

    fn configuration(&self) -> PathBuf {
        self.path("kagiya.toml")
    }

    /// With this root secret from now on, where it is given at all.
    pub(crate) fn root_secret(&mut self, root_secret: &str) {
        self.root_secret = root_secret.to_owned();
    }

    /// Another data folder on the same PostgreSQL database.
    pub(crate) fn sibling(&self) -> Self {
        let shared = self.postgres.as_ref().expect("a server on SQLite is alone");
        Self {
            folder: tempfile::tempdir().unwrap(),
            port: AtomicU16::new(0),
            postgres: Some((Arc::clone(&shared.0), shared.1.clone())),
            root_secret: self.root_secret.clone(),
            variables: self.variables.clone(),
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.postgres.is_none()
    }

    /// Runs `look` on the database. It is open only for that: what a killed server left in a SQLite file is repaired by its
    /// successor alone.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut kagiya::store::Connection) -> Result<T, kagiya::store::Error>
        + Send
        + 'static,
    ) -> T {
        if let Some((database, _)) = &self.postgres {
            return database.store.read(look).await.unwrap();
        }
        let file = self.folder.path().join("kagiya.db");
        let store = database::open(&format!("sqlite:{}", file.display())).unwrap();
        let seen = store.read(look).await.unwrap();
        store.close().await;
        seen
    }

    /// The same on what a killed server left: of SQLite files on a copy, so that its successor finds them as they are.
    pub(crate) async fn look_at_remains<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut kagiya::store::Connection) -> Result<T, kagiya::store::Error>
        + Send
        + 'static,
    ) -> T {
        if !self.is_sqlite() {
            return self.look(look).await;
        }
        let copy = tempfile::tempdir().unwrap();
        for file in ["kagiya.db", "kagiya.db-wal"] {
            let original = self.path(file);
            if original.exists() {
                fs::copy(original, copy.path().join(file)).unwrap();
            }
        }
        let file = copy.path().join("kagiya.db");
        let store = database::open(&format!("sqlite:{}", file.display())).unwrap();
        let seen = store.read(look).await.unwrap();
        store.close().await;
        seen
    }

    /// The command, with nothing of the environment's own settings.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kagiya"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KAGIYA_") {
                command.env_remove(name);
            }
        }
        command
            .env("KAGIYA_DATA_DIR", self.folder.path())
            .env("KAGIYA_ISSUER", ISSUER)
            .env(
                "KAGIYA_LISTEN",
                format!("127.0.0.1:{}", self.port.load(Ordering::SeqCst)),
            )
            .env("KAGIYA_WORKERS", "2");
        if self.configuration().exists() {
            command.env("KAGIYA_CONFIG", self.configuration());
        }
        if let Some((_, url)) = &self.postgres {
            command
                .env("KAGIYA_DATABASE_URL", url)
                .env("KAGIYA_ROOT_SECRET", &self.root_secret)
                .env("KAGIYA_SECRETS_ANNOUNCE_SECONDS", "1");
        }
        command
    }

    /// Starts a server and does not wait for it.
    pub(crate) fn spawn(&self) -> Server<'_> {
        self.spawn_as(self.command())
    }

    /// The same at this port, which is in its issuer too.
    pub(crate) fn spawn_at(&self, port: u16) -> Server<'_> {
        let mut command = self.command();
        command
            .env("KAGIYA_LISTEN", format!("127.0.0.1:{port}"))
            .env("KAGIYA_ISSUER", format!("http://127.0.0.1:{port}"));
        self.spawn_as(command)
    }

    fn spawn_as(&self, mut command: Command) -> Server<'_> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let process = command
            .arg("serve")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Server {
            process,
            place: self,
        }
    }

    /// A token of the local operator, as the command prints it.
    pub(crate) fn operator_token(&self) -> String {
        let output = self.command().args(["admin", "token"]).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kagiya admin token: {errors}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("stderr.log")
    }
}

/// A running server; killed when it is dropped.
pub(crate) struct Server<'a> {
    process: Child,
    place: &'a Place,
}

impl Server<'_> {
    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it listens.
    ///
    /// The address is read from the lock file without touching the lock: whoever probes it could be in the way of the start.
    pub(crate) async fn address(&mut self) -> SocketAddr {
        let file = self.place.folder.path().join("server.lock");
        let listens = async {
            loop {
                if let Some(status) = self.process.try_wait().unwrap() {
                    panic!(
                        "the server did not start: {status}\n{}",
                        self.place.errors()
                    );
                }
                let text = fs::read(&file).unwrap_or_default();
                match serde_json::from_slice::<ServerAddress>(&text) {
                    Ok(server) if server.pid == self.process.id() => return server.address,
                    _ => sleep(Duration::from_millis(1)).await,
                }
            }
        };
        let address = timeout(PATIENCE, listens).await;
        address.unwrap_or_else(|_| panic!("the server does not listen\n{}", self.place.errors()))
    }

    /// Whether it has not died.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// `kill -9`, and waits until the process and whatever it had begun at the database are gone.
    pub(crate) async fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        if let Some((database, _)) = &self.place.postgres {
            // PostgreSQL finishes what it had read already; before that there is no state to judge.
            let gone = async {
                while sessions(database).await > 0 {
                    sleep(Duration::from_millis(2)).await;
                }
            };
            timeout(PATIENCE, gone).await.expect("the sessions end");
        }
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        // Killed already, where the test went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Place {
    /// What the servers complained about.
    fn errors(&self) -> String {
        let text = File::open(self.log())
            .and_then(io::read_to_string)
            .unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

async fn sessions(database: &Database) -> i64 {
    let query = format!(
        "SELECT count(*) AS number FROM pg_stat_activity WHERE application_name = 'kagiya_killed_{}'",
        std::process::id()
    );
    database
        .store
        .read(move |connection| number(connection, &query))
        .await
        .unwrap()
}

/// A whole answer. Half of one is none: the caller cannot know what it said.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) json: Value,
}

impl Answer {
    /// A member of the body that is a text.
    pub(crate) fn text(&self, member: &str) -> String {
        let text = self.json[member].as_str();
        text.unwrap_or_else(|| panic!("no {member} in {} {}", self.status, self.json))
            .to_owned()
    }

    /// The code of a problem.
    pub(crate) fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }
}

/// How a server is called.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
}

impl Wire {
    /// A call by the operator; `None` if the server died over it.
    pub(crate) async fn manage(
        &self,
        (method, path): (&str, &str),
        idempotency_key: Option<&str>,
        body: Option<&Value>,
    ) -> Option<Answer> {
        let credential = format!("Authorization: Bearer {}", self.token);
        self.call(&credential, (method, path), idempotency_key, body)
            .await
    }

    /// A call by whoever sends this header; `None` if the server died over it.
    pub(crate) async fn call(
        &self,
        credential: &str,
        (method, path): (&str, &str),
        idempotency_key: Option<&str>,
        body: Option<&Value>,
    ) -> Option<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\n{credential}\r\n");
        if let Some(key) = idempotency_key {
            head.push_str(&format!("Idempotency-Key: {key}\r\n"));
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        if !body.is_empty() {
            head.push_str("Content-Type: application/json\r\n");
        }
        self.send(&head, &body).await
    }

    /// A `POST` by the holder of a key.
    pub(crate) async fn present(&self, path: &str, key: &str) -> Option<Answer> {
        let head = format!("POST {path} HTTP/1.1\r\nX-API-Key: {key}\r\n");
        self.send(&head, "").await
    }

    /// Trades a key for a token for this resource.
    pub(crate) async fn trade(&self, key: &str, resource: &str) -> Option<Answer> {
        let head = format!(
            "POST /v1/token HTTP/1.1\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
        );
        let body = serde_json::json!({ "resource": resource });
        self.send(&head, &body.to_string()).await
    }

    async fn send(&self, head: &str, body: &str) -> Option<Answer> {
        let request = format!(
            "{head}Host: kagiya.test\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut connection = TcpStream::connect(self.address).await.ok()?;
        connection.write_all(request.as_bytes()).await.ok()?;
        let mut bytes = Vec::new();
        // What came before the end counts if it is whole.
        let _ = connection.read_to_end(&mut bytes).await;
        read(&bytes)
    }
}

fn read(bytes: &[u8]) -> Option<Answer> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status: u16 = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    if length.unwrap_or(0) != body.len() {
        return None;
    }
    let json = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(body).ok()?
    };
    Some(Answer { status, json })
}
