//! People who sign in: whose access tokens are taken, and what they may do where.

use serde_json::{Value, json};

use super::{put_member, role, set_ceiling};
use crate::support::credentials::Bearer;
use crate::support::openid_issuer::{Mood, OpenIdIssuer};
use crate::support::test_app::{CART, MANAGEMENT, PAYMENT, Shop, TestApp};
use crate::support::transcript::Answer;

/// A shop whose people sign in at an issuer.
struct Signed {
    shop: Shop,
    issuer: OpenIdIssuer,
}

impl Signed {
    async fn new() -> Self {
        let issuer = OpenIdIssuer::start();
        let shop = Shop::on(issuer.setup(&["root"]).start().await).await;
        Self { shop, issuer }
    }

    fn app(&self) -> &TestApp {
        &self.shop.app
    }

    async fn me(&self, sub: &str) -> Answer {
        let token = self.issuer.token(self.app(), sub);
        self.app().get("/v1/me").by(&Bearer(&token)).send().await
    }

    /// Makes a person known by his first call; his id.
    async fn known(&self, sub: &str) -> String {
        let me = self.me(sub).await.expect(200);
        me["user"]["id"].as_str().unwrap().to_owned()
    }

    /// The same, and lets him be something in the shop's organization.
    async fn joined(&self, sub: &str, role: &str, roles: &[&str]) -> String {
        let id = self.known(sub).await;
        let at = (self.shop.organization.as_str(), id.as_str());
        put_member(self.app(), at, role, roles).await.expect(201);
        id
    }

    async fn call(&self, sub: &str, (method, path): (&str, &str), body: Value) -> Answer {
        let token = self.issuer.token(self.app(), sub);
        let request = self.app().request(method, path).by(&Bearer(&token));
        let request = if body.is_null() {
            request
        } else {
            request.json(body)
        };
        request.send().await
    }

    async fn create(&self, sub: &str, further: Value) -> Answer {
        self.call(sub, ("POST", "/v1/keys"), self.shop.wanted(further))
            .await
    }
}

fn payment(scopes: &[&str]) -> Value {
    json!([{"resource": PAYMENT, "scopes": scopes}])
}

#[tokio::test]
async fn everybody_who_signs_in_is_told_who_he_is() {
    let signed = Signed::new().await;
    let ann = signed.me("ann").await.expect(200);
    assert_eq!(
        (&ann["user"]["iss"], &ann["user"]["sub"]),
        (&json!(signed.issuer.url()), &json!("ann"))
    );
    assert_eq!(
        (&ann["operator"], &ann["organizations"], &ann["scopes"]),
        (&json!(false), &json!([]), &json!([]))
    );
    assert_eq!(
        signed.known("ann").await,
        ann["user"]["id"].as_str().unwrap()
    );
    let root = signed.me("root").await.expect(200);
    assert_eq!(
        (&root["operator"], &root["user"]["sub"]),
        (&json!(true), &json!("root"))
    );
    let clerk = role(signed.app(), "clerk", &["read:payment"]).await;
    signed.joined("ann", "member", &[&clerk]).await;
    signed.joined("bob", "admin", &[]).await;
    let ann = signed.me("ann").await;
    let expected = json!([{
        "id": signed.shop.organization, "name": "Acme", "role": "member", "permissions": payment(&["read:payment"]),
    }]);
    assert_eq!(ann["organizations"], expected);
    set_ceiling(&signed.shop, payment(&["write:payment"]))
        .await
        .expect(200);
    assert_eq!(
        signed.me("ann").await["organizations"][0]["permissions"],
        json!([])
    );
    let bob = signed.me("bob").await;
    assert_eq!(
        bob["organizations"][0]["permissions"],
        payment(&["write:payment"])
    );
    let operator = signed
        .app()
        .get("/v1/me")
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(
        (&operator["operator"], &operator["user"]),
        (&json!(true), &Value::Null)
    );
}

#[tokio::test]
async fn a_member_makes_and_sees_his_own_keys_within_his_roles() {
    let signed = Signed::new().await;
    let clerk = role(signed.app(), "clerk", &["read:payment"]).await;
    let ann = signed.joined("ann", "member", &[&clerk]).await;
    signed.joined("bob", "member", &[&clerk]).await;
    let others = signed.shop.key().await;
    let made = signed
        .create(
            "ann",
            json!({"organization_id": null, "permissions": payment(&["read:payment"])}),
        )
        .await;
    let made = made.expect(201);
    assert_eq!(
        (&made["owner"]["id"], &made["owner"]["sub"]),
        (&json!(ann), &json!("ann"))
    );
    for beyond in [
        payment(&["write:payment"]),
        json!([{"resource": CART, "scopes": ["read:cart"]}]),
        json!([{"resource": MANAGEMENT, "scopes": ["keys:read"]}]),
    ] {
        signed
            .create("ann", json!({"permissions": beyond}))
            .await
            .problem("beyond_grantor");
    }
    let bobs = json!({"permissions": [], "owner": {"iss": signed.issuer.url(), "sub": "bob"}});
    signed.create("ann", bobs).await.problem("forbidden");
    let list = signed
        .call("ann", ("GET", "/v1/keys"), Value::Null)
        .await
        .expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let own = format!("/v1/keys/{}", made.text("id"));
    signed
        .call("ann", ("GET", &own), Value::Null)
        .await
        .expect(200);
    for below in ["", "/usage"] {
        let path = others.path(below);
        let hidden = signed.call("bob", ("GET", &path), Value::Null).await;
        hidden.problem("not_found");
    }
    let explain = others.path("/explain");
    let hidden = signed.call("bob", ("POST", &explain), json!({})).await;
    hidden.problem("not_found");
    for path in [&own, &others.path("")] {
        signed
            .call("bob", ("GET", path), Value::Null)
            .await
            .problem("not_found");
        signed
            .call("bob", ("DELETE", path), Value::Null)
            .await
            .problem("not_found");
    }
    // His rights are those of this moment, at each step.
    put_member(
        signed.app(),
        (&signed.shop.organization, &ann),
        "member",
        &[],
    )
    .await
    .expect(200);
    let rotate = format!("{own}/rotate");
    signed
        .call("ann", ("POST", &rotate), json!({}))
        .await
        .problem("beyond_grantor");
    signed
        .call("ann", ("PATCH", &own), json!({"disabled": true}))
        .await
        .expect(200);
    signed
        .call("ann", ("PATCH", &own), json!({"disabled": false}))
        .await
        .problem("beyond_grantor");
    let permissions = format!("{own}/permissions");
    signed
        .call("ann", ("PUT", &permissions), json!({"permissions": []}))
        .await
        .expect(200);
    let again = json!({"permissions": payment(&["read:payment"])});
    signed
        .call("ann", ("PUT", &permissions), again)
        .await
        .problem("beyond_grantor");
    signed
        .call("ann", ("DELETE", &own), Value::Null)
        .await
        .expect(204);
    for path in ["/v1/audit-events", "/v1/users", "/v1/signing-keys"] {
        signed
            .call("ann", ("GET", path), Value::Null)
            .await
            .problem("insufficient_scope");
    }
    let organization = format!("/v1/organizations/{}", signed.shop.organization);
    signed
        .call("ann", ("GET", &organization), Value::Null)
        .await
        .expect(200);
    signed
        .call("ann", ("PATCH", &organization), json!({"name": "x"}))
        .await
        .problem("insufficient_scope");
}

#[tokio::test]
async fn an_admin_gives_what_the_organization_may_use() {
    let signed = Signed::new().await;
    let app = signed.app();
    signed.joined("bob", "admin", &[]).await;
    let ann = signed.known("ann").await;
    let both = payment(&["read:payment", "write:payment"]);
    let made = signed
        .create("bob", json!({"permissions": both}))
        .await
        .expect(201);
    assert_eq!(made["owner"], Value::Null);
    let managing = json!([{"resource": MANAGEMENT, "scopes": ["keys:read"]}]);
    signed
        .create("bob", json!({"permissions": managing}))
        .await
        .expect(201);
    set_ceiling(&signed.shop, payment(&["read:payment"]))
        .await
        .expect(200);
    signed
        .create("bob", json!({"permissions": both}))
        .await
        .problem("beyond_grantor");
    signed
        .create("bob", json!({"permissions": managing}))
        .await
        .problem("beyond_grantor");
    let cashier = role(app, "cashier", &["write:payment"]).await;
    let member = format!(
        "/v1/organizations/{}/members/{ann}",
        signed.shop.organization
    );
    let put = async |body: Value| signed.call("bob", ("PUT", &member), body).await;
    put(json!({"role": "member", "roles": [cashier]}))
        .await
        .problem("beyond_grantor");
    put(json!({"role": "admin"})).await.expect(201);
    let organization = format!("/v1/organizations/{}", signed.shop.organization);
    for body in [json!({"disabled": true}), json!({"max_keys": 7})] {
        signed
            .call("bob", ("PATCH", &organization), body)
            .await
            .problem("forbidden");
    }
    let free = json!({"permissions": null});
    let ceiling = format!("{organization}/permissions");
    signed
        .call("bob", ("PUT", &ceiling), free)
        .await
        .problem("forbidden");
    signed
        .call(
            "bob",
            ("PATCH", &organization),
            json!({"owner_gone": "keep"}),
        )
        .await
        .expect(200);
    signed
        .call("bob", ("DELETE", &member), Value::Null)
        .await
        .expect(204);
    let users = signed
        .call("bob", ("GET", "/v1/users"), Value::Null)
        .await
        .expect(200);
    assert_eq!(users["items"].as_array().unwrap().len(), 1);
    let next_door = format!("/v1/organizations/{}", app.organization("Next door").await);
    signed
        .call("bob", ("GET", &next_door), Value::Null)
        .await
        .problem("not_found");
}

#[tokio::test]
async fn who_is_admin_here_and_member_there_is_each_where_he_is_it() {
    let signed = Signed::new().await;
    let app = signed.app();
    let ann = signed.joined("ann", "admin", &[]).await;
    let there = app.organization("There").await;
    put_member(app, (&there, &ann), "member", &[])
        .await
        .expect(201);
    let theirs = app.issue(&there, json!({})).await;
    let here = signed.shop.key().await;
    signed
        .call("ann", ("GET", &here.path("")), Value::Null)
        .await
        .expect(200);
    signed
        .call("ann", ("GET", &theirs.path("")), Value::Null)
        .await
        .problem("not_found");
    let list = signed
        .call("ann", ("GET", "/v1/keys"), Value::Null)
        .await
        .expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let path = format!("/v1/organizations/{there}");
    signed
        .call("ann", ("PATCH", &path), json!({"name": "x"}))
        .await
        .problem("forbidden");
    let member = format!("{path}/members/{ann}");
    signed
        .call("ann", ("PUT", &member), json!({"role": "admin"}))
        .await
        .problem("forbidden");
    let events = format!("/v1/audit-events?organization_id={there}");
    let events = signed
        .call("ann", ("GET", &events), Value::Null)
        .await
        .expect(200);
    assert_eq!(events["items"], json!([]));
    // With two organizations, none is meant where none is named.
    let unnamed = signed.create("ann", json!({"organization_id": null})).await;
    unnamed
        .problem("invalid_parameter")
        .names("organization_id");
    let revoke = json!({"organization_id": there});
    let revoked = signed
        .call("ann", ("POST", "/v1/keys/revoke"), revoke)
        .await;
    assert_eq!(revoked.expect(200)["count"], 0);
}

#[tokio::test]
async fn an_operator_signs_in_too() {
    let signed = Signed::new().await;
    let body = json!({"name": "New"});
    signed
        .call("root", ("POST", "/v1/organizations"), body.clone())
        .await
        .expect(201);
    signed
        .call("ann", ("POST", "/v1/organizations"), body)
        .await
        .problem("insufficient_scope");
}

#[tokio::test]
async fn a_token_that_is_not_good_lets_nobody_in() {
    let signed = Signed::new().await;
    let app = signed.app();
    let now = app.now().as_second();
    let refused = async |claims: Value, header: Value| {
        let token = signed
            .issuer
            .token_with(app, "root", claims.clone(), header.clone());
        let answer = app.get("/v1/me").by(&Bearer(&token)).send().await;
        assert_eq!(
            answer["code"],
            "invalid_token",
            "{claims} {header}\n{}",
            answer.transcript()
        );
    };
    for claims in [
        json!({"aud": "other"}),
        json!({"aud": null}),
        json!({"aud": ["other", 7, MANAGEMENT]}),
        json!({"aud": format!("{MANAGEMENT}/")}),
        json!({"azp": "another-client"}),
        json!({"azp": null}),
        json!({"client_id": "another-client"}),
        json!({"exp": now}),
        json!({"exp": null}),
        json!({"exp": (now + 300).to_string()}),
        json!({"iat": now + 120}),
        json!({"nbf": now + 120}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"at_hash": "h"}),
        json!({"typ": "ID"}),
        json!({"iss": format!("{}/", signed.issuer.url())}),
    ] {
        refused(claims, json!({})).await;
    }
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "HS256"}),
        json!({"alg": "RS256"}),
        json!({"alg": null}),
        json!({"typ": "revocations+jwt"}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"zip": "DEF"}),
        json!({"cty": "JWT"}),
        json!({"kid": 7}),
    ] {
        refused(json!({}), header).await;
    }
    let good = signed.issuer.token(app, "root");
    let cut = &good[..good.len() - 4];
    app.get("/v1/me")
        .by(&Bearer(cut))
        .send()
        .await
        .problem("invalid_token");
    app.get("/v1/me")
        .by(&Bearer(&good))
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn a_user_that_stands_behind_a_key_is_no_person() {
    let signed = Signed::new().await;
    let key = signed.shop.key().await;
    let subject = key.object["identity"]["subject"]
        .as_str()
        .unwrap()
        .to_owned();
    signed.me(&subject).await.problem("invalid_token");
    signed
        .app()
        .delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    signed.me(&subject).await.problem("invalid_token");
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_an_outage_and_no_wrong_token() {
    let signed = Signed::new().await;
    let app = signed.app();
    for mood in [Mood::Down, Mood::Redirects, Mood::Pretends] {
        signed.issuer.is(mood);
        signed
            .me("ann")
            .await
            .problem("identity_provider_unavailable");
        app.pass(5);
    }
    assert_eq!(signed.issuer.asked(), 0);
    signed.issuer.is(Mood::Well);
    signed.me("ann").await.expect(200);
    // What is at hand is used for a while.
    signed.issuer.is(Mood::Down);
    app.pass(30 * 60);
    signed.me("ann").await.expect(200);
    app.pass(31 * 60);
    signed
        .me("ann")
        .await
        .problem("identity_provider_unavailable");
    // Keys of ours go on meanwhile.
    let key = signed.shop.key().await;
    app.trade(&key.key).await.expect(200);
    signed.issuer.is(Mood::Well);
    app.pass(5);
    signed.me("ann").await.expect(200);
}

#[tokio::test]
async fn a_new_key_of_the_issuer_is_found_and_it_is_not_asked_too_often() {
    let signed = Signed::new().await;
    let app = signed.app();
    signed.me("ann").await.expect(200);
    signed.me("ann").await.expect(200);
    assert_eq!(signed.issuer.asked(), 1);
    let old = signed.issuer.token(app, "ann");
    signed.issuer.rotate("second");
    signed.me("ann").await.expect(200);
    assert_eq!(signed.issuer.asked(), 2);
    signed.issuer.rotate("third");
    for _ in 0..3 {
        signed.me("ann").await.problem("invalid_token");
    }
    assert_eq!(signed.issuer.asked(), 2);
    app.pass(30);
    signed.me("ann").await.expect(200);
    assert_eq!(signed.issuer.asked(), 3);
    // The set was replaced whole: what is gone from it signs nothing any more.
    app.get("/v1/me")
        .by(&Bearer(&old))
        .send()
        .await
        .problem("invalid_token");
}
