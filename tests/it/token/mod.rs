//! `POST /v1/token`: a key is traded for a token.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod bad_keys;
mod claims;
mod limits;
mod reuse;
mod targets;

use serde_json::{Value, json};

use crate::support::credentials::{Bearer, Key};
use crate::support::test_app::{CART, Issued, PAYMENT, Shop, claims, jose_header};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

#[tokio::test]
async fn a_key_is_traded_for_what_it_holds() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let answer = shop.app.trade(&key.key).await.expect(200);
    assert_eq!(
        answer.redacted(),
        json!({
            "access_token": "[jwt]",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "write:payment",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        })
    );
    assert_eq!(answer.header("x-kagiya-answer"), Some("mint"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("ratelimit"), None);
    let token = answer.text("access_token");
    let header = jose_header(&token);
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&json!("ES256"), &json!("at+jwt"))
    );
    let claims = claims(&token);
    assert!(claims["gen"].as_str().unwrap().starts_with("crd_"));
    assert_eq!(claims["jti"].as_str().unwrap().len(), 22, "{claims}");
    let expected = json!({
        "iss": "https://kagiya.test",
        "sub": key.id,
        "aud": PAYMENT,
        "exp": shop.app.now().as_second() + 300,
        "iat": shop.app.now().as_second(),
        "jti": claims["jti"],
        "client_id": key.id,
        "scope": "write:payment",
        "permissions": ["write:payment"],
        "org_id": shop.organization,
        "gen": claims["gen"],
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn two_trades_give_two_tokens() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let (one, other) = (
        shop.app.claims(&key.key).await,
        shop.app.claims(&key.key).await,
    );
    assert_ne!(one["jti"], other["jti"]);
}

#[tokio::test]
async fn form_json_and_no_body_are_all_taken() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let whole_form = "resource=https%3A%2F%2Fpayment.example.com%2Fapi&scope=write%3Apayment";
    let whole_json = json!({"resource": PAYMENT, "scope": "write:payment"}).to_string();
    for (content_type, body) in [
        (None, None),
        (None, Some("")),
        (Some("text/plain"), Some("")),
        (Some(FORM), Some("")),
        (Some(FORM), Some("resource=&scope=")),
        (Some(FORM), Some(whole_form)),
        (
            Some("application/x-www-form-urlencoded; charset=UTF-8"),
            Some(whole_form),
        ),
        (Some(JSON), Some("")),
        (Some(JSON), Some("{}")),
        (Some(JSON), Some(r#"{"resource":"","scope":""}"#)),
        (Some(JSON), Some(r#"{"resource":null,"scope":null}"#)),
        (Some(JSON), Some(&whole_json)),
        (Some("application/json;charset=utf-8"), Some(&whole_json)),
    ] {
        let mut request = shop.app.post("/v1/token").by(&Key(&key.key));
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        if let Some(body) = body {
            request = request.untyped(body);
        }
        let answer = request.send().await.expect(200);
        assert_eq!(
            answer["scope"], "write:payment",
            "{content_type:?} {body:?}"
        );
    }
}

#[tokio::test]
async fn a_wrong_body_is_told_with_its_field() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let long = format!("scope={}", "x".repeat(64 * 1024));
    for (content_type, body, code, field) in [
        (FORM, "scope=a&scope=b", "invalid_request", Some("scope")),
        (
            FORM,
            "resource=a&resource=b",
            "invalid_request",
            Some("resource"),
        ),
        (FORM, "scopes=a", "unknown_field", Some("scopes")),
        (
            FORM,
            "grant_type=client_credentials",
            "unknown_field",
            Some("grant_type"),
        ),
        (FORM, "scope=%zz", "invalid_request", None),
        (FORM, "scope=%ff", "invalid_request", None),
        (FORM, &long, "payload_too_large", None),
        (JSON, "{", "invalid_json", None),
        (JSON, "\u{feff}{}", "invalid_json", None),
        (JSON, "scope=a", "invalid_json", None),
        (
            JSON,
            r#"{"scope":"a","scope":"b"}"#,
            "invalid_request",
            Some("scope"),
        ),
        (
            JSON,
            r#"{"scope":["a"]}"#,
            "invalid_parameter",
            Some("scope"),
        ),
        (
            JSON,
            r#"{"resource":7}"#,
            "invalid_parameter",
            Some("resource"),
        ),
        (
            JSON,
            r#"{"audience":"a"}"#,
            "unknown_field",
            Some("audience"),
        ),
        (JSON, "[]", "invalid_parameter", Some("body")),
        (JSON, "null", "invalid_parameter", Some("body")),
        ("text/plain", "scope=a", "unsupported_media_type", None),
        (
            "application/json; charset=latin1",
            "{}",
            "unsupported_media_type",
            None,
        ),
        (
            "multipart/form-data; boundary=x",
            "--x--",
            "unsupported_media_type",
            None,
        ),
    ] {
        let request = shop.app.post("/v1/token").by(&Key(&key.key));
        let answer = request.body(content_type, body).send().await.problem(code);
        if let Some(field) = field {
            answer.names(field);
        }
    }
    let untyped = shop
        .app
        .post("/v1/token")
        .by(&Key(&key.key))
        .untyped("scope=a");
    untyped.send().await.problem("unsupported_media_type");
    let packed = shop
        .app
        .post("/v1/token")
        .by(&Key(&key.key))
        .header("Content-Encoding", "gzip");
    packed
        .body(FORM, "scope=a")
        .send()
        .await
        .problem("unsupported_media_type");
    let twice = shop
        .app
        .post("/v1/token")
        .by(&Key(&key.key))
        .header("Content-Type", JSON);
    twice
        .body(FORM, "scope=a")
        .send()
        .await
        .problem("invalid_request")
        .names("content-type");
}

#[tokio::test]
async fn with_accept_application_jwt_the_answer_is_the_bare_token() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let request = shop.app.post("/v1/token").by(&Key(&key.key));
    let answer = request
        .header("Accept", "application/jwt")
        .send()
        .await
        .expect(200);
    assert_eq!(answer.header("content-type"), Some("application/jwt"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let token = String::from_utf8(answer.body).unwrap();
    assert_eq!(claims(&token)["sub"], key.id.as_str());
    for accept in [
        "*/*",
        "application/json",
        "application/json, application/jwt;q=0.5",
    ] {
        let request = shop.app.post("/v1/token").by(&Key(&key.key));
        let answer = request.header("Accept", accept).send().await.expect(200);
        assert!(answer["access_token"].is_string(), "{accept}");
    }
}

#[tokio::test]
async fn the_key_is_taken_from_one_header_and_from_one_alone() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let Issued { key, .. } = shop.key().await;
    app.post("/v1/token")
        .by(&Bearer(&key))
        .send()
        .await
        .expect(200);
    let lower = app
        .post("/v1/token")
        .header("Authorization", format!("bearer {key}"));
    lower.send().await.expect(200);
    let spaced = app
        .post("/v1/token")
        .header("X-API-Key", format!(" \t{key} "));
    spaced.send().await.expect(200);

    let both = app.post("/v1/token").by(&Key(&key)).by(&Bearer(&key));
    both.send().await.problem("invalid_request");
    let both = app
        .post("/v1/token")
        .by(&Key(&key))
        .header("Authorization", "Basic YTpi");
    both.send().await.problem("invalid_request");
    let twice = app.post("/v1/token").by(&Key(&key)).by(&Key(&key));
    twice
        .send()
        .await
        .problem("invalid_request")
        .names("x-api-key");
    let twice = app.post("/v1/token").by(&Bearer(&key)).by(&Bearer(&key));
    twice
        .send()
        .await
        .problem("invalid_request")
        .names("authorization");
    let none = app.post("/v1/token").send().await.problem("unauthorized");
    assert_eq!(
        none.header("www-authenticate"),
        Some(r#"ApiKey realm="kagiya""#)
    );
    let other = app.post("/v1/token").header("Authorization", "Basic YTpi");
    other.send().await.problem("unauthorized");
    // Nothing is read from the address of a request, where it would be logged on the way.
    let query = app.post(&format!("/v1/token?api_key={key}"));
    query.send().await.problem("unknown_field").names("api_key");
}

#[tokio::test]
async fn only_post_is_allowed() {
    let shop = Shop::new().await;
    for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let answer = shop.app.request(method, "/v1/token").send().await;
        let answer = answer.problem("method_not_allowed");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
}

#[tokio::test]
async fn the_next_token_carries_the_permissions_of_that_moment() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let set = async |permissions: Value| {
        let body = json!({"permissions": permissions});
        let request = shop
            .app
            .put(&key.path("/permissions"))
            .operator()
            .json(body);
        request.send().await.expect(200)
    };
    assert_eq!(shop.app.claims(&key.key).await["scope"], "write:payment");
    set(json!([{"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}])).await;
    assert_eq!(
        shop.app.claims(&key.key).await["scope"],
        "read:payment write:payment"
    );
    set(json!([{"resource": CART, "scopes": ["read:cart"]}])).await;
    assert_eq!(shop.app.claims(&key.key).await["aud"], CART);
    set(json!([])).await;
    shop.app.trade(&key.key).await.problem("invalid_target");
}
