//! Every managing path, walked by a key that holds every right on the management API, in another organization: it meets 403 or 404 and
//! no trace of the other's data. A path that is not in the list below fails the test.

use std::collections::BTreeSet;

use kagiya::http::access::Access;
use kagiya::server::routes;
use serde_json::{Value, json};

use super::{put_member, role, set_ceiling, shop_with_member, user};
use crate::management::{Manager, management_token};
use crate::support::test_app::{CART, Issued, MANAGEMENT, PAYMENT, Shop};

/// What a stranger meets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    /// It is not there for him.
    NotThere,
    /// It belongs to the deployment.
    Forbidden,
    /// What it is about cannot be named.
    Unknown,
    /// An answer about what is his own.
    OwnThings,
}
use Met::{Forbidden, NotThere, OwnThings, Unknown};

/// Every managing path. Reviewed: whoever adds a line says what a stranger meets there.
const PATHS: [(&str, &str, Met); 84] = [
    ("POST", "/v1/keys", Unknown),
    ("GET", "/v1/keys", OwnThings),
    ("POST", "/v1/keys/revoke", NotThere),
    ("GET", "/v1/keys/{id}", NotThere),
    ("PATCH", "/v1/keys/{id}", NotThere),
    ("PUT", "/v1/keys/{id}/permissions", NotThere),
    ("POST", "/v1/keys/{id}/rotate", NotThere),
    ("POST", "/v1/keys/{id}/explain", NotThere),
    ("GET", "/v1/keys/{id}/usage", NotThere),
    ("DELETE", "/v1/keys/{id}", NotThere),
    ("POST", "/v1/organizations", Forbidden),
    ("GET", "/v1/organizations", OwnThings),
    ("GET", "/v1/organizations/{id}", NotThere),
    ("PATCH", "/v1/organizations/{id}", NotThere),
    ("PUT", "/v1/organizations/{id}/permissions", NotThere),
    ("DELETE", "/v1/organizations/{id}", NotThere),
    ("GET", "/v1/organizations/{id}/members", NotThere),
    ("GET", "/v1/organizations/{id}/members/{user_id}", NotThere),
    ("PUT", "/v1/organizations/{id}/members/{user_id}", NotThere),
    (
        "DELETE",
        "/v1/organizations/{id}/members/{user_id}",
        NotThere,
    ),
    ("POST", "/v1/users", Forbidden),
    ("GET", "/v1/users", OwnThings),
    ("GET", "/v1/users/{id}", NotThere),
    ("PATCH", "/v1/users/{id}", Forbidden),
    ("DELETE", "/v1/users/{id}", Forbidden),
    ("PUT", "/v1/users/{id}/operator", Forbidden),
    ("POST", "/v1/sign-in-links", Forbidden),
    ("GET", "/v1/me", OwnThings),
    ("POST", "/v1/applications", Unknown),
    ("GET", "/v1/applications", OwnThings),
    ("GET", "/v1/applications/{id}", NotThere),
    ("PATCH", "/v1/applications/{id}", NotThere),
    ("DELETE", "/v1/applications/{id}", NotThere),
    ("POST", "/v1/applications/{id}/secrets", NotThere),
    ("GET", "/v1/applications/{id}/secrets", NotThere),
    ("GET", "/v1/applications/{id}/secrets/{secret_id}", NotThere),
    (
        "DELETE",
        "/v1/applications/{id}/secrets/{secret_id}",
        NotThere,
    ),
    ("GET", "/v1/applications/{id}/roles", NotThere),
    ("POST", "/v1/applications/{id}/roles", NotThere),
    ("PUT", "/v1/applications/{id}/roles", NotThere),
    ("DELETE", "/v1/applications/{id}/roles/{role_id}", NotThere),
    ("POST", "/v1/exchange-rules", Forbidden),
    ("GET", "/v1/exchange-rules", Forbidden),
    ("GET", "/v1/exchange-rules/{id}", Forbidden),
    ("PATCH", "/v1/exchange-rules/{id}", Forbidden),
    ("DELETE", "/v1/exchange-rules/{id}", Forbidden),
    ("POST", "/v1/roles", Forbidden),
    ("GET", "/v1/roles", OwnThings),
    ("GET", "/v1/roles/{id}", NotThere),
    ("PATCH", "/v1/roles/{id}", Forbidden),
    ("DELETE", "/v1/roles/{id}", Forbidden),
    ("POST", "/v1/resources", Forbidden),
    ("GET", "/v1/resources", OwnThings),
    ("GET", "/v1/resources/{id}", NotThere),
    ("PATCH", "/v1/resources/{id}", Forbidden),
    ("DELETE", "/v1/resources/{id}", Forbidden),
    ("POST", "/v1/resources/{id}/permissions", Forbidden),
    ("GET", "/v1/resources/{id}/permissions", NotThere),
    (
        "GET",
        "/v1/resources/{id}/permissions/{permission_id}",
        NotThere,
    ),
    (
        "DELETE",
        "/v1/resources/{id}/permissions/{permission_id}",
        Forbidden,
    ),
    ("GET", "/v1/signing-keys", Forbidden),
    ("POST", "/v1/signing-keys/rotate", Forbidden),
    ("GET", "/v1/signing-keys/{kid}", Forbidden),
    ("POST", "/v1/signing-keys/{kid}/withdraw", Forbidden),
    ("GET", "/v1/secrets", Forbidden),
    ("POST", "/v1/secrets/root/rotate", Forbidden),
    ("POST", "/v1/secrets/{purpose}/rotate", Forbidden),
    ("POST", "/v1/secrets/{purpose}/retire", Forbidden),
    ("GET", "/v1/secrets/{purpose}/{generation}/keys", Forbidden),
    ("GET", "/v1/identity-providers", Forbidden),
    ("GET", "/v1/identity-providers/{name}", Forbidden),
    ("POST", "/v1/identity-providers/{name}/check", Forbidden),
    ("POST", "/v1/identity-providers/{name}/reconcile", Forbidden),
    (
        "POST",
        "/v1/identity-providers/{name}/import-resources",
        Forbidden,
    ),
    ("GET", "/v1/pending-operations", Forbidden),
    ("POST", "/v1/pending-operations/retry", Forbidden),
    ("GET", "/v1/audit-events", OwnThings),
    // The same once more, narrowed to what is not his.
    ("GET", "/v1/keys?organization_id={org}", OwnThings),
    ("GET", "/v1/applications?organization_id={org}", OwnThings),
    ("DELETE", "/v1/applications/{id}?cascade=true", NotThere),
    ("GET", "/v1/keys?owner={user_id}", OwnThings),
    ("GET", "/v1/users?sub=ann", OwnThings),
    ("GET", "/v1/audit-events?organization_id={org}", OwnThings),
    ("GET", "/v1/audit-events?subject={key}", OwnThings),
];

/// What a request of this kind says, where the other's things can be named.
fn body(path: &str, home: &Home) -> Value {
    match path {
        "/v1/keys" => home.shop.wanted(json!({"permissions": []})),
        "/v1/applications" => {
            json!({"name": "x", "organization_id": home.shop.organization})
        }
        "/v1/exchange-rules" => json!({
            "application_id": home.application, "subject_resource": CART, "target_resource": CART, "scopes": ["read:cart"],
        }),
        "/v1/exchange-rules/{id}" => json!({"impersonation": true}),
        "/v1/applications/{id}/secrets" => json!({}),
        "/v1/applications/{id}/roles" => json!({"roles": []}),
        "/v1/keys/revoke" => json!({"organization_id": home.shop.organization}),
        "/v1/keys/{id}/permissions" => json!({"permissions": []}),
        "/v1/organizations/{id}/permissions" => json!({"permissions": null}),
        "/v1/organizations/{id}/members/{user_id}" => json!({"role": "member"}),
        "/v1/users" => json!({"iss": super::SSO, "sub": "ann"}),
        "/v1/users/{id}/operator" => json!({"operator": true}),
        "/v1/sign-in-links" => json!({"purpose": "password", "user_id": home.user}),
        "/v1/roles" => json!({"name": "clerk", "kind": "user", "permissions": []}),
        "/v1/resources" => json!({"identifier": PAYMENT}),
        "/v1/resources/{id}/permissions" | "/v1/organizations" | "/v1/keys/{id}" => {
            json!({"name": "x"})
        }
        path if path.ends_with("/rotate") || path.ends_with("/explain") => json!({}),
        path if path.contains("/{id}") => json!({"name": "x"}),
        _ => json!({}),
    }
}

/// The things of the organization that is to be left alone.
struct Home {
    shop: Shop,
    key: Issued,
    user: String,
    role: String,
    permission: String,
    application: String,
    secret: String,
}

impl Home {
    fn path(&self, path: &str) -> String {
        let id = match path {
            path if path.starts_with("/v1/keys") => &self.key.id,
            path if path.starts_with("/v1/organizations") => &self.shop.organization,
            path if path.starts_with("/v1/resources") => &self.shop.payment,
            path if path.starts_with("/v1/users") => &self.user,
            path if path.starts_with("/v1/applications") => &self.application,
            path if path.starts_with("/v1/exchange-rules") => "rul_aaaaaaaaaaaaaaaaaaaaaaaaaa",
            _ => &self.role,
        };
        path.replace("{id}", id)
            .replace("{permission_id}", &self.permission)
            .replace("{user_id}", &self.user)
            .replace("{secret_id}", &self.secret)
            .replace("{role_id}", &self.role)
            .replace("{org}", &self.shop.organization)
            .replace("{key}", &self.key.id)
            .replace("{purpose}", "tag")
            .replace("{generation}", "0")
            .replace("{kid}", "nonsense")
            .replace("{name}", "builtin")
    }

    /// What must be in no answer.
    fn traces(&self) -> [&str; 11] {
        [
            &self.application,
            &self.secret,
            &self.shop.organization,
            &self.key.id,
            &self.user,
            &self.role,
            &self.permission,
            &self.shop.payment,
            "Acme",
            "the till",
            PAYMENT,
        ]
    }
}

async fn neighbours() -> (Home, Manager) {
    let (shop, user, role) = shop_with_member(&["write:payment"]).await;
    let app = &shop.app;
    let named = json!({"name": "the till", "owner": user});
    let key = shop.issue(named).await;
    let list = app
        .get(&format!("/v1/resources/{}/permissions", shop.payment))
        .operator();
    let list = list.send().await.expect(200);
    let permission = list["items"][0]["id"].as_str().unwrap().to_owned();
    let body = json!({"name": "the scales", "organization_id": shop.organization});
    let made = app.post("/v1/applications").operator().json(body);
    let made = made.send().await.expect(201);
    let (application, secret) = (made.text("id"), made.text("client_secret_id"));
    // Next door may use the cart alone, and the management API.
    let own = app
        .get("/v1/resources?limit=200")
        .operator()
        .send()
        .await
        .expect(200);
    let own = own["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["identifier"] == MANAGEMENT);
    let own = format!("/v1/resources/{}", own.unwrap()["id"].as_str().unwrap());
    let own = app.get(&own).operator().send().await.expect(200);
    let scopes: Vec<&Value> = own["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["name"])
        .collect();
    let permissions = json!([{"resource": MANAGEMENT, "scopes": scopes}, {"resource": CART, "scopes": ["read:cart"]}]);
    let body = json!({"name": "Next door", "permissions": permissions});
    let next_door = app
        .post("/v1/organizations")
        .operator()
        .json(body)
        .send()
        .await;
    let next_door = next_door.expect(201).text("id");
    let further =
        json!({"name": "manager", "permissions": permissions, "default_resource": MANAGEMENT});
    let manager = app.issue(&next_door, further).await;
    let token = management_token(&shop, &manager).await;
    let home = Home {
        shop,
        key,
        user,
        role,
        permission,
        application,
        secret,
    };
    (
        home,
        Manager {
            key: manager,
            token,
        },
    )
}

#[test]
fn the_list_has_every_managing_path_and_no_other() {
    let managing = |access| matches!(access, Access::Management(_) | Access::AnyCaller);
    let served: BTreeSet<String> = routes()
        .iter()
        .filter(|row| managing(row.access))
        .map(|row| format!("{} {}", row.method, row.path))
        .collect();
    let listed: BTreeSet<String> = PATHS
        .iter()
        .filter(|(_, path, _)| !path.contains('?'))
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    assert_eq!(listed, served, "say above what a stranger meets there");
}

#[tokio::test]
async fn a_stranger_meets_nothing_of_another_organization() {
    let (home, stranger) = neighbours().await;
    let app = &home.shop.app;
    let before = app
        .get(&home.key.path(""))
        .operator()
        .send()
        .await
        .expect(200);
    for (method, pattern, met) in PATHS {
        let path = home.path(pattern);
        let request = app.request(method, &path).by(&stranger);
        let request = match method {
            "GET" | "DELETE" => request,
            _ => request.json(body(pattern, &home)),
        };
        let answer = request.send().await;
        let all = answer.transcript();
        let expected: &[u16] = match met {
            NotThere => &[404],
            Forbidden => &[403],
            Unknown => &[422],
            OwnThings => &[200],
        };
        assert!(expected.contains(&answer.status), "{all}");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        for trace in home.traces() {
            assert!(!text.contains(trace), "{trace} is told\n{all}");
        }
    }
    let after = app
        .get(&home.key.path(""))
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(before.json(), after.json());
    app.trade(&home.key.key).await.expect(200);
}

#[tokio::test]
async fn who_may_use_everything_sees_all_resources_and_roles_and_no_more() {
    let (home, stranger) = neighbours().await;
    let app = &home.shop.app;
    let id = stranger.key.object["organization_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/organizations/{id}/permissions");
    let body = json!({"permissions": null});
    app.put(&path)
        .operator()
        .json(body)
        .send()
        .await
        .expect(200);
    for path in ["/v1/resources/{id}", "/v1/roles/{id}"] {
        app.get(&home.path(path))
            .by(&stranger)
            .send()
            .await
            .expect(200);
    }
    for path in ["/v1/users/{id}", "/v1/keys/{id}", "/v1/organizations/{id}"] {
        let answer = app.get(&home.path(path)).by(&stranger).send().await;
        answer.problem("not_found");
    }
    // A person is seen once he is a member.
    put_member(app, (&id, &home.user), "member", &[])
        .await
        .expect(201);
    app.get(&home.path("/v1/users/{id}"))
        .by(&stranger)
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn a_key_gives_members_only_roles_that_it_holds_and_never_admin() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let payment = json!([{"resource": PAYMENT, "scopes": ["read:payment"]}]);
    let scopes = ["organizations:write", "organizations:read"];
    let manager = crate::management::manager_with(&shop, &scopes, payment, json!({})).await;
    let ann = user(app, "ann").await;
    let (clerk, cashier) = (
        role(app, "clerk", &["read:payment"]).await,
        role(app, "cashier", &["write:payment"]).await,
    );
    let path = format!("/v1/organizations/{}/members/{ann}", shop.organization);
    let put = async |role: &str, roles: &[&str]| {
        let body = json!({"role": role, "roles": roles});
        app.put(&path).by(&manager).json(body).send().await
    };
    put("admin", &[]).await.problem("would_widen");
    put("member", &[&cashier]).await.problem("would_widen");
    put("member", &[&clerk]).await.expect(201);
    put("member", &[&clerk, &cashier])
        .await
        .problem("would_widen");
    // What somebody else gave it may leave and take.
    put_member(app, (&shop.organization, &ann), "admin", &[&cashier])
        .await
        .expect(200);
    put("admin", &[&cashier]).await.expect(200);
    put("member", &[&cashier]).await.expect(200);
    put("member", &[]).await.expect(200);
    put("member", &[&cashier]).await.problem("would_widen");
    set_ceiling(&shop, json!([{"resource": MANAGEMENT, "scopes": scopes}]))
        .await
        .expect(200);
    put("member", &[&clerk]).await.problem("would_widen");
    app.delete(&path).by(&manager).send().await.expect(204);
}
