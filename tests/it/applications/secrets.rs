//! Several secrets live at once, each is shown once, and one that ended or was removed lets nobody in.

use serde_json::{Value, json};

use super::{Application, cart_service, grant, make};
use crate::support::credentials::Basic;
use crate::support::test_app::Shop;
use crate::support::transcript::Answer;

async fn add(shop: &Shop, client: &Application, body: Value) -> Answer {
    let request = shop.app.post(&client.path("/secrets")).operator();
    request.json(body).send().await
}

#[tokio::test]
async fn a_second_secret_works_beside_the_first_and_each_is_removed_alone() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    shop.app.pass(1);
    let added = add(&shop, &client, json!({})).await.expect(201);
    let second = added.text("client_secret");
    assert_eq!(
        added.redacted()["client_secret"],
        "kgs_…",
        "{}",
        added.transcript()
    );
    assert_eq!(added["expires_at"], Value::Null);
    let path = client.path(&format!("/secrets/{}", added.text("id")));
    assert_eq!(added.header("location"), Some(path.as_str()));
    for secret in [&client.secret, &second] {
        let granted = grant(&shop.app, &Basic(&client.id, secret), &[]).await;
        granted.expect(200);
    }
    let list = shop.app.get(&client.path("/secrets")).operator();
    let list = list.send().await.expect(200);
    let items = list["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["id"]), (2, &added["id"]));
    assert_eq!(
        items[0]["hint"],
        format!("…{}", &second[second.len() - 4..])
    );
    let shown = shop.app.get(&path).operator().send().await.expect(200);
    assert_eq!(shown["id"], added["id"]);
    let first = items[1]["id"].as_str().unwrap();
    let remove = client.path(&format!("/secrets/{first}"));
    let remove = || shop.app.delete(&remove).operator();
    remove().send().await.expect(204);
    remove().send().await.problem("not_found");
    let refused = grant(&shop.app, &client, &[]).await;
    refused.oauth_error("invalid_client");
    let granted = grant(&shop.app, &Basic(&client.id, &second), &[]).await;
    granted.expect(200);
    let events = shop.app.get("/v1/audit-events").operator().send().await;
    let actions: Vec<&str> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["action"].as_str())
        .collect();
    for action in ["application.secret_added", "application.secret_removed"] {
        assert!(actions.contains(&action), "{action}");
    }
}

#[tokio::test]
async fn a_secret_with_an_end_lets_in_until_then() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let body = json!({"expires_at": shop.app.time_in(60)});
    let added = add(&shop, &client, body).await.expect(201);
    assert_eq!(added["expires_at"], shop.app.time_in(60).as_str());
    let secret = added.text("client_secret");
    let ask = async || grant(&shop.app, &Basic(&client.id, &secret), &[]).await;
    shop.app.pass(59);
    ask().await.expect(200);
    shop.app.pass(1);
    ask().await.oauth_error("invalid_client");
    grant(&shop.app, &client, &[]).await.expect(200);
    let past = json!({"expires_at": shop.app.time_in(0)});
    let wrong = add(&shop, &client, past).await;
    wrong.problem("invalid_parameter").names("expires_at");
}

#[tokio::test]
async fn an_application_has_ten_secrets_at_most_and_ended_ones_make_room() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let soon = json!({"expires_at": shop.app.time_in(60)});
    for _ in 0..9 {
        add(&shop, &client, soon.clone()).await.expect(201);
    }
    let refused = add(&shop, &client, json!({})).await;
    refused.problem("too_many_secrets");
    shop.app.pass(60);
    add(&shop, &client, json!({})).await.expect(201);
    let list = shop.app.get(&client.path("/secrets")).operator();
    assert_eq!(list.send().await["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_application_that_signs_assertions_has_no_secrets() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let keys = json!({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    ]});
    let body = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": keys});
    let patch = shop.app.patch(&client.path("")).operator();
    let changed = patch.json(body.clone()).send().await.expect(200);
    assert_eq!(changed["jwks"], keys);
    let refused = add(&shop, &client, json!({})).await;
    refused.problem("secrets_unused");
    let refused = grant(&shop.app, &client, &[]).await;
    refused.oauth_error("invalid_client");
    let list = shop.app.get(&client.path("/secrets")).operator();
    assert_eq!(list.send().await["items"], json!([]));
    let made = make(&shop.app, body).await;
    assert_eq!(made.secret, "", "none is shown");
}

#[tokio::test]
async fn an_added_secret_can_be_asked_for_again() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let add = async || {
        let request = shop.app.post(&client.path("/secrets")).operator();
        request
            .idempotency_key("a-name-for-the-attempt")
            .send()
            .await
    };
    let (first, second) = (add().await.expect(201), add().await.expect(201));
    assert_eq!(first.json(), second.json());
    let list = shop.app.get(&client.path("/secrets")).operator();
    assert_eq!(list.send().await["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_client_secret_goes_on_working_when_the_digest_secret_is_replaced() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let rotate = shop.app.post("/v1/secrets/digest/rotate").operator();
    rotate.json(json!({})).send().await.expect(200);
    for _ in 0..100 {
        let list = shop.app.get("/v1/secrets").operator().send().await;
        let current = list["items"].as_array().unwrap().iter().any(|secret| {
            secret["purpose"] == "digest"
                && secret["generation"] == 1
                && secret["state"] == "current"
        });
        if current {
            break;
        }
        shop.app.pass(10);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    grant(&shop.app, &client, &[]).await.expect(200);
    let added = add(&shop, &client, json!({})).await.expect(201);
    let second = added.text("client_secret");
    let granted = grant(&shop.app, &Basic(&client.id, &second), &[]).await;
    granted.expect(200);
    // The old one is needed as long as a client secret is made with it.
    shop.app.pass(3600);
    let retire = || {
        shop.app
            .post("/v1/secrets/digest/retire")
            .operator()
            .json(json!({}))
    };
    retire().send().await.problem("secret_in_use");
    let first = client.object["client_secret_id"].as_str().unwrap();
    let path = client.path(&format!("/secrets/{first}"));
    shop.app.delete(&path).operator().send().await.expect(204);
    retire().send().await.expect(200);
    let granted = grant(&shop.app, &Basic(&client.id, &second), &[]).await;
    granted.expect(200);
}
