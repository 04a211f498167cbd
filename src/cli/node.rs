//! One node of kagiya in this process: the application, its port, and the order in which both begin and end.
//!
//! `serve` and `demo` run one until they are told to stop; a command that finds no server runs one for the moment of its call, so
//! that everything goes through the same API.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::Receiver;

use super::Failure;
use crate::app::certificate::Certificate;
use crate::app::{self, App, ServerAddress, Surroundings};
use crate::config::Config;
use crate::domain::clock::SystemClock;
use crate::domain::issuer::Issuer;
use crate::domain::random::SystemRandom;
use crate::domain::sealed::RootSecret;
use crate::server::{Parts, Server, Settings};
use crate::telemetry::logs::LineFormat;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 2048;

/// A node that has its port and has not begun to serve.
pub(super) struct Node {
    app: App,
    server: Server,
    settings: Settings,
    parts: Parts,
    certificate: Option<Arc<Certificate>>,
}

/// What a node needs beside the configuration.
pub(super) struct Opening {
    /// Where it listens.
    pub(super) listen: SocketAddr,
    /// The `iss` of its tokens; `http://` and the address, if none.
    pub(super) issuer: Option<Issuer>,
    /// The root secret.
    pub(super) root: RootSecret,
    /// Where the request log goes.
    pub(super) log: Box<dyn Write + Send>,
    /// How its lines look.
    pub(super) log_format: LineFormat,
}

impl Node {
    /// Takes the port, then starts the application: a port in use is told before anything is made.
    ///
    /// # Errors
    /// The port, or the application.
    pub(super) async fn start(config: &Config, opening: Opening) -> Result<Self, Failure> {
        let server = Server::bind(opening.listen, BACKLOG).map_err(|error| {
            let listen = opening.listen;
            std::io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}"))
        })?;
        let (server, certificate) = with_tls(server, config)?;
        let server = match config.listener.metrics_listen {
            None => server,
            Some(address) => server.with_metrics_on(address, BACKLOG).map_err(|error| {
                std::io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
            })?,
        };
        let issuer = match opening.issuer {
            Some(issuer) => issuer,
            None => base(&server).parse()?,
        };
        let around = Surroundings {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            root_file: app::root_secret::file(config),
            providers: Vec::new(),
            log: opening.log,
            log_format: opening.log_format,
        };
        let app = App::start(config, issuer, opening.root, around).await?;
        let settings = Settings {
            workers: app::workers(config),
            max_connections: config.server.max_connections as usize,
            keep_alive: Duration::from_secs(config.server.keep_alive_seconds.into()),
            head_timeout: Duration::from_secs(config.server.client_request_timeout_seconds.into()),
            drain: config.drain(),
            shutdown_timeout: Duration::from_secs(config.shutdown.grace_seconds.into()),
        };
        let parts = Parts::new(&app, config);
        Ok(Self {
            app,
            server,
            settings,
            parts,
            certificate,
        })
    }

    /// Serves without a wait at the end, for a node that nobody but this process knows.
    ///
    /// # Errors
    /// When the workers cannot be started.
    pub(super) async fn serve_at_once(mut self, stop: Receiver<()>) -> Result<(), Failure> {
        self.settings.drain = Duration::ZERO;
        self.serve(stop).await
    }

    /// The certificate that it shows, if it serves by TLS.
    pub(super) fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.certificate.as_ref()
    }

    /// Where it listens, as a URL.
    pub(super) fn base(&self) -> String {
        base(&self.server)
    }

    /// Where a browser on this machine reaches it, as a URL.
    pub(super) fn reached_here(&self) -> String {
        let scheme = if self.server.has_tls() {
            "https"
        } else {
            "http"
        };
        let address = match self.address() {
            address if address.ip().is_unspecified() => {
                std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, address.port()))
            }
            address => address,
        };
        format!("{scheme}://{address}")
    }

    /// Where figures and probes have a port of their own.
    pub(super) fn metrics_address(&self) -> Option<SocketAddr> {
        self.server.metrics_address()
    }

    /// The address that it listens on.
    pub(super) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Where a command on this machine reaches it.
    pub(super) fn reached_at(&self) -> ServerAddress {
        ServerAddress {
            pid: std::process::id(),
            address: self.address(),
            certificate: self
                .certificate
                .as_ref()
                .map(|certificate| certificate.fingerprint()),
        }
    }

    /// The application.
    pub(super) fn app(&self) -> &App {
        &self.app
    }

    /// Serves until there is a word in `stop`, finishes what is in hand, then writes down what is only in memory.
    ///
    /// # Errors
    /// When the workers cannot be started.
    pub(super) async fn serve(self, stop: Receiver<()>) -> Result<(), Failure> {
        let served = self.server.run(self.settings, self.parts, stop).await;
        self.app.stop().await;
        Ok(served?)
    }
}

fn with_tls(
    server: Server,
    config: &Config,
) -> Result<(Server, Option<Arc<Certificate>>), Failure> {
    let Some((cert, key)) = config.tls.files() else {
        return Ok((server, None));
    };
    let certificate = Certificate::load(cert, key)?;
    let server = server.with_tls(certificate.server_config()?);
    Ok((server, Some(certificate)))
}

fn base(server: &Server) -> String {
    let scheme = if server.has_tls() { "https" } else { "http" };
    format!("{scheme}://{}", server.address())
}

/// Runs a command's future on this thread. What runs beside the requests shares it; the workers have threads of their own, so one
/// worker fills one core and no pool of threads stands idle.
///
/// # Errors
/// Those of the future, and the system's.
pub(super) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    install_tls();
    runtime()?.block_on(future)
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn install_tls() {
    // It fails only where one is installed already, which is this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
