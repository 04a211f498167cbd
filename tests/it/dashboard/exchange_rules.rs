//! What operators do with exchange rules.

use super::operator;
use crate::oauth::exchange::{GATEWAY, World};
use crate::support::test_app::CART;

const NEW: &str = "/dashboard/exchange-rules/new";

#[tokio::test]
async fn a_rule_is_made_in_two_steps_changed_and_deleted() {
    let world = World::new().await;
    let app = &world.shop.app;
    let there = format!("/v1/exchange-rules/{}", world.rule);
    app.delete(&there).operator().send().await.expect(204);
    let olga = operator(app, "Olga").await;
    olga.open("/dashboard/exchange-rules")
        .await
        .says("nobody trades anybody’s token");
    let first = olga.open(NEW).await;
    first.says(GATEWAY).says(CART);
    let resource = async |identifier: &str| {
        let all = app.get("/v1/resources").operator().send().await.expect(200);
        let all = all["items"].as_array().unwrap().clone();
        let found = all.into_iter().find(|one| one["identifier"] == identifier);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let (from, to) = (resource(GATEWAY).await, resource(CART).await);
    let second = format!(
        "{NEW}?application_id={}&subject_resource={from}&target_resource={to}",
        world.gateway.id
    );
    let asked = olga.open(&second).await;
    asked
        .says("What the new token may permit")
        .says("read:cart");
    // Nothing ticked is told beside what must be.
    olga.try_submit(&asked, NEW, &[]).await.expect(422);
    let page = olga.submit(&asked, NEW, &[("scopes", "read:cart")]).await;
    page.says("The exchange rule is there.");
    let here = page.path.clone();
    let id = super::last(&here);
    let rule = async || {
        let path = format!("/v1/exchange-rules/{id}");
        app.get(&path).operator().send().await
    };
    let made = rule().await.expect(200);
    assert_eq!(
        (
            &made["scopes"],
            &made["delegation"],
            &made["impersonation"],
            &made["subject_must_hold"]
        ),
        (
            &serde_json::json!(["read:cart"]),
            &true.into(),
            &false.into(),
            &true.into()
        )
    );
    // Twice is once too often.
    olga.try_submit(&asked, NEW, &[("scopes", "read:cart")])
        .await
        .expect(422)
        .says("has a rule between these two resources already");
    let page = olga.open(&here).await;
    let changed = [("requires_scope", "call:cart"), ("impersonation", "1")];
    olga.submit(&page, &here, &changed).await.says("Saved.");
    let now = rule().await.expect(200);
    assert_eq!(now["impersonation"], true);
    assert_eq!(now["requires_scope"], serde_json::json!(["call:cart"]));
    // From an old page nothing is overwritten.
    olga.try_submit(&page, &here, &[]).await.expect(422);
    // The list, and that of one application.
    let listed = olga.open("/dashboard/exchange-rules").await;
    listed.says(GATEWAY).says("read:cart");
    let mine = format!("/dashboard/exchange-rules?application={}", world.gateway.id);
    olga.open(&mine).await.says(GATEWAY);
    olga.open("/dashboard/exchange-rules?application=nobody")
        .await
        .says("Nothing fits these filters.");
    let delete = format!("{here}/delete");
    let asked = olga.open(&delete).await;
    asked.says("trades no such token from now on");
    olga.submit(&asked, &delete, &[])
        .await
        .says("The exchange rule is deleted.");
    rule().await.expect(404);
}
