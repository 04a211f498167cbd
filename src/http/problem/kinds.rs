//! The problems by name: a handler says `Problem::not_found()`, and status, code, detail and headers follow.

use std::borrow::Cow;
use std::error::Error;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue, WWW_AUTHENTICATE};

use super::{API_KEY_CHALLENGE, Problem};
use crate::http::code::Code;

impl Problem {
    /// 400: the request is malformed in a way that no other code says.
    pub fn invalid_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidRequest, detail)
    }

    /// 400: `field` was given more than once, as a parameter, a member or a header.
    pub fn repeated(field: impl Into<String>) -> Self {
        let field = field.into();
        Self::invalid_request(format!("{field} must be given once")).with_field(
            field,
            "repeated",
            "is given more than once",
        )
    }

    /// 422: the value of `field` is not valid; `detail` says what would be ("must be …").
    pub fn invalid_parameter(
        field: impl Into<String>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (field, detail) = (field.into(), detail.into());
        Self::new(Code::InvalidParameter, format!("{field}: {detail}")).with_field(
            field,
            "invalid_parameter",
            detail,
        )
    }

    /// 422: `field` must be there and is not.
    pub fn missing_field(field: impl Into<String>) -> Self {
        let field = field.into();
        Self::new(Code::InvalidParameter, format!("{field}: is required")).with_field(
            field,
            "missing_field",
            "is required",
        )
    }

    /// 422: `field` is not known at this endpoint.
    pub fn unknown_field(field: impl Into<String>) -> Self {
        let field = field.into();
        Self::new(Code::UnknownField, format!("{field}: is not known here")).with_field(
            field,
            "unknown_field",
            "is not known here",
        )
    }

    /// 404: not there, or not the caller's; the two cannot be told apart.
    pub fn not_found() -> Self {
        Self::new(
            Code::NotFound,
            "there is nothing at this address that the caller may see",
        )
    }

    /// 405, with the methods that are allowed (RFC 9110 §15.5.6).
    pub fn method_not_allowed(allow: HeaderValue) -> Self {
        Self::new(
            Code::MethodNotAllowed,
            "see the Allow header for the methods of this path",
        )
        .with_header(ALLOW, allow)
    }

    /// 413: the body is longer than `limit` bytes.
    pub fn payload_too_large(limit: usize) -> Self {
        Self::new(
            Code::PayloadTooLarge,
            format!("the body must be at most {limit} bytes long"),
        )
    }

    /// 415: `detail` names the media types that are taken.
    pub fn unsupported_media_type(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::UnsupportedMediaType, detail)
    }

    /// 401: no bearer token was sent; the challenge has no `error` attribute then (RFC 6750 §3.1).
    pub fn bearer_required() -> Self {
        Self::new(
            Code::Unauthorized,
            "send an access token as Authorization: Bearer",
        )
        .with_header(
            WWW_AUTHENTICATE,
            HeaderValue::from_static(r#"Bearer realm="kagiya""#),
        )
    }

    /// 401: no API key was sent.
    pub fn api_key_required() -> Self {
        Self::new(Code::Unauthorized, "send an API key as X-API-Key")
            .with_header(WWW_AUTHENTICATE, API_KEY_CHALLENGE)
    }

    /// 401: a bearer token was sent and is not good here (RFC 6750 §3.1).
    pub fn invalid_token() -> Self {
        Self::new(
            Code::InvalidToken,
            "the access token is malformed, expired, revoked or not meant for this server",
        )
    }

    /// 401: the one answer for malformed, forged and unknown keys.
    pub fn invalid_api_key() -> Self {
        Self::new(Code::InvalidApiKey, "the API key is not valid")
    }

    /// 403: the access token lacks `scope` (RFC 6750 §3.1).
    pub fn insufficient_scope(scope: &'static str) -> Self {
        let challenge =
            format!(r#"Bearer realm="kagiya", error="insufficient_scope", scope="{scope}""#);
        let problem = Self::new(
            Code::InsufficientScope,
            format!("this needs the scope {scope}"),
        );
        match HeaderValue::try_from(challenge) {
            Ok(challenge) => problem.with_header(WWW_AUTHENTICATE, challenge),
            Err(_) => problem,
        }
    }

    /// 403: the credential is good, and this is not allowed to it.
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Forbidden, detail)
    }

    /// A conflict with the present state; `code` says which.
    pub fn conflict(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        debug_assert_eq!(
            code.status(),
            StatusCode::CONFLICT,
            "{code:?} is not a conflict"
        );
        Self::new(code, detail)
    }

    /// 412: the `If-Match` of a change is stale.
    pub fn precondition_failed() -> Self {
        Self::new(
            Code::PreconditionFailed,
            "read the object again and repeat the change with its new ETag",
        )
    }

    /// 429: ask again in `retry_after` seconds (RFC 6585 §4).
    pub fn rate_limited(detail: impl Into<Cow<'static, str>>, retry_after: u32) -> Self {
        Self::new(Code::RateLimited, detail).with_retry_after(retry_after)
    }

    /// 503: the database does not answer; ask again in `retry_after` seconds.
    pub fn database_unavailable(retry_after: u32) -> Self {
        Self::new(Code::DatabaseUnavailable, "nothing was changed; ask again")
            .with_retry_after(retry_after)
    }

    /// 503: nothing signs tokens of this kind; ask again in `retry_after` seconds.
    pub fn signing_key_unavailable(retry_after: u32) -> Self {
        Self::new(Code::SigningKeyUnavailable, "ask again").with_retry_after(retry_after)
    }

    /// 503: an identity provider is down, misconfigured, or refuses what we hold to be right.
    pub fn identity_provider_unavailable(retry_after: u32) -> Self {
        Self::new(Code::IdentityProviderUnavailable, "ask again").with_retry_after(retry_after)
    }

    /// 500: `cause` is for the log alone.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(
            Code::Internal,
            "the log has the cause under this request id",
        )
        .with_cause(cause)
    }
}
