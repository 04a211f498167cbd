//! A key is issued.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::generation::Draft;
use super::{IssuedKey, ShownKey, gone, in_words, show};
use crate::broker::grantor::Grantor;
use crate::broker::idempotency::Keep;
use crate::broker::{Broker, Caller, Conflict, Error, OwnerName, audit};
use crate::domain::api_key::ApiKey;
use crate::domain::audit::Origin;
use crate::domain::credential::Credential;
use crate::domain::id::{ApplicationId, KeyId, OrganizationId};
use crate::domain::lifecycle::{CredentialState, KeyLifecycle};
use crate::domain::limits::{AllowedCidrs, RateLimit};
use crate::domain::metadata::Metadata;
use crate::domain::organization::Organization;
use crate::domain::permission::Permissions;
use crate::domain::provider_name::ProviderName;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::user::User;
use crate::store::api_keys::{self, StoredKey};
use crate::store::idp_claims::{self, Ending};
use crate::store::{Transaction, credentials, idp_operations, organizations, secrets};

/// A key to be issued.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// Its tenant.
    pub organization: OrganizationId,
    /// Whose it is; of a member's and of a key's making, his and its owner's, if none is named.
    pub owner: Option<OwnerName>,
    /// What it may do.
    pub permissions: Permissions,
    /// The resource meant when none is named; one of those above.
    pub default_resource: Option<ResourceIdentifier>,
    /// When it ends; never, if none.
    pub expires_at: Option<Timestamp>,
    /// What people hang on it.
    pub metadata: Metadata,
    /// From where it may come.
    pub allowed_cidrs: Option<AllowedCidrs>,
    /// How often it may be traded.
    pub rate_limit: Option<RateLimit>,
    /// Who may act for it.
    pub may_act: Option<ApplicationId>,
    /// Where its user lives; the default provider, if none.
    pub provider: Option<ProviderName>,
    /// Whether its holder may have it replaced.
    pub self_rotate: bool,
}

/// A key that is about to be made.
struct Plan {
    /// For how long the caller waited for what his key is to hold.
    waited: Duration,
    key: ApiKey,
    owner: Option<User>,
    permissions: Permissions,
    grantor: Grantor,
}

/// Whether an organization may have one more key.
fn check_room(tx: &mut Transaction<'_>, id: &OrganizationId) -> Result<(), Error> {
    let most = |found: Option<Organization>| found.and_then(|found| found.max_keys);
    if most(organizations::find(tx, id)?).is_none() {
        return Ok(());
    }
    // Two at once count one after the other.
    organizations::lock(tx, id)?;
    match most(organizations::find(tx, id)?) {
        Some(most) if organizations::keys(tx, id)? >= most => {
            Err(Conflict::TooManyKeys(most).into())
        }
        _ => Ok(()),
    }
}

impl Broker {
    /// Issues a key. When this returns it works, and survives a crash.
    ///
    /// # Errors
    /// What the request refers to is not there, it would give more than the caller holds, or the provider cannot be reached: then nothing
    /// is left of it.
    pub async fn create_key(
        &self,
        new: NewKey,
        caller: &Caller,
        origin: Origin,
        keep: Option<Keep<'_, IssuedKey>>,
    ) -> Result<IssuedKey, Error> {
        let plan = self.plan(new, caller, &origin).await?;
        let draft = self.draft(&plan.key)?;
        self.intend(&plan, &draft, &origin).await?;
        match self.finish(plan, draft, (origin, keep)).await {
            Ok(issued) => {
                self.metrics.key_created();
                Ok(issued)
            }
            Err((error, draft)) => {
                self.undo(&draft, &error).await;
                Err(error)
            }
        }
    }

    /// Checks all that can be checked before anything is written.
    async fn plan(&self, new: NewKey, caller: &Caller, origin: &Origin) -> Result<Plan, Error> {
        let now = self.now();
        if new.expires_at.is_some_and(|end| end <= now) {
            return Err(Error::invalid("expires_at", "must be in the future"));
        }
        let no_organization = || Error::invalid("organization_id", "there is no such organization");
        caller
            .sees(&new.organization)
            .map_err(|_| no_organization())?;
        let id = new.organization;
        let found = self
            .store
            .read(move |connection| organizations::find(connection, &id))
            .await?;
        found.ok_or_else(no_organization)?;
        let provider = new
            .provider
            .unwrap_or_else(|| self.providers.default_name().clone());
        if self.providers.find(&provider).is_none() {
            return Err(Error::invalid(
                "identity_provider",
                "there is no identity provider of that name",
            ));
        }
        self.check_may_act(new.may_act).await?;
        let (ids, catalogue) = self.resolve(&new.permissions).await?;
        let default = new.default_resource.map(|identifier| {
            let held = new.permissions.at(&identifier).is_some();
            let resource = catalogue.resource(&identifier).filter(|_| held);
            resource.map(|resource| resource.id).ok_or_else(|| {
                Error::invalid(
                    "default_resource",
                    "must be one of the resources in permissions",
                )
            })
        });
        // Before anything is written: what the key is to hold must be known where its user is to be.
        let elsewhere = catalogue.policy(&ids).permissions_elsewhere();
        let waited = self.carried_to(&provider, &elsewhere).await?;
        let owner = self
            .owner_of_new(new.owner, new.organization, caller, origin)
            .await?;
        let key = ApiKey {
            id: KeyId::generate(&*self.random),
            organization_id: new.organization,
            owner: owner.as_ref().map(|owner| owner.id),
            name: new.name,
            provider,
            metadata: new.metadata,
            lifecycle: KeyLifecycle::pending(now, new.expires_at),
            rotated_at: None,
            allowed_cidrs: new.allowed_cidrs,
            rate_limit: new.rate_limit,
            default_resource: default.transpose()?,
            may_act: new.may_act,
            permissions: ids,
            self_rotate: new.self_rotate,
            epoch: 1,
        };
        Ok(Plan {
            waited,
            key,
            owner,
            permissions: new.permissions,
            grantor: caller.grantor("keys:write", &catalogue, now),
        })
    }

    /// Writes down what is about to be made, if the caller may have it made and there is room for one more.
    async fn intend(&self, plan: &Plan, draft: &Draft, origin: &Origin) -> Result<(), Error> {
        let (key, grantor) = (plan.key.clone(), plan.grantor.clone());
        let (credential, operation) = (draft.credential.clone(), draft.operation.clone());
        let (created_by, now) = (origin.actor.clone(), self.now());
        let since = self.secrets_since();
        let written = self.store.write(move |tx| {
            check_room(tx, &key.organization_id)?;
            grantor.check_key(tx, &key)?;
            secrets::require_usable(tx, &credential, since)?;
            api_keys::insert(tx, &key, &created_by)?;
            credentials::insert(tx, &credential)?;
            idp_operations::insert(tx, &operation, now)?;
            Ok::<_, Error>(())
        });
        written.await.map_err(|error| match error {
            Error::Store(error) => gone(error, "permissions"),
            error => error,
        })
    }

    async fn finish(
        &self,
        plan: Plan,
        draft: Draft,
        (origin, keep): (Origin, Option<Keep<'_, IssuedKey>>),
    ) -> Result<IssuedKey, (Error, Draft)> {
        let Plan {
            waited,
            key,
            owner,
            permissions,
            grantor,
        } = plan;
        let made = (&key, owner.as_ref());
        let elsewhere = self.elsewhere(&key.permissions).await;
        let at = match elsewhere {
            Ok(elsewhere) => self.make_user(made, &draft, (&elsewhere, waited)).await,
            Err(error) => Err(error),
        };
        let at = match at {
            Ok(made) => made,
            Err(error) => return Err((error, draft)),
        };
        let now = self.now();
        let lifecycle = match key.lifecycle.activate(now) {
            Ok(lifecycle) => lifecycle,
            Err(error) => return Err((error.into(), draft)),
        };
        // As it will be on record: the update below counts the epoch up.
        let before = ApiKey { lifecycle, ..key };
        let key = ApiKey {
            epoch: before.epoch + 1,
            ..before.clone()
        };
        let active = Credential {
            state: CredentialState::Active,
            subject: Some(at.subject.clone()),
            provider_rights: Some(at.rights.clone()),
            ..draft.credential.clone()
        };
        let details = json!({
            "name": key.name, "permissions": in_words(&permissions), "provider": key.provider, "generation": active.id,
            "expires_at": key.lifecycle.expires_at,
        });
        let event = self.event(
            &origin,
            "key.created",
            key.id.as_str(),
            Some(key.organization_id),
            details,
        );
        let stored = StoredKey {
            key,
            active: Some(active),
            retiring_until: None,
            last_used_at: None,
            owner,
        };
        let catalogue = match self.catalogue().await {
            Ok(catalogue) => catalogue,
            Err(error) => return Err((error.into(), draft)),
        };
        let shown: ShownKey = show(stored, &catalogue, now);
        let Draft {
            key: plaintext,
            credential,
            operation,
        } = draft;
        let issued = IssuedKey {
            shown,
            key: plaintext,
        };
        let kept = self.kept(keep, &issued, Some(credential.id));
        let back = |issued: IssuedKey, credential, operation| Draft {
            key: issued.key,
            credential,
            operation,
        };
        let kept = match kept {
            Ok(kept) => kept,
            Err(error) => return Err((error, back(issued, credential, operation))),
        };
        let (id, creation) = (credential.id, operation.clone());
        let activated = self.store.write(move |tx| {
            // Asked again: what the caller holds may have been narrowed while the user was made.
            grantor.check_key(tx, &before)?;
            api_keys::lock(tx, &before.id)?;
            let subject = (at.subject.as_str(), at.sealed.as_deref());
            if !credentials::activate(tx, &id, subject, &at.rights)? {
                return Ok(false);
            }
            if !api_keys::activate(tx, &before, now)? {
                // Changed while it was made: rolled back, and the maker undoes it.
                return Err(Error::from(crate::broker::Conflict::KeyChanged));
            }
            if idp_claims::finish(tx, &creation, (now, now), Duration::ZERO)? == Ending::Lost {
                return Err(Error::from(crate::broker::Conflict::KeyChanged));
            }
            if let Some(kept) = &kept {
                kept.write(tx)?;
            }
            audit::append(tx, &event)?;
            Ok::<_, Error>(true)
        });
        match activated.await {
            Ok(true) => Ok(issued),
            // Somebody took it for abandoned, or revoked it while it was made.
            Ok(false) => Err((
                crate::broker::Conflict::KeyChanged.into(),
                back(issued, credential, operation),
            )),
            Err(error) => Err((error, back(issued, credential, operation))),
        }
    }

    /// Undoes a draft now; what cannot be undone now is left to the outbox, which has it on record.
    pub(super) async fn undo(&self, draft: &Draft, because: &Error) {
        if let Err(error) = self.undo_creation(&draft.operation, Some(because)).await {
            self.put_off(&draft.operation, &error).await;
        }
    }
}
