//! The list for those who verify offline: what is refused here although tokens that name it may not have expired.
//!
//! A list is signed like a token and good for a minute. It is made when somebody asks, anew after every change here or on another node,
//! and every twenty seconds, so that a copy that is kept for five seconds always has most of its life before it.
//!
//! Ids are listed whole. Of a list that would grow beyond what can be fetched every few seconds only the newest are, and of the others
//! seven characters each, which is ambiguous once in some million times: 10,000 ids are less than 100 kB.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use thiserror::Error as ThisError;
use tokio::sync::Mutex;

use super::Broker;
use crate::domain::resource::LONGEST_TOKEN_LIFETIME;
use crate::store;
use crate::store::revocation_list::{self, Ended, EndedThings};
use crate::token::jws::TokenType;
use crate::token::key_ring::KeyState;

/// How long a list is good.
const LIFETIME: SignedDuration = SignedDuration::from_secs(60);
/// After which time it is made anew in any case.
const FRESH: SignedDuration = SignedDuration::from_secs(20);
/// As long as all ids together take no more bytes, each is listed whole.
const ROOM: usize = 60_000;
/// Beyond that, the newest that take so many.
const ROOM_FOR_THE_NEWEST: usize = 3_000;
/// The characters of an id that stand for it in `short`: the first seven behind a prefix of four.
const SHORT: std::ops::Range<usize> = 4..11;

/// A list as it is served.
#[derive(Clone, Debug)]
pub struct RevocationList {
    /// The JWT.
    pub jwt: String,
    /// Changes with it; quoted.
    pub etag: String,
    made_at: Timestamp,
    version: u64,
    kid: String,
}

/// Why there is none.
#[derive(Debug, ThisError)]
pub enum RevocationListError {
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Nothing signs here now.
    #[error("no signing key: {0}")]
    NoSigningKey(String),
}

/// The newest list.
#[derive(Default)]
pub(super) struct Kept {
    list: ArcSwapOption<RevocationList>,
    /// Counts the changes that may be in no list yet.
    version: AtomicU64,
    /// One is made at a time.
    making: Mutex<()>,
}

impl Kept {
    /// What is kept may lack something.
    pub(super) fn expire(&self) {
        self.version.fetch_add(1, Ordering::SeqCst);
    }
}

/// What the list says.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: i64,
    exp: i64,
    keys: Vec<&'a str>,
    generations: Vec<&'a str>,
    clients: Vec<&'a str>,
    families: Vec<&'a str>,
    tokens: Vec<&'a str>,
    signing_keys: Vec<&'a str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    short: String,
}

impl Broker {
    /// What is refused although it has not expired, as it is now.
    ///
    /// # Errors
    /// See [`RevocationListError`].
    pub async fn revocation_list(&self) -> Result<Arc<RevocationList>, RevocationListError> {
        self.catch_up().await?;
        if let Some(list) = self.kept_list() {
            return Ok(list);
        }
        let _making = self.revocation_list.making.lock().await;
        // Another caller may have made it while this one waited.
        if let Some(list) = self.kept_list() {
            return Ok(list);
        }
        let list = Arc::new(self.make_list().await?);
        self.revocation_list.list.store(Some(Arc::clone(&list)));
        Ok(list)
    }

    fn kept_list(&self) -> Option<Arc<RevocationList>> {
        let list = self.revocation_list.list.load_full()?;
        let age = self.now().duration_since(list.made_at);
        let is_fresh = list.version == self.revocation_list.version.load(Ordering::SeqCst)
            && age >= SignedDuration::ZERO
            && age < FRESH
            && self.signing.load().verifier.knows(&list.kid);
        is_fresh.then_some(list)
    }

    async fn make_list(&self) -> Result<RevocationList, RevocationListError> {
        let version = self.revocation_list.version.load(Ordering::SeqCst);
        let signing = self.signing.load_full();
        let withdrawn: HashSet<String> = signing
            .ring
            .keys()
            .iter()
            .filter(|key| matches!(key.state, KeyState::Withdrawn))
            .map(|key| key.key.kid().to_owned())
            .collect();
        let now = self.now();
        let (since, kids) = (now - LONGEST_TOKEN_LIFETIME, withdrawn.clone());
        let ended = self
            .store
            .read(move |connection| revocation_list::read(connection, since, now, &kids))
            .await?;
        let claims = self.claims(&ended, &withdrawn, now);
        let algorithm = self.settings.default_algorithm;
        let unsigned = |cause: String| RevocationListError::NoSigningKey(cause);
        let key = signing
            .ring
            .active(algorithm)
            .ok_or_else(|| unsigned(format!("none for {algorithm}")))?;
        let json = serde_json::to_vec(&claims).map_err(|error| unsigned(error.to_string()))?;
        let jwt = key
            .sign(TokenType::REVOCATIONS, &json)
            .map_err(|error| unsigned(error.to_string()))?;
        Ok(RevocationList {
            etag: format!("\"{}\"", &blake3::hash(jwt.as_bytes()).to_hex()[..32]),
            kid: key.kid().to_owned(),
            jwt,
            made_at: now,
            version,
        })
    }

    fn claims<'a>(
        &'a self,
        ended: &'a EndedThings,
        withdrawn: &'a HashSet<String>,
        now: Timestamp,
    ) -> Claims<'a> {
        let mut claims = Claims {
            iss: self.settings.issuer.as_str(),
            iat: now.as_second(),
            exp: (now + LIFETIME).as_second(),
            keys: Vec::new(),
            generations: Vec::new(),
            clients: Vec::new(),
            families: Vec::new(),
            tokens: Vec::new(),
            signing_keys: withdrawn.iter().map(String::as_str).collect(),
            short: String::new(),
        };
        claims.signing_keys.sort_unstable();
        fill(&mut claims, ended);
        claims
    }
}

/// Lists what ended, the newest first: whole as far as there is room, else in short.
fn fill<'a>(claims: &mut Claims<'a>, ended: &'a EndedThings) {
    let kinds: [&'a [Ended]; 5] = [
        &ended.keys,
        &ended.generations,
        &ended.clients,
        &ended.families,
        &ended.tokens,
    ];
    let mut all: Vec<(usize, &'a Ended)> = kinds
        .iter()
        .enumerate()
        .flat_map(|(kind, some)| some.iter().map(move |one| (kind, one)))
        .collect();
    all.sort_unstable_by(|(_, one), (_, other)| {
        other.at.cmp(&one.at).then_with(|| one.id.cmp(&other.id))
    });
    // An id with its quotes and a comma.
    let length = |one: &Ended| one.id.len() + 3;
    let whole: usize = all.iter().map(|(_, one)| length(one)).sum();
    let room = if whole <= ROOM {
        ROOM
    } else {
        ROOM_FOR_THE_NEWEST
    };
    let mut taken = 0;
    let mut short: HashSet<&'a str> = HashSet::new();
    for (kind, one) in all {
        taken += length(one);
        let id = one.id.as_str();
        if taken > room {
            let Some(some) = id.get(SHORT) else { continue };
            if short.insert(some) {
                claims.short.push_str(some);
            }
            continue;
        }
        match kind {
            0 => &mut claims.keys,
            1 => &mut claims.generations,
            2 => &mut claims.clients,
            3 => &mut claims.families,
            _ => &mut claims.tokens,
        }
        .push(id);
    }
}
