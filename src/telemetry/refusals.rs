//! Bad keys, counted by address: anybody can send them as fast as the network carries, so none gets a line of its own.
//!
//! The memory is bounded: beyond [`MAX_ADDRESSES`] between two summaries the rest is counted together. The totals are exact.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Addresses told apart in one summary; the rest is "other".
pub const MAX_ADDRESSES: usize = 1024;

/// Why a key was refused before anything was known of its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadKey {
    /// Not of the shape of a key, or a wrong checksum.
    Malformed,
    /// The tag is not ours.
    Forged,
    /// The tag is ours and the key is not there, or its password is another.
    Unknown,
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// [`BadKey::Malformed`].
    pub malformed: u64,
    /// [`BadKey::Forged`].
    pub forged: u64,
    /// [`BadKey::Unknown`].
    pub unknown: u64,
}

/// One address in a summary: an IPv4 address, or an IPv6 network of 64 bits, which is what one caller has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Caller(IpAddr);

/// The counts since the last summary.
#[derive(Debug, Default)]
pub struct Refusals {
    by_caller: HashMap<Caller, Counts>,
    other: Counts,
}

/// What [`Refusals::summarise`] hands out.
#[derive(Debug, Default)]
pub struct Summary {
    /// The callers, in order.
    pub callers: Vec<(Caller, Counts)>,
    /// All others together.
    pub other: Counts,
}

impl Refusals {
    /// Counts one bad key.
    pub fn count(&mut self, address: IpAddr, bad_key: BadKey) {
        self.add(Caller::of(address), Counts::one(bad_key));
    }

    /// Takes over what another has counted.
    pub fn absorb(&mut self, other: &mut Self) {
        for (caller, counts) in other.by_caller.drain() {
            self.add(caller, counts);
        }
        self.other += std::mem::take(&mut other.other);
    }

    /// Hands out the counts and begins again at nothing; `None` if there are none.
    pub fn summarise(&mut self) -> Option<Summary> {
        let other = std::mem::take(&mut self.other);
        // Taken, not drained: one flood must not keep its memory for ever.
        let mut callers: Vec<_> = std::mem::take(&mut self.by_caller).into_iter().collect();
        callers.sort_unstable_by_key(|(caller, _)| *caller);
        let is_empty = callers.is_empty() && other == Counts::default();
        (!is_empty).then_some(Summary { callers, other })
    }

    fn add(&mut self, caller: Caller, counts: Counts) {
        if let Some(counted) = self.by_caller.get_mut(&caller) {
            *counted += counts;
        } else if self.by_caller.len() < MAX_ADDRESSES {
            self.by_caller.insert(caller, counts);
        } else {
            self.other += counts;
        }
    }
}

impl Counts {
    fn one(bad_key: BadKey) -> Self {
        let mut counts = Self::default();
        match bad_key {
            BadKey::Malformed => counts.malformed = 1,
            BadKey::Forged => counts.forged = 1,
            BadKey::Unknown => counts.unknown = 1,
        }
        counts
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.malformed += more.malformed;
        self.forged += more.forged;
        self.unknown += more.unknown;
    }
}

impl Caller {
    /// The caller behind an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IpAddr::V4(address)),
            IpAddr::V6(address) => {
                let network = address.to_bits() & (u128::MAX << 64);
                Self(IpAddr::V6(Ipv6Addr::from_bits(network)))
            }
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_flood_from_everywhere_is_bounded_and_loses_no_count() {
        let mut refusals = Refusals::default();
        for address in 0..5000_u32 {
            refusals.count(Ipv4Addr::from_bits(address).into(), BadKey::Forged);
            refusals.count(Ipv4Addr::from_bits(address % 10).into(), BadKey::Malformed);
        }
        let summary = refusals.summarise().unwrap();
        assert_eq!(summary.callers.len(), MAX_ADDRESSES);
        let forged: u64 = summary
            .callers
            .iter()
            .map(|(_, counts)| counts.forged)
            .sum();
        assert_eq!((forged, summary.other.forged), (1024, 5000 - 1024));
        assert_eq!(
            (summary.callers[3].1.malformed, summary.other.malformed),
            (500, 0)
        );
        assert!(refusals.summarise().is_none());
    }

    #[test]
    fn tables_of_several_threads_become_one() {
        let (mut one, mut two) = (Refusals::default(), Refusals::default());
        for address in 0..1000_u32 {
            one.count(Ipv4Addr::from_bits(address).into(), BadKey::Unknown);
            two.count(Ipv4Addr::from_bits(address + 500).into(), BadKey::Unknown);
        }
        one.absorb(&mut two);
        let summary = one.summarise().unwrap();
        assert_eq!(summary.callers.len(), MAX_ADDRESSES);
        let unknown: u64 = summary
            .callers
            .iter()
            .map(|(_, counts)| counts.unknown)
            .sum();
        assert_eq!(unknown + summary.other.unknown, 2000);
        assert!(two.summarise().is_none());
    }

    #[test]
    fn one_caller_has_a_whole_ipv6_network() {
        let caller = |text: &str| Caller::of(text.parse().unwrap()).to_string();
        assert_eq!(caller("2001:db8::1"), "2001:db8::/64");
        assert_eq!(caller("2001:db8::ffff:1"), "2001:db8::/64");
        assert_eq!(caller("::ffff:192.0.2.7"), "192.0.2.7");
    }
}
