//! kagiya's own secrets, opened: what tags, digests, provider passwords and seals are made with.
//!
//! A snapshot of the rows of the store; replaced whole when they change ([`super::newer_secrets`]). Each purpose has one current
//! secret and keeps every older one that something may still need; [`super::secret_rotation`] moves them on.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error as ThisError;

use crate::domain::audit_chain::AuditSecret;
use crate::domain::id::CredentialId;
use crate::domain::key_tag::{TagGeneration, TagSecret, TagSecrets};
use crate::domain::password::{DigestSecret, ProviderSecret};
use crate::domain::purpose::{SecretPurpose, SecretState};
use crate::domain::random::Random;
use crate::domain::sealed::{self, OpenError, Place, RootSecret, Sealer};
use crate::domain::secret::{SecretBytes, SecretText};
use crate::store::secrets::{self, StoredSecret};
use crate::store::{self, Author, Store};

/// The opened secrets.
pub(super) struct PurposeSecrets {
    /// Every tag secret that verifies.
    pub(super) tags: TagSecrets,
    /// The generation that new keys are tagged with.
    pub(super) current_tag: TagGeneration,
    digests: Generations<DigestSecret>,
    providers: Generations<ProviderSecret>,
    sealing: Generations<SecretBytes>,
    audit: Generations<Arc<AuditSecret>>,
    cookies: Generations<SecretBytes>,
    /// A bit for each tag secret that others know.
    leaked_tags: u64,
    /// The audit secrets that others know.
    leaked_audits: Vec<i32>,
    /// What waits to take the place of the current ones.
    pub(super) announced: Vec<Announced>,
}

/// A secret that is on record so that every node learns it, and makes nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    /// What it is for.
    pub(super) purpose: SecretPurpose,
    /// Its number.
    pub(super) generation: i32,
    /// Since when it is on record.
    pub(super) at: Timestamp,
}

/// The secrets of one purpose by number, and which of them makes new things.
struct Generations<T> {
    current: i32,
    held: BTreeMap<i32, T>,
}

/// The rows do not give the secrets that a broker needs.
#[derive(Debug, ThisError)]
pub enum SecretsError {
    /// The store did not give them.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The root secret does not open one.
    #[error(
        "generation {generation} of the {purpose} secret cannot be opened with this root secret"
    )]
    Sealed {
        /// Which purpose.
        purpose: SecretPurpose,
        /// Which number.
        generation: i32,
        /// Why not.
        source: OpenError,
    },
    /// A purpose has no current secret, or a number out of range.
    #[error("there is no usable {0} secret on record")]
    Missing(SecretPurpose),
}

impl PurposeSecrets {
    /// Draws a first secret for each purpose, sealed.
    pub(super) fn draw(root: &Sealer, random: &dyn Random, now: Timestamp) -> Vec<StoredSecret> {
        let draw = |purpose: SecretPurpose| {
            let secret = sealed::generate_purpose_secret(random);
            StoredSecret {
                state: SecretState::Current,
                ..announced(root, (purpose, 0), &secret, now)
            }
        };
        SecretPurpose::ALL.into_iter().map(draw).collect()
    }

    /// Records those of `drawn` whose purpose has no secret yet.
    pub(super) fn record_missing(
        tx: &mut store::Transaction<'_>,
        drawn: &[StoredSecret],
    ) -> Result<(), store::Error> {
        let held = secrets::all(tx)?;
        let missing = drawn
            .iter()
            .filter(|new| held.iter().all(|secret| secret.purpose != new.purpose));
        for new in missing {
            secrets::insert(tx, new)?;
        }
        Ok(())
    }

    /// Reads and opens all of them.
    pub(super) async fn load(store: &Store, root: &RootSecret) -> Result<Self, SecretsError> {
        let rows = store.read(secrets::all).await?;
        Self::open(&rows, &root.sealer())
    }

    fn open(rows: &[StoredSecret], root: &Sealer) -> Result<Self, SecretsError> {
        let tag = Generations::of(SecretPurpose::Tag, rows, root, |_, bytes| {
            TagSecret::new(*bytes)
        })?;
        let generation = |number: i32| {
            u8::try_from(number)
                .ok()
                .and_then(TagGeneration::new)
                .ok_or(SecretsError::Missing(SecretPurpose::Tag))
        };
        let current_tag = generation(tag.current)?;
        let tags = tag
            .held
            .into_iter()
            .map(|(number, secret)| Ok((generation(number)?, secret)))
            .collect::<Result<Vec<_>, SecretsError>>()?;
        Ok(Self {
            tags: TagSecrets::new(tags),
            current_tag,
            digests: Generations::of(SecretPurpose::Digest, rows, root, |_, bytes| {
                DigestSecret::new(*bytes)
            })?,
            providers: Generations::of(SecretPurpose::Provider, rows, root, |_, bytes| {
                ProviderSecret::new(*bytes)
            })?,
            sealing: Generations::of(SecretPurpose::Sealing, rows, root, |_, bytes| {
                SecretBytes::new(bytes.to_vec())
            })?,
            audit: Generations::of(SecretPurpose::Audit, rows, root, |number, bytes| {
                Arc::new(AuditSecret::new(number, bytes))
            })?,
            cookies: Generations::of(SecretPurpose::Cookies, rows, root, |_, bytes| {
                SecretBytes::new(bytes.to_vec())
            })?,
            leaked_tags: rows
                .iter()
                .filter(|row| row.purpose == SecretPurpose::Tag && row.state == SecretState::Leaked)
                .fold(0, |bits, row| bits | 1 << (row.generation & 63)),
            leaked_audits: rows
                .iter()
                .filter(|row| {
                    (row.purpose, row.state) == (SecretPurpose::Audit, SecretState::Leaked)
                })
                .map(|row| row.generation)
                .collect(),
            announced: rows
                .iter()
                .filter(|row| row.state == SecretState::Announced)
                .map(|row| Announced {
                    purpose: row.purpose,
                    generation: row.generation,
                    at: row.created_at,
                })
                .collect(),
        })
    }

    /// Whether others know the tag secret of this generation: then anybody can make keys that pass the first check.
    pub(super) fn is_leaked(&self, generation: TagGeneration) -> bool {
        self.leaked_tags >> generation.number() & 1 == 1
    }

    /// The digest secret that new digests are made with, and its number.
    pub(super) fn current_digest(&self) -> (i32, &DigestSecret) {
        self.digests.current()
    }

    /// The digest secret of a number.
    pub(super) fn digest(&self, generation: i32) -> Option<&DigestSecret> {
        self.digests.held.get(&generation)
    }

    /// The provider secret that new passwords at providers are made with, and its number.
    pub(super) fn current_provider(&self) -> (i32, &ProviderSecret) {
        self.providers.current()
    }

    /// The provider secret of a number.
    pub(super) fn provider(&self, generation: i32) -> Option<&ProviderSecret> {
        self.providers.held.get(&generation)
    }

    /// Who seals the audit trail, in this run of the server.
    pub(super) fn author(&self, run: &str) -> Author {
        Author {
            node: run.to_owned(),
            current: Arc::clone(self.audit.current().1),
            held: self.audit.held.values().map(Arc::clone).collect(),
        }
    }

    /// The audit secret of a number.
    pub(super) fn audit(&self, generation: i32) -> Option<&Arc<AuditSecret>> {
        self.audit.held.get(&generation)
    }

    /// Whether others know the audit secret of a number.
    pub(super) fn audit_is_leaked(&self, generation: i32) -> bool {
        self.leaked_audits.contains(&generation)
    }

    /// What new things are sealed with.
    pub(super) fn sealer(&self) -> Sealer {
        let (generation, secret) = self.sealing.current();
        sealer(secret, generation)
    }

    /// Seals under the current sealing secret.
    pub(super) fn seal(&self, place: Place<'_>, plaintext: &[u8]) -> Vec<u8> {
        self.sealer().seal(place, plaintext)
    }

    /// Opens what any sealing secret that is held here sealed.
    pub(super) fn unseal(&self, place: Place<'_>, blob: &[u8]) -> Result<SecretBytes, OpenError> {
        let (secret, generation) = self.sealed_with(blob)?;
        Sealer::new(secret, generation).open(place, blob)
    }

    /// The secret that new cookies are made with, and its number.
    pub(super) fn current_cookies(&self) -> (i32, &SecretBytes) {
        self.cookies.current()
    }

    /// Every secret that cookies may have been made with, the newest first.
    pub(super) fn all_cookies(&self) -> impl Iterator<Item = (i32, &SecretBytes)> {
        let held = self.cookies.held.iter().rev();
        held.map(|(number, secret)| (*number, secret))
    }

    /// Seals what a browser is to bring back, under the current secret of cookies.
    pub(super) fn seal_cookie(&self, place: Place<'_>, plaintext: &[u8]) -> Vec<u8> {
        let (generation, secret) = self.cookies.current();
        Sealer::new(secret, number(generation)).seal(place, plaintext)
    }

    /// Opens what any secret of cookies that is held here sealed.
    pub(super) fn open_cookie(
        &self,
        place: Place<'_>,
        blob: &[u8],
    ) -> Result<SecretBytes, OpenError> {
        let generation = sealed::sealed_generation(blob)?;
        let mut held = self.all_cookies();
        let (_, secret) = held
            .find(|(held, _)| number(*held) == generation)
            .ok_or(OpenError::Generation(generation))?;
        Sealer::new(secret, generation).open(place, blob)
    }

    /// Seals so that only who brings `second` too can open it.
    pub(super) fn seal_jointly(
        &self,
        second: &[u8],
        place: Place<'_>,
        plaintext: &[u8],
    ) -> Vec<u8> {
        let (generation, secret) = self.sealing.current();
        Sealer::joint(secret, second, number(generation)).seal(place, plaintext)
    }

    /// Opens what was sealed with the same `second`.
    pub(super) fn unseal_jointly(
        &self,
        second: &[u8],
        place: Place<'_>,
        blob: &[u8],
    ) -> Result<SecretBytes, OpenError> {
        let (secret, generation) = self.sealed_with(blob)?;
        Sealer::joint(secret, second, generation).open(place, blob)
    }

    fn sealed_with(&self, blob: &[u8]) -> Result<(&SecretBytes, u32), OpenError> {
        let generation = sealed::sealed_generation(blob)?;
        let held = i32::try_from(generation.saturating_sub(1))
            .ok()
            .and_then(|number| self.sealing.held.get(&number));
        held.map(|secret| (secret, generation))
            .ok_or(OpenError::Generation(generation))
    }
}

impl<T> Generations<T> {
    fn of(
        purpose: SecretPurpose,
        rows: &[StoredSecret],
        root: &Sealer,
        make: impl Fn(i32, &[u8; 32]) -> T,
    ) -> Result<Self, SecretsError> {
        let rows = rows.iter().filter(|row| row.purpose == purpose);
        let current = rows
            .clone()
            .filter(|row| row.state == SecretState::Current)
            .map(|row| row.generation)
            .max();
        let open = |row: &StoredSecret| {
            let generation = row.generation;
            let opened = open(root, row)?;
            let bytes = opened
                .expose()
                .try_into()
                .map_err(|_| SecretsError::Missing(purpose))?;
            Ok((generation, make(generation, bytes)))
        };
        let held: BTreeMap<_, _> = rows.map(open).collect::<Result<_, SecretsError>>()?;
        Ok(Self {
            current: current.ok_or(SecretsError::Missing(purpose))?,
            held,
        })
    }

    fn current(&self) -> (i32, &T) {
        // `of` made sure that the current one is held.
        (self.current, &self.held[&self.current])
    }
}

/// Seals what a provider made for a user to sign in by, so that the key itself is needed to open it.
pub(super) fn seal_credential(
    secrets: &PurposeSecrets,
    (generation, password): (&CredentialId, &[u8]),
    credential: &SecretText,
) -> Vec<u8> {
    let place = credential_place(generation);
    secrets.seal_jointly(password, place, credential.expose().as_bytes())
}

/// Opens it again.
pub(super) fn open_credential(
    secrets: &PurposeSecrets,
    (generation, password): (&CredentialId, &[u8]),
    sealed: &[u8],
) -> Result<SecretText, OpenError> {
    let opened = secrets.unseal_jointly(password, credential_place(generation), sealed)?;
    let text = String::from_utf8(opened.expose().to_vec()).unwrap_or_default();
    Ok(SecretText::new(text))
}

fn credential_place(generation: &CredentialId) -> Place<'_> {
    Place {
        purpose: "credential",
        name: "provider",
        id: generation.as_str(),
    }
}

/// A new secret as it is recorded first.
pub(super) fn announced(
    root: &Sealer,
    (purpose, generation): (SecretPurpose, i32),
    secret: &SecretBytes,
    now: Timestamp,
) -> StoredSecret {
    StoredSecret {
        purpose,
        generation,
        state: SecretState::Announced,
        sealed: seal(root, (purpose, generation), secret),
        next_sealed: None,
        created_at: now,
        changed_at: now,
    }
}

/// Seals with a sealing secret of this number.
pub(super) fn sealer(secret: &SecretBytes, generation: i32) -> Sealer {
    Sealer::new(secret, number(generation))
}

/// Seals a purpose's secret under a root secret.
pub(super) fn seal(
    root: &Sealer,
    (purpose, generation): (SecretPurpose, i32),
    secret: &SecretBytes,
) -> Vec<u8> {
    root.seal(place(purpose, &generation.to_string()), secret.expose())
}

/// Opens a row by the root secret that it is sealed under; while that changes, by either of the two.
pub(super) fn open(root: &Sealer, row: &StoredSecret) -> Result<SecretBytes, SecretsError> {
    let (purpose, generation) = (row.purpose, row.generation);
    let id = generation.to_string();
    let opened = root.open(place(purpose, &id), &row.sealed);
    let opened = match (&row.next_sealed, opened) {
        (Some(next), Err(_)) => root.open(place(purpose, &id), next),
        (_, opened) => opened,
    };
    opened.map_err(|source| SecretsError::Sealed {
        purpose,
        generation,
        source,
    })
}

fn place(purpose: SecretPurpose, id: &str) -> Place<'_> {
    Place {
        purpose: "secret",
        name: purpose.as_str(),
        id,
    }
}

/// The number inside a sealed blob: 0 is the root's, so ours count from 1.
fn number(generation: i32) -> u32 {
    u32::try_from(generation).unwrap_or(0) + 1
}
