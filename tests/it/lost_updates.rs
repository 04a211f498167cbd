//! Two admins never undo each other's change: `ETag` and `If-Match` at every change of the management API.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::collections::BTreeSet;

use actix_web::http::Method;
use futures_util::future::join_all;
use kagiya::http::access::Access;
use kagiya::server::routes;
use serde_json::{Value, json};

use crate::applications::{Application, machine_role, make};
use crate::oauth::exchange::rule;
use crate::support::test_app::{CART, Issued, PAYMENT, Shop, TestApp};
use crate::support::transcript::{Answer, Request};
use crate::tenancy::{put_member, role, user};

/// A change of an item: method, path, the item that it changes, and two bodies that say different things.
struct Change {
    method: &'static str,
    path: &'static str,
    item: &'static str,
    bodies: Option<[fn() -> Value; 2]>,
}

const fn change(
    method: &'static str,
    path: &'static str,
    item: &'static str,
    one: fn() -> Value,
    other: fn() -> Value,
) -> Change {
    Change {
        method,
        path,
        item,
        bodies: Some([one, other]),
    }
}

const fn removal(path: &'static str) -> Change {
    Change {
        method: "DELETE",
        path,
        item: path,
        bodies: None,
    }
}

fn at(resource: &str, scope: &str) -> Value {
    json!({"permissions": [{"resource": resource, "scopes": [scope]}]})
}

const KEY: &str = "/v1/keys/{id}";
const ORGANIZATION: &str = "/v1/organizations/{id}";
const MEMBER: &str = "/v1/organizations/{id}/members/{user_id}";
const USER: &str = "/v1/users/{id}";
const ROLE: &str = "/v1/roles/{id}";
const RESOURCE: &str = "/v1/resources/{id}";
const PERMISSION: &str = "/v1/resources/{id}/permissions/{permission_id}";

const APPLICATION: &str = "/v1/applications/{id}";
const SECRET: &str = "/v1/applications/{id}/secrets/{secret_id}";
const RULE: &str = "/v1/exchange-rules/{id}";

/// Every change that is bound to a version: whoever adds a route adds a line.
const CHANGES: [Change; 24] = [
    change(
        "PATCH",
        KEY,
        KEY,
        || json!({"disabled": true}),
        || json!({"name": "other", "disabled": false}),
    ),
    change(
        "PUT",
        "/v1/keys/{id}/permissions",
        KEY,
        || json!({"permissions": []}),
        || at(PAYMENT, "write:payment"),
    ),
    change(
        "POST",
        "/v1/keys/{id}/rotate",
        KEY,
        || json!({}),
        || json!({"grace_seconds": 60}),
    ),
    removal(KEY),
    change(
        "PATCH",
        ORGANIZATION,
        ORGANIZATION,
        || json!({"disabled": true}),
        || json!({"name": "other", "disabled": false}),
    ),
    change(
        "PUT",
        "/v1/organizations/{id}/permissions",
        ORGANIZATION,
        || at(PAYMENT, "read:payment"),
        || json!({"permissions": null}),
    ),
    removal(ORGANIZATION),
    change(
        "PUT",
        MEMBER,
        MEMBER,
        || json!({"role": "member"}),
        || json!({"role": "admin"}),
    ),
    removal(MEMBER),
    change(
        "PATCH",
        USER,
        USER,
        || json!({"name": "one"}),
        || json!({"name": "other"}),
    ),
    removal(USER),
    change(
        "PATCH",
        ROLE,
        ROLE,
        || json!({"permissions": []}),
        || at(CART, "read:cart"),
    ),
    removal(ROLE),
    change(
        "PATCH",
        RESOURCE,
        RESOURCE,
        || json!({"token_lifetime": 30}),
        || json!({"token_lifetime": 3600}),
    ),
    removal(RESOURCE),
    removal(PERMISSION),
    change(
        "PATCH",
        KEY,
        KEY,
        || json!({"allowed_cidrs": ["192.0.2.0/24"], "self_rotate": false}),
        || json!({"allowed_cidrs": null, "self_rotate": true}),
    ),
    change(
        "PATCH",
        APPLICATION,
        APPLICATION,
        || json!({"disabled": true}),
        || json!({"name": "other", "disabled": false}),
    ),
    change(
        "PUT",
        "/v1/applications/{id}/roles",
        APPLICATION,
        || json!({"roles": []}),
        || json!({"roles": ["{role_id}"]}),
    ),
    removal(APPLICATION),
    Change {
        method: "DELETE",
        path: "/v1/applications/{id}/roles/{role_id}",
        item: APPLICATION,
        bodies: None,
    },
    removal(SECRET),
    change(
        "PATCH",
        RULE,
        RULE,
        || json!({"requires_scope": ["read:cart"]}),
        || json!({"requires_scope": [], "impersonation": true}),
    ),
    removal(RULE),
];

/// Something of each kind, that nothing else needs.
struct Things {
    shop: Shop,
    key: Issued,
    organization: String,
    user: String,
    member: String,
    role: String,
    resource: String,
    permission: String,
    application: Application,
    secret: String,
    machine_role: String,
    rule: String,
}

impl Things {
    async fn new() -> Self {
        let app = TestApp::setup().workers(3).start().await;
        let shop = Shop::on(app).await;
        let app = &shop.app;
        let key = shop.key().await;
        let organization = app.organization("Empty").await;
        let (user, member) = (user(app, "nobody").await, user(app, "member").await);
        put_member(app, (&organization, &member), "admin", &[])
            .await
            .expect(201);
        let role = role(app, "clerk", &["write:payment"]).await;
        let resource = app.resource("https://other.example", &["read"]).await;
        let list = format!("/v1/resources/{resource}/permissions");
        let list = app.get(&list).operator().send().await.expect(200);
        let permission = list["items"][0]["id"].as_str().unwrap().to_owned();
        let reads = json!([{"resource": CART, "scopes": ["read:cart"]}]);
        let machine_role = machine_role(app, "reader", reads).await;
        let application = make(app, json!({"roles": [machine_role]})).await;
        let list = app.get(&application.path("/secrets")).operator();
        let list = list.send().await.expect(200);
        let secret = list["items"][0]["id"].as_str().unwrap().to_owned();
        let gateway = make(app, json!({"name": "gateway"})).await;
        let rule = rule(
            app,
            json!({
                "application_id": gateway.id, "subject_resource": CART, "target_resource": PAYMENT,
                "scopes": ["write:payment"],
            }),
        )
        .await;
        Self {
            key,
            organization,
            user,
            member,
            role,
            resource,
            permission,
            application,
            secret,
            machine_role,
            rule,
            shop,
        }
    }

    fn path(&self, pattern: &str) -> String {
        let id = match pattern {
            path if path.starts_with("/v1/keys") => &self.key.id,
            path if path.starts_with("/v1/organizations") => &self.organization,
            path if path.starts_with("/v1/users") => &self.user,
            path if path.starts_with("/v1/roles") => &self.role,
            path if path.starts_with("/v1/applications") => &self.application.id,
            path if path.starts_with("/v1/exchange-rules") => &self.rule,
            _ => &self.resource,
        };
        pattern
            .replace("{id}", id)
            .replace("{user_id}", &self.member)
            .replace("{permission_id}", &self.permission)
            .replace("{secret_id}", &self.secret)
            .replace("{role_id}", &self.machine_role)
    }

    /// The item, and its version.
    async fn item(&self, change: &Change) -> (Value, String) {
        let path = self.path(change.item);
        let shown = self.shop.app.get(&path).operator().send().await.expect(200);
        let tag = shown.header("etag").expect("items carry their version");
        (shown.json().clone(), tag.to_owned())
    }

    fn request(&self, change: &Change, body: usize) -> Request<'_> {
        let path = self.path(change.path);
        let request = self.shop.app.request(change.method, &path).operator();
        match &change.bodies {
            Some(bodies) => {
                let body = bodies[body]().to_string();
                let body = body.replace("{role_id}", &self.machine_role);
                request.json(serde_json::from_str::<Value>(&body).unwrap())
            }
            None => request,
        }
    }

    async fn make(&self, change: &Change, body: usize, tag: &str) -> Answer {
        self.request(change, body).if_match(tag).send().await
    }
}

#[test]
fn the_list_has_every_change_of_the_management_api() {
    let bound = [Method::PUT, Method::PATCH, Method::DELETE];
    let mut served: BTreeSet<String> = routes()
        .iter()
        .filter(|row| matches!(row.access, Access::Management(_)) && bound.contains(&row.method))
        .map(|row| format!("{} {}", row.method, row.path))
        .collect();
    served.insert("POST /v1/keys/{id}/rotate".to_owned());
    // One word that says how it is to be, whatever it was: who comes last has the last word, and undoes nothing else.
    served.remove("PUT /v1/users/{id}/operator");
    let listed: BTreeSet<String> = CHANGES
        .iter()
        .map(|change| format!("{} {}", change.method, change.path))
        .collect();
    assert_eq!(listed, served, "say above how two admins meet there");
}

#[tokio::test]
async fn a_change_that_is_bound_to_an_older_version_changes_nothing() {
    for change in &CHANGES {
        let things = Things::new().await;
        let (before, tag) = things.item(change).await;
        for stale in ["\"v0\"", "\"v999\"", "\"nonsense\"", &format!("W/{tag}")] {
            let answer = things.make(change, 0, stale).await;
            answer.problem("precondition_failed");
        }
        let answer = things.make(change, 0, "nonsense").await;
        answer.problem("invalid_request");
        let (after, same) = things.item(change).await;
        assert_eq!((&before, &tag), (&after, &same));
        let answer = things.make(change, 0, &tag).await;
        assert!(answer.status < 300, "{}", answer.transcript());
        if change.bodies.is_none() {
            let answer = things.make(change, 0, &tag).await;
            // A revoked key stays, with another version.
            let right = [204, 404, 412].contains(&answer.status);
            assert!(right, "{}", answer.transcript());
            continue;
        }
        let (narrowed, new) = things.item(change).await;
        assert_ne!(tag, new);
        assert_eq!(answer.header("etag"), Some(new.as_str()));
        // The other admin, who saw what was there before.
        let late = things.make(change, 1, &tag).await;
        late.problem("precondition_failed");
        assert_eq!(things.item(change).await, (narrowed, new.clone()));
        let answer = things.make(change, 1, &format!("\"v0\", {new}")).await;
        assert!(answer.status < 300, "{}", answer.transcript());
    }
}

/// The number of a version.
fn number(tag: &str) -> i64 {
    let digits = tag.trim_matches(['"', 'v']);
    digits.parse().unwrap()
}

#[tokio::test]
async fn of_changes_at_once_that_are_bound_to_one_version_one_is_made() {
    for change in CHANGES.iter().filter(|change| change.bodies.is_some()) {
        let things = Things::new().await;
        for _ in 0..5 {
            let (_, tag) = things.item(change).await;
            let answers = join_all((0..4).map(|body| things.make(change, body % 2, &tag))).await;
            let (made, refused): (Vec<_>, Vec<_>) =
                answers.into_iter().partition(|answer| answer.status < 300);
            for answer in refused {
                answer.problem("precondition_failed");
            }
            let (_, new) = things.item(change).await;
            let what = format!("{} {}", change.method, change.path);
            assert_eq!(number(&new), number(&tag) + 1, "{what}: one was made");
            if change.path.ends_with("/roles") {
                // Who says what is there already changes nothing: he is shown what is there, before or after the one who does.
                let shown = |answer: &Answer| answer.header("etag").map(number);
                let shown = made.iter().map(|answer| shown(answer).unwrap());
                assert!(shown.max() == Some(number(&new)), "{what}");
                continue;
            }
            assert_eq!(made.len(), 1, "{what}");
            assert_eq!(made[0].header("etag"), Some(new.as_str()));
        }
    }
}

#[tokio::test]
async fn a_removal_that_is_bound_to_a_version_does_not_follow_a_change_at_the_same_moment() {
    for removal in CHANGES.iter().filter(|change| change.bodies.is_none()) {
        let Some(change) = CHANGES
            .iter()
            .find(|change| change.bodies.is_some() && change.item == removal.item)
        else {
            // These never change.
            assert!([PERMISSION, SECRET].contains(&removal.path));
            continue;
        };
        for _ in 0..10 {
            let things = Things::new().await;
            let (_, tag) = things.item(change).await;
            let (changed, removed) =
                tokio::join!(things.make(change, 0, &tag), things.make(removal, 0, &tag));
            let both = format!("{}\n\n{}", changed.transcript(), removed.transcript());
            match (changed.status, removed.status) {
                (200, 412) => {}
                // A revoked key does not change any more.
                (404 | 409 | 412, 204) => {}
                _ => panic!("{both}"),
            }
        }
    }
}

#[tokio::test]
async fn what_two_admins_change_of_one_thing_at_once_is_both_there() {
    let things = Things::new().await;
    let app = &things.shop.app;
    let patch = async |pattern: &str, body: Value| {
        let path = things.path(pattern);
        app.patch(&path).operator().json(body).send().await
    };
    for round in 0..20 {
        let name = format!("name {round}");
        let (narrowed, renamed, put) = tokio::join!(
            patch(KEY, json!({"disabled": round % 2 == 0})),
            patch(KEY, json!({"name": name})),
            things
                .request(&CHANGES[1], usize::from(round % 2 == 0))
                .send(),
        );
        let (shown, _) = things.item(&CHANGES[0]).await;
        for (answer, is_there) in [
            (
                narrowed,
                (shown["status"] == "disabled") == (round % 2 == 0),
            ),
            (renamed, shown["name"] == name.as_str()),
            (
                put,
                shown["permissions"].as_array().unwrap().is_empty() == (round % 2 != 0),
            ),
        ] {
            match answer.status {
                200 => assert!(is_there, "{shown}\n{}", answer.transcript()),
                _ => drop(answer.problem("key_changed")),
            }
        }
        let (paused, renamed, limited) = tokio::join!(
            patch(ORGANIZATION, json!({"disabled": round % 2 == 0})),
            patch(ORGANIZATION, json!({"name": name})),
            things
                .request(&CHANGES[5], usize::from(round % 2 == 0))
                .send(),
        );
        for answer in [paused, renamed, limited] {
            answer.expect(200);
        }
        let (shown, _) = things.item(&CHANGES[4]).await;
        assert_eq!(shown["disabled"], round % 2 == 0, "{shown}");
        assert_eq!(shown["name"], name.as_str(), "{shown}");
        assert_eq!(shown["permissions"].is_null(), round % 2 == 0, "{shown}");
    }
}
