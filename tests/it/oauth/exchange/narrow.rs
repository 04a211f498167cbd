//! A client narrows a token of its own: no rule is needed, nobody acts, and nothing is written.

use serde_json::json;

use super::{GATEWAY, World, exchange};
use crate::oauth::introspect::{assert_inactive, introspect};
use crate::support::test_app::claims;

#[tokio::test]
async fn te_12_a_client_narrows_its_own_token_without_a_rule() {
    let world = World::new().await;
    let app = &world.shop.app;
    let token = world.token().await;
    app.pass(10);
    for resource in ["", GATEWAY] {
        let asked = [("scope", "call:cart"), ("resource", resource)];
        let answer = exchange(app, &world.client, &token, &asked)
            .await
            .expect(200);
        assert_eq!(answer["expires_in"], 290);
        let (before, after) = (claims(&token), claims(&answer.text("access_token")));
        assert_eq!(
            (&after["scope"], &after["aud"]),
            (&json!("call:cart"), &json!(GATEWAY))
        );
        assert_eq!(after["fam"], before["jti"]);
        assert!(after.get("act").is_none());
        for same in ["sub", "client_id", "iss", "aud"] {
            assert_eq!(after[same], before[same]);
        }
        // What was narrowed away does not come back.
        let narrowed = answer.text("access_token");
        let back = exchange(app, &world.client, &narrowed, &[("scope", "call:payment")]).await;
        back.oauth_error("invalid_scope");
        let again = exchange(app, &world.client, &narrowed, &[])
            .await
            .expect(200);
        assert_eq!(again["scope"], "call:cart");
        // Nor can it be traded by a rule that wants it.
        world
            .trade(&narrowed, &[])
            .await
            .oauth_error("invalid_request");
    }
}

#[tokio::test]
async fn te_12_a_narrowed_token_dies_with_the_one_that_it_was_made_of() {
    let world = World::new().await;
    let app = &world.shop.app;
    let token = world.token().await;
    let narrow = async |token: &str| {
        let answer = exchange(app, &world.client, token, &[("scope", "call:payment")]).await;
        answer.expect(200).text("access_token")
    };
    let once = narrow(&token).await;
    let twice = narrow(&once).await;
    let traded = world.traded(&twice).await;
    for token in [&token, &once, &twice, &traded] {
        let asker = if token == &traded {
            &world.gateway
        } else {
            &world.client
        };
        assert_eq!(introspect(app, asker, token).await["active"], true);
    }
    let revoke = app.post("/oauth/revoke").by(&world.client);
    revoke.form(&[("token", &token)]).send().await.expect(200);
    for token in [&token, &once, &twice] {
        assert_inactive(&introspect(app, &world.client, token).await);
        exchange(app, &world.client, token, &[])
            .await
            .oauth_error("invalid_request");
    }
    assert_inactive(&introspect(app, &world.gateway, &traded).await);
}

#[tokio::test]
async fn a_management_token_is_neither_traded_nor_asked_for() {
    let world = World::new().await;
    let app = &world.shop.app;
    let management = crate::support::test_app::MANAGEMENT;
    let reads = json!([{"resource": management, "scopes": ["keys:read"]}, {"resource": GATEWAY, "scopes": ["call:payment"]}]);
    let manager = super::holder(app, "manager", reads).await;
    let granted = crate::applications::grant(app, &manager, &[("resource", management)]).await;
    let token = granted.expect(200).text("access_token");
    exchange(app, &manager, &token, &[])
        .await
        .oauth_error("invalid_target");
    let there = exchange(app, &manager, &token, &[("resource", management)]).await;
    there.oauth_error("invalid_target");
    world.trade(&token, &[]).await.oauth_error("invalid_target");
}
