//! Why a key would be refused or allowed, without its secret: every check of an exchange is made and told, also those that an exchange
//! does not come to. Nothing is counted, and no provider is asked.

use std::net::IpAddr;

use super::ShownKey;
use crate::broker::authentication::Refusal;
use crate::broker::exchange::{TokenRequest, narrow, target};
use crate::broker::record::{Record, Stopped};
use crate::broker::{Broker, Caller, Error};
use crate::domain::id::KeyId;
use crate::domain::lifecycle::KeyStatus;
use crate::store::presented;

/// What would come of an exchange.
pub struct Explanation {
    /// The checks, in the order in which an exchange makes them.
    pub checks: Vec<Check>,
}

/// One check.
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Why it fails; `None`: it passes.
    pub refusal: Option<Refusal>,
    /// What was looked at.
    pub detail: String,
}

impl Broker {
    /// Judges an exchange that asks for `request`, from `address` if one is named.
    ///
    /// # Errors
    /// Not there, not the caller's, or the database does not answer.
    pub async fn explain_key(
        &self,
        id: KeyId,
        request: TokenRequest<'_>,
        address: Option<IpAddr>,
        caller: &Caller,
    ) -> Result<Explanation, Error> {
        let shown = self.key(id, caller).await?;
        let mut checks = vec![alive(&shown)];
        let record = match &shown.stored.active {
            None => None,
            Some(active) => {
                let name = active.user_name;
                let row = self
                    .store
                    .read(move |connection| presented::find(connection, &name))
                    .await?;
                let catalogue = self.catalogue().await?;
                match row.map(|row| self.remembered(row, &catalogue)) {
                    Some(Ok(record)) => record,
                    Some(Err(Refusal::Store(error))) => return Err(error.into()),
                    Some(Err(refusal)) => {
                        checks.push(Check {
                            name: "identity_provider",
                            detail: "its provider is not configured".to_owned(),
                            refusal: Some(refusal),
                        });
                        None
                    }
                    None => None,
                }
            }
        };
        if let Some(record) = &record {
            self.judge(record, request, address, &mut checks);
        }
        Ok(Explanation { checks })
    }

    fn judge(
        &self,
        record: &Record,
        request: TokenRequest<'_>,
        address: Option<IpAddr>,
        checks: &mut Vec<Check>,
    ) {
        // What the key itself says was told before; what is left is its organization.
        let stopped = record.stopped(self.now());
        let paused = checks.iter().all(|check| check.refusal.is_none()) && stopped.is_some();
        checks.push(Check {
            name: "organization",
            refusal: paused.then_some(Refusal::Stopped(Stopped::Disabled)),
            detail: if paused {
                "its organization is disabled".to_owned()
            } else {
                "it does not stand in the way".to_owned()
            },
        });
        checks.push(from(record, address));
        let limit = record.extras().and_then(|extras| extras.rate_limit);
        checks.push(Check {
            name: "rate_limit",
            refusal: None,
            detail: limit.map_or_else(
                || "it has none".to_owned(),
                |limit| {
                    let (requests, seconds) = (limit.requests(), limit.per_seconds());
                    format!("{requests} in {seconds} s; how much of it is left is not judged here")
                },
            ),
        });
        let resource = request.resource.filter(|resource| !resource.is_empty());
        let grant = match target(record, record.policy(), resource) {
            Ok(grant) => {
                let identifier = &grant.resource.identifier;
                checks.push(passed("resource", format!("it is {identifier}")));
                grant
            }
            Err(refusal) => {
                let possible = match &refusal {
                    Refusal::InvalidTarget { possible } if !possible.is_empty() => {
                        format!("it can have {}", possible.join(" "))
                    }
                    _ => "it has no permission at all".to_owned(),
                };
                checks.push(failed("resource", refusal, possible));
                return;
            }
        };
        let asked = request.scope.filter(|scope| !scope.is_empty());
        let narrowed = asked.map(|scope| narrow(grant, scope)).transpose();
        checks.push(match narrowed {
            Ok(scopes) => {
                let scope = scopes.map_or_else(|| grant.scope.to_string(), |s| s.to_string());
                passed("scope", format!("the token would carry {scope}"))
            }
            Err(refusal) => failed("scope", refusal, format!("it holds {}", grant.scope)),
        });
        let algorithm = grant.resource.signing_algorithm;
        checks.push(match self.signing.load().ring.active(algorithm) {
            Some(_) => passed("signing_key", format!("{algorithm} signs")),
            None => failed(
                "signing_key",
                Refusal::NoSigningKey(format!("none for {algorithm}")),
                format!("no key signs with {algorithm}"),
            ),
        });
    }
}

/// Whether the key itself is one that is taken.
fn alive(shown: &ShownKey) -> Check {
    let lifecycle = &shown.stored.key.lifecycle;
    let since = |moment: Option<jiff::Timestamp>| {
        moment.map_or_else(String::new, |moment| format!(" since {moment}"))
    };
    let (refusal, detail) = match shown.status {
        KeyStatus::Active => (None, "it is active".to_owned()),
        KeyStatus::Revoked => (
            Some(Refusal::Stopped(Stopped::Revoked)),
            format!("it is revoked{}", since(lifecycle.revoked_at)),
        ),
        KeyStatus::Expired => (
            Some(Refusal::Stopped(Stopped::Expired)),
            format!("it has expired{}", since(lifecycle.expires_at)),
        ),
        KeyStatus::Disabled => (
            Some(Refusal::Stopped(Stopped::Disabled)),
            format!("it is disabled{}", since(lifecycle.disabled_at)),
        ),
        // Shown to nobody yet.
        KeyStatus::Pending => (Some(Refusal::Unknown), "it is still being made".to_owned()),
    };
    Check {
        name: "status",
        refusal,
        detail,
    }
}

fn from(record: &Record, address: Option<IpAddr>) -> Check {
    let cidrs = record
        .extras()
        .and_then(|extras| extras.allowed_cidrs.as_ref());
    let Some(cidrs) = cidrs else {
        return passed("address", "it is taken from anywhere".to_owned());
    };
    let networks: Vec<String> = cidrs.iter().map(ToString::to_string).collect();
    let networks = networks.join(" ");
    match address {
        Some(address) if !cidrs.contains(address) => failed(
            "address",
            Refusal::AddressNotAllowed,
            format!("it is taken only from {networks}"),
        ),
        Some(_) => passed("address", format!("it is taken from {networks}")),
        None => passed(
            "address",
            format!("it is taken only from {networks}; name an address to have it judged"),
        ),
    }
}

fn passed(name: &'static str, detail: String) -> Check {
    Check {
        name,
        refusal: None,
        detail,
    }
}

fn failed(name: &'static str, refusal: Refusal, detail: String) -> Check {
    Check {
        name,
        refusal: Some(refusal),
        detail,
    }
}
