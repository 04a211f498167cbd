//! Which bearer tokens the management API takes.

use serde_json::json;

use super::{manager, manager_with};
use crate::support::credentials::{Anonymous, Bearer, Key, OperatorWith};
use crate::support::test_app::{MANAGEMENT, PAYMENT, Shop, TestApp};

#[tokio::test]
async fn nothing_but_a_good_token_for_this_api_lets_anybody_in() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let key = shop.key().await;
    let none = app
        .get("/v1/keys")
        .by(&Anonymous)
        .send()
        .await
        .problem("unauthorized");
    assert_eq!(
        none.header("www-authenticate"),
        Some(r#"Bearer realm="kagiya""#)
    );
    // An API key is no token, and a token for another resource is none for this one.
    let by_key = app.get("/v1/keys").by(&Key(&key.key)).send().await;
    by_key.problem("unauthorized");
    let payment = app.trade(&key.key).await.expect(200).text("access_token");
    let good = manager(&shop, &["keys:read"]).await.token;
    app.get("/v1/keys")
        .by(&Bearer(&good))
        .send()
        .await
        .expect(200);
    let parts: Vec<&str> = good.split('.').collect();
    let none_header = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
    let mut tokens = vec![
        key.key.clone(),
        payment,
        "x".to_owned(),
        "..".to_owned(),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{none_header}.{}.", parts[1]),
        format!("{none_header}.{}.{}", parts[1], parts[2]),
        format!(
            "{}.{}.{}",
            parts[0],
            parts[1],
            &parts[2][..parts[2].len() - 2]
        ),
        format!("{good}."),
        format!("{good}.x"),
        "a".repeat(10_000),
    ];
    for index in [10, parts[0].len() + 20, good.len() - 20] {
        let mut broken = good.clone().into_bytes();
        broken[index] = if broken[index] == b'A' { b'B' } else { b'A' };
        tokens.push(String::from_utf8(broken).unwrap());
    }
    for token in &tokens {
        let answer = app.get("/v1/keys").by(&Bearer(token)).send().await;
        let answer = answer.problem("invalid_token");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(
            challenge.contains(r#"error="invalid_token""#),
            "{challenge}"
        );
    }
    let twice = app.get("/v1/keys").by(&Bearer(&good)).by(&Bearer(&good));
    twice
        .send()
        .await
        .problem("invalid_request")
        .names("authorization");
    app.pass(300);
    app.get("/v1/keys")
        .by(&Bearer(&good))
        .send()
        .await
        .problem("invalid_token");
}

#[tokio::test]
async fn a_token_of_another_deployment_is_not_taken() {
    let (here, there) = (Shop::new().await, Shop::new().await);
    let token = manager(&there, &["keys:read"]).await.token;
    there
        .app
        .get("/v1/keys")
        .by(&Bearer(&token))
        .send()
        .await
        .expect(200);
    here.app
        .get("/v1/keys")
        .by(&Bearer(&token))
        .send()
        .await
        .problem("invalid_token");
}

#[tokio::test]
async fn an_operators_token_lives_ten_minutes() {
    let app = TestApp::new().await;
    let token = app.operator_token(None);
    app.pass(599);
    app.get("/v1/keys")
        .by(&Bearer(&token))
        .send()
        .await
        .expect(200);
    app.pass(1);
    app.get("/v1/keys")
        .by(&Bearer(&token))
        .send()
        .await
        .problem("invalid_token");
}

#[tokio::test]
async fn a_token_without_the_scope_is_told_which() {
    let shop = Shop::new().await;
    let answer = shop
        .app
        .get("/v1/keys")
        .by(&OperatorWith("keys:write"))
        .send()
        .await;
    let answer = answer.problem("insufficient_scope");
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.contains(r#"scope="keys:read""#), "{challenge}");
    let read = manager(&shop, &["keys:read"]).await;
    shop.app.get("/v1/keys").by(&read).send().await.expect(200);
    let body = shop.wanted(json!({}));
    let create = shop.app.post("/v1/keys").by(&read).json(body);
    create.send().await.problem("insufficient_scope");
    // Asked before the body is read: whoever may not write learns nothing of what would be wrong.
    let create = shop.app.post("/v1/keys").by(&read).body("text/plain", "x");
    create.send().await.problem("insufficient_scope");
}

#[tokio::test]
async fn a_stopped_keys_token_is_refused_at_once() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let status = async |token: &str| app.get("/v1/keys").by(&Bearer(token)).send().await;
    let revoked = manager(&shop, &["keys:read"]).await;
    status(&revoked.token).await.expect(200);
    app.delete(&revoked.key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    status(&revoked.token).await.problem("invalid_token");

    let rotated = manager(&shop, &["keys:read"]).await;
    app.post(&rotated.key.path("/rotate"))
        .operator()
        .send()
        .await
        .expect(200);
    status(&rotated.token).await.problem("invalid_token");

    let paused = manager(&shop, &["keys:read"]).await;
    app.patch(&paused.key.path(""))
        .operator()
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    status(&paused.token).await.problem("invalid_token");
    app.patch(&paused.key.path(""))
        .operator()
        .json(json!({"disabled": false}))
        .send()
        .await
        .expect(200);
    status(&paused.token).await.expect(200);
    let path = format!("/v1/organizations/{}", shop.organization);
    app.patch(&path)
        .operator()
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    status(&paused.token).await.problem("invalid_token");
}

#[tokio::test]
async fn a_token_is_worth_what_its_key_holds_now() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let manager = manager_with(&shop, &["keys:read", "audit:read"], json!([]), json!({})).await;
    app.get("/v1/audit-events")
        .by(&manager)
        .send()
        .await
        .expect(200);
    let permissions = json!([{"resource": MANAGEMENT, "scopes": ["keys:read"]}]);
    let put = app.put(&manager.key.path("/permissions")).operator();
    put.json(json!({"permissions": permissions}))
        .send()
        .await
        .expect(200);
    app.get("/v1/audit-events")
        .by(&manager)
        .send()
        .await
        .problem("insufficient_scope");
    app.get("/v1/keys").by(&manager).send().await.expect(200);
    let permissions = json!([{"resource": PAYMENT, "scopes": ["read:payment"]}]);
    let put = app.put(&manager.key.path("/permissions")).operator();
    put.json(json!({"permissions": permissions}))
        .send()
        .await
        .expect(200);
    app.get("/v1/keys")
        .by(&manager)
        .send()
        .await
        .problem("insufficient_scope");
}
