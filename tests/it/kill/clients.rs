//! A caller who issues, rotates and revokes keys until the server dies under him.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::dice::Dice;
use super::journal::{ANSWERS, Holding, Open, Settled, UNAVAILABLE, Wanted};
use crate::support::process::{Answer, Wire};
use crate::support::test_app::PAYMENT;

/// Graces of rotations in seconds: none, one that ends during the test, one that does not.
const GRACES: [u32; 4] = [0, 0, 2, 3600];

pub(crate) struct Client {
    number: usize,
    organization: String,
    calls: usize,
    dice: Dice,
    pub(crate) holdings: Vec<Holding>,
    /// Those touched since the last look at them.
    pub(crate) touched: Vec<usize>,
    /// Creations to be repeated after the next restart. Nobody has used their keys.
    pub(crate) wanted: Vec<Wanted>,
}

impl Client {
    pub(crate) fn new(number: usize, organization: &str, seed: u64) -> Self {
        Self {
            number,
            organization: organization.to_owned(),
            calls: 0,
            dice: Dice::new(seed),
            holdings: Vec::new(),
            touched: Vec::new(),
            wanted: Vec::new(),
        }
    }

    /// Calls until there is no answer.
    pub(crate) async fn work(mut self, wire: Wire, killed: &AtomicBool) -> Self {
        while self.call(&wire).await.is_some() {}
        assert!(
            killed.load(Ordering::SeqCst),
            "no answer, and nobody killed the server"
        );
        self
    }

    /// How many answers there were to what changes something.
    pub(crate) fn calls(&self) -> usize {
        self.calls
    }

    async fn call(&mut self, wire: &Wire) -> Option<()> {
        let usable = |holding: &Holding| !holding.revoked && holding.open.is_none();
        let chosen = (!self.holdings.is_empty())
            .then(|| self.dice.below(self.holdings.len()))
            .filter(|chosen| usable(&self.holdings[*chosen]));
        match (chosen, self.dice.below(10)) {
            (Some(chosen), 0..4) => self.rotate(wire, chosen).await?,
            (Some(chosen), 4..6) => self.revoke(wire, chosen).await?,
            (Some(chosen), 6) => self.holdings[chosen].judge(wire).await?,
            _ => self.create(wire).await?,
        }
        self.calls += 1;
        Some(())
    }

    async fn create(&mut self, wire: &Wire) -> Option<()> {
        let name = format!("key-{}-{}", self.number, self.dice.next());
        let body = json!({
            "name": name, "organization_id": self.organization,
            "permissions": [{"resource": PAYMENT, "scopes": ["write:payment"]}],
        });
        let idempotency_key = self.dice.percent(50).then(|| format!("create-{name}"));
        if let Some(idempotency_key) = idempotency_key.clone() {
            self.wanted.push(Wanted {
                idempotency_key,
                body: body.clone(),
                answer: None,
            });
        }
        let call = ("POST", "/v1/keys");
        let answer = wire
            .manage(call, idempotency_key.as_deref(), Some(&body))
            .await?;
        if answer.code() == UNAVAILABLE {
            // Then nothing of it stays.
            self.wanted.pop_if(|_| idempotency_key.is_some());
            return Some(());
        }
        expect(&answer, 201, "a creation");
        let wanted = self.wanted.pop_if(|_| idempotency_key.is_some());
        if let Some(mut wanted) = wanted
            && self.dice.percent(20)
        {
            // Not used until after the crash, for its first use would erase the kept answer.
            wanted.answer = Some(answer.json);
            self.wanted.push(wanted);
            return Some(());
        }
        self.hold(Holding::issued(&answer));
        Some(())
    }

    async fn rotate(&mut self, wire: &Wire, chosen: usize) -> Option<()> {
        self.touched.push(chosen);
        let grace = GRACES[self.dice.below(GRACES.len())];
        // A repeat must have the same body, and it is repeated without one.
        let idempotency_key =
            (grace == 0 && self.dice.percent(50)).then(|| format!("rotate-{}", self.dice.next()));
        let holding = &mut self.holdings[chosen];
        let path = format!("/v1/keys/{}/rotate", holding.id);
        holding.open = Some(Open::Rotation {
            idempotency_key: idempotency_key.clone(),
        });
        let body = (grace > 0).then(|| json!({"grace_seconds": grace}));
        let answer = wire
            .manage(("POST", &path), idempotency_key.as_deref(), body.as_ref())
            .await?;
        if answer.code() == UNAVAILABLE {
            // Then the old key lives.
            holding.open = None;
            return Some(());
        }
        expect(&answer, 200, "a rotation");
        holding.rotated(&answer);
        Some(())
    }

    async fn revoke(&mut self, wire: &Wire, chosen: usize) -> Option<()> {
        self.touched.push(chosen);
        let holding = &mut self.holdings[chosen];
        holding.open = Some(Open::Revocation);
        let answer = match &holding.current {
            Some(key) if self.dice.percent(50) => wire.present("/v1/key/revoke", key).await?,
            _ => {
                wire.manage(("DELETE", &format!("/v1/keys/{}", holding.id)), None, None)
                    .await?
            }
        };
        expect(&answer, 204, "a revocation");
        holding.revoked = true;
        holding.open = None;
        Some(())
    }

    fn hold(&mut self, holding: Holding) {
        self.touched.push(self.holdings.len());
        self.holdings.push(holding);
    }

    /// After a restart: repeats what had no answer, and says whether all of it is settled.
    pub(crate) async fn settle(&mut self, wire: &Wire, at_once: bool) -> Settled {
        let mut all = Settled::Yes;
        for mut wanted in std::mem::take(&mut self.wanted) {
            let (settled, holding) = wanted.settle(wire, at_once).await;
            if settled == Settled::NotYet {
                all = Settled::NotYet;
                self.wanted.push(wanted);
            }
            if let Some(holding) = holding {
                self.hold(holding);
            }
        }
        for (index, holding) in self.holdings.iter_mut().enumerate() {
            if holding.open.is_none() {
                continue;
            }
            self.touched.push(index);
            if holding.settle(wire, at_once).await == Settled::NotYet {
                all = Settled::NotYet;
            }
        }
        all
    }

    /// Judges what was touched since the last time and some of the rest, or everything.
    pub(crate) async fn judge(&mut self, wire: &Wire, everything: bool) {
        let mut chosen = std::mem::take(&mut self.touched);
        if everything {
            chosen = (0..self.holdings.len()).collect();
        } else if !self.holdings.is_empty() {
            chosen.extend((0..4).map(|_| self.dice.below(self.holdings.len())));
        }
        chosen.sort_unstable();
        chosen.dedup();
        for index in chosen {
            let judged = self.holdings[index].judge(wire).await;
            judged.expect(ANSWERS);
        }
    }
}

fn expect(answer: &Answer, status: u16, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.json);
}
