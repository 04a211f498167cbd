//! Parameters that a caller may send as a form, as JSON, or not at all.
//!
//! A request without a body needs no `Content-Type`, and is read without an allocation: that is the usual way to trade a key.

use std::future::{Future, Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::Either;
use serde::de::DeserializeOwned;

use super::body::{self, MediaType};
use super::problem::Problem;
use super::{form, json};

type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

/// The parameters of the body, `T::default()` when there is none. Derive `Deserialize` with `deny_unknown_fields` and
/// `serde(default)` for `T`; an empty value is the value `""`, which RFC 6749 §3.2 wants treated as absent.
pub struct OptionalParameters<T>(pub T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalParameters<T> {
    type Error = Problem;
    type Future = Either<Ready<Result<Self, Problem>>, Pending<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if matches!(payload, Payload::None) {
            return Either::Left(ready(Ok(Self(T::default()))));
        }
        let (request, mut payload) = (request.clone(), payload.take());
        Either::Right(Box::pin(async move {
            let body = body::read(request.headers(), &mut payload, body::LIMIT).await?;
            if body.is_empty() {
                return Ok(Self(T::default()));
            }
            match MediaType::of(request.headers())? {
                MediaType::Form => form::read(&body).map(Self),
                MediaType::Json => json::read(&body).map(Self),
                MediaType::Absent | MediaType::Other => Err(Problem::unsupported_media_type(
                    "send the parameters as application/x-www-form-urlencoded or application/json in UTF-8",
                )),
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq, Eq)]
    #[serde(default, deny_unknown_fields)]
    struct Token {
        resource: Option<String>,
        scope: Option<String>,
    }

    async fn read(content_type: Option<&str>, body: &'static str) -> Result<Token, &'static str> {
        let mut request = TestRequest::post().set_payload(body);
        if let Some(content_type) = content_type {
            request = request.insert_header(("content-type", content_type));
        }
        let (request, mut payload) = request.to_http_parts();
        let read = OptionalParameters::<Token>::from_request(&request, &mut payload).await;
        read.map(|OptionalParameters(token)| token)
            .map_err(|problem| problem.code().as_str())
    }

    const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
    const JSON: Option<&str> = Some("application/json");

    #[tokio::test]
    async fn form_and_json_say_the_same() {
        let token = Token {
            resource: Some("https://a/b".to_owned()),
            scope: Some("x y".to_owned()),
        };
        assert_eq!(
            read(FORM, "resource=https%3A%2F%2Fa%2Fb&scope=x+y")
                .await
                .as_ref(),
            Ok(&token)
        );
        assert_eq!(
            read(JSON, r#"{"resource":"https://a/b","scope":"x y"}"#)
                .await
                .as_ref(),
            Ok(&token)
        );
    }

    #[tokio::test]
    async fn nothing_is_everything_by_default() {
        for content_type in [None, FORM, JSON, Some("text/plain")] {
            assert_eq!(read(content_type, "").await, Ok(Token::default()));
        }
        assert_eq!(read(JSON, "{}").await, Ok(Token::default()));
    }

    #[tokio::test]
    async fn every_mistake_has_its_code() {
        for (content_type, body, code) in [
            (None, "scope=x", "unsupported_media_type"),
            (Some("text/plain"), "scope=x", "unsupported_media_type"),
            (FORM, "scope=x&scope=x", "invalid_request"),
            (FORM, "scope=%zz", "invalid_request"),
            (FORM, "scopes=x", "unknown_field"),
            (JSON, r#"{"scope":"x","scope":"x"}"#, "invalid_request"),
            (JSON, r#"{"scope":["x"]}"#, "invalid_parameter"),
            (JSON, r#"{"scopes":"x"}"#, "unknown_field"),
            (JSON, "scope=x", "invalid_json"),
        ] {
            assert_eq!(
                read(content_type, body).await,
                Err(code),
                "{content_type:?} {body}"
            );
        }
    }
}
