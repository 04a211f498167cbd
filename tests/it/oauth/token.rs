//! `POST /oauth/token` reads a form and answers as RFC 6749 says, whatever comes.

use serde_json::json;

use crate::applications::{Application, cart_service};
use crate::support::test_app::Shop;
use crate::support::transcript::{Answer, Request};

const FORM: &str = "application/x-www-form-urlencoded";

struct Door {
    shop: Shop,
    client: Application,
}

impl Door {
    async fn new() -> Self {
        let shop = Shop::new().await;
        let client = cart_service(&shop).await;
        Self { shop, client }
    }

    fn post(&self) -> Request<'_> {
        self.shop.app.post("/oauth/token").by(&self.client)
    }

    async fn send(&self, body: &str) -> Answer {
        self.post().body(FORM, body).send().await
    }
}

#[tokio::test]
async fn tok_1_only_post_is_taken() {
    let shop = Shop::new().await;
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let answer = shop.app.request(method, "/oauth/token").send().await;
        assert_eq!(answer.header("allow"), Some("POST"));
        assert_eq!(answer["error"], "invalid_request");
        answer.expect(405);
    }
}

#[tokio::test]
async fn tok_1_nothing_stands_in_the_query() {
    let door = Door::new().await;
    for query in ["grant_type=client_credentials", "client_id=a", "x"] {
        let path = format!("/oauth/token?{query}");
        let request = door.shop.app.post(&path).by(&door.client);
        let answer = request.form(&[("grant_type", "client_credentials")]);
        answer.send().await.oauth_error("invalid_request");
    }
}

#[tokio::test]
async fn tok_2_a_form_in_utf_8_is_read_and_nothing_else() {
    let door = Door::new().await;
    let body = "grant_type=client_credentials";
    for good in [
        FORM,
        "application/x-www-form-urlencoded;charset=UTF-8",
        "application/x-www-form-urlencoded; charset=utf-8",
        "Application/X-WWW-Form-Urlencoded",
    ] {
        door.post().body(good, body).send().await.expect(200);
    }
    let json = r#"{"grant_type":"client_credentials"}"#;
    for (kind, body) in [
        ("application/json", json),
        ("text/plain", body),
        ("multipart/form-data; boundary=a", body),
        (
            "application/x-www-form-urlencoded; charset=iso-8859-1",
            body,
        ),
    ] {
        let answer = door.post().body(kind, body).send().await;
        answer.oauth_error("invalid_request");
    }
    let answer = door.post().untyped(body).send().await;
    answer.oauth_error("invalid_request");
    let answer = door.post().body(FORM, b"grant_type=%ff".to_vec());
    answer.send().await.oauth_error("invalid_request");
}

#[tokio::test]
async fn tok_3_an_empty_value_is_no_value() {
    let door = Door::new().await;
    let whole = door.send("grant_type=client_credentials&scope=&resource=&audience=");
    assert_eq!(whole.await.expect(200).text("scope"), "write:payment");
    let answer = door.send("grant_type=").await;
    answer.oauth_error("invalid_request");
    let answer = door.send("").await;
    answer.oauth_error("invalid_request");
}

#[tokio::test]
async fn tok_4_what_is_not_known_is_ignored() {
    let door = Door::new().await;
    let answer = door.send("client_info=1&grant_type=client_credentials&x-y=%20&%20=");
    answer.await.expect(200);
}

#[tokio::test]
async fn tok_5_a_parameter_stands_once() {
    let door = Door::new().await;
    for twice in [
        "grant_type=client_credentials",
        "scope=write:payment&scope=write:payment",
        "scope=&scope=write:payment",
        "client_info=1&client_info=1",
    ] {
        let body = format!("grant_type=client_credentials&{twice}");
        door.send(&body).await.oauth_error("invalid_request");
    }
    let payment = "https%3A%2F%2Fpayment.example.com%2Fapi";
    let same = format!(
        "grant_type=client_credentials&resource={payment}&resource={payment}&audience={payment}"
    );
    door.send(&same).await.expect(200);
}

#[tokio::test]
async fn tok_11_tok_12_the_answer_is_json_that_nobody_keeps() {
    let door = Door::new().await;
    let answer = door.send("grant_type=client_credentials").await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    assert!(
        answer.header("access-control-allow-origin").is_none(),
        "TOK-23"
    );
    assert_eq!(
        answer.redacted(),
        json!({
            "access_token": "[jwt]", "token_type": "Bearer", "expires_in": 300, "scope": "write:payment",
        })
    );
}

#[tokio::test]
async fn tok_14_tok_17_a_grant_that_is_not_known_is_told_apart_from_none() {
    let door = Door::new().await;
    for unknown in [
        "password",
        "authorization_code",
        "refresh_token",
        "CLIENT_CREDENTIALS",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "\"\\\u{e9}\n",
    ] {
        let request = door.post().form(&[("grant_type", unknown)]);
        let answer = request.send().await;
        answer.oauth_error("unsupported_grant_type");
    }
    let none = door.post().form(&[("scope", "write:payment")]);
    none.send().await.oauth_error("invalid_request");
}

#[tokio::test]
async fn tok_14_a_long_body_is_no_problem_document_either() {
    let door = Door::new().await;
    let body = format!("grant_type=client_credentials&x={}", "a".repeat(70_000));
    let answer = door.send(&body).await.expect(413);
    assert_eq!(answer["error"], "invalid_request");
}

#[tokio::test]
async fn tok_23_a_page_of_another_site_is_told_nothing() {
    let door = Door::new().await;
    let preflight = door.shop.app.request("OPTIONS", "/oauth/token");
    let preflight = preflight
        .header("Origin", "https://app.example.com")
        .header("Access-Control-Request-Method", "POST");
    let answer = preflight.send().await.expect(405);
    assert!(answer.header("access-control-allow-origin").is_none());
}
