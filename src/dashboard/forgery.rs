//! Whether what was sent came from one of our own pages: by where the browser says that it comes from, and by a token that only our
//! pages hold (OWASP ASVS 5.0 §3.5; `docs/dashboard.md`).

use actix_web::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use url::{Host, Url};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the headers say that a form came from our own pages, reached under `origin`.
///
/// `Origin` must be ours; on the server's own machine that of the loopback address that was asked counts as ours. It is `null` where
/// the page that sent it names nobody as its referrer, as ours do: then `Sec-Fetch-Site`, which no page can set, must say "same-origin".
/// A client that sends neither is no browser.
pub fn is_same_origin(headers: &HeaderMap, origin: &str) -> bool {
    let mut sites = headers.get_all(SEC_FETCH_SITE);
    let site = match (sites.next(), sites.next()) {
        (None, _) => None,
        (Some(site), None) => Some(site.as_bytes()),
        _ => return false,
    };
    if site.is_some_and(|site| site != b"same-origin") {
        return false;
    }
    let mut origins = headers.get_all(ORIGIN);
    let named = match (origins.next(), origins.next()) {
        (None, _) => None,
        (Some(named), None) => match named.to_str() {
            Ok(named) => Some(named),
            Err(_) => return false,
        },
        _ => return false,
    };
    match named {
        Some("null") | None => site.is_some(),
        Some(named) => named == origin || is_loopback_here(named, headers),
    }
}

/// Whether an origin is the loopback address that this very request went to.
fn is_loopback_here(named: &str, headers: &HeaderMap) -> bool {
    let Ok(url) = Url::parse(named) else {
        return false;
    };
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let authority = named.split_once("://").map(|(_, authority)| authority);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    loopback && authority.is_some() && authority == host
}

/// Whether a path that somebody is to be sent back to is one of our pages (RFC 9700 §4.11).
pub fn is_own_path(path: &str) -> bool {
    let plain = path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>'));
    let ours =
        path == "/dashboard" || path.starts_with("/dashboard/") || path.starts_with("/dashboard?");
    plain && ours && !path.contains("//") && !path.contains("/..") && path.len() <= 1024
}

#[cfg(test)]
mod tests;
