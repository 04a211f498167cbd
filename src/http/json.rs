//! JSON bodies: [`Json`], [`RawJson`], [`OptionalJson`] and [`OptionalRawJson`] read one strictly or say which field is wrong.
//!
//! The order of refusal: 415 wrong media type, 413 too long, 400 `invalid_json` not JSON or nested deeper than 32, 400
//! `invalid_request` a member name twice in one object (RFC 8259 §4 leaves its meaning open), 422 an unknown field (the type
//! says `deny_unknown_fields`), a missing one, or a wrong value.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use super::body::{self, MediaType};
use super::object::Object;
use super::problem::Problem;
use super::read_value;

/// The deepest nesting of a body.
const MAX_DEPTH: usize = 32;

type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

/// A body of at most `LIMIT` bytes, read as `T`. Derive `Deserialize` with `deny_unknown_fields` for `T`.
pub struct Json<T, const LIMIT: usize = { body::LIMIT }>(pub T);

/// A body of at most 64 KiB, read as `T`, with the bytes that it was read from: an Idempotency-Key is bound to those.
pub struct RawJson<T> {
    /// What it says.
    pub value: T,
    /// As it was sent.
    pub bytes: Bytes,
}

/// A body of at most 64 KiB, read as `T`; `T::default()` when there is none, and then it needs no `Content-Type` either.
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + 'static, const LIMIT: usize> FromRequest for Json<T, LIMIT> {
    type Error = Problem;
    type Future = Pending<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            must_be_json(&request)?;
            let body = body::read(request.headers(), &mut payload, LIMIT).await?;
            read(&body).map(Self)
        })
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for RawJson<T> {
    type Error = Problem;
    type Future = Pending<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            must_be_json(&request)?;
            let bytes = body::read(request.headers(), &mut payload, body::LIMIT).await?;
            let value = read(&bytes)?;
            Ok(Self { value, bytes })
        })
    }
}

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalJson<T> {
    type Error = Problem;
    type Future = Pending<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = body::read(request.headers(), &mut payload, body::LIMIT).await?;
            if body.is_empty() {
                return Ok(Self(T::default()));
            }
            must_be_json(&request)?;
            read(&body).map(Self)
        })
    }
}

/// As [`OptionalJson`], together with its bytes.
pub struct OptionalRawJson<T> {
    /// What it says.
    pub value: T,
    /// As it was sent.
    pub bytes: Bytes,
}

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalRawJson<T> {
    type Error = Problem;
    type Future = Pending<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let bytes = body::read(request.headers(), &mut payload, body::LIMIT).await?;
            if bytes.is_empty() {
                return Ok(Self {
                    value: T::default(),
                    bytes,
                });
            }
            must_be_json(&request)?;
            let value = read(&bytes)?;
            Ok(Self { value, bytes })
        })
    }
}

fn must_be_json(request: &HttpRequest) -> Result<(), Problem> {
    match MediaType::of(request.headers())? {
        MediaType::Json => Ok(()),
        _ => Err(Problem::unsupported_media_type(
            "send the body as application/json in UTF-8",
        )),
    }
}

/// Reads `text`, which must be an object, as a `T`.
///
/// # Errors
/// As the module says, from `invalid_json` on.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    check(text)?;
    let read = read_value::read(&mut serde_json::Deserializer::from_slice(text));
    read.map(|Object(value)| value)
}

/// Walks through the whole text once: well-formed, not too deep, no name twice.
fn check(text: &[u8]) -> Result<(), Problem> {
    let mut repeated = None;
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let walk = Walk {
        depth: 0,
        repeated: &mut repeated,
    };
    let outcome = walk
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    if let Some(name) = repeated {
        return Err(Problem::repeated(
            name.chars().take(128).collect::<String>(),
        ));
    }
    // The message names line and column, and holds nothing of the text.
    outcome.map_err(|error| Problem::new(super::code::Code::InvalidJson, error.to_string()))
}

struct Walk<'a> {
    depth: usize,
    repeated: &'a mut Option<String>,
}

impl Walk<'_> {
    fn deeper<E: serde::de::Error>(&mut self) -> Result<Walk<'_>, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format_args!(
                "nested deeper than {MAX_DEPTH} levels"
            )));
        }
        Ok(Walk {
            depth: self.depth + 1,
            repeated: &mut *self.repeated,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.deeper()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if names.contains(&name) {
                *self.repeated = Some(name);
                return Err(A::Error::custom("a name is repeated"));
            }
            names.insert(name);
            members.next_value_seed(self.deeper()?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use actix_web::test::TestRequest;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Key {
        name: String,
        #[serde(default)]
        grace_seconds: Option<u32>,
        #[serde(default)]
        permissions: Vec<Permission>,
        #[serde(default)]
        metadata: BTreeMap<String, String>,
        #[serde(default)]
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Permission {
        resource: String,
        scopes: Vec<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        User,
        Machine,
    }

    fn refusal(text: &str) -> (String, Option<String>, String) {
        let problem = read::<Key>(text.as_bytes()).unwrap_err();
        let body: serde_json::Value = serde_json::from_slice(&problem.body("req_1")).unwrap();
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        (
            text(&body["code"]).unwrap(),
            text(&body["errors"][0]["field"]),
            text(&body["detail"]).unwrap(),
        )
    }

    #[test]
    fn every_mistake_names_its_field() {
        let deep = format!(r#"{{"name":{}{}}}"#, "[".repeat(40), "]".repeat(40));
        let very_deep = "[".repeat(50_000);
        for (text, code, field) in [
            ("", "invalid_json", None),
            ("{", "invalid_json", None),
            ("{\"name\":\"a\"} {}", "invalid_json", None),
            ("{\"name\":1e999}", "invalid_json", None),
            ("{\"name\":\"\\ud800\"}", "invalid_json", None),
            (deep.as_str(), "invalid_json", None),
            (very_deep.as_str(), "invalid_json", None),
            ("[]", "invalid_parameter", Some("body")),
            (r#" ["a",60,[],{},null]"#, "invalid_parameter", Some("body")),
            ("null", "invalid_parameter", Some("body")),
            (r#"["a"]"#, "invalid_parameter", Some("body")),
            ("{}", "invalid_parameter", Some("name")),
            (r#"{"name":7}"#, "invalid_parameter", Some("name")),
            (r#"{"name":null}"#, "invalid_parameter", Some("name")),
            (r#"{"name":"a","nmae":"b"}"#, "unknown_field", Some("nmae")),
            (
                r#"{"name":"a","`x`, expected":1}"#,
                "unknown_field",
                Some("`x`, expected"),
            ),
            (
                r#"{"name":"a","grace_seconds":-1}"#,
                "invalid_parameter",
                Some("grace_seconds"),
            ),
            (
                r#"{"name":"a","grace_seconds":1.5}"#,
                "invalid_parameter",
                Some("grace_seconds"),
            ),
            (
                r#"{"name":"a","kind":"robot"}"#,
                "invalid_parameter",
                Some("kind"),
            ),
            (
                r#"{"name":"a","permissions":[{"resource":"r"}]}"#,
                "invalid_parameter",
                Some("permissions[0].scopes"),
            ),
            (
                r#"{"name":"a","permissions":[{"resource":"r","scopes":["a",2]}]}"#,
                "invalid_parameter",
                Some("permissions[0].scopes[1]"),
            ),
            (
                r#"{"name":"a","permissions":[{"resource":"r","scopes":[],"x":1}]}"#,
                "unknown_field",
                Some("permissions[0].x"),
            ),
            (
                r#"{"name":"a","name":"a"}"#,
                "invalid_request",
                Some("name"),
            ),
            (
                r#"{"name":"a","metadata":{"team":"a","team":"b"}}"#,
                "invalid_request",
                Some("team"),
            ),
        ] {
            let (got_code, got_field, _) = refusal(text);
            assert_eq!(
                (got_code.as_str(), got_field.as_deref()),
                (code, field),
                "{}",
                &text[..text.len().min(80)]
            );
        }
    }

    #[test]
    fn a_value_is_never_repeated_in_the_answer() {
        for text in [
            r#"{"name":"a","grace_seconds":"kgy_secret"}"#,
            r#"{"name":"a","kind":"kgy_secret"}"#,
            r#"{"name":"a","permissions":"kgy_secret, expected "}"#,
            r#""kgy_secret""#,
        ] {
            let problem = read::<Key>(text.as_bytes()).unwrap_err();
            let body = String::from_utf8(problem.body("req_1")).unwrap();
            assert!(!body.contains("kgy_secret"), "{body}");
        }
        assert_eq!(
            refusal(r#"{"name":"a","kind":"robot"}"#).2,
            "kind: must be `user` or `machine`"
        );
    }

    #[test]
    fn a_good_body_is_read() {
        let key: Key = read(
            br#"{"name":"a","grace_seconds":60,"permissions":[{"resource":"r","scopes":["s"]}],"metadata":{"team":"a"},"kind":"user"}"#,
        )
        .unwrap();
        assert_eq!((key.name.as_str(), key.grace_seconds), ("a", Some(60)));
        assert_eq!(
            (
                key.permissions[0].resource.as_str(),
                key.permissions[0].scopes.len()
            ),
            ("r", 1)
        );
        assert!(
            key.metadata.contains_key("team")
                && matches!(key.kind, Some(Kind::User | Kind::Machine))
        );
    }

    async fn status(request: TestRequest) -> u16 {
        let (request, mut payload) = request.to_http_parts();
        match Json::<Key, 64>::from_request(&request, &mut payload).await {
            Ok(_) => 200,
            Err(problem) => problem.code().status().as_u16(),
        }
    }

    #[tokio::test]
    async fn the_bytes_of_a_body_are_kept_as_they_were_sent() {
        let text = r#"{ "name" : "a" }"#;
        let (request, mut payload) = TestRequest::post()
            .insert_header(("content-type", "application/json"))
            .set_payload(text)
            .to_http_parts();
        let body = RawJson::<Key>::from_request(&request, &mut payload).await;
        let body = body.ok().unwrap();
        assert_eq!(
            (body.value.name.as_str(), &*body.bytes),
            ("a", text.as_bytes())
        );
    }

    #[tokio::test]
    async fn an_optional_body_may_be_left_out_and_nothing_else() {
        for (content_type, body, expected) in [
            (None, "", Ok(None)),
            (Some("application/json"), "", Ok(None)),
            (Some("application/json"), "{}", Ok(None)),
            (
                Some("application/json"),
                r#"{"algorithm":"a"}"#,
                Ok(Some("a")),
            ),
            (None, "{}", Err("unsupported_media_type")),
            (Some("text/plain"), "{}", Err("unsupported_media_type")),
            (Some("application/json"), " ", Err("invalid_json")),
            (Some("application/json"), "null", Err("invalid_parameter")),
            (
                Some("application/json"),
                r#"{"kid":1}"#,
                Err("unknown_field"),
            ),
        ] {
            #[derive(Default, Deserialize)]
            #[serde(default, deny_unknown_fields)]
            struct Rotate {
                algorithm: Option<String>,
            }
            let mut request = TestRequest::post().set_payload(body);
            if let Some(content_type) = content_type {
                request = request.insert_header(("content-type", content_type));
            }
            let (request, mut payload) = request.to_http_parts();
            let read = OptionalJson::<Rotate>::from_request(&request, &mut payload).await;
            let read = read.map(|OptionalJson(rotate)| rotate.algorithm);
            let read = read.as_ref().map(Option::as_deref);
            let read = read.map_err(|problem| problem.code().as_str());
            assert_eq!(read, expected, "{content_type:?} {body}");
        }
    }

    #[tokio::test]
    async fn media_type_and_length_are_judged_first() {
        let request = || TestRequest::post().set_payload(r#"{"name":"a"}"#);
        let long = format!(r#"{{"name":"{}"}}"#, "a".repeat(100));
        assert_eq!(
            status(request().insert_header(("content-type", "application/json"))).await,
            200
        );
        assert_eq!(status(request()).await, 415);
        assert_eq!(
            status(request().insert_header(("content-type", "text/plain"))).await,
            415
        );
        assert_eq!(
            status(
                request()
                    .insert_header(("content-type", "application/json"))
                    .insert_header(("content-encoding", "gzip"))
            )
            .await,
            415
        );
        assert_eq!(
            status(
                TestRequest::post()
                    .insert_header(("content-type", "application/json"))
                    .set_payload(long)
            )
            .await,
            413
        );
    }
}
