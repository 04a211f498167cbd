//! Use that is not counted in the records themselves: of keys with several resources, of narrowed requests, of refusals, and of the day
//! before where midnight passes. Bounded: callers choose what they ask for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::id::{KeyId, PackedId};
use crate::domain::resource::ResourceIdentifier;
use crate::store::key_usage::DailyUse;

/// Parts with a lock each, by key.
const PARTS: usize = 16;
/// Places in a part; beyond them scopes are not told apart, and beyond twice as many nothing new is counted.
const MOST: usize = 8_192;

/// What is counted apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// The key.
    pub(super) key: PackedId,
    /// The day, as in [`DailyUse`].
    pub(super) day: u32,
    /// The resource.
    pub(super) resource: Option<ResourceIdentifier>,
    /// What was granted.
    pub(super) scope: Option<Arc<str>>,
}

/// How often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Trades.
    pub(super) exchanges: u32,
    /// Refusals.
    pub(super) refusals: u32,
}

/// The counts that are not written yet.
#[derive(Default)]
pub(super) struct Tally([Mutex<HashMap<Place, Count>>; PARTS]);

impl Tally {
    /// Adds to a place.
    pub(super) fn add(&self, mut place: Place, count: Count) {
        let mut part = self.part(&place.key);
        if part.len() >= MOST && !part.contains_key(&place) {
            place.scope = None;
            if part.len() >= 2 * MOST && !part.contains_key(&place) {
                return;
            }
        }
        let counted = part.entry(place).or_default();
        counted.exchanges = counted.exchanges.saturating_add(count.exchanges);
        counted.refusals = counted.refusals.saturating_add(count.refusals);
    }

    /// Takes all of it.
    pub(super) fn take(&self) -> Vec<(Place, Count)> {
        let mut all = Vec::new();
        for part in &self.0 {
            let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
            // Taken, not drained: one busy minute must not keep its memory for ever.
            all.extend(std::mem::take(&mut *part));
        }
        all
    }

    fn part(&self, key: &PackedId) -> MutexGuard<'_, HashMap<Place, Count>> {
        self.0[usize::from(key.first_byte()) % PARTS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place and its count as they are written.
pub(super) fn row(place: &Place, count: Count) -> DailyUse {
    DailyUse {
        key_id: KeyId::from_packed(&place.key),
        day: place.day.into(),
        resource: place.resource.as_ref().map(ToString::to_string),
        scope: place.scope.as_deref().map(str::to_owned),
        exchanges: count.exchanges.into(),
        refusals: count.refusals.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "key_abcdefghijklmnopqrstuvwxyz";

    fn place(scope: usize) -> Place {
        Place {
            key: KEY.parse::<KeyId>().unwrap().packed(),
            day: 20_000,
            resource: Some("https://payment.example.com/api".parse().unwrap()),
            scope: Some(scope.to_string().into()),
        }
    }

    const ONE: Count = Count {
        exchanges: 1,
        refusals: 0,
    };

    #[test]
    fn what_is_taken_is_what_was_added() {
        let tally = Tally::default();
        for scope in [1, 2, 1] {
            tally.add(place(scope), ONE);
        }
        let mut taken = tally.take();
        taken.sort_by_key(|(_, count)| count.exchanges);
        let counts: Vec<u32> = taken.iter().map(|(_, count)| count.exchanges).collect();
        assert_eq!(counts, [1, 2]);
        assert!(tally.take().is_empty());
    }

    #[test]
    fn a_flood_of_different_scopes_is_counted_together_and_takes_bounded_memory() {
        let tally = Tally::default();
        for scope in 0..3 * MOST {
            tally.add(place(scope), ONE);
        }
        let taken = tally.take();
        assert_eq!(taken.len(), MOST + 1);
        let total: u32 = taken.iter().map(|(_, count)| count.exchanges).sum();
        assert_eq!(total as usize, 3 * MOST);
    }
}
