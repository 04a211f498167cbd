//! Reading request headers: one where one is meant.
//!
//! Of two headers with one name neither is right, so a repeat is refused and never resolved by position: two parties that
//! pick differently is how requests are smuggled.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName};

use super::problem::Problem;

/// The header that carries an API key.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The value of header `name`, without surrounding white space; `None` when it is absent.
///
/// # Errors
/// 400 `invalid_request` when it is there more than once, or holds something else than visible ASCII and spaces.
pub fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Problem::repeated(name.as_str()));
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text.trim_matches([' ', '\t']))),
        Err(_) => Err(Problem::invalid_request(format!(
            "{name} must be ASCII text"
        ))),
    }
}

/// What `Authorization` says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Authorization<'a> {
    /// There is no such header.
    Absent,
    /// `Bearer` and this token (RFC 6750 §2.1); the scheme's case does not matter.
    Bearer(&'a str),
    /// Another scheme, or none.
    Other,
}

/// Reads the `Authorization` header.
///
/// # Errors
/// 400 `invalid_request` when it is there more than once.
pub fn authorization(headers: &HeaderMap) -> Result<Authorization<'_>, Problem> {
    let Some(value) = only(headers, &AUTHORIZATION)? else {
        return Ok(Authorization::Absent);
    };
    Ok(match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Authorization::Bearer(token.trim_start_matches(' '))
        }
        _ => Authorization::Other,
    })
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        for value in [
            "Bearer a.b.c",
            "bearer a.b.c",
            "BEARER   a.b.c",
            "Bearer a.b.c ",
        ] {
            assert!(
                authorization(&headers(&[value]))
                    .is_ok_and(|read| read == Authorization::Bearer("a.b.c")),
                "{value}"
            );
        }
    }

    #[test]
    fn another_scheme_is_not_a_token() {
        for value in ["Basic YTpi", "Bearer", "Bearera.b.c", ""] {
            assert!(
                authorization(&headers(&[value])).is_ok_and(|read| read == Authorization::Other),
                "{value}"
            );
        }
        assert!(authorization(&headers(&[])).is_ok_and(|read| read == Authorization::Absent));
    }

    #[test]
    fn a_header_given_twice_is_refused_even_when_equal() {
        let refused = authorization(&headers(&["Bearer a", "Bearer a"]))
            .err()
            .unwrap();
        assert_eq!(refused.code().as_str(), "invalid_request");
    }

    #[test]
    fn bytes_outside_ascii_are_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(X_API_KEY, HeaderValue::from_bytes(b"kgy_\xff").unwrap());
        assert_eq!(
            only(&headers, &X_API_KEY).unwrap_err().code().as_str(),
            "invalid_request"
        );
    }
}
