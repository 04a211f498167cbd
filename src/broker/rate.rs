//! Rate limits: of a key, by its own limit; of bad keys, bad clients and look-ups that find nothing, by address.
//!
//! Both forget the longest unused first, so their memory is bounded; both go by the clock that is passed in. The limit of bad keys
//! never touches a key that passes both proofs, whatever comes from its address.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use quick_cache::sync::Cache;

use crate::domain::clock::Clock;
use crate::domain::id::{KeyId, PackedId};
use crate::domain::limits::RateLimit;

/// Keys with a limit of their own that are remembered at once.
const LIMITED_KEYS: usize = 65_536;

type Limiter = RateLimiter<NotKeyed, InMemoryState, Ticker, StateInformationMiddleware>;

/// Our clock as the limiter wants it: nanoseconds since 1970.
#[derive(Clone)]
struct Ticker(Arc<dyn Clock>);

impl governor::clock::Clock for Ticker {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(u64::try_from(self.0.now().as_nanosecond()).unwrap_or(u64::MAX))
    }
}

/// What is left of a limit (`draft-ietf-httpapi-ratelimit-headers`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitState {
    /// The limit: requests in the window.
    pub quota: u32,
    /// The window in seconds.
    pub window: u32,
    /// Requests that may follow at once.
    pub remaining: u32,
    /// Seconds until all of the quota is there again; when nothing remains, until one request may follow.
    pub reset: u32,
}

/// The limits of keys.
pub(super) struct KeyLimits {
    limiters: Cache<(PackedId, RateLimit), Arc<Limiter>>,
    ticker: Ticker,
}

impl KeyLimits {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            limiters: Cache::new(LIMITED_KEYS),
            ticker: Ticker(clock),
        }
    }

    /// Takes one request off a key's limit; `Err` if there was none left. All generations of a key share it.
    pub(super) fn take(
        &self,
        key: &KeyId,
        limit: RateLimit,
    ) -> Result<RateLimitState, RateLimitState> {
        let limiter = self
            .limiters
            .get_or_insert_with(&(key.packed(), limit), || {
                Ok::<_, std::convert::Infallible>(Arc::new(limiter(
                    limit.requests(),
                    limit.per_seconds(),
                    &self.ticker,
                )))
            });
        let Ok(limiter) = limiter;
        let state = |remaining: u32, wait: Duration| RateLimitState {
            quota: limit.requests().get(),
            window: limit.per_seconds().get(),
            remaining,
            reset: whole_seconds(wait),
        };
        match limiter.check() {
            Ok(snapshot) => {
                let remaining = snapshot.remaining_burst_capacity();
                let used = limit.requests().get().saturating_sub(remaining);
                Ok(state(
                    remaining,
                    snapshot.quota().replenish_interval() * used,
                ))
            }
            Err(refused) => Err(state(
                0,
                refused
                    .wait_time_from(self.ticker.now())
                    .max(Duration::from_secs(1)),
            )),
        }
    }
}

/// So many in a window for each of something.
pub(super) struct Limits<K> {
    limiters: Cache<K, Arc<Limiter>>,
    quota: NonZeroU32,
    /// In seconds.
    window: NonZeroU32,
    ticker: Ticker,
}

impl<K: Eq + Hash + Clone> Limits<K> {
    /// `per_minute` for each of up to `room` that are remembered at once.
    pub(super) fn new(per_minute: NonZeroU32, room: usize, clock: Arc<dyn Clock>) -> Self {
        Self::in_window(per_minute, MINUTE, room, clock)
    }

    /// `quota` in `window` seconds for each of up to `room` that are remembered at once.
    fn in_window(
        quota: NonZeroU32,
        window: NonZeroU32,
        room: usize,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            limiters: Cache::new(room),
            quota,
            window,
            ticker: Ticker(clock),
        }
    }

    /// Takes one off the limit of one of them; `Err` tells the seconds after which one more is there.
    pub(super) fn take(&self, of: K) -> Result<(), u32> {
        let limiter = self.limiters.get_or_insert_with(&of, || {
            Ok::<_, std::convert::Infallible>(Arc::new(limiter(
                self.quota,
                self.window,
                &self.ticker,
            )))
        });
        let Ok(limiter) = limiter;
        match limiter.check() {
            Ok(_) => Ok(()),
            Err(refused) => Err(whole_seconds(refused.wait_time_from(self.ticker.now())).max(1)),
        }
    }
}

/// A limit for each address; IPv6 by /64, which one holder has whole.
pub(super) struct AddressLimits(Limits<IpAddr>);

impl AddressLimits {
    /// `per_minute` for each of up to `addresses` addresses that are remembered at once.
    pub(super) fn new(per_minute: NonZeroU32, addresses: usize, clock: Arc<dyn Clock>) -> Self {
        Self(Limits::new(per_minute, addresses, clock))
    }

    /// Takes one off an address's limit; `Err` tells the seconds after which one more is there.
    pub(super) fn take(&self, address: IpAddr) -> Result<(), u32> {
        self.0.take(holder(address))
    }
}

/// A limit for each name that somebody signs in by, so that many addresses together guess no faster than one.
pub(super) struct NameLimits(Limits<[u8; 32]>);

impl NameLimits {
    /// For each of up to `names` names that are remembered at once.
    pub(super) fn new(names: usize, clock: Arc<dyn Clock>) -> Self {
        Self(Limits::in_window(TRIES, QUARTER, names, clock))
    }

    /// Takes one try off a name's limit; `Err` tells the seconds after which one more is there.
    pub(super) fn take(&self, name: &str) -> Result<(), u32> {
        self.0.take(*blake3::hash(name.as_bytes()).as_bytes())
    }
}

/// Tries of one name in a quarter of an hour.
const TRIES: NonZeroU32 = NonZeroU32::new(10).expect("10 is not 0");
/// A quarter of an hour in seconds.
const QUARTER: NonZeroU32 = NonZeroU32::new(900).expect("900 is not 0");

/// Who may look up names that anybody can make up: of keys under a tag secret that others know, of clients.
///
/// Only look-ups that find nothing count. An address with too many of them looks nothing up for a while; keys in memory do not feel it.
pub(super) struct FruitlessLookups {
    limits: AddressLimits,
    /// Until when an address looks nothing up.
    waiting: Cache<IpAddr, Nanos>,
}

impl FruitlessLookups {
    /// `per_minute` for each of up to `addresses` addresses that are remembered at once.
    pub(super) fn new(per_minute: NonZeroU32, addresses: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            limits: AddressLimits::new(per_minute, addresses, clock),
            waiting: Cache::new(addresses),
        }
    }

    /// Whether an address may look something up; `Err` tells after how many seconds.
    pub(super) fn check(&self, address: IpAddr) -> Result<(), u32> {
        let Some(until) = self.waiting.get(&holder(address)) else {
            return Ok(());
        };
        let wait = until.saturating_sub(self.limits.0.ticker.now());
        let wait = Duration::from_nanos(wait.as_u64());
        if wait.is_zero() {
            Ok(())
        } else {
            Err(whole_seconds(wait))
        }
    }

    /// It found nothing.
    pub(super) fn found_nothing(&self, address: IpAddr) {
        if let Err(seconds) = self.limits.take(address) {
            let until =
                self.limits.0.ticker.now() + Nanos::from(Duration::from_secs(seconds.into()));
            self.waiting.insert(holder(address), until);
        }
    }
}

/// A minute in seconds.
const MINUTE: NonZeroU32 = NonZeroU32::new(60).expect("60 is not 0");

fn limiter(requests: NonZeroU32, per_seconds: NonZeroU32, ticker: &Ticker) -> Limiter {
    let interval = Duration::from_secs(per_seconds.get().into()) / requests.get();
    // At least 60 µs: a million a minute is the most that both limits allow.
    let quota = Quota::with_period(interval.max(Duration::from_nanos(1)));
    let quota = quota
        .unwrap_or_else(|| Quota::per_second(requests))
        .allow_burst(requests);
    RateLimiter::direct_with_clock(quota, ticker.clone()).with_middleware()
}

/// Whom an address stands for.
fn holder(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::domain::clock::MockClock;
    use crate::domain::random::SystemRandom;

    fn clock() -> MockClock {
        MockClock::at("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap())
    }

    #[test]
    fn a_key_gets_its_quota_and_then_one_for_each_interval() {
        let clock = clock();
        let limits = KeyLimits::new(Arc::new(clock.clone()));
        let (key, limit) = (
            KeyId::generate(&SystemRandom),
            RateLimit::new(2, 60).unwrap(),
        );
        assert_eq!(limits.take(&key, limit).map(|state| state.remaining), Ok(1));
        assert_eq!(limits.take(&key, limit).map(|state| state.remaining), Ok(0));
        let refused = limits.take(&key, limit).unwrap_err();
        assert_eq!(
            (
                refused.quota,
                refused.window,
                refused.remaining,
                refused.reset
            ),
            (2, 60, 0, 30)
        );
        clock.advance(SignedDuration::from_secs(30));
        assert!(limits.take(&key, limit).is_ok());
        assert!(limits.take(&key, limit).is_err());
        assert!(
            limits.take(&KeyId::generate(&SystemRandom), limit).is_ok(),
            "another key has its own"
        );
    }

    #[test]
    fn one_holder_of_ipv6_addresses_has_one_limit() {
        let limits = AddressLimits::new(NonZeroU32::new(1).unwrap(), 10, Arc::new(clock()));
        assert!(limits.take("2001:db8::1".parse().unwrap()).is_ok());
        assert!(limits.take("2001:db8::ffff:2".parse().unwrap()).is_err());
        assert!(limits.take("2001:db8:0:1::1".parse().unwrap()).is_ok());
        assert!(limits.take("192.0.2.1".parse().unwrap()).is_ok());
        assert!(limits.take("::ffff:192.0.2.1".parse().unwrap()).is_err());
    }

    #[test]
    fn only_look_ups_that_find_nothing_stop_an_address_and_not_for_ever() {
        let clock = clock();
        let lookups =
            FruitlessLookups::new(NonZeroU32::new(2).unwrap(), 10, Arc::new(clock.clone()));
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for _ in 0..10 {
            assert!(lookups.check(one).is_ok());
        }
        for _ in 0..3 {
            assert!(lookups.check(one).is_ok());
            lookups.found_nothing(one);
        }
        assert_eq!(lookups.check(one), Err(30));
        assert!(lookups.check(other).is_ok());
        clock.advance(SignedDuration::from_secs(30));
        assert!(lookups.check(one).is_ok());
    }

    #[test]
    fn the_addresses_that_are_remembered_are_bounded() {
        let limits = AddressLimits::new(NonZeroU32::new(1).unwrap(), 100, Arc::new(clock()));
        for number in 0..10_000u32 {
            let _ = limits.take(IpAddr::from(number.to_be_bytes()));
        }
        assert!(limits.0.limiters.len() <= 100);
    }
}
