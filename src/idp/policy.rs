//! What is to happen with a provider's word: where tokens come from, how long the word counts, and what when there is none.

use std::time::Duration;

/// How a provider is used. The default is that of one whose users nobody but us can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Where tokens come from.
    pub answer: AnswerMode,
    /// For how long exchanges go on by what it said last, when it says nothing; `None`: not at all.
    pub outlast: Option<Duration>,
    /// How long a token that is passed through may live.
    pub max_token_lifetime: Duration,
    /// Whether what it lacks of our record is put back.
    pub puts_back: bool,
    /// How often it is asked after the owners of keys.
    pub owner_check: Duration,
}

/// Where the token comes from that a key is traded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerMode {
    /// We sign it.
    Mint,
    /// It is the provider's own.
    Passthrough,
}

impl AnswerMode {
    /// The word in `X-Kagiya-Answer`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mint => "mint",
            Self::Passthrough => "passthrough",
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            answer: AnswerMode::Mint,
            outlast: None,
            max_token_lifetime: Duration::from_secs(3600),
            puts_back: true,
            owner_check: Duration::from_secs(30),
        }
    }
}

/// How long what a provider was asked may still have an effect, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settling {
    /// After nobody waits for the answer any more.
    pub unanswered: Duration,
    /// After it was answered: the way there may deliver a thing twice.
    pub answered: Duration,
}

impl Settling {
    /// What is assumed of a provider elsewhere.
    pub const ELSEWHERE: Self = Self {
        unanswered: Duration::from_secs(60),
        answered: Duration::from_secs(60),
    };
}
