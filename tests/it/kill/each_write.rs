//! `kill -9` at each write of a creation and of both rotations, one after the other, and the repeat of the call after it.
//!
//! A small library, preloaded into the server, kills it at the write with a given number: to the database, or to whoever asks. The number
//! counts up until a call comes to its end, so every moment between two steps is met. What the server left tells which steps were done.
//! The repeat with the same Idempotency-Key then gives the answer that was kept or runs afresh, and in both cases one key lives.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use kagiya::domain::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::database::Users;
use super::dice::Dice;
use super::journal::whole;
use super::{database, say};
use crate::support::database::{number, postgres_url};
use crate::support::process::{Answer, Place, Server, Wire};
use crate::support::test_app::PAYMENT;

/// After how long a call without an answer counts as cut off on PostgreSQL, and a little more.
const GIVEN_UP: Duration = Duration::from_secs(32);
/// How old a token of the operator may become here.
const TOKEN_AGE: i64 = 300;
/// How often a call is gone through until each step was met.
const ROUNDS: usize = 5;
/// More writes than any call makes.
const TOO_MANY: usize = 500;

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    Create,
    Rotate,
    RotateOwn,
}

const CALLS: [Call; 3] = [Call::Create, Call::Rotate, Call::RotateOwn];

/// How far the server came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// Nothing is on record.
    Nothing,
    /// The Idempotency-Key is.
    Begun,
    /// So is the generation that is to be made.
    Intended,
    /// Its user is made.
    UserMade,
    /// It lives, with its answer kept; nobody was told.
    Done,
    /// The caller was told, and then the server died.
    Told,
}

/// One call that was cut off.
struct Attempt {
    call: Call,
    /// The Idempotency-Key, and the name of the key where one is made.
    name: String,
    /// The key that is rotated: its id, and itself.
    key: Option<(String, String)>,
    landed: Step,
    told: Option<Value>,
}

#[tokio::test]
async fn the_repeat_after_a_kill_at_each_sync_finds_one_key_on_sqlite() {
    run(Place::on_sqlite(), "sync").await;
}

#[tokio::test]
#[ignore = "takes minutes: run by the CI"]
async fn the_repeat_after_a_kill_at_each_write_finds_one_key_on_sqlite() {
    run(Place::on_sqlite(), "write").await;
}

#[tokio::test]
#[ignore = "takes minutes and needs PostgreSQL: run by the CI"]
async fn the_repeat_after_a_kill_at_each_write_finds_one_key_on_postgresql() {
    let server = postgres_url().expect("KAGIYA_TEST_POSTGRES_URL names a server");
    run(Place::on_postgres(&server), "write").await;
}

/// The library, made from its source.
fn library(place: &Place, only: &str) -> PathBuf {
    let library = place.path("die_at_write.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/kill/die_at_write.c");
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", source, "-ldl", "-o"]);
    command
        .arg(&library)
        .arg(format!("-DONLY_SYNCS={}", u8::from(only == "sync")));
    assert!(command.status().unwrap().success(), "cc");
    library
}

struct Run {
    place: Place,
    organization: String,
    token: (Timestamp, String),
    dice: Dice,
    /// About how many writes a call makes that are counted.
    writes: usize,
    /// Kills in the middle of a repeat.
    again: usize,
    keys: usize,
}

async fn run(mut place: Place, only: &str) {
    let library = library(&place, only).display().to_string();
    place.set("LD_PRELOAD", &library);
    place.set("DIE_AT", &place.path("die-at").display().to_string());
    let seed = Dice::seed();
    say(&place, &format!("at each {only}, KAGIYA_TEST_SEED={seed}"));
    let mut run = Run::prepare(place, seed).await;
    run.writes = if only == "sync" { 6 } else { 60 };
    let moments: &[&str] = if run.place.is_sqlite() {
        // What is written before one write is written after the one before it.
        &["before"]
    } else {
        &["before", "after"]
    };
    let mut steps = vec![Step::Begun, Step::Intended, Step::UserMade, Step::Done];
    // Nothing is synced before the first thing that is written.
    steps.extend((only == "write").then_some(Step::Nothing));
    let mut landed: BTreeMap<(Call, Step), usize> = BTreeMap::new();
    let mut open = Vec::new();
    for call in CALLS {
        // Where the server writes for itself in between, a step may be passed over.
        for _round in 0..ROUNDS {
            for moment in moments.iter().chain(&["told"]) {
                for at in 1.. {
                    assert!(at < TOO_MANY, "{call:?} never comes to its end");
                    let attempt = run.attempt(call, &format!("{at} {moment}")).await;
                    let Some(attempt) = attempt else { break };
                    *landed.entry((call, attempt.landed)).or_default() += 1;
                    if run.place.is_sqlite() {
                        run.settle(&attempt).await;
                    } else {
                        open.push(attempt);
                    }
                }
            }
            if steps.iter().all(|step| landed.contains_key(&(call, *step))) {
                break;
            }
        }
    }
    if !open.is_empty() {
        sleep(GIVEN_UP).await;
    }
    for attempt in &open {
        run.settle(attempt).await;
    }
    for ((call, step), times) in &landed {
        say(
            &run.place,
            &format!("{call:?} was killed at {step:?} {times} times"),
        );
    }
    say(
        &run.place,
        &format!("{} repeats were killed as well", run.again),
    );
    for call in CALLS {
        for step in &steps {
            assert!(landed.contains_key(&(call, *step)), "{call:?} at {step:?}");
        }
    }
    run.finish().await;
}

impl Run {
    async fn prepare(place: Place, seed: u64) -> Self {
        let mut server = place.spawn();
        let address = server.address().await;
        let token = place.operator_token();
        let wire = Wire {
            address,
            token: token.clone(),
        };
        let resource = json!({"identifier": PAYMENT, "permissions": [{"name": "write:payment"}]});
        let post = ("POST", "/v1/resources");
        let made = whole(wire.manage(post, None, Some(&resource)).await);
        assert_eq!(made.status, 201, "{}", made.json);
        let post = ("POST", "/v1/organizations");
        let made = whole(
            wire.manage(post, None, Some(&json!({"name": "Acme"})))
                .await,
        );
        let organization = made.text("id");
        server.kill().await;
        Self {
            place,
            organization,
            token: (SystemClock.now(), token),
            dice: Dice::new(seed),
            writes: 1,
            again: 0,
            keys: 0,
        }
    }

    /// A token of the operator that is good for a while.
    fn refresh_token(&mut self) {
        if SystemClock.now().duration_since(self.token.0).as_secs() > TOKEN_AGE {
            self.token = (SystemClock.now(), self.place.operator_token());
        }
    }

    async fn wire(&self, server: &mut Server<'_>) -> Wire {
        Wire {
            address: server.address().await,
            token: self.token.1.clone(),
        }
    }

    fn arm(&self, order: &str) {
        fs::write(self.place.path("die-at"), order).unwrap();
    }

    fn disarm(&self) {
        let _ = fs::remove_file(self.place.path("die-at"));
    }

    fn wanted(&self, name: &str) -> Value {
        json!({
            "name": name, "organization_id": self.organization, "self_rotate": true,
            "permissions": [{"resource": PAYMENT, "scopes": ["write:payment"]}],
        })
    }

    /// Makes the call on a server that dies as ordered; `None` if it comes to its end first.
    async fn attempt(&mut self, call: Call, order: &str) -> Option<Attempt> {
        self.refresh_token();
        self.keys += 1;
        let name = format!("key {} of {call:?}", self.keys);
        let mut server = self.place.spawn();
        let wire = self.wire(&mut server).await;
        // For a creation it only warms the server up.
        let post = ("POST", "/v1/keys");
        let made = whole(wire.manage(post, None, Some(&self.wanted(&name))).await);
        let key = (call != Call::Create).then(|| (made.text("id"), made.text("key")));
        let mut attempt = Attempt {
            call,
            name: name.replace(' ', "-"),
            key,
            landed: Step::Told,
            told: None,
        };
        let begun = SystemClock.now();
        self.arm(order);
        let answer = self.send(&wire, &attempt).await;
        self.disarm();
        if let Some(answer) = answer {
            assert!(matches!(answer.status, 200 | 201), "{}", answer.json);
            let alive = wire.present("/livez", "").await.is_some() && server.is_running();
            attempt.told = Some(answer.json);
            server.kill().await;
            return (!alive).then_some(attempt);
        }
        server.kill().await;
        attempt.landed = self.landed(&attempt, begun).await;
        Some(attempt)
    }

    async fn send(&self, wire: &Wire, attempt: &Attempt) -> Option<Answer> {
        let name = Some(attempt.name.as_str());
        match (attempt.call, &attempt.key) {
            (Call::Rotate, Some((id, _))) => {
                let path = format!("/v1/keys/{id}/rotate");
                wire.manage(("POST", &path), name, None).await
            }
            (Call::RotateOwn, Some((_, key))) => {
                let credential = format!("X-API-Key: {key}");
                let body = json!({"grace_seconds": 3600});
                let post = ("POST", "/v1/key/rotate");
                wire.call(&credential, post, name, Some(&body)).await
            }
            _ => {
                let body = self.wanted(&attempt.name);
                wire.manage(("POST", "/v1/keys"), name, Some(&body)).await
            }
        }
    }

    /// What the server left of a call that began at this moment.
    async fn landed(&self, attempt: &Attempt, begun: Timestamp) -> Step {
        let begun = begun.as_microsecond();
        let generations = match &attempt.key {
            Some((id, _)) => format!("FROM credentials WHERE key_id = '{id}'"),
            None => format!(
                "FROM credentials JOIN api_keys ON api_keys.id = key_id WHERE api_keys.name = '{}'",
                attempt.name
            ),
        };
        let before = i64::from(attempt.key.is_some());
        let remains = self.place.look_at_remains(move |connection| {
            let mut count = |what: String| {
                number(
                    connection,
                    &format!("SELECT count(*) AS number FROM {what}"),
                )
            };
            let attempts = count(format!("idempotency WHERE created_at >= {begun}"))?;
            let kept = count(format!(
                "idempotency WHERE created_at >= {begun} AND sealed_answer IS NOT NULL"
            ))?;
            let all = count(generations.replacen("FROM ", "", 1))? - before;
            let with_user = count(format!(
                "builtin_users WHERE user_name IN (SELECT 'k_' || user_name {generations})"
            ))? - before;
            Ok::<_, kagiya::store::Error>((attempts, kept, all, with_user))
        });
        match remains.await {
            (0, 0, 0, 0) => Step::Nothing,
            (1, 0, 0, 0) => Step::Begun,
            (1, 0, 1, 0) => Step::Intended,
            (1, 0, 1, 1) => Step::UserMade,
            // The outbox may have removed the replaced user.
            (1, 1, 1, 0 | 1) => Step::Done,
            remains => panic!("{:?} left {remains:?}", attempt.call),
        }
    }

    /// Repeats the call until it is answered, though the server be killed over that as well, and judges what came of it.
    async fn settle(&mut self, attempt: &Attempt) {
        self.refresh_token();
        let answered = loop {
            let mut server = self.place.spawn();
            let wire = self.wire(&mut server).await;
            // On PostgreSQL each cut costs half a minute.
            if self.place.is_sqlite() && self.dice.percent(40) {
                let at = 1 + self.dice.below(self.writes);
                self.arm(&format!("{at} before"));
            }
            let answer = self.send(&wire, attempt).await;
            self.disarm();
            server.kill().await;
            if let Some(answer) = answer {
                break answer;
            }
            self.again += 1;
        };
        let mut server = self.place.spawn();
        let wire = self.wire(&mut server).await;
        self.judge(&wire, attempt, &answered).await;
        server.kill().await;
    }

    async fn judge(&self, wire: &Wire, attempt: &Attempt, answered: &Answer) {
        let told = format!(
            "{:?} killed at {:?}: {}",
            attempt.call, attempt.landed, answered.json
        );
        let right = if attempt.call == Call::Create {
            201
        } else {
            200
        };
        assert_eq!(answered.status, right, "{told}");
        if let Some(before) = &attempt.told {
            assert_eq!(*before, answered.json, "{told}");
        }
        let (id, key) = (answered.text("id"), answered.text("key"));
        let repeated = whole(self.send(wire, attempt).await);
        assert_eq!(repeated.json, answered.json, "{told}");
        let taken = whole(wire.present("/v1/token", &key).await);
        assert_eq!(taken.status, 200, "{told}");
        let mut live = 1;
        if let Some((rotated, old)) = &attempt.key {
            assert_eq!(*rotated, id, "{told}");
            let old = whole(wire.present("/v1/token", old).await);
            if attempt.call == Call::RotateOwn {
                live = 2;
                assert_eq!(old.status, 200, "{told}");
            } else {
                assert_eq!(old.code(), "api_key_rotated", "{told}");
            }
        }
        let rotations = i64::from(attempt.key.is_some());
        let name = attempt.name.clone();
        let counted = self.place.look(move |connection| {
            let mut count = |what: String| {
                number(
                    connection,
                    &format!("SELECT count(*) AS number FROM {what}"),
                )
            };
            Ok::<_, kagiya::store::Error>([
                count(format!(
                    "credentials WHERE key_id = '{id}' AND state IN ('active', 'retiring')"
                ))?,
                count(format!(
                    "credentials WHERE key_id = '{id}' AND state = 'pending'"
                ))?,
                count(format!("api_keys WHERE name = '{name}'"))?,
                count(format!(
                    "audit_events WHERE subject = '{id}' AND action = 'key.rotated'"
                ))?,
                count(format!(
                    "audit_events WHERE subject = '{id}' AND action = 'key.created'"
                ))?,
            ])
        });
        let named = i64::from(attempt.key.is_none());
        assert_eq!(counted.await, [live, 0, named, rotations, 1], "{told}");
    }

    /// Nothing half-made is left, and no user without a key.
    async fn finish(self) {
        let mut server = self.place.spawn();
        server.address().await;
        loop {
            let look = |connection: &mut _| database::not_in_the_end(connection, Users::BuiltIn);
            let open = self.place.look(look).await;
            if open.is_empty() {
                break;
            }
            say(&self.place, &format!("not yet: {}", open.join(", ")));
            sleep(Duration::from_secs(3)).await;
        }
        server.kill().await;
    }
}
