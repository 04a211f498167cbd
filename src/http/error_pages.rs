//! Problems as people see them: a page in place of JSON, where a person asked for a page.
//!
//! What a page looks like is not known here; [`ErrorPages`] is the seam.

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue};

use super::problem::Problem;

/// A page that tells of a problem.
pub struct ErrorPage {
    /// The HTML.
    pub html: String,
    /// Its `Content-Security-Policy`.
    pub policy: HeaderValue,
}

/// Makes them.
pub trait ErrorPages: Send + Sync + 'static {
    /// The page for a problem with this request; `None` where a program asked.
    fn page(&self, request: &HttpRequest, problem: &Problem, request_id: &str)
    -> Option<ErrorPage>;
}

impl ErrorPage {
    /// Writes its headers over those of the problem.
    pub(super) fn write_headers(&self, headers: &mut HeaderMap) {
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        );
        headers.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
    }
}
