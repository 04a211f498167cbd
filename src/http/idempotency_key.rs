//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the caller's name for one attempt.
//!
//! The draft wants a quoted string; most clients send the bare text, so both are taken and mean the same.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::{FromRequest, HttpRequest};

use super::header;
use super::problem::Problem;

/// The header.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key, in characters.
const MAX_LENGTH: usize = 255;

/// 1 to 255 visible ASCII characters. It takes part in sealing the stored answer, so it has no `Debug` and is not logged.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The text, without the quotation marks.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The header of a request, if it has one.
pub struct OptionalIdempotencyKey(pub Option<IdempotencyKey>);

impl FromRequest for OptionalIdempotencyKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request.headers()).map(Self))
    }
}

fn read(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(value) = header::only(headers, &IDEMPOTENCY_KEY)? else {
        return Ok(None);
    };
    let text = if value.starts_with('"') {
        unquoted(value)
    } else {
        Some(value.to_owned())
    };
    text.filter(|text| {
        (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    })
    .map(|text| Some(IdempotencyKey(text)))
    .ok_or_else(|| {
        Problem::invalid_request("Idempotency-Key must be 1 to 255 visible ASCII characters")
            .with_field(
                "Idempotency-Key",
                "invalid_parameter",
                "must be 1 to 255 visible ASCII characters",
            )
    })
}

/// The content of a string of structured fields (RFC 9651 §3.3.3): only `"` and `\` are escaped.
fn unquoted(text: &str) -> Option<String> {
    let mut content = String::with_capacity(text.len());
    let mut letters = text.strip_prefix('"')?.chars();
    loop {
        match letters.next()? {
            '"' => return letters.next().is_none().then_some(content),
            '\\' => content.push(
                letters
                    .next()
                    .filter(|letter| matches!(letter, '"' | '\\'))?,
            ),
            letter => content.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn text(values: &[&str]) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_str(value).unwrap());
        }
        read(&headers)
            .map(|key| key.map(|key| key.as_str().to_owned()))
            .map_err(|problem| problem.code().as_str())
    }

    #[test]
    fn quoted_and_bare_are_the_same_key() {
        for value in ["8e03978e-40d5", "\"8e03978e-40d5\"", "  8e03978e-40d5 "] {
            assert_eq!(
                text(&[value]),
                Ok(Some("8e03978e-40d5".to_owned())),
                "{value}"
            );
        }
        assert_eq!(text(&[r#""a\"b\\c""#]), Ok(Some(r#"a"b\c"#.to_owned())));
        assert_eq!(text(&[]), Ok(None));
        assert_eq!(text(&[&"k".repeat(255)]), Ok(Some("k".repeat(255))));
    }

    #[test]
    fn anything_else_is_refused() {
        for value in [
            "",
            "\"\"",
            "\"a",
            "\"a\"b",
            "\"a b\"",
            "a b",
            r#""\n""#,
            &"k".repeat(256),
        ] {
            assert_eq!(text(&[value]), Err("invalid_request"), "{value}");
        }
        assert_eq!(text(&["a", "a"]), Err("invalid_request"));
    }
}
