//! No sequence of calls gives more than there was: tokens of applications and keys, traded and narrowed over drawn exchange rules, while
//! the operator changes what everybody holds. Each token that is given is held against a model of the rules that is written down here
//! anew, and each token that there is against what it was made of.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::exchange::{auditor, exchange, rule};
use super::introspect::introspect;
use crate::applications::{Application, grant, machine_role, make};
use crate::support::credentials::Key;
use crate::support::test_app::{Issued, Shop, TestApp, claims};
use crate::support::transcript::Answer;

const RESOURCES: [&str; 3] = [
    "https://a.example.com",
    "https://b.example.com",
    "https://c.example.com",
];
const SCOPES: [&str; 3] = ["x", "y", "z"];
const SEQUENCES: u64 = 5;
const CALLS: usize = 60;

/// A permission: a resource and a scope, by their places.
type Set = BTreeSet<(usize, usize)>;

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
        let mut set = Set::new();
        for resource in 0..RESOURCES.len() {
            for scope in 0..SCOPES.len() {
                if self.below(3) > 0 {
                    set.insert((resource, scope));
                }
            }
        }
        set
    }

    /// Scopes of one resource, at least one.
    fn scopes(&mut self) -> BTreeSet<usize> {
        let some: BTreeSet<usize> = (0..SCOPES.len()).filter(|_| self.below(2) == 0).collect();
        if some.is_empty() {
            BTreeSet::from([self.below(SCOPES.len())])
        } else {
            some
        }
    }
}

fn permissions(set: &Set) -> Value {
    let at = |resource: usize| -> Vec<&str> {
        let here = set.iter().filter(|(at, _)| *at == resource);
        here.map(|(_, scope)| SCOPES[*scope]).collect()
    };
    (0..RESOURCES.len())
        .filter(|resource| !at(*resource).is_empty())
        .map(|resource| json!({"resource": RESOURCES[resource], "scopes": at(resource)}))
        .collect()
}

fn names(scopes: &BTreeSet<usize>) -> Vec<&'static str> {
    scopes.iter().map(|scope| SCOPES[*scope]).collect()
}

/// What a token permits, by what it says.
fn says(claims: &Value) -> Set {
    let resource = RESOURCES
        .iter()
        .position(|one| claims["aud"] == *one)
        .unwrap();
    claims["scope"]
        .as_str()
        .unwrap()
        .split(' ')
        .map(|name| {
            (
                resource,
                SCOPES.iter().position(|one| *one == name).unwrap(),
            )
        })
        .collect()
}

struct Party {
    client: Application,
    role: String,
    holds: Set,
}

struct KeyParty {
    key: Issued,
    holds: Set,
}

struct Rule {
    id: String,
    client: usize,
    from: usize,
    to: usize,
    requires: BTreeSet<usize>,
    gives: BTreeSet<usize>,
    must_hold: bool,
}

struct Token {
    jwt: String,
    claims: Value,
    /// The token that it was made of, and by which rule.
    parent: Option<usize>,
}

struct World {
    shop: Shop,
    parties: Vec<Party>,
    keys: Vec<KeyParty>,
    rules: Vec<Rule>,
    tokens: Vec<Token>,
    asker: Application,
}

impl World {
    async fn new(draw: &mut Draw) -> Self {
        let shop = Shop::new().await;
        let app = &shop.app;
        for resource in RESOURCES {
            app.resource(resource, &SCOPES).await;
        }
        let mut parties = Vec::new();
        for name in ["one", "two", "three"] {
            let holds = draw.set();
            let role = machine_role(app, name, permissions(&holds)).await;
            let client = make(app, json!({"name": name, "roles": [role]})).await;
            parties.push(Party {
                client,
                role,
                holds,
            });
        }
        let mut keys = Vec::new();
        for _ in 0..2 {
            let holds = draw.set();
            let key = shop
                .issue(json!({"permissions": permissions(&holds)}))
                .await;
            keys.push(KeyParty { key, holds });
        }
        let asker = auditor(app).await;
        let mut world = Self {
            shop,
            parties,
            keys,
            rules: Vec::new(),
            tokens: Vec::new(),
            asker,
        };
        for _ in 0..6 {
            world.add_rule(draw).await;
        }
        world
    }

    fn app(&self) -> &TestApp {
        &self.shop.app
    }

    async fn add_rule(&mut self, draw: &mut Draw) {
        let (client, from, to) = (draw.below(self.parties.len()), draw.below(3), draw.below(3));
        if self
            .rules
            .iter()
            .any(|rule| (rule.client, rule.from, rule.to) == (client, from, to))
        {
            return;
        }
        let requires: BTreeSet<usize> = if draw.below(2) == 0 {
            BTreeSet::new()
        } else {
            draw.scopes()
        };
        let (gives, must_hold) = (draw.scopes(), draw.below(3) > 0);
        let body = json!({
            "application_id": self.parties[client].client.id, "subject_resource": RESOURCES[from],
            "requires_scope": names(&requires), "target_resource": RESOURCES[to], "scopes": names(&gives),
            "subject_must_hold": must_hold, "impersonation": draw.below(2) == 0,
        });
        let id = rule(self.app(), body).await;
        self.rules.push(Rule {
            id,
            client,
            from,
            to,
            requires,
            gives,
            must_hold,
        });
    }

    /// The operator changes something.
    async fn turn(&mut self, draw: &mut Draw) {
        match draw.below(5) {
            0 => {
                let party = draw.below(self.parties.len());
                let holds = draw.set();
                let path = format!("/v1/roles/{}", self.parties[party].role);
                let change = self.app().patch(&path).operator();
                change
                    .json(json!({"permissions": permissions(&holds)}))
                    .send()
                    .await
                    .expect(200);
                self.parties[party].holds = holds;
            }
            1 => {
                let key = draw.below(self.keys.len());
                let holds = draw.set();
                let path = self.keys[key].key.path("/permissions");
                let change = self.app().put(&path).operator();
                change
                    .json(json!({"permissions": permissions(&holds)}))
                    .send()
                    .await
                    .expect(200);
                self.keys[key].holds = holds;
            }
            2 => {
                let key = draw.below(self.keys.len());
                let path = self.keys[key].key.path("/rotate");
                let rotated = self.app().post(&path).operator().send().await;
                self.keys[key].key = Issued::read(rotated.expect(200));
            }
            3 if !self.rules.is_empty() => {
                let gone = self.rules.remove(draw.below(self.rules.len()));
                let path = format!("/v1/exchange-rules/{}", gone.id);
                self.app().delete(&path).operator().send().await.expect(204);
            }
            _ => self.add_rule(draw).await,
        }
        self.app().pass(1);
    }

    /// What the subject of a token holds now.
    fn holds(&self, claims: &Value) -> &Set {
        let sub = claims["sub"].as_str().unwrap();
        let party = self.parties.iter().find(|party| party.client.id == sub);
        let key = || self.keys.iter().find(|party| party.key.id == sub);
        match party {
            Some(party) => &party.holds,
            None => &key().unwrap().holds,
        }
    }

    /// The most that a client may get for a token at a resource, by the rules as they are written down here.
    fn most(&self, client: usize, subject: &Token, to: usize) -> Set {
        let had = says(&subject.claims);
        let held = self.holds(&subject.claims);
        let from = had.first().unwrap().0;
        let mut most = Set::new();
        if subject.claims["client_id"] == self.parties[client].client.id && from == to {
            most.extend(had.iter().copied());
        }
        for rule in &self.rules {
            let enough = rule
                .requires
                .iter()
                .all(|scope| had.contains(&(from, *scope)));
            if (rule.client, rule.from, rule.to) != (client, from, to) || !enough {
                continue;
            }
            let given = rule.gives.iter().map(|scope| (to, *scope));
            most.extend(given.filter(|one| {
                (!rule.must_hold || held.contains(one)) && (from != to || had.contains(one))
            }));
        }
        most
    }

    fn keep(&mut self, answer: &Answer, parent: Option<usize>) -> &Token {
        let jwt = answer.text("access_token");
        let claims = claims(&jwt);
        self.tokens.push(Token {
            jwt,
            claims,
            parent,
        });
        self.tokens.last().unwrap()
    }

    /// A token of an application or of a key for itself; whether there was one.
    async fn first(&mut self, draw: &mut Draw) -> bool {
        let resource = draw.below(3);
        let scope = names(&draw.scopes()).join(" ");
        let mut asked = vec![("resource", RESOURCES[resource])];
        if draw.below(2) == 0 {
            asked.push(("scope", &scope));
        }
        let (answer, held) = if draw.below(2) == 0 {
            let party = &self.parties[draw.below(self.parties.len())];
            (
                grant(self.app(), &party.client, &asked).await,
                party.holds.clone(),
            )
        } else {
            let party = &self.keys[draw.below(self.keys.len())];
            let request = self.app().post("/v1/token").by(&Key(&party.key.key));
            (request.form(&asked).send().await, party.holds.clone())
        };
        if answer.status != 200 {
            return false;
        }
        let given = says(&self.keep(&answer, None).claims);
        assert!(given.is_subset(&held), "{given:?} of {held:?}");
        true
    }

    /// A trade; whether there was one.
    async fn trade(&mut self, draw: &mut Draw) -> bool {
        if self.tokens.is_empty() {
            return false;
        }
        let mut parent = draw.below(self.tokens.len());
        let mut client = draw.below(self.parties.len());
        let mut to = draw.below(3);
        // Mostly something that a rule is for: what is drawn blindly is refused nearly always.
        if !self.rules.is_empty() && draw.below(4) > 0 {
            let rule = &self.rules[draw.below(self.rules.len())];
            (client, to) = (rule.client, rule.to);
            let newest = self
                .tokens
                .iter()
                .rposition(|token| token.claims["aud"] == RESOURCES[rule.from]);
            parent = newest.unwrap_or(parent);
        }
        let scope = names(&draw.scopes()).join(" ");
        let mut asked = vec![("resource", RESOURCES[to])];
        if draw.below(2) == 0 {
            asked.push(("scope", &scope));
        }
        let subject = &self.tokens[parent];
        let most = self.most(client, subject, to);
        let answer = exchange(
            self.app(),
            &self.parties[client].client,
            &subject.jwt,
            &asked,
        )
        .await;
        if answer.status != 200 {
            assert!(matches!(answer.status, 400), "{}", answer.transcript());
            return false;
        }
        let before = subject.claims.clone();
        let after = self.keep(&answer, Some(parent)).claims.clone();
        let told = format!("{before}\n{after}\nmost {most:?}");
        assert!(says(&after).is_subset(&most), "{told}");
        assert!(after["exp"].as_i64() <= before["exp"].as_i64(), "{told}");
        for same in ["sub", "org_id", "owner", "gen"] {
            assert_eq!(after[same], before[same], "{told}");
        }
        let family = if before["fam"].is_null() {
            &before["jti"]
        } else {
            &before["fam"]
        };
        assert_eq!(&after["fam"], family, "{told}");
        true
    }

    /// Whatever was given: it is never worth more than it says, nor than what it was made of lives.
    async fn look_at_all(&self) {
        let mut live = Vec::new();
        for token in &self.tokens {
            let answer = introspect(self.app(), &self.asker, &token.jwt)
                .await
                .expect(200);
            let is_live = answer["active"] == true;
            if is_live {
                let now = says(&json!({"aud": token.claims["aud"], "scope": answer["scope"]}));
                assert!(
                    now.is_subset(&says(&token.claims)),
                    "{}\n{}",
                    token.claims,
                    answer.transcript()
                );
                if token.parent.is_none() {
                    assert!(
                        now.is_subset(self.holds(&token.claims)),
                        "{}",
                        answer.transcript()
                    );
                }
            }
            if let Some(parent) = token.parent {
                assert!(
                    !is_live || live[parent],
                    "it outlives what it was made of: {}",
                    token.claims
                );
            }
            live.push(is_live);
        }
    }
}

#[tokio::test]
async fn no_trade_no_exchange_and_no_rotation_ever_widens() {
    let (mut given, mut traded, mut refused) = (0, 0, 0);
    for sequence in 1..=SEQUENCES {
        let mut draw = Draw(sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut world = World::new(&mut draw).await;
        for step in 0..CALLS {
            match draw.below(8) {
                0 => world.turn(&mut draw).await,
                1 | 2 => given += usize::from(world.first(&mut draw).await),
                _ if world.trade(&mut draw).await => traded += 1,
                _ => refused += 1,
            }
            if step % 15 == 14 {
                world.look_at_all().await;
            }
        }
        world.look_at_all().await;
    }
    println!("{given} tokens for oneself, {traded} trades, {refused} refused");
    assert!(
        given > 20 && traded > 20 && refused > 20,
        "{given}, {traded}, {refused}"
    );
}
