//! From where a request comes, told apart from what it says about itself.
//!
//! A forwarding header is believed only as far as trusted proxies wrote it: it is read from the right, each address added by
//! the hop after it, up to the first that is not a trusted proxy. That one is the client. Anything unreadable ends the reading
//! at the last hop that was certain. Only the one configured header is read: a proxy that appends to `X-Forwarded-For` passes a
//! client's own `Forwarded` on untouched.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};
use ipnet::IpNet;

/// Which header the trusted proxies write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardingHeader {
    /// `X-Forwarded-For`: addresses, separated by commas.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239): its `for` parameters.
    Forwarded,
}

/// The proxies whose word is taken.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    /// Their networks; empty: nobody's word is taken.
    pub networks: Vec<IpNet>,
    /// The header that they write.
    pub header: ForwardingHeader,
}

impl TrustedProxies {
    /// Whether `address` (canonical) is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }

    /// The client's address: never an IPv4 address written as IPv6. `peer` is the other end of the connection.
    pub fn client(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> IpAddr {
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| {
            peer.ip().to_canonical()
        });
        if self.networks.is_empty() || !self.contains(peer) {
            return peer;
        }
        let mut last = peer;
        for hop in self.hops(headers) {
            let Some(address) = hop else { return last };
            last = address;
            if !self.contains(address) {
                break;
            }
        }
        last
    }

    /// The hops that the header names, the nearest first; `None` is an unreadable one.
    fn hops(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let (name, read): (HeaderName, fn(&str) -> Option<IpAddr>) = match self.header {
            ForwardingHeader::XForwardedFor => (X_FORWARDED_FOR, address),
            ForwardingHeader::Forwarded => (FORWARDED, forwarded_for),
        };
        let mut hops: Vec<Option<IpAddr>> = Vec::new();
        // Several headers of the name are one list in their order (RFC 9110 §5.2).
        for value in headers.get_all(name) {
            match value.to_str() {
                Ok(text) => hops.extend(split_outside_quotes(text, ',').into_iter().map(read)),
                Err(_) => hops.push(None),
            }
        }
        hops.reverse();
        hops
    }
}

/// The `for` parameter of one element of `Forwarded` (RFC 7239 §4); `unknown` and `_hidden` names are unreadable.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut found = None;
    for parameter in split_outside_quotes(element, ';') {
        if let Some((name, value)) = parameter.split_once('=')
            && name.trim().eq_ignore_ascii_case("for")
        {
            if found.is_some() {
                return None;
            }
            let value = value.trim();
            let value = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'))
                .unwrap_or(value);
            found = Some(address(value)?);
        }
    }
    found
}

/// An address, with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare
        .parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(address.to_canonical())
}

fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|letter: char| {
        quoted ^= letter == '"';
        letter == separator && !quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const PROXY: &str = "10.0.0.1:1234";

    fn client(
        header: ForwardingHeader,
        peer: &str,
        lines: &[(&'static str, &'static str)],
    ) -> String {
        let networks = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        TrustedProxies { networks, header }
            .client(Some(peer.parse().unwrap()), &headers)
            .to_string()
    }

    #[test]
    fn x_forwarded_for_is_read_from_the_right() {
        for (peer, lines, expected) in [
            (PROXY, &["203.0.113.7"][..], "203.0.113.7"),
            (PROXY, &["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            (PROXY, &["203.0.113.7, 10.0.0.2"], "203.0.113.7"),
            (
                PROXY,
                &["198.51.100.1", "203.0.113.7,10.0.0.2"],
                "203.0.113.7",
            ),
            (PROXY, &["198.51.100.1, 203.0.113.7:4711"], "203.0.113.7"),
            (PROXY, &["[2001:db8::7]:4711"], "2001:db8::7"),
            (PROXY, &["2001:db8::7"], "2001:db8::7"),
            (PROXY, &["::ffff:203.0.113.7"], "203.0.113.7"),
            (PROXY, &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (PROXY, &["203.0.113.7, garbage, 10.0.0.2"], "10.0.0.2"),
            (PROXY, &["203.0.113.7, "], "10.0.0.1"),
            (PROXY, &["garbage"], "10.0.0.1"),
            (PROXY, &[], "10.0.0.1"),
            ("[fd00::1]:99", &["203.0.113.7"], "203.0.113.7"),
            ("[::ffff:10.0.0.1]:99", &["203.0.113.7"], "203.0.113.7"),
            ("203.0.113.9:99", &["198.51.100.1"], "203.0.113.9"),
        ] {
            let lines: Vec<_> = lines
                .iter()
                .map(|line| ("x-forwarded-for", *line))
                .collect();
            assert_eq!(
                client(ForwardingHeader::XForwardedFor, peer, &lines),
                expected,
                "{peer} {lines:?}"
            );
        }
    }

    #[test]
    fn forwarded_is_read_from_the_right() {
        for (line, expected) in [
            ("for=203.0.113.7;proto=https;by=10.0.0.1", "203.0.113.7"),
            (
                "for=198.51.100.1, For=\"[2001:db8::7]:4711\"",
                "2001:db8::7",
            ),
            ("for=\"203.0.113.7, for=10.0.0.9\"", "10.0.0.1"),
            ("for=203.0.113.7, for=unknown", "10.0.0.1"),
            ("for=203.0.113.7, for=_hidden, for=10.0.0.2", "10.0.0.2"),
            ("for=203.0.113.7;for=198.51.100.1", "10.0.0.1"),
            ("proto=https", "10.0.0.1"),
        ] {
            assert_eq!(
                client(ForwardingHeader::Forwarded, PROXY, &[("forwarded", line)]),
                expected,
                "{line}"
            );
        }
    }

    #[test]
    fn a_header_that_the_proxies_do_not_write_is_not_read() {
        let lines = [
            ("forwarded", "for=198.51.100.1"),
            ("x-forwarded-for", "203.0.113.7"),
        ];
        assert_eq!(
            client(ForwardingHeader::XForwardedFor, PROXY, &lines),
            "203.0.113.7"
        );
        assert_eq!(
            client(ForwardingHeader::Forwarded, PROXY, &lines),
            "198.51.100.1"
        );
    }

    #[test]
    fn without_trusted_proxies_the_peer_is_the_client() {
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("203.0.113.7"));
        let client = TrustedProxies::default()
            .client(Some("[::ffff:198.51.100.1]:1".parse().unwrap()), &headers);
        assert_eq!(client.to_string(), "198.51.100.1");
    }
}
