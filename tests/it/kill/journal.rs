//! What the callers were told: the judge of what a restarted server must still know.
//!
//! Each call is written down before it is sent, and what it was answered when the answer is whole. After a restart a call without an
//! answer has either happened or not, and from then on it is the one or the other for ever.

use std::time::Duration;

use jiff::Timestamp;
use kagiya::domain::clock::{Clock, SystemClock};
use serde_json::Value;

use crate::support::process::{Answer, Wire};

pub(crate) const ANSWERS: &str = "the server answers as long as nobody kills it";

/// What an identity provider that is asked too much is answered as: nothing of the call stays, and it is made again.
pub(crate) const UNAVAILABLE: &str = "identity_provider_unavailable";
const AGAIN: Duration = Duration::from_millis(250);
const TIMES: usize = 80;

/// A key that somebody was given.
pub(crate) struct Holding {
    pub(crate) id: String,
    /// The text that works; none after a rotation whose answer was lost.
    pub(crate) current: Option<String>,
    replaced: Vec<Replaced>,
    rotated_at: Value,
    pub(crate) revoked: bool,
    /// The last call, as long as it has no answer.
    pub(crate) open: Option<Open>,
}

/// A text that a rotation replaced.
struct Replaced {
    key: String,
    /// When its grace is over.
    until: Timestamp,
}

/// A call that was sent.
pub(crate) enum Open {
    Rotation { idempotency_key: Option<String> },
    Revocation,
}

/// A creation that was sent with an Idempotency-Key: it can be repeated.
pub(crate) struct Wanted {
    pub(crate) idempotency_key: String,
    pub(crate) body: Value,
    /// What was answered, if it was.
    pub(crate) answer: Option<Value>,
}

/// Whether something is settled, or must be asked for again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Yes,
    NotYet,
}

impl Holding {
    /// Of the answer to a creation.
    pub(crate) fn issued(answer: &Answer) -> Self {
        Self {
            id: answer.text("id"),
            current: Some(answer.text("key")),
            replaced: Vec::new(),
            rotated_at: answer.json["rotated_at"].clone(),
            revoked: false,
            open: None,
        }
    }

    /// Every text of it that was given out.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let replaced = self.replaced.iter().map(|replaced| replaced.key.as_str());
        replaced.chain(self.current.as_deref())
    }

    /// A rotation was answered.
    pub(crate) fn rotated(&mut self, answer: &Answer) {
        assert_eq!(answer.text("id"), self.id);
        self.replace(&answer.json);
        self.current = Some(answer.text("key"));
        self.open = None;
    }

    /// The key object says that there was a rotation.
    fn replace(&mut self, object: &Value) {
        let dead = SystemClock.now();
        for replaced in &mut self.replaced {
            replaced.until = replaced.until.min(dead);
        }
        let until = object["retiring_until"]
            .as_str()
            .map(|until| until.parse().unwrap());
        self.replaced
            .extend(self.current.take().map(|key| Replaced {
                key,
                until: until.unwrap_or(dead),
            }));
        self.rotated_at = object["rotated_at"].clone();
    }

    /// Finds out, after a restart, what became of a call that had no answer, and repeats it where that is possible.
    pub(crate) async fn settle(&mut self, wire: &Wire, at_once: bool) -> Settled {
        let path = format!("/v1/keys/{}", self.id);
        match self.open.take() {
            None => Settled::Yes,
            Some(Open::Revocation) => {
                let shown = whole(wire.manage(("GET", &path), None, None).await);
                self.revoked = shown.json["revoked_at"].is_string();
                Settled::Yes
            }
            Some(Open::Rotation { idempotency_key }) => {
                let shown = whole(wire.manage(("GET", &path), None, None).await);
                let happened = shown.json["rotated_at"] != self.rotated_at;
                if happened {
                    self.replace(&shown.json);
                }
                let Some(idempotency_key) = idempotency_key else {
                    return Settled::Yes;
                };
                let rotate = format!("{path}/rotate");
                let call = ("POST", rotate.as_str());
                let repeated =
                    patient(async || whole(wire.manage(call, Some(&idempotency_key), None).await))
                        .await;
                if repeated.code() == "idempotency_in_progress" && !happened && !at_once {
                    self.open = Some(Open::Rotation {
                        idempotency_key: Some(idempotency_key),
                    });
                    return Settled::NotYet;
                }
                assert_eq!(
                    repeated.status, 200,
                    "a rotation repeated, happened: {happened}, {}",
                    repeated.json
                );
                if happened {
                    assert_eq!(
                        repeated.json["rotated_at"], self.rotated_at,
                        "rotated a second time"
                    );
                    self.current = Some(repeated.text("key"));
                } else {
                    self.rotated(&repeated);
                }
                Settled::Yes
            }
        }
    }

    /// Presents every text of this key that was ever given out; `None` if the server dies over it.
    pub(crate) async fn judge(&self, wire: &Wire) -> Option<()> {
        if let Some(key) = &self.current {
            let code = self.present(wire, key).await?;
            let right: &[&str] = match (self.revoked, &self.open) {
                (true, _) => &["api_key_revoked"],
                (false, None) => &[""],
                (false, Some(Open::Rotation { .. })) => &["", "api_key_rotated"],
                (false, Some(Open::Revocation)) => &["", "api_key_revoked"],
            };
            assert!(
                right.contains(&code.as_str()),
                "{}: {code:?}, not {right:?}",
                self.id
            );
        }
        for Replaced { key, until } in &self.replaced {
            let before = SystemClock.now();
            let code = self.present(wire, key).await?;
            let after = SystemClock.now();
            let right = match code.as_str() {
                // No token lives beyond its key and tokens live whole seconds, so the last one that has begun has none.
                "api_key_rotated" => until.as_second() <= after.as_second() || self.open.is_some(),
                "api_key_revoked" => self.revoked || matches!(self.open, Some(Open::Revocation)),
                "" => before < *until && !self.revoked,
                _ => false,
            };
            assert!(
                right,
                "{}: {code:?} for a key that was replaced, grace until {until}, now {after}",
                self.id
            );
        }
        Some(())
    }

    /// The code of the refusal; empty if it is taken.
    async fn present(&self, wire: &Wire, key: &str) -> Option<String> {
        let mut answer = wire.present("/v1/token", key).await?;
        for _ in 0..TIMES {
            if answer.code() != UNAVAILABLE {
                break;
            }
            tokio::time::sleep(AGAIN).await;
            answer = wire.present("/v1/token", key).await?;
        }
        if answer.status == 200 {
            assert!(answer.json["access_token"].is_string());
            return Some(String::new());
        }
        Some(answer.code().to_owned())
    }
}

impl Wanted {
    /// Repeats the creation after a restart: the same key, where it was made, else a new one.
    pub(crate) async fn settle(
        &mut self,
        wire: &Wire,
        at_once: bool,
    ) -> (Settled, Option<Holding>) {
        let path = format!("/v1/keys?q={}", self.body["name"].as_str().unwrap());
        let listed = whole(wire.manage(("GET", &path), None, None).await);
        let made: Vec<&Value> = listed.json["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|key| key["name"] == self.body["name"] && key["status"] != "pending")
            .collect();
        assert!(made.len() <= 1, "two keys of one name: {made:?}");
        let call = ("POST", "/v1/keys");
        let repeated = patient(async || {
            let repeated = wire.manage(call, Some(&self.idempotency_key), Some(&self.body));
            whole(repeated.await)
        })
        .await;
        if repeated.code() == "idempotency_in_progress"
            && made.is_empty()
            && self.answer.is_none()
            && !at_once
        {
            return (Settled::NotYet, None);
        }
        assert_eq!(
            repeated.status, 201,
            "a creation repeated: {}",
            repeated.json
        );
        if let Some(made) = made.first() {
            assert_eq!(repeated.json["id"], made["id"], "made a second time");
        }
        if let Some(answer) = &self.answer {
            assert_eq!(*answer, repeated.json, "another answer than before");
        }
        (Settled::Yes, Some(Holding::issued(&repeated)))
    }
}

/// Calls until the identity provider has time.
async fn patient(call: impl AsyncFn() -> Answer) -> Answer {
    let mut answer = call().await;
    for _ in 0..TIMES {
        if answer.code() != UNAVAILABLE {
            break;
        }
        tokio::time::sleep(AGAIN).await;
        answer = call().await;
    }
    answer
}

/// The answer of a server that nobody kills.
pub(crate) fn whole(answer: Option<Answer>) -> Answer {
    answer.expect(ANSWERS)
}
