//! Headers that tell a browser to make nothing of an answer (OWASP ASVS 5.0 §3.4, §3.5).
//!
//! An answer that needs another policy, a page, sets its own `Content-Security-Policy` or `Referrer-Policy`, which is kept.

use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
/// Two years; without `includeSubDomains`, for the neighbours' names are not ours to judge.
const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// Writes them; `tls`: whether clients reach us by TLS, which alone makes `Strict-Transport-Security` true.
///
/// An answer that is no page needs one of them only: told not to sniff, no browser takes JSON or a JWT for a document, and the policies
/// of documents say nothing. They would cost every token some hundred bytes on the wire, a tenth of its time.
pub fn write(headers: &mut HeaderMap, tls: bool) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, TWO_YEARS);
    }
    if headers.get(CONTENT_TYPE).is_some_and(is_page) {
        unless_given(headers, REFERRER_POLICY, NO_REFERRER);
        headers.insert(CROSS_ORIGIN_OPENER_POLICY, SAME_ORIGIN);
        unless_given(headers, CROSS_ORIGIN_RESOURCE_POLICY, SAME_ORIGIN);
        unless_given(headers, CONTENT_SECURITY_POLICY, NOTHING);
    }
}

fn is_page(content_type: &HeaderValue) -> bool {
    content_type.as_bytes().starts_with(b"text/html")
}

/// Puts an answer's own value back when it had one, which few do: cheaper than to look first.
fn unless_given(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    let own = headers.insert(name.clone(), value).next();
    if let Some(own) = own {
        headers.insert(name, own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_every_policy_and_keeps_its_own() {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        );
        write(&mut headers, true);
        assert_eq!(headers.get(X_CONTENT_TYPE_OPTIONS), Some(&NOSNIFF));
        assert_eq!(headers.get(REFERRER_POLICY), Some(&NO_REFERRER));
        assert_eq!(
            headers.get(CROSS_ORIGIN_RESOURCE_POLICY),
            Some(&SAME_ORIGIN)
        );
        assert_eq!(headers.get(CROSS_ORIGIN_OPENER_POLICY), Some(&SAME_ORIGIN));
        assert_eq!(headers.get(CONTENT_SECURITY_POLICY), Some(&NOTHING));
        assert_eq!(headers.get(STRICT_TRANSPORT_SECURITY), Some(&TWO_YEARS));
        let own = HeaderValue::from_static("default-src 'self'");
        headers.insert(CONTENT_SECURITY_POLICY, own.clone());
        write(&mut headers, false);
        assert_eq!(headers.get(CONTENT_SECURITY_POLICY), Some(&own));
    }
}
