//! `/v1/organizations`

use serde_json::{Value, json};

use crate::support::test_app::{START, Shop, TestApp};
use crate::support::transcript::Answer;

async fn create(app: &TestApp, body: Value) -> Answer {
    let request = app.post("/v1/organizations").operator().json(body);
    request.send().await
}

#[tokio::test]
async fn an_organization_is_made_shown_changed_and_removed() {
    let app = TestApp::new().await;
    let body = json!({"name": "Acme", "slug": "acme", "metadata": {"team": "cart"}});
    let made = create(&app, body).await.expect(201);
    let path = format!("/v1/organizations/{}", made.text("id"));
    assert_eq!(made.header("location"), Some(path.as_str()));
    let expected = json!({
        "id": "org_…", "name": "Acme", "slug": "acme", "metadata": {"team": "cart"}, "disabled": false,
        "permissions": null, "max_keys": null, "owner_gone": "pause",
        "created_at": START, "updated_at": START,
    });
    assert_eq!(made.redacted(), expected);
    let shown = app.get(&path).operator().send().await.expect(200);
    assert_eq!(shown.json(), made.json());
    assert_eq!(shown.header("etag"), made.header("etag"));

    app.pass(1);
    let body = json!({"name": "Acme & Sons", "slug": null, "disabled": true});
    let changed = app.patch(&path).operator().json(body).send().await;
    let changed = changed.expect(200);
    let expected = json!({
        "id": "org_…", "name": "Acme & Sons", "slug": null, "metadata": {"team": "cart"}, "disabled": true,
        "permissions": null, "max_keys": null, "owner_gone": "pause",
        "created_at": START, "updated_at": app.time_in(0),
    });
    assert_eq!(changed.redacted(), expected);
    assert_ne!(changed.header("etag"), made.header("etag"));

    app.delete(&path).operator().send().await.expect(204);
    app.get(&path).operator().send().await.problem("not_found");
    let again = app.delete(&path).operator().send().await;
    again.problem("not_found");
}

#[tokio::test]
async fn every_wrong_value_is_told_with_its_field_and_nothing_is_made() {
    let app = TestApp::new().await;
    let made = create(&app, json!({"name": "Acme", "slug": "acme"})).await;
    let path = format!("/v1/organizations/{}", made.text("id"));
    for (body, code, field) in [
        (json!({}), "invalid_parameter", "name"),
        (json!({"name": null}), "invalid_parameter", "name"),
        (json!({"name": ""}), "invalid_parameter", "name"),
        (
            json!({"name": "x".repeat(121)}),
            "invalid_parameter",
            "name",
        ),
        (
            json!({"name": "x", "slug": "UPPER"}),
            "invalid_parameter",
            "slug",
        ),
        (
            json!({"name": "x", "slug": ""}),
            "invalid_parameter",
            "slug",
        ),
        (
            json!({"name": "x", "slug": "-a"}),
            "invalid_parameter",
            "slug",
        ),
        (
            json!({"name": "x", "slug": "a".repeat(64)}),
            "invalid_parameter",
            "slug",
        ),
        (
            json!({"name": "x", "metadata": {"A": "x"}}),
            "invalid_parameter",
            "metadata",
        ),
        (json!({"name": "x", "id": "org_x"}), "unknown_field", "id"),
        (json!([]), "invalid_parameter", "body"),
    ] {
        create(&app, body).await.problem(code).names(field);
    }
    create(&app, json!({"name": "x", "slug": "acme"}))
        .await
        .problem("slug_taken");
    for (body, code, field) in [
        (json!({"name": null}), "invalid_parameter", "name"),
        (json!({"disabled": null}), "invalid_parameter", "disabled"),
        (json!({"disabled": "yes"}), "invalid_parameter", "disabled"),
        (json!({"created_at": START}), "unknown_field", "created_at"),
    ] {
        let request = app.patch(&path).operator().json(body);
        request.send().await.problem(code).names(field);
    }
    let list = app.get("/v1/organizations").operator().send().await;
    assert_eq!(list.expect(200)["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_slug_can_be_given_to_another_once_it_is_free() {
    let app = TestApp::new().await;
    let one = create(&app, json!({"name": "One", "slug": "acme"}))
        .await
        .text("id");
    let two = create(&app, json!({"name": "Two"})).await.text("id");
    let rename = async |id: &str, slug: Value| {
        let request = app.patch(&format!("/v1/organizations/{id}")).operator();
        request.json(json!({"slug": slug})).send().await
    };
    rename(&two, json!("acme")).await.problem("slug_taken");
    rename(&one, Value::Null).await.expect(200);
    rename(&two, json!("acme")).await.expect(200);
}

#[tokio::test]
async fn an_organization_with_living_keys_is_not_removed() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let path = format!("/v1/organizations/{}", shop.organization);
    let delete = async || shop.app.delete(&path).operator().send().await;
    delete().await.problem("organization_not_empty");
    shop.app.trade(&key.key).await.expect(200);
    shop.app
        .delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    delete().await.expect(204);
    assert_eq!(shop.app.trade(&key.key).await.status, 401);
    let shown = shop.app.get(&key.path("")).operator().send().await;
    shown.problem("not_found");
}

#[tokio::test]
async fn a_stale_version_is_refused() {
    let app = TestApp::new().await;
    let made = create(&app, json!({"name": "Acme"})).await.expect(201);
    let path = format!("/v1/organizations/{}", made.text("id"));
    let tag = made.header("etag").unwrap();
    let rename = async |name: &str| {
        let request = app.patch(&path).operator().if_match(tag);
        request.json(json!({"name": name})).send().await
    };
    rename("one").await.expect(200);
    rename("two").await.problem("precondition_failed");
    let delete = app.delete(&path).operator().if_match(tag);
    delete.send().await.problem("precondition_failed");
    assert_eq!(app.get(&path).operator().send().await["name"], "one");
}

#[tokio::test]
async fn organizations_are_listed_in_stable_pages() {
    let app = TestApp::new().await;
    for name in ["a", "b", "c"] {
        create(&app, json!({"name": name})).await.expect(201);
        app.pass(1);
    }
    let page = app.get("/v1/organizations?limit=2").operator().send().await;
    let page = page.expect(200);
    assert_eq!(
        (&page["items"][0]["name"], &page["items"][1]["name"]),
        (&json!("c"), &json!("b"))
    );
    create(&app, json!({"name": "d"})).await.expect(201);
    let next = format!(
        "/v1/organizations?limit=2&cursor={}",
        page.text("next_cursor")
    );
    let page = app.get(&next).operator().send().await.expect(200);
    assert_eq!(
        (&page["items"][0]["name"], &page["next_cursor"]),
        (&json!("a"), &Value::Null)
    );
    let wrong = app.get("/v1/organizations?q=a").operator().send().await;
    wrong.problem("unknown_field").names("q");
}
