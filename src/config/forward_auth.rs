//! `[forward_auth]` and `[[routes]]`: answering gateways that ask before they let a request through.

use serde::Deserialize;

use super::layers::{Fault, Section};
use crate::domain::gateway::Gateway;
use crate::domain::id::ApplicationId;
use crate::domain::route_table::{Route, RouteTable};

/// The settings of forward authentication.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct ForwardAuth {
    /// `proxy`, `KAGIYA_FORWARD_AUTH_PROXY`: which gateway asks: `nginx`, `caddy`, `envoy`, `haproxy` or `traefik`. It says in which two
    /// headers the client's method and path stand; no other is read. Needed for `[[routes]]`. Default none.
    pub proxy: Option<Gateway>,
    /// `application_id`, `KAGIYA_FORWARD_AUTH_APPLICATION_ID`: the application that the gateway is, `app_…`. Callers who bring a token for
    /// a resource that it serves get through by its exchange rules, and are named with it in `act`. Only calls of `trusted_proxies` are
    /// taken for the gateway's. Default none: no such token is traded.
    pub application_id: Option<ApplicationId>,
    /// `reuse_seconds`, `KAGIYA_FORWARD_AUTH_REUSE_SECONDS`: answer with the token minted for an equal request at most so long ago, 0 to
    /// 600; never past half of the token's life. Default 30.
    pub reuse_seconds: u32,
    /// `cache_seconds`, `KAGIYA_FORWARD_AUTH_CACHE_SECONDS`: for how long a gateway may keep a yes of ours, 0 to 60. A stopped key lives on
    /// there so long. Default 0: it may not.
    pub cache_seconds: u32,
}

impl Default for ForwardAuth {
    fn default() -> Self {
        Self {
            proxy: None,
            application_id: None,
            reuse_seconds: 30,
            cache_seconds: 0,
        }
    }
}

impl Section for ForwardAuth {
    const TABLE: Option<&'static str> = Some("forward_auth");

    fn settle(self) -> Result<Self, Fault> {
        Fault::unless_within("reuse_seconds", self.reuse_seconds, 0..=600)?;
        Fault::unless_within("cache_seconds", self.cache_seconds, 0..=60)?;
        Ok(self)
    }
}

/// The routes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Routes {
    /// `[[routes]]`: what the requests of an API need, such as
    /// `{ methods = ["GET"], path = "/payments/{id}", resource = "https://payment.example.com/api", scopes = ["read:payment"] }`. In the
    /// file alone. Default none.
    routes: Vec<Route>,
    /// The table of them.
    #[serde(skip)]
    pub table: RouteTable,
}

impl Section for Routes {
    const TABLE: Option<&'static str> = None;

    fn settle(mut self) -> Result<Self, Fault> {
        self.table = RouteTable::new(&self.routes).map_err(|error| Fault::new("routes", error))?;
        Ok(self)
    }
}
