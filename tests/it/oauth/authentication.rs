//! A client proves who it is by a secret; whoever does not is told one thing, and cannot keep others out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::applications::{Application, cart_service, grant, machine_role, make};
use crate::support::credentials::{Anonymous, Basic, Bearer, Key};
use crate::support::test_app::{PAYMENT, Shop, TestApp};
use crate::support::transcript::Answer;

const NOBODY: &str = "app_aaaaaaaaaaaaaaaaaaaaaaaaaa";

fn post_secret<'a>(id: &'a str, secret: &'a str) -> [(&'static str, &'a str); 2] {
    [("client_id", id), ("client_secret", secret)]
}

async fn by_header(shop: &Shop, value: &str) -> Answer {
    let request = shop.app.post("/oauth/token").header("Authorization", value);
    let form = [("grant_type", "client_credentials")];
    request.form(&form).send().await
}

#[tokio::test]
async fn tok_6_tok_8_basic_and_the_body_let_in_and_both_forms_of_basic_are_one() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let (id, secret) = (client.id.as_str(), client.secret.as_str());
    grant(&shop.app, &client, &[]).await.expect(200);
    grant(&shop.app, &Anonymous, &post_secret(id, secret))
        .await
        .expect(200);
    let escaped = |text: &str| text.replace('_', "%5F").replace('a', "%61");
    for (user, password, scheme) in [
        (id.to_owned(), secret.to_owned(), "basic"),
        (escaped(id), escaped(secret), "Basic"),
    ] {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        by_header(&shop, &format!("{scheme} {encoded}"))
            .await
            .expect(200);
    }
    // The same name beside is no second way (openid-client).
    grant(&shop.app, &client, &[("client_id", id)])
        .await
        .expect(200);
}

#[tokio::test]
async fn tok_8_two_ways_at_once_or_two_names_are_refused() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    let (id, secret) = (client.id.as_str(), client.secret.as_str());
    for further in [
        &post_secret(id, secret)[..],
        &[("client_secret", secret)],
        &[("client_assertion", "a"), ("client_assertion_type", "b")],
        &[("client_assertion", "a")],
        &[("client_assertion_type", "b")],
        &[("client_id", NOBODY)],
    ] {
        let refused = grant(&shop.app, &client, further).await;
        refused.oauth_error("invalid_request");
    }
    let refused = grant(&shop.app, &Anonymous, &[("client_secret", secret)]).await;
    refused.oauth_error("invalid_request");
    let twice = shop.app.post("/oauth/token").by(&client).by(&client);
    let twice = twice.form(&[("grant_type", "client_credentials")]);
    twice.send().await.oauth_error("invalid_request");
}

#[tokio::test]
async fn tok_9_unknown_clients_and_wrong_secrets_are_told_the_same() {
    let shop = Shop::new().await;
    let app = &shop.app;
    let client = cart_service(&shop).await;
    let (id, secret) = (client.id.as_str(), client.secret.as_str());
    let other = make(app, json!({})).await;
    let mut changed = secret.to_owned();
    changed.replace_range(10..11, if &secret[10..11] == "a" { "b" } else { "a" });
    let longer = format!("{secret}a");
    let removed = make(app, json!({})).await;
    app.delete(&removed.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    let key = shop.key().await;
    let mut answers = Vec::new();
    for (user, password) in [
        (NOBODY, secret),
        (id, changed.as_str()),
        (id, longer.as_str()),
        (id, &secret[..secret.len() - 1]),
        (id, other.secret.as_str()),
        (id, ""),
        (id, "\u{e9}"),
        ("", secret),
        (secret, id),
        (key.id.as_str(), secret),
        (removed.id.as_str(), removed.secret.as_str()),
        (&id[4..], secret),
    ] {
        let answer = grant(app, &Basic(user, password), &[]).await;
        answers.push(answer.clone().oauth_error("invalid_client"));
        let posted = grant(app, &Anonymous, &post_secret(user, password)).await;
        // An empty parameter is none (TOK-3).
        if !user.is_empty() && !password.is_empty() {
            answers.push(posted.oauth_error("invalid_client"));
        }
    }
    answers.push(grant(app, &Anonymous, &[]).await);
    answers.push(grant(app, &Anonymous, &[("client_id", id)]).await);
    answers.push(grant(app, &Bearer(secret), &[]).await);
    answers.push(grant(app, &Key(&key.key), &[]).await);
    answers.push(by_header(&shop, "Basic !").await);
    answers.push(by_header(&shop, "Basic").await);
    answers.push(by_header(&shop, &format!("Basic {}", STANDARD.encode(id))).await);
    let first = answers[0].without_request_id();
    for answer in &answers {
        assert_eq!(
            answer.without_request_id(),
            first,
            "{}",
            answer.transcript()
        );
    }
    let challenge = answers[0].header("www-authenticate").unwrap();
    assert_eq!(challenge, r#"Basic realm="kagiya", charset="UTF-8""#);
    // The log, written to its end, knows better.
    let shop = shop.again(TestApp::restart).await;
    let reasons: Vec<String> = shop
        .app
        .log()
        .lines()
        .iter()
        .filter_map(|line| line["reason"].as_str().map(str::to_owned))
        .collect();
    for reason in ["unknown_client", "wrong_client_secret"] {
        assert!(reasons.iter().any(|known| known == reason), "{reasons:?}");
    }
}

#[tokio::test]
async fn a_client_that_keeps_to_one_way_is_not_taken_by_another() {
    let shop = Shop::new().await;
    for (method, basic, post) in [
        (json!(null), 200, 200),
        (json!("client_secret_basic"), 200, 401),
        (json!("client_secret_post"), 401, 200),
    ] {
        let client = make(&shop.app, json!({"token_endpoint_auth_method": method})).await;
        let scope = [("scope", "x")];
        let answer = grant(&shop.app, &client, &scope).await;
        // One that holds nothing gets no further.
        let expected = |status| {
            if status == 200 {
                "invalid_target"
            } else {
                "invalid_client"
            }
        };
        answer.oauth_error(expected(basic));
        let form = [&scope[..], &post_secret(&client.id, &client.secret)].concat();
        let answer = grant(&shop.app, &Anonymous, &form).await;
        answer.oauth_error(expected(post));
    }
}

#[tokio::test]
async fn a_client_is_taken_from_its_networks_alone() {
    let shop = Shop::new().await;
    let payment = json!([{"resource": PAYMENT, "scopes": ["write:payment"]}]);
    let role = machine_role(&shop.app, "checkout", payment).await;
    let body = json!({"roles": [role], "allowed_cidrs": ["192.0.2.0/24"]});
    let client = make(&shop.app, body).await;
    let from = async |address: &str, client: &Application| {
        let request = shop.app.post("/oauth/token").by(client).from(address);
        let form = [("grant_type", "client_credentials")];
        request.form(&form).send().await
    };
    from("192.0.2.9", &client).await.expect(200);
    let refused = from("198.51.100.1", &client).await;
    refused.oauth_error("unauthorized_client");
    // Who does not prove that it is that client learns nothing of its networks.
    let mut thief = client.clone();
    thief.secret = make(&shop.app, json!({})).await.secret;
    let refused = from("198.51.100.1", &thief).await;
    refused.oauth_error("invalid_client");
}

#[tokio::test]
async fn tok_10_who_guesses_waits_and_the_real_client_never_does() {
    let setup = TestApp::setup().config(|config| config.limits.bad_clients_per_minute = 5);
    let shop = Shop::on(setup.start().await).await;
    let client = cart_service(&shop).await;
    let wrong = make(&shop.app, json!({})).await.secret;
    let ask = async |address: &str, id: &str, secret: &str| {
        let request = shop.app.post("/oauth/token").by(&Basic(id, secret));
        let form = [("grant_type", "client_credentials")];
        request.from(address).form(&form).send().await
    };
    // One address, one client.
    for _ in 0..5 {
        let refused = ask("192.0.2.1", &client.id, &wrong).await;
        refused.oauth_error("invalid_client");
    }
    let waits = ask("192.0.2.1", &client.id, &wrong).await.expect(429);
    assert_eq!(waits["error"], "temporarily_unavailable");
    // Many addresses, the same client: the count goes with it.
    let waits = ask("198.51.100.1", &client.id, &wrong).await;
    waits.expect(429);
    // The real one is let in, from the guesser's address too.
    for address in ["192.0.2.1", "198.51.100.1", "203.0.113.1"] {
        ask(address, &client.id, &client.secret).await.expect(200);
    }
    // One address, many clients.
    for _ in 0..5 {
        ask("192.0.2.7", NOBODY, &wrong).await;
    }
    let other = make(&shop.app, json!({})).await;
    ask("192.0.2.7", &other.id, &wrong).await.expect(429);
    // Another address may still be wrong about another client.
    let refused = ask("203.0.113.9", &other.id, &wrong).await;
    refused.oauth_error("invalid_client");
    shop.app.pass(60);
    let refused = ask("192.0.2.1", &client.id, &wrong).await;
    refused.oauth_error("invalid_client");
}

#[tokio::test]
async fn a_changed_client_is_judged_anew_at_once() {
    let shop = Shop::new().await;
    let client = cart_service(&shop).await;
    for _ in 0..3 {
        grant(&shop.app, &client, &[]).await.expect(200);
    }
    let rotated = shop.app.post(&client.path("/secrets")).operator();
    let rotated = rotated.send().await.expect(201).text("client_secret");
    let fresh = Basic(&client.id, &rotated);
    grant(&shop.app, &fresh, &[]).await.expect(200);
    let old = client.object["client_secret_id"].as_str().unwrap();
    let remove = shop.app.delete(&client.path(&format!("/secrets/{old}")));
    remove.operator().send().await.expect(204);
    let refused = grant(&shop.app, &client, &[]).await;
    refused.oauth_error("invalid_client");
    grant(&shop.app, &fresh, &[]).await.expect(200);
}
