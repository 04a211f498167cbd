//! The states of a key and of its generations, and the only ways between them.
//!
//! A key's status is never stored: it follows from the moments on record, so that no two places can disagree. A transition that
//! makes no sense is an error and changes nothing; the terminal states have no way out.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a key is at a moment, in the contract's order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// Stopped for ever.
    Revoked,
    /// Past the moment that its owner set.
    Expired,
    /// Paused; can be enabled again.
    Disabled,
    /// Being made; shown to nobody yet.
    Pending,
    /// In use.
    Active,
}

impl KeyStatus {
    /// The word in the HTTP interface.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Disabled => "disabled",
            Self::Pending => "pending",
            Self::Active => "active",
        }
    }
}

impl FromStr for KeyStatus {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        [
            Self::Revoked,
            Self::Expired,
            Self::Disabled,
            Self::Pending,
            Self::Active,
        ]
        .into_iter()
        .find(|status| status.as_str() == text)
        .ok_or(UnknownState)
    }
}

/// The text names no state.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("names no state")]
pub struct UnknownState;

/// The moments of a key's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLifecycle {
    /// When the making of it began.
    pub created_at: Timestamp,
    /// When its first generation came to life; before that it is pending.
    pub activated_at: Option<Timestamp>,
    /// When it ends by its owner's wish; `None`, the default, is never.
    pub expires_at: Option<Timestamp>,
    /// Since when it is paused.
    pub disabled_at: Option<Timestamp>,
    /// Since when it is stopped for ever.
    pub revoked_at: Option<Timestamp>,
}

/// A step that the present state does not allow.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TransitionError {
    /// The key is revoked: nothing about it changes any more.
    #[error("the key is revoked")]
    Revoked,
    /// The step needs another state.
    #[error("the key is {status:?}")]
    Status {
        /// What it is.
        status: KeyStatus,
    },
}

impl KeyLifecycle {
    /// A key whose making begins now.
    pub fn pending(created_at: Timestamp, expires_at: Option<Timestamp>) -> Self {
        Self {
            created_at,
            activated_at: None,
            expires_at,
            disabled_at: None,
            revoked_at: None,
        }
    }

    /// What it is at `now`.
    pub fn status(&self, now: Timestamp) -> KeyStatus {
        if self.revoked_at.is_some() {
            KeyStatus::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            KeyStatus::Expired
        } else if self.disabled_at.is_some() {
            KeyStatus::Disabled
        } else if self.activated_at.is_none() {
            KeyStatus::Pending
        } else {
            KeyStatus::Active
        }
    }

    /// Its first generation comes to life.
    ///
    /// # Errors
    /// When it was revoked meanwhile.
    pub fn activate(self, at: Timestamp) -> Result<Self, TransitionError> {
        self.live()?;
        Ok(Self {
            activated_at: self.activated_at.or(Some(at)),
            ..self
        })
    }

    /// Pauses it; pausing a paused key keeps the first moment.
    ///
    /// # Errors
    /// When it is revoked.
    pub fn disable(self, at: Timestamp) -> Result<Self, TransitionError> {
        self.live()?;
        Ok(Self {
            disabled_at: self.disabled_at.or(Some(at)),
            ..self
        })
    }

    /// Ends the pause.
    ///
    /// # Errors
    /// When it is revoked.
    pub fn enable(self) -> Result<Self, TransitionError> {
        self.live()?;
        Ok(Self {
            disabled_at: None,
            ..self
        })
    }

    /// Stops it for ever; the first moment stays.
    pub fn revoke(self, at: Timestamp) -> Self {
        Self {
            revoked_at: self.revoked_at.or(Some(at)),
            ..self
        }
    }

    /// Whether a new generation may be made.
    ///
    /// # Errors
    /// Unless it is active or disabled.
    pub fn rotatable(&self, now: Timestamp) -> Result<(), TransitionError> {
        match self.status(now) {
            KeyStatus::Active | KeyStatus::Disabled if self.activated_at.is_some() => Ok(()),
            KeyStatus::Revoked => Err(TransitionError::Revoked),
            status => Err(TransitionError::Status { status }),
        }
    }

    fn live(&self) -> Result<(), TransitionError> {
        if self.revoked_at.is_some() {
            Err(TransitionError::Revoked)
        } else {
            Ok(())
        }
    }
}

/// The state of one generation of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialState {
    /// Intent on record; its provider user may or may not exist; shown to nobody.
    Pending,
    /// The generation that its key hands out.
    Active,
    /// Replaced, and still taken until a moment.
    Retiring {
        /// From when it is refused.
        until: Timestamp,
    },
    /// Refused for ever.
    Ended {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: EndReason,
    },
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// Its key was revoked.
    Revoked,
    /// A rotation replaced it, at once or when its grace was over.
    Rotated,
    /// It was never finished, and was thrown away.
    Undone,
}

impl EndReason {
    /// The word on record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Rotated => "rotated",
            Self::Undone => "undone",
        }
    }
}

impl FromStr for EndReason {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        [Self::Revoked, Self::Rotated, Self::Undone]
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or(UnknownState)
    }
}

/// A generation cannot go that way.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a generation that is {from} cannot become {to}")]
pub struct CredentialTransitionError {
    from: &'static str,
    to: &'static str,
}

impl CredentialState {
    /// The word on record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retiring { .. } => "retiring",
            Self::Ended { .. } => "ended",
        }
    }

    /// Comes to life: only what is pending can.
    ///
    /// # Errors
    /// From every other state; an ended generation never comes back.
    pub fn activate(self) -> Result<Self, CredentialTransitionError> {
        match self {
            Self::Pending => Ok(Self::Active),
            other => Err(CredentialTransitionError {
                from: other.as_str(),
                to: "active",
            }),
        }
    }

    /// Is replaced with a grace until `until`: only the active one can be.
    ///
    /// # Errors
    /// From every other state.
    pub fn retire(self, until: Timestamp) -> Result<Self, CredentialTransitionError> {
        match self {
            Self::Active => Ok(Self::Retiring { until }),
            other => Err(CredentialTransitionError {
                from: other.as_str(),
                to: "retiring",
            }),
        }
    }

    /// Ends; what has ended keeps its first moment and reason.
    #[must_use]
    pub fn end(self, at: Timestamp, reason: EndReason) -> Self {
        match self {
            ended @ Self::Ended { .. } => ended,
            _ => Self::Ended { at, reason },
        }
    }

    /// Whether it is taken at `now`.
    pub fn is_live(self, now: Timestamp) -> bool {
        match self {
            Self::Active => true,
            Self::Retiring { until } => now < until,
            Self::Pending | Self::Ended { .. } => false,
        }
    }
}

impl fmt::Display for CredentialState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn active() -> KeyLifecycle {
        KeyLifecycle::pending(at(0), None).activate(at(1)).unwrap()
    }

    #[test]
    fn the_status_follows_the_order_of_precedence() {
        let everything = KeyLifecycle {
            expires_at: Some(at(5)),
            disabled_at: Some(at(2)),
            revoked_at: Some(at(3)),
            ..active()
        };
        assert_eq!(everything.status(at(9)), KeyStatus::Revoked);
        assert_eq!(
            KeyLifecycle {
                revoked_at: None,
                ..everything
            }
            .status(at(9)),
            KeyStatus::Expired
        );
        assert_eq!(
            KeyLifecycle {
                revoked_at: None,
                ..everything
            }
            .status(at(4)),
            KeyStatus::Disabled
        );
        assert_eq!(
            KeyLifecycle::pending(at(0), None).status(at(9)),
            KeyStatus::Pending
        );
        assert_eq!(active().status(at(9)), KeyStatus::Active);
    }

    #[test]
    fn a_key_without_an_expiry_never_ages_out() {
        assert_eq!(
            active().status(Timestamp::MAX - SignedDuration::from_secs(1)),
            KeyStatus::Active
        );
    }

    #[test]
    fn nothing_brings_a_revoked_key_back() {
        let revoked = active().revoke(at(2));
        assert_eq!(revoked.enable(), Err(TransitionError::Revoked));
        assert_eq!(revoked.disable(at(3)), Err(TransitionError::Revoked));
        assert_eq!(revoked.activate(at(3)), Err(TransitionError::Revoked));
        assert_eq!(revoked.rotatable(at(3)), Err(TransitionError::Revoked));
        assert_eq!(
            revoked.revoke(at(9)).revoked_at,
            Some(at(2)),
            "the first moment stays"
        );
    }

    #[test]
    fn only_active_and_disabled_keys_rotate() {
        assert!(active().rotatable(at(2)).is_ok());
        assert!(active().disable(at(2)).unwrap().rotatable(at(2)).is_ok());
        assert!(KeyLifecycle::pending(at(0), None).rotatable(at(2)).is_err());
        assert!(
            KeyLifecycle {
                expires_at: Some(at(2)),
                ..active()
            }
            .rotatable(at(2))
            .is_err()
        );
    }

    #[test]
    fn a_generation_goes_one_way() {
        let ended = CredentialState::Active.end(at(5), EndReason::Rotated);
        assert!(ended.activate().is_err() && ended.retire(at(9)).is_err());
        assert_eq!(ended.end(at(9), EndReason::Revoked), ended);
        assert!(CredentialState::Active.activate().is_err());
        assert!(CredentialState::Pending.retire(at(9)).is_err());
        let retiring = CredentialState::Active.retire(at(9)).unwrap();
        assert!(retiring.is_live(at(8)) && !retiring.is_live(at(9)));
        assert!(
            retiring.retire(at(12)).is_err(),
            "a grace is never lengthened"
        );
    }
}
