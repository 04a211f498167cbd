//! Errors of OAuth endpoints (RFC 6749 §5.2): a code of the RFCs, a description that is safe to show, and apart from them the private
//! cause, which is logged once.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, PRAGMA, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::problem::Problem;

/// The code of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// A parameter is missing, given twice or malformed (RFC 6749 §5.2); a token to be exchanged is not good (RFC 8693 §2.2.2).
    InvalidRequest,
    /// The client did not prove who it is (RFC 6749 §5.2).
    InvalidClient,
    /// A scope is malformed or not held (RFC 6749 §5.2).
    InvalidScope,
    /// No token can be issued for the resource (RFC 8707 §2).
    InvalidTarget,
    /// The client may not do that (RFC 6749 §5.2).
    UnauthorizedClient,
    /// Not a grant of this server (RFC 6749 §5.2).
    UnsupportedGrantType,
    /// Overloaded, or something is down: ask again (RFC 6749 §4.1.2.1 has the word).
    TemporarilyUnavailable,
    /// A defect of the server (RFC 6749 §4.1.2.1 has the word).
    ServerError,
}

impl ErrorCode {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType => StatusCode::BAD_REQUEST,
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// What a client is told, and beside it the cause that it is not told.
#[derive(Debug)]
pub struct Error {
    code: ErrorCode,
    status: StatusCode,
    description: Cow<'static, str>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// The body of an error (RFC 6749 §5.2).
#[derive(Serialize, ToSchema)]
#[schema(as = OAuthError)]
pub struct ErrorBody<'a> {
    /// A code of the RFCs, to match on.
    #[schema(example = "invalid_client")]
    error: &'a str,
    /// What went wrong, in words.
    error_description: &'a str,
}

impl Error {
    /// An error with this code; the description never holds a secret or a piece of the request.
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            status: code.status(),
            description: description.into(),
            headers: Vec::new(),
            cause: None,
        }
    }

    /// 400 `invalid_request`.
    pub fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// 401 `invalid_client`: the one answer to whoever does not prove who he is.
    pub fn invalid_client() -> Self {
        let description = "the client is unknown, or did not prove who it is";
        Self::new(ErrorCode::InvalidClient, description)
    }

    /// 429: too much from there.
    pub fn too_many(description: &'static str, seconds: u32) -> Self {
        let mut error = Self::new(ErrorCode::TemporarilyUnavailable, description);
        error.status = StatusCode::TOO_MANY_REQUESTS;
        error.with_header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Keeps what really happened, for the log alone.
    pub fn with_cause(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// What really happened: for the log, never for an answer.
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.cause.as_deref()
    }

    /// The body of the answer.
    pub(in crate::http) fn body(&self) -> Vec<u8> {
        let body = ErrorBody {
            error: self.code.as_str(),
            error_description: &safe(&self.description),
        };
        // Two texts always have a JSON form.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// Writes the status' own headers into `headers`.
    pub(in crate::http) fn write_headers(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(r#"Basic realm="kagiya", charset="UTF-8""#);
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
    }
}

/// Only %x20-21, %x23-5B and %x5D-7E may stand in a description (RFC 6749 §5.2).
fn safe(text: &str) -> Cow<'_, str> {
    let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
    if text.bytes().all(allowed) {
        return Cow::Borrowed(text);
    }
    text.chars()
        .map(|letter| match u8::try_from(letter) {
            Ok(byte) if allowed(byte) => letter,
            _ if letter == '"' => '\'',
            _ => '?',
        })
        .collect()
}

/// What the readers shared by all endpoints refuse, in the words of these.
impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        let mut error = Self::from(&problem);
        error.cause = problem.into_cause();
        error
    }
}

/// The same without its cause.
impl From<&Problem> for Error {
    fn from(problem: &Problem) -> Self {
        let status = problem.code().status();
        let code = match status {
            StatusCode::UNAUTHORIZED => ErrorCode::InvalidClient,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                ErrorCode::TemporarilyUnavailable
            }
            status if status.is_server_error() => ErrorCode::ServerError,
            _ => ErrorCode::InvalidRequest,
        };
        let mut error = Self::new(code, problem.detail().clone());
        // A wrong content type, an unknown parameter: what has its own status elsewhere is a bad request here.
        error.status = match status {
            StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::TOO_MANY_REQUESTS => status,
            _ => code.status(),
        };
        error.headers = problem
            .headers()
            .iter()
            .filter(|(name, _)| [ALLOW, RETRY_AFTER].contains(name))
            .cloned()
            .collect();
        error
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.description)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause
            .as_deref()
            .map(|cause| cause as &(dyn StdError + 'static))
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::with_body(self.status, BoxBody::new(self.body()));
        self.write_headers(response.headers_mut());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tok_13_a_description_holds_no_quote_no_backslash_and_no_line_end() {
        assert_eq!(
            safe("all is well: https://a/b?c"),
            "all is well: https://a/b?c"
        );
        assert_eq!(safe("a \"b\" \\ c\nd é"), "a 'b' ? c?d ?");
        let body = Error::invalid_request("say \"x\"").body();
        let body = String::from_utf8(body).unwrap();
        insta::assert_snapshot!(body, @r#"{"error":"invalid_request","error_description":"say 'x'"}"#);
    }

    #[test]
    fn tok_9_tok_12_every_401_has_a_challenge_and_no_error_is_kept() {
        let response = Error::invalid_client().error_response();
        let header = |name| response.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(
            header(WWW_AUTHENTICATE),
            r#"Basic realm="kagiya", charset="UTF-8""#
        );
        assert_eq!(
            (header(CACHE_CONTROL), header(PRAGMA)),
            ("no-store", "no-cache")
        );
    }

    #[test]
    fn tok_14_a_problem_becomes_an_error_of_the_rfcs() {
        for (problem, status, error) in [
            (Problem::unsupported_media_type("x"), 400, "invalid_request"),
            (Problem::unknown_field("x"), 400, "invalid_request"),
            (Problem::payload_too_large(1), 413, "invalid_request"),
            (
                Problem::method_not_allowed(HeaderValue::from_static("POST")),
                405,
                "invalid_request",
            ),
            (
                Problem::database_unavailable(2),
                503,
                "temporarily_unavailable",
            ),
            (
                Problem::rate_limited("x", 2),
                429,
                "temporarily_unavailable",
            ),
            (Problem::internal("x"), 500, "server_error"),
        ] {
            let error_of = Error::from(problem);
            assert_eq!(error_of.status_code(), status);
            assert_eq!(error_of.code().as_str(), error);
            let has_word = |name| error_of.error_response().headers().contains_key(name);
            assert_eq!(has_word(ALLOW), status == 405);
            assert_eq!(has_word(RETRY_AFTER), [429, 503].contains(&status));
        }
    }
}
