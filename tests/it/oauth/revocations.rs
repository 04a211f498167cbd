//! `/.well-known/revocations`: what a service that verifies offline refuses, and how little it has to fetch for that.

use std::collections::HashSet;

use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use super::exchange::{World, exchange};
use crate::applications::{cart_service, grant};
use crate::support::test_app::{ISSUER, Issued, Shop, TestApp, claims, jose_header};
use crate::support::transcript::Answer;
use crate::support::verifier::{jwk_set, signed};

const PATH: &str = "/.well-known/revocations";
const KINDS: [&str; 6] = [
    "keys",
    "clients",
    "generations",
    "families",
    "tokens",
    "signing_keys",
];

/// A service that reads the list.
pub(crate) struct Offline {
    pub(crate) claims: Value,
    whole: HashSet<String>,
    short: HashSet<String>,
}

impl Offline {
    pub(crate) async fn read(app: &TestApp) -> Self {
        let answer = app.get(PATH).send().await.expect(200);
        Self::of(app, &answer).await
    }

    async fn of(app: &TestApp, answer: &Answer) -> Self {
        let jwt = String::from_utf8(answer.body.clone()).unwrap();
        assert_eq!(jose_header(&jwt)["typ"], "revocations+jwt");
        let claims = signed(&jwk_set(app).await, &jwt).expect("signed like a token");
        assert_eq!(claims["iss"], ISSUER);
        let ids = |kind: &str| {
            let list = claims[kind]
                .as_array()
                .unwrap_or_else(|| panic!("{kind}"))
                .clone();
            list.into_iter().map(|id| id.as_str().unwrap().to_owned())
        };
        let whole = KINDS.into_iter().flat_map(ids).collect();
        let short = claims["short"].as_str().unwrap_or_default().as_bytes();
        let short = short
            .chunks(7)
            .map(|some| String::from_utf8(some.to_vec()).unwrap())
            .collect();
        Self {
            claims,
            whole,
            short,
        }
    }

    /// As `docs/verify-tokens.md` says it.
    pub(crate) fn refuses(&self, token: &str) -> bool {
        let (claims, header) = (claims(token), jose_header(token));
        let names = ["sub", "client_id", "gen", "fam", "jti"].map(|name| claims[name].as_str());
        let mut names = names.into_iter().chain([header["kid"].as_str()]).flatten();
        names.any(|id| self.whole.contains(id) || self.short.contains(&id[4..11]))
    }

    fn lists(&self, kind: &str, id: &str) -> bool {
        let ids = self.claims[kind].as_array().unwrap();
        ids.iter().any(|listed| listed == id)
    }
}

#[tokio::test]
async fn it_is_a_signed_list_for_everybody_that_is_good_for_a_minute() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let answer = app.get(PATH).send().await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/jwt"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=5"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let list = Offline::of(app, &answer).await;
    let now = app.now().as_second();
    assert_eq!(
        list.claims,
        json!({
            "iss": ISSUER, "iat": now, "exp": now + 60, "keys": [], "generations": [], "clients": [], "families": [],
            "tokens": [], "signing_keys": [],
        })
    );
    app.get("/.well-known/revocations?x=1")
        .send()
        .await
        .names("x");
    // JW-14: it is no access token, wherever one is taken.
    let jwt = String::from_utf8(answer.body).unwrap();
    let bearer = crate::support::credentials::Bearer(&jwt);
    app.get("/v1/keys")
        .by(&bearer)
        .send()
        .await
        .problem("invalid_token");
}

#[tokio::test]
async fn who_has_it_already_is_told_so_until_it_changes_or_gets_old() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let tag = async || {
        let answer = app.get(PATH).send().await.expect(200);
        answer.header("etag").unwrap().to_owned()
    };
    let again = async |tag: &str| {
        app.get(PATH)
            .header("If-None-Match", tag)
            .send()
            .await
            .status
    };
    let client = cart_service(&shop).await;
    let first = tag().await;
    assert_eq!(again(&first).await, 304);
    app.pass(19);
    assert_eq!(again(&first).await, 304);
    let token = grant(app, &client, &[]).await.text("access_token");
    let revoke = app.post("/oauth/revoke").by(&client);
    revoke.form(&[("token", &token)]).send().await.expect(200);
    assert_eq!(again(&first).await, 200);
    let second = tag().await;
    assert_eq!(again(&second).await, 304);
    app.pass(20);
    assert_eq!(again(&second).await, 200, "a copy never gets near its end");
}

#[tokio::test]
async fn each_way_to_end_something_is_listed_where_it_belongs_until_its_last_token_expired() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let client = cart_service(&shop).await;
    let (one, two, three) = (shop.key().await, shop.key().await, shop.key().await);
    let old = app.trade(&one.key).await;
    let old = claims(&old.text("access_token"))["gen"]
        .as_str()
        .unwrap()
        .to_owned();
    let token = grant(app, &client, &[]).await.text("access_token");
    let jti = claims(&token)["jti"].as_str().unwrap().to_owned();
    let rotate = app.post(&one.path("/rotate")).operator().send().await;
    Issued::read(rotate.expect(200));
    app.delete(&two.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    let pause = app.patch(&three.path("")).operator();
    pause
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    let revoke = app.post("/oauth/revoke").by(&client);
    revoke.form(&[("token", &token)]).send().await.expect(200);
    app.delete(&client.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    let list = Offline::read(app).await;
    let all = [
        ("generations", &old),
        ("keys", &two.id),
        ("keys", &three.id),
        ("tokens", &jti),
        ("families", &jti),
        ("clients", &client.id),
    ];
    for (kind, id) in all {
        assert!(list.lists(kind, id), "{kind} {id}: {}", list.claims);
    }
    let number: usize = KINDS
        .iter()
        .map(|kind| list.claims[*kind].as_array().unwrap().len())
        .sum();
    assert_eq!(number, all.len(), "and nothing else: {}", list.claims);
    app.pass(300);
    let list = Offline::read(app).await;
    assert!(!list.lists("tokens", &jti), "this one has expired");
    app.pass(3299);
    assert!(Offline::read(app).await.lists("keys", &two.id));
    // A list is kept for a while.
    app.pass(21);
    let list = Offline::read(app).await;
    for (kind, id) in all {
        assert!(!list.lists(kind, id), "{kind} {id}: {}", list.claims);
    }
}

#[tokio::test]
async fn what_goes_on_again_leaves_the_list() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let key = shop.key().await;
    let token = app.trade(&key.key).await.text("access_token");
    for disabled in [true, false] {
        let pause = app.patch(&key.path("")).operator();
        pause
            .json(json!({"disabled": disabled}))
            .send()
            .await
            .expect(200);
        assert_eq!(Offline::read(app).await.refuses(&token), disabled);
    }
}

#[tokio::test]
async fn a_narrowed_token_without_a_record_is_refused_by_its_family() {
    let world = World::new().await;
    let app = &world.shop.app;
    let token = world.token().await;
    let narrowed = exchange(app, &world.client, &token, &[("scope", "call:cart")]).await;
    let narrowed = narrowed.expect(200).text("access_token");
    let revoke = app.post("/oauth/revoke").by(&world.client);
    revoke.form(&[("token", &token)]).send().await.expect(200);
    let list = Offline::read(app).await;
    assert!(list.refuses(&token) && list.refuses(&narrowed));
    assert!(!list.refuses(&world.token().await));
}

#[tokio::test]
async fn ten_thousand_entries_are_less_than_100_kilobytes_and_all_of_them_are_refused() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let client = cart_service(&shop).await;
    let good = grant(app, &client, &[]).await.text("access_token");
    // Ids as they are drawn: these digits are as good as random.
    let drawn = |number: usize, length: usize| -> String {
        let digest = blake3::hash(&number.to_le_bytes());
        digest.to_hex().chars().take(length).collect()
    };
    let now = app.now().as_microsecond();
    let tokens: Vec<String> = (0..2500).map(|number| drawn(number, 22)).collect();
    let clients: Vec<String> = (0..5000)
        .map(|number| format!("app_{}", drawn(number + 10_000, 26)))
        .collect();
    let rows = |ids: &[String], columns: &str| -> String {
        let rows: Vec<String> = ids
            .iter()
            .enumerate()
            .map(|(index, id)| {
                let (at, end) = (
                    now - 1000 * i64::try_from(index).unwrap(),
                    now + 300_000_000,
                );
                format!("('{id}'{columns}, {at}, {end})")
            })
            .collect();
        rows.join(",")
    };
    let statements = format!(
        "INSERT INTO revoked_tokens (jti, client_id, revoked_at, expires_at) VALUES {};
         INSERT INTO removed_grounds (id, removed_at, expires_at) VALUES {};",
        rows(&tokens, ", 'app_x'"),
        rows(&clients, ""),
    );
    let written = app.database().store.write(move |tx| {
        tx.batch_execute(&statements)?;
        Ok::<_, kagiya::store::Error>(())
    });
    written.await.unwrap();
    let answer = app.get(PATH).send().await.expect(200);
    println!("10,000 entries: {} bytes", answer.body.len());
    assert!(answer.body.len() <= 100_000, "{}", answer.body.len());
    let list = Offline::of(app, &answer).await;
    for id in tokens.iter().chain(&clients) {
        assert!(
            list.whole.contains(id) || list.short.contains(&id[4..11]),
            "{id}"
        );
    }
    // Each revoked token is its own family too: 10,000 in all; the newest stand there whole.
    assert!(list.lists("tokens", &tokens[0]) && list.lists("clients", &clients[0]));
    assert!(!list.refuses(&good));
}
