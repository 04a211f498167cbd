//! `POST /v1/keys`

use serde_json::{Value, json};

use crate::support::test_app::{CART, PAYMENT, START, Shop, TestApp};

/// How many keys are on record, half made ones too.
pub(crate) async fn keys_on_record(app: &TestApp) -> i64 {
    app.count("SELECT count(*) AS number FROM api_keys").await
}

#[tokio::test]
async fn a_key_is_shown_with_its_secret_once() {
    let shop = Shop::new().await;
    let request = shop
        .app
        .post("/v1/keys")
        .operator()
        .json(shop.wanted(json!({})));
    let answer = request.send().await.expect(201);
    let id = answer.text("id");
    assert_eq!(
        answer.header("location"),
        Some(format!("/v1/keys/{id}").as_str())
    );
    assert_eq!(
        answer.redacted(),
        json!({
            "id": "key_…",
            "name": "checkout",
            "organization_id": "org_…",
            "owner": null,
            "permissions": [{"resource": PAYMENT, "scopes": ["write:payment"]}],
            "default_resource": null,
            "status": "active",
            "hint": "kgy_…",
            "created_at": START,
            "expires_at": null,
            "last_used_at": null,
            "rotated_at": null,
            "retiring_until": null,
            "revoked_at": null,
            "metadata": {},
            "allowed_cidrs": null,
            "rate_limit": null,
            "self_rotate": false,
            "may_act": null,
            "identity": {"provider": "builtin", "subject": "k_…"},
            "key": "kgy_1…",
        })
    );
    let key = answer.text("key");
    assert_eq!(key.len(), 107);
    assert_eq!(answer.text("hint"), format!("kgy_…{}", &key[28..32]));
    let shown = shop
        .app
        .get(&format!("/v1/keys/{id}"))
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(shown["key"], Value::Null);
    assert_eq!(shown.header("etag"), answer.header("etag"));
    let mut expected = answer.json().clone();
    expected.as_object_mut().unwrap().remove("key");
    assert_eq!(*shown.json(), expected);
}

#[tokio::test]
async fn everything_that_is_asked_for_is_kept() {
    let shop = Shop::new().await;
    let further = json!({
        "name": "a name, with \u{1f511} and \"quotes\"",
        "permissions": [
            {"resource": PAYMENT, "scopes": ["write:payment", "read:payment", "write:payment"]},
            {"resource": CART, "scopes": ["read:cart"]},
        ],
        "default_resource": CART,
        "expires_at": "2027-01-01T01:00:00+01:00",
        "metadata": {"cost_center": "4711"},
        "allowed_cidrs": ["127.0.0.0/8", "2001:db8::/32"],
        "rate_limit": {"requests": 10, "per_seconds": 60},
        "identity_provider": "builtin",
    });
    let key = shop.issue(further).await;
    let object = &key.object;
    assert_eq!(object["name"], "a name, with \u{1f511} and \"quotes\"");
    assert_eq!(
        object["permissions"],
        json!([
            {"resource": CART, "scopes": ["read:cart"]},
            {"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]},
        ])
    );
    assert_eq!(object["default_resource"], CART);
    assert_eq!(object["expires_at"], "2027-01-01T00:00:00Z");
    assert_eq!(object["metadata"], json!({"cost_center": "4711"}));
    assert_eq!(
        object["allowed_cidrs"],
        json!(["127.0.0.0/8", "2001:db8::/32"])
    );
    assert_eq!(
        object["rate_limit"],
        json!({"requests": 10, "per_seconds": 60})
    );
    assert_eq!(object["identity"]["provider"], "builtin");
}

#[tokio::test]
async fn null_is_as_good_as_absent_where_there_is_a_default() {
    let shop = Shop::new().await;
    let mut body = shop.wanted(json!({}));
    for name in [
        "default_resource",
        "expires_at",
        "metadata",
        "allowed_cidrs",
        "rate_limit",
        "identity_provider",
    ] {
        body[name] = Value::Null;
    }
    shop.app
        .post("/v1/keys")
        .operator()
        .json(body)
        .send()
        .await
        .expect(201);
}

#[tokio::test]
async fn a_key_never_ends_unless_somebody_asked_for_it() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    assert_eq!(key.object["expires_at"], Value::Null);
    shop.app.trade(&key.key).await.expect(200);
    shop.app.pass(60 * 60 * 24 * 365 * 20);
    shop.app.trade(&key.key).await.expect(200);
}

#[tokio::test]
async fn every_wrong_value_is_told_with_its_field_and_nothing_is_made() {
    let shop = Shop::new().await;
    let before = keys_on_record(&shop.app).await;
    let past = shop.app.time_in(0);
    let permission = |resource: &str, scope: &str| json!({"permissions": [{"resource": resource, "scopes": [scope]}]});
    let many: serde_json::Map<String, Value> =
        (0..17).map(|n| (format!("m{n}"), json!("x"))).collect();
    let networks: Vec<String> = (0..65).map(|n| format!("192.0.2.{n}/32")).collect();
    for (change, code, field) in [
        (json!({"name": null}), "invalid_parameter", "name"),
        (json!({"name": ""}), "invalid_parameter", "name"),
        (json!({"name": 7}), "invalid_parameter", "name"),
        (
            json!({"name": "x".repeat(121)}),
            "invalid_parameter",
            "name",
        ),
        (json!({"name": "a\nb"}), "invalid_parameter", "name"),
        (
            json!({"organization_id": null}),
            "invalid_parameter",
            "organization_id",
        ),
        (
            json!({"organization_id": "acme"}),
            "invalid_parameter",
            "organization_id",
        ),
        (
            json!({"organization_id": shop.payment}),
            "invalid_parameter",
            "organization_id",
        ),
        (
            json!({"organization_id": "org_aaaaaaaaaaaaaaaaaaaaaaaaaa"}),
            "invalid_parameter",
            "organization_id",
        ),
        (
            json!({"permissions": null}),
            "invalid_parameter",
            "permissions",
        ),
        (
            json!({"permissions": "write:payment"}),
            "invalid_parameter",
            "permissions",
        ),
        (
            json!({"permissions": {}}),
            "invalid_parameter",
            "permissions",
        ),
        (
            json!({"permissions": [{}]}),
            "invalid_parameter",
            "permissions[0].resource",
        ),
        (
            json!({"permissions": [{"resource": PAYMENT}]}),
            "invalid_parameter",
            "permissions[0].scopes",
        ),
        (
            json!({"permissions": [{"resource": PAYMENT, "scopes": []}]}),
            "invalid_parameter",
            "permissions[0].scopes",
        ),
        (
            json!({"permissions": [{"resource": PAYMENT, "scopes": "x"}]}),
            "invalid_parameter",
            "permissions[0].scopes",
        ),
        (
            json!({"permissions": [{"resource": PAYMENT, "scopes": ["a"], "x": 1}]}),
            "unknown_field",
            "permissions[0].x",
        ),
        (
            permission(PAYMENT, "delete:payment"),
            "invalid_parameter",
            "permissions[0].scopes[0]",
        ),
        (
            permission(PAYMENT, "two words"),
            "invalid_parameter",
            "permissions[0].scopes[0]",
        ),
        (
            permission(PAYMENT, ""),
            "invalid_parameter",
            "permissions[0].scopes[0]",
        ),
        (
            permission(CART, "write:payment"),
            "invalid_parameter",
            "permissions[0].scopes[0]",
        ),
        (
            permission("https://unknown.example.com", "x"),
            "invalid_parameter",
            "permissions[0].resource",
        ),
        (
            permission("not a uri", "x"),
            "invalid_parameter",
            "permissions[0].resource",
        ),
        (
            json!({"default_resource": CART}),
            "invalid_parameter",
            "default_resource",
        ),
        (
            json!({"default_resource": "nonsense"}),
            "invalid_parameter",
            "default_resource",
        ),
        (
            json!({"expires_at": past}),
            "invalid_parameter",
            "expires_at",
        ),
        (
            json!({"expires_at": "2020-01-01T00:00:00Z"}),
            "invalid_parameter",
            "expires_at",
        ),
        (
            json!({"expires_at": "tomorrow"}),
            "invalid_parameter",
            "expires_at",
        ),
        (
            json!({"expires_at": "2027-01-01"}),
            "invalid_parameter",
            "expires_at",
        ),
        (
            json!({"expires_at": "2027-01-01T00:00:00"}),
            "invalid_parameter",
            "expires_at",
        ),
        (
            json!({"expires_at": 1_900_000_000}),
            "invalid_parameter",
            "expires_at",
        ),
        (
            json!({"metadata": {"UPPER": "x"}}),
            "invalid_parameter",
            "metadata",
        ),
        (
            json!({"metadata": {"": "x"}}),
            "invalid_parameter",
            "metadata",
        ),
        (
            json!({"metadata": {"a".repeat(41): "x"}}),
            "invalid_parameter",
            "metadata",
        ),
        (
            json!({"metadata": {"a": 7}}),
            "invalid_parameter",
            "metadata.a",
        ),
        (
            json!({"metadata": {"a": "x".repeat(257)}}),
            "invalid_parameter",
            "metadata",
        ),
        (json!({"metadata": many}), "invalid_parameter", "metadata"),
        (json!({"metadata": []}), "invalid_parameter", "metadata"),
        (
            json!({"allowed_cidrs": []}),
            "invalid_parameter",
            "allowed_cidrs",
        ),
        (
            json!({"allowed_cidrs": ["192.0.2.0"]}),
            "invalid_parameter",
            "allowed_cidrs",
        ),
        (
            json!({"allowed_cidrs": ["192.0.2.1/24"]}),
            "invalid_parameter",
            "allowed_cidrs",
        ),
        (
            json!({"allowed_cidrs": ["192.0.2.0/33"]}),
            "invalid_parameter",
            "allowed_cidrs",
        ),
        (
            json!({"allowed_cidrs": [7]}),
            "invalid_parameter",
            "allowed_cidrs[0]",
        ),
        (
            json!({"allowed_cidrs": networks}),
            "invalid_parameter",
            "allowed_cidrs",
        ),
        (
            json!({"allowed_cidrs": "192.0.2.0/24"}),
            "invalid_parameter",
            "allowed_cidrs",
        ),
        (
            json!({"rate_limit": {"requests": 0, "per_seconds": 60}}),
            "invalid_parameter",
            "rate_limit",
        ),
        (
            json!({"rate_limit": {"requests": 1, "per_seconds": 0}}),
            "invalid_parameter",
            "rate_limit",
        ),
        (
            json!({"rate_limit": {"requests": 1, "per_seconds": 86_401}}),
            "invalid_parameter",
            "rate_limit",
        ),
        (
            json!({"rate_limit": {"requests": -1, "per_seconds": 1}}),
            "invalid_parameter",
            "rate_limit.requests",
        ),
        (
            json!({"rate_limit": {"requests": 1}}),
            "invalid_parameter",
            "rate_limit.per_seconds",
        ),
        (
            json!({"rate_limit": {"requests": 1, "per_seconds": 1, "burst": 1}}),
            "unknown_field",
            "rate_limit.burst",
        ),
        (json!({"rate_limit": 5}), "invalid_parameter", "rate_limit"),
        (
            json!({"rate_limit": [1, 60]}),
            "invalid_parameter",
            "rate_limit",
        ),
        (
            json!({"permissions": [[PAYMENT, ["write:payment"]]]}),
            "invalid_parameter",
            "permissions[0]",
        ),
        (
            json!({"identity_provider": "nowhere"}),
            "invalid_parameter",
            "identity_provider",
        ),
        (
            json!({"identity_provider": "NOT A NAME"}),
            "invalid_parameter",
            "identity_provider",
        ),
        (
            json!({"self_rotate": 1}),
            "invalid_parameter",
            "self_rotate",
        ),
        (json!({"key": "kgy_mine"}), "unknown_field", "key"),
        (
            json!({"id": "key_aaaaaaaaaaaaaaaaaaaaaaaaaa"}),
            "unknown_field",
            "id",
        ),
        (json!({"status": "active"}), "unknown_field", "status"),
        (json!({"nmae": "x"}), "unknown_field", "nmae"),
    ] {
        let request = shop
            .app
            .post("/v1/keys")
            .operator()
            .json(shop.wanted(change.clone()));
        let answer = request.send().await;
        assert_eq!(answer["code"], code, "{change}\n{}", answer.transcript());
        answer.problem(code).names(field);
    }
    assert_eq!(keys_on_record(&shop.app).await, before);
}

#[tokio::test]
async fn more_permissions_than_anybody_needs_are_refused() {
    let shop = Shop::new().await;
    let at = json!({"resource": PAYMENT, "scopes": vec!["write:payment"; 10]});
    let body = shop.wanted(json!({"permissions": vec![at; 51]}));
    let answer = shop.app.post("/v1/keys").operator().json(body).send().await;
    answer.problem("invalid_parameter").names("permissions");
}

#[tokio::test]
async fn every_issued_key_is_another() {
    let shop = Shop::new().await;
    let (one, other) = (shop.key().await, shop.key().await);
    assert_ne!(one.id, other.id);
    for part in [6..32, 32..75, 75..101] {
        assert_ne!(one.key[part.clone()], other.key[part]);
    }
}

#[tokio::test]
async fn an_issued_key_survives_a_restart_and_a_crash() {
    let shop = Shop::new().await;
    let key = shop.key().await;
    let shop = shop.again(TestApp::restart).await;
    shop.app.trade(&key.key).await.expect(200);
    let other = shop.key().await;
    let shop = shop.again(TestApp::crash).await;
    shop.app.trade(&key.key).await.expect(200);
    shop.app.trade(&other.key).await.expect(200);
}
