//! What comes from our own pages, and everything that does not.

use actix_web::http::header::HeaderValue;

use super::*;

fn same(lines: &[(&'static str, &'static str)]) -> bool {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    is_same_origin(&headers, "https://keys.example.com")
}

#[test]
fn a_form_of_ours_is_taken() {
    for lines in [
        &[("origin", "https://keys.example.com")][..],
        &[
            ("origin", "https://keys.example.com"),
            ("sec-fetch-site", "same-origin"),
        ],
        &[("origin", "null"), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "same-origin")],
        &[
            ("origin", "http://127.0.0.1:8787"),
            ("host", "127.0.0.1:8787"),
        ],
        &[
            ("origin", "http://localhost:8787"),
            ("host", "localhost:8787"),
        ],
    ] {
        assert!(same(lines), "{lines:?}");
    }
}

#[test]
fn a_form_of_others_is_not() {
    for lines in [
        &[][..],
        &[("origin", "null")],
        &[("origin", "https://evil.example")],
        &[("origin", "https://keys.example.com.evil.example")],
        &[("origin", "http://keys.example.com")],
        &[
            ("origin", "https://keys.example.com"),
            ("sec-fetch-site", "cross-site"),
        ],
        &[
            ("origin", "https://keys.example.com"),
            ("sec-fetch-site", "same-site"),
        ],
        &[("sec-fetch-site", "none")],
        &[
            ("origin", "https://keys.example.com"),
            ("origin", "https://evil.example"),
        ],
        &[
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "cross-site"),
        ],
        &[
            ("origin", "http://evil.example:8787"),
            ("host", "evil.example:8787"),
        ],
        &[
            ("origin", "http://127.0.0.1:9999"),
            ("host", "127.0.0.1:8787"),
        ],
    ] {
        assert!(!same(lines), "{lines:?}");
    }
}

#[test]
fn nobody_is_sent_elsewhere() {
    for own in ["/dashboard", "/dashboard/keys/key_a?x=1", "/dashboard?x"] {
        assert!(is_own_path(own), "{own}");
    }
    for other in [
        "",
        "/",
        "//evil.example",
        "/dashboard//evil.example",
        "/dashboard/../v1",
        "https://evil.example",
        "/dashboardx",
        "/dashboard\\evil",
        "/dashboard/\n",
        "javascript:alert(1)",
    ] {
        assert!(!is_own_path(other), "{other}");
    }
}
