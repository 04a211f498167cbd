//! `[server]`: the life of a connection.

use serde::Deserialize;

use super::layers::{Fault, Section};

/// The settings of connections.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Server {
    /// `keep_alive_seconds`, `KAGIYA_SERVER_KEEP_ALIVE_SECONDS`: how long an idle connection stays open, 1 to 3600.
    /// Default 30. A proxy in front should close its idle connections sooner.
    pub keep_alive_seconds: u16,
    /// `client_request_timeout_seconds`, `KAGIYA_SERVER_CLIENT_REQUEST_TIMEOUT_SECONDS`: how long a client may take to send
    /// the head of a request, 1 to 300. Default 5.
    pub client_request_timeout_seconds: u16,
    /// `max_connections`, `KAGIYA_SERVER_MAX_CONNECTIONS`: connections that one worker holds; more wait to be accepted.
    /// 1 to 1000000. Default 25000.
    pub max_connections: u32,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            keep_alive_seconds: 30,
            client_request_timeout_seconds: 5,
            max_connections: 25_000,
        }
    }
}

impl Section for Server {
    const TABLE: Option<&'static str> = Some("server");

    fn settle(self) -> Result<Self, Fault> {
        Fault::unless_within("keep_alive_seconds", self.keep_alive_seconds, 1..=3600)?;
        Fault::unless_within(
            "client_request_timeout_seconds",
            self.client_request_timeout_seconds,
            1..=300,
        )?;
        Fault::unless_within("max_connections", self.max_connections, 1..=1_000_000)?;
        Ok(self)
    }
}
