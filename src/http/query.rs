//! Query parameters, read strictly: unknown 422, wrong 422 with its name, given twice 400.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;

use super::form;
use super::problem::Problem;

/// The query, read as `T`. Derive `Deserialize` with `deny_unknown_fields` for `T`, and name `limit` and `cursor` in it
/// (`serde(flatten)` would let unknown parameters through).
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(form::read(request.query_string().as_bytes()).map(Self))
    }
}

/// No query at all: for endpoints that take none, so that a misplaced parameter is told instead of lost.
pub struct NoQuery;

impl FromRequest for NoQuery {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = form::pairs(request.query_string().as_bytes());
        ready(pairs.and_then(|pairs| match pairs.first() {
            // A name of a parameter is told back; what does not look like one may be a secret in the wrong place.
            Some((name, _)) if is_name(name) => Err(Problem::unknown_field(name.to_string())),
            Some(_) => Err(Problem::unknown_field("query")),
            None => Ok(Self),
        }))
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= 40
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use serde::Deserialize;

    use super::*;
    use crate::http::page::{Cursor, Limit};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct List {
        #[serde(default)]
        limit: Limit,
        cursor: Option<Cursor>,
        q: Option<String>,
    }

    async fn read(query: &str) -> Result<List, Problem> {
        let request = TestRequest::with_uri(&format!("/v1/keys{query}")).to_http_request();
        Query::<List>::extract(&request)
            .await
            .map(|Query(list)| list)
    }

    #[tokio::test]
    async fn every_mistake_names_its_parameter() {
        for (query, code, field) in [
            ("?limit=0", "invalid_parameter", "limit"),
            ("?limit=201", "invalid_parameter", "limit"),
            ("?limit=ten", "invalid_parameter", "limit"),
            ("?limit=-1", "invalid_parameter", "limit"),
            ("?limit=", "invalid_parameter", "limit"),
            ("?limit=1.5", "invalid_parameter", "limit"),
            ("?cursor=x", "invalid_parameter", "cursor"),
            ("?cursor=%20", "invalid_parameter", "cursor"),
            ("?limti=5", "unknown_field", "limti"),
            ("?limit=5&limit=5", "invalid_request", "limit"),
        ] {
            let problem = read(query).await.err().unwrap();
            let body: serde_json::Value = serde_json::from_slice(&problem.body("req_1")).unwrap();
            assert_eq!(
                (&body["code"], &body["errors"][0]["field"]),
                (&code.into(), &field.into()),
                "{query} {body}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_not_given_has_its_default() {
        let list = read("").await.ok().unwrap();
        assert_eq!(
            (list.limit.rows(), list.cursor.is_none(), list.q),
            (50, true, None)
        );
        let list = read("?q=caf%C3%A9&limit=200").await.ok().unwrap();
        assert_eq!((list.limit.rows(), list.q.as_deref()), (200, Some("café")));
    }

    #[tokio::test]
    async fn an_endpoint_without_parameters_refuses_any() {
        let with = TestRequest::with_uri("/livez?key=1").to_http_request();
        assert!(NoQuery::extract(&with).await.is_err());
        let without = TestRequest::with_uri("/livez").to_http_request();
        assert!(NoQuery::extract(&without).await.is_ok());
    }
}
