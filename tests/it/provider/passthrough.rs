//! `answer = "passthrough"`: the provider's own token is handed on, never wider than what was asked, never older than its word counts.

use std::sync::Arc;
use std::time::Duration;

use kagiya::idp::{AnswerMode, Policy, RightsAge};
use rstest::rstest;
use serde_json::json;

use super::eventually;
use crate::support::credentials::Key;
use crate::support::fake_provider::{Ask, FakeProvider, Mood, Tokens};
use crate::support::test_app::{CART, Issued, MANAGEMENT, PAYMENT, Shop, TestApp};
use crate::support::transcript::Answer;

struct Passing {
    fake: Arc<FakeProvider>,
    shop: Shop,
    key: Issued,
}

impl Passing {
    /// A key for both resources, at a provider whose tokens live so long.
    async fn with(lifetime: i64, change: impl FnOnce(&mut Policy)) -> Self {
        let minute = RightsAge::AtMost(Duration::from_secs(60));
        let fake = FakeProvider::with_rights_age("corp", minute);
        let mut policy = Policy {
            answer: AnswerMode::Passthrough,
            ..Policy::default()
        };
        change(&mut policy);
        fake.use_by(policy);
        let shop = Shop::on(TestApp::setup().provider(&fake).start().await).await;
        fake.gives(Tokens {
            clock: shop.app.clock(),
            lifetime,
            say_more: false,
        });
        let key = shop
            .issue(json!({
                "identity_provider": "corp", "default_resource": PAYMENT,
                "permissions": [
                    {"resource": PAYMENT, "scopes": ["read:payment", "write:payment"]},
                    {"resource": CART, "scopes": ["read:cart"]},
                ],
            }))
            .await;
        Self { fake, shop, key }
    }

    async fn trade(&self, form: &[(&str, &str)]) -> Answer {
        let request = self.shop.app.post("/v1/token").form(form);
        request.by(&Key(&self.key.key)).send().await
    }

    async fn token(&self, form: &[(&str, &str)]) -> String {
        self.trade(form).await.expect(200).text("access_token")
    }
}

#[tokio::test]
async fn the_providers_token_is_handed_on_as_it_is() {
    let passing = Passing::with(300, |_| ()).await;
    let answer = passing
        .trade(&[("scope", "read:payment")])
        .await
        .expect(200);
    assert_eq!(answer.header("x-kagiya-answer"), Some("passthrough"));
    assert_eq!(
        answer["access_token"],
        "a token of the provider's, number 1"
    );
    assert_eq!(answer["scope"], "read:payment");
    assert_eq!(answer["expires_in"], 300);
    let bare = passing
        .shop
        .app
        .post("/v1/token")
        .header("Accept", "application/jwt");
    let bare = bare.by(&Key(&passing.key.key)).send().await.expect(200);
    assert_eq!(bare.body, b"a token of the provider's, number 2");
}

#[tokio::test]
async fn equal_requests_get_the_same_token_until_the_word_is_too_old() {
    let passing = Passing::with(300, |_| ()).await;
    let first = passing.token(&[]).await;
    for seconds in [0, 30, 29] {
        passing.shop.app.pass(seconds);
        assert_eq!(passing.token(&[]).await, first);
    }
    assert_ne!(passing.token(&[("scope", "read:payment")]).await, first);
    assert_ne!(passing.token(&[("resource", CART)]).await, first);
    assert_eq!(passing.fake.given(), 3);
    passing.shop.app.pass(1);
    assert_ne!(passing.token(&[]).await, first);
    assert_eq!(passing.fake.given(), 4);
}

#[tokio::test]
async fn no_token_outlives_a_change_of_its_key() {
    let passing = Passing::with(300, |_| ()).await;
    let app = &passing.shop.app;
    passing.token(&[]).await;
    let narrowed = json!({"permissions": [{"resource": PAYMENT, "scopes": ["read:payment"]}]});
    let narrow = app
        .put(&passing.key.path("/permissions"))
        .operator()
        .json(narrowed);
    narrow.send().await.expect(200);
    assert_eq!(
        passing.trade(&[]).await.expect(200)["scope"],
        "read:payment"
    );
    passing
        .trade(&[("scope", "write:payment")])
        .await
        .problem("invalid_scope");
    app.delete(&passing.key.path(""))
        .operator()
        .send()
        .await
        .expect(204);
    passing.trade(&[]).await.problem("api_key_revoked");
}

#[tokio::test]
async fn what_the_provider_grants_less_is_less() {
    let passing = Passing::with(300, |_| ()).await;
    let only = [(PAYMENT.parse().unwrap(), "read:payment".parse().unwrap())];
    passing.fake.limit_rights(only.into_iter().collect());
    assert_eq!(
        passing.trade(&[]).await.expect(200)["scope"],
        "read:payment"
    );
    passing
        .trade(&[("scope", "write:payment")])
        .await
        .problem("invalid_scope");
    passing
        .trade(&[("resource", CART)])
        .await
        .problem("invalid_target");
    passing
        .trade(&[("scope", "read:payment")])
        .await
        .expect(200);
}

#[tokio::test]
async fn a_token_that_says_more_than_was_asked_is_refused() {
    let passing = Passing::with(300, |_| ()).await;
    passing.fake.gives(Tokens {
        clock: passing.shop.app.clock(),
        lifetime: 300,
        say_more: true,
    });
    passing
        .trade(&[("scope", "read:payment")])
        .await
        .problem("invalid_scope");
    passing.trade(&[]).await.problem("invalid_scope");
}

#[tokio::test]
async fn a_token_that_lives_too_long_is_an_outage_and_an_alarm() {
    let passing = Passing::with(3601, |_| ()).await;
    for _ in 0..2 {
        passing
            .trade(&[])
            .await
            .problem("identity_provider_unavailable");
    }
    let alarms = r#"kagiya_identity_provider_alarms_total{provider="corp"}"#;
    assert_eq!(passing.shop.app.metric(alarms).await, 2);
    let rows = "SELECT count(*) AS number FROM audit_events WHERE action = 'identity_provider.token_lifetime'";
    eventually("it is on record once", async || {
        passing.shop.app.count(rows).await == 1
    })
    .await;
}

#[tokio::test]
async fn the_management_api_takes_ours_alone() {
    let passing = Passing::with(300, |_| ()).await;
    let body = json!({
        "identity_provider": "corp",
        "permissions": [{"resource": MANAGEMENT, "scopes": ["keys:read"]}],
    });
    let key = passing.shop.issue(body).await;
    let request = passing.shop.app.post("/v1/token").by(&Key(&key.key));
    let answer = request.send().await.expect(200);
    assert_eq!(answer.header("x-kagiya-answer"), Some("mint"));
    let token = answer.text("access_token");
    let list = passing.shop.app.get("/v1/keys");
    list.by(&crate::support::credentials::Bearer(&token))
        .send()
        .await
        .expect(200);
}

#[rstest]
#[case::fail_closed(None)]
#[case::serve_last_known(Some(300))]
#[tokio::test]
async fn in_an_outage_a_kept_token_goes_on_as_the_policy_says(#[case] outlast: Option<u64>) {
    let passing = Passing::with(200, |policy| {
        policy.outlast = outlast.map(Duration::from_secs)
    })
    .await;
    let token = passing.token(&[]).await;
    passing.fake.always(Mood::FailsBefore);
    passing.shop.app.pass(59);
    assert_eq!(passing.token(&[]).await, token);
    passing.shop.app.pass(1);
    match outlast {
        None => drop(
            passing
                .trade(&[])
                .await
                .problem("identity_provider_unavailable"),
        ),
        Some(_) => assert_eq!(passing.token(&[]).await, token),
    }
    // Never beyond its own end, and never another one than was fetched.
    passing
        .trade(&[("scope", "read:payment")])
        .await
        .problem("identity_provider_unavailable");
    passing.shop.app.pass(140);
    passing
        .trade(&[])
        .await
        .problem("identity_provider_unavailable");
}

#[tokio::test]
async fn equal_requests_at_once_are_one_sign_in() {
    let passing = Passing::with(300, |_| ()).await;
    passing
        .fake
        .when(Ask::Authenticate, Mood::Late(Duration::from_millis(500)));
    let trades = (0..50).map(|_| passing.trade(&[]));
    for answer in futures_util::future::join_all(trades).await {
        answer.expect(200);
    }
    assert_eq!(passing.fake.given(), 1);
}
