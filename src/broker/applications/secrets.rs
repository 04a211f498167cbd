//! The secrets of applications: several live at once, so that one can be replaced without a gap; each is shown once.

use jiff::Timestamp;
use serde_json::json;

use super::machine_roles;
use crate::broker::idempotency::Keep;
use crate::broker::{Broker, Caller, Conflict, Error, audit};
use crate::domain::application::{MAX_SECRETS, StoredSecret};
use crate::domain::audit::Origin;
use crate::domain::client_secret::PlaintextSecret;
use crate::domain::id::{ApplicationId, ClientSecretId};
use crate::store::{self, Change, Place, applications, secrets};

/// A secret just made: shown this once.
pub struct IssuedSecret {
    /// What is on record.
    pub stored: StoredSecret,
    /// The secret itself.
    pub secret: PlaintextSecret,
}

impl Broker {
    /// Whether a caller could have a secret made now, as he did when the answer was kept that shows it.
    pub(in crate::broker) async fn check_secret_shown(
        &self,
        caller: Caller,
        secret: ClientSecretId,
    ) -> Result<(), Error> {
        let catalogue = self.catalogue().await?;
        let grantor = caller.grantor("applications:write", &catalogue, self.now());
        let checked = self.store.write(move |tx| {
            let id = applications::secrets::application_of(tx, &secret)?;
            let id = id.ok_or(Error::NotFound)?;
            let application = applications::find(tx, &id)?.ok_or(Error::NotFound)?;
            caller.sees_application(&application, "applications:write")?;
            let all = machine_roles(tx, &application.roles)?;
            grantor.check_application(tx, &application, &all, Some(&id))
        });
        checked.await
    }

    /// Draws one.
    pub(super) fn draw_secret(
        &self,
        application_id: ApplicationId,
        expires_at: Option<Timestamp>,
    ) -> IssuedSecret {
        let secret = PlaintextSecret::generate(&*self.random);
        let held = self.secrets.load();
        let (digest_generation, made_with) = held.current_digest();
        IssuedSecret {
            stored: StoredSecret {
                id: ClientSecretId::generate(&*self.random),
                application_id,
                digest: made_with.client_digest(&application_id, secret.unverified()),
                digest_generation,
                hint: secret.hint().to_owned(),
                expires_at,
                created_at: self.now(),
            },
            secret,
        }
    }

    /// Adds a secret to an application. Ended ones make room.
    ///
    /// # Errors
    /// Not there, one that signs assertions, as many as there may be, or more than the caller holds: whoever has a secret may do what
    /// the application may.
    pub async fn add_application_secret(
        &self,
        id: ApplicationId,
        expires_at: Option<Timestamp>,
        caller: &Caller,
        origin: Origin,
        keep: Option<Keep<'_, IssuedSecret>>,
    ) -> Result<IssuedSecret, Error> {
        let now = self.now();
        if expires_at.is_some_and(|end| end <= now) {
            return Err(Error::invalid("expires_at", "must be in the future"));
        }
        let application = self.changeable_application(id, caller, |_| true).await?;
        if !application.uses_secrets() {
            return Err(Conflict::SecretsUnused.into());
        }
        let issued = self.draw_secret(id, expires_at);
        let catalogue = self.catalogue().await?;
        let grantor = caller.grantor("applications:write", &catalogue, now);
        let details = json!({"secret": issued.stored.id, "expires_at": expires_at});
        let event = self.event(
            &origin,
            "application.secret_added",
            id.as_str(),
            application.organization_id,
            details,
        );
        let kept = self.kept_showing(keep, &issued, Some(issued.stored.id.as_str()))?;
        let (written, since) = (issued.stored.clone(), self.secrets_since());
        let added = self.store.write(move |tx| {
            // As it is in this transaction: its roles may have grown since.
            applications::lock(tx, &id)?;
            let application = applications::find(tx, &id)?.ok_or(Error::NotFound)?;
            if !application.uses_secrets() {
                return Err(Conflict::SecretsUnused.into());
            }
            let all = machine_roles(tx, &application.roles)?;
            grantor.check_application(tx, &application, &all, Some(&id))?;
            let mut live = 0;
            for secret in applications::secrets::of_application(tx, &id)? {
                if secret.lives(now) {
                    live += 1;
                } else {
                    applications::secrets::delete(tx, &id, &secret.id)?;
                }
            }
            if live >= MAX_SECRETS {
                return Err(Conflict::TooManySecrets.into());
            }
            secrets::require_usable_digest(tx, written.digest_generation, since)?;
            applications::secrets::insert(tx, &written)?;
            applications::count_change(tx, &id, now)?;
            if let Some(kept) = &kept {
                kept.write(tx)?;
            }
            tx.changed(Change::Application(id));
            audit::append(tx, &event)?;
            Ok::<_, Error>(())
        });
        added.await?;
        Ok(issued)
    }

    /// A page of an application's secrets, newest first, without the secrets themselves.
    ///
    /// # Errors
    /// Not there, or not the caller's.
    pub async fn application_secrets(
        &self,
        id: ApplicationId,
        caller: &Caller,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<StoredSecret>, Error> {
        self.application(id, caller).await?;
        let page = move |connection: &mut store::Connection| {
            applications::secrets::list(connection, &id, after.as_ref(), limit)
        };
        Ok(self.store.read(page).await?)
    }

    /// One of them.
    ///
    /// # Errors
    /// Not there, or not the caller's.
    pub async fn application_secret(
        &self,
        id: ApplicationId,
        secret: ClientSecretId,
        caller: &Caller,
    ) -> Result<StoredSecret, Error> {
        let all = self
            .application_secrets(id, caller, None, usize::MAX)
            .await?;
        let found = all.into_iter().find(|stored| stored.id == secret);
        found.ok_or(Error::NotFound)
    }

    /// Takes a secret away; it lets nobody in from the moment this returns.
    ///
    /// # Errors
    /// Not there, or not the caller's.
    pub async fn remove_application_secret(
        &self,
        id: ApplicationId,
        secret: ClientSecretId,
        caller: &Caller,
        origin: Origin,
    ) -> Result<(), Error> {
        let application = self.changeable_application(id, caller, |_| true).await?;
        let event = self.event(
            &origin,
            "application.secret_removed",
            id.as_str(),
            application.organization_id,
            json!({"secret": secret}),
        );
        let now = self.now();
        let removed = self.store.write(move |tx| {
            if !applications::secrets::delete(tx, &id, &secret)? {
                return Ok(false);
            }
            store::idempotency::erase_shown(tx, secret.as_str())?;
            applications::count_change(tx, &id, now)?;
            tx.changed(Change::Application(id));
            audit::append(tx, &event)?;
            Ok::<_, store::Error>(true)
        });
        if removed.await? {
            Ok(())
        } else {
            Err(Error::NotFound)
        }
    }
}
