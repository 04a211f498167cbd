//! The list of what was revoked before it expired (`/.well-known/revocations`).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;

/// The characters of an id that stand for it in `short`.
const SHORT: std::ops::Range<usize> = 4..11;

/// The longest that a list is good, in seconds, whatever it says.
const LONGEST: u64 = 3600;

/// The claims of the list. One set for all kinds does: no two kinds of ids can be the same.
#[derive(Deserialize)]
pub(crate) struct Listed {
    iat: u64,
    exp: u64,
    keys: Vec<String>,
    clients: Vec<String>,
    generations: Vec<String>,
    families: Vec<String>,
    tokens: Vec<String>,
    signing_keys: Vec<String>,
    /// Seven characters of each id for which there was no room.
    #[serde(default)]
    short: String,
}

/// What is refused.
pub(crate) struct Revoked {
    ids: Arc<HashSet<String>>,
    /// When the issuer last said so.
    pub(crate) heard_at: Instant,
    /// Until when this list is good.
    pub(crate) good_until: Instant,
}

impl Revoked {
    pub(crate) fn new(listed: Listed, heard_at: Instant) -> Self {
        let lives = Duration::from_secs(listed.exp.saturating_sub(listed.iat).min(LONGEST));
        let short = listed.short.as_bytes().chunks(SHORT.len());
        let short = short.map(|some| String::from_utf8_lossy(some).into_owned());
        let whole = [
            listed.keys,
            listed.clients,
            listed.generations,
            listed.families,
            listed.tokens,
            listed.signing_keys,
        ];
        Self {
            ids: Arc::new(whole.into_iter().flatten().chain(short).collect()),
            heard_at,
            good_until: heard_at + lives,
        }
    }

    /// The same list, which the issuer confirmed.
    pub(crate) fn confirmed(&self, heard_at: Instant) -> Self {
        Self {
            ids: Arc::clone(&self.ids),
            heard_at,
            good_until: self.good_until,
        }
    }

    pub(crate) fn names_any<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> bool {
        names.any(|id| {
            let short = id.get(SHORT).unwrap_or_default();
            self.ids.contains(id) || self.ids.contains(short)
        })
    }
}
