//! The ports: taken before anything is served, served by workers, and closed in an order that loses no request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::{Server as Serving, ServerHandle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};

use super::{Parts, app, routes};
use crate::http::health::Stopping;
use crate::http::openapi::Rendered;

/// How the server listens and stops.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads that serve requests.
    pub workers: usize,
    /// Connections that one worker holds; more wait to be accepted.
    pub max_connections: usize,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long a client may take to send the head of a request.
    pub head_timeout: Duration,
    /// How long `/readyz` is 503 before the server stops accepting, so that a load balancer looks away first.
    pub drain: Duration,
    /// How long the requests in hand may take after that.
    pub shutdown_timeout: Duration,
}

/// A port that is taken: its address is known before anything is served.
pub struct Server {
    listener: std::net::TcpListener,
    address: SocketAddr,
    tls: Option<rustls::ServerConfig>,
    /// Where the figures and probes have a port of their own.
    operators: Option<std::net::TcpListener>,
}

/// What a port answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surface {
    /// The whole table.
    Whole,
    /// All but the figures, which have a port of their own.
    WithoutFigures,
    /// Figures and probes.
    Operators,
}

impl Surface {
    pub(super) fn answers(self, path: &str) -> bool {
        match self {
            Self::Whole => true,
            Self::WithoutFigures => path != "/metrics",
            Self::Operators => ["/metrics", "/livez", "/readyz"].contains(&path),
        }
    }
}

impl Server {
    /// Takes the port; port 0 takes a free one. Call it within a runtime.
    ///
    /// # Errors
    /// When the address is in use, or not this machine's.
    pub fn bind(address: SocketAddr, backlog: u32) -> std::io::Result<Self> {
        let listener = listen(address, backlog)?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            tls: None,
            operators: None,
        })
    }

    /// By TLS alone.
    #[must_use]
    pub fn with_tls(self, config: rustls::ServerConfig) -> Self {
        Self {
            tls: Some(config),
            ..self
        }
    }

    /// With a second port, in clear, for figures and probes; the first one then has no figures.
    ///
    /// # Errors
    /// As [`Server::bind`].
    pub fn with_metrics_on(mut self, address: SocketAddr, backlog: u32) -> std::io::Result<Self> {
        self.operators = Some(listen(address, backlog)?);
        Ok(self)
    }

    /// The address of figures and probes, if they have one of their own.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.operators.as_ref()?.local_addr().ok()
    }

    /// Whether it serves by TLS.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until there is a word in `stop` (see [`termination`]): then `/readyz` is 503 for [`Settings::drain`], no connection is accepted any more, and the
    /// requests in hand are finished. Counts and logs are to be flushed after that. A second word of `stop` ends the waiting.
    ///
    /// # Errors
    /// When the workers cannot be started.
    pub async fn run(
        self,
        settings: Settings,
        parts: Parts,
        mut stop: Receiver<()>,
    ) -> std::io::Result<()> {
        let stopping = Stopping::default();
        let rendered = Arc::new(Rendered::new(&routes()));
        let operators = self.operators.map(|listener| {
            let (parts, stopping, rendered) =
                (parts.clone(), stopping.clone(), Arc::clone(&rendered));
            HttpServer::new(move || app(&parts, &stopping, &rendered, Surface::Operators))
                .workers(1)
                .disable_signals()
                .listen(listener)
        });
        let operators = operators.transpose()?.map(|server| server.run());
        let surface = match operators {
            Some(_) => Surface::WithoutFigures,
            None => Surface::Whole,
        };
        let seen_by_workers = stopping.clone();
        let mut parts = parts;
        parts.surroundings.tls = self.tls.is_some();
        let server = HttpServer::new(move || app(&parts, &seen_by_workers, &rendered, surface))
            .workers(settings.workers)
            .max_connections(settings.max_connections)
            .keep_alive(settings.keep_alive)
            .client_request_timeout(settings.head_timeout)
            .shutdown_timeout(settings.shutdown_timeout.as_secs())
            .tcp_nodelay(true)
            .disable_signals();
        let server = match self.tls {
            None => server.listen(self.listener)?,
            Some(config) => server.listen_rustls_0_23(self.listener, config)?,
        };
        let server = server.run();
        let handle = server.handle();
        // Probes are answered to the end: a server that stops says so there too.
        let answering_operators = operators.map(|operators| {
            let handle = operators.handle();
            (handle, tokio::spawn(operators))
        });
        let ended = until_stopped(server, &settings, &stopping, &mut stop, &handle).await;
        if let Some((handle, ended)) = answering_operators {
            handle.stop(false).await;
            // What it ended with is of no use to anybody.
            let _ = ended.await;
        }
        ended
    }
}

/// Runs the server until it was told to stop and has.
async fn until_stopped(
    server: Serving,
    settings: &Settings,
    stopping: &Stopping,
    stop: &mut Receiver<()>,
    handle: &ServerHandle,
) -> std::io::Result<()> {
    let mut server = std::pin::pin!(server);
    tokio::select! {
        ended = &mut server => return ended,
        _ = stop.recv() => stopping.begin(),
    }
    tokio::select! {
        ended = &mut server => return ended,
        () = tokio::time::sleep(settings.drain) => {}
        _ = stop.recv() => {}
    }
    let ((), ended) = tokio::join!(handle.stop(true), server);
    ended
}

/// Listens; port 0 takes a free one.
fn listen(address: SocketAddr, backlog: u32) -> std::io::Result<std::net::TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
    };
    // A restart must not wait for the connections of the last run to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)?.into_std()
}

/// A word for each SIGTERM and SIGINT from now on. Call it within a runtime.
///
/// # Errors
/// When the signals cannot be listened to.
pub fn termination() -> std::io::Result<Receiver<()>> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let (word, words) = channel(1);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            // Nobody waits any more, or the word before this one has not been read: it says the same.
            if word.try_send(()).is_err() && word.is_closed() {
                return;
            }
        }
    });
    Ok(words)
}
