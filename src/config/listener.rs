//! Where it listens, who it says it is, and whom it believes about addresses. Above all tables.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

use super::error::Error;
use super::layers::{Fault, Section};
use crate::domain::issuer::Issuer;

/// The settings of the listening socket and of the name in tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Listener {
    /// `listen`, `KAGIYA_LISTEN`, `--listen`: the address and port to listen on; port 0 takes a free one.
    /// Default `127.0.0.1:8787`.
    #[serde(deserialize_with = "socket_address")]
    pub listen: SocketAddr,
    /// `issuer`, `KAGIYA_ISSUER`, `--issuer`: the `iss` of tokens and the base of all links, as the world reaches it.
    /// Default on loopback: `http://` and the address that it really listens on; elsewhere it must be given.
    pub issuer: Option<Issuer>,
    /// `accept_new_issuer`, `KAGIYA_ACCEPT_NEW_ISSUER`, `--accept-new-issuer`: take an issuer other than the one recorded at
    /// the first start. Tokens of the old one are then refused by services that check `iss`. Default `false`.
    pub accept_new_issuer: bool,
    /// `workers`, `KAGIYA_WORKERS`, `--workers`: threads that answer requests. Default: one for each core.
    pub workers: Option<NonZeroUsize>,
    /// `trusted_proxies`, `KAGIYA_TRUSTED_PROXIES`: networks (CIDR) or addresses of reverse proxies whose forwarding headers
    /// are believed. Default none: those headers are then ignored.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// `insecure_http`, `KAGIYA_INSECURE_HTTP`, `--insecure-http`: listen beyond this machine without TLS and without a
    /// proxy that ends TLS; keys then cross the network in clear. Default `false`.
    pub insecure_http: bool,
    /// `metrics_listen`, `KAGIYA_METRICS_LISTEN`, `--metrics-listen`: a second address and port, without TLS, for `/metrics`,
    /// `/livez` and `/readyz`. `/metrics` is then not answered on `listen`; the probes are, on both. Default none.
    #[serde(deserialize_with = "optional_socket_address")]
    pub metrics_listen: Option<SocketAddr>,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8787)),
            issuer: None,
            accept_new_issuer: false,
            workers: None,
            trusted_proxies: Vec::new(),
            insecure_http: false,
            metrics_listen: None,
        }
    }
}

impl Listener {
    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }

    /// Refuses to be reached from elsewhere in clear or without a name; asked once all layers are together.
    pub(super) fn check_exposure(&self, has_tls: bool) -> Result<(), Error> {
        if self.is_loopback() {
            return Ok(());
        }
        if !has_tls && self.trusted_proxies.is_empty() && !self.insecure_http {
            return Err(Error::Together(format!(
                "{} can be reached from other machines, and keys would cross the network in clear: give --tls-cert and \
                 --tls-key, or put a proxy that ends TLS in front and name it in trusted_proxies, or set insecure_http = true, \
                 or listen on 127.0.0.1",
                self.listen
            )));
        }
        if self.issuer.is_none() {
            return Err(Error::Together(format!(
                "the issuer must be given when listening on {}: set --issuer, KAGIYA_ISSUER or issuer to the URL under which \
                 others reach this server",
                self.listen
            )));
        }
        Ok(())
    }
}

impl Section for Listener {
    const TABLE: Option<&'static str> = None;

    fn settle(self) -> Result<Self, Fault> {
        if self
            .trusted_proxies
            .iter()
            .any(|network| network.prefix_len() == 0)
        {
            return Err(Fault::new(
                "trusted_proxies",
                "must not hold everybody: any caller could then claim any address",
            ));
        }
        Ok(self)
    }
}

fn socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        de::Error::custom("must be an address and a port, such as 127.0.0.1:8787 or [::1]:8787")
    })
}

fn optional_socket_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    socket_address(deserializer).map(Some)
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| network(text)).collect()
}

/// A network with its mask, or one address.
fn network<E: de::Error>(text: &str) -> Result<IpNet, E> {
    let address = |text: &str| {
        text.parse::<IpAddr>()
            .map(|address| IpNet::from(address.to_canonical()))
    };
    text.parse::<IpNet>()
        .map(|network| network.trunc())
        .or_else(|_| address(text))
        .map_err(|_| {
            E::custom("must hold networks such as 10.0.0.0/8 or addresses such as 192.0.2.7")
        })
}
