//! Bodies that are too long, cut short or packed.

use actix_web::http::header::HeaderValue;

use super::*;

#[test]
fn media_types_are_told_apart() {
    for (value, expected) in [
        ("application/json", MediaType::Json),
        ("Application/JSON; charset=UTF-8", MediaType::Json),
        ("application/json;charset=\"utf-8\"", MediaType::Json),
        ("application/merge-patch+json", MediaType::Json),
        ("application/json; charset=latin1", MediaType::Other),
        (
            "application/x-www-form-urlencoded;charset=UTF-8",
            MediaType::Form,
        ),
        ("application/jsonp", MediaType::Other),
        ("text/plain", MediaType::Other),
        ("text/x+json", MediaType::Other),
        ("", MediaType::Other),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
        assert_eq!(MediaType::of(&headers).unwrap(), expected, "{value}");
    }
    assert_eq!(MediaType::of(&HeaderMap::new()).unwrap(), MediaType::Absent);
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let refused = in_time(Duration::ZERO, std::future::pending())
        .await
        .unwrap_err();
    assert_eq!(refused.code().as_str(), "invalid_request");
}
