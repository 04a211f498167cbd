//! Whose a key is.

use serde_json::{Value, json};

use super::{SSO, scope, shop_with_member, user};
use crate::management::manager_with;
use crate::support::credentials::Key;
use crate::support::test_app::{PAYMENT, Shop};

#[tokio::test]
async fn the_owner_is_in_the_key_object_in_the_token_and_not_told_to_the_holder() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let key = shop
        .issue(json!({"owner": {"iss": SSO, "sub": "ann"}}))
        .await;
    let owner = key.object["owner"].clone();
    assert_eq!((&owner["iss"], &owner["sub"]), (&json!(SSO), &json!("ann")));
    let known = app
        .get(&format!("/v1/users/{}", owner["id"].as_str().unwrap()))
        .operator();
    assert_eq!(known.send().await.expect(200)["sub"], "ann");
    assert_eq!(
        app.claims(&key.key).await["owner"],
        json!({"iss": SSO, "sub": "ann"})
    );
    let own = app
        .get("/v1/key")
        .by(&Key(&key.key))
        .send()
        .await
        .expect(200);
    assert!(own.json().get("owner").is_none(), "{}", own.transcript());
    let again = shop.issue(json!({"owner": owner["id"]})).await;
    assert_eq!(again.object["owner"], owner);
    let nobodys = shop.key().await;
    assert_eq!(nobodys.object["owner"], Value::Null);
    assert!(app.claims(&nobodys.key).await.get("owner").is_none());
}

#[tokio::test]
async fn the_owner_is_changed_and_found() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let (key, other) = (shop.key().await, shop.key().await);
    let ann = user(app, "ann").await;
    let patch = async |owner: Value| {
        let body = json!({"owner": owner});
        app.patch(&key.path("")).operator().json(body).send().await
    };
    assert_eq!(patch(json!(ann)).await.expect(200)["owner"]["sub"], "ann");
    assert_eq!(app.claims(&key.key).await["owner"]["sub"], "ann");
    let found = async |owner: &str| {
        let list = app
            .get(&format!("/v1/keys?owner={owner}"))
            .operator()
            .send()
            .await;
        let items = list.expect(200)["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|key| key["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let as_json = "%7B%22iss%22%3A%22https%3A%2F%2Fsso.example.com%22%2C%22sub%22%3A%22ann%22%7D";
    assert_eq!(found(&ann).await, [key.id.as_str()]);
    assert_eq!(found(as_json).await, [key.id.as_str()]);
    assert!(found(&as_json.replace("ann", "bob")).await.is_empty());
    assert_eq!(patch(Value::Null).await.expect(200)["owner"], Value::Null);
    assert!(found(&ann).await.is_empty());
    assert!(app.claims(&key.key).await.get("owner").is_none());
    for wrong in [json!("ann"), json!(7), json!({"iss": SSO}), json!(other.id)] {
        patch(wrong).await.problem("invalid_parameter");
    }
    patch(json!("usr_aaaaaaaaaaaaaaaaaaaaaaaaaa"))
        .await
        .problem("invalid_parameter")
        .names("owner");
    let wrong = app.get("/v1/keys?owner=ann").operator().send().await;
    wrong.problem("invalid_parameter").names("owner");
}

#[tokio::test]
async fn a_key_names_members_alone_and_what_it_makes_has_its_owner() {
    let (shop, ann, _) = shop_with_member(&["read:payment", "write:payment"]).await;
    let app = &shop.app;
    let permissions = json!([{"resource": PAYMENT, "scopes": ["write:payment"]}]);
    // The owner must hold the right to manage as well: an admin does.
    super::put_member(app, (&shop.organization, &ann), "admin", &[])
        .await
        .expect(200);
    let further = json!({"owner": ann});
    let manager = manager_with(&shop, &["keys:write", "keys:read"], permissions, further).await;
    let create = async |further: Value| {
        let body = shop.wanted(further);
        app.post("/v1/keys").by(&manager).json(body).send().await
    };
    assert_eq!(create(json!({})).await.expect(201)["owner"]["sub"], "ann");
    let bob = user(app, "bob").await;
    for stranger in [
        json!(bob),
        json!({"iss": SSO, "sub": "bob"}),
        json!({"iss": SSO, "sub": "new"}),
    ] {
        let refused = create(json!({"owner": stranger})).await;
        refused.problem("invalid_parameter").names("owner");
    }
    super::put_member(app, (&shop.organization, &bob), "member", &[])
        .await
        .expect(201);
    create(json!({"owner": bob})).await.problem("would_widen");
    let free = shop.key().await;
    let rotate = app.post(&free.path("/rotate")).by(&manager).send().await;
    rotate.problem("would_widen");
    // To bind a key to an owner is to tighten it; to free it again is not.
    let patch = async |owner: Value| {
        let body = json!({"owner": owner});
        app.patch(&free.path(""))
            .by(&manager)
            .json(body)
            .send()
            .await
    };
    patch(json!(bob)).await.expect(200);
    assert_eq!(scope(app, &free.key).await, None);
    patch(Value::Null).await.problem("would_widen");
}
