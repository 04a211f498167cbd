//! A rule is made: by whom, of what, and what is wrong with one that is not.

use serde_json::{Value, json};

use crate::applications::{grant, machine_role, make};
use crate::management::manager_with;
use crate::oauth::exchange::{GATEWAY, World, gateway_rule};
use crate::support::credentials::{Bearer, OperatorWith};
use crate::support::test_app::{CART, MANAGEMENT, PAYMENT, START, Shop};
use crate::support::transcript::Answer;

async fn create(world: &World, further: Value) -> Answer {
    let body = gateway_rule(&world.gateway, further);
    let request = world.shop.app.post("/v1/exchange-rules").operator();
    request.json(body).send().await
}

#[tokio::test]
async fn a_rule_says_what_it_is_and_what_it_is_by_default() {
    let world = World::new().await;
    let app = &world.shop.app;
    let body = json!({
        "application_id": world.gateway.id, "subject_resource": GATEWAY, "target_resource": CART, "scopes": ["read:cart"],
    });
    let made = app
        .post("/v1/exchange-rules")
        .operator()
        .json(body)
        .send()
        .await
        .expect(201);
    let id = made.text("id");
    assert_eq!(
        made.header("location"),
        Some(format!("/v1/exchange-rules/{id}").as_str())
    );
    assert_eq!(
        made.redacted(),
        json!({
            "id": "rul_…", "application_id": "app_…", "subject_resource": GATEWAY, "requires_scope": [],
            "target_resource": CART, "scopes": ["read:cart"], "delegation": true, "impersonation": false,
            "subject_must_hold": true, "created_at": START, "updated_at": START,
        })
    );
    let shown = app
        .get(&format!("/v1/exchange-rules/{id}"))
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(shown.json(), made.json());
    assert_eq!(shown.header("etag"), made.header("etag"));
    let events = format!("/v1/audit-events?action=exchange_rule.created&subject={id}");
    let events = app.get(&events).operator().send().await;
    let event = &events.expect(200)["items"][0];
    assert_eq!(
        (&event["subject"], &event["details"]["scopes"]),
        (&json!(id), &json!(["read:cart"]))
    );
}

#[tokio::test]
async fn resources_go_by_id_as_well() {
    let world = World::new().await;
    let by_id = json!({"target_resource": world.shop.cart, "scopes": ["read:cart"]});
    assert_eq!(
        create(&world, by_id).await.expect(201)["target_resource"],
        CART
    );
}

#[tokio::test]
async fn a_field_that_is_wrong_is_named() {
    let world = World::new().await;
    for (field, value) in [
        ("application_id", json!("app_2qk5c7hnv3xw6yjz4m2tq7rdpa")),
        ("application_id", json!("key_2qk5c7hnv3xw6yjz4m2tq7rdpa")),
        ("application_id", json!(null)),
        ("subject_resource", json!("https://unknown.example.com")),
        ("subject_resource", json!("relative")),
        ("target_resource", json!("res_2qk5c7hnv3xw6yjz4m2tq7rdpa")),
        ("target_resource", json!(7)),
        ("requires_scope", json!(["read:payment"])),
        ("requires_scope", json!("call:payment")),
        ("scopes", json!([])),
        ("scopes", json!(["read:cart"])),
        ("scopes", json!(["a b"])),
        ("scopes", json!(null)),
        ("delegation", json!(false)),
        ("delegation", json!("yes")),
        ("impersonation", json!(1)),
        ("subject_must_hold", json!([])),
    ] {
        let mut body = gateway_rule(&world.gateway, json!({}));
        body[field] = value.clone();
        let request = world.shop.app.post("/v1/exchange-rules").operator();
        let answer = request.json(body).send().await;
        assert_eq!(
            answer.status,
            422,
            "{field} {value}: {}",
            answer.transcript()
        );
        let named = answer["errors"].as_array().unwrap().iter().any(|error| {
            error["field"]
                .as_str()
                .is_some_and(|named| named.starts_with(field))
        });
        assert!(named, "{field} {value}: {}", answer.transcript());
    }
    create(&world, json!({"nothing": 1}))
        .await
        .problem("unknown_field");
}

#[tokio::test]
async fn there_is_one_rule_for_an_application_from_here_to_there() {
    let world = World::new().await;
    create(&world, json!({"scopes": ["read:payment"]}))
        .await
        .problem("exchange_rule_exists");
    create(
        &world,
        json!({"target_resource": CART, "scopes": ["read:cart"]}),
    )
    .await
    .expect(201);
}

#[tokio::test]
async fn an_idempotency_key_makes_one_rule_of_two_requests() {
    let world = World::new().await;
    let body = gateway_rule(
        &world.gateway,
        json!({"target_resource": CART, "scopes": ["read:cart"]}),
    );
    let make = |body: Value| {
        let request = world.shop.app.post("/v1/exchange-rules").operator();
        request.idempotency_key("a-rule").json(body).send()
    };
    let first = make(body.clone()).await.expect(201);
    let second = make(body).await.expect(201);
    assert_eq!(first.json(), second.json());
    let other = gateway_rule(&world.gateway, json!({"scopes": ["read:payment"]}));
    make(other).await.problem("idempotency_key_reused");
}

#[tokio::test]
async fn rules_belong_to_the_deployment_and_need_their_scope() {
    let world = World::new().await;
    let app = &world.shop.app;
    let body = gateway_rule(
        &world.gateway,
        json!({"target_resource": CART, "scopes": ["read:cart"]}),
    );
    let reads = app
        .post("/v1/exchange-rules")
        .by(&OperatorWith("issuers:read"));
    reads
        .json(body.clone())
        .send()
        .await
        .problem("insufficient_scope");
    let all = json!([{"resource": CART, "scopes": ["read:cart"]}]);
    let bound = manager_with(
        &world.shop,
        &["issuers:read", "issuers:write"],
        all,
        json!({}),
    )
    .await;
    let path = format!("/v1/exchange-rules/{}", world.rule);
    app.post("/v1/exchange-rules")
        .by(&bound)
        .json(body)
        .send()
        .await
        .expect(403);
    app.get("/v1/exchange-rules")
        .by(&bound)
        .send()
        .await
        .expect(403);
    app.get(&path).by(&bound).send().await.expect(403);
    app.patch(&path)
        .by(&bound)
        .json(json!({"impersonation": true}))
        .send()
        .await
        .expect(403);
    app.delete(&path).by(&bound).send().await.expect(403);
}

#[tokio::test]
async fn an_application_gives_by_a_rule_only_what_it_holds_and_never_to_itself() {
    let world = World::new().await;
    let app = &world.shop.app;
    let holds = json!([
        {"resource": MANAGEMENT, "scopes": ["issuers:read", "issuers:write"]},
        {"resource": PAYMENT, "scopes": ["read:payment"]},
    ]);
    let role = machine_role(app, "rules", holds).await;
    let manager = make(app, json!({"roles": [role]})).await;
    let granted = grant(app, &manager, &[("resource", MANAGEMENT)]).await;
    let token = granted.expect(200).text("access_token");
    let other = make(app, json!({"name": "other"})).await;
    let create = async |application: &str, scopes: Value| {
        let body = gateway_rule(
            &world.gateway,
            json!({"application_id": application, "scopes": scopes}),
        );
        app.post("/v1/exchange-rules")
            .by(&Bearer(&token))
            .json(body)
            .send()
            .await
    };
    create(&other.id, json!(["write:payment"]))
        .await
        .problem("would_widen");
    create(&manager.id, json!(["read:payment"]))
        .await
        .problem("would_widen");
    let made = create(&other.id, json!(["read:payment"]))
        .await
        .expect(201)
        .text("id");
    let path = format!("/v1/exchange-rules/{made}");
    let change =
        async |path: &str, body: Value| app.patch(path).by(&Bearer(&token)).json(body).send().await;
    change(&path, json!({"scopes": ["read:payment", "write:payment"]}))
        .await
        .problem("would_widen");
    change(&path, json!({"subject_must_hold": false}))
        .await
        .expect(200);
    // The gateway's rule gives more than it holds: it may be tightened, and not loosened.
    let theirs = format!("/v1/exchange-rules/{}", world.rule);
    change(&theirs, json!({"subject_must_hold": false}))
        .await
        .problem("would_widen");
    change(
        &theirs,
        json!({"requires_scope": ["call:payment", "call:cart"]}),
    )
    .await
    .expect(200);
    change(&theirs, json!({"requires_scope": ["call:payment"]}))
        .await
        .problem("would_widen");
}

#[tokio::test]
async fn what_a_rule_names_is_in_use() {
    let world = World::new().await;
    let Shop { app, payment, .. } = &world.shop;
    let gateway = world.gateway.path("");
    let refused = app
        .delete(&gateway)
        .operator()
        .send()
        .await
        .problem("application_in_use");
    assert!(refused.text("detail").contains(&world.rule));
    let payment = format!("/v1/resources/{payment}");
    let refused = app
        .delete(&payment)
        .operator()
        .send()
        .await
        .problem("resource_in_use");
    assert!(
        refused.text("detail").contains(&world.rule),
        "{}",
        refused.transcript()
    );
    let resources = app.get("/v1/resources").operator().send().await.expect(200);
    let resource = resources["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["identifier"] == GATEWAY);
    let source = format!(
        "/v1/resources/{}",
        resource.unwrap()["id"].as_str().unwrap()
    );
    let refused = app
        .delete(&source)
        .operator()
        .send()
        .await
        .problem("resource_in_use");
    assert!(
        refused.text("detail").contains(&world.rule),
        "{}",
        refused.transcript()
    );
    app.delete(&format!("{source}?cascade=true"))
        .operator()
        .send()
        .await
        .expect(204);
    let path = format!("/v1/exchange-rules/{}", world.rule);
    app.get(&path).operator().send().await.problem("not_found");
}
