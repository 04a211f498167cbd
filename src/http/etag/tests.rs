//! Tags as they are written and read.

use super::*;

fn read(values: &[&'static str]) -> Result<IfMatch, &'static str> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(IF_MATCH, HeaderValue::from_static(value));
    }
    if_match(&headers).map_err(|problem| problem.code().as_str())
}

#[test]
fn the_list_is_read_as_the_rfc_writes_it() {
    for (values, expected) in [
        (&[][..], IfMatch::Any),
        (&["*"], IfMatch::Any),
        (&["\"v7\""], IfMatch::OneOf(vec![7])),
        (&["\"v7\", \"v8\""], IfMatch::OneOf(vec![7, 8])),
        (&["\"v7\"", "\"v8\""], IfMatch::OneOf(vec![7, 8])),
        (&["W/\"v7\""], IfMatch::OneOf(vec![])),
        (&["\"a,b\",\"v7\""], IfMatch::OneOf(vec![7])),
        (&["\"v07\""], IfMatch::OneOf(vec![])),
        (&["\"v+7\""], IfMatch::OneOf(vec![])),
    ] {
        assert_eq!(read(values), Ok(expected), "{values:?}");
    }
}

#[test]
fn what_is_no_list_of_tags_is_refused() {
    for value in ["v7", "\"v7", "\"v7\" \"v8\"", "", ",", "W/v7"] {
        assert_eq!(read(&[value]), Err("invalid_request"), "{value}");
    }
}

#[test]
fn only_a_named_version_may_be_changed() {
    assert!(read(&["\"v7\""]).unwrap().allows(7));
    assert!(!read(&["\"v7\""]).unwrap().allows(8));
    assert!(!read(&["W/\"v7\""]).unwrap().allows(7));
    assert!(read(&[]).unwrap().allows(8));
}

#[test]
fn a_copy_that_is_still_good_is_recognised() {
    let mut headers = HeaderMap::new();
    headers.insert(IF_NONE_MATCH, HeaderValue::from_static("\"x\", W/\"v7\""));
    assert!(is_unchanged(&headers, &etag(7)));
    assert!(!is_unchanged(&headers, &etag(8)));
    assert!(!is_unchanged(&HeaderMap::new(), &etag(7)));
}
