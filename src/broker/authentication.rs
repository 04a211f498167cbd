//! Who presents a key: spelling, tag, password, state, in that order, and nothing dearer before what is cheaper.
//!
//! A malformed or forged key costs one MAC and no I/O. A known key costs no I/O either; an unknown name one indexed read. Only who
//! passed both proofs, tag and digest, learns why his key is refused.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use thiserror::Error as ThisError;

use super::Broker;
use super::rate::RateLimitState;
use super::record::{self, Record, Stopped, Surroundings};
use super::secrets::PurposeSecrets;
use crate::domain::key_tag::KeyTagError;
use crate::domain::plaintext_key::{UnverifiedKey, UserName};
use crate::idp::{self, AnswerMode, RightsAge};
use crate::store;
use crate::store::presented::{self, Presented};
use crate::telemetry::metrics::Refusal as Reason;

/// Why a presented key gets no token.
#[derive(Debug, ThisError)]
pub enum Refusal {
    /// Not a key's spelling.
    #[error("malformed key")]
    Malformed,
    /// The tag is not ours.
    #[error("forged key")]
    Forged,
    /// No such generation, or another password.
    #[error("unknown key")]
    Unknown,
    /// The key is proven and stopped.
    #[error("the key is stopped: {0:?}")]
    Stopped(Stopped),
    /// From outside the networks that the key allows.
    #[error("the key is not allowed from this address")]
    AddressNotAllowed,
    /// Too many look-ups from its address found nothing, under a tag secret that others know; seconds to wait.
    #[error("too many look-ups from this address found nothing")]
    TooManyLookups(u32),
    /// Beyond the key's own limit.
    #[error("the key's rate limit is used up")]
    RateLimited(RateLimitState),
    /// No resource of that name for this key, or none named where it has several; those that it can have.
    #[error("no such target for this key")]
    InvalidTarget {
        /// The identifiers that it can name.
        possible: Vec<String>,
    },
    /// A scope that it does not hold there, or not a list of scopes.
    #[error("a scope that is asked for is not held")]
    InvalidScope,
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The identity provider did not answer, or refuses what we hold to be right.
    #[error(transparent)]
    Provider(Arc<idp::Error>),
    /// Nothing signs here now.
    #[error("no signing key: {0}")]
    NoSigningKey(String),
    /// A defect of ours.
    #[error("internal: {0}")]
    Internal(String),
}

impl Refusal {
    /// Whether something is down, so that it says nothing of the key.
    pub(super) fn is_outage(&self) -> bool {
        self.reason() == Reason::Unavailable
    }

    /// Its label in the metrics.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Malformed => Reason::Malformed,
            Self::Forged => Reason::Forged,
            Self::Unknown => Reason::Unknown,
            Self::Stopped(Stopped::Revoked) => Reason::ApiKeyRevoked,
            Self::Stopped(Stopped::Rotated) => Reason::ApiKeyRotated,
            Self::Stopped(Stopped::Expired) => Reason::ApiKeyExpired,
            Self::Stopped(Stopped::Disabled) => Reason::ApiKeyDisabled,
            Self::AddressNotAllowed => Reason::AddressNotAllowed,
            Self::RateLimited(_) => Reason::RateLimited,
            Self::TooManyLookups(_) => Reason::TooManyBadKeys,
            Self::InvalidTarget { .. } => Reason::InvalidTarget,
            Self::InvalidScope => Reason::InvalidScope,
            Self::Store(_) | Self::Provider(_) | Self::NoSigningKey(_) | Self::Internal(_) => {
                Reason::Unavailable
            }
        }
    }
}

/// Says that the tag of the key that a request presents is ours. It holds for that key alone, so it never leaves its request.
#[derive(Clone, Copy, Debug)]
pub struct TagProof(());

impl Broker {
    /// The first proof alone, without I/O, for whoever can turn a bad key away before anything else is looked at. `None`: the generation
    /// of the tag is not held here, and [`Self::identify`] must find out.
    ///
    /// # Errors
    /// Malformed or forged.
    pub fn check_tag(&self, presented: &[u8]) -> Result<Option<TagProof>, Refusal> {
        let key = UnverifiedKey::parse(presented, &self.settings.prefixes)
            .map_err(|_| Refusal::Malformed)?;
        match self.secrets.load().tags.verify(&key) {
            Ok(()) => Ok(Some(TagProof(()))),
            Err(KeyTagError::Mismatch) => Err(Refusal::Forged),
            Err(KeyTagError::UnknownGeneration) => Ok(None),
        }
    }

    /// Whose key it is: both proofs are good. Its state is not judged yet. With an address, look-ups under a tag secret that leaked
    /// are limited for it.
    ///
    /// # Errors
    /// Malformed, forged, unknown, or the database does not answer.
    pub async fn identify(
        &self,
        presented: &[u8],
        address: Option<IpAddr>,
    ) -> Result<Arc<Record>, Refusal> {
        self.identify_with(presented, None, address).await
    }

    /// As [`Self::identify`], where the first proof may have been made already.
    pub(super) async fn identify_with(
        &self,
        presented: &[u8],
        proof: Option<TagProof>,
        address: Option<IpAddr>,
    ) -> Result<Arc<Record>, Refusal> {
        let key = UnverifiedKey::parse(presented, &self.settings.prefixes)
            .map_err(|_| Refusal::Malformed)?;
        if proof.is_none() {
            self.prove_tag(&key).await?;
        }
        let name = key.user_name();
        let record = match self.recall(&name) {
            Some(record) => record,
            None => self.look_up(&key, &name, address).await?,
        };
        let proven = is_proven(&self.secrets.load(), &key, &name, &record);
        match proven {
            Some(true) => Ok(record),
            Some(false) => Err(Refusal::Unknown),
            // In a box, as above: a rare way that must not make the future of every exchange larger.
            None => Box::pin(self.identify_by_newer_digest(&key, &name, record)).await,
        }
    }

    /// The first proof, where the gate has not made it.
    async fn prove_tag(&self, key: &UnverifiedKey<'_>) -> Result<(), Refusal> {
        let verified = self.secrets.load().tags.verify(key);
        match verified {
            Ok(()) => Ok(()),
            Err(KeyTagError::Mismatch) => Err(Refusal::Forged),
            // Another node may have made it with a secret that is not known here yet.
            Err(KeyTagError::UnknownGeneration) => Box::pin(self.newer_secrets())
                .await?
                .tags
                .verify(key)
                .map_err(|_| Refusal::Forged),
        }
    }

    /// Reads what is not in memory. Whoever knows a tag secret can make up names without end, so under such a one it is limited.
    async fn look_up(
        &self,
        key: &UnverifiedKey<'_>,
        name: &UserName,
        address: Option<IpAddr>,
    ) -> Result<Arc<Record>, Refusal> {
        let leaked = self.secrets.load().is_leaked(key.tag_generation());
        let Some(address) = address.filter(|_| leaked) else {
            return self.read(name).await;
        };
        self.fruitless_lookups
            .check(address)
            .map_err(Refusal::TooManyLookups)?;
        let found = self.read(name).await;
        if matches!(found, Err(Refusal::Unknown)) {
            self.fruitless_lookups.found_nothing(address);
        }
        found
    }

    /// The digest was made with a secret that is not held here: by another node, or it was dropped since no key that lives needed it.
    async fn identify_by_newer_digest(
        &self,
        key: &UnverifiedKey<'_>,
        name: &UserName,
        record: Arc<Record>,
    ) -> Result<Arc<Record>, Refusal> {
        let secrets = self.newer_secrets().await?;
        match is_proven(&secrets, key, name, &record) {
            Some(true) => Ok(record),
            Some(false) => Err(Refusal::Unknown),
            None if record.stopped(self.now()).is_some() => Err(Refusal::Unknown),
            None => Err(Refusal::Store(store::Error::unavailable(
                "the digest secret of a key that lives is not on record",
            ))),
        }
    }

    /// What is remembered of a generation, as long as that counts.
    fn recall(&self, name: &UserName) -> Option<Arc<Record>> {
        if self.distrusts_memory.load(Ordering::Relaxed) {
            return None;
        }
        let record = self.memory.recall(name)?;
        self.metrics.cache_hit();
        Some(record)
    }

    /// What is known of a generation.
    pub(super) async fn recall_or_read(&self, name: &UserName) -> Result<Arc<Record>, Refusal> {
        match self.recall(name) {
            Some(record) => Ok(record),
            None => self.read(name).await,
        }
    }

    /// The holder that [`Self::identify`] found may use the key from `address` now: what is known of him, as new as his provider's
    /// answers must be, and the moment at which that was so.
    ///
    /// # Errors
    /// Why the key is refused.
    pub(super) async fn authenticate(
        &self,
        holder: &Arc<Record>,
        presented: &[u8],
        address: IpAddr,
    ) -> Result<(Arc<Record>, Timestamp), Refusal> {
        // Not before: what is no key of ours is refused without a look at the clock.
        let now = self.now();
        self.admit(holder, address, now)?;
        // From the whole second on at which it is too old: with an age of 0 the provider is asked every time.
        if record::seconds(now) >= holder.rights_until {
            // In a box: a way that must not make the future of every exchange larger.
            let renewed = Box::pin(self.renew_rights(presented, holder, Some(address))).await?;
            return Ok((renewed, now));
        }
        Ok((Arc::clone(holder), now))
    }

    /// Whether a proven key may be used from `address` at `now`.
    ///
    /// # Errors
    /// Stopped, or from a wrong address.
    pub fn admit(&self, record: &Record, address: IpAddr, now: Timestamp) -> Result<(), Refusal> {
        if self.memory.is_stopping(&record.key_id()) {
            return Err(Refusal::Stopped(Stopped::Revoked));
        }
        if let Some(stopped) = record.stopped(now) {
            return Err(Refusal::Stopped(stopped));
        }
        let cidrs = record
            .extras()
            .and_then(|extras| extras.allowed_cidrs.as_ref());
        if cidrs.is_some_and(|cidrs| !cidrs.contains(address)) {
            return Err(Refusal::AddressNotAllowed);
        }
        Ok(())
    }

    /// Reads a generation and remembers it, unless it changed while it was read.
    async fn read(&self, name: &UserName) -> Result<Arc<Record>, Refusal> {
        self.metrics.cache_miss();
        let mut tries = 0;
        loop {
            let ticket = self.memory.ticket();
            let catalogue = self.catalogue().await?;
            let name = *name;
            let row = self
                .store
                .read_hot(move |connection| presented::find(connection, &name))
                .await?;
            let record = row
                .map(|row| self.remembered(row, &catalogue))
                .transpose()?
                .flatten();
            let record = Arc::new(record.ok_or(Refusal::Unknown)?);
            self.memory.keep(ticket, name, &record);
            tries += 1;
            // Where everything changes all the time, what was read last is as new as an answer can be.
            if tries == 3 || self.memory.is_current(ticket) {
                return Ok(record);
            }
        }
    }

    /// What a row means here and now; `None` for a generation that was shown to nobody.
    pub(super) fn remembered(
        &self,
        mut row: Presented,
        catalogue: &super::catalogue::Catalogue,
    ) -> Result<Option<Record>, Refusal> {
        let Some(provider) = self.providers.find(&row.provider) else {
            let reason = format!(
                "the key's identity provider {} is not configured",
                row.provider
            );
            return Err(Refusal::Provider(Arc::new(idp::Error::Refused { reason })));
        };
        let passes_through = provider.policy().answer == AnswerMode::Passthrough;
        if passes_through {
            // Each token says for itself what the provider grants.
            row.provider_rights = None;
        }
        if let Some(rights) = &row.owner_rights {
            row.permissions = catalogue.bounded(&row.permissions, rights);
        }
        let rights_until = match provider.rights_age() {
            _ if passes_through => None,
            RightsAge::UntilChanged => None,
            // Never asked yet: the first exchange asks.
            RightsAge::AtMost(age) => Some(
                row.provider_rights
                    .as_ref()
                    .map_or(Timestamp::UNIX_EPOCH, |rights| {
                        rights.at.checked_add(age).unwrap_or(Timestamp::MAX)
                    }),
            ),
        };
        // The registry numbers at most 255 providers.
        let provider = self.providers.index(&row.provider).unwrap_or(u8::MAX);
        Ok(Record::new(
            row,
            &Surroundings {
                catalogue,
                provider,
                rights_until,
                passes_through,
            },
        ))
    }
}

/// The second proof: the password's digest, in constant time. `None` if the secret that it was made with is not held here.
fn is_proven(
    secrets: &PurposeSecrets,
    key: &UnverifiedKey<'_>,
    name: &UserName,
    record: &Record,
) -> Option<bool> {
    let secret = secrets.digest(i32::from(record.digest_generation))?;
    Some(record.digest_matches(&secret.digest(name, key.password())))
}
