//! The path of a client's request as a gateway passes it on, brought to its one normal form (RFC 3986 §6.2.2).
//!
//! A path that parties may read in different ways is refused and never guessed: the gateway would guard one thing and the service
//! behind it serve another. So no dot segments, empty segments, path parameters (`;`), backslashes, control characters, or encoded
//! characters that change the structure when they are decoded.

use thiserror::Error;

/// The longest target that is read, in bytes.
const MAX_LENGTH: usize = 8192;

/// A path without a query, in normal form: it begins with `/`, and unreserved characters stand as themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPath(String);

/// The path can be read in more than one way.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the path of the request can be read in more than one way")]
pub struct AmbiguousPath;

impl RequestPath {
    /// Reads the path of a request target in origin form (RFC 9112 §3.2.1): what is behind the first `?` is left out.
    ///
    /// # Errors
    /// When the path is not the only reading of itself.
    pub fn read(target: &str) -> Result<Self, AmbiguousPath> {
        let path = target.split('?').next().unwrap_or_default();
        if target.len() > MAX_LENGTH || !path.starts_with('/') {
            return Err(AmbiguousPath);
        }
        let path = normalised(path.as_bytes())?;
        let mut segments = path.split('/').skip(1).peekable();
        while let Some(segment) = segments.next() {
            // Only the last may be empty: a slash at the end.
            let is_inner = segments.peek().is_some();
            if matches!(segment, "." | "..") || (segment.is_empty() && is_inner) {
                return Err(AmbiguousPath);
            }
        }
        Ok(Self(path))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Decodes the unreserved characters and writes the other encodings in capitals; refuses what changes the structure.
fn normalised(path: &[u8]) -> Result<String, AmbiguousPath> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            if !is_plain(byte) {
                return Err(AmbiguousPath);
            }
            out.push(char::from(byte));
            continue;
        }
        let mut digit = || {
            let digit = rest.next().map(char::from).and_then(|c| c.to_digit(16));
            digit.ok_or(AmbiguousPath)
        };
        let (high, low) = (digit()?, digit()?);
        // Two digits of four bits each make a byte.
        let decoded = (high << 4 | low) as u8;
        match decoded {
            // Whoever decodes once more than another sees another path.
            b'/' | b'\\' | b'%' | b';' | b'.' | b'?' | b'#' => return Err(AmbiguousPath),
            control if control < 0x20 || control == 0x7f => return Err(AmbiguousPath),
            unreserved if unreserved.is_ascii_alphanumeric() || b"-_~".contains(&unreserved) => {
                out.push(char::from(unreserved));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    Ok(out)
}

/// What may stand in a path as it is (RFC 3986 §3.3), without `;`.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@/".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_normal_form() {
        for (target, path) in [
            ("/", "/"),
            ("/payments", "/payments"),
            ("/payments/", "/payments/"),
            ("/payments?a=/../b;c", "/payments"),
            ("/payments?", "/payments"),
            ("/%70ayments/%7Eann", "/payments/~ann"),
            ("/caf%c3%a9/a%20b", "/caf%C3%A9/a%20b"),
            ("/a/...", "/a/..."),
            ("/.well-known/x", "/.well-known/x"),
            ("/a:b@c,d=e", "/a:b@c,d=e"),
        ] {
            let read = RequestPath::read(target).map(|path| path.0);
            assert_eq!(read.as_deref(), Ok(path), "{target}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let long = format!("/{}", "a".repeat(MAX_LENGTH));
        for target in [
            "",
            "payments",
            "*",
            "http://a/b",
            "//",
            "//payments",
            "/a//b",
            "/.",
            "/..",
            "/a/.",
            "/a/..",
            "/a/../b",
            "/a/./b",
            "/%2e",
            "/%2E%2e/b",
            "/.%2e/b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a;b",
            "/a;/b",
            "/a%3bb",
            "/a%00",
            "/a%0ab",
            "/a%7f",
            "/a%252fb",
            "/a%",
            "/a%4",
            "/a%zz",
            "/a%+1",
            "/a#b",
            "/a%23b",
            "/a%3fb",
            "/a b",
            "/a\tb",
            "/caf\u{e9}",
            "/a<b",
            "/a\"b",
            "/a{b}",
            "/a|b",
            "/a^b",
            "/a`b",
            "/a[b]",
            &long,
        ] {
            assert_eq!(RequestPath::read(target), Err(AmbiguousPath), "{target}");
        }
    }
}
