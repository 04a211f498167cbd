//! What is counted of identity providers. A provider's name is its operator's choice, so its labels are made when the server starts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

type Labels = Vec<(&'static str, String)>;

/// The families.
pub(super) struct Providers {
    calls: Family<Labels, Counter>,
    failures: Family<Labels, Counter>,
    limited: Family<Labels, Counter>,
    remaining: Family<Labels, Gauge>,
    alarms: Family<Labels, Counter>,
    last_known: Family<Labels, Counter>,
    up: Family<Labels, Gauge>,
}

impl Providers {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let mut counters = |name, help| {
            let family = Family::<Labels, Counter>::default();
            registry.register(name, help, family.clone());
            family
        };
        let calls = counters(
            "identity_provider_calls",
            "Calls to identity providers, by what they were for",
        );
        let failures = counters(
            "identity_provider_failures",
            "Calls that got no answer, or one that says that the provider has trouble",
        );
        let limited = counters(
            "identity_provider_limited",
            "Calls that were not made or not answered for the rate of calls",
        );
        let alarms = counters(
            "identity_provider_alarms",
            "Times that a provider refused what we hold to be right",
        );
        let last_known = counters(
            "identity_provider_last_known",
            "Exchanges by what a provider said last, while it said nothing",
        );
        let mut gauges = |name, help| {
            let family = Family::<Labels, Gauge>::default();
            registry.register(name, help, family.clone());
            family
        };
        Self {
            calls,
            failures,
            limited,
            alarms,
            last_known,
            remaining: gauges(
                "identity_provider_rate_remaining",
                "Calls that a provider's rate limit allows still, as it said last",
            ),
            up: gauges("identity_provider_up", "Whether a provider answers"),
        }
    }

    /// The figures of one.
    pub(super) fn of(&self, provider: &str) -> ProviderFigures {
        let label = || vec![("provider", provider.to_owned())];
        let calls = |purpose: &str| {
            let mut labels = label();
            labels.push(("for", purpose.to_owned()));
            self.calls.get_or_create_owned(&labels)
        };
        let remaining = self.remaining.clone();
        let remaining_label = label();
        ProviderFigures {
            sign_ins: calls("sign_in"),
            management: calls("management"),
            failures: self.failures.get_or_create_owned(&label()),
            limited: self.limited.get_or_create_owned(&label()),
            alarms: self.alarms.get_or_create_owned(&label()),
            last_known: self.last_known.get_or_create_owned(&label()),
            up: self.up.get_or_create_owned(&label()),
            remaining: (remaining, remaining_label),
        }
    }
}

/// The figures of one provider.
#[derive(Clone)]
pub struct ProviderFigures {
    sign_ins: Counter,
    management: Counter,
    failures: Counter,
    limited: Counter,
    alarms: Counter,
    last_known: Counter,
    up: Gauge,
    /// Made when the provider first says so: most never do.
    remaining: (Family<Labels, Gauge>, Labels),
}

impl ProviderFigures {
    /// A call is made: a sign-in, or another.
    pub fn called(&self, sign_in: bool) {
        if sign_in {
            self.sign_ins.inc();
        } else {
            self.management.inc();
        }
    }

    /// How many sign-ins there were.
    pub fn sign_ins(&self) -> u64 {
        self.sign_ins.get()
    }

    /// A call got no answer, or one that says that the provider has trouble.
    pub fn failed(&self) {
        self.failures.inc();
    }

    /// A call was not made, or not answered, for the rate of calls.
    pub fn limited(&self) {
        self.limited.inc();
    }

    /// How many calls the provider allows still.
    pub fn remaining(&self, calls: u64) {
        let (family, label) = &self.remaining;
        let calls = i64::try_from(calls).unwrap_or(i64::MAX);
        family.get_or_create_owned(label).set(calls);
    }

    /// It refused what we hold to be right.
    pub fn alarm(&self) {
        self.alarms.inc();
    }

    /// An exchange went by what it said last.
    pub fn last_known(&self) {
        self.last_known.inc();
    }

    /// Whether it answers.
    pub fn up(&self, up: bool) {
        self.up.set(up.into());
    }
}
