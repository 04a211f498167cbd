//! `GET /.well-known/jwks.json`

use serde_json::{Value, json};

use crate::support::test_app::TestApp;

#[tokio::test]
async fn the_set_holds_public_members_alone_and_may_be_kept() {
    let app = TestApp::new().await;
    let answer = app.get("/.well-known/jwks.json").send().await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let keys = answer["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 6);
    let mut kids = Vec::new();
    for key in keys {
        let members: Vec<&str> = key
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let expected: &[&str] = match key["kty"].as_str().unwrap() {
            "EC" => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            "OKP" => &["alg", "crv", "kid", "kty", "use", "x"],
            "RSA" => &["alg", "e", "kid", "kty", "n", "use"],
            other => panic!("{other}"),
        };
        assert_eq!(members, expected);
        assert_eq!(key["use"], "sig");
        kids.push(key["kid"].as_str().unwrap());
    }
    kids.sort_unstable();
    kids.dedup();
    assert_eq!(kids.len(), 6);
}

#[tokio::test]
async fn a_copy_that_is_still_good_is_not_sent_again() {
    let app = TestApp::new().await;
    let answer = app.get("/.well-known/jwks.json").send().await.expect(200);
    let tag = answer.header("etag").unwrap().to_owned();
    let again = async |tag: &str| {
        app.get("/.well-known/jwks.json")
            .header("If-None-Match", tag)
            .send()
            .await
    };
    let unchanged = again(&tag).await.expect(304);
    assert!(unchanged.body.is_empty());
    assert_eq!(unchanged.header("etag"), Some(tag.as_str()));
    assert_eq!(
        unchanged.header("cache-control"),
        Some("public, max-age=300")
    );
    again(&format!("\"other\", W/{tag}")).await.expect(304);
    again("\"other\"").await.expect(200);
    app.pass(600);
    let rotate = app
        .post("/v1/signing-keys/rotate")
        .operator()
        .json(json!({}));
    rotate.send().await.expect(200);
    let answer = again(&tag).await.expect(200);
    assert_eq!(answer["keys"].as_array().map(Vec::len), Some(9));
}

#[tokio::test]
async fn the_set_is_the_same_after_a_restart() {
    let app = TestApp::new().await;
    let set = async |app: &TestApp| -> Value {
        app.get("/.well-known/jwks.json")
            .send()
            .await
            .expect(200)
            .json()
            .clone()
    };
    let before = set(&app).await;
    let app = app.restart().await;
    assert_eq!(set(&app).await, before);
}
