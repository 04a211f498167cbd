//! Lost updates are refused: an item carries its version as `ETag`, and a change with a stale `If-Match` is 412
//! (RFC 9110 §8.8.3, §13.1.1).

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use actix_web::{FromRequest, HttpRequest};

use super::problem::Problem;

/// The strong entity tag of version `version`: `"v7"`.
pub fn etag(version: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"v{version}\""))
        .unwrap_or_else(|_| HeaderValue::from_static("\"v0\""))
}

/// The versions that a change may start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Nothing is said, or `*`: whatever version is there.
    Any,
    /// One of these. A tag that we cannot have made (weak ones too, §13.1.1 compares strongly) is left out, so the list may be
    /// empty, and then no version is right.
    OneOf(Vec<i64>),
}

impl IfMatch {
    /// Whether a change may start from `version`. The transaction that makes the change compares with that very version once more.
    pub fn allows(&self, version: i64) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }

    /// The versions that may be changed; `None`: any. For a use case that compares in its own transaction.
    pub fn versions(&self) -> Option<&[i64]> {
        match self {
            Self::Any => None,
            Self::OneOf(versions) => Some(versions),
        }
    }
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(if_match(request.headers()))
    }
}

fn if_match(headers: &HeaderMap) -> Result<IfMatch, Problem> {
    let mut versions = Vec::new();
    let mut present = false;
    // A list may be spread over several headers (RFC 9110 §5.2), so more than one is no mistake here.
    for value in headers.get_all(IF_MATCH) {
        present = true;
        let broken =
            || Problem::invalid_request("If-Match must be * or a list of quoted entity tags");
        let text = value.to_str().map_err(|_| broken())?.trim();
        if text == "*" {
            return Ok(IfMatch::Any);
        }
        for tag in tags(text).ok_or_else(broken)? {
            versions.extend(version(tag));
        }
    }
    Ok(if present {
        IfMatch::OneOf(versions)
    } else {
        IfMatch::Any
    })
}

/// Whether `If-None-Match` names `tag` (weak comparison, RFC 9110 §13.1.2): the caller's copy is still good, answer 304.
pub fn is_unchanged(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let wanted = tag.to_str().unwrap_or_default().trim_start_matches("W/");
    headers
        .get_all(IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .any(|text| {
            text.trim() == "*"
                || tags(text.trim()).is_some_and(|tags| {
                    tags.iter()
                        .any(|tag| tag.trim_start_matches("W/") == wanted)
                })
        })
}

/// Splits a list of entity tags; commas inside the quotation marks do not separate. `None` when it is not such a list.
fn tags(text: &str) -> Option<Vec<&str>> {
    let mut tags = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return (!tags.is_empty()).then_some(tags);
        }
        let weak = if rest.starts_with("W/") { 2 } else { 0 };
        let inner = rest[weak..].strip_prefix('"')?;
        let end = weak + 1 + inner.find('"')? + 1;
        tags.push(&rest[..end]);
        rest = rest[end..].trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

/// The version in a tag of ours; other spellings of the same number are not ours.
fn version(tag: &str) -> Option<i64> {
    let digits = tag.strip_prefix("\"v")?.strip_suffix('"')?;
    let version = digits.parse().ok()?;
    (etag(version) == tag).then_some(version)
}

#[cfg(test)]
mod tests;
