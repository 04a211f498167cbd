//! The parameters of a form (RFC 6749 §3.2, Appendix B): each at most once, but for those that may repeat; an empty value is none;
//! what is not known is ignored.

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::web::Bytes;
use zeroize::Zeroizing;

use super::error::Error;
use crate::http::body::{self, MediaType};
use crate::http::form;

/// Those that may be given more than once (RFC 8707 §2, RFC 8693 §2.1).
const REPEATABLE: [&str; 2] = ["resource", "audience"];

/// A form's parameters. Some are secrets: wiped when dropped, and without `Debug`.
pub struct Parameters(Vec<(String, Zeroizing<String>)>);

impl Parameters {
    /// Reads the body of a request; nothing may stand in the query (RFC 6749 §2.3.1).
    ///
    /// # Errors
    /// `invalid_request`, and 413 for a long body.
    pub async fn read(request: &HttpRequest, payload: &mut Payload) -> Result<Self, Error> {
        if !request.query_string().is_empty() {
            return Err(Error::invalid_request(
                "send parameters in the body, never in the address",
            ));
        }
        if MediaType::of(request.headers())? != MediaType::Form {
            return Err(Error::invalid_request(
                "send the parameters as application/x-www-form-urlencoded in UTF-8",
            ));
        }
        let body: Bytes = body::read(request.headers(), payload, body::LIMIT).await?;
        Self::parse(&body)
    }

    fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut parameters: Vec<(String, Zeroizing<String>)> = Vec::new();
        for (name, value) in form::pairs(text)? {
            let repeats = parameters.iter().any(|(other, _)| *other == name);
            if repeats && !REPEATABLE.contains(&name.as_ref()) {
                return Err(Error::invalid_request(
                    "a parameter is given more than once",
                ));
            }
            parameters.push((name.into_owned(), Zeroizing::new(value.into_owned())));
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter; `None` if it is absent or empty.
    pub fn one(&self, name: &str) -> Option<&str> {
        self.many(name).next()
    }

    /// The values of a parameter that may repeat.
    pub fn many<'a, 'b>(&'a self, name: &'b str) -> impl Iterator<Item = &'a str> + use<'a, 'b> {
        self.0
            .iter()
            .filter(move |(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// The one resource that `resource` and `audience` name, which mean the same here.
    ///
    /// # Errors
    /// `invalid_target` for two different ones: a token is for one (RFC 8707 §3).
    pub fn target(&self) -> Result<Option<&str>, Error> {
        let mut named = self.many("resource").chain(self.many("audience"));
        let Some(first) = named.next() else {
            return Ok(None);
        };
        if named.all(|other| other == first) {
            Ok(Some(first))
        } else {
            Err(Error::new(
                super::error::ErrorCode::InvalidTarget,
                "name one resource: a token is for one alone",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<&'static str> {
        Parameters::parse(text.as_bytes())
            .and_then(|parameters| parameters.target().map(drop))
            .err()
            .map(|error| error.code().as_str())
    }

    #[test]
    fn tok_3_tok_4_an_empty_value_is_none_and_what_is_unknown_is_ignored() {
        let read = Parameters::parse(b"scope=&grant_type=x&client_info=1&resource=&resource=a");
        let read = read.ok().unwrap();
        assert_eq!(read.one("scope"), None);
        assert_eq!(read.one("grant_type"), Some("x"));
        assert_eq!(read.target().ok().unwrap(), Some("a"));
    }

    #[test]
    fn tok_5_only_resource_and_audience_repeat() {
        for twice in [
            "grant_type=x&grant_type=x",
            "scope=a&scope=a",
            "client_secret=&client_secret=a",
            "client_info=1&client_info=1",
            "subject_token=a&subject_token=b",
        ] {
            assert_eq!(code(twice), Some("invalid_request"), "{twice}");
        }
        assert_eq!(code("resource=a&resource=a&audience=a"), None);
    }

    #[test]
    fn ri_5_two_different_targets_are_one_too_many() {
        for two in ["resource=a&resource=b", "resource=a&audience=b"] {
            assert_eq!(code(two), Some("invalid_target"), "{two}");
        }
    }
}
