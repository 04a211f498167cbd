//! Many keys are revoked at once, in one transaction: all of them, or none if the database does not answer.
//!
//! Which keys are meant only the database knows, so unlike a single key they are not refused before it answered. Each has its own row
//! in the audit trail, beside one for the call.

use serde_json::json;

use crate::broker::{Broker, Caller, Error, OwnerName, audit};
use crate::domain::audit::{AuditEvent, Origin};
use crate::domain::id::{AuditEventId, OperationId, OrganizationId};
use crate::domain::lifecycle::CredentialState;
use crate::domain::provider_name::ProviderName;
use crate::store::bulk_revocation::{self, RevokedKey, Selection};
use crate::store::idp_operations::{self, Operation, OperationKind};
use crate::store::{self, Change};

/// Which keys; all that is named must fit.
#[derive(Clone, Debug, Default)]
pub struct ManyKeys {
    /// Keys of this organization.
    pub organization: Option<OrganizationId>,
    /// Keys of this person.
    pub owner: Option<OwnerName>,
    /// Keys whose users this provider holds.
    pub provider: Option<ProviderName>,
    /// Keys created before this moment.
    pub created_before: Option<jiff::Timestamp>,
}

impl Broker {
    /// Revokes every key that fits, and tells how many; with `dry_run` only tells. A caller who is bound to an organization reaches its
    /// keys alone.
    ///
    /// # Errors
    /// No filter at all, an organization that is not the caller's, or a database that does not answer.
    pub async fn revoke_keys(
        &self,
        wanted: ManyKeys,
        dry_run: bool,
        caller: &Caller,
        origin: Origin,
    ) -> Result<u64, Error> {
        let named = wanted.organization.is_some()
            || wanted.owner.is_some()
            || wanted.provider.is_some()
            || wanted.created_before.is_some();
        if !named {
            return Err(Error::invalid(
                "organization_id",
                "name it, or another filter: this does not stop every key there is",
            ));
        }
        if let Some(organization) = &wanted.organization {
            caller.sees(organization)?;
        }
        let owner = match &wanted.owner {
            None => None,
            Some(OwnerName::Id(id)) => Some(*id),
            Some(OwnerName::Subject(subject)) => match self.user_by_subject(subject).await? {
                Some(user) => Some(user.id),
                None => return Ok(0),
            },
        };
        let reach = caller.keys_in_reach(wanted.organization);
        let selection = Selection {
            organizations: reach.all,
            own: reach.own,
            owner,
            provider: wanted.provider.clone(),
            created_before: wanted.created_before,
        };
        if dry_run {
            let counted = self
                .store
                .read(move |connection| bulk_revocation::count(connection, &selection))
                .await?;
            return Ok(u64::try_from(counted).unwrap_or(0));
        }
        let organization = wanted.organization.or(caller.organization_id);
        let revoked = self
            .write_bulk_revocation(selection, organization, origin)
            .await?;
        self.metrics.keys_revoked(revoked);
        self.work.notify_one();
        Ok(revoked)
    }

    async fn write_bulk_revocation(
        &self,
        selection: Selection,
        organization: Option<OrganizationId>,
        origin: Origin,
    ) -> Result<u64, store::Error> {
        let (now, random) = (self.now(), std::sync::Arc::clone(&self.random));
        let subject = organization.map_or_else(|| "keys".to_owned(), |id| id.to_string());
        let summary = self.event(
            &origin,
            "keys.revoked",
            &subject,
            organization,
            json!({
                "organization_id": organization, "owner": selection.owner,
                "identity_provider": selection.provider.as_ref().map(|name| name.as_str()),
                "created_before": selection.created_before,
            }),
        );
        self.store
            .write(move |tx| {
                let revoked = bulk_revocation::revoke(tx, &selection, now)?;
                let deletions: Vec<Operation> = revoked
                    .iter()
                    .flat_map(|key| deletions(key, now, || OperationId::generate(&*random)))
                    .collect();
                idp_operations::insert_all(tx, &deletions, now)?;
                let event = |key: &RevokedKey| AuditEvent {
                    id: AuditEventId::generate(&*random),
                    action: "key.revoked".to_owned(),
                    subject: key.id.to_string(),
                    organization_id: Some(key.organization_id),
                    details: json!({"why": "revoked with others", "call": summary.id}),
                    ..summary.clone()
                };
                let mut events: Vec<AuditEvent> = revoked.iter().map(event).collect();
                let mut summary = summary.clone();
                summary.details["count"] = revoked.len().into();
                events.push(summary);
                audit::append_all(tx, &events)?;
                for key in &revoked {
                    tx.changed(Change::Key {
                        key: key.id,
                        user_names: super::names(&key.generations),
                    });
                }
                Ok(revoked.len() as u64)
            })
            .await
    }
}

/// The users that are to go at the provider; those of retiring generations are on record already.
fn deletions(
    key: &RevokedKey,
    now: jiff::Timestamp,
    id: impl Fn() -> OperationId,
) -> impl Iterator<Item = Operation> {
    key.generations
        .iter()
        .filter(|generation| !matches!(generation.state, CredentialState::Retiring { .. }))
        .map(move |generation| {
            let at = (&key.provider, generation);
            Operation::new(id(), OperationKind::Delete, at, now)
        })
}
