//! `/v1/users`

use serde_json::{Value, json};

use super::{SSO, shop_with_member, user};
use crate::support::test_app::{START, TestApp};

#[tokio::test]
async fn a_person_is_made_known_shown_renamed_and_forgotten() {
    let app = TestApp::new().await;
    let body = json!({"iss": SSO, "sub": "ann", "name": "Ann"});
    let made = app
        .post("/v1/users")
        .operator()
        .json(body.clone())
        .send()
        .await
        .expect(201);
    let path = format!("/v1/users/{}", made.text("id"));
    assert_eq!(made.header("location"), Some(path.as_str()));
    let expected = json!({
        "id": "usr_…", "iss": SSO, "sub": "ann", "name": "Ann", "created_at": START, "updated_at": START,
    });
    assert_eq!(made.redacted(), expected);
    let twice = app.post("/v1/users").operator().json(body).send().await;
    let twice = twice.problem("user_exists");
    assert!(twice.text("detail").contains(&made.text("id")));
    let renamed = app
        .patch(&path)
        .operator()
        .json(json!({"name": null}))
        .send()
        .await;
    assert_eq!(renamed.expect(200)["name"], Value::Null);
    // The same name at another issuer is another person.
    let body = json!({"iss": "https://other.example.com", "sub": "ann"});
    app.post("/v1/users")
        .operator()
        .json(body)
        .send()
        .await
        .expect(201);
    let list = app
        .get("/v1/users?sub=ann")
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let list = app
        .get("/v1/users?iss=https://sso.example.com&sub=ann")
        .operator()
        .send()
        .await;
    assert_eq!(list["items"][0]["id"], made["id"]);
    app.delete(&path).operator().send().await.expect(204);
    app.get(&path).operator().send().await.problem("not_found");
}

#[tokio::test]
async fn wrong_people_are_told_with_their_field() {
    let app = TestApp::new().await;
    for (body, code, field) in [
        (json!({"sub": "ann"}), "invalid_parameter", "iss"),
        (json!({"iss": SSO}), "invalid_parameter", "sub"),
        (json!({"iss": SSO, "sub": ""}), "invalid_parameter", "sub"),
        (
            json!({"iss": "a b", "sub": "ann"}),
            "invalid_parameter",
            "iss",
        ),
        (
            json!({"iss": SSO, "sub": "ann", "email": "ann@example.com"}),
            "unknown_field",
            "email",
        ),
    ] {
        let answer = app.post("/v1/users").operator().json(body).send().await;
        answer.problem(code).names(field);
    }
}

#[tokio::test]
async fn a_person_with_ties_is_not_forgotten_and_they_are_named() {
    let (shop, ann, _) = shop_with_member(&["write:payment"]).await;
    let app = &shop.app;
    let key = shop.issue(json!({"owner": ann})).await;
    let path = format!("/v1/users/{ann}");
    let refused = app
        .delete(&path)
        .operator()
        .send()
        .await
        .problem("user_in_use");
    let detail = refused.text("detail");
    assert!(
        detail.contains(&shop.organization) && detail.contains(&key.id),
        "{detail}"
    );
    let member = format!("/v1/organizations/{}/members/{ann}", shop.organization);
    app.delete(&member).operator().send().await.expect(204);
    app.delete(&path)
        .operator()
        .send()
        .await
        .problem("user_in_use");
    app.delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    app.delete(&path).operator().send().await.expect(204);
    assert_eq!(
        app.get(&key.path("")).operator().send().await["owner"],
        Value::Null
    );
    assert_ne!(user(app, "ann").await, ann);
}
