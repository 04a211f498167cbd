//! Keycloak is stopped and started again in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use crate::provider::eventually;
use crate::support::corp::{Corp, Realm};
use crate::support::keycloak::Keycloak;

#[rstest]
#[case::mint("")]
#[case::passthrough("answer = 'passthrough'")]
#[tokio::test]
#[ignore = "needs Java and Maven, takes a minute: run by the CI"]
async fn a_restart_fails_no_exchange_where_the_last_word_counts_and_is_503_where_not(
    #[case] settings: &'static str,
) {
    let keycloak = Keycloak::restartable();
    let lasting =
        format!("{settings}\nmax_rights_age = 1\non_outage = 'serve_last_known'\nmax_outage = 240");
    let lasting = start(&keycloak, &lasting).await;
    let closed = start(&keycloak, &format!("{settings}\nmax_rights_age = 1")).await;
    let (kept, refused) = (lasting.key(json!({})).await, closed.key(json!({})).await);
    lasting.app().trade(&kept.key).await.expect(200);
    closed.app().trade(&refused.key).await.expect(200);

    let over = Arc::new(AtomicBool::new(false));
    let (lasted, outages) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let trades = async {
        while !over.load(Ordering::SeqCst) {
            lasting.app().trade(&kept.key).await.expect(200);
            lasted.fetch_add(1, Ordering::SeqCst);
            let answer = closed.app().trade(&refused.key).await;
            match answer.status {
                200 => {}
                _ => {
                    answer.problem("identity_provider_unavailable");
                    outages.fetch_add(1, Ordering::SeqCst);
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let restart = async {
        let seen = Arc::clone(&over);
        let keycloak = keycloak.clone();
        let restarted = tokio::task::spawn_blocking(move || {
            keycloak.stop();
            // Long enough that the word of before is too old for everybody.
            std::thread::park_timeout(Duration::from_secs(3));
            keycloak.run();
        });
        restarted.await.unwrap();
        eventually("it is well again", async || {
            closed.app().trade(&refused.key).await.status == 200
        })
        .await;
        seen.store(true, Ordering::SeqCst);
    };
    tokio::join!(trades, restart);
    let (lasted, outages) = (lasted.into_inner(), outages.into_inner());
    assert!(outages > 0, "Keycloak was away");
    let _ = std::io::Write::write_fmt(
        &mut std::io::stderr(),
        format_args!(
            "restart of Keycloak: {lasted} exchanges by the last word, none failed; {outages} answered 503 where it does not count, no 401\n"
        ),
    );
    // Its work goes on where it was left.
    let body = lasting.shop.wanted(json!({"identity_provider": "corp"}));
    eventually("keys are made again", async || {
        let made = lasting.app().post("/v1/keys").operator().json(body.clone());
        made.send().await.status == 201
    })
    .await;
}

async fn start(keycloak: &Arc<Keycloak>, settings: &str) -> Corp {
    let realm = Realm::prepared(Arc::clone(keycloak), settings).await;
    let shop = realm.shop().await;
    Corp { shop, realm }
}

#[tokio::test]
#[ignore = "needs Java and Maven, takes a minute: run by the CI"]
async fn keycloaks_tables_hold_nothing_that_opens_a_key() {
    let keycloak = Keycloak::restartable();
    let mut secrets = Vec::new();
    for settings in ["", "sign_in = 'password'"] {
        let corp = start(&keycloak, settings).await;
        for _ in 0..3 {
            let key = corp.key(json!({})).await;
            corp.app().trade(&key.key).await.expect(200);
        }
        secrets.push(corp.app().witness().clone());
    }
    keycloak.stop();
    let dump = keycloak.dump();
    assert!(
        dump.len() > 100_000,
        "that is a dump of {} bytes",
        dump.len()
    );
    for witness in secrets {
        witness.assert_absent(&dump, "the tables of Keycloak");
    }
    // What is there is there: the dump is of the right database.
    let user_names = String::from_utf8_lossy(&dump).matches("k_").count();
    assert!(user_names > 0);
}
