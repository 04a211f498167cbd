//! The `Authorization` header of a request (RFC 6750 §2.1).

use crate::Refusal;

/// The token in the values of a request's `Authorization` headers.
///
/// # Errors
/// [`Refusal::NoToken`] where there is none, [`Refusal::InvalidToken`] where the header is there twice or is of another scheme.
pub fn bearer<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<&'a str, Refusal> {
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(Refusal::NoToken),
        (Some(value), None) => value,
        // Two parties that pick differently is how requests are smuggled.
        (Some(_), Some(_)) => return Err(Refusal::InvalidToken("there are two of them")),
    };
    let text = std::str::from_utf8(value).ok();
    let (scheme, token) = text
        .and_then(|text| text.split_once(' '))
        .ok_or(Refusal::InvalidToken("it is no bearer token"))?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token.trim_matches(' '))
    } else {
        Err(Refusal::InvalidToken("it is no bearer token"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bearer_token_in_any_case_is_a_token() {
        for good in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c "] {
            assert_eq!(bearer([good.as_bytes()].into_iter()), Ok("a.b.c"));
        }
        assert_eq!(bearer(std::iter::empty()), Err(Refusal::NoToken));
        for bad in [
            vec!["Basic YTpi"],
            vec!["a.b.c"],
            vec!["Bearer a", "Bearer a"],
        ] {
            let refused = bearer(bad.iter().map(|value| value.as_bytes()));
            assert!(matches!(refused, Err(Refusal::InvalidToken(_))), "{bad:?}");
        }
    }
}
