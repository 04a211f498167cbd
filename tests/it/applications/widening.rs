//! Nobody gives what he does not hold, by way of an application either: keys, applications and persons make, empower and enter only
//! applications that may no more than themselves.

use serde_json::{Value, json};

use super::{Application, grant, machine_role, make};
use crate::management::manager_with;
use crate::support::credentials::{Bearer, Credential};
use crate::support::openid_issuer::OpenIdIssuer;
use crate::support::test_app::{CART, MANAGEMENT, PAYMENT, Shop, merged};
use crate::support::transcript::Answer;

fn at(resource: &str, scopes: &[&str]) -> Value {
    json!([{"resource": resource, "scopes": scopes}])
}

async fn create(shop: &Shop, by: &impl Credential, body: Value) -> Answer {
    let body = merged(json!({"name": "x"}), body);
    let request = shop.app.post("/v1/applications").by(by).json(body);
    request.send().await
}

/// An application that manages, by its token for the management API.
pub(super) async fn managing(shop: &Shop, body: Value, scopes: &[&str], further: Value) -> Manager {
    let mut all = vec![json!({"resource": MANAGEMENT, "scopes": scopes})];
    all.extend(further.as_array().unwrap().iter().cloned());
    let role = machine_role(&shop.app, "manages", json!(all)).await;
    let body = merged(json!({"roles": [role]}), body);
    let client = make(&shop.app, body).await;
    let granted = grant(&shop.app, &client, &[("resource", MANAGEMENT)]).await;
    let token = granted.expect(200).text("access_token");
    Manager { client, token }
}

pub(super) struct Manager {
    pub(super) client: Application,
    token: String,
}

impl Credential for Manager {
    fn header(&self, app: &crate::support::test_app::TestApp) -> Option<(&'static str, String)> {
        Bearer(&self.token).header(app)
    }
}

#[tokio::test]
async fn a_key_makes_and_enters_only_applications_within_its_own_permissions() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let scopes = ["applications:read", "applications:write"];
    let manager = manager_with(&shop, &scopes, at(PAYMENT, &["read:payment"]), json!({})).await;
    let within = machine_role(app, "reads", at(PAYMENT, &["read:payment"])).await;
    let beyond = machine_role(app, "writes", at(PAYMENT, &["write:payment"])).await;
    let manages = machine_role(app, "manages", at(MANAGEMENT, &["applications:read"])).await;
    let made = create(&shop, &manager, json!({"roles": [within]})).await;
    let made = Application::read(made.expect(201));
    assert_eq!(made.object["organization_id"], shop.organization.as_str());
    grant(app, &made, &[]).await.expect(200);
    for roles in [json!([beyond]), json!([within, beyond]), json!([manages])] {
        let refused = create(&shop, &manager, json!({"roles": roles})).await;
        refused.problem("would_widen");
    }
    // What it serves is for the deployment to say.
    let serves = json!({"resources": [shop.payment]});
    create(&shop, &manager, serves.clone())
        .await
        .problem("forbidden");
    let patch = app.patch(&made.path("")).by(&manager).json(serves);
    patch.send().await.problem("forbidden");
    let roles = async |client: &Application, roles: Value| {
        let request = app.put(&client.path("/roles")).by(&manager);
        request.json(json!({"roles": roles})).send().await
    };
    roles(&made, json!([beyond])).await.problem("would_widen");
    roles(&made, json!([])).await.expect(200);
    roles(&made, json!([within])).await.expect(200);
    // One that may more than the key is not entered by a secret or a key of one's own, nor let loose.
    let other = make(
        app,
        json!({"organization_id": shop.organization, "roles": [beyond]}),
    )
    .await;
    let path = other.path("/secrets");
    let add = || app.post(&path).by(&manager).json(json!({}));
    add().send().await.problem("would_widen");
    let jwk =
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let patch = async |body: Value| {
        let request = app.patch(&other.path("")).by(&manager).json(body);
        request.send().await
    };
    let own = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [jwk]}});
    patch(own).await.problem("would_widen");
    patch(json!({"disabled": true})).await.expect(200);
    patch(json!({"disabled": false}))
        .await
        .problem("would_widen");
    patch(json!({"allowed_cidrs": ["192.0.2.0/24"]}))
        .await
        .expect(200);
    patch(json!({"allowed_cidrs": null}))
        .await
        .problem("would_widen");
    patch(json!({"may_act": {"application_id": made.id}}))
        .await
        .expect(200);
    patch(json!({"may_act": null})).await.problem("would_widen");
    patch(json!({"name": "y"})).await.expect(200);
    roles(&other, json!([])).await.expect(200);
    add().send().await.expect(201);
    let delete = app.delete(&other.path("")).by(&manager);
    delete.send().await.expect(204);
}

#[tokio::test]
async fn a_key_with_an_end_a_rate_an_owner_or_networks_makes_no_application_that_is_looser() {
    let shop = Shop::new().await;
    let manager = async |further: Value| {
        manager_with(&shop, &["applications:write"], json!([]), further).await
    };
    let owner = crate::tenancy::user(&shop.app, "ann").await;
    let organization = &shop.organization;
    crate::tenancy::put_member(&shop.app, (organization, &owner), "admin", &[])
        .await
        .expect(201);
    for limit in [
        json!({"expires_at": shop.app.time_in(1000)}),
        json!({"rate_limit": {"requests": 100, "per_seconds": 1}}),
        json!({"owner": owner}),
    ] {
        let manager = manager(limit).await;
        create(&shop, &manager, json!({}))
            .await
            .problem("would_widen");
    }
    let manager = manager(json!({"allowed_cidrs": ["127.0.0.0/8"]})).await;
    create(&shop, &manager, json!({}))
        .await
        .problem("would_widen");
    let tight = json!({"allowed_cidrs": ["127.0.0.1/32"]});
    create(&shop, &manager, tight).await.expect(201);
}

#[tokio::test]
async fn an_application_never_loosens_or_enters_itself() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let scopes = ["applications:read", "applications:write"];
    let body = json!({"organization_id": shop.organization});
    let manager = managing(&shop, body, &scopes, json!([])).await;
    let path = manager.client.path("/secrets");
    let add = app.post(&path).by(&manager).json(json!({}));
    add.send().await.problem("would_widen");
    let role = machine_role(app, "reads", at(PAYMENT, &["read:payment"])).await;
    let more = app.post(&manager.client.path("/roles")).by(&manager);
    let more = more.json(json!({"roles": [role]})).send().await;
    more.problem("would_widen");
    let narrow = app.patch(&manager.client.path("")).by(&manager);
    let narrow = narrow.json(json!({"allowed_cidrs": ["127.0.0.0/8"]}));
    narrow.send().await.expect(200);
    let wide = app.patch(&manager.client.path("")).by(&manager);
    let wide = wide.json(json!({"allowed_cidrs": null})).send().await;
    wide.problem("would_widen");
    let delete = app.delete(&manager.client.path("")).by(&manager);
    delete.send().await.expect(204);
    let gone = app.get("/v1/applications").by(&manager).send().await;
    gone.problem("invalid_token");
}

#[tokio::test]
async fn an_application_of_an_organization_manages_its_keys_within_its_own_permissions() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let other = app.organization("Next door").await;
    let body = json!({"organization_id": shop.organization});
    let scopes = ["keys:read", "keys:write"];
    let manager = managing(&shop, body, &scopes, at(PAYMENT, &["read:payment"])).await;
    let me = app.get("/v1/me").by(&manager).send().await.expect(200);
    assert_eq!(me["application_id"], manager.client.id.as_str());
    assert_eq!(
        me["organizations"][0]["permissions"],
        at(PAYMENT, &["read:payment"])
    );
    let create = async |body: Value| {
        let request = app.post("/v1/keys").by(&manager).json(body);
        request.send().await
    };
    let reads = at(PAYMENT, &["read:payment"]);
    let made = create(shop.wanted(json!({"permissions": reads, "organization_id": null}))).await;
    assert_eq!(
        made.expect(201)["organization_id"],
        shop.organization.as_str()
    );
    for beyond in [
        at(PAYMENT, &["write:payment"]),
        at(CART, &["read:cart"]),
        at(MANAGEMENT, &["keys:read"]),
    ] {
        let refused = create(shop.wanted(json!({"permissions": beyond}))).await;
        refused.problem("would_widen");
    }
    let elsewhere = json!({"permissions": [], "organization_id": other});
    let refused = create(shop.wanted(elsewhere)).await;
    refused
        .problem("invalid_parameter")
        .names("organization_id");
    let key = shop.key().await;
    let rotate = app.post(&key.path("/rotate")).by(&manager);
    rotate.send().await.problem("would_widen");
    let revoke = app.delete(&key.path("")).by(&manager);
    revoke.send().await.expect(204);
    // What it may do is asked at every call.
    let role = manager.client.object["roles"][0].as_str().unwrap();
    let path = manager.client.path(&format!("/roles/{role}"));
    app.delete(&path).operator().send().await.expect(204);
    let refused = app.get("/v1/keys").by(&manager).send().await;
    refused.problem("insufficient_scope");
}

#[tokio::test]
async fn an_application_of_the_deployment_manages_it_and_gives_nothing_that_it_does_not_hold() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let scopes = [
        "resources:write",
        "roles:write",
        "organizations:write",
        "organizations:read",
        "applications:write",
        "keys:write",
        "users:write",
    ];
    let manager = managing(&shop, json!({}), &scopes, at(PAYMENT, &["read:payment"])).await;
    let send = async |method: &str, path: &str, body: Value| {
        let request = app.request(method, path).by(&manager).json(body);
        request.send().await
    };
    let body = json!({"identifier": "https://new.example.com", "permissions": [{"name": "read"}]});
    send("POST", "/v1/resources", body).await.expect(201);
    let role = |name: &str, permissions: Value| json!({"name": name, "kind": "machine_to_machine", "permissions": permissions});
    let reads = role("reads", at(PAYMENT, &["read:payment"]));
    let reads = send("POST", "/v1/roles", reads)
        .await
        .expect(201)
        .text("id");
    for beyond in [
        at(PAYMENT, &["write:payment"]),
        at("https://new.example.com", &["read"]),
        at(MANAGEMENT, &["roles:write"]),
    ] {
        let refused = send("POST", "/v1/roles", role("more", beyond.clone())).await;
        refused.problem("would_widen");
        let path = format!("/v1/roles/{reads}");
        let refused = send("PATCH", &path, json!({"permissions": beyond})).await;
        refused.problem("would_widen");
    }
    let path = format!("/v1/organizations/{}/permissions", shop.organization);
    let ceiling = |permissions: Value| json!({"permissions": permissions});
    send("PUT", &path, ceiling(json!([]))).await.expect(200);
    let reads_alone = ceiling(at(PAYMENT, &["read:payment"]));
    send("PUT", &path, reads_alone).await.expect(200);
    for beyond in [at(PAYMENT, &["write:payment"]), json!(null)] {
        let refused = send("PUT", &path, ceiling(beyond)).await;
        refused.problem("would_widen");
    }
    let path = format!("/v1/organizations/{}", shop.organization);
    send("PATCH", &path, json!({"disabled": true}))
        .await
        .expect(200);
    let refused = send("PATCH", &path, json!({"disabled": false})).await;
    refused.problem("would_widen");
    let user = crate::tenancy::user(app, "ann").await;
    let path = format!("/v1/organizations/{}/members/{user}", shop.organization);
    let refused = send("PUT", &path, json!({"role": "admin"})).await;
    refused.problem("would_widen");
    send("PUT", &path, json!({"role": "member"}))
        .await
        .expect(201);
    let made = send(
        "POST",
        "/v1/applications",
        json!({"name": "x", "roles": [reads]}),
    )
    .await;
    made.expect(201);
}

#[tokio::test]
async fn an_admin_gives_applications_what_his_organization_may_use_and_a_member_makes_none() {
    let issuer = OpenIdIssuer::start();
    let shop = Shop::on(issuer.setup(&[]).start().await).await;
    let app = &shop.app;
    let known = async |sub: &str| {
        let token = issuer.token(app, sub);
        let me = app.get("/v1/me").by(&Bearer(&token)).send().await;
        (
            me.expect(200)["user"]["id"].as_str().unwrap().to_owned(),
            token,
        )
    };
    let (admin, admins) = known("admin").await;
    let (member, members) = known("member").await;
    let put = async |user: &str, role: &str| {
        let member = (shop.organization.as_str(), user);
        crate::tenancy::put_member(app, member, role, &[])
            .await
            .expect(201);
    };
    put(&admin, "admin").await;
    put(&member, "member").await;
    let writes = machine_role(app, "writes", at(PAYMENT, &["write:payment"])).await;
    let cart = machine_role(app, "cart", at(CART, &["read:cart"])).await;
    let manages = machine_role(app, "manages", at(MANAGEMENT, &["keys:read"])).await;
    let ceiling = json!([
        {"resource": PAYMENT, "scopes": ["write:payment"]}, {"resource": MANAGEMENT, "scopes": ["keys:read"]},
    ]);
    crate::tenancy::set_ceiling(&shop, ceiling)
        .await
        .expect(200);
    let admins = Bearer(&admins);
    let roles = json!({"roles": [writes, manages]});
    let made = create(&shop, &admins, roles).await.expect(201);
    assert_eq!(made["organization_id"], shop.organization.as_str());
    let refused = create(&shop, &admins, json!({"roles": [cart]})).await;
    refused.problem("beyond_grantor");
    let refused = create(&shop, &Bearer(&members), json!({})).await;
    refused.problem("insufficient_scope");
}
