//! Memberships by rules of the configuration, judged at each sign-in by what the provider says then.

use serde_json::{Value, json};

use super::provider::sign_in;
use crate::support::browser::Browser;
use crate::support::openid_issuer::OpenIdIssuer;
use crate::support::test_app::{Setup, Shop, TestApp};
use crate::tenancy::role;

/// With these rules.
fn with_rules(setup: Setup, rules: Value) -> Setup {
    setup.config(|config| config.sign_in.memberships = serde_json::from_value(rules).unwrap())
}

/// What somebody is in the organization: his role there and his user roles; nothing if no member.
async fn membership(shop: &Shop, sub: &str) -> Option<(String, Value)> {
    let app = &shop.app;
    let users = app
        .get("/v1/users?limit=200")
        .operator()
        .send()
        .await
        .expect(200);
    let users = users["items"].as_array().unwrap();
    let user = users.iter().find(|user| user["sub"] == sub)?;
    let path = format!(
        "/v1/organizations/{}/members/{}",
        shop.organization,
        user["id"].as_str().unwrap()
    );
    let answer = app.get(&path).operator().send().await;
    if answer.status == 404 {
        return None;
    }
    let answer = answer.expect(200);
    Some((answer.text("role"), answer["roles"].clone()))
}

async fn shop(issuer: &OpenIdIssuer, rules: Value) -> Shop {
    let app: TestApp = with_rules(issuer.setup(&[]), rules).start().await;
    let shop = Shop::on(app).await;
    let path = format!("/v1/organizations/{}", shop.organization);
    let named = shop
        .app
        .patch(&path)
        .operator()
        .json(json!({"slug": "acme"}));
    named.send().await.expect(200);
    shop
}

#[tokio::test]
async fn a_rule_makes_members_and_unmakes_them_at_the_next_sign_in() {
    let issuer = OpenIdIssuer::start();
    let rules = json!([
        {"claim": "groups", "value": "billing", "organization": "acme", "roles": ["clerk"]},
        {"claim": "realm_access.roles", "value": "boss", "organization": "acme", "role": "admin"},
    ]);
    let shop = shop(&issuer, rules).await;
    let clerk = role(&shop.app, "clerk", &["read:payment"]).await;
    let ann = Browser::new(&shop.app);
    let groups = json!({"groups": ["billing", "other"]});
    let home = sign_in(&issuer, &shop.app, &ann, ("ann", groups))
        .await
        .expect(200);
    assert_eq!(
        home.path,
        format!("/dashboard/organizations/{}/keys", shop.organization)
    );
    let member = Some(("member".to_owned(), json!([clerk])));
    assert_eq!(membership(&shop, "ann").await, member);
    // She makes a key. Then the provider says that she is an admin, and then that she is neither.
    let new = format!("{}/new", home.path);
    let page = ann.open(&new).await;
    let permission = "https://payment.example.com/api read:payment";
    let shown = ann
        .submit(&page, &new, &[("name", "mine"), ("permission", permission)])
        .await;
    let key = shown.secret().unwrap();
    shop.app.trade(&key).await.expect(200);
    let boss = json!({"groups": ["billing"], "realm_access": {"roles": ["boss"]}});
    sign_in(&issuer, &shop.app, &ann, ("ann", boss))
        .await
        .expect(200);
    let admin = Some(("admin".to_owned(), json!([clerk])));
    assert_eq!(membership(&shop, "ann").await, admin);
    let page = sign_in(&issuer, &shop.app, &ann, ("ann", json!({})))
        .await
        .expect(200);
    page.says("You do not belong to an organization yet");
    assert_eq!(membership(&shop, "ann").await, None);
    // Her keys follow what the organization says of leavers: they are paused.
    shop.app.trade(&key).await.problem("api_key_disabled");
}

#[tokio::test]
async fn what_an_admin_set_by_hand_no_rule_touches() {
    let issuer = OpenIdIssuer::start();
    let rules = json!([{"claim": "groups", "value": "billing", "organization": "acme"}]);
    let shop = shop(&issuer, rules).await;
    let ann = Browser::new(&shop.app);
    sign_in(&issuer, &shop.app, &ann, ("ann", json!({})))
        .await
        .expect(200);
    let users = shop
        .app
        .get("/v1/users?limit=200")
        .operator()
        .send()
        .await
        .expect(200);
    let id = users["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|user| user["sub"] == "ann")
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/organizations/{}/members/{id}", shop.organization);
    let body = json!({"role": "admin", "roles": []});
    shop.app
        .put(&path)
        .operator()
        .json(body)
        .send()
        .await
        .expect(201);
    for about in [
        json!({"groups": ["billing"]}),
        json!({"groups": []}),
        json!({}),
    ] {
        sign_in(&issuer, &shop.app, &ann, ("ann", about))
            .await
            .expect(200);
        let admin = Some(("admin".to_owned(), json!([])));
        assert_eq!(membership(&shop, "ann").await, admin);
    }
}

#[tokio::test]
async fn a_rule_that_names_what_is_not_there_gives_nothing_and_locks_nobody_out() {
    let issuer = OpenIdIssuer::start();
    let rules = json!([
        {"claim": "groups", "value": "billing", "organization": "nowhere"},
        {"claim": "groups", "value": "billing", "organization": "acme", "roles": ["no such role"]},
    ]);
    let shop = shop(&issuer, rules).await;
    let ann = Browser::new(&shop.app);
    let about = json!({"groups": "billing"});
    sign_in(&issuer, &shop.app, &ann, ("ann", about))
        .await
        .expect(200);
    let member = Some(("member".to_owned(), json!([])));
    assert_eq!(membership(&shop, "ann").await, member);
}
