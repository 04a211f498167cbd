//! Several nodes share the outbox: what one took up and did not end is taken over, and whoever comes late changes nothing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{At, eventually};
use crate::keys::keys_on_record;
use crate::outbox::OPEN;
use crate::support::fake_provider::{Ask, Mood};
use crate::support::node::Node;

#[tokio::test]
async fn nodes_share_the_work_and_none_of_it_is_done_twice() {
    let at = At::kind("trusted").await;
    for _ in 0..40 {
        at.key().await;
    }
    // Beyond the time in which what follows so closely is done once more.
    at.app().pass(120);
    let line = at.fake().another_line();
    for line in [at.fake.as_ref().unwrap(), &line] {
        line.when(Ask::Delete, Mood::Late(Duration::from_millis(400)));
    }
    let node = Node::beside_with(at.app(), vec![Arc::clone(&line) as _]).await;
    let body = json!({"organization_id": at.shop.organization});
    let revoked = at.app().post("/v1/keys/revoke").operator().json(body);
    revoked.send().await.expect(200);
    eventually("all users are gone", async || at.users().await == 0).await;
    eventually("nothing is left to do", async || {
        at.app().count(OPEN).await == 0
    })
    .await;
    assert_eq!(at.fake().times(Ask::Delete), 40);
    assert!(line.used() > 0 && at.fake().used() > 40, "both were at it");
    assert!(!at.fake().overlapped());
    node.0.stop().await;
}

#[tokio::test]
async fn a_claim_that_timed_out_is_taken_over_and_its_late_holder_changes_nothing() {
    let at = At::kind("trusted").await;
    let key = at.both().await;
    at.fake()
        .when(Ask::SetPermissions, Mood::Late(Duration::from_millis(2500)));
    at.permit(&key, &["read:payment"]).await.expect(200);
    eventually("the provider is asked", async || {
        at.fake().times(Ask::SetPermissions) == 1
    })
    .await;
    at.app().pass(31);
    let line = at.fake().another_line();
    let node = Node::beside_with(at.app(), vec![Arc::clone(&line) as _]).await;
    eventually("it is taken over", async || {
        at.fake().permitted() == ["read:payment"]
    })
    .await;
    let claims = "SELECT max(claim) AS number FROM idp_operations WHERE kind = 'permit'";
    assert_eq!(at.app().count(claims).await, 2);
    // What comes next does not wait for whoever has lost his claim.
    at.permit(&key, &[]).await.expect(200);
    eventually("the node goes on", async || {
        at.fake().permitted() == ["read:payment", ""]
    })
    .await;
    eventually("the first call is done after all", async || {
        at.fake().permitted().last().unwrap() == "read:payment"
    })
    .await;
    at.fake().works_again();
    at.in_the_end("the provider has what our record says", async || {
        at.fake().granted() == [""] && at.app().count(OPEN).await == 0
    })
    .await;
    node.0.stop().await;
}

#[tokio::test]
async fn a_creation_that_lost_its_claim_is_not_finished() {
    let at = At::kind("trusted").await;
    let answer = {
        at.fake()
            .when(Ask::Create, Mood::Late(Duration::from_millis(2500)));
        let creation = at.create();
        let undoing = async {
            eventually("the provider is asked", async || {
                at.fake().times(Ask::Create) == 1
            })
            .await;
            at.app().pass(31);
            eventually("it counts as abandoned", async || {
                at.fake().times(Ask::Delete) > 0
            })
            .await;
        };
        tokio::join!(creation, undoing).0
    };
    answer.problem("key_changed");
    assert_eq!(keys_on_record(at.app()).await, 0);
    at.in_the_end("its user is gone", async || at.users().await == 0)
        .await;
}

#[tokio::test]
async fn a_user_of_another_deployment_is_never_removed() {
    let at = At::kind("trusted").await;
    let key = at.key().await;
    let ours = at.fake().attributes()[0].deployment_id;
    let other = "dep_aaaaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap();
    at.fake().hand_over(other);
    at.revoke(&key).await;
    at.app().trade(&key.key).await.problem("api_key_revoked");
    at.in_the_end("its removal was tried in vain", async || {
        at.fake().times(Ask::Delete) > 3
    })
    .await;
    assert_eq!(at.users().await, 1);
    at.fake().hand_over(ours);
    at.in_the_end("it is removed", async || at.users().await == 0)
        .await;
}
