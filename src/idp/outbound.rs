//! The one way out to issuers and identity providers.
//!
//! https alone (http on loopback and localhost), no redirect, no proxy of the environment, two seconds to connect and five in all, at
//! most 512 KiB of an answer. Names are resolved here and inner addresses refused, unless what is asked is marked as internal: a name
//! that a stranger controls must not lead into our own network.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Method;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use serde_json::Value;
use thiserror::Error;
use url::{Host, Url};

use crate::domain::secret::SecretText;

/// The most bytes of an answer.
const MOST: usize = 512 * 1024;

/// A client that goes only where it may.
#[derive(Clone)]
pub struct Outbound {
    client: reqwest::Client,
    internal: bool,
}

/// The name of the loopback.
const LOCALHOST: &str = "localhost";
/// How long a document may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// One call of an API.
pub struct Call<'a> {
    /// The method.
    pub method: Method,
    /// Where.
    pub place: Url,
    /// What shows who calls.
    pub credential: Credential<'a>,
    /// A header beside those that follow from the rest.
    pub header: Option<(&'static str, String)>,
    /// What is sent.
    pub body: Body<'a>,
}

/// What shows who calls.
pub enum Credential<'a> {
    /// Nothing.
    None,
    /// A bearer token (RFC 6750 §2.1).
    Bearer(&'a SecretText),
    /// Client id and secret (RFC 6749 §2.3.1).
    Basic(&'a str, &'a SecretText),
}

/// What is sent.
pub enum Body<'a> {
    /// Nothing.
    None,
    /// Pairs, `application/x-www-form-urlencoded`.
    Form(&'a [(&'a str, &'a str)]),
    /// JSON.
    Json(&'a Value),
}

/// Any answer.
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

/// Why nothing came back that can be used.
#[derive(Debug, Error)]
pub enum OutboundError {
    /// Not an address that is asked.
    #[error("{0}")]
    NotAllowed(&'static str),
    /// No answer, or none in time.
    #[error("no answer")]
    Unreachable(#[source] reqwest::Error),
    /// An answer that is none.
    #[error("the answer has the status {0}")]
    Status(u16),
    /// Another kind of document.
    #[error("the answer is not JSON")]
    NotJson,
    /// More than is taken.
    #[error("the answer is longer than 512 KiB")]
    TooLong,
    /// No client can be made.
    #[error("no client can be made")]
    Client(#[source] reqwest::Error),
}

impl Outbound {
    /// A client; an `internal` one may go to inner addresses too.
    ///
    /// # Errors
    /// When none can be made.
    pub fn new(internal: bool) -> Result<Self, OutboundError> {
        Self::with_patience(internal, PATIENCE)
    }

    /// The same with another limit of time for a call in all.
    ///
    /// # Errors
    /// When none can be made.
    #[expect(clippy::disallowed_methods, reason = "this is the guarded client")]
    pub fn with_patience(internal: bool, patience: Duration) -> Result<Self, OutboundError> {
        // Whoever was first chose the same one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(2))
            .timeout(patience)
            .referer(false);
        let builder = if internal {
            builder
        } else {
            builder.dns_resolver(std::sync::Arc::new(OutsideAlone))
        };
        let client = builder.build().map_err(OutboundError::Client)?;
        Ok(Self { client, internal })
    }

    /// Whether it may go to inner addresses.
    pub fn is_internal(&self) -> bool {
        self.internal
    }

    /// The JSON document at a place.
    ///
    /// # Errors
    /// See [`OutboundError`].
    pub async fn json(&self, place: &Url) -> Result<Vec<u8>, OutboundError> {
        let reply = self
            .call(&Call {
                method: Method::GET,
                place: place.clone(),
                credential: Credential::None,
                header: None,
                body: Body::None,
            })
            .await?;
        if reply.status != 200 {
            return Err(OutboundError::Status(reply.status));
        }
        let kind = reply.headers.get("content-type");
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if kind != "application/json"
            && !(kind.starts_with("application/") && kind.ends_with("+json"))
        {
            return Err(OutboundError::NotJson);
        }
        Ok(reply.body)
    }

    /// The answer to a call, whatever its status.
    ///
    /// # Errors
    /// See [`OutboundError`].
    pub async fn call(&self, call: &Call<'_>) -> Result<Reply, OutboundError> {
        self.check(&call.place)?;
        let request = self.client.request(call.method.clone(), call.place.clone());
        let request = request.header("Accept", "application/json");
        let request = match &call.credential {
            Credential::None => request,
            Credential::Bearer(token) => request.bearer_auth(token.expose()),
            Credential::Basic(id, secret) => {
                request.basic_auth(form(id), Some(form(secret.expose())))
            }
        };
        let request = match &call.header {
            None => request,
            Some((name, value)) => request.header(*name, value),
        };
        let request = match &call.body {
            Body::None => request,
            Body::Form(pairs) => request.form(pairs),
            Body::Json(value) => request.json(value),
        };
        let mut answer = request.send().await.map_err(OutboundError::Unreachable)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(OutboundError::Unreachable)? {
            if body.len() + chunk.len() > MOST {
                return Err(OutboundError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status,
            headers,
            body,
        })
    }

    /// Whether a place may be asked at all; what its name resolves to is judged when it is connected to.
    fn check(&self, place: &Url) -> Result<(), OutboundError> {
        let literal = match place.host() {
            None => return Err(OutboundError::NotAllowed("the address has no host")),
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip).to_canonical()),
            Some(Host::Domain(_)) => None,
        };
        let loopback = literal.is_some_and(|ip| ip.is_loopback());
        match place.scheme() {
            "https" => {}
            "http" if loopback => return Ok(()),
            // What that name leads to is looked at as well.
            "http" if place.host_str() == Some(LOCALHOST) => return Ok(()),
            _ => return Err(OutboundError::NotAllowed("only https is asked")),
        }
        // A literal address never meets the resolver.
        if !self.internal && literal.is_some_and(is_inner) && !loopback {
            return Err(OutboundError::NotAllowed("inner addresses are not asked"));
        }
        Ok(())
    }
}

/// A part of a credential in the form of RFC 6749 §2.3.1, which Basic wants.
fn form(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Resolves names to outer addresses alone.
struct OutsideAlone;

impl Resolve for OutsideAlone {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            // RFC 6761 §6.3: this name is the loopback's, and nothing else is.
            let local = name == LOCALHOST;
            let outer: Vec<_> = found
                .filter(|address| match local {
                    true => address.ip().is_loopback(),
                    false => !is_inner(address.ip().to_canonical()),
                })
                .collect();
            if outer.is_empty() {
                return Err(
                    "the name leads to inner addresses alone; is it marked as internal?".into(),
                );
            }
            Ok(Box::new(outer.into_iter()) as Addrs)
        })
    }
}

/// Loopback, private, link-local, shared, unspecified, documentation and multicast addresses.
fn is_inner(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || ip.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b))
                || (a == 192 && b == 0 && ip.octets()[2] == 0)
        }
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            // Global unicast is 2000::/3; of it, 2001:db8::/32 is documentation, 2002::/16 and 64:ff9b:: carry IPv4 inside.
            (first & 0xe000) != 0x2000
                || first == 0x2002
                || (first == 0x2001 && matches!(ip.segments()[1], 0 | 0x0db8))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_addresses_are_known() {
        for inner in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::",
            "2002:7f00:1::",
        ] {
            assert!(is_inner(inner.parse().unwrap()), "{inner}");
        }
        for outer in ["1.1.1.1", "93.184.216.34", "2606:4700::1111"] {
            assert!(!is_inner(outer.parse().unwrap()), "{outer}");
        }
    }

    #[test]
    fn only_https_and_loopback_are_asked() {
        let outside = Outbound::new(false).unwrap();
        let allowed = |place: &str| outside.check(&place.parse().unwrap()).is_ok();
        assert!(allowed("https://sso.example.com/keys") && allowed("http://127.0.0.1:8080/keys"));
        assert!(allowed("http://localhost:8080/keys"));
        for wrong in [
            "http://sso.example.com",
            "http://localhost.example.com",
            "https://10.0.0.1",
            "https://[fd00::1]",
            "ftp://a.example",
            "file:///etc/passwd",
        ] {
            assert!(!allowed(wrong), "{wrong}");
        }
    }
}
