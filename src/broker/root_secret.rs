//! The root secret is replaced, in two steps between which the database opens with the old one and with the new one.
//!
//! First every secret is sealed under the new root beside the old, and the check value of the new one is recorded beside the old one's.
//! Then whoever keeps the root puts the new one in its place: this server, if it made the file itself, else the operator, server by
//! server. Last the old one is dropped from the database. A crash anywhere leaves a database that the root at hand opens.

use std::io;
use std::sync::Arc;

use serde_json::json;

use super::idempotency::Keeper;
use super::{Broker, Caller, Conflict, Error, StartError, audit, secrets};
use crate::domain::audit::Origin;
use crate::domain::random::Random;
use crate::domain::sealed::RootSecret;
use crate::store::{self, Backend, Change, deployment};

/// A root secret that this server made and may replace. Every change of it is durable when it is answered.
pub trait RootSecretFile: Send + Sync + 'static {
    /// Makes a new one beside the old one, which stays in force.
    ///
    /// # Errors
    /// The system's.
    fn prepare(&self, random: &dyn Random) -> io::Result<RootSecret>;

    /// The one that was prepared, if there is one.
    ///
    /// # Errors
    /// The system's.
    fn prepared(&self) -> io::Result<Option<RootSecret>>;

    /// Puts the prepared one in the place of the old one, which is kept aside for the backups that need it.
    ///
    /// # Errors
    /// The system's; then either the old one is in force or the new one.
    fn adopt(&self) -> io::Result<()>;

    /// Throws the prepared one away, if there is one.
    ///
    /// # Errors
    /// The system's.
    fn discard(&self) -> io::Result<()>;
}

/// What is to be done with the root secret.
pub enum RootChange {
    /// All of it, by the server that keeps the root itself.
    Whole,
    /// Let the database open with this one too.
    Begin(RootSecret),
    /// Let it open with the new one alone.
    Finish,
    /// Let it open with the old one alone.
    Cancel,
}

impl Broker {
    /// Replaces the root secret, or takes one step of it. `true` if the database opens with one root secret alone now.
    ///
    /// # Errors
    /// A conflict where the step does not fit the present state, or the root is not this server's to replace; a caller who is bound
    /// to an organization.
    pub async fn change_root(
        &self,
        change: RootChange,
        (caller, origin): (&Caller, Origin),
        keep: Option<Keeper<bool>>,
    ) -> Result<bool, Error> {
        caller.runs_the_deployment()?;
        let _alone = self.root_changes.lock().await;
        match (change, &self.root_file) {
            (RootChange::Whole, None) => Err(Conflict::RootSecretGiven.into()),
            (RootChange::Whole, Some(file)) => {
                self.settle_root_file(file).await?;
                let (file, random) = (Arc::clone(file), Arc::clone(&self.random));
                let making = Arc::clone(&file);
                let new = Arc::new(on_disk(move || making.prepare(&*random)).await?);
                self.begin_root(Arc::clone(&new), &origin, None).await?;
                self.adopt_root(file, new).await?;
                self.finish_root(&origin, keep).await?;
                Ok(true)
            }
            (_, Some(_)) => Err(state(
                "this server keeps its root secret itself, and replaces it without further steps",
            )),
            (RootChange::Begin(new), None) => {
                if new.matches(&self.root.load().check_value()) {
                    return Err(Error::invalid(
                        "new_root_secret",
                        "must be another one than the present one",
                    ));
                }
                self.begin_root(Arc::new(new), &origin, keep).await?;
                Ok(false)
            }
            (RootChange::Finish, None) => self.finish_root(&origin, keep).await.map(|()| true),
            (RootChange::Cancel, None) => self.cancel_root(&origin, keep).await.map(|()| true),
        }
    }

    /// Ends at a start what a crash cut off, as far as that is this server's to do.
    pub(super) async fn settle_root(&self) -> Result<(), StartError> {
        let settled = match &self.root_file {
            Some(file) => self.settle_root_file(file).await,
            None if self.store.backend() == Backend::Sqlite => self.settle_given_root().await,
            // Other nodes may still run with the old one: the operator says when none does.
            None => Ok(()),
        };
        settled.map_err(|error| match error {
            Error::Store(error) => StartError::Store(error),
            other => StartError::RootChange(other.to_string()),
        })
    }

    async fn settle_given_root(&self) -> Result<(), Error> {
        let next = self.next_root_check().await?;
        // There is one server on SQLite, and it has the new one now.
        if next.is_some_and(|next| self.root.load().matches(&next)) {
            self.finish_root(&Origin::server(), None).await?;
        }
        Ok(())
    }

    async fn settle_root_file(&self, file: &Arc<dyn RootSecretFile>) -> Result<(), Error> {
        let origin = Origin::server();
        let looking = Arc::clone(file);
        let prepared = on_disk(move || looking.prepared()).await?;
        match self.next_root_check().await? {
            Some(next) if self.root.load().matches(&next) => {
                self.finish_root(&origin, None).await?
            }
            Some(next) => match prepared {
                Some(new) if new.matches(&next) => {
                    self.adopt_root(Arc::clone(file), Arc::new(new)).await?;
                    return self.finish_root(&origin, None).await;
                }
                _ => self.cancel_root(&origin, None).await?,
            },
            None => {}
        }
        let file = Arc::clone(file);
        on_disk(move || file.discard()).await
    }

    async fn next_root_check(&self) -> Result<Option<Vec<u8>>, Error> {
        let found = self.store.read(deployment::find).await?;
        Ok(found.and_then(|found| found.next_root_check))
    }

    /// From the file on this process goes by the new one too.
    async fn adopt_root(
        &self,
        file: Arc<dyn RootSecretFile>,
        new: Arc<RootSecret>,
    ) -> Result<(), Error> {
        on_disk(move || file.adopt()).await?;
        self.root.store(new);
        // A reading of the secrets that began with the old one ends before the old one opens nothing.
        self.no_reading_under_way().await;
        Ok(())
    }

    /// Seals everything under the new root too.
    async fn begin_root(
        &self,
        new: Arc<RootSecret>,
        origin: &Origin,
        keep: Option<Keeper<bool>>,
    ) -> Result<(), Error> {
        let root = self.root.load_full();
        let event = self.event(
            origin,
            "root_secret.announced",
            "root_secret",
            None,
            json!({}),
        );
        let begun = self.store.write(move |tx| {
            deployment::lock(tx)?;
            let found = deployment::find(tx)?.ok_or(Error::NotFound)?;
            match &found.next_root_check {
                Some(next) if new.matches(next) => return kept(tx, &keep, false),
                Some(_) => {
                    return Err(state(
                        "it is being changed to another one: finish or cancel that",
                    ));
                }
                None => {}
            }
            if !root.matches(&found.root_check) {
                return Err(replaced());
            }
            let (old, sealer) = (root.sealer(), new.sealer());
            for mut row in store::secrets::all(tx)? {
                let opened = secrets::open(&old, &row)
                    .map_err(|error| Error::Internal(error.to_string()))?;
                let of = (row.purpose, row.generation);
                row.next_sealed = Some(secrets::seal(&sealer, of, &opened));
                store::secrets::set_sealed(tx, &row)?;
            }
            let next = new.check_value();
            deployment::set_root_checks(tx, &found.root_check, Some(&next))?;
            audit::append(tx, &event)?;
            tx.changed(Change::Secrets);
            kept(tx, &keep, false)
        });
        begun.await
    }

    /// Lets the old root open nothing any more. Only a process that has the new one may say so: it knows that the new one is there.
    async fn finish_root(&self, origin: &Origin, keep: Option<Keeper<bool>>) -> Result<(), Error> {
        let root = self.root.load_full();
        let event = self.event(
            origin,
            "root_secret.replaced",
            "root_secret",
            None,
            json!({}),
        );
        let finished = self.store.write(move |tx| {
            deployment::lock(tx)?;
            let found = deployment::find(tx)?.ok_or(Error::NotFound)?;
            let Some(next) = found.next_root_check else {
                return Err(state("the root secret is not being changed"));
            };
            if !root.matches(&next) {
                return Err(state(
                    "this server still runs with the old root secret: start it with the new one first",
                ));
            }
            for mut row in store::secrets::all(tx)? {
                let Some(sealed) = row.next_sealed.take() else {
                    return Err(Error::Internal("a secret was not sealed anew".to_owned()));
                };
                row.sealed = sealed;
                store::secrets::set_sealed(tx, &row)?;
            }
            deployment::set_root_checks(tx, &next, None)?;
            audit::append(tx, &event)?;
            tx.changed(Change::Secrets);
            kept(tx, &keep, true)
        });
        finished.await
    }

    async fn cancel_root(&self, origin: &Origin, keep: Option<Keeper<bool>>) -> Result<(), Error> {
        let root = self.root.load_full();
        let event = self.event(origin, "root_secret.kept", "root_secret", None, json!({}));
        let cancelled = self.store.write(move |tx| {
            deployment::lock(tx)?;
            let found = deployment::find(tx)?.ok_or(Error::NotFound)?;
            if found.next_root_check.is_none() {
                return Err(state("the root secret is not being changed"));
            }
            if !root.matches(&found.root_check) {
                return Err(state(
                    "this server runs with the new root secret already: finish",
                ));
            }
            for mut row in store::secrets::all(tx)? {
                row.next_sealed = None;
                store::secrets::set_sealed(tx, &row)?;
            }
            deployment::set_root_checks(tx, &found.root_check, None)?;
            audit::append(tx, &event)?;
            tx.changed(Change::Secrets);
            kept(tx, &keep, true)
        });
        cancelled.await
    }
}

fn kept(
    tx: &mut store::Transaction<'_>,
    keep: &Option<Keeper<bool>>,
    done: bool,
) -> Result<(), Error> {
    match keep {
        Some(keep) => Ok(keep.write(tx, &done)?),
        None => Ok(()),
    }
}

fn state(detail: &str) -> Error {
    Conflict::SecretState(detail.to_owned()).into()
}

fn replaced() -> Error {
    state("this server runs with a root secret that was replaced: start it with the new one")
}

/// Runs what waits for a disk where waiting is allowed.
async fn on_disk<T: Send + 'static>(
    code: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(code).await;
    done.map_err(io::Error::other)
        .and_then(|done| done)
        .map_err(|error| Error::Internal(format!("the root secret's file: {error}")))
}
