//! A key of an organization sees and touches that organization alone.

use serde_json::{Value, json};

use super::{Manager, manager_with};
use crate::support::test_app::{Issued, PAYMENT, Shop};

const ALL: [&str; 9] = [
    "keys:read",
    "keys:write",
    "organizations:read",
    "organizations:write",
    "resources:read",
    "resources:write",
    "signing_keys:read",
    "signing_keys:write",
    "audit:read",
];

struct Neighbours {
    shop: Shop,
    manager: Manager,
    /// The organization and a key next door.
    organization: String,
    key: Issued,
}

async fn neighbours() -> Neighbours {
    let shop = Shop::new().await;
    let organization = shop.app.organization("Next door").await;
    let key = shop
        .app
        .issue(&organization, json!({"name": "next door"}))
        .await;
    let permissions = json!([{"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}]);
    let manager = manager_with(&shop, &ALL, permissions, json!({})).await;
    Neighbours {
        shop,
        manager,
        organization,
        key,
    }
}

#[tokio::test]
async fn what_is_next_door_is_not_there() {
    let Neighbours {
        shop,
        manager,
        organization,
        key,
    } = neighbours().await;
    let app = &shop.app;
    let organization = format!("/v1/organizations/{organization}");
    for (method, path, body) in [
        ("GET", key.path(""), Value::Null),
        ("PATCH", key.path(""), json!({"name": "x"})),
        ("PUT", key.path("/permissions"), json!({"permissions": []})),
        ("POST", key.path("/rotate"), json!({})),
        ("DELETE", key.path(""), Value::Null),
        ("GET", organization.clone(), Value::Null),
        ("PATCH", organization.clone(), json!({"name": "x"})),
        ("DELETE", organization, Value::Null),
    ] {
        let request = app.request(method, &path).by(&manager);
        let request = if body.is_null() {
            request
        } else {
            request.json(body)
        };
        let there = request.send().await.problem("not_found");
        // Not to be told from what is nowhere.
        let nowhere = path.replace(&key.id, "key_aaaaaaaaaaaaaaaaaaaaaaaaaa");
        if nowhere != path {
            let request = app
                .request(method, &nowhere)
                .by(&manager)
                .json(json!({"permissions": []}));
            if method == "GET" {
                assert_eq!(
                    request.send().await.without_request_id(),
                    there.without_request_id()
                );
            }
        }
    }
    app.trade(&key.key).await.expect(200);
    let create = app.post("/v1/keys").by(&manager);
    let body = shop.wanted(json!({"organization_id": key.object["organization_id"]}));
    let there = create
        .json(body)
        .send()
        .await
        .problem("invalid_parameter")
        .names("organization_id");
    let create = app.post("/v1/keys").by(&manager);
    let body = shop.wanted(json!({"organization_id": "org_aaaaaaaaaaaaaaaaaaaaaaaaaa"}));
    let nowhere = create.json(body).send().await.problem("invalid_parameter");
    assert_eq!(there.without_request_id(), nowhere.without_request_id());
}

#[tokio::test]
async fn lists_hold_what_is_at_home() {
    let Neighbours {
        shop,
        manager,
        organization,
        key,
    } = neighbours().await;
    let app = &shop.app;
    let own = shop.key().await;
    let items = async |path: &str| {
        let answer = app.get(path).by(&manager).send().await.expect(200);
        answer["items"].as_array().unwrap().clone()
    };
    for key in items("/v1/keys?limit=200").await {
        assert_eq!(key["organization_id"], shop.organization.as_str());
    }
    assert!(items(&format!("/v1/keys?q={}", own.id)).await.len() == 1);
    assert!(items(&format!("/v1/keys?q={}", key.id)).await.is_empty());
    assert!(
        items(&format!("/v1/keys?organization_id={organization}"))
            .await
            .is_empty()
    );
    let organizations = items("/v1/organizations").await;
    assert_eq!(organizations.len(), 1);
    assert_eq!(organizations[0]["id"], shop.organization.as_str());
    let events = items("/v1/audit-events?limit=200").await;
    assert!(!events.is_empty());
    for event in events {
        assert_eq!(event["organization_id"], shop.organization.as_str());
    }
    assert!(
        items(&format!("/v1/audit-events?organization_id={organization}"))
            .await
            .is_empty()
    );
    assert!(
        items(&format!("/v1/audit-events?subject={}", key.id))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn what_belongs_to_the_deployment_is_read_and_not_written() {
    let Neighbours { shop, manager, .. } = neighbours().await;
    let app = &shop.app;
    let resource = format!("/v1/resources/{}", shop.payment);
    app.get(&resource).by(&manager).send().await.expect(200);
    let organization = format!("/v1/organizations/{}", shop.organization);
    for (method, path, body) in [
        ("POST", "/v1/organizations".to_owned(), json!({"name": "x"})),
        ("PATCH", organization.clone(), json!({"disabled": true})),
        ("PATCH", organization.clone(), json!({"disabled": false})),
        ("DELETE", organization.clone(), json!({})),
        (
            "POST",
            "/v1/resources".to_owned(),
            json!({"identifier": "https://x.example"}),
        ),
        ("PATCH", resource.clone(), json!({"name": "x"})),
        ("DELETE", resource.clone(), json!({})),
        (
            "POST",
            format!("{resource}/permissions"),
            json!({"name": "x"}),
        ),
        ("POST", "/v1/signing-keys/rotate".to_owned(), json!({})),
    ] {
        let request = app.request(method, &path).by(&manager);
        let request = if method == "DELETE" {
            request
        } else {
            request.json(body)
        };
        request.send().await.problem("forbidden");
    }
    let list = app
        .get(&format!("{resource}/permissions"))
        .by(&manager)
        .send()
        .await
        .expect(200);
    let permission = format!(
        "{resource}/permissions/{}",
        list["items"][0]["id"].as_str().unwrap()
    );
    app.delete(&permission)
        .by(&manager)
        .send()
        .await
        .problem("forbidden");
    app.get("/v1/signing-keys")
        .by(&manager)
        .send()
        .await
        .problem("forbidden");
    app.patch(&organization)
        .by(&manager)
        .json(json!({"name": "Acme 2"}))
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn a_key_makes_keys_at_home_without_saying_where() {
    let Neighbours { shop, manager, .. } = neighbours().await;
    let body = shop.wanted(json!({"organization_id": null}));
    let made = shop
        .app
        .post("/v1/keys")
        .by(&manager)
        .json(body)
        .send()
        .await
        .expect(201);
    assert_eq!(made["organization_id"], shop.organization.as_str());
    let page = format!("/v1/audit-events?subject={}", made.text("id"));
    let events = shop.app.get(&page).operator().send().await.expect(200);
    assert_eq!(events["items"][0]["actor"], manager.key.id.as_str());
}
