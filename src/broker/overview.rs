//! What people look at rather than programs: sorted lists, figures by day, which keys need attention, what may be given where.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::grantor::of_organization;
use super::keys::{KeyFilter, ShownKey, show};
use super::{Broker, Caller, Error, Standing};
use crate::domain::allowance::Allowance;
use crate::domain::audit::AuditEvent;
use crate::domain::id::{KeyId, OrganizationId, PermissionId, UserId};
use crate::domain::permission::{Permission, Permissions};
use crate::domain::refusal::KeyRefusal;
use crate::domain::resource::{Resource, ResourceIdentifier};
use crate::domain::scope::{ScopeSet, ScopeToken};
use crate::domain::user::{MemberRole, User};
use crate::store::key_usage::{self, DayCount, day_of};
pub use crate::store::sorted_keys::{Attention, KeyOrder, Side, SortValue, SortedPlace};
use crate::store::{self, audit_events, key_refusals, memberships, resources, rights, sorted_keys};

/// A page of a sorted list.
pub struct SortedPage {
    /// The keys with their places.
    pub rows: Vec<(SortedPlace, ShownKey)>,
    /// Whether something stands before them.
    pub earlier: bool,
    /// Whether something follows them.
    pub further: bool,
}

/// A permission that somebody may give.
#[derive(Clone, Debug)]
pub struct Grantable {
    /// Its name.
    pub scope: ScopeToken,
    /// What it lets do.
    pub description: Option<String>,
}

/// What somebody may give at one resource.
#[derive(Clone, Debug)]
pub struct GrantableResource {
    /// Where.
    pub identifier: ResourceIdentifier,
    /// What people call it.
    pub name: Option<String>,
    /// Whether it is the management API.
    pub reserved: bool,
    /// What, in the order of the names.
    pub permissions: Vec<Grantable>,
}

impl GrantableResource {
    /// What people call it, or else its identifier.
    pub fn title(&self) -> String {
        let name = self.name.clone();
        name.unwrap_or_else(|| self.identifier.to_string())
    }
}

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
    /// A page of keys, sorted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sorted_keys(
        &self,
        caller: &Caller,
        (filter, attention): (KeyFilter, Option<Attention>),
        order: KeyOrder,
        side: Side,
        limit: usize,
    ) -> Result<SortedPage, Error> {
        let now = self.now();
        let Some(filter) = self.stored_filter(caller, filter, now).await? else {
            return Ok(SortedPage {
                rows: Vec::new(),
                earlier: false,
                further: false,
            });
        };
        let backwards = matches!(side, Side::Before(_));
        let first = side == Side::First;
        let found = self.store.read(move |connection| {
            sorted_keys::page(connection, (&filter, attention), order, &side, limit + 1)
        });
        let mut found = found.await?;
        // The one row too many says that there are more; backwards it is the first.
        let more = found.len() > limit;
        if more && backwards {
            found.remove(0);
        } else {
            found.truncate(limit);
        }
        let catalogue = self.catalogue().await?;
        let rows = found
            .into_iter()
            .map(|(place, stored)| (place, show(stored, &catalogue, now)))
            .collect();
        Ok(SortedPage {
            rows,
            earlier: if backwards { more } else { !first },
            further: if backwards { true } else { more },
        })
    }

    /// How many keys fit, counted up to `most`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_keys(
        &self,
        caller: &Caller,
        (filter, attention): (KeyFilter, Option<Attention>),
        most: usize,
    ) -> Result<usize, Error> {
        let Some(filter) = self.stored_filter(caller, filter, self.now()).await? else {
            return Ok(0);
        };
        let counted = self.store.read(move |connection| {
            sorted_keys::count_up_to(connection, (&filter, attention), most)
        });
        Ok(counted.await?)
    }

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

    /// The last refusals of a key, newest first.
    ///
    /// # Errors
    /// Not there, or not the caller's.
    pub async fn key_refusals(&self, id: KeyId, caller: &Caller) -> Result<Vec<KeyRefusal>, Error> {
        self.key(id, caller).await?;
        let found = self
            .store
            .read(move |connection| key_refusals::of_key(connection, &id));
        Ok(found.await?)
    }

    /// The last events about a key, newest first: whoever sees the key may know what became of it.
    ///
    /// # Errors
    /// Not there, or not the caller's.
    pub async fn key_events(
        &self,
        id: KeyId,
        caller: &Caller,
        limit: usize,
    ) -> Result<Vec<AuditEvent>, Error> {
        self.key(id, caller).await?;
        let filter = audit_events::Filter {
            subject: Some(id.to_string()),
            ..Default::default()
        };
        let found = self
            .store
            .read(move |connection| audit_events::list(connection, &filter, None, limit));
        Ok(found.await?)
    }

    /// How many keys that are not revoked hold one of these permissions.
    ///
    /// # Errors
    /// Not an operator, or the database does not answer.
    pub async fn keys_holding(
        &self,
        permissions: &[PermissionId],
        caller: &Caller,
    ) -> Result<i64, Error> {
        caller.runs_the_deployment()?;
        let permissions = permissions.to_vec();
        let counted = self
            .store
            .read(move |connection| store::api_keys::holding(connection, &permissions));
        Ok(counted.await?)
    }

    /// What people are called, by their ids; others than people are left out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn names_of(
        &self,
        ids: impl IntoIterator<Item = String>,
    ) -> Result<HashMap<String, String>, Error> {
        let mut wanted: Vec<String> = ids
            .into_iter()
            .filter(|id| id.parse::<UserId>().is_ok())
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let found = self
            .store
            .read(move |connection| {
                let ids: Vec<&str> = wanted.iter().map(String::as_str).collect();
                store::users::find_all(connection, &ids)
            })
            .await?;
        let named = |user: User| {
            let name = user.name.unwrap_or_else(|| user.subject.sub.to_string());
            (user.id.to_string(), name)
        };
        Ok(found.into_iter().map(named).collect())
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

    /// What the caller may give to a key in an organization, resource by resource.
    ///
    /// # Errors
    /// Not his organization.
    pub async fn grantable(
        &self,
        caller: &Caller,
        organization: OrganizationId,
    ) -> Result<Vec<GrantableResource>, Error> {
        caller.sees(&organization)?;
        let person = match &caller.standing {
            Standing::Operator => None,
            Standing::Person(person) => Some(person.user.id),
            Standing::Key(_) | Standing::Application(_) => {
                return Err(Error::Forbidden("it is for people"));
            }
        };
        let found = self.store.read(move |connection| {
            let of_organization = of_organization(connection, &organization)?;
            let (held, admin) = match person {
                None => (Allowance::Everything, true),
                Some(user) => {
                    let member = memberships::find(connection, &organization, &user)?
                        .ok_or(Error::NotFound)?;
                    (
                        rights::of_member(connection, &member)?,
                        member.role == MemberRole::Admin,
                    )
                }
            };
            let (resources, permissions) = resources::all(connection)?;
            Ok::<_, Error>((held.and(of_organization), admin, resources, permissions))
        });
        let (allowance, admin, resources, permissions) = found.await?;
        Ok(by_resource(resources, permissions, |resource, id| {
            (admin || !resource.reserved) && allowance.holds(id)
        }))
    }

    /// All that there is to be given in the deployment, resource by resource.
    ///
    /// # Errors
    /// Not an operator, or the database does not answer.
    pub async fn everything_grantable(
        &self,
        caller: &Caller,
    ) -> Result<Vec<GrantableResource>, Error> {
        caller.runs_the_deployment()?;
        let (resources, permissions) = self.store.read(resources::all).await?;
        Ok(by_resource(resources, permissions, |_, _| true))
    }

    /// Whose a key is that somebody found, if it is one of ours and proves itself: the key, where the caller may see it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn found_key(&self, text: &[u8], caller: &Caller) -> Result<FoundKey, Error> {
        let record = match self.identify(text, None).await {
            Ok(record) => record,
            Err(super::Refusal::Store(error)) => return Err(error.into()),
            Err(super::Refusal::Internal(cause)) => return Err(Error::Internal(cause)),
            Err(_) => return Ok(FoundKey::NotOurs),
        };
        let lives = record.stopped(self.now()).is_none_or(|stopped| {
            !matches!(stopped, super::Stopped::Revoked | super::Stopped::Rotated)
        });
        match self.key(record.key_id(), caller).await {
            Ok(shown) => Ok(FoundKey::Seen {
                key: Box::new(shown),
                lives,
            }),
            Err(Error::NotFound) => Ok(FoundKey::OfOthers { lives }),
            Err(error) => Err(error),
        }
    }
}

/// What is known of a key that somebody found.
pub enum FoundKey {
    /// Nothing: it is malformed, forged or unknown.
    NotOurs,
    /// It is one that the finder may see.
    Seen {
        /// The key.
        key: Box<ShownKey>,
        /// Whether this very generation can still be used, or could after a pause.
        lives: bool,
    },
    /// It is one of ours, and whose is not the finder's to know.
    OfOthers {
        /// The same.
        lives: bool,
    },
}

/// Permissions at their resources, as far as `may` lets; the management API comes last, for few keys are for it.
fn by_resource(
    resources: Vec<Resource>,
    permissions: Vec<Permission>,
    may: impl Fn(&Resource, &PermissionId) -> bool,
) -> Vec<GrantableResource> {
    let mut by_resource: BTreeMap<ResourceIdentifier, GrantableResource> = BTreeMap::new();
    for permission in permissions {
        let resource = resources
            .iter()
            .find(|resource| resource.id == permission.resource_id);
        let Some(resource) = resource.filter(|resource| may(resource, &permission.id)) else {
            continue;
        };
        let at = by_resource
            .entry(resource.identifier.clone())
            .or_insert_with(|| GrantableResource {
                identifier: resource.identifier.clone(),
                name: resource.name.clone(),
                reserved: resource.reserved,
                permissions: Vec::new(),
            });
        at.permissions.push(Grantable {
            scope: permission.name,
            description: permission.description,
        });
    }
    let mut all: Vec<GrantableResource> = by_resource.into_values().collect();
    all.sort_by_key(|resource| resource.reserved);
    for resource in &mut all {
        resource
            .permissions
            .sort_by(|one, other| one.scope.cmp(&other.scope));
    }
    all
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

/// The moment before which a key that was not used counts as idle.
pub fn idle_before(now: Timestamp) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(24 * 90))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
