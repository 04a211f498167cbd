//! Answers kept for a day, so that a caller whose connection broke gets the same answer again instead of a second key.
//!
//! An answer is sealed with our sealing secret and the caller's Idempotency-Key together: the database alone opens none. It is written
//! in the transaction of the change. A request that came to nothing is forgotten, and its repeat runs afresh. An answer that shows a key
//! is given again only to a caller who may still be shown it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::secrets::PurposeSecrets;
use super::{Broker, Caller, Conflict, Error};
use crate::domain::id::CredentialId;
use crate::domain::sealed::{OpenError, Place};
use crate::domain::secret::SecretText;
use crate::store::idempotency::{self, Answer, Begun};
use crate::store::{self, api_keys, credentials};

/// How long an answer is kept; the request may be remembered for longer ([`super::retention::Retention::requests`]).
pub(super) const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// After how long a call without an answer counts as cut off by a crash, where another node may have it (at a start on SQLite it does
/// at once). One that is slower than that finds its place taken and undoes itself.
const ABANDONED_AFTER: SignedDuration = SignedDuration::from_secs(30);
const ID_CONTEXT: &str = "kagiya 2026-11 idempotency: id of a request";
const BODY_CONTEXT: &str = "kagiya 2026-11 idempotency: digest of a body";

/// One request that may come again.
pub struct Attempt {
    id: [u8; 32],
    caller: String,
    body_digest: [u8; 32],
    key: SecretText,
    /// When it began to run; tells it from another call of the same name that took its place.
    begun_at: Timestamp,
    /// Who asks, where what he may now decides.
    asks: Option<Caller>,
}

/// What is answered, and answered again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// The status code.
    pub status: u16,
    /// The headers that are part of the answer: `Location`, `ETag`.
    pub headers: Vec<(String, String)>,
    /// The body, JSON.
    pub body: String,
}

/// What a use case keeps of its outcome `T`.
pub struct Keep<'a, T> {
    /// The request.
    pub attempt: &'a Attempt,
    /// The answer to it.
    pub render: &'a (dyn Fn(&T) -> KeptAnswer + Sync),
}

impl Attempt {
    /// The request of `caller` to `place` (method and path) with this Idempotency-Key and body.
    pub fn new(caller: &str, place: &str, key: &str, body: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(ID_CONTEXT);
        for part in [caller, place, key] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        Self {
            id: *hasher.finalize().as_bytes(),
            caller: caller.to_owned(),
            body_digest: blake3::derive_key(BODY_CONTEXT, body),
            key: SecretText::new(key.to_owned()),
            begun_at: Timestamp::UNIX_EPOCH,
            asks: None,
        }
    }

    /// The same by a caller of the management API, whose rights may have changed since the first time.
    pub fn of(self, caller: Caller) -> Self {
        Self {
            asks: Some(caller),
            ..self
        }
    }
}

impl Attempt {
    /// The name of its record; nothing follows from knowing it.
    pub fn record(&self) -> [u8; 32] {
        self.id
    }
}

impl Broker {
    /// Erases a kept answer before its time: whoever it was for has seen it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget_answer(&self, record: [u8; 32]) -> Result<(), Error> {
        let erased = self
            .store
            .write(move |tx| idempotency::erase_one(tx, &record));
        Ok(erased.await?)
    }

    /// Begins a request: `None` if it is to run, else the answer that it had.
    ///
    /// # Errors
    /// Another body, still running, its answer erased, or one that the caller could not have any more.
    pub async fn begin(&self, attempt: &mut Attempt) -> Result<Option<KeptAnswer>, Error> {
        let (now, run, id) = (self.now(), self.run.clone(), attempt.id);
        let (caller, body_digest) = (attempt.caller.clone(), attempt.body_digest);
        let abandoned = now.checked_sub(ABANDONED_AFTER).unwrap_or(now);
        let remembered = self.settings.retention.requests.max(KEPT);
        attempt.begun_at = now;
        let found = self
            .store
            .write(move |tx| {
                let found = idempotency::find(tx, &id, now)?.filter(|found| {
                    let given_up = found.answer.is_none() && found.begun_at <= abandoned;
                    !given_up || found.body_digest != body_digest
                });
                if found.is_none() {
                    // An old one of the same id goes, so that this one can be; if it was answered just now, this one cannot.
                    idempotency::forget_old(tx, &id, now, abandoned)?;
                    let expires_at = now.checked_add(remembered).unwrap_or(now);
                    let new = Begun {
                        id: &id,
                        caller: &caller,
                        body_digest: &body_digest,
                        node: &run,
                        at: now,
                        expires_at,
                    };
                    idempotency::begin(tx, &new)?;
                }
                Ok::<_, store::Error>(found)
            })
            .await;
        let found = match found {
            // Two at once on two nodes: the other one is first.
            Err(error) if error.conflicts_with("idempotency.id") => {
                return Err(Conflict::IdempotencyInProgress.into());
            }
            found => found?,
        };
        let Some(record) = found else { return Ok(None) };
        if record.body_digest != body_digest {
            return Err(Conflict::IdempotencyKeyReused.into());
        }
        let answer = record.answer.ok_or(Conflict::IdempotencyInProgress)?;
        let is_kept = record.begun_at.checked_add(KEPT).is_ok_and(|end| end > now);
        let sealed = answer
            .sealed
            .filter(|_| is_kept)
            .ok_or(Conflict::IdempotencyAnswerGone)?;
        if let (Some(caller), Some(shows)) = (&attempt.asks, &record.shows) {
            match (shows.parse(), shows.parse()) {
                (Ok(generation), _) => self.check_shown(caller.clone(), generation).await?,
                (_, Ok(secret)) => self.check_secret_shown(caller.clone(), secret).await?,
                _ => return Err(Error::Internal(format!("{shows} is nothing that is shown"))),
            }
        }
        let second = attempt.key.expose().as_bytes();
        let opened = match self
            .secrets
            .load_full()
            .unseal_jointly(second, PLACE, &sealed)
        {
            // Another node answered with a sealing secret that is not known here yet.
            Err(OpenError::Generation(_)) => self
                .newer_secrets()
                .await?
                .unseal_jointly(second, PLACE, &sealed),
            opened => opened,
        };
        let opened = opened.map_err(|error| Error::Internal(error.to_string()))?;
        serde_json::from_slice(opened.expose())
            .map(Some)
            .map_err(|error| Error::Internal(error.to_string()))
    }

    /// Whether a caller could have a generation's key made now, as he did when the answer was kept that shows it.
    async fn check_shown(&self, caller: Caller, generation: CredentialId) -> Result<(), Error> {
        let catalogue = self.catalogue().await?;
        let grantor = caller.grantor("keys:write", &catalogue, self.now());
        let checked = self.store.write(move |tx| {
            let generation = credentials::find(tx, &generation)?.ok_or(Error::NotFound)?;
            let stored = api_keys::find(tx, &generation.key_id)?.ok_or(Error::NotFound)?;
            caller.sees_key(&stored.key)?;
            grantor.check_key(tx, &stored.key)
        });
        checked.await
    }

    /// Forgets a request that came to nothing.
    pub async fn abandon(&self, attempt: &Attempt) {
        let (id, begun_at) = (attempt.id, attempt.begun_at);
        if let Err(error) = self
            .store
            .write(move |tx| idempotency::forget(tx, &id, begun_at))
            .await
        {
            // It stays "in progress" until it counts as cut off.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a failed request could not be forgotten"
            );
        }
    }

    /// What is to be written of an outcome in its transaction.
    pub(super) fn kept<T>(
        &self,
        keep: Option<Keep<'_, T>>,
        outcome: &T,
        shows: Option<CredentialId>,
    ) -> Result<Option<Sealed>, Error> {
        self.kept_showing(keep, outcome, shows.as_ref().map(CredentialId::as_str))
    }

    /// The same of an outcome that shows a secret of whatever kind, by the id that it is erased under.
    pub(super) fn kept_showing<T>(
        &self,
        keep: Option<Keep<'_, T>>,
        outcome: &T,
        shows: Option<&str>,
    ) -> Result<Option<Sealed>, Error> {
        let Some(Keep { attempt, render }) = keep else {
            return Ok(None);
        };
        let answer = render(outcome);
        let text = zeroize::Zeroizing::new(
            serde_json::to_vec(&answer).map_err(|error| Error::Internal(error.to_string()))?,
        );
        let sealed =
            self.secrets
                .load()
                .seal_jointly(attempt.key.expose().as_bytes(), PLACE, &text);
        let answer = Answer {
            status: answer.status,
            sealed: Some(sealed),
        };
        Ok(Some(Sealed {
            id: attempt.id,
            begun_at: attempt.begun_at,
            answer,
            shows: shows.map(str::to_owned),
        }))
    }
}

const PLACE: Place<'static> = Place {
    purpose: "idempotency",
    name: "answer",
    id: "",
};

/// What keeps the answer to a request whose outcome `T` only its transaction knows.
pub struct Keeper<T> {
    id: [u8; 32],
    begun_at: Timestamp,
    key: SecretText,
    secrets: Arc<PurposeSecrets>,
    render: fn(&T) -> KeptAnswer,
}

impl<T> Clone for Keeper<T> {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            secrets: Arc::clone(&self.secrets),
            ..*self
        }
    }
}

impl<T> Keeper<T> {
    /// Keeps the answer in this transaction; if another call took the place of this one, the transaction must not be.
    pub(super) fn write(
        &self,
        tx: &mut store::Transaction<'_>,
        outcome: &T,
    ) -> Result<(), store::Error> {
        let answer = (self.render)(outcome);
        let text = serde_json::to_vec(&answer)
            .map(zeroize::Zeroizing::new)
            .map_err(|error| store::Error::corrupt("idempotency.sealed_answer", error))?;
        let second = self.key.expose().as_bytes();
        let answer = Answer {
            status: answer.status,
            sealed: Some(self.secrets.seal_jointly(second, PLACE, &text)),
        };
        idempotency::finish(tx, &self.id, self.begun_at, &answer, None)
    }
}

impl Broker {
    /// What keeps the answer to this request, for an outcome that only its transaction knows and that shows no key.
    pub fn keeper<T>(&self, attempt: &Attempt, render: fn(&T) -> KeptAnswer) -> Keeper<T> {
        Keeper {
            id: attempt.id,
            begun_at: attempt.begun_at,
            key: attempt.key.clone(),
            secrets: self.secrets.load_full(),
            render,
        }
    }
}

/// A sealed answer on its way into a transaction.
pub(super) struct Sealed {
    id: [u8; 32],
    begun_at: Timestamp,
    answer: Answer,
    shows: Option<String>,
}

impl Sealed {
    /// Keeps it in this transaction; if another call took the place of this one, the transaction must not be.
    pub(super) fn write(&self, tx: &mut store::Transaction<'_>) -> Result<(), store::Error> {
        let shows = self.shows.as_deref();
        idempotency::finish(tx, &self.id, self.begun_at, &self.answer, shows)
    }
}
