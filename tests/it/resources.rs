//! `/v1/resources` and the permissions below it

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use serde_json::{Value, json};

use crate::support::test_app::{MANAGEMENT, PAYMENT, START, Shop, TestApp};
use crate::support::transcript::Answer;

async fn create(app: &TestApp, body: Value) -> Answer {
    app.post("/v1/resources").operator().json(body).send().await
}

/// The id of the resource of this identifier.
async fn find(app: &TestApp, identifier: &str) -> String {
    let list = app.get("/v1/resources").operator().send().await.expect(200);
    let mut items = list["items"].as_array().unwrap().iter();
    let found = items.find(|item| item["identifier"] == identifier);
    found.unwrap()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_resource_is_made_shown_changed_and_removed() {
    let app = TestApp::new().await;
    let body = json!({
        "identifier": PAYMENT, "name": "Payment", "token_lifetime": 60, "signing_alg": "EdDSA", "metadata_claims": ["team"],
        "permissions": [{"name": "write:payment", "description": "Make one"}, {"name": "read:payment"}],
    });
    let made = create(&app, body).await.expect(201);
    let path = format!("/v1/resources/{}", made.text("id"));
    assert_eq!(made.header("location"), Some(path.as_str()));
    let permission = |name: &str, description: Value| json!({"id": "per_…", "name": name, "description": description, "created_at": START});
    let permissions = json!([
        permission("read:payment", Value::Null),
        permission("write:payment", json!("Make one"))
    ]);
    let expected = json!({
        "id": "res_…", "identifier": PAYMENT, "name": "Payment", "token_lifetime": 60, "signing_alg": "EdDSA",
        "metadata_claims": ["team"], "permissions": permissions, "reserved": false, "created_at": START, "updated_at": START,
    });
    assert_eq!(made.redacted(), expected);
    let shown = app.get(&path).operator().send().await.expect(200);
    assert_eq!(shown.json(), made.json());

    let body =
        json!({"name": null, "token_lifetime": null, "signing_alg": null, "metadata_claims": null});
    let cleared = app
        .patch(&path)
        .operator()
        .json(body)
        .send()
        .await
        .expect(200);
    for (member, value) in [
        ("name", Value::Null),
        ("token_lifetime", json!(300)),
        ("signing_alg", json!("ES256")),
        ("metadata_claims", json!([])),
    ] {
        assert_eq!(cleared[member], value);
    }
    assert_ne!(cleared.header("etag"), made.header("etag"));
    app.delete(&path).operator().send().await.expect(204);
    app.get(&path).operator().send().await.problem("not_found");
    let below = app
        .get(&format!("{path}/permissions"))
        .operator()
        .send()
        .await;
    below.problem("not_found");
}

#[tokio::test]
async fn every_wrong_value_is_told_with_its_field_and_nothing_is_made() {
    let app = TestApp::new().await;
    let before = app.count("SELECT count(*) AS number FROM resources").await;
    let with = |member: &str, value: Value| json!({"identifier": PAYMENT, member: value});
    let long = format!("https://a.example/{}", "x".repeat(512));
    let mut cases = vec![
        (json!({}), "invalid_parameter", "identifier"),
        (with("name", json!("")), "invalid_parameter", "name"),
        (
            with("token_lifetime", json!(29)),
            "invalid_parameter",
            "token_lifetime",
        ),
        (
            with("token_lifetime", json!(3601)),
            "invalid_parameter",
            "token_lifetime",
        ),
        (
            with("token_lifetime", json!(-1)),
            "invalid_parameter",
            "token_lifetime",
        ),
        (
            with("token_lifetime", json!("60")),
            "invalid_parameter",
            "token_lifetime",
        ),
        (
            with("token_lifetime", json!(60.5)),
            "invalid_parameter",
            "token_lifetime",
        ),
        (
            with("signing_alg", json!("HS256")),
            "invalid_parameter",
            "signing_alg",
        ),
        (
            with("signing_alg", json!("none")),
            "invalid_parameter",
            "signing_alg",
        ),
        (
            with("signing_alg", json!("es256")),
            "invalid_parameter",
            "signing_alg",
        ),
        (
            with("metadata_claims", json!("team")),
            "invalid_parameter",
            "metadata_claims",
        ),
        (
            with("metadata_claims", json!(["A"])),
            "invalid_parameter",
            "metadata_claims",
        ),
        (
            with("metadata_claims", json!(["a", "a"])),
            "invalid_parameter",
            "metadata_claims",
        ),
        (
            with("permissions", json!(["read"])),
            "invalid_parameter",
            "permissions[0]",
        ),
        (
            with("permissions", json!([["read"]])),
            "invalid_parameter",
            "permissions[0]",
        ),
        (
            with("permissions", json!([{"name": "two words"}])),
            "invalid_parameter",
            "permissions[0].name",
        ),
        (
            with("permissions", json!([{"name": ""}])),
            "invalid_parameter",
            "permissions[0].name",
        ),
        (
            with("permissions", json!([{"name": "\""}])),
            "invalid_parameter",
            "permissions[0].name",
        ),
        (
            with("permissions", json!([{"description": "x"}])),
            "invalid_parameter",
            "permissions[0].name",
        ),
        (
            with("permissions", json!([{"name": "a"}, {"name": "a"}])),
            "invalid_parameter",
            "permissions[1].name",
        ),
        (
            with("permissions", json!([{"name": "a", "id": 1}])),
            "unknown_field",
            "permissions[0].id",
        ),
        (with("reserved", json!(true)), "unknown_field", "reserved"),
    ];
    for identifier in [
        "",
        "payment",
        "/api",
        "//payment.example.com",
        "https://",
        "https://a.example/#f",
        "https://a.example/?q",
        "https://a.example/a b",
        " https://a.example",
        "https://a.example/\u{e4}",
        &long,
    ] {
        cases.push((
            json!({"identifier": identifier}),
            "invalid_parameter",
            "identifier",
        ));
    }
    for (body, code, field) in cases {
        let answer = create(&app, body.clone()).await;
        assert_eq!(answer["code"], code, "{body}\n{}", answer.transcript());
        answer.names(field);
    }
    assert_eq!(
        app.count("SELECT count(*) AS number FROM resources").await,
        before
    );
}

#[tokio::test]
async fn an_identifier_is_there_once_and_never_changes() {
    let shop = Shop::new().await;
    create(&shop.app, json!({"identifier": PAYMENT}))
        .await
        .problem("identifier_taken");
    let path = format!("/v1/resources/{}", shop.payment);
    let body = json!({"identifier": "https://other.example"});
    let answer = shop.app.patch(&path).operator().json(body).send().await;
    answer.problem("unknown_field").names("identifier");
}

#[tokio::test]
async fn the_management_api_is_a_resource_that_nobody_changes() {
    let app = TestApp::new().await;
    create(&app, json!({"identifier": MANAGEMENT}))
        .await
        .problem("identifier_taken");
    let path = format!("/v1/resources/{}", find(&app, MANAGEMENT).await);
    let shown = app.get(&path).operator().send().await.expect(200);
    assert_eq!(shown["reserved"], true);
    let names: Vec<&str> = shown["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|p| p["name"].as_str())
        .collect();
    for scope in [
        "keys:read",
        "keys:write",
        "organizations:write",
        "resources:read",
        "signing_keys:write",
        "audit:read",
    ] {
        assert!(names.contains(&scope), "{scope}");
    }
    app.patch(&path)
        .operator()
        .json(json!({"name": "x"}))
        .send()
        .await
        .problem("resource_reserved");
    app.delete(&path)
        .operator()
        .send()
        .await
        .problem("resource_reserved");
    let below = format!("{path}/permissions");
    app.post(&below)
        .operator()
        .json(json!({"name": "x"}))
        .send()
        .await
        .problem("resource_reserved");
    let one = format!(
        "{below}/{}",
        shown["permissions"][0]["id"].as_str().unwrap()
    );
    app.delete(&one)
        .operator()
        .send()
        .await
        .problem("resource_reserved");
}

#[tokio::test]
async fn permissions_are_added_listed_and_removed() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let below = format!("/v1/resources/{}/permissions", shop.payment);
    app.pass(1);
    let body = json!({"name": "refund:payment", "description": "Give it back"});
    let made = app
        .post(&below)
        .operator()
        .json(body)
        .send()
        .await
        .expect(201);
    let path = format!("{below}/{}", made.text("id"));
    assert_eq!(made.header("location"), Some(path.as_str()));
    assert_eq!(
        made.redacted(),
        json!({"id": "per_…", "name": "refund:payment", "description": "Give it back", "created_at": app.time_in(0)})
    );
    let shown = app.get(&path).operator().send().await.expect(200);
    assert_eq!(shown.json(), made.json());
    let list = app.get(&below).operator().send().await.expect(200);
    assert_eq!(list["items"][0], *made.json());
    assert_eq!(list["items"].as_array().unwrap().len(), 3);
    let key = shop
        .issue(json!({"permissions": [{"resource": PAYMENT, "scopes": ["refund:payment"]}]}))
        .await;
    assert_eq!(app.claims(&key.key).await["scope"], "refund:payment");
    // That of another resource is not there.
    let elsewhere = format!(
        "/v1/resources/{}/permissions/{}",
        shop.cart,
        made.text("id")
    );
    app.get(&elsewhere)
        .operator()
        .send()
        .await
        .problem("not_found");
    app.delete(&elsewhere)
        .operator()
        .send()
        .await
        .problem("not_found");
    let refused = app.delete(&path).operator().send().await;
    let refused = refused.problem("permission_in_use");
    assert!(refused.text("detail").contains(&key.id));
    assert_eq!(app.claims(&key.key).await["scope"], "refund:payment");
    let all = format!("{path}?cascade=true");
    app.delete(&all).operator().send().await.expect(204);
    app.delete(&path)
        .operator()
        .send()
        .await
        .problem("not_found");
    app.trade(&key.key).await.problem("invalid_target");

    for (body, code) in [
        (json!({"name": "read:payment"}), "permission_exists"),
        (json!({"name": "two words"}), "invalid_parameter"),
        (json!({"name": "x".repeat(129)}), "invalid_parameter"),
        (json!({"description": "x"}), "invalid_parameter"),
        (
            json!({"name": "x", "description": "x".repeat(501)}),
            "invalid_parameter",
        ),
        (json!({"name": "x", "scope": "x"}), "unknown_field"),
    ] {
        app.post(&below)
            .operator()
            .json(body)
            .send()
            .await
            .problem(code);
    }
    let nowhere = "/v1/resources/res_aaaaaaaaaaaaaaaaaaaaaaaaaa/permissions";
    let request = app.post(nowhere).operator().json(json!({"name": "x"}));
    request.send().await.problem("not_found");
}

#[tokio::test]
async fn a_stale_version_is_refused() {
    let shop = Shop::new().await;
    let path = format!("/v1/resources/{}", shop.payment);
    let shown = shop.app.get(&path).operator().send().await.expect(200);
    let tag = shown.header("etag").unwrap();
    let change = async |seconds: u32| {
        let request = shop.app.patch(&path).operator().if_match(tag);
        request
            .json(json!({"token_lifetime": seconds}))
            .send()
            .await
    };
    change(60).await.expect(200);
    change(70).await.problem("precondition_failed");
    let delete = shop.app.delete(&path).operator().if_match(tag);
    delete.send().await.problem("precondition_failed");
    assert_eq!(
        shop.app.get(&path).operator().send().await["token_lifetime"],
        60
    );
}
