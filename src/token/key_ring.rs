//! The signing keys of a deployment, each in its state, and the JWK set made of them.
//!
//! A ring is a snapshot: made of the rows of the store, replaced whole when they change. It guarantees that each
//! algorithm has at most one active key, so that [`KeyRing::active`] is never a choice. When a key changes its state is
//! said in [`rotation`](crate::token::rotation).

use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

use crate::domain::algorithm::SigningAlgorithm;
use crate::token::jwk::JwkSet;
use crate::token::rotation::RotationPolicy;
use crate::token::signing_key::SigningKey;

/// Where a key is in its life; it only ever moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// In the set, so that verifiers get to know it; signs nothing yet.
    Next,
    /// Signs the tokens of its algorithm.
    Active {
        /// When it began to.
        since: Timestamp,
    },
    /// In the set for the sake of tokens that live; signs nothing any more.
    Retired {
        /// When it stopped signing.
        since: Timestamp,
        /// When no token of it can live any more.
        remove_at: Timestamp,
    },
    /// Taken out of the set before its time: whatever it signed is refused.
    Withdrawn,
}

/// One key of the ring.
#[derive(Clone)]
pub struct RingKey {
    /// The key itself.
    pub key: Arc<SigningKey>,
    /// Where it is in its life.
    pub state: KeyState,
    /// Since when it has been in the set.
    pub created_at: Timestamp,
}

/// The signing keys of a deployment at one moment.
pub struct KeyRing {
    keys: Vec<RingKey>,
    policy: RotationPolicy,
    jwk_set: JwkSet,
}

/// The rows do not make a ring.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KeyRingError {
    /// Two keys would both sign.
    #[error("more than one active signing key for {0}")]
    TwoActive(SigningAlgorithm),
    /// The same key twice.
    #[error("signing key {0} is there twice")]
    Repeated(String),
}

impl KeyRing {
    /// A ring of all keys that the store has, in any order.
    ///
    /// # Errors
    /// Two active keys for one algorithm, or one key twice.
    pub fn new(mut keys: Vec<RingKey>, policy: RotationPolicy) -> Result<Self, KeyRingError> {
        // One order for one set, so that all nodes render the same text and ETag.
        keys.sort_by(|a, b| (a.created_at, a.key.kid()).cmp(&(b.created_at, b.key.kid())));
        for (index, key) in keys.iter().enumerate() {
            let others = &keys[index + 1..];
            if others.iter().any(|other| other.key.kid() == key.key.kid()) {
                return Err(KeyRingError::Repeated(key.key.kid().to_owned()));
            }
            let algorithm = key.algorithm();
            let signs_too = |other: &RingKey| other.is_active() && other.algorithm() == algorithm;
            if key.is_active() && others.iter().any(signs_too) {
                return Err(KeyRingError::TwoActive(algorithm));
            }
        }
        let published = keys.iter().filter(|key| key.state != KeyState::Withdrawn);
        let jwk_set = JwkSet::render(published.map(|key| key.key.public_jwk()));
        Ok(Self {
            keys,
            policy,
            jwk_set,
        })
    }

    /// The key that signs tokens of `algorithm` now; none before the first one was made.
    pub fn active(&self, algorithm: SigningAlgorithm) -> Option<&Arc<SigningKey>> {
        let active = self
            .keys
            .iter()
            .find(|key| key.is_active() && key.algorithm() == algorithm);
        active.map(|key| &key.key)
    }

    /// Whether there is no key of `algorithm`, in whatever state.
    pub fn lacks(&self, algorithm: SigningAlgorithm) -> bool {
        self.keys.iter().all(|key| key.algorithm() != algorithm)
    }

    /// Every key, oldest first, withdrawn ones included.
    pub fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// The rules that the ring rotates by.
    pub fn policy(&self) -> RotationPolicy {
        self.policy
    }

    /// What verifiers get: every key but the withdrawn, rendered once.
    pub fn jwk_set(&self) -> &JwkSet {
        &self.jwk_set
    }
}

impl RingKey {
    /// The key's one algorithm.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.key.algorithm()
    }

    pub(super) fn is_active(&self) -> bool {
        matches!(self.state, KeyState::Active { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn key(algorithm: SigningAlgorithm, state: KeyState) -> RingKey {
        RingKey {
            key: Arc::new(SigningKey::generate(algorithm).unwrap()),
            state,
            created_at: NOW,
        }
    }

    fn ring(keys: &[&RingKey]) -> Result<KeyRing, KeyRingError> {
        let keys = keys.iter().map(|key| (*key).clone()).collect();
        KeyRing::new(keys, RotationPolicy::default())
    }

    #[test]
    fn each_algorithm_has_its_own_active_key() {
        let active = KeyState::Active { since: NOW };
        let ed = key(SigningAlgorithm::EdDsa, active);
        let es = key(SigningAlgorithm::Es256, active);
        let next = key(SigningAlgorithm::EdDsa, KeyState::Next);
        let both = ring(&[&next, &ed, &es]).unwrap();
        let signs = |algorithm| both.active(algorithm).map(|key| key.kid());
        assert_eq!(signs(SigningAlgorithm::EdDsa), Some(ed.key.kid()));
        assert_eq!(signs(SigningAlgorithm::Es256), Some(es.key.kid()));
        assert_eq!(signs(SigningAlgorithm::Rs256), None);
        let second = key(SigningAlgorithm::EdDsa, active);
        assert_eq!(
            ring(&[&ed, &second]).err(),
            Some(KeyRingError::TwoActive(SigningAlgorithm::EdDsa))
        );
        assert_eq!(
            ring(&[&ed, &ed]).err(),
            Some(KeyRingError::Repeated(ed.key.kid().to_owned()))
        );
    }

    #[test]
    fn jw_12_the_set_holds_every_key_but_the_withdrawn_in_one_order() {
        let keys = [
            key(SigningAlgorithm::EdDsa, KeyState::Next),
            key(SigningAlgorithm::EdDsa, KeyState::Active { since: NOW }),
            key(
                SigningAlgorithm::EdDsa,
                KeyState::Retired {
                    since: NOW,
                    remove_at: NOW,
                },
            ),
            key(SigningAlgorithm::EdDsa, KeyState::Withdrawn),
        ];
        let [next, active, retired, withdrawn] = &keys;
        let set = ring(&[next, active, retired, withdrawn]).unwrap();
        for published in [next, active, retired] {
            assert!(set.jwk_set().json().contains(published.key.kid()));
        }
        assert!(!set.jwk_set().json().contains(withdrawn.key.kid()));
        let other_order = ring(&[withdrawn, retired, active, next]).unwrap();
        assert_eq!(set.jwk_set(), other_order.jwk_set());
    }
}
