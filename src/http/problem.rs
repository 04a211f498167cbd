//! Problem details (RFC 9457): the one error type of every endpoint that is not an OAuth endpoint.
//!
//! A [`Problem`] holds what the caller may know (a [`Code`], a detail, the fields that are wrong) and, apart from it, the private
//! cause, which goes to the request log once and never into an answer. The body is written by [`super::middleware`], which
//! alone knows the request id; [`Problem::error_response`] therefore makes the head only. Every problem answers
//! `Cache-Control: no-store`.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use super::code::Code;

mod kinds;

/// The media type of a problem (RFC 9457 §3).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What the caller is told, and beside it the cause that he is not told.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    fields: Vec<FieldProblem>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// What is wrong with one field of the body, or with one parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// Path of the field, as `permissions[0].scopes[1]`, or the parameter's name.
    field: String,
    /// A stable word: `invalid_parameter`, `missing_field`, `unknown_field` or `repeated`.
    #[schema(value_type = String)]
    code: &'static str,
    /// What is wrong, in words.
    #[schema(value_type = String)]
    detail: Cow<'static, str>,
}

/// The body of an error answer (RFC 9457), media type `application/problem+json`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// The problem type, `urn:kagiya:problem:` and the code.
    #[serde(rename = "type")]
    type_uri: &'a str,
    /// A short summary, the same for every occurrence of this code.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What went wrong here, in words.
    detail: &'a str,
    /// A stable word to match on.
    code: &'a str,
    /// The id under which the server's log has this request, also in `X-Request-Id`.
    request_id: &'a str,
    /// The fields that are wrong, where fields are.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldProblem],
}

impl Problem {
    /// A problem with this code and a detail that helps whoever reads it. The detail never holds a secret or a cause.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            fields: Vec::new(),
            headers: Vec::new(),
            cause: None,
        }
    }

    /// Adds a field that is wrong; `code` is a stable word.
    pub fn with_field(
        mut self,
        field: impl Into<String>,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.fields.push(FieldProblem {
            field: field.into(),
            code,
            detail: detail.into(),
        });
        self
    }

    /// Adds a header to the answer; one named as a default header of the code stands in its place.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds `Retry-After`, in seconds (RFC 9110 §10.2.3).
    pub fn with_retry_after(self, seconds: u32) -> Self {
        self.with_header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Keeps what really happened, for the log alone.
    pub fn with_cause(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The stable word.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The fields that are wrong.
    pub fn fields(&self) -> &[FieldProblem] {
        &self.fields
    }

    /// What really happened: for the log, never for an answer.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }

    /// What went wrong, in words.
    pub(super) fn detail(&self) -> &Cow<'static, str> {
        &self.detail
    }

    /// The headers beyond those of its code.
    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The cause, for an answer in another form.
    pub(super) fn into_cause(self) -> Option<Box<dyn Error + Send + Sync>> {
        self.cause
    }

    /// The JSON body of the answer to the request with this id.
    pub fn body(&self, request_id: &str) -> Vec<u8> {
        if let (Cow::Borrowed(detail), []) = (&self.detail, self.fields.as_slice()) {
            return self.plain_body(detail, request_id);
        }
        let body = ProblemBody {
            type_uri: self.code.type_uri(),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            code: self.code.as_str(),
            request_id,
            errors: &self.fields,
        };
        let mut bytes = Vec::with_capacity(320);
        // Writing plain strings and a number into memory cannot fail.
        let _ = serde_json::to_writer(&mut bytes, &body);
        bytes
    }

    /// The body of a problem whose every text was written here, where none needs an escape: it is what floods of bad keys get.
    fn plain_body(&self, detail: &'static str, request_id: &str) -> Vec<u8> {
        debug_assert!(
            !detail.contains(['"', '\\']) && detail.is_ascii(),
            "{detail}"
        );
        let code = self.code;
        let mut status = itoa::Buffer::new();
        let status = status.format(code.status().as_u16());
        let parts = [
            r#"{"type":""#,
            code.type_uri(),
            r#"","title":""#,
            code.title(),
            r#"","status":"#,
            status,
            r#","detail":""#,
            detail,
            r#"","code":""#,
            code.as_str(),
            r#"","request_id":""#,
            request_id,
            r#""}"#,
        ];
        let mut body = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            body.extend_from_slice(part.as_bytes());
        }
        body
    }

    /// Writes the status' own headers into `headers`.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = challenge(self.code) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause
            .as_deref()
            .map(|cause| cause as &(dyn Error + 'static))
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::new(self.code.status());
        self.write_headers(response.headers_mut());
        response
    }
}

const API_KEY_CHALLENGE: HeaderValue = HeaderValue::from_static(r#"ApiKey realm="kagiya""#);
const INVALID_TOKEN_CHALLENGE: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="kagiya", error="invalid_token""#);

/// The challenge that a 401 must carry (RFC 9110 §15.5.2); the codes without one add theirs as a header.
fn challenge(code: Code) -> Option<HeaderValue> {
    match code {
        Code::InvalidApiKey
        | Code::ApiKeyExpired
        | Code::ApiKeyDisabled
        | Code::ApiKeyRevoked
        | Code::ApiKeyRotated => Some(API_KEY_CHALLENGE),
        Code::InvalidToken => Some(INVALID_TOKEN_CHALLENGE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(problem: &Problem, name: HeaderName) -> Option<String> {
        let response = problem.error_response();
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_body_written_by_hand_is_the_body_that_serde_writes() {
        for code in Code::ALL.iter().copied() {
            let plain = Problem::new(code, "this is what went wrong");
            let owned = Problem::new(code, "this is what went wrong".to_owned());
            assert_eq!(plain.body("req_1"), owned.body("req_1"));
        }
    }

    #[test]
    fn the_body_has_the_members_of_rfc_9457_and_ours() {
        let problem = Problem::invalid_parameter("limit", "must be a number from 1 to 200");
        let body = String::from_utf8(problem.body("req_1")).unwrap();
        insta::assert_snapshot!(body, @r#"{"type":"urn:kagiya:problem:invalid_parameter","title":"A value is not valid","status":422,"detail":"limit: must be a number from 1 to 200","code":"invalid_parameter","request_id":"req_1","errors":[{"field":"limit","code":"invalid_parameter","detail":"must be a number from 1 to 200"}]}"#);
    }

    #[test]
    fn no_field_no_errors_member() {
        let body = String::from_utf8(Problem::not_found().body("req_1")).unwrap();
        assert!(!body.contains("errors"), "{body}");
    }

    #[test]
    fn every_401_has_a_challenge() {
        for problem in [
            Problem::bearer_required(),
            Problem::api_key_required(),
            Problem::invalid_token(),
            Problem::invalid_api_key(),
            Problem::new(Code::ApiKeyExpired, ""),
            Problem::new(Code::ApiKeyDisabled, ""),
            Problem::new(Code::ApiKeyRevoked, ""),
            Problem::new(Code::ApiKeyRotated, ""),
        ] {
            assert_eq!(problem.status_code(), StatusCode::UNAUTHORIZED);
            let challenge = header(&problem, WWW_AUTHENTICATE).unwrap();
            assert_eq!(challenge.matches("realm=").count(), 1, "BR-3: {challenge}");
        }
        let unauthorized = Code::ALL
            .iter()
            .filter(|code| code.status() == StatusCode::UNAUTHORIZED)
            .count();
        assert_eq!(unauthorized, 7, "a new code with 401 needs a row above");
    }

    #[test]
    fn a_challenge_without_credentials_names_no_error() {
        assert_eq!(
            header(&Problem::bearer_required(), WWW_AUTHENTICATE).unwrap(),
            r#"Bearer realm="kagiya""#
        );
    }

    #[test]
    fn a_challenge_for_a_lacking_scope_names_it() {
        assert_eq!(
            header(&Problem::insufficient_scope("keys:write"), WWW_AUTHENTICATE).unwrap(),
            r#"Bearer realm="kagiya", error="insufficient_scope", scope="keys:write""#,
        );
    }

    #[test]
    fn an_outage_says_when_to_ask_again_and_is_not_cached() {
        let problem = Problem::database_unavailable(2);
        assert_eq!(header(&problem, RETRY_AFTER).unwrap(), "2");
        assert_eq!(header(&problem, CACHE_CONTROL).unwrap(), "no-store");
    }

    #[test]
    fn the_cause_is_not_in_the_body() {
        let problem = Problem::internal("the table is on fire");
        assert_eq!(problem.cause().unwrap().to_string(), "the table is on fire");
        assert!(
            !String::from_utf8(problem.body("req_1"))
                .unwrap()
                .contains("fire")
        );
    }
}
