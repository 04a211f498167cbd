//! Keys that are no good: one answer for whoever proves nothing, the reason for whoever holds the key.

use kagiya::domain::base62;
use serde_json::json;

use crate::support::credentials::{Anonymous, Key};
use crate::support::database::execute;
use crate::support::test_app::{Shop, TestApp};
use crate::support::transcript::Answer;

/// `key` with the letter at `index` from the start exchanged, and the checksum set right.
fn forged(key: &str, index: usize) -> String {
    let mut letters = key.as_bytes().to_vec();
    letters[index] = if letters[index] == b'a' { b'b' } else { b'a' };
    let body = letters.len() - 6;
    letters.truncate(body);
    letters.extend(base62::encode_u32(crc32fast::hash(&letters)));
    String::from_utf8(letters).unwrap()
}

#[tokio::test]
async fn malformed_forged_and_unknown_keys_get_the_same_bytes() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let key = shop.key().await.key;
    let (unknown, other_password) = (shop.key().await, shop.key().await);
    // The two that no outsider can make: a tag of ours on a name that is not there, and on another password.
    let name = &unknown.key[6..32];
    let hidden = "a".repeat(26);
    let rename = |from: &str, to: &str| {
        format!("UPDATE credentials SET user_name = '{to}' WHERE user_name = '{from}'")
    };
    let digest = format!(
        "SELECT password_digest FROM credentials WHERE key_id = '{}'",
        unknown.id
    );
    let swap = format!(
        "UPDATE credentials SET password_digest = ({digest}) WHERE key_id = '{}'",
        other_password.id
    );
    change(app, rename(name, &hidden)).await;
    change(app, swap).await;
    let short = &key[..80];
    let long = format!("{key}a");
    let doubled = format!("{key}{key}");
    let spaced = key.replacen("kgy_", "kgy_ ", 1);
    let upper = key.to_uppercase();
    let checksum = format!("{}AAAAAA", &key[..key.len() - 6]);
    let prefix = key.replacen("kgy", "xyz", 1);
    let mut answers: Vec<(String, Answer)> = Vec::new();
    for text in [
        "",
        "x",
        "kgy_",
        short,
        &long,
        &doubled,
        &spaced,
        &upper,
        &checksum,
        &prefix,
        &forged(&key, 4),
        &forged(&key, 5),
        &forged(&key, 6),
        &forged(&key, 40),
        &forged(&key, 90),
        &unknown.key,
        &other_password.key,
    ] {
        answers.push((
            text.to_owned(),
            app.post("/v1/token").by(&Key(text)).send().await,
        ));
    }
    let bytes = app
        .post("/v1/token")
        .header("X-API-Key", b"kgy_\xff\xfe")
        .send()
        .await;
    answers.push(("bytes".to_owned(), bytes));
    let expected = answers[1].1.without_request_id();
    assert_eq!(expected.0, 401);
    for (text, answer) in answers {
        let answer = answer.problem("invalid_api_key");
        assert_eq!(
            answer.without_request_id(),
            expected,
            "{} letters",
            text.len()
        );
    }
    change(app, rename(&hidden, name)).await;
    app.trade(&unknown.key).await.expect(200);
}

/// Changes one row behind the application's back.
async fn change(app: &TestApp, statement: String) {
    let rows = app
        .database()
        .store
        .write(move |tx| execute(tx, &statement));
    assert_eq!(rows.await.unwrap(), 1);
}

#[tokio::test]
async fn the_holder_is_told_why() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let end = json!({"expires_at": app.time_in(60)});
    let (expired, disabled, revoked, rotated) = (
        shop.issue(end.clone()).await,
        shop.key().await,
        shop.key().await,
        shop.key().await,
    );
    let both = shop.issue(end).await;
    app.patch(&disabled.path(""))
        .operator()
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    app.delete(&revoked.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    app.delete(&both.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    app.post(&rotated.path("/rotate"))
        .operator()
        .send()
        .await
        .expect(200);
    app.trade(&expired.key).await.expect(200);
    app.pass(60);
    for (key, code) in [
        (&expired, "api_key_expired"),
        (&disabled, "api_key_disabled"),
        (&revoked, "api_key_revoked"),
        (&rotated, "api_key_rotated"),
        (&both, "api_key_revoked"),
    ] {
        for path in ["/v1/token", "/v1/key"] {
            let method = if path == "/v1/key" { "GET" } else { "POST" };
            let answer = app.request(method, path).by(&Key(&key.key)).send().await;
            answer.problem(code);
        }
    }
}

#[tokio::test]
async fn a_disabled_organization_pauses_all_its_keys_at_once() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let key = shop.key().await;
    let elsewhere = app.organization("Other").await;
    let other = app.issue(&elsewhere, json!({})).await;
    app.trade(&key.key).await.expect(200);
    let path = format!("/v1/organizations/{}", shop.organization);
    let disable = async |disabled: bool| {
        let body = json!({"disabled": disabled});
        app.patch(&path)
            .operator()
            .json(body)
            .send()
            .await
            .expect(200);
    };
    disable(true).await;
    app.trade(&key.key).await.problem("api_key_disabled");
    app.trade(&other.key).await.expect(200);
    disable(false).await;
    app.trade(&key.key).await.expect(200);
}

async fn limited() -> Shop {
    let setup = TestApp::setup().config(|config| config.limits.bad_keys_per_minute = 5);
    Shop::on(setup.start().await).await
}

#[tokio::test]
async fn too_many_bad_keys_from_one_address_are_told_to_wait_and_a_good_key_never_is() {
    let shop = limited().await;
    let app = &shop.app;
    let key = shop.key().await.key;
    let bad = async |text: &str, address: &str| {
        app.post("/v1/token")
            .by(&Key(text))
            .from(address)
            .send()
            .await
    };
    for text in ["x", &forged(&key, 40), "y", &forged(&key, 50), "z"] {
        bad(text, "192.0.2.1").await.problem("invalid_api_key");
    }
    for text in ["x", &forged(&key, 40)] {
        bad(text, "192.0.2.1").await.problem("rate_limited");
    }
    // Whoever sends no key at all does not try any.
    let none = app.post("/v1/token").by(&Anonymous).from("192.0.2.1");
    none.send().await.problem("unauthorized");
    bad("x", "192.0.2.2").await.problem("invalid_api_key");
    for _ in 0..20 {
        bad(&key, "192.0.2.1").await.expect(200);
    }
    app.pass(60);
    bad("x", "192.0.2.1").await.problem("invalid_api_key");
}

#[tokio::test]
async fn keys_that_are_stopped_do_not_count_as_bad() {
    let shop = limited().await;
    let app = &shop.app;
    let key = shop.key().await;
    app.delete(&key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    for _ in 0..20 {
        app.trade(&key.key).await.problem("api_key_revoked");
    }
    app.trade("x").await.problem("invalid_api_key");
}

#[tokio::test]
async fn an_ipv6_network_of_64_bits_is_one_address() {
    let shop = limited().await;
    let bad = async |address: &str| {
        shop.app
            .post("/v1/token")
            .by(&Key("x"))
            .from(address)
            .send()
            .await
    };
    for host in 1..=5 {
        bad(&format!("2001:db8:0:1::{host}"))
            .await
            .problem("invalid_api_key");
    }
    bad("2001:db8:0:1:ffff::9").await.problem("rate_limited");
    bad("2001:db8:0:2::1").await.problem("invalid_api_key");
}

#[tokio::test]
async fn a_bad_key_is_refused_alike_wherever_it_is_presented() {
    let shop = Shop::new().await;
    for (method, path) in [
        ("POST", "/v1/token"),
        ("GET", "/v1/key"),
        ("POST", "/v1/key/revoke"),
    ] {
        for text in ["x", &forged(&shop.key().await.key, 40)] {
            let answer = shop.app.request(method, path).by(&Key(text)).send().await;
            answer.problem("invalid_api_key");
        }
    }
}
