//! How long a token lives, what it carries beside its scopes, and who can verify it.

use jsonwebtoken::{Algorithm, decode_header};
use serde_json::{Value, json};

use crate::support::credentials::Key;
use crate::support::test_app::{ISSUER, PAYMENT, Shop, claims, jose_header};
use crate::support::verifier::{jwk_set, verified};

#[tokio::test]
async fn each_algorithm_is_verified_with_the_published_set() {
    let shop = Shop::new().await;
    for (name, algorithm) in [
        ("ES256", Algorithm::ES256),
        ("EdDSA", Algorithm::EdDSA),
        ("RS256", Algorithm::RS256),
    ] {
        let identifier = format!("https://{}.example.com", name.to_lowercase());
        let further = json!({"signing_alg": name});
        shop.app
            .resource_with(&identifier, &["read"], further)
            .await;
        let permissions = json!([{"resource": identifier, "scopes": ["read"]}]);
        let key = shop.issue(json!({"permissions": permissions})).await;
        let token = shop
            .app
            .trade(&key.key)
            .await
            .expect(200)
            .text("access_token");
        assert_eq!(jose_header(&token)["alg"], name);
        assert_eq!(decode_header(&token).unwrap().alg, algorithm);
        let set = jwk_set(&shop.app).await;
        let claims = verified(&set, &token, &identifier).unwrap();
        assert_eq!(claims["sub"], key.id.as_str());
        assert!(verified(&set, &token, "https://elsewhere.example.com").is_none());
        let mut broken = token.into_bytes();
        let last = broken.len() - 20;
        broken[last] = if broken[last] == b'A' { b'B' } else { b'A' };
        let broken = String::from_utf8(broken).unwrap();
        assert!(verified(&set, &broken, &identifier).is_none());
    }
}

#[tokio::test]
async fn a_token_lives_as_long_as_its_resource_says() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let path = format!("/v1/resources/{}", shop.payment);
    for (lifetime, seconds) in [(json!(30), 30), (json!(3600), 3600), (Value::Null, 300)] {
        let body = json!({"token_lifetime": lifetime});
        shop.app
            .patch(&path)
            .operator()
            .json(body)
            .send()
            .await
            .expect(200);
        let answer = shop.app.trade(&key.key).await.expect(200);
        assert_eq!(answer["expires_in"], seconds);
        let claims = claims(&answer.text("access_token"));
        assert_eq!(
            claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
            seconds
        );
    }
}

#[tokio::test]
async fn a_token_never_outlives_its_key() {
    let shop = Shop::new().await;
    let key = shop
        .issue(json!({"expires_at": shop.app.time_in(400)}))
        .await;
    assert_eq!(
        shop.app.trade(&key.key).await.expect(200)["expires_in"],
        300
    );
    shop.app.pass(300);
    assert_eq!(
        shop.app.trade(&key.key).await.expect(200)["expires_in"],
        100
    );
    shop.app.pass(99);
    assert_eq!(shop.app.trade(&key.key).await.expect(200)["expires_in"], 1);
    shop.app.pass(1);
    shop.app.trade(&key.key).await.problem("api_key_expired");
}

#[tokio::test]
async fn a_token_of_a_replaced_generation_never_outlives_its_grace() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let body = json!({"grace_seconds": 400});
    shop.app
        .post(&key.path("/rotate"))
        .operator()
        .json(body)
        .send()
        .await
        .expect(200);
    assert_eq!(
        shop.app.trade(&key.key).await.expect(200)["expires_in"],
        300
    );
    shop.app.pass(350);
    assert_eq!(shop.app.trade(&key.key).await.expect(200)["expires_in"], 50);
    shop.app.pass(50);
    shop.app.trade(&key.key).await.problem("api_key_rotated");
}

#[tokio::test]
async fn a_token_carries_the_metadata_that_its_resource_names() {
    let shop = Shop::new().await;
    let metadata = json!({"cost_center": "4711", "team": "cart", "secret_note": "x"});
    let key = shop.issue(json!({"metadata": metadata})).await;
    assert_eq!(shop.app.claims(&key.key).await["metadata"], Value::Null);
    let path = format!("/v1/resources/{}", shop.payment);
    let body = json!({"metadata_claims": ["team", "cost_center", "absent"]});
    shop.app
        .patch(&path)
        .operator()
        .json(body)
        .send()
        .await
        .expect(200);
    let claims = shop.app.claims(&key.key).await;
    assert_eq!(
        claims["metadata"],
        json!({"cost_center": "4711", "team": "cart"})
    );
    let body = json!({"metadata": {"team": "a \"quoted\" name, \u{e9}\u{1f511}"}});
    shop.app
        .patch(&key.path(""))
        .operator()
        .json(body)
        .send()
        .await
        .expect(200);
    let claims = shop.app.claims(&key.key).await;
    assert_eq!(
        claims["metadata"],
        json!({"team": "a \"quoted\" name, \u{e9}\u{1f511}"})
    );
}

#[tokio::test]
async fn the_generation_changes_with_a_rotation_and_the_subject_does_not() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let before = shop.app.claims(&key.key).await;
    let rotated = shop
        .app
        .post(&key.path("/rotate"))
        .operator()
        .send()
        .await
        .expect(200);
    let after = shop.app.claims(&rotated.text("key")).await;
    assert_eq!(before["sub"], after["sub"]);
    assert_ne!(before["gen"], after["gen"]);
}

#[tokio::test]
async fn the_issuer_never_comes_from_the_request() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let request = shop.app.post("/v1/token").by(&Key(&key.key));
    let request = request
        .header("X-Forwarded-Host", "evil.example")
        .header("X-Forwarded-Proto", "http");
    let answer = request.send().await.expect(200);
    let claims = claims(&answer.text("access_token"));
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!(ISSUER), &json!(PAYMENT))
    );
}
