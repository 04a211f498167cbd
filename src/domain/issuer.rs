//! The issuer identifier: the `iss` of every token (RFC 8414 §2), and the base of kagiya's own addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An `https` URL without query, fragment, user and trailing slash; `http` on loopback only. Compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Issuer(std::sync::Arc<str>);

/// The text is not an issuer identifier.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ParseIssuerError {
    /// Not an absolute http or https URL.
    #[error("must be an absolute https URL")]
    Syntax,
    /// A query, a fragment, a user or a slash at the end.
    #[error("must have no query, fragment, user name or trailing slash")]
    Parts,
    /// Plain http to another machine: tokens would travel in the clear.
    #[error("must use https, except on a loopback address")]
    Plain,
}

impl Issuer {
    /// The identifier's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its path without the first slash; empty where it has none.
    pub fn path(&self) -> &str {
        let after_scheme = self.0.split_once("://").map_or("", |(_, rest)| rest);
        after_scheme.split_once('/').map_or("", |(_, path)| path)
    }

    /// The audience of management tokens: `{issuer}/v1`.
    pub fn management_audience(&self) -> String {
        format!("{}/v1", self.0)
    }
}

impl FromStr for Issuer {
    type Err = ParseIssuerError;

    fn from_str(text: &str) -> Result<Self, ParseIssuerError> {
        let url = url::Url::parse(text).map_err(|_| ParseIssuerError::Syntax)?;
        let host = url.host().ok_or(ParseIssuerError::Syntax)?;
        let loopback = match host {
            url::Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => IpAddr::V6(address).to_canonical().is_loopback(),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(ParseIssuerError::Plain),
            _ => return Err(ParseIssuerError::Syntax),
        }
        let plain = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        // The URL as a parser would write it, but for the slash of an empty path: what clients compare byte for byte.
        let written = url.as_str() == text || url.as_str().strip_suffix('/') == Some(text);
        if !plain || text.ends_with('/') {
            return Err(ParseIssuerError::Parts);
        }
        if written {
            Ok(Self(text.into()))
        } else {
            Err(ParseIssuerError::Syntax)
        }
    }
}

impl TryFrom<String> for Issuer {
    type Error = ParseIssuerError;

    fn try_from(text: String) -> Result<Self, ParseIssuerError> {
        text.parse()
    }
}

impl From<Issuer> for String {
    fn from(issuer: Issuer) -> Self {
        issuer.as_str().to_owned()
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_plain_https_urls() {
        for good in [
            "https://keys.example.com",
            "https://example.com/kagiya",
            "http://127.0.0.1:8787",
            "http://[::1]:1",
            "http://localhost:9",
        ] {
            assert_eq!(good.parse::<Issuer>().unwrap().as_str(), good);
        }
        let path = |text: &str| text.parse::<Issuer>().unwrap().path().to_owned();
        assert_eq!(path("https://example.com/kagiya/a"), "kagiya/a");
        assert_eq!(path("https://example.com"), "");
        for (bad, error) in [
            ("keys.example.com", ParseIssuerError::Syntax),
            ("ftp://example.com", ParseIssuerError::Syntax),
            ("HTTPS://example.com", ParseIssuerError::Syntax),
            ("https://example.com/", ParseIssuerError::Parts),
            ("https://example.com?a", ParseIssuerError::Parts),
            ("https://example.com#a", ParseIssuerError::Parts),
            ("https://user@example.com", ParseIssuerError::Parts),
            ("http://example.com", ParseIssuerError::Plain),
            ("http://10.0.0.1", ParseIssuerError::Plain),
        ] {
            assert_eq!(bad.parse::<Issuer>(), Err(error), "{bad}");
        }
    }
}
