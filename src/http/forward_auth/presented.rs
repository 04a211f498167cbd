//! What a gateway's caller shows: an API key, or an access token of ours.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};

use crate::http::code::Code;
use crate::http::header::{Authorization, X_API_KEY, authorization};
use crate::http::problem::Problem;

const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"ApiKey realm="kagiya""#);

/// What decides. Not verified.
pub(super) enum Presented<'a> {
    /// `X-API-Key`; a client's `Authorization` beside it is for nobody.
    Key(&'a [u8]),
    /// `Authorization: Bearer`, where there is no key.
    Token(&'a str),
}

impl<'a> Presented<'a> {
    /// Reads it.
    ///
    /// # Errors
    /// 401 for none, and for two of a kind: a gateway knows no 400.
    pub(super) fn read(request: &'a HttpRequest) -> Result<Self, Problem> {
        let headers = request.headers();
        let mut keys = headers.get_all(X_API_KEY);
        match (keys.next(), keys.next()) {
            (Some(key), None) => Ok(Self::Key(key.as_bytes())),
            (Some(_), Some(_)) => Err(repeated("send one X-API-Key")),
            (None, _) => match authorization(headers) {
                Ok(Authorization::Bearer(token)) => Ok(Self::Token(token)),
                Ok(Authorization::Absent | Authorization::Other) => {
                    Err(Problem::api_key_required())
                }
                Err(_) => Err(repeated("send one Authorization")),
            },
        }
    }
}

fn repeated(detail: &'static str) -> Problem {
    Problem::new(Code::Unauthorized, detail).with_header(WWW_AUTHENTICATE, CHALLENGE)
}
