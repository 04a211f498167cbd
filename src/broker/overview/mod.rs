//! What people look at rather than programs: sorted lists, figures by day, which keys need attention, what may be given where.

mod found;
mod grantable;
mod usage;

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

pub use self::found::FoundKey;
pub use self::grantable::{Grantable, GrantableResource};
pub use self::usage::BusyKey;

use super::keys::{KeyFilter, ShownKey, show};
use super::{Broker, Caller, Error};
use crate::domain::audit::AuditEvent;
use crate::domain::id::{KeyId, PermissionId, UserId};
use crate::domain::refusal::KeyRefusal;
use crate::domain::user::User;
pub use crate::store::sorted_keys::{Attention, KeyOrder, Side, SortValue, SortedPlace};
use crate::store::{self, audit_events, key_refusals, sorted_keys};

/// A page of a sorted list.
pub struct SortedPage {
    /// The keys with their places.
    pub rows: Vec<(SortedPlace, ShownKey)>,
    /// Whether something stands before them.
    pub earlier: bool,
    /// Whether something follows them.
    pub further: bool,
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
}

/// The moment before which a key that was not used counts as idle.
pub fn idle_before(now: Timestamp) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(24 * 90))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
