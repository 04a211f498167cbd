//! A rule is listed, changed and removed.

use serde_json::{Value, json};

use crate::applications::make;
use crate::oauth::exchange::{GATEWAY, World, gateway_rule, rule};
use crate::support::test_app::{CART, PAYMENT};

#[tokio::test]
async fn rules_are_listed_newest_first_of_all_or_of_one_application() {
    let world = World::new().await;
    let app = &world.shop.app;
    let other = make(app, json!({"name": "other"})).await;
    let mut made = vec![world.rule.clone()];
    for (gateway, target, scope) in [
        (&world.gateway, CART, "read:cart"),
        (&other, PAYMENT, "read:payment"),
    ] {
        app.pass(1);
        made.push(
            rule(
                app,
                gateway_rule(
                    gateway,
                    json!({"target_resource": target, "scopes": [scope]}),
                ),
            )
            .await,
        );
    }
    made.reverse();
    let ids = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let list = async |query: &str| {
        let path = format!("/v1/exchange-rules{query}");
        app.get(&path)
            .operator()
            .send()
            .await
            .expect(200)
            .json()
            .clone()
    };
    assert_eq!(ids(&list("").await), made);
    let of_one = format!("?application_id={}", world.gateway.id);
    assert_eq!(ids(&list(&of_one).await), made[1..]);
    let first = list("?limit=2").await;
    assert_eq!(ids(&first), made[..2]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = list(&format!("?limit=2&cursor={cursor}")).await;
    assert_eq!(
        (ids(&second), &second["next_cursor"]),
        (made[2..].to_vec(), &Value::Null)
    );
    for wrong in ["?limit=0", "?cursor=x", "?application_id=x", "?x=1"] {
        let path = format!("/v1/exchange-rules{wrong}");
        assert_eq!(
            app.get(&path).operator().send().await.status,
            422,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn only_what_is_sent_changes_and_only_in_the_version_that_was_read() {
    let world = World::new().await;
    let app = &world.shop.app;
    let path = format!("/v1/exchange-rules/{}", world.rule);
    let before = app.get(&path).operator().send().await.expect(200);
    app.pass(1);
    let change = |body: Value| app.patch(&path).operator().json(body);
    let after = change(json!({"impersonation": true}))
        .send()
        .await
        .expect(200);
    for same in [
        "id",
        "application_id",
        "subject_resource",
        "requires_scope",
        "scopes",
        "delegation",
        "created_at",
    ] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(after["impersonation"], true);
    assert_ne!(after["updated_at"], before["updated_at"]);
    let tag = before.header("etag").unwrap();
    let stale = change(json!({"delegation": false}))
        .if_match(tag)
        .send()
        .await;
    stale.problem("precondition_failed");
    let tag = after.header("etag").unwrap();
    change(json!({"delegation": false}))
        .if_match(tag)
        .send()
        .await
        .expect(200);
    // Neither of them would be a rule for nothing.
    change(json!({"impersonation": false}))
        .send()
        .await
        .problem("invalid_parameter")
        .names("delegation");
    for (field, value) in [
        ("scopes", json!([])),
        ("scopes", json!(["read:cart"])),
        ("requires_scope", json!(["read:payment"])),
        ("impersonation", json!("x")),
    ] {
        change(json!({field: value})).send().await.names(field);
    }
    for fixed in [
        "application_id",
        "subject_resource",
        "target_resource",
        "id",
    ] {
        let body = json!({fixed: before[fixed]});
        change(body)
            .send()
            .await
            .problem("unknown_field")
            .names(fixed);
    }
    change(json!({})).send().await.expect(200);
}

#[tokio::test]
async fn a_removed_rule_is_gone() {
    let world = World::new().await;
    let app = &world.shop.app;
    let path = format!("/v1/exchange-rules/{}", world.rule);
    let delete = || app.delete(&path).operator();
    delete()
        .if_match("\"v9\"")
        .send()
        .await
        .problem("precondition_failed");
    delete().send().await.expect(204);
    delete().send().await.problem("not_found");
    app.get(&path).operator().send().await.problem("not_found");
    let events = app
        .get("/v1/audit-events?action=exchange_rule.deleted")
        .operator()
        .send()
        .await;
    assert_eq!(
        events.expect(200)["items"][0]["subject"],
        world.rule.as_str()
    );
    // Made again, it is another one.
    let again = rule(app, gateway_rule(&world.gateway, json!({}))).await;
    assert_ne!(again, world.rule);
    let shown = app
        .get(&format!("/v1/exchange-rules/{again}"))
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(shown["subject_resource"], GATEWAY);
}
