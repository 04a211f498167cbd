//! A chain of four tokens: whatever ends one of them, or something that it stands on, ends all that was made of it, and those who
//! verify offline are told of each.

use serde_json::{Value, json};

use super::{ACCESS_TOKEN, auditor, exchange, holder, rule};
use crate::applications::{Application, grant, make};
use crate::oauth::introspect::introspect;
use crate::oauth::revocations::Offline;
use crate::support::test_app::{Issued, Shop, TestApp, claims, jose_header};

const HOPS: [&str; 4] = [
    "https://one.example.com",
    "https://two.example.com",
    "https://three.example.com",
    "https://four.example.com",
];

/// A token, and three that were made of it one after the other.
struct Chain {
    shop: Shop,
    /// Who got each.
    clients: Vec<Application>,
    rules: Vec<String>,
    key: Option<Issued>,
    tokens: Vec<String>,
    asker: Application,
}

fn everywhere() -> Value {
    HOPS.iter()
        .map(|resource| json!({"resource": resource, "scopes": ["go"]}))
        .collect()
}

impl Chain {
    /// Of an application, or of a key.
    async fn of(is_key: bool) -> Self {
        let shop = Shop::new().await;
        let app = &shop.app;
        for resource in HOPS {
            app.resource(resource, &["go"]).await;
        }
        let mut chain = Self {
            clients: vec![holder(app, "first", everywhere()).await],
            rules: Vec::new(),
            key: None,
            tokens: Vec::new(),
            asker: auditor(app).await,
            shop,
        };
        let app = &chain.shop.app;
        for pair in HOPS.windows(2) {
            let client = make(app, json!({"name": pair[0]})).await;
            let body = json!({
                "application_id": client.id, "subject_resource": pair[0], "requires_scope": ["go"],
                "target_resource": pair[1], "scopes": ["go"],
            });
            chain.rules.push(rule(app, body).await);
            chain.clients.push(client);
        }
        if is_key {
            let body = json!({"permissions": everywhere(), "default_resource": HOPS[0]});
            chain.key = Some(chain.shop.issue(body).await);
        }
        chain.trade().await;
        chain
    }

    fn app(&self) -> &TestApp {
        &self.shop.app
    }

    /// Makes the tokens anew.
    async fn trade(&mut self) {
        let first = match &self.key {
            Some(key) => self.app().trade(&key.key).await,
            None => grant(self.app(), &self.clients[0], &[("resource", HOPS[0])]).await,
        };
        let mut tokens = vec![first.expect(200).text("access_token")];
        for client in &self.clients[1..] {
            let answer = exchange(self.app(), client, &tokens[tokens.len() - 1], &[]).await;
            tokens.push(answer.expect(200).text("access_token"));
        }
        self.tokens = tokens;
    }

    /// Fails unless the first `living` tokens are good and no other, for who asks, who reads the list, and who would trade them.
    async fn assert_lives(&self, living: usize, why: &str) {
        let offline = Offline::read(self.app()).await;
        for (index, token) in self.tokens.iter().enumerate() {
            let lives = index < living;
            let answer = introspect(self.app(), &self.asker, token).await;
            let told = format!("{why}, token {index}: {}", answer.transcript());
            assert_eq!(answer["active"], lives, "{told}");
            assert_eq!(offline.refuses(token), !lives, "offline, {told}");
            if let Some(next) = self.clients.get(index + 1)
                && !lives
            {
                let traded = exchange(self.app(), next, token, &[]).await;
                assert_ne!(traded.status, 200, "traded, {told}");
            }
        }
    }
}

#[tokio::test]
async fn te_12_revoking_a_token_of_the_chain_ends_all_that_was_made_of_it() {
    let mut chain = Chain::of(false).await;
    for index in 0..HOPS.len() {
        chain.trade().await;
        chain.assert_lives(HOPS.len(), "before").await;
        let revoke = chain.app().post("/oauth/revoke").by(&chain.clients[index]);
        revoke
            .form(&[("token", &chain.tokens[index])])
            .send()
            .await
            .expect(200);
        chain.assert_lives(index, "revoked").await;
    }
}

#[tokio::test]
async fn te_12_an_application_of_the_chain_takes_all_that_it_got_with_it() {
    let mut chain = Chain::of(false).await;
    for index in 0..HOPS.len() {
        chain.trade().await;
        let path = chain.clients[index].path("");
        for (disabled, living) in [(true, index), (false, HOPS.len())] {
            let pause = chain.app().patch(&path).operator();
            pause
                .json(json!({"disabled": disabled}))
                .send()
                .await
                .expect(200);
            chain.assert_lives(living, "paused").await;
        }
    }
    // The last one first: whoever is removed does not come back.
    for index in (0..HOPS.len()).rev() {
        let path = chain.clients[index].path("?cascade=true");
        chain
            .app()
            .delete(&path)
            .operator()
            .send()
            .await
            .expect(204);
        let offline = Offline::read(chain.app()).await;
        for (at, token) in chain.tokens.iter().enumerate() {
            let answer = introspect(chain.app(), &chain.asker, token).await;
            assert_eq!(answer["active"], at < index, "removed {index}, token {at}");
            assert_eq!(
                offline.refuses(token),
                at >= index,
                "removed {index}, offline, token {at}"
            );
        }
    }
}

#[tokio::test]
async fn te_12_a_rule_of_the_chain_takes_all_that_it_gave_with_it() {
    let chain = Chain::of(false).await;
    for index in (0..chain.rules.len()).rev() {
        let path = format!("/v1/exchange-rules/{}", chain.rules[index]);
        chain
            .app()
            .delete(&path)
            .operator()
            .send()
            .await
            .expect(204);
        let offline = Offline::read(chain.app()).await;
        for (at, token) in chain.tokens.iter().enumerate() {
            let answer = introspect(chain.app(), &chain.asker, token).await;
            assert_eq!(answer["active"], at <= index, "rule {index}, token {at}");
            assert_eq!(
                offline.refuses(token),
                at > index,
                "rule {index}, offline, token {at}"
            );
        }
    }
}

#[tokio::test]
async fn te_12_a_key_takes_the_whole_chain_with_it_however_it_ends() {
    let mut chain = Chain::of(true).await;
    chain.assert_lives(HOPS.len(), "before").await;
    let path = |chain: &Chain, below: &str| chain.key.as_ref().unwrap().path(below);
    for (disabled, living) in [(true, 0), (false, HOPS.len())] {
        let pause = chain.app().patch(&path(&chain, "")).operator();
        pause
            .json(json!({"disabled": disabled}))
            .send()
            .await
            .expect(200);
        chain.assert_lives(living, "paused").await;
    }
    let organization = format!("/v1/organizations/{}", chain.shop.organization);
    for (disabled, living) in [(true, 0), (false, HOPS.len())] {
        let pause = chain.app().patch(&organization).operator();
        pause
            .json(json!({"disabled": disabled}))
            .send()
            .await
            .expect(200);
        chain.assert_lives(living, "its organization paused").await;
    }
    let rotate = chain.app().post(&path(&chain, "/rotate")).operator();
    let fresh = Issued::read(rotate.send().await.expect(200));
    chain.assert_lives(0, "rotated").await;
    chain.key = Some(fresh);
    chain.trade().await;
    chain.assert_lives(HOPS.len(), "the new generation").await;
    let sooner = chain.app().patch(&path(&chain, "")).operator();
    let body = json!({"expires_at": chain.app().time_in(10)});
    sooner.json(body).send().await.expect(200);
    chain.assert_lives(HOPS.len(), "not yet expired").await;
    chain.app().pass(20);
    chain.assert_lives(0, "expired").await;
    let later = chain.app().patch(&path(&chain, "")).operator();
    later
        .json(json!({"expires_at": null}))
        .send()
        .await
        .expect(200);
    chain.trade().await;
    chain.assert_lives(HOPS.len(), "going on").await;
    let revoke = chain.app().delete(&path(&chain, "")).operator();
    revoke.send().await.expect(204);
    chain.assert_lives(0, "revoked").await;
}

#[tokio::test]
async fn te_12_who_acts_by_a_token_of_his_own_takes_what_he_acted_in_with_him() {
    let mut chain = Chain::of(false).await;
    let app = chain.app();
    let agent = holder(
        app,
        "agent",
        json!([{"resource": HOPS[0], "scopes": ["go"]}]),
    )
    .await;
    let resources = app.get("/v1/resources").operator().send().await.expect(200);
    let one = resources["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|resource| resource["identifier"] == HOPS[0])
        .unwrap()["id"]
        .clone();
    let serve = app.patch(&chain.clients[1].path("")).operator();
    serve
        .json(json!({"resources": [one]}))
        .send()
        .await
        .expect(200);
    let acted = async |chain: &mut Chain| {
        let actor = grant(chain.app(), &agent, &[])
            .await
            .expect(200)
            .text("access_token");
        let by = [
            ("actor_token", actor.as_str()),
            ("actor_token_type", ACCESS_TOKEN),
        ];
        let mut tokens = vec![chain.tokens[0].clone()];
        for (index, client) in chain.clients.iter().enumerate().skip(1) {
            let further = if index == 1 { &by[..] } else { &[] };
            let answer = exchange(chain.app(), client, &tokens[index - 1], further).await;
            tokens.push(answer.expect(200).text("access_token"));
        }
        chain.tokens = tokens;
        actor
    };
    let actor = acted(&mut chain).await;
    assert_eq!(claims(&chain.tokens[1])["act"], json!({"sub": agent.id}));
    chain.assert_lives(HOPS.len(), "acted").await;
    let revoke = chain.app().post("/oauth/revoke").by(&agent);
    revoke.form(&[("token", &actor)]).send().await.expect(200);
    chain.assert_lives(1, "the actor's token revoked").await;
    acted(&mut chain).await;
    chain.assert_lives(HOPS.len(), "acted again").await;
    let pause = chain.app().patch(&agent.path("")).operator();
    pause
        .json(json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    chain.assert_lives(1, "the actor paused").await;
}

#[tokio::test]
async fn te_12_a_withdrawn_signing_key_ends_what_it_signed_and_all_that_was_made_of_that() {
    let chain = Chain::of(false).await;
    // The second resource's tokens are signed with another algorithm, so another key.
    let app = chain.app();
    let resources = app.get("/v1/resources").operator().send().await.expect(200);
    let two = resources["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|resource| resource["identifier"] == HOPS[1])
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let change = app.patch(&format!("/v1/resources/{two}")).operator();
    change
        .json(json!({"signing_alg": "EdDSA"}))
        .send()
        .await
        .expect(200);
    let mut chain = chain;
    chain.trade().await;
    let kid = jose_header(&chain.tokens[1])["kid"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(jose_header(&chain.tokens[0])["kid"], kid.as_str());
    chain.assert_lives(HOPS.len(), "before").await;
    let withdraw = format!("/v1/signing-keys/{kid}/withdraw");
    chain
        .app()
        .post(&withdraw)
        .operator()
        .send()
        .await
        .expect(200);
    chain.assert_lives(1, "withdrawn").await;
}

#[tokio::test]
async fn a_chain_survives_a_restart_and_so_does_its_end() {
    let mut chain = Chain::of(false).await;
    chain.shop = chain.shop.again(TestApp::restart).await;
    chain.assert_lives(HOPS.len(), "restarted").await;
    let revoke = chain.app().post("/oauth/revoke").by(&chain.clients[1]);
    revoke
        .form(&[("token", &chain.tokens[1])])
        .send()
        .await
        .expect(200);
    chain.shop = chain.shop.again(TestApp::crash).await;
    chain.assert_lives(1, "crashed").await;
}
