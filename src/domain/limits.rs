//! What narrows the use of a key beyond its permissions: from where it may come, and how often.

use std::net::IpAddr;
use std::num::NonZeroU32;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most networks that one key lists.
pub const MAX_CIDRS: usize = 64;

/// The networks that a key may be presented from: 1 to 64 of them, host bits zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct AllowedCidrs(Box<[IpNet]>);

/// The list cannot be taken as it is.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CidrsError {
    /// An empty list: it would mean "from nowhere" to one reader and "from anywhere" to another.
    #[error("must not be empty; null allows every address")]
    Empty,
    /// More than 64 networks.
    #[error("must list at most 64 networks")]
    TooMany,
    /// Not a network in CIDR notation.
    #[error("must be networks in CIDR notation, such as 192.0.2.0/24 or 2001:db8::/32")]
    Syntax,
    /// Bits behind the prefix: a slip of the hand.
    #[error("must not have bits set behind the prefix length")]
    HostBits,
}

impl AllowedCidrs {
    /// Whether `address` is in one of them; an IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether each of them lies in one of `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        let inside = |network: &IpNet| other.iter().any(|allowed| allowed.contains(network));
        self.iter().all(inside)
    }

    /// The networks.
    pub fn iter(&self) -> impl Iterator<Item = &IpNet> {
        self.0.iter()
    }
}

impl TryFrom<Vec<String>> for AllowedCidrs {
    type Error = CidrsError;

    fn try_from(texts: Vec<String>) -> Result<Self, CidrsError> {
        if texts.is_empty() {
            return Err(CidrsError::Empty);
        }
        if texts.len() > MAX_CIDRS {
            return Err(CidrsError::TooMany);
        }
        let network = |text: String| {
            let network: IpNet = text.parse().map_err(|_| CidrsError::Syntax)?;
            if network.addr() == network.network() {
                Ok(network)
            } else {
                Err(CidrsError::HostBits)
            }
        };
        texts
            .into_iter()
            .map(network)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// How often a key may be traded: `requests` in each `per_seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RateLimitFields")]
pub struct RateLimit {
    requests: NonZeroU32,
    per_seconds: NonZeroU32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateLimitFields {
    requests: u32,
    per_seconds: u32,
}

/// The limit cannot be taken as it is.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RateLimitError {
    /// No requests at all, or more than a million.
    #[error("requests must be 1 to 1000000")]
    Requests,
    /// No time, or more than a day.
    #[error("per_seconds must be 1 to 86400")]
    PerSeconds,
}

impl RateLimit {
    /// `requests` (1 to 1,000,000) in each `per_seconds` (1 to 86,400).
    ///
    /// # Errors
    /// The part that is out of range.
    pub fn new(requests: u32, per_seconds: u32) -> Result<Self, RateLimitError> {
        let requests = NonZeroU32::new(requests).filter(|requests| requests.get() <= 1_000_000);
        let per_seconds = NonZeroU32::new(per_seconds).filter(|seconds| seconds.get() <= 86_400);
        Ok(Self {
            requests: requests.ok_or(RateLimitError::Requests)?,
            per_seconds: per_seconds.ok_or(RateLimitError::PerSeconds)?,
        })
    }

    /// Requests in the window.
    pub fn requests(self) -> NonZeroU32 {
        self.requests
    }

    /// The window in seconds.
    pub fn per_seconds(self) -> NonZeroU32 {
        self.per_seconds
    }

    /// Whether this lets through no more than `other` does, in any window: the rate and the burst are both at most as high.
    pub fn is_at_most(self, other: Self) -> bool {
        let here = u64::from(self.requests.get()) * u64::from(other.per_seconds.get());
        let there = u64::from(other.requests.get()) * u64::from(self.per_seconds.get());
        here <= there && self.requests <= other.requests
    }
}

impl TryFrom<RateLimitFields> for RateLimit {
    type Error = RateLimitError;

    fn try_from(fields: RateLimitFields) -> Result<Self, RateLimitError> {
        Self::new(fields.requests, fields.per_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidrs(texts: &[&str]) -> Result<AllowedCidrs, CidrsError> {
        texts
            .iter()
            .map(|text| text.to_string())
            .collect::<Vec<_>>()
            .try_into()
    }

    #[test]
    fn addresses_are_matched_in_their_own_family() {
        let allowed = cidrs(&["192.0.2.0/24", "2001:db8::/32"]).unwrap();
        for inside in ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"] {
            assert!(allowed.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["192.0.3.1", "::ffff:192.0.3.1", "2001:db9::1", "::1"] {
            assert!(!allowed.contains(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn lists_that_mean_something_else_than_they_say_are_refused() {
        assert_eq!(cidrs(&[]), Err(CidrsError::Empty));
        assert_eq!(cidrs(&["192.0.2.1/24"]), Err(CidrsError::HostBits));
        for bad in ["192.0.2.1", "192.0.2.0/33", "example.com/8", ""] {
            assert_eq!(cidrs(&[bad]), Err(CidrsError::Syntax), "{bad:?}");
        }
    }

    #[test]
    fn a_limit_is_at_most_another_only_with_rate_and_burst() {
        let limit = |requests, per_seconds| RateLimit::new(requests, per_seconds).unwrap();
        assert!(limit(10, 60).is_at_most(limit(10, 60)));
        assert!(limit(5, 30).is_at_most(limit(10, 60)));
        assert!(
            !limit(600, 3600).is_at_most(limit(10, 60)),
            "the same rate, but a burst of 600"
        );
        assert!(!limit(2, 1).is_at_most(limit(10, 60)));
        assert_eq!(RateLimit::new(0, 1), Err(RateLimitError::Requests));
        assert_eq!(RateLimit::new(1, 86_401), Err(RateLimitError::PerSeconds));
    }
}
