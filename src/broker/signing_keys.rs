//! The signing keys: loaded, made, rotated by hand and by age.
//!
//! The rules are the ring's ([`crate::token::rotation`]); here its steps are taken in the store, all of a plan in one transaction, and
//! the ring that signs is replaced before the change is answered.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use thiserror::Error as ThisError;

use super::idempotency::Keeper;
use super::secrets::PurposeSecrets;
use super::{Broker, Caller, Conflict, Error, Settings, StartError, audit};
use crate::domain::algorithm::SigningAlgorithm;
use crate::domain::audit::Origin;
use crate::domain::resource::TokenLifetime;
use crate::domain::sealed::{OpenError, Place, RootSecret};
use crate::store::signing_keys::{self, StoredSigningKey};
use crate::store::{self, Change, Store};
use crate::token::key_ring::{KeyRing, KeyRingError, KeyState, RingKey};
use crate::token::rotation::{Retirement, RotateError, RotationPolicy, Step};
use crate::token::signing_key::{SigningKey, SigningKeyError};
use crate::token::verify::Verifier;

/// How often a change by hand is planned anew because others change the keys at the same moment.
const TRIES: usize = 3;
/// Two RSA keys take some 200 to 600 ms to make: more than all else at a first start.
const PUT_OFF: SigningAlgorithm = SigningAlgorithm::Rs256;

/// The ring, and what checks tokens by it.
pub struct Signing {
    /// The keys.
    pub ring: KeyRing,
    /// Checks tokens that they signed.
    pub verifier: Verifier,
}

/// A signing key as admins see it.
#[derive(Clone, Debug)]
pub struct PublishedSigningKey {
    /// Its id in the JWK set.
    pub kid: String,
    /// How it signs.
    pub algorithm: SigningAlgorithm,
    /// `next`, `active`, `retired` or `withdrawn`.
    pub state: &'static str,
    /// Since when it is in the set.
    pub created_at: Timestamp,
    /// Since when it signs no more.
    pub retired_at: Option<Timestamp>,
    /// From when it is out of the set.
    pub remove_at: Option<Timestamp>,
}

/// The signing keys on record cannot be used.
#[derive(Debug, ThisError)]
pub enum SigningError {
    /// The store did not give or take them.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// One cannot be opened.
    #[error("signing key {kid} cannot be opened")]
    Sealed {
        /// Which.
        kid: String,
        /// Why not.
        source: OpenError,
    },
    /// One is no key.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// Together they make no ring.
    #[error(transparent)]
    Ring(#[from] KeyRingError),
}

impl SigningError {
    /// Whether one is sealed with a secret that is not held here.
    fn names_an_unknown_secret(&self) -> bool {
        let unknown = |source: &OpenError| matches!(source, OpenError::Generation(_));
        matches!(self, Self::Sealed { source, .. } if unknown(source))
    }
}

impl From<SigningError> for Error {
    fn from(error: SigningError) -> Self {
        match error {
            SigningError::Store(error) => Self::Store(error),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl Signing {
    /// Reads and opens them together with the secrets, of which another node may be replacing one at the same moment.
    pub(super) async fn load_with_secrets(
        store: &Store,
        root: &RootSecret,
        settings: &Settings,
    ) -> Result<(PurposeSecrets, Self), StartError> {
        let secrets = PurposeSecrets::load(store, root).await?;
        match Self::load(store, &secrets, settings).await {
            Err(error) if error.names_an_unknown_secret() => {}
            signing => return Ok((secrets, signing?)),
        }
        let secrets = PurposeSecrets::load(store, root).await?;
        let signing = Self::load(store, &secrets, settings).await?;
        Ok((secrets, signing))
    }

    /// Whether every algorithm has its keys. Until then a verifier must not keep the set: the keys to come sign at once.
    pub fn is_complete(&self) -> bool {
        SigningAlgorithm::ALL
            .into_iter()
            .all(|algorithm| !self.ring.lacks(algorithm))
    }

    /// Reads and opens them.
    pub(super) async fn load(
        store: &Store,
        secrets: &PurposeSecrets,
        settings: &Settings,
    ) -> Result<Self, SigningError> {
        let rows = store.read(signing_keys::all).await?;
        let keys = rows
            .into_iter()
            .map(|row| open(row, secrets))
            .collect::<Result<Vec<_>, _>>()?;
        let ring = KeyRing::new(keys, policy(settings))?;
        let verifier = Verifier::new(settings.issuer.as_str(), &ring);
        Ok(Self { ring, verifier })
    }

    /// The keys as admins see them, newest first.
    pub fn published(&self) -> Vec<PublishedSigningKey> {
        let published = |key: &RingKey| {
            let (state, retired_at, remove_at) = match key.state {
                KeyState::Next => ("next", None, None),
                KeyState::Active { .. } => ("active", None, None),
                KeyState::Retired { since, remove_at } => ("retired", Some(since), Some(remove_at)),
                KeyState::Withdrawn => ("withdrawn", None, None),
            };
            PublishedSigningKey {
                kid: key.key.kid().to_owned(),
                algorithm: key.algorithm(),
                state,
                created_at: key.created_at,
                retired_at,
                remove_at,
            }
        };
        self.ring.keys().iter().rev().map(published).collect()
    }
}

fn policy(settings: &Settings) -> RotationPolicy {
    let duration = |duration: std::time::Duration| {
        SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
    };
    RotationPolicy {
        set_max_age: duration(settings.jwks_max_age),
        longest_token_lifetime: SignedDuration::from_secs(TokenLifetime::MAX.into()),
        rotate_after: duration(settings.rotate_signing_keys_after),
    }
}

/// Where the private part of a signing key is sealed for.
pub(super) fn place(kid: &str) -> Place<'_> {
    Place {
        purpose: "signing_key",
        name: "pkcs8",
        id: kid,
    }
}

fn open(row: StoredSigningKey, secrets: &PurposeSecrets) -> Result<RingKey, SigningError> {
    let pkcs8 = secrets
        .unseal(place(&row.kid), &row.sealed)
        .map_err(|source| SigningError::Sealed {
            kid: row.kid.clone(),
            source,
        })?;
    let corrupt =
        || store::Error::corrupt("signing_keys.state", "a moment of the state is missing");
    let state = match row.state.as_str() {
        "next" => KeyState::Next,
        "active" => KeyState::Active {
            since: row.activated_at.ok_or_else(corrupt)?,
        },
        "retired" => KeyState::Retired {
            since: row.retired_at.ok_or_else(corrupt)?,
            remove_at: row.remove_at.ok_or_else(corrupt)?,
        },
        "withdrawn" => KeyState::Withdrawn,
        _ => return Err(store::Error::corrupt("signing_keys.state", "unknown").into()),
    };
    let key = Arc::new(SigningKey::from_pkcs8(row.algorithm, &pkcs8)?);
    Ok(RingKey {
        key,
        state,
        created_at: row.created_at,
    })
}

impl Broker {
    /// Takes whatever steps are due: the first keys, rotation by age, the removal of keys that no token needs any more.
    pub(super) async fn tend_signing_keys(&self) -> Result<(), SigningError> {
        self.tend(&SigningAlgorithm::ALL).await
    }

    /// The same at the start, which must not wait for what takes long to make: that is made beside the requests, at once.
    pub(super) async fn tend_signing_keys_at_start(&self) -> Result<(), SigningError> {
        let put_off =
            PUT_OFF != self.settings.default_algorithm && self.signing.load().ring.lacks(PUT_OFF);
        let quick: Vec<SigningAlgorithm> = SigningAlgorithm::ALL
            .into_iter()
            .filter(|algorithm| !put_off || *algorithm != PUT_OFF)
            .collect();
        self.tend(&quick).await
    }

    /// Makes sure that a key of `algorithm` can sign, for a resource that is about to ask for one.
    pub(super) async fn have_signing_key(&self, algorithm: SigningAlgorithm) -> Result<(), Error> {
        if self.signing.load().ring.active(algorithm).is_some() {
            return Ok(());
        }
        self.tend_signing_keys().await.map_err(Error::from)
    }

    async fn tend(&self, algorithms: &[SigningAlgorithm]) -> Result<(), SigningError> {
        let signing = self.signing.load_full();
        let ring = &signing.ring;
        let (late, planned): (Vec<_>, Vec<_>) = algorithms
            .iter()
            .copied()
            .partition(|algorithm| *algorithm == PUT_OFF && ring.lacks(PUT_OFF));
        let mut steps = ring.plan(&planned, self.now());
        steps.extend(
            late.into_iter()
                .filter_map(|algorithm| ring.first_keys(algorithm))
                .flatten(),
        );
        if steps.is_empty() {
            Ok(())
        } else {
            // Where another node was faster, its steps are as good.
            let origin = Origin::server();
            self.take_steps(steps, ("signing_keys.rotated", &origin), None)
                .await
                .map(drop)
        }
    }

    /// Reads the signing keys again.
    pub(super) async fn reload_signing_keys(&self) -> Result<(), SigningError> {
        let held = self.secrets.load_full();
        let signing = match Signing::load(&self.store, &held, &self.settings).await {
            Err(error) if error.names_an_unknown_secret() => {
                let newer = self.newer_secrets().await?;
                Signing::load(&self.store, &newer, &self.settings).await?
            }
            signing => signing?,
        };
        self.tell_age(&signing);
        let before = self.signing.swap(Arc::new(signing));
        if withdrawn(&before) != withdrawn(&self.signing.load()) {
            // A token that a withdrawn key signed must not be given out again.
            self.reuse.forget_all();
            self.forward_auth_reuse.forget_all();
        }
        Ok(())
    }

    /// The signing keys, newest first.
    ///
    /// # Errors
    /// A caller who is bound to an organization: they belong to the deployment.
    pub fn signing_keys(&self, caller: &Caller) -> Result<Vec<PublishedSigningKey>, Error> {
        caller.runs_the_deployment()?;
        Ok(self.signing.load().published())
    }

    /// Tells the metrics since when the oldest active key signs.
    pub(super) fn tell_age(&self, signing: &Signing) {
        let since = signing
            .ring
            .keys()
            .iter()
            .filter_map(|key| match key.state {
                KeyState::Active { since } => Some(since),
                _ => None,
            });
        if let Some(oldest) = since.min() {
            self.metrics.set_signing_key_activated(oldest);
        }
    }

    /// Lets the next key of an algorithm sign; of each algorithm, if none is named. A verifier that kept the set meets no unknown key.
    ///
    /// # Errors
    /// A conflict while the next key was published too short a time ago; a caller who is bound to an organization.
    pub async fn rotate_signing_keys(
        &self,
        algorithm: Option<SigningAlgorithm>,
        (caller, origin): (&Caller, Origin),
        keep: Option<Keeper<Vec<PublishedSigningKey>>>,
    ) -> Result<Vec<PublishedSigningKey>, Error> {
        caller.runs_the_deployment()?;
        let algorithms = algorithm.map_or(SigningAlgorithm::ALL.to_vec(), |one| vec![one]);
        let plan = |ring: &KeyRing, now: Timestamp| {
            let mut steps = Vec::new();
            for algorithm in &algorithms {
                steps.extend(ring.rotate(*algorithm, now).map_err(|error| match error {
                    RotateError::NoNext(algorithm) => Conflict::NoNextSigningKey(algorithm),
                    RotateError::TooEarly { from } => Conflict::SigningKeyTooYoung(from),
                })?);
            }
            Ok(steps)
        };
        self.take_planned(plan, ("signing_keys.rotated", &origin), keep)
            .await
    }

    /// Takes a key out of the set at once, for ever; if it signs, another one does so from now on. Doing it again is done.
    ///
    /// # Errors
    /// No such key; a caller who is bound to an organization.
    pub async fn withdraw_signing_key(
        &self,
        kid: &str,
        caller: &Caller,
        origin: Origin,
    ) -> Result<PublishedSigningKey, Error> {
        caller.runs_the_deployment()?;
        let plan = |ring: &KeyRing, _| ring.withdraw(kid).ok_or(Error::NotFound);
        let published = self
            .take_planned(plan, ("signing_keys.withdrawn", &origin), None)
            .await?;
        let mut published = published.into_iter();
        published.find(|key| key.kid == kid).ok_or(Error::NotFound)
    }

    /// Takes what is planned on the ring as it is on record; once more if another call changed it meanwhile. The keys as they are then.
    async fn take_planned(
        &self,
        plan: impl Fn(&KeyRing, Timestamp) -> Result<Vec<Step>, Error>,
        event: (&str, &Origin),
        keep: Option<Keeper<Vec<PublishedSigningKey>>>,
    ) -> Result<Vec<PublishedSigningKey>, Error> {
        let defect = |error| match error {
            SigningError::Store(error) => Error::Store(error),
            other => Error::Internal(other.to_string()),
        };
        for _ in 0..TRIES {
            let steps = plan(&self.signing.load().ring, self.now())?;
            if steps.is_empty() {
                return Ok(self.signing.load().published());
            }
            let taken = self.take_steps(steps, event, keep.clone()).await;
            if let Some(published) = taken.map_err(defect)? {
                return Ok(published);
            }
        }
        let busy = store::Error::unavailable("other calls change the signing keys all the time");
        Err(Error::Store(busy))
    }

    /// The keys as they are then; none, and nothing done, if another call changed them since the steps were planned. The ring is the newest
    /// in any case.
    async fn take_steps(
        &self,
        steps: Vec<Step>,
        (action, origin): (&str, &Origin),
        keep: Option<Keeper<Vec<PublishedSigningKey>>>,
    ) -> Result<Option<Vec<PublishedSigningKey>>, SigningError> {
        let now = self.now();
        let mut made = Vec::new();
        for step in &steps {
            if let Step::CreateActive(algorithm) | Step::CreateNext(algorithm) = step {
                let active = matches!(step, Step::CreateActive(_));
                made.push(self.make_signing_key(*algorithm, active, now).await?);
            }
        }
        let event = self.event(origin, action, "signing_keys", None, describe(&steps));
        let taken = self.store.write(move |tx| {
            let mut made = made.iter();
            for step in &steps {
                match step {
                    // One was made for each, in this order.
                    Step::CreateActive(_) | Step::CreateNext(_) => {
                        made.next()
                            .map(|key| signing_keys::insert(tx, key))
                            .transpose()?;
                    }
                    step => take(tx, step, now)?,
                }
            }
            audit::append(tx, &event)?;
            tx.changed(Change::SigningKeys);
            let rows = signing_keys::all(tx)?;
            let published: Vec<PublishedSigningKey> =
                rows.iter().rev().map(published).collect::<Result<_, _>>()?;
            if let Some(keep) = keep {
                keep.write(tx, &published)?;
            }
            Ok::<_, store::Error>(published)
        });
        let taken = match taken.await {
            // Two at once: one signs, one is next, and who comes second finds them.
            Err(error @ store::Error::Conflict { .. })
                if !error.conflicts_with("idempotency.id") =>
            {
                None
            }
            taken => Some(taken?),
        };
        self.reload_signing_keys().await?;
        Ok(taken)
    }

    async fn make_signing_key(
        &self,
        algorithm: SigningAlgorithm,
        active: bool,
        now: Timestamp,
    ) -> Result<StoredSigningKey, SigningError> {
        // An RSA key takes some 100 ms to make: not on a thread that serves.
        let key = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm)).await;
        let key = key.map_err(|_| SigningKeyError::Generate)??;
        let pkcs8 = key.to_pkcs8()?;
        let public_jwk =
            serde_json::to_string(key.public_jwk()).map_err(|_| SigningKeyError::Encode)?;
        Ok(StoredSigningKey {
            kid: key.kid().to_owned(),
            algorithm,
            state: if active { "active" } else { "next" }.to_owned(),
            public_jwk,
            sealed: self.secrets.load().seal(place(key.kid()), pkcs8.expose()),
            created_at: now,
            activated_at: active.then_some(now),
            retired_at: None,
            remove_at: None,
        })
    }
}

/// A key as admins see it.
fn published(row: &StoredSigningKey) -> Result<PublishedSigningKey, store::Error> {
    let state = ["next", "active", "retired", "withdrawn"]
        .into_iter()
        .find(|state| *state == row.state)
        .ok_or_else(|| store::Error::corrupt("signing_keys.state", "unknown"))?;
    Ok(PublishedSigningKey {
        kid: row.kid.clone(),
        algorithm: row.algorithm,
        state,
        created_at: row.created_at,
        retired_at: row.retired_at,
        remove_at: row.remove_at,
    })
}

/// Takes a step that makes no key.
///
/// # Errors
/// A conflict if the key is not where the step starts: then none of the steps may be.
fn take(tx: &mut store::Transaction<'_>, step: &Step, now: Timestamp) -> Result<(), store::Error> {
    let mut take = |kid: &str, step| {
        if signing_keys::take(tx, kid, step)? {
            Ok(())
        } else {
            Err(store::Error::taken_over("signing_keys.state"))
        }
    };
    match step {
        Step::CreateActive(_) | Step::CreateNext(_) => Ok(()),
        Step::Activate { kid, retire } => {
            if let Some(Retirement { kid, remove_at }) = retire {
                let remove_at = *remove_at;
                take(kid, signing_keys::Step::Retire { at: now, remove_at })?;
            }
            take(kid, signing_keys::Step::Activate { at: now })
        }
        Step::Withdraw { kid } => take(kid, signing_keys::Step::Withdraw { at: now }),
        Step::Remove { kid } => take(kid, signing_keys::Step::Remove { from: "retired" }),
    }
}

/// The keys that were withdrawn.
fn withdrawn(signing: &Signing) -> Vec<&str> {
    let keys = signing.ring.keys().iter();
    keys.filter(|key| key.state == KeyState::Withdrawn)
        .map(|key| key.key.kid())
        .collect()
}

fn describe(steps: &[Step]) -> serde_json::Value {
    let describe = |step: &Step| match step {
        Step::CreateActive(algorithm) => json!({"created": "active", "algorithm": algorithm}),
        Step::CreateNext(algorithm) => json!({"created": "next", "algorithm": algorithm}),
        Step::Activate { kid, retire } => {
            json!({"activated": kid, "retired": retire.as_ref().map(|retire| &retire.kid)})
        }
        Step::Withdraw { kid } => json!({"withdrawn": kid}),
        Step::Remove { kid } => json!({"removed": kid}),
    };
    json!({"steps": steps.iter().map(describe).collect::<Vec<_>>()})
}
