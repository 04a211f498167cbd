//! A rotation whose answer was lost is asked for again under its Idempotency-Key: it gives the same answer, and nothing is rotated twice.

use serde_json::{Value, json};

use super::{PURPOSES, of, trail};
use crate::support::test_app::TestApp;
use crate::support::transcript::Answer;

const DAY: i64 = 24 * 60 * 60;

async fn rotate(app: &TestApp, purpose: &str, attempt: &str, body: Value) -> Answer {
    let path = format!("/v1/secrets/{purpose}/rotate");
    let request = app.post(&path).operator().idempotency_key(attempt);
    request.json(body).send().await
}

fn same(one: &Answer, other: &Answer) {
    let (mut one, mut other) = (one.without_request_id(), other.without_request_id());
    one.1.sort();
    other.1.sort();
    assert_eq!(one, other);
}

/// Lets an update of a kept request come to nothing from now on, as if another call had taken its place.
async fn lose_answers(app: &TestApp) {
    app.tamper(if app.database().file().is_some() {
        "CREATE TRIGGER lost BEFORE UPDATE ON idempotency BEGIN SELECT RAISE(IGNORE); END"
    } else {
        "CREATE RULE lost AS ON UPDATE TO idempotency DO INSTEAD NOTHING"
    })
    .await;
}

async fn keep_answers_again(app: &TestApp) {
    app.tamper(if app.database().file().is_some() {
        "DROP TRIGGER lost"
    } else {
        "DROP RULE lost ON idempotency"
    })
    .await;
}

#[tokio::test]
async fn each_secret_is_rotated_once_for_a_name_whatever_comes_between() {
    let mut app = TestApp::new().await;
    for purpose in PURPOSES.map(|purpose| purpose.as_str()) {
        // Without its name a second call would make a third secret.
        let leaked = json!({"leaked": true});
        let first = rotate(&app, purpose, "a-name-for-it", leaked.clone()).await;
        let first = first.expect(200);
        assert_eq!(first["items"][0]["state"], "current");
        assert_eq!(first["items"][0]["generation"], 1);
        assert_eq!(first["items"][1]["state"], "leaked");
        same(
            &first,
            &rotate(&app, purpose, "a-name-for-it", leaked.clone()).await,
        );
        app = app.restart().await;
        same(
            &first,
            &rotate(&app, purpose, "a-name-for-it", leaked.clone()).await,
        );
        assert_eq!(of(&app, purpose).await.len(), 2, "{purpose}");
        let other = rotate(&app, purpose, "a-name-for-it", json!({})).await;
        other.problem("idempotency_key_reused");
    }
    // Under the same name each purpose had its own.
    let activated = trail(&app).await.into_iter();
    let activated = activated.filter(|(action, _)| action == "secret.activated");
    assert_eq!(activated.count(), PURPOSES.len());
    app.pass(DAY);
    let later = rotate(&app, "tag", "a-name-for-it", json!({"leaked": true})).await;
    assert_eq!(later.expect(200)["items"][0]["generation"], 2);
}

#[tokio::test]
async fn a_rotation_that_was_refused_runs_afresh() {
    let app = TestApp::new().await;
    let unknown = json!({"leaked": true, "generation": 1});
    let refused = rotate(&app, "tag", "a-name-for-it", unknown.clone()).await;
    refused.problem("invalid_parameter");
    rotate(&app, "tag", "another-name", json!({"leaked": true}))
        .await
        .expect(200);
    let rotated = rotate(&app, "tag", "a-name-for-it", unknown.clone()).await;
    let rotated = rotated.expect(200);
    assert_eq!(rotated["items"][0]["generation"], 2);
    same(
        &rotated,
        &rotate(&app, "tag", "a-name-for-it", unknown).await,
    );
}

#[tokio::test]
async fn a_rotation_whose_answer_cannot_be_kept_is_not_done() {
    let app = TestApp::new().await;
    lose_answers(&app).await;
    for purpose in PURPOSES.map(|purpose| purpose.as_str()) {
        let lost = rotate(&app, purpose, "a-name-for-it", json!({"leaked": true})).await;
        assert_eq!(lost.status, 409, "{}", lost.transcript());
        assert_eq!(of(&app, purpose).await.len(), 1);
    }
    assert_eq!(trail(&app).await, []);
    keep_answers_again(&app).await;
    for purpose in PURPOSES.map(|purpose| purpose.as_str()) {
        let done = rotate(&app, purpose, "a-name-for-it", json!({"leaked": true})).await;
        assert_eq!(done.expect(200)["items"][0]["generation"], 1);
    }
}

#[tokio::test]
async fn each_step_of_a_new_root_secret_can_be_repeated() {
    let app = TestApp::new().await;
    let step = async |attempt: &str, body: Value| {
        let request = app.post("/v1/secrets/root/rotate").operator();
        request.idempotency_key(attempt).json(body).send().await
    };
    let given = json!({"new_root_secret": "a root secret that its operator gives, of 32 bytes"});
    let begun = step("a-name-for-the-first", given.clone())
        .await
        .expect(200);
    assert_eq!(begun["state"], "begun");
    same(&begun, &step("a-name-for-the-first", given.clone()).await);
    let cancel = json!({"step": "cancel"});
    let cancelled = step("a-name-for-the-second", cancel.clone()).await;
    assert_eq!(cancelled.expect(200)["state"], "done");
    // Without its name there is nothing left to cancel.
    step("another-name", cancel.clone())
        .await
        .problem("secret_state");
    let again = step("a-name-for-the-second", cancel).await;
    assert_eq!(again.expect(200)["state"], "done");
    // The first answer is given, and nothing is begun by it.
    same(&begun, &step("a-name-for-the-first", given).await);
    let page = app.get("/v1/audit-events?subject=root_secret").operator();
    let page = page.send().await.expect(200);
    let items = page["items"].as_array().unwrap().iter();
    let mut actions: Vec<_> = items.map(|event| event["action"].to_string()).collect();
    // They happened in one moment of this clock.
    actions.sort();
    assert_eq!(
        actions,
        [r#""root_secret.announced""#, r#""root_secret.kept""#]
    );
    // What the database keeps of it is not the secret.
    let dump = app.dump().await;
    assert!(!String::from_utf8_lossy(&dump).contains("that its operator gives"));
}
