//! What becomes of the keys of a member who leaves his organization.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What becomes of the keys of a member who leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerGone {
    /// They are disabled.
    #[default]
    Pause,
    /// They have no owner any more, and what they gave at that moment.
    HandOver,
    /// He stays on record as their owner; they keep what they gave at that moment.
    Keep,
}

/// The text is none of the three.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be pause, hand_over or keep")]
pub struct ParseOwnerGoneError;

impl OwnerGone {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::HandOver => "hand_over",
            Self::Keep => "keep",
        }
    }
}

impl FromStr for OwnerGone {
    type Err = ParseOwnerGoneError;

    fn from_str(text: &str) -> Result<Self, ParseOwnerGoneError> {
        [Self::Pause, Self::HandOver, Self::Keep]
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or(ParseOwnerGoneError)
    }
}
