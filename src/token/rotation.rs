//! When a signing key changes its state, so that no verifier that caches the JWK set ever meets an unknown `kid`.
//!
//! Pure rules: they say which steps are due, the caller performs them in one transaction of the store and builds a new
//! ring. Two waits carry the guarantee:
//!
//! * A key signs only after twice the set's max-age in the set: one max-age for the caches of verifiers, one for
//!   nodes that are slow to take notice and for caches between.
//! * A retired key stays in the set until its last token has expired, and [`SETTLING`] longer for the same slow nodes,
//!   which may have signed with it for a little while after it retired.
//!
//! Two exceptions. At the first start keys of an empty ring sign at once, since nobody can have cached a set yet. And when the active
//! key is withdrawn another one signs at once, known to verifiers or not: a key that others may have is worse than a token that is
//! refused until the set is read again.
//! An algorithm may be put off at the first start ([`KeyRing::first_keys`]), if the set is given out as not to be kept until it has its
//! keys.

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use crate::domain::algorithm::SigningAlgorithm;
use crate::token::key_ring::{KeyRing, KeyState, RingKey};

/// By when every node has taken notice of a change of the ring.
pub const SETTLING: SignedDuration = SignedDuration::from_mins(10);

/// The times that rotation goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationPolicy {
    /// How long a verifier may keep the JWK set: the `max-age` that it is served with.
    pub set_max_age: SignedDuration,
    /// The longest life that any token may ever be given; not the longest one configured today, since older tokens
    /// live by yesterday's configuration.
    pub longest_token_lifetime: SignedDuration,
    /// The age at which an active key is replaced.
    pub rotate_after: SignedDuration,
}

/// 5 minutes in caches, tokens of at most an hour, a new key every 90 days.
impl Default for RotationPolicy {
    fn default() -> Self {
        Self {
            set_max_age: SignedDuration::from_mins(5),
            longest_token_lifetime: SignedDuration::from_hours(1),
            rotate_after: SignedDuration::from_hours(90 * 24),
        }
    }
}

/// One change of the ring. All steps of one plan belong into one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a key that is active at once: at the first start only.
    CreateActive(SigningAlgorithm),
    /// Make a key in state next.
    CreateNext(SigningAlgorithm),
    /// Let the key sign from now on, in place of the one that signed so far.
    Activate {
        /// The key in state next.
        kid: String,
        /// The active key of the same algorithm, if there is one: it retires at the same moment.
        retire: Option<Retirement>,
    },
    /// Take the key out of the set at once; what it signed is refused from now on.
    Withdraw {
        /// Any key but one that is withdrawn already.
        kid: String,
    },
    /// Delete the retired key.
    Remove {
        /// The key that no living token needs.
        kid: String,
    },
}

/// Which key retires, and when it may be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retirement {
    /// The key that signed so far.
    pub kid: String,
    /// When its last token has expired, and [`SETTLING`] after.
    pub remove_at: Timestamp,
}

/// Why a rotation that was asked for cannot be now.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RotateError {
    /// Nothing is there to rotate to; the next plan makes it.
    #[error("there is no next signing key for {0} yet")]
    NoNext(SigningAlgorithm),
    /// Verifiers may not know the next key yet.
    #[error("the next signing key has not been published long enough: possible from {from}")]
    TooEarly {
        /// From when on it is possible.
        from: Timestamp,
    },
}

impl KeyRing {
    /// What is due at `now` for the algorithms in use: missing keys, rotation by age, keys to delete. Empty most of
    /// the time.
    pub fn plan(&self, algorithms: &[SigningAlgorithm], now: Timestamp) -> Vec<Step> {
        if self.keys().is_empty() {
            let first = |algorithm: &SigningAlgorithm| {
                [Step::CreateActive(*algorithm), Step::CreateNext(*algorithm)]
            };
            return algorithms.iter().flat_map(first).collect();
        }
        let mut steps = self.removals(now);
        for algorithm in algorithms.iter().copied() {
            match self.next(algorithm) {
                None => steps.push(Step::CreateNext(algorithm)),
                Some(next)
                    if self.is_due(algorithm, now) && self.policy().signs_from(next) <= now =>
                {
                    steps.extend(self.replacement(next, now));
                }
                Some(_) => {}
            }
        }
        steps
    }

    /// The first keys of an algorithm that was put off at the first start: they sign at once. Nothing if it has a key already,
    /// whatever its state. Only where no verifier can have kept a set that was without them.
    pub fn first_keys(&self, algorithm: SigningAlgorithm) -> Option<[Step; 2]> {
        self.lacks(algorithm)
            .then_some([Step::CreateActive(algorithm), Step::CreateNext(algorithm)])
    }

    /// The steps of a rotation by hand: the next key becomes active, the active one retires, a new next one is made.
    ///
    /// # Errors
    /// No next key, or one that was published too short a time ago.
    pub fn rotate(
        &self,
        algorithm: SigningAlgorithm,
        now: Timestamp,
    ) -> Result<Vec<Step>, RotateError> {
        let next = self.next(algorithm).ok_or(RotateError::NoNext(algorithm))?;
        let from = self.policy().signs_from(next);
        if now < from {
            return Err(RotateError::TooEarly { from });
        }
        Ok(self.replacement(next, now).into())
    }

    /// The steps by which a key is withdrawn: another one takes its place in the same moment. None if it is withdrawn already; `None` if
    /// there is no such key.
    pub fn withdraw(&self, kid: &str) -> Option<Vec<Step>> {
        let key = self.keys().iter().find(|key| key.key.kid() == kid)?;
        let algorithm = key.algorithm();
        let withdraw = Step::Withdraw {
            kid: kid.to_owned(),
        };
        Some(match key.state {
            KeyState::Withdrawn => vec![],
            KeyState::Retired { .. } => vec![withdraw],
            KeyState::Next => vec![withdraw, Step::CreateNext(algorithm)],
            KeyState::Active { .. } => {
                let successor = match self.next(algorithm) {
                    Some(next) => Step::Activate {
                        kid: next.key.kid().to_owned(),
                        retire: None,
                    },
                    None => Step::CreateActive(algorithm),
                };
                vec![withdraw, successor, Step::CreateNext(algorithm)]
            }
        })
    }

    /// The oldest key in state next.
    fn next(&self, algorithm: SigningAlgorithm) -> Option<&RingKey> {
        let is_next = |key: &&RingKey| key.state == KeyState::Next && key.algorithm() == algorithm;
        self.keys().iter().find(is_next)
    }

    fn is_due(&self, algorithm: SigningAlgorithm, now: Timestamp) -> bool {
        let since = self.keys().iter().find_map(|key| match key.state {
            KeyState::Active { since } if key.algorithm() == algorithm => Some(since),
            _ => None,
        });
        since.is_none_or(|since| after(since, self.policy().rotate_after) <= now)
    }

    fn replacement(&self, next: &RingKey, now: Timestamp) -> [Step; 2] {
        let last_expiry = after(now, self.policy().longest_token_lifetime);
        let retire = self.active(next.algorithm()).map(|active| Retirement {
            kid: active.kid().to_owned(),
            remove_at: after(last_expiry, SETTLING),
        });
        let kid = next.key.kid().to_owned();
        [
            Step::Activate { kid, retire },
            Step::CreateNext(next.algorithm()),
        ]
    }

    fn removals(&self, now: Timestamp) -> Vec<Step> {
        let due = self.keys().iter().filter(
            |key| matches!(key.state, KeyState::Retired { remove_at, .. } if remove_at <= now),
        );
        due.map(|key| Step::Remove {
            kid: key.key.kid().to_owned(),
        })
        .collect()
    }
}

impl RotationPolicy {
    /// Whether `key` can have signed a token issued at `issued_at`, on this node or another.
    ///
    /// A key that was never active here may be so elsewhere, but nowhere before its time; a retired one may have been
    /// used by a node that had not taken notice. Beyond that a token of such a key is forged.
    pub(super) fn may_have_signed(&self, key: &RingKey, issued_at: Timestamp) -> bool {
        match key.state {
            KeyState::Next => self.signs_from(key) <= issued_at,
            KeyState::Active { .. } => true,
            KeyState::Retired { since, .. } => issued_at <= after(since, SETTLING),
            KeyState::Withdrawn => false,
        }
    }

    /// From when on a key in state next may become active.
    fn signs_from(&self, next: &RingKey) -> Timestamp {
        after(next.created_at, self.set_max_age * 2)
    }
}

/// `moment` + `duration`, the end of time if that lies beyond it.
fn after(moment: Timestamp, duration: SignedDuration) -> Timestamp {
    moment.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::token::signing_key::SigningKey;

    const ALGORITHMS: [SigningAlgorithm; 2] = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa];

    fn minutes(minutes: i64) -> SignedDuration {
        SignedDuration::from_mins(minutes)
    }

    /// A store that performs the steps, and all rings that there ever were.
    struct Deployment {
        now: Timestamp,
        policy: RotationPolicy,
        keys: Vec<RingKey>,
        /// Since when which ring has been in force.
        history: Vec<(Timestamp, KeyRing)>,
    }

    impl Deployment {
        fn start(policy: RotationPolicy) -> Self {
            let now = "2026-11-22T00:00:00Z".parse().unwrap();
            let ring = KeyRing::new(vec![], policy).unwrap();
            let mut deployment = Self {
                now,
                policy,
                keys: vec![],
                history: vec![],
            };
            deployment.perform(ring.plan(&ALGORITHMS, now));
            deployment
        }

        fn ring(&self) -> &KeyRing {
            &self.history.last().unwrap().1
        }

        fn plan(&mut self) {
            let steps = self.ring().plan(&ALGORITHMS, self.now);
            self.perform(steps);
        }

        fn perform(&mut self, steps: Vec<Step>) {
            let now = self.now;
            for step in steps {
                match step {
                    Step::CreateActive(algorithm) => {
                        self.create(algorithm, KeyState::Active { since: now });
                    }
                    Step::CreateNext(algorithm) => self.create(algorithm, KeyState::Next),
                    Step::Activate { kid, retire } => {
                        self.key(&kid).state = KeyState::Active { since: now };
                        if let Some(Retirement { kid, remove_at }) = retire {
                            let since = now;
                            self.key(&kid).state = KeyState::Retired { since, remove_at };
                        }
                    }
                    Step::Withdraw { kid } => self.key(&kid).state = KeyState::Withdrawn,
                    Step::Remove { kid } => self.keys.retain(|key| key.key.kid() != kid),
                }
            }
            let ring = KeyRing::new(self.keys.clone(), self.policy).unwrap();
            self.history.push((now, ring));
        }

        fn create(&mut self, algorithm: SigningAlgorithm, state: KeyState) {
            self.keys.push(RingKey {
                key: Arc::new(SigningKey::generate(algorithm).unwrap()),
                state,
                created_at: self.now,
            });
        }

        fn key(&mut self, kid: &str) -> &mut RingKey {
            let key = self.keys.iter_mut().find(|key| key.key.kid() == kid);
            key.unwrap()
        }

        /// Every ring that was in force at some moment of the last `age`.
        fn rings_within(&self, age: SignedDuration) -> impl Iterator<Item = &KeyRing> {
            let from = self.now.checked_sub(age).unwrap();
            let ended = self.history.iter().skip(1).map(|(since, _)| *since);
            let ended = ended.chain([Timestamp::MAX]);
            let rings = self.history.iter().zip(ended);
            rings
                .filter(move |(_, ended)| *ended > from)
                .map(|((_, ring), _)| ring)
        }
    }

    fn kids(steps: &[Step]) -> Vec<&'static str> {
        let name = |step: &Step| match step {
            Step::CreateActive(_) => "create active",
            Step::CreateNext(_) => "create next",
            Step::Activate { retire: None, .. } => "activate",
            Step::Activate { .. } => "replace",
            Step::Withdraw { .. } => "withdraw",
            Step::Remove { .. } => "remove",
        };
        steps.iter().map(name).collect()
    }

    #[test]
    fn the_first_start_makes_an_active_and_a_next_key_for_each_algorithm() {
        let deployment = Deployment::start(RotationPolicy::default());
        for algorithm in ALGORITHMS {
            assert!(deployment.ring().active(algorithm).is_some());
            assert!(deployment.ring().next(algorithm).is_some());
        }
        assert_eq!(deployment.ring().plan(&ALGORITHMS, deployment.now), []);
    }

    #[test]
    fn a_rotation_waits_until_the_next_key_was_published_twice_the_max_age() {
        let mut deployment = Deployment::start(RotationPolicy::default());
        let from = deployment.now + minutes(10);
        let rotate = |deployment: &Deployment| {
            deployment
                .ring()
                .rotate(SigningAlgorithm::Es256, deployment.now)
        };
        assert_eq!(rotate(&deployment), Err(RotateError::TooEarly { from }));
        deployment.now = from - SignedDuration::from_micros(1);
        assert_eq!(rotate(&deployment), Err(RotateError::TooEarly { from }));
        deployment.now = from;
        let next = deployment.ring().next(SigningAlgorithm::Es256).unwrap();
        let next = next.key.kid().to_owned();
        let steps = rotate(&deployment).unwrap();
        assert_eq!(kids(&steps), ["replace", "create next"]);
        deployment.perform(steps);
        let active = deployment.ring().active(SigningAlgorithm::Es256).unwrap();
        assert_eq!(active.kid(), next);
        let from = from + minutes(10);
        assert_eq!(rotate(&deployment), Err(RotateError::TooEarly { from }));
        assert_eq!(
            deployment
                .ring()
                .rotate(SigningAlgorithm::Rs256, deployment.now),
            Err(RotateError::NoNext(SigningAlgorithm::Rs256))
        );
    }

    #[test]
    fn an_active_key_is_replaced_at_90_days_and_removed_when_its_last_token_is_dead() {
        let mut deployment = Deployment::start(RotationPolicy::default());
        deployment.now += SignedDuration::from_hours(90 * 24) - minutes(1);
        assert_eq!(deployment.ring().plan(&ALGORITHMS, deployment.now), []);
        deployment.now += minutes(1);
        let steps = deployment.ring().plan(&ALGORITHMS, deployment.now);
        let one = ["replace", "create next"];
        assert_eq!(kids(&steps), [one, one].concat());
        deployment.perform(steps);
        deployment.now += minutes(60 + 10) - SignedDuration::from_micros(1);
        assert_eq!(deployment.ring().plan(&ALGORITHMS, deployment.now), []);
        deployment.now += SignedDuration::from_micros(1);
        let steps = deployment.ring().plan(&ALGORITHMS, deployment.now);
        assert_eq!(kids(&steps), ["remove", "remove"]);
    }

    #[test]
    fn an_algorithm_that_was_put_off_gets_its_first_keys_once() {
        let mut deployment = Deployment::start(RotationPolicy::default());
        let rs256 = SigningAlgorithm::Rs256;
        assert!(deployment.ring().lacks(rs256));
        let steps = deployment.ring().first_keys(rs256).unwrap();
        assert_eq!(steps, [Step::CreateActive(rs256), Step::CreateNext(rs256)]);
        deployment.perform(steps.into());
        assert!(deployment.ring().active(rs256).is_some());
        assert_eq!(deployment.ring().first_keys(rs256), None);
        assert_eq!(deployment.ring().first_keys(ALGORITHMS[0]), None);
    }

    #[test]
    fn an_algorithm_that_is_taken_up_later_is_published_before_it_signs() {
        let mut deployment = Deployment::start(RotationPolicy::default());
        let rs256 = [SigningAlgorithm::Rs256];
        let steps = deployment.ring().plan(&rs256, deployment.now);
        assert_eq!(kids(&steps), ["create next"]);
        deployment.perform(steps);
        deployment.now += minutes(9);
        assert_eq!(deployment.ring().plan(&rs256, deployment.now), []);
        deployment.now += minutes(1);
        let steps = deployment.ring().plan(&rs256, deployment.now);
        assert_eq!(kids(&steps), ["activate", "create next"]);
    }

    #[test]
    fn whatever_key_is_withdrawn_one_signs_and_one_is_next() {
        let mut deployment = Deployment::start(RotationPolicy::default());
        let algorithm = SigningAlgorithm::Es256;
        assert_eq!(deployment.ring().withdraw("nonsense"), None);
        let active = deployment.ring().active(algorithm).unwrap();
        let active = active.kid().to_owned();
        let next = deployment.ring().next(algorithm).unwrap();
        let next = next.key.kid().to_owned();
        let steps = deployment.ring().withdraw(&active).unwrap();
        assert_eq!(kids(&steps), ["withdraw", "activate", "create next"]);
        deployment.perform(steps);
        assert_eq!(deployment.ring().active(algorithm).unwrap().kid(), next);
        assert_eq!(deployment.ring().withdraw(&active), Some(vec![]));
        let waiting = deployment.ring().next(algorithm).unwrap();
        let waiting = waiting.key.kid().to_owned();
        let steps = deployment.ring().withdraw(&waiting).unwrap();
        assert_eq!(kids(&steps), ["withdraw", "create next"]);
        deployment.perform(steps);
        assert!(deployment.ring().next(algorithm).is_some());
        assert_eq!(deployment.ring().plan(&ALGORITHMS, deployment.now), []);
        // Without a next one, which a crash cannot bring about, one is made that signs at once.
        let key = deployment.ring().next(algorithm).unwrap();
        let key = key.key.kid().to_owned();
        deployment.key(&key).state = KeyState::Withdrawn;
        let ring = KeyRing::new(deployment.keys.clone(), deployment.policy).unwrap();
        let steps = ring.withdraw(&next).unwrap();
        assert_eq!(kids(&steps), ["withdraw", "create active", "create next"]);
    }

    #[test]
    fn a_token_of_a_key_is_believed_only_for_the_time_in_which_the_key_could_sign() {
        let mut deployment = Deployment::start(RotationPolicy::default());
        let start = deployment.now;
        let believed = |deployment: &Deployment, key: &RingKey, minute| {
            let issued_at = start + minutes(minute);
            deployment.policy.may_have_signed(key, issued_at)
        };
        let next = deployment.ring().next(SigningAlgorithm::Es256).unwrap();
        assert!(!believed(&deployment, next, 9));
        assert!(believed(&deployment, next, 10));
        deployment.now += minutes(20);
        let first = deployment.keys[0].key.kid().to_owned();
        let steps = deployment
            .ring()
            .rotate(SigningAlgorithm::Es256, deployment.now);
        deployment.perform(steps.unwrap());
        let retired = deployment.key(&first).clone();
        assert!(believed(&deployment, &retired, 30));
        assert!(!believed(&deployment, &retired, 31));
        let withdrawn = RingKey {
            state: KeyState::Withdrawn,
            ..retired
        };
        assert!(!believed(&deployment, &withdrawn, 0));
    }

    #[derive(Clone, Debug)]
    enum Event {
        /// Seconds.
        Wait(i64),
        Plan,
        Rotate(SigningAlgorithm),
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let algorithm = prop::sample::select(ALGORITHMS.to_vec());
        let event = prop_oneof![
            2 => (1i64..900).prop_map(Event::Wait),
            // Just after the longest life of a token, when a key may be removed too early.
            2 => (3600i64..3900).prop_map(Event::Wait),
            1 => (3900i64..200_000).prop_map(Event::Wait),
            4 => Just(Event::Plan),
            3 => algorithm.prop_map(Event::Rotate),
        ];
        prop::collection::vec(event, 1..150)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Nodes take notice of a change up to 300 s late, and verifiers keep what they fetched for 300 s: each set that
        /// was in force within 600 s must know the key of every living token, also of those that a slow node signs with
        /// the old key 300 s after it retired.
        #[test]
        fn jw_12_no_caching_verifier_ever_meets_an_unknown_kid(events in events()) {
            let rotate_after = SignedDuration::from_hours(24);
            let policy = RotationPolicy { rotate_after, ..RotationPolicy::default() };
            let late = SignedDuration::from_secs(300);
            let mut deployment = Deployment::start(policy);
            let mut living: Vec<(String, Timestamp)> = vec![];
            for event in events {
                // Every key that signs before the event may still do so on a slow node for a while after it.
                for algorithm in ALGORITHMS {
                    let key = deployment.ring().active(algorithm).expect("an active key at all times");
                    let expiry = deployment.now + late + policy.longest_token_lifetime;
                    living.push((key.kid().to_owned(), expiry));
                }
                match event {
                    Event::Wait(seconds) => deployment.now += SignedDuration::from_secs(seconds),
                    Event::Plan => deployment.plan(),
                    Event::Rotate(algorithm) => {
                        if let Ok(steps) = deployment.ring().rotate(algorithm, deployment.now) {
                            deployment.perform(steps);
                        }
                    }
                }
                living.retain(|(_, expiry)| *expiry > deployment.now);
                for ring in deployment.rings_within(late + policy.set_max_age) {
                    for (kid, _) in &living {
                        let known = ring.keys().iter().find(|key| key.key.kid() == kid);
                        prop_assert!(known.is_some(), "a cached set does not know {kid}");
                    }
                }
                for (kid, expiry) in &living {
                    let known = deployment.keys.iter().find(|key| key.key.kid() == kid).unwrap();
                    let issued_at = *expiry - policy.longest_token_lifetime;
                    prop_assert!(policy.may_have_signed(known, issued_at), "our own token is refused");
                }
            }
        }
    }
}
