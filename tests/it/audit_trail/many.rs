//! Many rows at once, as when every key of a large organization is stopped.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use kagiya::store;
use serde_json::json;

use super::assert_whole;
use crate::support::database::execute;
use crate::support::test_app::{Shop, TestApp};

/// How many. Without optimization the driver of PostgreSQL alone needs more than the five seconds for 20,000.
fn keys(app: &TestApp) -> usize {
    if app.database().file().is_some() {
        20_000
    } else {
        4_000
    }
}

/// Puts so many keys on record, past the broker: making them through it takes minutes.
async fn seed(shop: &Shop) {
    let on_sqlite = shop.app.database().file().is_some();
    let digest = if on_sqlite {
        format!("x'{}'", "00".repeat(32))
    } else {
        format!("'\\x{}'", "00".repeat(32))
    };
    let numbers: Vec<usize> = (0..keys(&shop.app)).collect();
    for numbers in numbers.chunks(500) {
        let (mut keys, mut generations) = (String::new(), String::new());
        for number in numbers {
            let (name, organization) = (name(*number), &shop.organization);
            write!(
                keys,
                ",('key_{name}','{organization}','many','builtin','{{}}',1,0,'test',0,0)"
            )
            .unwrap();
            write!(
                generations,
                ",('crd_{name}','key_{name}','{name}','kgy_…','{name}',{digest},0,0,0,'active',0,0)"
            )
            .unwrap();
        }
        let keys = format!(
            "INSERT INTO api_keys (id, organization_id, name, provider, metadata, epoch, activated_at, created_by, created_at, updated_at) \
             VALUES {}",
            &keys[1..]
        );
        let generations = format!(
            "INSERT INTO credentials (id, key_id, user_name, hint, idp_subject, password_digest, digest_generation, tag_generation, \
             provider_generation, state, created_at, activated_at) VALUES {}",
            &generations[1..]
        );
        let written = shop.app.database().store.write(move |tx| {
            execute(tx, &keys)?;
            execute(tx, &generations)?;
            Ok::<_, store::Error>(())
        });
        written.await.unwrap();
    }
}

/// 26 letters for a number.
fn name(mut number: usize) -> String {
    let mut letters = [b'a'; 26];
    for letter in letters.iter_mut().rev() {
        *letter += u8::try_from(number % 26).unwrap();
        number /= 26;
    }
    String::from_utf8(letters.to_vec()).unwrap()
}

#[tokio::test]
#[ignore = "takes a minute without optimization: run by the CI"]
#[expect(
    clippy::disallowed_methods,
    reason = "measures how long a call took; no answer depends on it"
)]
async fn many_keys_are_stopped_within_five_seconds_and_each_has_its_row() {
    let setup = TestApp::setup().config(|config| config.retention.audit_days = Some(1));
    let shop = Shop::on(setup.start().await).await;
    seed(&shop).await;
    let keys = keys(&shop.app);
    let body = json!({"organization_id": shop.organization});
    let began = Instant::now();
    let revoke = shop.app.post("/v1/keys/revoke").operator().json(body);
    let answer = revoke.send().await.expect(200);
    let took = began.elapsed();
    println!("{keys} keys were stopped within {took:?}");
    assert_eq!(answer["count"], keys);
    assert!(took < Duration::from_secs(5), "{took:?}");
    // No such users were ever made.
    let done = "UPDATE idp_operations SET done_at = 0 WHERE done_at IS NULL";
    shop.app.tamper(done).await;

    let began = Instant::now();
    let report = shop.app.verify_trail(&[]).await;
    println!(
        "{} rows were verified within {:?}",
        report.rows,
        began.elapsed()
    );
    assert_whole(&report);
    assert!(report.rows > keys as u64);
    shop.app.pass(3 * 24 * 60 * 60);
    // A write waits behind one batch at most.
    let (mut longest, mut writes) = (Duration::ZERO, 0_u32);
    while shop
        .app
        .count("SELECT count(*) AS number FROM audit_events")
        .await
        > 0
    {
        let began = Instant::now();
        let written = shop
            .app
            .database()
            .store
            .write(|tx| execute(tx, "UPDATE deployment SET epoch = epoch").map(drop));
        written.await.unwrap();
        longest = longest.max(began.elapsed());
        writes += 1;
    }
    println!("{writes} writes while rows went; the longest took {longest:?}");
    assert!(
        writes > 10 && longest < Duration::from_secs(1),
        "{writes}, {longest:?}"
    );
    let after = shop.app.verify_trail(&[]).await;
    assert_whole(&after);
    assert_eq!(after.removed, report.rows);
    let segments = shop
        .app
        .count("SELECT count(*) AS number FROM audit_segments");
    assert!(segments.await >= 4);
}
