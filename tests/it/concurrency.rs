//! Calls on the same key at once: one winner, never two successors that live, never a success that began after the revocation was
//! answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::test_app::{Issued, PAYMENT, Shop, TestApp};
use crate::support::transcript::Answer;

const ROUNDS: usize = 25;

/// On several workers, so that calls really run at once.
async fn shop() -> Arc<Shop> {
    Arc::new(Shop::on(TestApp::setup().workers(3).start().await).await)
}

async fn rotate(shop: &Shop, key: &Issued) -> Answer {
    shop.app.post(&key.path("/rotate")).operator().send().await
}

async fn revoke(shop: &Shop, key: &Issued) -> Answer {
    shop.app.delete(&key.path("")).operator().send().await
}

/// How many generations of a key are in this state.
async fn generations(shop: &Shop, key: &Issued, state: &str) -> i64 {
    let query = format!(
        "SELECT count(*) AS number FROM credentials WHERE key_id = '{}' AND state = '{state}'",
        key.id
    );
    shop.app.count(&query).await
}

#[tokio::test]
async fn of_rotations_at_once_the_winners_follow_each_other_and_one_key_lives() {
    let shop = shop().await;
    for _ in 0..ROUNDS {
        let key = shop.key().await;
        let answers = join_all((0..4).map(|_| rotate(&shop, &key))).await;
        let mut live = 0;
        let mut won = 0;
        for answer in answers {
            if answer.status == 200 {
                won += 1;
                match shop.app.trade(&answer.text("key")).await {
                    answer if answer.status == 200 => live += 1,
                    answer => drop(answer.problem("api_key_rotated")),
                }
            } else {
                answer.problem("key_changed");
            }
        }
        assert!(won >= 1);
        assert_eq!(live, 1);
        shop.app.trade(&key.key).await.problem("api_key_rotated");
        assert_eq!(generations(&shop, &key, "active").await, 1);
        assert_eq!(generations(&shop, &key, "pending").await, 0);
    }
}

#[tokio::test]
async fn of_changes_bound_to_one_version_one_wins_and_the_others_learn_that_theirs_is_stale() {
    let shop = shop().await;
    for _ in 0..ROUNDS {
        let key = shop.key().await;
        let rename = |number: usize| {
            let patch = shop.app.patch(&key.path("")).operator().if_match(&key.etag);
            patch.json(json!({"name": format!("name {number}")})).send()
        };
        let answers = join_all((0..4).map(rename)).await;
        let (won, lost): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(won.len(), 1);
        for answer in lost {
            answer.problem("precondition_failed");
        }
    }
}

#[tokio::test]
async fn rotations_with_a_grace_at_once_leave_at_most_two_generations() {
    let shop = shop().await;
    for _ in 0..ROUNDS {
        let key = shop.key().await;
        let rotate = || async {
            let body = json!({"grace_seconds": 3600});
            shop.app
                .post(&key.path("/rotate"))
                .operator()
                .json(body)
                .send()
                .await
        };
        let answers = join_all((0..3).map(|_| rotate())).await;
        assert!(answers.iter().any(|answer| answer.status == 200));
        assert_eq!(generations(&shop, &key, "active").await, 1);
        assert_eq!(generations(&shop, &key, "retiring").await, 1);
    }
}

#[tokio::test]
async fn a_revocation_wins_over_a_rotation_whichever_comes_first() {
    let shop = shop().await;
    for round in 0..ROUNDS {
        let key = shop.key().await;
        let late = async {
            for _ in 0..round * 5 {
                tokio::task::yield_now().await;
            }
            revoke(&shop, &key).await
        };
        let (rotated, revoked) = tokio::join!(rotate(&shop, &key), late);
        revoked.expect(204);
        if rotated.status == 200 {
            // It came first; what it gave out is dead with the key.
            shop.app
                .trade(&rotated.text("key"))
                .await
                .problem("api_key_revoked");
        } else {
            assert!(["key_revoked", "key_changed"].contains(&rotated["code"].as_str().unwrap()));
        }
        assert_eq!(shop.app.trade(&key.key).await.status, 401);
        for state in ["active", "retiring", "pending"] {
            assert_eq!(generations(&shop, &key, state).await, 0, "{state}");
        }
        let shown = shop
            .app
            .get(&key.path(""))
            .operator()
            .send()
            .await
            .expect(200);
        assert_eq!(shown["status"], "revoked");
    }
}

#[tokio::test]
async fn no_exchange_that_begins_after_a_stop_was_answered_succeeds() {
    let shop = shop().await;
    for round in 0..ROUNDS {
        let key = shop.key().await;
        // Cold in one half of the rounds: then the stop races with the filling of the cache.
        if round % 2 == 0 {
            shop.app.trade(&key.key).await.expect(200);
        }
        let answered = Arc::new(AtomicBool::new(false));
        let traders = (0..3).map(|_| {
            let (shop, key, answered) = (Arc::clone(&shop), key.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                loop {
                    let began_after = answered.load(Ordering::SeqCst);
                    let status = shop.app.trade(&key.key).await.status;
                    assert!(!(began_after && status == 200), "a success after the stop");
                    if began_after {
                        return;
                    }
                }
            })
        });
        let traders: Vec<_> = traders.collect();
        let stopped = match round % 3 {
            0 => revoke(&shop, &key).await.expect(204),
            1 => rotate(&shop, &key).await.expect(200),
            _ => {
                let body = json!({"disabled": true});
                shop.app
                    .patch(&key.path(""))
                    .operator()
                    .json(body)
                    .send()
                    .await
                    .expect(200)
            }
        };
        answered.store(true, Ordering::SeqCst);
        drop(stopped);
        for trader in traders {
            trader.await.unwrap();
        }
    }
}

#[tokio::test]
async fn no_token_that_is_asked_for_after_a_narrowing_carries_what_was_taken() {
    let shop = shop().await;
    let wide = json!([{"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]}]);
    let narrow = json!([{"resource": PAYMENT, "scopes": ["read:payment"]}]);
    let key = shop.issue(json!({"permissions": wide})).await;
    for _ in 0..ROUNDS {
        let answered = AtomicBool::new(false);
        let set = async |permissions: &Value| {
            let body = json!({"permissions": permissions});
            shop.app
                .put(&key.path("/permissions"))
                .operator()
                .json(body)
                .send()
                .await
                .expect(200)
        };
        set(&wide).await;
        let trade = async || {
            loop {
                let began_after = answered.load(Ordering::SeqCst);
                let scope = shop.app.trade(&key.key).await.expect(200).text("scope");
                assert!(
                    !began_after || scope == "read:payment",
                    "{scope} after the narrowing"
                );
                if began_after {
                    return;
                }
            }
        };
        let change = async {
            set(&narrow).await;
            answered.store(true, Ordering::SeqCst);
        };
        tokio::join!(trade(), trade(), change);
    }
}

#[tokio::test]
async fn equal_creations_at_once_under_one_name_make_one_key() {
    let shop = shop().await;
    for round in 0..10 {
        let name = format!("the-name-of-attempt-{round}");
        let create = || async {
            let request = shop.app.post("/v1/keys").operator().idempotency_key(&name);
            request
                .json(shop.wanted(json!({"name": format!("round {round}")})))
                .send()
                .await
        };
        let answers = join_all((0..4).map(|_| create())).await;
        let mut ids = Vec::new();
        for answer in answers {
            match answer.status {
                201 => ids.push(answer.text("id")),
                _ => drop(answer.problem("idempotency_in_progress")),
            }
        }
        ids.dedup();
        assert_eq!(ids.len(), 1);
        let list = shop
            .app
            .get(&format!("/v1/keys?q=round%20{round}"))
            .operator()
            .send()
            .await;
        assert_eq!(list.expect(200)["items"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn changes_at_once_under_one_version_are_one_change() {
    let shop = shop().await;
    for _ in 0..10 {
        let key = shop.key().await;
        let rename = |name: &'static str| {
            let request = shop.app.patch(&key.path("")).operator().if_match(&key.etag);
            request.json(json!({"name": name})).send()
        };
        let answers = join_all(["a", "b", "c", "d"].map(rename)).await;
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(won, 1);
        for answer in answers {
            assert!(
                matches!(answer.status, 200 | 409 | 412),
                "{}",
                answer.transcript()
            );
        }
    }
}

#[tokio::test]
async fn keys_are_made_at_once_by_many() {
    let shop = shop().await;
    let keys = join_all((0..40).map(|_| shop.key())).await;
    for key in &keys {
        shop.app.trade(&key.key).await.expect(200);
    }
    let removed = join_all(keys.iter().map(|key| revoke(&shop, key))).await;
    for answer in removed {
        answer.expect(204);
    }
}

#[tokio::test]
async fn a_holder_and_an_admin_may_stop_a_key_at_once() {
    let shop = shop().await;
    for _ in 0..10 {
        let key = shop.key().await;
        let own = shop
            .app
            .post("/v1/key/revoke")
            .by(&crate::support::credentials::Key(&key.key));
        let leaked = shop
            .app
            .post("/v1/keys/revoke-leaked")
            .json(json!({"keys": [key.key]}));
        let (own, leaked, admin) = tokio::join!(own.send(), leaked.send(), revoke(&shop, &key));
        assert!(matches!(own.status, 204 | 401), "{}", own.transcript());
        leaked.expect(200);
        admin.expect(204);
        let events = format!(
            "SELECT count(*) AS number FROM audit_events WHERE action = 'key.revoked' AND subject = '{}'",
            key.id
        );
        assert_eq!(shop.app.count(&events).await, 1);
    }
}
