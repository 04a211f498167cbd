//! API keys in an exchange: traded by their holders, or by a gateway that got their token.

use serde_json::json;

use super::{ACCESS_TOKEN, GATEWAY, GRANT, World};
use crate::support::credentials::{Anonymous, Basic, Credential};
use crate::support::test_app::{CART, PAYMENT, Shop, claims};
use crate::support::transcript::Answer;

const API_KEY: &str = "urn:kagiya:params:oauth:token-type:api-key";

async fn trade(shop: &Shop, by: &impl Credential, key: &str, further: &[(&str, &str)]) -> Answer {
    let form = [
        &[
            ("grant_type", GRANT),
            ("subject_token", key),
            ("subject_token_type", API_KEY),
        ],
        further,
    ]
    .concat();
    shop.app
        .post("/oauth/token")
        .by(by)
        .form(&form)
        .send()
        .await
}

#[tokio::test]
async fn te_11_a_key_is_its_own_proof_and_its_own_client() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let answer = trade(&shop, &Anonymous, &key.key, &[]).await.expect(200);
    assert_eq!(
        answer.redacted(),
        json!({
            "access_token": "[jwt]", "token_type": "Bearer", "expires_in": 300, "scope": "write:payment",
            "issued_token_type": ACCESS_TOKEN,
        })
    );
    let claims = claims(&answer.text("access_token"));
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!(key.id), &json!(key.id))
    );
    assert!(claims.get("act").is_none() && claims.get("fam").is_none());
    let named = [("audience", PAYMENT), ("scope", "write:payment")];
    trade(&shop, &Anonymous, &key.key, &named).await.expect(200);
}

#[tokio::test]
async fn te_11_nothing_else_is_sent_beside_a_key() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let client = crate::applications::cart_service(&shop).await;
    let basic = trade(&shop, &client, &key.key, &[]).await;
    basic.oauth_error("invalid_request");
    let wrong = trade(&shop, &Basic("app_x", "y"), &key.key, &[]).await;
    wrong.oauth_error("invalid_request");
    let post = [
        ("client_id", client.id.as_str()),
        ("client_secret", &client.secret),
    ];
    trade(&shop, &Anonymous, &key.key, &post)
        .await
        .oauth_error("invalid_request");
    let token = shop.app.trade(&key.key).await.text("access_token");
    let actor = [
        ("actor_token", token.as_str()),
        ("actor_token_type", ACCESS_TOKEN),
    ];
    trade(&shop, &Anonymous, &key.key, &actor)
        .await
        .oauth_error("invalid_request");
}

#[tokio::test]
async fn te_7_a_bad_key_is_a_bad_subject_token() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let mut told = std::collections::BTreeSet::new();
    let forged = format!("{}AAAAAA", &key.key[..key.key.len() - 6]);
    for bad in [
        "kgy_x",
        "x",
        &key.key[..80],
        &format!("{}A", key.key),
        &forged,
    ] {
        let answer = trade(&shop, &Anonymous, bad, &[])
            .await
            .oauth_error("invalid_request");
        told.insert(answer.text("error_description"));
    }
    assert_eq!(told.len(), 1, "{told:?}");
    let scope = trade(&shop, &Anonymous, &key.key, &[("scope", "read:payment")]).await;
    scope.oauth_error("invalid_scope");
    let target = trade(&shop, &Anonymous, &key.key, &[("resource", CART)]).await;
    target.oauth_error("invalid_target");
    shop.app
        .delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    trade(&shop, &Anonymous, &key.key, &[])
        .await
        .oauth_error("invalid_request");
    // A key is none of the other kinds.
    let form = [
        ("grant_type", GRANT),
        ("subject_token", &key.key),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    let client = crate::applications::cart_service(&shop).await;
    let as_token = shop
        .app
        .post("/oauth/token")
        .by(&client)
        .form(&form)
        .send()
        .await;
    as_token.oauth_error("invalid_request");
}

#[tokio::test]
async fn te_12_a_keys_token_is_traded_with_all_that_it_says_of_the_key() {
    let world = World::new().await;
    let app = &world.shop.app;
    app.resource_with("https://stock.example.com", &["x"], json!({}))
        .await;
    let path = format!("/v1/resources/{}", world.shop.payment);
    let claims_of = app
        .patch(&path)
        .operator()
        .json(json!({"metadata_claims": ["team"]}));
    claims_of.send().await.expect(200);
    let key = world
        .shop
        .issue(json!({
            "permissions": [
                {"resource": GATEWAY, "scopes": ["call:payment"]}, {"resource": PAYMENT, "scopes": ["write:payment"]},
            ],
            "default_resource": GATEWAY, "owner": {"iss": "https://sso.example.com", "sub": "ann"},
            "metadata": {"team": "cart", "other": "x"},
        }))
        .await;
    let token = app.trade(&key.key).await.expect(200).text("access_token");
    let (before, after) = (claims(&token), claims(&world.traded(&token).await));
    for same in ["sub", "org_id", "owner", "gen"] {
        assert_eq!(after[same], before[same], "{same}");
        assert!(!after[same].is_null(), "{same}");
    }
    assert_eq!(after["client_id"], world.gateway.id.as_str());
    assert_eq!(
        after["metadata"],
        json!({"team": "cart"}),
        "what this resource names"
    );
    // A key that ends soon gives nothing that lives on.
    let soon = app
        .patch(&key.path(""))
        .operator()
        .json(json!({"expires_at": app.time_in(30)}));
    soon.send().await.expect(200);
    let answer = world.trade(&token, &[]).await.expect(200);
    assert!(
        answer["expires_in"].as_i64().unwrap() <= 30,
        "{}",
        answer.transcript()
    );
}
