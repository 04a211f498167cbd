//! A real gateway in a process of its own, run by the very files of `deploy/gateways` with other ports in them.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a start may take on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Nginx,
    Caddy,
    Envoy,
    Haproxy,
}

impl Kind {
    /// As `forward_auth.proxy` names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
            Self::Haproxy => "haproxy",
        }
    }

    /// The program: from Debian, or from the packages that `tests/gateways/requirements.txt` names.
    fn program(self) -> PathBuf {
        match self {
            Self::Nginx => "/usr/sbin/nginx".into(),
            Self::Haproxy => "/usr/sbin/haproxy".into(),
            Self::Caddy | Self::Envoy => repository()
                .join("tests/gateways/.venv/bin")
                .join(self.name()),
        }
    }

    /// What it calls itself.
    pub(super) fn version(self) -> String {
        let flag = match self {
            Self::Nginx | Self::Haproxy => "-v",
            Self::Caddy => "version",
            Self::Envoy => "--version",
        };
        let output = Command::new(self.program()).arg(flag).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        said.lines().next().unwrap_or_default().to_owned()
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A port that nobody listens on.
pub(super) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// A running gateway; it ends with its test.
pub(super) struct Proxy {
    child: Child,
    pub(super) address: SocketAddr,
    _folder: TempDir,
}

impl Proxy {
    /// Starts it between its clients and the two.
    pub(super) fn start(kind: Kind, kagiya: SocketAddr, service: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let recipe = |name: &str| {
            let text = std::fs::read_to_string(repository().join("deploy/gateways").join(name));
            let text = text.unwrap();
            let swapped = [(8080, address), (8787, kagiya), (9000, service)];
            swapped.iter().fold(text, |text, (port, address)| {
                let yaml = (
                    format!("port_value: {port} "),
                    format!("port_value: {} ", address.port()),
                );
                text.replace(&format!("127.0.0.1:{port}"), &address.to_string())
                    .replace(&format!("//:{port}"), &format!("//:{}", address.port()))
                    .replace(&yaml.0, &yaml.1)
            })
        };
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let mut command = Command::new(kind.program());
        match kind {
            Kind::Nginx => {
                let recipe = write("gateway.conf", recipe("nginx.conf"));
                let place = folder.path().display();
                let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|what| format!("{what}_temp_path {place}/{what};"))
                    .join(" ");
                let whole = format!(
                    "daemon off; error_log {place}/error.log; pid {place}/pid; worker_processes 1; events {{}}\n\
                     http {{ access_log off; {temp} include {recipe}; }}\n"
                );
                command.arg("-c").arg(write("nginx.conf", whole));
                command.arg("-e").arg(folder.path().join("error.log"));
                // It gives its workers away to somebody who could not reach the folder.
                if folder.path().metadata().unwrap().uid() == 0 {
                    command.args(["-g", "user root;"]);
                }
            }
            Kind::Caddy => {
                let text = format!("{{\n\tadmin off\n}}\n{}", recipe("Caddyfile"));
                command.args(["run", "--adapter", "caddyfile", "--config"]);
                command.arg(write("Caddyfile", text));
                command.env("HOME", folder.path());
            }
            Kind::Envoy => {
                command.args([
                    "--disable-hot-restart",
                    "--concurrency",
                    "1",
                    "-l",
                    "error",
                    "-c",
                ]);
                // The issuer is not an address here: tokens name it as it was given.
                let text = recipe("envoy.yaml").replace(
                    &format!("issuer: http://{kagiya}"),
                    &format!("issuer: {}", crate::cli::ISSUER),
                );
                command.arg(write("envoy.yaml", text));
            }
            Kind::Haproxy => {
                write("kagiya.lua", recipe("kagiya.lua"));
                command
                    .args(["-db", "-f"])
                    .arg(write("haproxy.cfg", recipe("haproxy.cfg")));
            }
        }
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{kind:?} does not start: {error}"));
        let began = started();
        while TcpStream::connect(address).is_err() {
            let ended = child.try_wait().unwrap();
            if ended.is_some() || began.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                panic!("{kind:?} does not listen: {ended:?}\n{log}");
            }
            std::thread::yield_now();
        }
        Self {
            child,
            address,
            _folder: folder,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test of processes has the machine's clock alone"
)]
fn started() -> Instant {
    Instant::now()
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // nginx and HAProxy have workers, which end with their master alone if it is told and not killed.
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-s", "TERM", &pid]).status();
        if told.is_ok_and(|status| status.success()) {
            let _ = self.child.wait();
        }
    }
}
