//! An application is removed. What refers to it is named first, and goes on referring to nobody where the caller insists.

use jiff::Timestamp;
use serde_json::json;

use super::NAMED;
use crate::broker::{Broker, Caller, Conflict, Error, audit};
use crate::domain::audit::Origin;
use crate::domain::id::ApplicationId;
use crate::store::applications::users;
use crate::store::{self, Change, applications, exchange_rules};

impl Broker {
    /// What refers to it, in words, some of each kind.
    ///
    /// # Errors
    /// Not there, or not the caller's.
    pub async fn application_users(
        &self,
        id: ApplicationId,
        caller: &Caller,
    ) -> Result<Vec<String>, Error> {
        self.application(id, caller).await?;
        let users = self
            .store
            .read(move |connection| users::of(connection, &id, NAMED));
        Ok(users.await?)
    }

    /// Removes one with its secrets; what refers to it goes with it if that is asked for.
    ///
    /// # Errors
    /// Not there, changed since, or in use; by whom.
    pub async fn delete_application(
        &self,
        id: ApplicationId,
        cascade: bool,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<(), Error> {
        loop {
            let found = self.changeable_application(id, caller, &expected).await?;
            let event = self.event(
                &origin,
                "application.deleted",
                id.as_str(),
                found.organization_id,
                json!({"name": found.name, "cascade": cascade}),
            );
            let now = self.now();
            let deleted = self.store.write(move |tx| {
                applications::lock(tx, &id)?;
                let there = applications::find(tx, &id)?.ok_or(Error::NotFound)?;
                if there.version != found.version {
                    return Ok(false);
                }
                let users = users::of(tx, &id, NAMED)?;
                if !users.is_empty() && !cascade {
                    return Err(Conflict::ApplicationInUse(users).into());
                }
                remove(tx, &id, now)?;
                audit::append(tx, &event)?;
                Ok::<_, Error>(true)
            });
            match deleted.await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                // Something was made that refers to it at the same moment.
                Err(Error::Store(error)) if error.conflicts_with(store::FOREIGN_KEY) => {
                    let users = self
                        .store
                        .read(move |connection| users::of(connection, &id, NAMED))
                        .await?;
                    return Err(Conflict::ApplicationInUse(users).into());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Removes one, with its secrets and the kept answers that show them.
fn remove(
    tx: &mut store::Transaction<'_>,
    id: &ApplicationId,
    now: Timestamp,
) -> Result<(), Error> {
    for secret in applications::secrets::of_application(tx, id)? {
        store::idempotency::erase_shown(tx, secret.id.as_str())?;
    }
    if exchange_rules::delete_of_application(tx, id, now)? > 0 {
        tx.changed(Change::ExchangeRules);
    }
    applications::delete(tx, id)?;
    store::revoked_tokens::note_removed(tx, id.as_str(), now)?;
    tx.changed(Change::Application(*id));
    Ok(())
}
