//! A real Keycloak: one process for all tests, a realm for each; and one that a test can stop and start again.
//!
//! `tests/keycloak/install.sh` makes it where it is missing. It ends with the process of the tests, whatever becomes of that.

use std::collections::HashMap;
use std::io::Write as _;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use kagiya::domain::secret::SecretText;
use kagiya::idp::setup::AdminCredentials;
use serde_json::{Value, json};
use tempfile::TempDir;

const ADMIN: &str = "admin";
const ADMIN_PASSWORD: &str = "the-password-of-the-tests";
/// How long a start may take on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(240);

/// How long a token of the administrator is used, which is good for a minute.
const TOKEN_AGE: Duration = Duration::from_secs(30);

/// A running Keycloak.
pub(crate) struct Keycloak {
    home: PathBuf,
    port: u16,
    management_port: u16,
    data: TempDir,
    process: Mutex<Option<Process>>,
    /// The administrator's tokens, and when they were given: a sign-in with a password is slow there. By realm, for none says anything of
    /// a realm that was made later.
    tokens: Mutex<HashMap<String, (String, Instant)>>,
}

/// It is told to stop when its standard input ends, which it does with our process.
struct Process {
    child: Child,
    alive: Option<ChildStdin>,
}

/// A Keycloak that nobody else uses meanwhile.
pub(crate) struct Alone {
    keycloak: Arc<Keycloak>,
    _kept: MutexGuard<'static, Option<Arc<Keycloak>>>,
}

impl Deref for Alone {
    type Target = Arc<Keycloak>;

    fn deref(&self) -> &Arc<Keycloak> {
        &self.keycloak
    }
}

impl Keycloak {
    /// The one for all.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Keycloak>> = OnceLock::new();
        Arc::clone(SHARED.get_or_init(|| Arc::new(Self::start())))
    }

    /// One that is stopped and started again; who has it has it for himself.
    pub(crate) fn restartable() -> Alone {
        static RESTARTABLE: Mutex<Option<Arc<Keycloak>>> = Mutex::new(None);
        let mut kept = RESTARTABLE.lock().unwrap_or_else(PoisonError::into_inner);
        let keycloak = kept.get_or_insert_with(|| Arc::new(Self::start())).clone();
        keycloak.run();
        Alone {
            keycloak,
            _kept: kept,
        }
    }

    fn start() -> Self {
        let keycloak = Self {
            home: installed(),
            port: free_port(),
            management_port: free_port(),
            data: tempfile::tempdir().unwrap(),
            process: Mutex::new(None),
            tokens: Mutex::default(),
        };
        keycloak.run();
        keycloak
    }

    /// Starts it, if it does not run, on what the last run left.
    pub(crate) fn run(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if process.is_some() {
            return;
        }
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        // KILL would leave Java behind, TERM reaches it.
        let script =
            r#""$@" & child=$!; cat > /dev/null; kill -TERM $child 2> /dev/null; wait $child"#;
        let mut child = Command::new("bash")
            .args(["-c", script, "keycloak"])
            .arg(self.home.join("bin/kc.sh"))
            .args(["start", "--optimized", "--http-enabled=true"])
            .arg(format!("--http-port={}", self.port))
            .arg(format!("--http-management-port={}", self.management_port))
            .arg(format!("--hostname={}", self.url()))
            .arg(format!(
                "--db-url=jdbc:h2:file:{};NON_KEYWORDS=VALUE;DB_CLOSE_ON_EXIT=FALSE",
                self.data.path().join("keycloak").display()
            ))
            .env("KC_BOOTSTRAP_ADMIN_USERNAME", ADMIN)
            .env("KC_BOOTSTRAP_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .env("KC_DB_USERNAME", "sa")
            .env("KC_DB_PASSWORD", "password")
            .env("KC_CACHE", "local")
            .env("JAVA_OPTS_KC_HEAP", "-Xms96m -Xmx448m")
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let alive = child.stdin.take();
        *process = Some(Process { child, alive });
        drop(process);
        self.wait_until_ready();
    }

    /// Stops it as a signal does.
    pub(crate) fn stop(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut running) = process.take() {
            drop(running.alive.take());
            running.child.wait().unwrap();
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "waits for a program, whose time is not ours"
    )]
    fn wait_until_ready(&self) {
        let began = Instant::now();
        let place = format!("http://127.0.0.1:{}/health/ready", self.management_port);
        while began.elapsed() < PATIENCE {
            let ready = Command::new("curl")
                .args(["-sf", "-o", "/dev/null", &place])
                .status();
            if ready.is_ok_and(|status| status.success()) {
                return;
            }
            let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
            let ended = process.as_mut().unwrap().child.try_wait().unwrap();
            drop(process);
            assert!(ended.is_none(), "Keycloak ended: {}", self.complaints());
            std::thread::park_timeout(Duration::from_millis(250));
        }
        panic!("Keycloak is not ready: {}", self.complaints());
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its administrator.
    pub(crate) fn administrator(&self) -> AdminCredentials {
        AdminCredentials::Password {
            username: ADMIN.to_owned(),
            password: SecretText::new(ADMIN_PASSWORD.to_owned()),
        }
    }

    /// The administrator, as variables for the command line.
    pub(crate) fn variables(&self) -> [(&'static str, &'static str); 2] {
        [
            ("KAGIYA_IDP_ADMIN_USERNAME", ADMIN),
            ("KAGIYA_IDP_ADMIN_PASSWORD", ADMIN_PASSWORD),
        ]
    }

    /// A name for a realm that nobody has yet.
    pub(crate) fn new_realm(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        format!("kagiya-{}", COUNT.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a realm for people; its name.
    pub(crate) async fn people(&self) -> String {
        let realm = self.new_realm();
        let body = json!({"realm": realm, "enabled": true, "sslRequired": "none"});
        self.good("", ("POST", ""), Some(&body)).await;
        realm
    }

    /// Calls its Admin API below a realm; the answer's body, null if it is empty.
    pub(crate) async fn admin(
        &self,
        realm: &str,
        (method, path): (&str, &str),
        body: Option<&Value>,
    ) -> (u16, Value) {
        let token = self.token(realm).await;
        // Without a realm it is about all of them.
        let below = if realm.is_empty() { "" } else { "/" };
        let place = format!("{}/admin/realms{below}{realm}{path}", self.url());
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = http().request(method, place).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how old a token is, that another program gave"
    )]
    async fn token(&self, realm: &str) -> String {
        let tokens = || self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, given)) = tokens().get(realm)
            && given.elapsed() < TOKEN_AGE
        {
            return token.clone();
        }
        let form = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", ADMIN),
            ("password", ADMIN_PASSWORD),
        ];
        let place = format!("{}/realms/master/protocol/openid-connect/token", self.url());
        let given = Instant::now();
        let answer = http().post(place).form(&form).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let token = answer["access_token"].as_str().unwrap().to_owned();
        tokens().insert(realm.to_owned(), (token.clone(), given));
        token
    }

    /// The same, where the answer must be a good one.
    pub(crate) async fn good(
        &self,
        realm: &str,
        call: (&str, &str),
        body: Option<&Value>,
    ) -> Value {
        let (status, answer) = self.admin(realm, call, body).await;
        assert!((200..300).contains(&status), "{call:?}: {status} {answer}");
        answer
    }

    /// All that its database holds, as SQL. It must not run.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let libraries = self.home.join("lib/lib/main");
        let h2 = std::fs::read_dir(&libraries).unwrap().find_map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name()?.to_string_lossy().into_owned();
            (name.starts_with("com.h2database.h2") && name.ends_with(".jar")).then_some(path)
        });
        let script = self.data.path().join("dump.sql");
        let url = format!(
            "jdbc:h2:file:{};NON_KEYWORDS=VALUE",
            self.data.path().join("keycloak").display()
        );
        let output = Command::new("java")
            .arg("-cp")
            .arg(h2.expect("the library of H2"))
            .args([
                "org.h2.tools.Script",
                "-user",
                "sa",
                "-password",
                "password",
            ])
            .args(["-url", &url, "-script"])
            .arg(&script)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        std::fs::read(script).unwrap()
    }

    fn log(&self) -> PathBuf {
        self.data.path().join("keycloak.log")
    }

    fn complaints(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client of the tests, for a program of theirs"
)]
fn http() -> reqwest::Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn installed() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keycloak/install.sh");
    let _ = writeln!(std::io::stderr(), "Keycloak is made ready");
    let output = Command::new("bash").arg(script).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// A port that nobody has.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The people of another realm: one person, and her id.
pub(crate) async fn person(keycloak: &Keycloak, realm: &str, name: &str) -> String {
    let body = json!({"username": name, "enabled": true});
    keycloak.good(realm, ("POST", "/users"), Some(&body)).await;
    let path = format!("/users?username={name}&exact=true");
    let found = keycloak.good(realm, ("GET", &path), None).await;
    found[0]["id"].as_str().unwrap().to_owned()
}
