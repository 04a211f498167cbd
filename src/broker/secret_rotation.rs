//! The life of a purpose's secret: announced, current, retired or leaked, dropped.
//!
//! A new one is announced first, so that every node learns it, and makes new things only after [`Settings::announce_secrets`]; one whose
//! predecessor leaked does so at once, and a node that meets it early reads the secrets again. Older ones go on verifying until nothing
//! that lives needs them and somebody drops them. All of that is by hand, each step with its audit row.
//!
//! [`Settings::announce_secrets`]: super::Settings::announce_secrets

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::idempotency::Keeper;
use super::secrets::{self, PurposeSecrets};
use super::{Broker, Caller, Conflict, Error, audit, signing_keys, trail};
use crate::domain::audit::{AuditEvent, Origin};
use crate::domain::key_tag::TagGeneration;
use crate::domain::purpose::{SecretPurpose, SecretState};
use crate::domain::sealed::{self, RootSecret, Sealer};
use crate::store::secrets::{KeyOn, StoredSecret};
use crate::store::{
    self, Backend, Change, Connection, Place, Transaction, deployment, signing_keys as keys,
};

/// How long a node may go on using a secret that was replaced, because it has not noticed: longer than any transaction takes.
const UNNOTICED: SignedDuration = SignedDuration::from_secs(30);
/// How many secrets of a purpose but tag there can be at once: their numbers take a byte in the memory of keys.
const MOST: i32 = 255;

/// A secret as operators see it; never the secret itself.
#[derive(Clone, Debug)]
pub struct ListedSecret {
    /// What it is for.
    pub purpose: SecretPurpose,
    /// Its number.
    pub generation: i32,
    /// Its state.
    pub state: SecretState,
    /// Since when it is on record.
    pub created_at: Timestamp,
    /// Since when it is in its state.
    pub changed_at: Timestamp,
    /// Of an announced one: from when on it makes new things.
    pub usable_from: Option<Timestamp>,
    /// Keys that live and need it; of sealing, what is sealed with it; of audit, the chains of the trail.
    pub needed_by: i64,
}

/// What a rotation is to do beside making a new secret.
#[derive(Clone, Copy, Debug, Default)]
pub struct SecretLeak {
    /// Whether the old one is known to others.
    pub leaked: bool,
    /// Which one leaked; the current one, if none is named.
    pub generation: Option<i32>,
}

impl Broker {
    /// The secrets of one purpose or of all, newest first.
    ///
    /// # Errors
    /// A caller who is bound to an organization: they belong to the deployment.
    pub async fn listed_secrets(
        &self,
        purpose: Option<SecretPurpose>,
        caller: &Caller,
    ) -> Result<Vec<ListedSecret>, Error> {
        caller.runs_the_deployment()?;
        let (announce, now) = (self.announce(), self.now());
        let listed = self
            .store
            .read(move |connection| listed(connection, purpose, announce, now));
        Ok(listed.await?)
    }

    /// The keys that still need a secret, newest first.
    ///
    /// # Errors
    /// No such secret; a caller who is bound to an organization.
    pub async fn keys_on_secret(
        &self,
        (purpose, generation): (SecretPurpose, i32),
        caller: &Caller,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<KeyOn>, Error> {
        caller.runs_the_deployment()?;
        let read = self.store.read(move |connection| {
            let rows = store::secrets::all(connection)?;
            let wanted =
                |row: &StoredSecret| (row.purpose, row.generation) == (purpose, generation);
            if !rows.iter().any(wanted) {
                return Err(Error::NotFound);
            }
            let of = (purpose, generation);
            Ok(store::secrets::keys_on(
                connection,
                of,
                after.as_ref(),
                limit,
            )?)
        });
        read.await
    }

    /// Makes a new secret that takes the place of the current one: after it was announced for a while, or at once if that one leaked
    /// or nobody else has to learn it. Of an older one it is only noted that it leaked.
    ///
    /// # Errors
    /// A conflict while the one before waits for its turn, or the root secret changes; a caller who is bound to an organization.
    pub async fn rotate_secret(
        &self,
        purpose: SecretPurpose,
        leak: SecretLeak,
        (caller, origin): (&Caller, Origin),
        keep: Option<Keeper<Vec<ListedSecret>>>,
    ) -> Result<Vec<ListedSecret>, Error> {
        caller.runs_the_deployment()?;
        let at_once = leak.leaked || self.announce().is_zero();
        let new = sealed::generate_purpose_secret(&*self.random);
        let (root, held) = (self.root.load_full(), self.secrets.load_full());
        let (now, announce) = (self.now(), self.announce());
        let event = |action| self.event(&origin, action, "secrets", None, json!({}));
        let events = [
            event("secret.leaked"),
            event("secret.announced"),
            event("secret.activated"),
        ];
        let rotated = self.store.write(move |tx| {
            deployment::lock(tx)?;
            let [noted, announced, activated] = events;
            if !note_leak(tx, purpose, leak, (noted, now))? {
                let root_sealer = usable_root(tx, &root)?;
                let (row, secret) = match waiting(tx, purpose, leak, announce)? {
                    Some(row) => {
                        let secret = secrets::open(&root_sealer, &row)
                            .map_err(|error| Error::Internal(error.to_string()))?;
                        (row, secret)
                    }
                    None => {
                        let generation = free_generation(tx, purpose)?;
                        let row =
                            secrets::announced(&root_sealer, (purpose, generation), &new, now);
                        store::secrets::insert(tx, &row)?;
                        let details =
                            json!({"purpose": purpose.as_str(), "generation": generation});
                        audit::append(
                            tx,
                            &AuditEvent {
                                details,
                                ..announced
                            },
                        )?;
                        (row, new)
                    }
                };
                if at_once {
                    let sealer = secrets::sealer(&secret, row.generation);
                    activate(tx, &row, leak.leaked, (activated, now))?;
                    if purpose == SecretPurpose::Sealing {
                        reseal(tx, &held, &sealer)?;
                    }
                }
                tx.changed(Change::Secrets);
            }
            let listed = listed(tx, Some(purpose), announce, now)?;
            if let Some(keep) = keep {
                keep.write(tx, &listed)?;
            }
            Ok::<_, Error>(listed)
        });
        let rotated = match rotated.await {
            Err(Error::Store(error))
                if matches!(error, store::Error::Conflict { .. })
                    && !error.conflicts_with("idempotency.id") =>
            {
                return Err(state("another call is faster"));
            }
            rotated => rotated?,
        };
        self.reload(purpose).await?;
        Ok(rotated)
    }

    /// Lets an announced secret make new things in place of the current one. Nothing happens if it waits no more.
    async fn promote(&self, purpose: SecretPurpose, generation: i32) -> Result<(), Error> {
        let (root, held) = (self.root.load_full(), self.secrets.load_full());
        let now = self.now();
        let origin = Origin::server();
        let event = self.event(&origin, "secret.activated", "secrets", None, json!({}));
        let promoted = self.store.write(move |tx| {
            deployment::lock(tx)?;
            let rows = store::secrets::all(tx)?;
            let waits = |row: &&StoredSecret| {
                (row.purpose, row.generation, row.state)
                    == (purpose, generation, SecretState::Announced)
            };
            let Some(row) = rows.iter().find(waits) else {
                return Ok(());
            };
            activate(tx, row, false, (event, now))?;
            if purpose == SecretPurpose::Sealing {
                let secret = secrets::open(&root.sealer(), row)
                    .map_err(|error| Error::Internal(error.to_string()))?;
                reseal(tx, &held, &secrets::sealer(&secret, generation))?;
            }
            tx.changed(Change::Secrets);
            Ok::<_, Error>(())
        });
        promoted.await?;
        self.reload(purpose).await
    }

    /// Promotes what has been announced for long enough.
    pub(super) async fn tend_secrets(&self) -> Result<(), Error> {
        let held = self.secrets.load_full();
        let due = held
            .announced
            .iter()
            .filter(|secret| after(secret.at, self.announce()) <= self.now());
        for secret in due {
            let (purpose, generation) = (secret.purpose, secret.generation);
            self.promote(purpose, generation).await?;
        }
        Ok(())
    }

    /// Drops the secrets of a purpose that are used no more and that nothing needs; only this one, if one is named.
    ///
    /// # Errors
    /// A conflict if none can be dropped, with the number of those who need it; a caller who is bound to an organization.
    pub async fn retire_secret(
        &self,
        purpose: SecretPurpose,
        generation: Option<i32>,
        caller: &Caller,
        origin: Origin,
    ) -> Result<Vec<ListedSecret>, Error> {
        caller.runs_the_deployment()?;
        let (held, now, settled) = (self.secrets.load_full(), self.now(), self.unnoticed() * 2);
        let author = held.author(&self.run);
        let event = self.event(&origin, "secret.retired", "secrets", None, json!({}));
        let retired = self.store.write(move |tx| {
            deployment::lock(tx)?;
            if purpose == SecretPurpose::Sealing {
                reseal(tx, &held, &held.sealer())?;
            }
            if purpose == SecretPurpose::Audit {
                trail::mark_anew(tx, &author, now)?;
            }
            let needs = store::secrets::needs(tx, purpose, now)?;
            let (mut dropped, mut refusal) = (Vec::new(), None);
            for row in store::secrets::all(tx)? {
                let used_no_more = matches!(row.state, SecretState::Retired | SecretState::Leaked);
                let is_meant = generation.is_none_or(|generation| generation == row.generation);
                if row.purpose != purpose || !used_no_more || !is_meant {
                    continue;
                }
                let (count, from) = (needed(&needs, &row), after(row.changed_at, settled));
                if count > 0 {
                    refusal = Some(Conflict::SecretInUse(in_use(&row, count)));
                } else if from > now {
                    let detail = format!("a slower node may still use it; possible from {from} on");
                    refusal.get_or_insert(Conflict::SecretState(detail));
                } else {
                    store::secrets::remove(tx, &row)?;
                    dropped.push(row.generation);
                }
            }
            if dropped.is_empty() {
                let none =
                    || Conflict::SecretState("there is none that is used no more".to_owned());
                return Err(refusal.unwrap_or_else(none).into());
            }
            let mut event = event;
            event.details = json!({"purpose": purpose.as_str(), "generations": dropped});
            audit::append(tx, &event)?;
            tx.changed(Change::Secrets);
            Ok::<_, Error>(())
        });
        retired.await?;
        self.reload(purpose).await?;
        self.listed_secrets(Some(purpose), caller).await
    }

    async fn reload(&self, purpose: SecretPurpose) -> Result<(), Error> {
        self.reload_secrets().await.map_err(|error| match error {
            secrets::SecretsError::Store(error) => Error::Store(error),
            other => Error::Internal(format!("after a change of {purpose}: {other}")),
        })?;
        if purpose == SecretPurpose::Audit {
            // At once: whoever knows the old one must not be able to write on where this process will.
            self.look_at_chains().await?;
        }
        Ok(())
    }

    /// How long a new secret waits: on SQLite there is no other node to learn it.
    fn announce(&self) -> SignedDuration {
        match self.store.backend() {
            Backend::Sqlite => SignedDuration::ZERO,
            Backend::Postgres => {
                SignedDuration::try_from(self.settings.announce_secrets).unwrap_or(UNNOTICED)
            }
        }
    }

    /// How long a node may go on using a secret that was replaced.
    fn unnoticed(&self) -> SignedDuration {
        self.announce().max(UNNOTICED)
    }

    /// A new generation of a key may still be made with a secret that was replaced after this moment.
    pub(super) fn secrets_since(&self) -> Timestamp {
        let now = self.now();
        now.checked_sub(self.unnoticed()).unwrap_or(now)
    }
}

/// The secrets of one purpose or of all, newest first.
fn listed(
    connection: &mut Connection,
    purpose: Option<SecretPurpose>,
    announce: SignedDuration,
    now: Timestamp,
) -> Result<Vec<ListedSecret>, store::Error> {
    let mut listed = Vec::new();
    let rows = store::secrets::all(connection)?;
    for wanted in SecretPurpose::ALL {
        if purpose.is_some_and(|purpose| purpose != wanted) {
            continue;
        }
        let needs = store::secrets::needs(connection, wanted, now)?;
        let rows = rows.iter().filter(|row| row.purpose == wanted);
        listed.extend(rows.map(|row| list(row, &needs, announce)));
    }
    listed.sort_by_key(|secret| {
        let newest_first = std::cmp::Reverse((secret.created_at, secret.generation));
        (newest_first, secret.purpose)
    });
    Ok(listed)
}

/// Notes that a secret leaked which is used no more. `false`, and nothing done, if none is named or the current one is.
fn note_leak(
    tx: &mut Transaction<'_>,
    purpose: SecretPurpose,
    leak: SecretLeak,
    (event, now): (AuditEvent, Timestamp),
) -> Result<bool, Error> {
    let Some(generation) = leak.generation.filter(|_| leak.leaked) else {
        return Ok(false);
    };
    let rows = store::secrets::all(tx)?;
    let found = rows
        .into_iter()
        .find(|row| (row.purpose, row.generation) == (purpose, generation))
        .ok_or_else(|| Error::invalid("generation", "there is no such secret"))?;
    match found.state {
        SecretState::Current => return Ok(false),
        SecretState::Announced => {
            return Err(state("it makes nothing yet: rotate when it is current"));
        }
        SecretState::Leaked => return Ok(true),
        SecretState::Retired => {}
    }
    store::secrets::set_state(tx, &found, SecretState::Leaked, now)?;
    let details = json!({"purpose": purpose.as_str(), "generation": generation});
    audit::append(tx, &AuditEvent { details, ..event })?;
    tx.changed(Change::Secrets);
    Ok(true)
}

/// What seals new secrets: the root secret of this process, if it is the one in force and no other takes its place.
fn usable_root(tx: &mut Transaction<'_>, root: &RootSecret) -> Result<Sealer, Error> {
    let found = deployment::find(tx)?.ok_or(Error::NotFound)?;
    if found.next_root_check.is_some() {
        return Err(state("the root secret is being changed: finish that first"));
    }
    if !root.matches(&found.root_check) {
        return Err(state(
            "this server runs with a root secret that was replaced: start it with the new one",
        ));
    }
    Ok(root.sealer())
}

/// The secret that waits for its turn already; taken if there is no time to lose.
fn waiting(
    tx: &mut Transaction<'_>,
    purpose: SecretPurpose,
    leak: SecretLeak,
    announce: SignedDuration,
) -> Result<Option<StoredSecret>, Error> {
    let rows = store::secrets::all(tx)?;
    let waiting = rows
        .into_iter()
        .find(|row| row.purpose == purpose && row.state == SecretState::Announced);
    match waiting {
        Some(waiting) if !leak.leaked => {
            let from = after(waiting.created_at, announce);
            Err(state(format!(
                "generation {} was announced and is used from {from} on",
                waiting.generation
            )))
        }
        waiting => Ok(waiting),
    }
}

fn free_generation(tx: &mut Transaction<'_>, purpose: SecretPurpose) -> Result<i32, Error> {
    let rows = store::secrets::all(tx)?;
    next_generation(purpose, rows.iter().filter(|row| row.purpose == purpose))
        .ok_or_else(|| state("there are as many as there can be: retire old ones first"))
}

/// Lets an announced secret make new things in place of the current one.
fn activate(
    tx: &mut Transaction<'_>,
    new: &StoredSecret,
    leaked: bool,
    (event, now): (AuditEvent, Timestamp),
) -> Result<(), store::Error> {
    let rows = store::secrets::all(tx)?;
    let old = rows
        .iter()
        .find(|row| row.purpose == new.purpose && row.state == SecretState::Current);
    let becomes = if leaked {
        SecretState::Leaked
    } else {
        SecretState::Retired
    };
    if let Some(old) = old {
        store::secrets::set_state(tx, old, becomes, now)?;
    }
    store::secrets::set_state(tx, new, SecretState::Current, now)?;
    let details = json!({
        "purpose": new.purpose.as_str(), "generation": new.generation,
        "replaced": old.map(|old| old.generation), "leaked": leaked,
    });
    audit::append(tx, &AuditEvent { details, ..event })
}

fn list(row: &StoredSecret, needs: &[(i32, i64)], announce: SignedDuration) -> ListedSecret {
    let waits = row.state == SecretState::Announced;
    ListedSecret {
        purpose: row.purpose,
        generation: row.generation,
        state: row.state,
        created_at: row.created_at,
        changed_at: row.changed_at,
        usable_from: waits.then(|| after(row.created_at, announce)),
        needed_by: needed(needs, row),
    }
}

fn needed(needs: &[(i32, i64)], row: &StoredSecret) -> i64 {
    let found = needs.iter().find(|(number, _)| *number == row.generation);
    found.map_or(0, |(_, count)| *count)
}

fn in_use(row: &StoredSecret, count: i64) -> String {
    let what = match row.purpose {
        SecretPurpose::Sealing => "things are sealed with",
        SecretPurpose::Audit => "chains of the audit trail need",
        SecretPurpose::Digest => "keys and client secrets that live need",
        _ => "keys that live need",
    };
    format!(
        "{count} {what} generation {} of {}",
        row.generation, row.purpose
    )
}

fn state(detail: impl Into<String>) -> Error {
    Conflict::SecretState(detail.into()).into()
}

/// The number after the newest, round and round, that no other has.
fn next_generation<'a>(
    purpose: SecretPurpose,
    rows: impl Iterator<Item = &'a StoredSecret> + Clone,
) -> Option<i32> {
    let most = match purpose {
        SecretPurpose::Tag => i32::try_from(TagGeneration::COUNT).unwrap_or(MOST),
        _ => MOST,
    };
    let newest = rows
        .clone()
        .max_by_key(|row| (row.created_at, row.generation));
    let first = newest.map_or(0, |row| row.generation + 1);
    (0..most)
        .map(|step| (first + step) % most)
        .find(|number| rows.clone().all(|row| row.generation != *number))
}

/// Seals the signing keys anew, so that no older secret is needed for them.
fn reseal(
    tx: &mut Transaction<'_>,
    held: &PurposeSecrets,
    sealer: &Sealer,
) -> Result<(), store::Error> {
    for row in keys::all(tx)? {
        let place = signing_keys::place(&row.kid);
        let corrupt = |error| store::Error::corrupt("signing_keys.sealed", error);
        let opened = held.unseal(place, &row.sealed).map_err(corrupt)?;
        keys::set_sealed(tx, &row.kid, &sealer.seal(place, opened.expose()))?;
    }
    Ok(())
}

/// `moment` + `duration`, the end of time if that lies beyond it.
fn after(moment: Timestamp, duration: SignedDuration) -> Timestamp {
    moment.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(numbers: &[i32]) -> Vec<StoredSecret> {
        let row = |(second, generation): (usize, &i32)| StoredSecret {
            purpose: SecretPurpose::Tag,
            generation: *generation,
            state: SecretState::Retired,
            sealed: Vec::new(),
            next_sealed: None,
            created_at: Timestamp::from_second(i64::try_from(second).unwrap()).unwrap(),
            changed_at: Timestamp::UNIX_EPOCH,
        };
        numbers.iter().enumerate().map(row).collect()
    }

    #[test]
    fn numbers_go_round_and_none_is_there_twice() {
        let next = |numbers: &[i32]| next_generation(SecretPurpose::Tag, rows(numbers).iter());
        assert_eq!(next(&[0]), Some(1));
        assert_eq!(next(&[0, 1, 7]), Some(8));
        // The newest is not always the greatest.
        assert_eq!(next(&[61, 0]), Some(1));
        assert_eq!(next(&[0, 1, 61]), Some(2));
        let all: Vec<i32> = (0..62).collect();
        assert_eq!(next(&all), None);
        assert_eq!(next(&all[1..]), Some(0));
        let digests = next_generation(SecretPurpose::Digest, rows(&all).iter());
        assert_eq!(digests, Some(62));
    }
}
