//! `GET /openapi.json` and `GET /docs`: the document describes what is there, all of it and nothing else.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use kagiya::http::access::Access;
use kagiya::server::routes;
use serde_json::{Value, json};

use crate::support::test_app::{Shop, TestApp};

/// The paths of the contract that are built, with their methods.
const CONTRACT: [(&str, &[&str]); 35] = [
    ("/.well-known/jwks.json", &["get"]),
    ("/docs", &["get"]),
    ("/forward-auth", &["get"]),
    ("/forward-auth/{path}", &["get"]),
    ("/livez", &["get"]),
    ("/metrics", &["get"]),
    ("/openapi.json", &["get"]),
    ("/readyz", &["get"]),
    ("/v1/audit-events", &["get"]),
    ("/v1/key", &["get"]),
    ("/v1/key/revoke", &["post"]),
    ("/v1/key/rotate", &["post"]),
    ("/v1/keys", &["get", "post"]),
    ("/v1/keys/revoke", &["post"]),
    ("/v1/keys/revoke-leaked", &["post"]),
    ("/v1/keys/{id}", &["delete", "get", "patch"]),
    ("/v1/keys/{id}/explain", &["post"]),
    ("/v1/keys/{id}/permissions", &["put"]),
    ("/v1/keys/{id}/rotate", &["post"]),
    ("/v1/keys/{id}/usage", &["get"]),
    ("/v1/organizations", &["get", "post"]),
    ("/v1/organizations/{id}", &["delete", "get", "patch"]),
    ("/v1/me", &["get"]),
    ("/v1/organizations/{id}/members", &["get"]),
    (
        "/v1/organizations/{id}/members/{user_id}",
        &["delete", "get", "put"],
    ),
    ("/v1/organizations/{id}/permissions", &["put"]),
    ("/v1/roles", &["get", "post"]),
    ("/v1/roles/{id}", &["delete", "get", "patch"]),
    ("/v1/users", &["get", "post"]),
    ("/v1/users/{id}", &["delete", "get", "patch"]),
    ("/v1/resources", &["get", "post"]),
    ("/v1/resources/{id}", &["delete", "get", "patch"]),
    ("/v1/resources/{id}/permissions", &["get", "post"]),
    ("/v1/signing-keys/{kid}/withdraw", &["post"]),
    ("/v1/token", &["post"]),
];

async fn document(app: &TestApp) -> Value {
    let answer = app.get("/openapi.json").send().await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json().clone()
}

#[tokio::test]
async fn the_document_has_every_route_and_every_route_is_in_it() {
    let app = TestApp::new().await;
    let document = document(&app).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut described: Vec<String> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            described.push(format!("{} {path}", method.to_uppercase()));
        }
    }
    let mut served: Vec<String> = routes()
        .iter()
        .map(|row| format!("{} {}", row.method, row.path))
        .collect();
    described.sort();
    served.sort();
    assert_eq!(described, served);
    for (path, methods) in CONTRACT {
        for method in methods {
            assert!(
                document["paths"][path][method].is_object(),
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn the_document_says_which_credential_each_route_wants() {
    let app = TestApp::new().await;
    let document = document(&app).await;
    for row in routes() {
        let method = row.method.as_str().to_lowercase();
        let security = &document["paths"][row.path][&method]["security"];
        let expected = match row.access {
            Access::Public => Value::Null,
            Access::Key | Access::Gateway => json!([{"api_key": []}]),
            Access::AnyCaller => json!([{"management": []}]),
            Access::Management(scope) => json!([{"management": [scope]}]),
            Access::Client => json!([{"client": []}]),
            Access::Visitor | Access::Person => unreachable!("pages have a table of their own"),
        };
        assert_eq!(*security, expected, "{method} {}", row.path);
    }
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    let app = TestApp::new().await;
    let document = document(&app).await;
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                references.push(reference.to_owned());
            }
            members
                .values()
                .for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[tokio::test]
async fn answers_have_the_members_that_the_document_names() {
    let shop = Shop::new().await;
    let document = document(&shop.app).await;
    let key = shop.key().await;
    let resource = format!("/v1/resources/{}", shop.payment);
    let organization = format!("/v1/organizations/{}", shop.organization);
    for (path, pattern) in [
        (key.path(""), "/v1/keys/{id}"),
        (resource, "/v1/resources/{id}"),
        (organization, "/v1/organizations/{id}"),
        ("/v1/keys".to_owned(), "/v1/keys"),
        ("/v1/audit-events".to_owned(), "/v1/audit-events"),
        ("/v1/signing-keys".to_owned(), "/v1/signing-keys"),
        ("/readyz".to_owned(), "/readyz"),
    ] {
        let answer = shop.app.get(&path).operator().send().await.expect(200);
        let schema = &document["paths"][pattern]["get"]["responses"]["200"]["content"]["application/json"]
            ["schema"];
        assert!(schema.is_object(), "{pattern}");
        check(&document, schema, answer.json(), pattern);
    }
}

/// As far as members go: each that must be there is, and none is there that is not named.
fn check(document: &Value, schema: &Value, value: &Value, place: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    if let (Some(properties), Some(members)) = (schema["properties"].as_object(), value.as_object())
    {
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            assert!(
                members.contains_key(name),
                "{place}: {name} is required\n{value}"
            );
        }
        for (name, member) in members {
            let property = properties.get(name);
            let property =
                property.unwrap_or_else(|| panic!("{place}: {name} is not in the document"));
            check(document, property, member, &format!("{place}.{name}"));
        }
    }
    for item in value.as_array().into_iter().flatten() {
        check(document, &schema["items"], item, place);
    }
}

#[tokio::test]
async fn the_page_needs_no_script_and_a_copy_is_not_sent_again() {
    let app = TestApp::new().await;
    let page = app.get("/docs").send().await.expect(200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("script-src"),
        "{policy}"
    );
    let html = String::from_utf8(page.body.clone()).unwrap();
    assert!(!html.contains("<script") && !html.contains("src=\"http"));
    for row in routes() {
        assert!(html.contains(row.path), "{}", row.path);
    }
    for path in ["/docs", "/openapi.json"] {
        let tag = app.get(path).send().await.expect(200);
        let again = app
            .get(path)
            .header("If-None-Match", tag.header("etag").unwrap());
        assert!(again.send().await.expect(304).body.is_empty());
    }
}
