//! Figures of use by day, the busiest keys, and what keys were ever traded for.

use std::collections::HashMap;

use crate::broker::keys::{ShownKey, show};
use crate::broker::{Broker, Caller, Error};
use crate::domain::id::{KeyId, OrganizationId};
use crate::domain::permission::Permissions;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::{ScopeSet, ScopeToken};
use crate::store;
use crate::store::key_usage::{self, DayCount, day_of};

/// A busy key.
pub struct BusyKey {
    /// Which.
    pub key: ShownKey,
    /// How often it was traded.
    pub exchanges: i64,
    /// How often it was refused.
    pub refusals: i64,
}

impl Broker {
    /// The figures of a key for so many days up to today, the oldest first, each day once.
    ///
    /// # Errors
    /// Not there, or not the caller's.
    pub async fn key_days(
        &self,
        id: KeyId,
        caller: &Caller,
        days: u16,
    ) -> Result<Vec<DayCount>, Error> {
        self.key(id, caller).await?;
        let today = day_of(self.now());
        let since = today - i64::from(days) + 1;
        let found = self
            .store
            .read(move |connection| key_usage::by_day(connection, &id, since))
            .await?;
        Ok(each_day(&found, since, today))
    }

    /// The figures of an organization's keys, or of all that the caller sees, for so many days up to today.
    ///
    /// # Errors
    /// Not the caller's organization, or he sees only keys of his own there.
    pub async fn usage_days(
        &self,
        caller: &Caller,
        organization: Option<OrganizationId>,
        days: u16,
    ) -> Result<Vec<DayCount>, Error> {
        let organizations = self.whole_organizations(caller, organization)?;
        let today = day_of(self.now());
        let since = today - i64::from(days) + 1;
        let found = self
            .store
            .read(move |connection| {
                key_usage::total_by_day(connection, organizations.as_deref(), since)
            })
            .await?;
        Ok(each_day(&found, since, today))
    }

    /// The keys that were used most in so many days up to today, the busiest first.
    ///
    /// # Errors
    /// As [`Broker::usage_days`].
    pub async fn busiest_keys(
        &self,
        caller: &Caller,
        organization: Option<OrganizationId>,
        days: u16,
        limit: usize,
    ) -> Result<Vec<BusyKey>, Error> {
        let organizations = self.whole_organizations(caller, organization)?;
        let now = self.now();
        let since = day_of(now) - i64::from(days) + 1;
        let found = self.store.read(move |connection| {
            let busiest = key_usage::busiest(connection, organizations.as_deref(), since, limit)?;
            let ids: Vec<String> = busiest.iter().map(|(id, ..)| id.to_string()).collect();
            let keys = store::api_keys::of_ids(connection, &ids)?;
            Ok::<_, store::Error>((busiest, keys))
        });
        let (busiest, keys) = found.await?;
        let catalogue = self.catalogue().await?;
        let shown = |(id, exchanges, refusals): (KeyId, i64, i64)| {
            let key = keys.iter().find(|stored| stored.key.id == id)?;
            Some(BusyKey {
                key: show(key.clone(), &catalogue, now),
                exchanges,
                refusals,
            })
        };
        Ok(busiest.into_iter().filter_map(shown).collect())
    }

    /// Organizations whose figures are the caller's to see as a whole; `None`: all.
    fn whole_organizations(
        &self,
        caller: &Caller,
        organization: Option<OrganizationId>,
    ) -> Result<Option<Vec<OrganizationId>>, Error> {
        match organization {
            Some(organization) => caller.administers(&organization)?,
            None => caller.runs_the_deployment()?,
        }
        Ok(organization.map(|organization| vec![organization]))
    }

    /// What each of these keys was ever traded for, as far as that was kept; `None` where too much was asked for to be told apart.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn used_permissions(
        &self,
        keys: &[KeyId],
    ) -> Result<HashMap<KeyId, Option<Permissions>>, Error> {
        let wanted: Vec<KeyId> = keys.to_vec();
        let rows = self
            .store
            .read(move |connection| {
                let ids: Vec<&str> = wanted.iter().map(KeyId::as_str).collect();
                key_usage::targets(connection, &ids)
            })
            .await?;
        let mut used: HashMap<KeyId, Option<Vec<(ResourceIdentifier, ScopeToken)>>> =
            HashMap::new();
        for (key, resource, scope) in rows {
            let (Ok(key), Ok(resource)) =
                (key.parse::<KeyId>(), resource.parse::<ResourceIdentifier>())
            else {
                continue;
            };
            let of_key = used.entry(key).or_insert_with(|| Some(Vec::new()));
            match scope.parse::<ScopeSet>() {
                Ok(scopes) if !scopes.is_empty() => {
                    if let Some(of_key) = of_key {
                        let pair = |scope: &ScopeToken| (resource.clone(), scope.clone());
                        of_key.extend(scopes.iter().map(pair));
                    }
                }
                _ => *of_key = None,
            }
        }
        let told = |(key, pairs): (KeyId, Option<Vec<_>>)| {
            (key, pairs.map(|pairs| pairs.into_iter().collect()))
        };
        Ok(used.into_iter().map(told).collect())
    }
}

/// Days in their order, those without use too.
fn each_day(found: &[DayCount], since: i64, today: i64) -> Vec<DayCount> {
    let count = |day: i64| {
        let counted = found.iter().find(|count| count.day == day);
        counted.copied().unwrap_or(DayCount {
            day,
            ..DayCount::default()
        })
    };
    (since..=today).map(count).collect()
}
