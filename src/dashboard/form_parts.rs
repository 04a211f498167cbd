//! Parts that several forms have: permissions to be ticked, and what limits a key.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::errors::Wrong;
use super::fields::Fields;
use super::format::{end_of_day, form_day};
use super::language::Words;
use super::view::{Choice, ChoiceLabel, Field, Group, Kind, Picker, PickerGroup};
use crate::broker::overview::GrantableResource;
use crate::domain::api_key::ApiKey;
use crate::domain::limits::{AllowedCidrs, CidrsError, RateLimit, RateLimitError};
use crate::domain::permission::Permissions;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeToken;

/// From how many permissions on a filter helps.
const MANY: usize = 12;

/// Pairs of resource and scope that are ticked.
pub type Ticked = BTreeSet<(String, String)>;

/// Those that a form sent: each is the identifier, a space and the scope, neither of which holds a space.
pub fn ticked(fields: &Fields) -> Ticked {
    let pair = |text: &str| {
        let (resource, scope) = text.split_once(' ')?;
        Some((resource.to_owned(), scope.to_owned()))
    };
    fields.all("permission").filter_map(pair).collect()
}

/// Those of a set of permissions.
pub fn ticked_of(permissions: &Permissions) -> Ticked {
    let pairs = permissions.iter().flat_map(|(resource, scopes)| {
        scopes
            .iter()
            .map(|scope| (resource.to_string(), scope.to_string()))
    });
    pairs.collect()
}

/// The permissions that pairs name; what is no permission's spelling is left out, and so refused by nobody.
pub fn permissions(ticked: &Ticked) -> Permissions {
    let pair = |(resource, scope): &(String, String)| {
        let resource: ResourceIdentifier = resource.parse().ok()?;
        let scope: ScopeToken = scope.parse().ok()?;
        Some((resource, scope))
    };
    ticked.iter().filter_map(pair).collect()
}

/// The boxes for all that may be given, those in `ticked` ticked. What is ticked and may not be given is shown too, so that it can
/// be taken away and is not lost unseen.
pub fn picker(
    words: Words,
    grantable: &[GrantableResource],
    ticked: &Ticked,
    wrong: &Wrong,
) -> Picker {
    let mut groups: Vec<PickerGroup> = grantable
        .iter()
        .map(|resource| {
            let identifier = resource.identifier.to_string();
            let choice = |permission: &crate::broker::overview::Grantable| {
                let scope = permission.scope.to_string();
                let chosen = ticked.contains(&(identifier.clone(), scope.clone()));
                Choice {
                    value: format!("{identifier} {scope}"),
                    label: ChoiceLabel::Data(scope),
                    help: permission.description.clone(),
                    chosen,
                }
            };
            PickerGroup {
                title: resource.name.clone().unwrap_or_default(),
                choices: resource.permissions.iter().map(choice).collect(),
                identifier,
            }
        })
        .collect();
    for (resource, scope) in ticked {
        let value = format!("{resource} {scope}");
        let shown = groups
            .iter()
            .any(|group| group.choices.iter().any(|choice| choice.value == value));
        if shown {
            continue;
        }
        let choice = Choice {
            value,
            label: ChoiceLabel::Data(scope.clone()),
            help: Some(words.t("picker-not-yours").to_string()),
            chosen: true,
        };
        match groups
            .iter_mut()
            .find(|group| group.identifier == *resource)
        {
            Some(group) => group.choices.push(choice),
            None => groups.push(PickerGroup {
                title: String::new(),
                identifier: resource.clone(),
                choices: vec![choice],
            }),
        }
    }
    let many = groups
        .iter()
        .map(|group| group.choices.len())
        .sum::<usize>()
        > MANY;
    Picker {
        name: "permission",
        label: words.t("picker"),
        help: Some(words.t("picker-help")),
        groups,
        filter: many.then(|| words.t("picker-filter")),
        read_only: words.t("picker-read-only"),
        summary: (words.t("picker-none"), words.t("picker-summary")),
        error: wrong.of("permissions"),
    }
}

/// What a form says of a key's limits, as it was written.
#[derive(Clone, Debug, Default)]
pub struct LimitTexts {
    expires: String,
    addresses: String,
    rate: String,
    rate_per: String,
}

/// The same, read.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// From where it may come.
    pub allowed_cidrs: Option<AllowedCidrs>,
    /// How often it may be traded.
    pub rate_limit: Option<RateLimit>,
}

impl LimitTexts {
    /// As a form sent them.
    pub fn sent(fields: &Fields) -> Self {
        let text = |name: &str| fields.text(name).to_owned();
        Self {
            expires: text("expires"),
            addresses: text("addresses"),
            rate: text("rate"),
            rate_per: text("rate_per"),
        }
    }

    /// As a key has them.
    pub fn of_key(key: &ApiKey) -> Self {
        let addresses = key.allowed_cidrs.as_ref().map(|cidrs| {
            let lines: Vec<String> = cidrs.iter().map(ToString::to_string).collect();
            lines.join("\n")
        });
        let rate = key.rate_limit;
        Self {
            expires: key.lifecycle.expires_at.map(form_day).unwrap_or_default(),
            addresses: addresses.unwrap_or_default(),
            rate: rate.map_or_else(String::new, |rate| rate.requests().to_string()),
            rate_per: rate.map_or_else(String::new, |rate| rate.per_seconds().to_string()),
        }
    }

    /// Whether anything is written.
    pub fn any(&self) -> bool {
        [&self.expires, &self.addresses, &self.rate]
            .iter()
            .any(|text| !text.is_empty())
    }

    /// Reads them; `before` is the key's end as it is, which a day that was not changed keeps to the second.
    pub fn read(&self, words: Words, before: Option<Timestamp>, wrong: &mut Wrong) -> Limits {
        let mut limits = Limits::default();
        if !self.expires.is_empty() {
            let unchanged = before.filter(|end| form_day(*end) == self.expires);
            match unchanged.or_else(|| end_of_day(&self.expires)) {
                Some(end) => limits.expires_at = Some(end),
                None => wrong.add("expires", words.t("wrong-date")),
            }
        }
        let networks: Vec<String> = self
            .addresses
            .split([',', '\n', ' ', '\t'])
            .filter(|text| !text.is_empty())
            .map(with_length)
            .collect();
        if !networks.is_empty() {
            match AllowedCidrs::try_from(networks) {
                Ok(cidrs) => limits.allowed_cidrs = Some(cidrs),
                Err(error) => wrong.add("addresses", cidrs_words(words, error)),
            }
        }
        if !self.rate.is_empty() {
            let number = |text: &str| text.parse::<u32>().unwrap_or(0);
            match RateLimit::new(number(&self.rate), number(&self.rate_per)) {
                Ok(rate) => limits.rate_limit = Some(rate),
                Err(RateLimitError::Requests) => wrong.add("rate", words.t("wrong-rate")),
                Err(RateLimitError::PerSeconds) => wrong.add("rate", words.t("wrong-rate-per")),
            }
        }
        limits
    }

    /// The fields, folded away unless something is in them or wrong with them.
    pub fn group(&self, words: Words, wrong: &Wrong) -> Group {
        let any_wrong = ["expires", "addresses", "rate"]
            .iter()
            .any(|name| wrong.of(name).is_some());
        let expires = Field::text("expires", words.t("field-expires"))
            .kind(Kind::Date)
            .value(self.expires.clone())
            .help(words.t("field-expires-help"))
            .error(wrong.of("expires"));
        let addresses = addresses_field(words, &self.addresses, wrong);
        let rate = Field::text("rate", words.t("field-rate"))
            .kind(Kind::Number {
                min: 1,
                max: 1_000_000,
            })
            .value(self.rate.clone())
            .help(words.t("field-rate-help"))
            .error(wrong.of("rate"));
        let mut spans = vec![
            ("1", words.t("per-second")),
            ("60", words.t("per-minute")),
            ("3600", words.t("per-hour")),
            ("86400", words.t("per-day")),
        ];
        let own = (!self.rate_per.is_empty()
            && spans.iter().all(|(seconds, _)| *seconds != self.rate_per))
        .then(|| words.one("per-seconds", "count", self.rate_per.clone()));
        if let Some(own) = own {
            spans.push((&self.rate_per, own));
        }
        let chosen = if self.rate_per.is_empty() {
            "60"
        } else {
            &self.rate_per
        };
        let choices = spans
            .into_iter()
            .map(|(seconds, label)| Choice::words(seconds, label, seconds == chosen))
            .collect();
        let per = Field::text("rate_per", words.t("field-rate-per")).kind(Kind::Select(choices));
        Group {
            title: words.t("limits"),
            folded: Some(self.any() || any_wrong),
            parts: vec![expires.into(), addresses.into(), rate.into(), per.into()],
        }
    }
}

/// The networks that something may come from, one a line.
pub fn addresses_field(words: Words, value: &str, wrong: &Wrong) -> Field {
    Field::text("addresses", words.t("field-addresses"))
        .kind(Kind::Area)
        .value(value)
        .help(words.t("field-addresses-help"))
        .error(wrong.of("addresses"))
}

/// A single address as a network of one.
fn with_length(text: &str) -> String {
    match text.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(ip)) => format!("{ip}/32"),
        Ok(std::net::IpAddr::V6(ip)) => format!("{ip}/128"),
        Err(_) => text.to_owned(),
    }
}

fn cidrs_words(words: Words, error: CidrsError) -> super::language::Text {
    match error {
        CidrsError::Empty | CidrsError::Syntax => words.t("wrong-addresses"),
        CidrsError::TooMany => words.t("wrong-addresses-many"),
        CidrsError::HostBits => words.t("wrong-addresses-bits"),
    }
}

#[cfg(test)]
mod tests;
