//! No sequence of calls ever gives more than its caller held.
//!
//! Drawn sequences of calls by keys (with limits, with an owner) and persons (a member, an admin), between which the operator narrows
//! and widens what they hold. After each call of theirs that was let through, every key of the organization is traded: what it gives now
//! it gave before, or its caller held it at that moment. Limits likewise: what is looser than before is within the caller's own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{put_member, role, set_ceiling};
use crate::management::manager_with;
use crate::support::credentials::{Bearer, Key};
use crate::support::openid_issuer::OpenIdIssuer;
use crate::support::test_app::{CART, Issued, PAYMENT, Shop};
use crate::support::transcript::Answer;

/// Every permission there is here beside those of the management API.
const ALL: [(&str, &str); 3] = [
    (PAYMENT, "read:payment"),
    (PAYMENT, "write:payment"),
    (CART, "read:cart"),
];
const SEQUENCES: u64 = 6;
const CALLS: usize = 30;

/// What is given: places in [`ALL`].
type Set = BTreeSet<usize>;

/// Numbers that are the same in each run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most).unwrap()).unwrap()
    }

    fn set(&mut self) -> Set {
        (0..ALL.len()).filter(|_| self.below(2) == 0).collect()
    }
}

fn permissions(set: &Set) -> Value {
    let mut by_resource: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for index in set {
        by_resource
            .entry(ALL[*index].0)
            .or_default()
            .push(ALL[*index].1);
    }
    by_resource
        .into_iter()
        .map(|(resource, scopes)| json!({"resource": resource, "scopes": scopes}))
        .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Limited,
    Owned,
    Member,
    Admin,
}

struct World {
    shop: Shop,
    issuer: OpenIdIssuer,
    /// Those who manage, as keys: with limits, and with an owner.
    limited: (Issued, String),
    owned: (Issued, String),
    member: String,
    clerk: String,
    /// Every key that was ever shown, newest last; what it was traded for tells what it gives.
    keys: Vec<Issued>,
    role: Set,
    ceiling: Set,
}

impl World {
    async fn new(draw: &mut Draw) -> Self {
        let issuer = OpenIdIssuer::start();
        let shop = Shop::on(issuer.setup(&[]).start().await).await;
        let app = &shop.app;
        let known = async |sub: &str| {
            let token = issuer.token(app, sub);
            let me = app
                .get("/v1/me")
                .by(&Bearer(&token))
                .send()
                .await
                .expect(200);
            me["user"]["id"].as_str().unwrap().to_owned()
        };
        let (member, admin) = (known("member").await, known("admin").await);
        let clerk = role(app, "clerk", &[]).await;
        put_member(app, (&shop.organization, &member), "member", &[&clerk])
            .await
            .expect(201);
        put_member(app, (&shop.organization, &admin), "admin", &[])
            .await
            .expect(201);
        let further = json!({
            "rate_limit": {"requests": 10_000, "per_seconds": 1}, "expires_at": app.time_in(100_000),
            "allowed_cidrs": ["127.0.0.0/8"],
        });
        let first = manager_with(&shop, &["keys:write"], permissions(&draw.set()), further).await;
        let further = json!({"owner": admin});
        let second = manager_with(&shop, &["keys:write"], permissions(&draw.set()), further).await;
        let keys = vec![
            shop.issue(json!({"permissions": permissions(&draw.set())}))
                .await,
            shop.issue(json!({"permissions": permissions(&draw.set()), "owner": member}))
                .await,
        ];
        Self {
            limited: (first.key, first.token),
            owned: (second.key, second.token),
            member,
            clerk,
            keys,
            role: Set::new(),
            ceiling: (0..ALL.len()).collect(),
            shop,
            issuer,
        }
    }

    /// What a key gives now.
    async fn gives(&self, key: &str) -> Set {
        let mut given = Set::new();
        for resource in [PAYMENT, CART] {
            let request = self.shop.app.post("/v1/token").by(&Key(key));
            let answer = request.json(json!({"resource": resource})).send().await;
            if answer.status != 200 {
                continue;
            }
            let scopes = answer.text("scope");
            let held = |index: &usize| {
                ALL[*index].0 == resource && scopes.split(' ').any(|scope| scope == ALL[*index].1)
            };
            given.extend((0..ALL.len()).filter(held));
        }
        given
    }

    async fn all(&self) -> Vec<Set> {
        let mut all = Vec::new();
        for key in &self.keys {
            all.push(self.gives(&key.key).await);
        }
        all
    }

    async fn held(&self, who: Who) -> Set {
        match who {
            Who::Limited => self.gives(&self.limited.0.key).await,
            Who::Owned => self.gives(&self.owned.0.key).await,
            Who::Member => self.role.intersection(&self.ceiling).copied().collect(),
            Who::Admin => self.ceiling.clone(),
        }
    }

    fn token(&self, who: Who) -> String {
        match who {
            Who::Limited => self.limited.1.clone(),
            Who::Owned => self.owned.1.clone(),
            Who::Member => self.issuer.token(&self.shop.app, "member"),
            Who::Admin => self.issuer.token(&self.shop.app, "admin"),
        }
    }

    /// The operator changes what they hold.
    async fn turn(&mut self, draw: &mut Draw) {
        let app = &self.shop.app;
        match draw.below(3) {
            0 => {
                self.role = draw.set();
                let body = json!({"permissions": permissions(&self.role)});
                let path = format!("/v1/roles/{}", self.clerk);
                app.patch(&path)
                    .operator()
                    .json(body)
                    .send()
                    .await
                    .expect(200);
            }
            1 => {
                self.ceiling = draw.set();
                let mut all = permissions(&self.ceiling).as_array().unwrap().clone();
                all.push(json!({"resource": crate::support::test_app::MANAGEMENT, "scopes": ["keys:write"]}));
                set_ceiling(&self.shop, json!(all)).await.expect(200);
            }
            _ => {
                let key = if draw.below(2) == 0 {
                    &self.limited.0
                } else {
                    &self.owned.0
                };
                let mut all = permissions(&draw.set()).as_array().unwrap().clone();
                all.push(json!({"resource": crate::support::test_app::MANAGEMENT, "scopes": ["keys:write"]}));
                let put = app.put(&key.path("/permissions")).operator();
                let put = put.json(json!({"permissions": all})).send().await;
                assert!(matches!(put.status, 200 | 409), "{}", put.transcript());
                // What its token could do is judged anew at each call; one that was rotated away stays away.
            }
        }
    }

    /// One call, drawn.
    async fn call(&mut self, who: Who, draw: &mut Draw) -> Answer {
        let app = &self.shop.app;
        let token = self.token(who);
        let by = Bearer(&token);
        let targets = self.keys.len() + 2;
        let target = match draw.below(targets) {
            0 => &self.limited.0,
            1 => &self.owned.0,
            other => &self.keys[other - 2],
        };
        let limits = [
            json!({"rate_limit": {"requests": 5000, "per_seconds": 1}}),
            json!({"rate_limit": null}),
            json!({"expires_at": app.time_in(50_000)}),
            json!({"expires_at": null}),
            json!({"allowed_cidrs": ["127.0.0.1/32"]}),
            json!({"allowed_cidrs": null}),
            json!({"disabled": true}),
            json!({"disabled": false}),
            json!({"owner": null}),
            json!({"owner": self.member}),
        ];
        let answer = match draw.below(5) {
            0 | 1 => {
                let tight = json!({
                    "permissions": permissions(&draw.set()), "expires_at": app.time_in(50_000),
                    "rate_limit": {"requests": 5000, "per_seconds": 1}, "allowed_cidrs": ["127.0.0.1/32"],
                });
                let loose = ["rate_limit", "expires_at", "allowed_cidrs"][draw.below(3)];
                let mut wanted = self.shop.wanted(tight);
                if draw.below(3) == 0 {
                    wanted.as_object_mut().unwrap().remove(loose);
                }
                app.post("/v1/keys").by(&by).json(wanted).send().await
            }
            2 => app.post(&target.path("/rotate")).by(&by).send().await,
            3 => {
                let body = json!({"permissions": permissions(&draw.set())});
                app.put(&target.path("/permissions"))
                    .by(&by)
                    .json(body)
                    .send()
                    .await
            }
            _ => {
                let body = limits[draw.below(limits.len())].clone();
                app.patch(&target.path("")).by(&by).json(body).send().await
            }
        };
        if answer.status < 300 && answer["key"].is_string() {
            self.keys.push(Issued::read(answer.clone()));
        }
        answer
    }

    async fn object(&self, id: &str) -> Value {
        let shown = self
            .shop
            .app
            .get(&format!("/v1/keys/{id}"))
            .operator()
            .send()
            .await;
        shown.expect(200).json().clone()
    }
}

/// Whether a limit is looser than another; absent ones are the loosest.
fn is_looser(one: &Value, than: &Value) -> bool {
    let end = |key: &Value| {
        key["expires_at"]
            .as_str()
            .map_or("9999".to_owned(), str::to_owned)
    };
    let rate = |key: &Value| key["rate_limit"]["requests"].as_u64().unwrap_or(u64::MAX);
    let networks = |key: &Value| match key["allowed_cidrs"][0].as_str() {
        None => 0,
        Some("127.0.0.0/8") => 1,
        Some(_) => 2,
    };
    end(one) > end(than) || rate(one) > rate(than) || networks(one) < networks(than)
}

#[tokio::test]
async fn no_sequence_of_calls_gives_more_than_its_caller_held() {
    let (mut granted, mut refused) = (0, 0);
    for sequence in 1..=SEQUENCES {
        let mut draw = Draw(sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut world = World::new(&mut draw).await;
        for step in 0..CALLS {
            if draw.below(3) == 0 {
                world.turn(&mut draw).await;
            }
            let who = [Who::Limited, Who::Owned, Who::Member, Who::Admin][draw.below(4)];
            let held = world.held(who).await;
            let before = world.all().await;
            let answer = world.call(who, &mut draw).await;
            let told = format!(
                "sequence {sequence}, step {step}: {who:?} held {held:?}\n{}",
                answer.transcript()
            );
            assert!(
                matches!(answer.status, 200 | 201 | 401 | 403 | 404 | 409 | 422),
                "{told}"
            );
            let after = world.all().await;
            for (index, now) in after.iter().enumerate() {
                let nothing = Set::new();
                let was = before.get(index).unwrap_or(&nothing);
                let gained: Vec<_> = now.difference(was).collect();
                assert!(
                    gained.iter().all(|gained| held.contains(gained)),
                    "{gained:?} at key {index}\n{told}"
                );
            }
            if answer.status >= 300 {
                refused += 1;
                continue;
            }
            granted += 1;
            // A key that one with limits made or rotated is at least as tight.
            if who == Who::Limited && answer["key"].is_string() {
                let own = world.object(&world.limited.0.id).await;
                assert!(!is_looser(answer.json(), &own), "{own}\n{told}");
            }
        }
    }
    println!("{granted} calls were let through and {refused} were not");
    assert!(granted > 30 && refused > 30, "{granted} and {refused}");
}
