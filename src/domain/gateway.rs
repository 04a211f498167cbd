//! The gateways that ask before they let a request through, and where each says what the client asked it for.

use serde::Deserialize;

/// A gateway.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Gateway {
    /// nginx with `auth_request`.
    Nginx,
    /// Caddy with `forward_auth`.
    Caddy,
    /// Envoy with `ext_authz` over HTTP.
    Envoy,
    /// HAProxy with a Lua action.
    Haproxy,
    /// Traefik with `ForwardAuth`.
    Traefik,
}

/// Where the client's method and request target stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// In headers of these names.
    InHeaders {
        /// The method.
        method: &'static str,
        /// The target, with the query.
        target: &'static str,
    },
    /// The request has the client's own method, and his path behind ours.
    ByTheRequest,
}

impl Gateway {
    /// Where it tells. nginx and HAProxy tell what their configuration says, which is ours (`deploy/gateways`).
    pub const fn told(self) -> Told {
        match self {
            Self::Nginx | Self::Haproxy => Told::InHeaders {
                method: "x-original-method",
                target: "x-original-uri",
            },
            Self::Caddy | Self::Traefik => Told::InHeaders {
                method: "x-forwarded-method",
                target: "x-forwarded-uri",
            },
            Self::Envoy => Told::ByTheRequest,
        }
    }
}
