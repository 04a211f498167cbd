//! What is still to be done at identity providers: half-made generations undone, permissions brought in line, users removed.
//!
//! Each thing was written down before it was first tried, so a crash loses none; each may be done twice. What fails is put off, longer
//! each time, and never given up.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use super::{Broker, Error};
use crate::domain::lifecycle::CredentialState;
use crate::idp;
use crate::store::idp_operations::{self, Operation, OperationKind};
use crate::store::{self, api_keys, credentials};

/// Things taken up at a time.
const BATCH: usize = 100;
/// The longest time between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

impl Broker {
    /// Does what is due. Whether more may be due at once.
    pub(super) async fn tend_outbox(&self) -> bool {
        let now = self.now();
        let due = self
            .store
            .read(move |connection| idp_operations::due(connection, now, BATCH))
            .await;
        let due = match due {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the outbox cannot be read"
                );
                return false;
            }
        };
        let full = due.len() == BATCH;
        for operation in due {
            if let Err(error) = self.perform(&operation).await {
                self.put_off(&operation, &error).await;
            }
        }
        full
    }

    async fn perform(&self, operation: &Operation) -> Result<(), Error> {
        match operation.kind {
            OperationKind::Create => return self.undo_creation(operation, true).await,
            OperationKind::Permit => self.permit(operation).await?,
            OperationKind::Delete => {
                let provider = self.provider(&operation.provider)?;
                self.end_if_over(operation).await?;
                self.ask(provider.delete(&operation.user_name)).await?;
            }
        }
        let (id, now) = (operation.id, self.now());
        self.store
            .write(move |tx| idp_operations::finish(tx, &id, now))
            .await?;
        Ok(())
    }

    /// Gives a user what our record says at this moment.
    async fn permit(&self, operation: &Operation) -> Result<(), Error> {
        let name = operation.user_name;
        let credential = self
            .store
            .read(move |connection| credentials::find_by_user_name(connection, &name))
            .await?;
        let ended = |state: CredentialState| {
            matches!(
                state,
                CredentialState::Ended { .. } | CredentialState::Pending
            )
        };
        if credential.is_none_or(|credential| ended(credential.state)) {
            return Ok(());
        }
        let Some(permissions) = self.recorded_permissions(operation.key_id).await? else {
            return Ok(());
        };
        let provider = self.provider(&operation.provider)?;
        match self
            .ask(provider.set_permissions(&operation.user_name, &permissions))
            .await
        {
            // Somebody removed it there: there is nothing to permit, and the next sign-in finds out.
            Ok(()) | Err(idp::Error::NoSuchUser) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A generation whose grace is over ends on record before its user goes.
    async fn end_if_over(&self, operation: &Operation) -> Result<(), Error> {
        Ok(self
            .end_generation(operation.credential_id, self.now(), None)
            .await?)
    }

    /// Throws away a generation that was never finished, on record first, then at the provider. Does nothing to one that lives. With
    /// `last` this is the end of it; without, the outbox comes again.
    pub(super) async fn undo_creation(
        &self,
        operation: &Operation,
        last: bool,
    ) -> Result<(), Error> {
        let (creation, now) = (operation.clone(), self.now());
        let lives = self
            .store
            .write(move |tx| {
                api_keys::lock(tx, &creation.key_id)?;
                if credentials::delete_pending(tx, &creation.credential_id)? {
                    api_keys::delete_pending(tx, &creation.key_id)?;
                }
                // What lives was finished after all. What ended meanwhile has a removal of its own, which may have come before the
                // provider made the user: it is removed once more.
                let found = credentials::find(tx, &creation.credential_id)?;
                let lives = found.is_some_and(|credential| {
                    !matches!(credential.state, CredentialState::Ended { .. })
                });
                if lives {
                    idp_operations::finish(tx, &creation.id, now)?;
                }
                Ok::<_, store::Error>(lives)
            })
            .await?;
        if lives {
            return Ok(());
        }
        let provider = self.provider(&operation.provider)?;
        self.ask(provider.delete(&operation.user_name)).await?;
        if last {
            let id = operation.id;
            self.store
                .write(move |tx| idp_operations::finish(tx, &id, now))
                .await?;
        }
        Ok(())
    }

    async fn put_off(&self, operation: &Operation, error: &Error) {
        let attempts = u32::try_from(operation.attempts).unwrap_or(0);
        let pause = Duration::from_secs(1)
            .saturating_mul(1 << attempts.min(16))
            .min(LONGEST_PAUSE);
        let next = self
            .now()
            .checked_add(pause)
            .unwrap_or(operation.next_try_at);
        let cause = error
            .source()
            .map_or_else(|| error.to_string(), ToString::to_string);
        tracing::warn!(%error, cause, kind = ?operation.kind, key = %operation.key_id, attempts, "put off at the identity provider");
        let (id, text) = (operation.id, error.to_string());
        let put_off = self
            .store
            .write(move |tx| idp_operations::postpone(tx, &id, next, &text))
            .await;
        if let Err(error) = put_off {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the outbox cannot be written"
            );
        }
    }

    /// How many things are open, for `/readyz`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_operations(self: &Arc<Self>) -> Result<i64, store::Error> {
        self.store.read(idp_operations::open).await
    }
}
