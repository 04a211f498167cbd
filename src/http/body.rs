//! Request bodies: read whole, never beyond their limit, never decompressed.

use std::future::Future;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::web::{Bytes, BytesMut};
use futures_util::StreamExt;

use super::header;
use super::problem::Problem;

/// The longest body, in bytes, where an endpoint says nothing else.
pub const LIMIT: usize = 64 * 1024;

/// How long the whole body may take to arrive. The server's own timeout ends with the head of the request.
const PATIENCE: Duration = Duration::from_secs(10);

/// What `Content-Type` says that a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// There is no such header.
    Absent,
    /// `application/json` or any `+json`, in UTF-8.
    Json,
    /// `application/x-www-form-urlencoded`, in UTF-8.
    Form,
    /// Anything else.
    Other,
}

impl MediaType {
    /// Reads `Content-Type`. A `charset` other than UTF-8 makes it [`MediaType::Other`]; other parameters do not matter.
    ///
    /// # Errors
    /// 400 `invalid_request` when the header is there more than once.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = header::only(headers, &CONTENT_TYPE)? else {
            return Ok(Self::Absent);
        };
        let mut parts = value.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let utf8 =
            parts
                .filter_map(|parameter| parameter.split_once('='))
                .all(|(name, charset)| {
                    !name.trim().eq_ignore_ascii_case("charset")
                        || charset
                            .trim()
                            .trim_matches('"')
                            .eq_ignore_ascii_case("utf-8")
                });
        Ok(match essence.as_str() {
            _ if !utf8 => Self::Other,
            "application/x-www-form-urlencoded" => Self::Form,
            "application/json" => Self::Json,
            other if other.starts_with("application/") && other.ends_with("+json") => Self::Json,
            _ => Self::Other,
        })
    }
}

/// Reads the body to its end.
///
/// # Errors
/// 413 beyond `limit` bytes (told by `Content-Length` before a byte is read), 415 for a `Content-Encoding`: a packed body would
/// get round the limit. 400 when the body breaks off, or is not there within 10 seconds.
pub async fn read(
    headers: &HeaderMap,
    payload: &mut Payload,
    limit: usize,
) -> Result<Bytes, Problem> {
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Problem::unsupported_media_type(
            "send the body without Content-Encoding",
        ));
    }
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(Problem::payload_too_large(limit));
    }
    in_time(PATIENCE, collect(payload, declared.unwrap_or(0), limit)).await
}

async fn in_time(
    patience: Duration,
    body: impl Future<Output = Result<Bytes, Problem>>,
) -> Result<Bytes, Problem> {
    let late = |_| Err(Problem::invalid_request("the body did not arrive in time"));
    tokio::time::timeout(patience, body)
        .await
        .unwrap_or_else(late)
}

async fn collect(payload: &mut Payload, expected: usize, limit: usize) -> Result<Bytes, Problem> {
    let mut body = BytesMut::with_capacity(expected);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|cause| {
            Problem::invalid_request("the body broke off").with_cause(cause.to_string())
        })?;
        if body.len() + chunk.len() > limit {
            return Err(Problem::payload_too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

#[cfg(test)]
mod tests;
