//! Our record and a provider are held against each other: users that nobody needs, keys without a user, rights that differ.
//!
//! The sweep goes by the deployment's id, and the provider compares it again on each single user before it goes. A user goes only by an
//! operation on record: what no row names is reported, and removed on demand alone, few at a time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::json;

use super::{Broker, Caller, Conflict, Error, audit};
use crate::domain::audit::Origin;
use crate::domain::credential::{Credential, ProviderRights};
use crate::domain::id::{CredentialId, KeyId, OperationId};
use crate::domain::lifecycle::CredentialState;
use crate::domain::permission::Permissions;
use crate::domain::plaintext_key::UserName;
use crate::domain::provider_name::ProviderName;
use crate::idp::{FoundUser, IdentityProvider};
use crate::store::idp_operations::{self, Operation, OperationKind};
use crate::store::{self, api_keys, credentials};

/// Orphans that are removed at once at most: as a number, and of a hundred users.
const MOST_ORPHANS: usize = 20;
const MOST_OF_A_HUNDRED: usize = 5;
/// Users whose rights are compared in one run at most: a call each.
const COMPARED: usize = 500;
/// Such calls at once.
const AT_ONCE: usize = 4;

/// What to do beside looking.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reconciliation {
    /// Nothing is changed, neither here nor there.
    pub dry_run: bool,
    /// Orphans are removed, if they are few.
    pub delete_orphans: bool,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Users of this deployment there.
    pub users: usize,
    /// Those that no key needs and that nothing on record will remove.
    pub orphans: Vec<Orphan>,
    /// Orphans whose removal was put on record.
    pub removing: usize,
    /// Keys with a generation whose user is not there.
    pub missing: Vec<(KeyId, CredentialId)>,
    /// Users whose rights were compared.
    pub compared: usize,
    /// Where the provider grants something else than our record.
    pub differences: Vec<Difference>,
}

/// A user that nobody needs.
#[derive(Clone, Debug)]
pub struct Orphan {
    /// Its subject there.
    pub subject: String,
    /// Its name as that of a generation, if it has the form of one.
    pub user_name: Option<UserName>,
}

/// A user whose rights differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The key.
    pub key_id: KeyId,
    /// The generation.
    pub generation: CredentialId,
    /// What the provider grants beyond our record: never granted here.
    pub more: Permissions,
    /// What it lacks of it.
    pub less: Permissions,
}

impl Broker {
    /// Compares our record with a provider, and by it puts right what can be.
    ///
    /// # Errors
    /// No such provider, it does not answer, a caller who does not run the deployment, or too many orphans to remove at once.
    pub async fn reconcile(
        &self,
        name: &ProviderName,
        how: Reconciliation,
        caller: &Caller,
        origin: Origin,
    ) -> Result<Report, Error> {
        caller.runs_the_deployment()?;
        let provider = Arc::clone(self.providers.find(name).ok_or(Error::NotFound)?);
        // In this order: whatever user is seen here was on record before.
        let users = provider.users(&self.deployment).await?;
        let at = name.clone();
        let live = self
            .store
            .read(move |connection| credentials::live_at(connection, &at))
            .await?;
        let by_name: HashMap<UserName, &FoundUser> = users
            .iter()
            .filter_map(|user| Some((user.user_name?, user)))
            .collect();
        let mut report = Report {
            users: users.len(),
            orphans: self.orphans(&users, &live).await?,
            ..Report::default()
        };
        for generation in &live {
            let made = !matches!(generation.state, CredentialState::Pending);
            if made && !by_name.contains_key(&generation.user_name) {
                report.missing.push((generation.key_id, generation.id));
            }
        }
        let pairs = live.iter().filter_map(|generation| {
            let user = by_name.get(&generation.user_name)?;
            Some((generation.clone(), (*user).clone()))
        });
        let pairs: Vec<(Credential, FoundUser)> = pairs.take(COMPARED).collect();
        self.compare(&provider, pairs, how, &mut report).await?;
        if how.delete_orphans && !how.dry_run {
            report.removing = self.remove_orphans(&provider, &report, &origin).await?;
        }
        if !how.dry_run {
            self.work.notify_one();
        }
        Ok(report)
    }

    async fn orphans(
        &self,
        users: &[FoundUser],
        live: &[Credential],
    ) -> Result<Vec<Orphan>, Error> {
        let needed: HashSet<UserName> = live.iter().map(|one| one.user_name).collect();
        let unneeded: Vec<FoundUser> = users
            .iter()
            .filter(|user| user.user_name.is_none_or(|name| !needed.contains(&name)))
            .cloned()
            .collect();
        let orphans = self.store.read(move |connection| {
            let mut orphans = Vec::new();
            for user in unneeded {
                let named = match &user.user_name {
                    Some(name) => idp_operations::names_user(connection, name)?,
                    None => false,
                };
                if !named {
                    orphans.push(Orphan {
                        subject: user.subject,
                        user_name: user.user_name,
                    });
                }
            }
            Ok::<_, store::Error>(orphans)
        });
        Ok(orphans.await?)
    }

    async fn compare(
        &self,
        provider: &Arc<dyn IdentityProvider>,
        pairs: Vec<(Credential, FoundUser)>,
        how: Reconciliation,
        report: &mut Report,
    ) -> Result<(), Error> {
        let asked = stream::iter(pairs)
            .map(|(generation, user)| async move {
                let granted = self.ask(provider.permissions_of(&user)).await;
                (generation, granted)
            })
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        let catalogue = self.catalogue().await?;
        for (generation, granted) in asked {
            let Some(granted) = granted? else { continue };
            report.compared += 1;
            let id = generation.key_id;
            let stored = self
                .store
                .read(move |connection| api_keys::find(connection, &id))
                .await?;
            let Some(stored) = stored else { continue };
            let recorded = catalogue
                .policy(&stored.key.permissions)
                .permissions_elsewhere();
            let (more, less) = (granted.without(&recorded), recorded.without(&granted));
            let before = generation.provider_rights.as_ref();
            let noted = before.and_then(|rights| rights.granted.as_ref());
            let differs = granted != *noted.unwrap_or(&recorded);
            let puts_back = !less.is_empty() && provider.policy().puts_back;
            if !how.dry_run && (differs || puts_back) {
                let rights = ProviderRights {
                    granted: Some(granted),
                    at: self.now(),
                };
                self.settle_difference(generation.id, differs.then_some(rights), puts_back)
                    .await;
            }
            if !more.is_empty() || !less.is_empty() {
                report.differences.push(Difference {
                    key_id: generation.key_id,
                    generation: generation.id,
                    more,
                    less,
                });
            }
        }
        Ok(())
    }

    async fn remove_orphans(
        &self,
        provider: &Arc<dyn IdentityProvider>,
        report: &Report,
        origin: &Origin,
    ) -> Result<usize, Error> {
        let orphans = report.orphans.len();
        if orphans > MOST_ORPHANS || orphans * 100 > report.users * MOST_OF_A_HUNDRED {
            return Err(Conflict::TooManyOrphans(orphans).into());
        }
        let (name, now) = (provider.name().clone(), self.now());
        let removals: Vec<Operation> = report
            .orphans
            .iter()
            .filter_map(|orphan| Some(self.removal_of(&name, orphan.user_name?, now)))
            .collect();
        let subjects: Vec<&str> = report
            .orphans
            .iter()
            .map(|orphan| orphan.subject.as_str())
            .collect();
        let details = json!({"subjects": subjects});
        let event = self.event(
            origin,
            "identity_provider.orphans_removed",
            name.as_str(),
            None,
            details,
        );
        let removing = removals.len();
        self.store
            .write(move |tx| {
                idp_operations::insert_all(tx, &removals, now)?;
                audit::append(tx, &event)
            })
            .await?;
        Ok(removing)
    }

    /// A removal on record. Of which key and generation the user was, nobody knows any more.
    fn removal_of(
        &self,
        provider: &ProviderName,
        user_name: UserName,
        now: Timestamp,
    ) -> Operation {
        Operation {
            id: OperationId::generate(&*self.random),
            provider: provider.clone(),
            kind: OperationKind::Delete,
            key_id: KeyId::generate(&*self.random),
            credential_id: CredentialId::generate(&*self.random),
            user_name,
            attempts: 0,
            next_try_at: now,
            claim: 0,
            claimed_at: None,
            settle_at: None,
            created_at: now,
            failing_since: None,
            stuck_at: None,
            last_error: None,
        }
    }
}
