//! The provider's own access token is handed on, for services that trust the provider already.
//!
//! It is never wider than what was asked for: one that says more is refused. It is kept at most as long as the provider's word on rights
//! counts, and belongs to the very record that it was signed in for, so that none outlives a change of its key.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use quick_cache::sync::Cache;

use super::Broker;
use super::authentication::Refusal;
use super::catalogue::Grant;
use super::exchange::{TokenRequest, narrow, target};
use super::provider_rights::Outcome;
use super::record::{Record, Stopped};
use crate::domain::id::CredentialId;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeSet;
use crate::idp::{self, ProviderToken, RightsAge};

/// How long a token must be good still to be handed on a second time, in seconds; of one that lives shortly, a quarter of its life.
const LEFT: i64 = 30;

/// A token that can be handed on.
#[derive(Clone)]
pub(super) struct Passed {
    pub(super) token: Arc<str>,
    pub(super) scope: Arc<str>,
    pub(super) resource: ResourceIdentifier,
    pub(super) exp: i64,
}

struct Kept {
    record: Arc<Record>,
    resource: ResourceIdentifier,
    wanted: ScopeSet,
    scopes: ScopeSet,
    passed: Passed,
    iat: i64,
    at: i64,
}

/// Tokens of providers that are kept.
pub(super) struct KeptTokens {
    hasher: RandomState,
    kept: Cache<(CredentialId, u64), Arc<Kept>>,
}

impl KeptTokens {
    /// Room for so many.
    pub(super) fn new(most: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            kept: Cache::new(most),
        }
    }

    fn place(
        &self,
        record: &Record,
        wanted: (&ResourceIdentifier, &ScopeSet),
    ) -> (CredentialId, u64) {
        (record.credential_id(), self.hasher.hash_one(wanted))
    }
}

impl Broker {
    /// The provider's token for a request; `None` for the management API, which takes none but ours.
    pub(super) async fn pass_through(
        &self,
        record: &Arc<Record>,
        presented: &[u8],
        address: IpAddr,
        (request, now): (TokenRequest<'_>, Timestamp),
    ) -> Result<Option<Passed>, Refusal> {
        let resource = request.resource.filter(|resource| !resource.is_empty());
        let scope = request.scope.filter(|scope| !scope.is_empty());
        let grant = target(record, record.policy(), resource)?;
        if grant.resource.reserved {
            return Ok(None);
        }
        let asked = scope.map(|scope| narrow(grant, scope)).transpose()?;
        let mut wanted = asked.clone().unwrap_or_else(|| grant.scopes.clone());
        let mut kept = self
            .token_of_provider(record, presented, address, (grant, &wanted, now))
            .await?;
        if asked.is_none() && !kept.scopes.is_empty() && !wanted.is_subset(&kept.scopes) {
            // The provider grants less than our record: then all that is held is what it grants.
            wanted = kept.scopes.intersection(&grant.scopes);
            kept = self
                .token_of_provider(record, presented, address, (grant, &wanted, now))
                .await?;
        }
        if kept.scopes.is_empty() && asked.is_none() {
            let others = record.policy().grants.iter();
            let possible = others
                .map(|grant| grant.resource.identifier.to_string())
                .filter(|identifier| identifier != grant.resource.identifier.as_str());
            return Err(Refusal::InvalidTarget {
                possible: possible.collect(),
            });
        }
        if !wanted.is_subset(&kept.scopes) {
            return Err(Refusal::InvalidScope);
        }
        Ok(Some(kept.passed.clone()))
    }

    async fn token_of_provider(
        &self,
        record: &Arc<Record>,
        presented: &[u8],
        address: IpAddr,
        (grant, wanted, now): (&Grant, &ScopeSet, Timestamp),
    ) -> Result<Arc<Kept>, Refusal> {
        let resource = &grant.resource.identifier;
        let place = self.passed.place(record, (resource, wanted));
        let kept = self.passed.kept.get(&place).filter(|kept| {
            Arc::ptr_eq(&kept.record, record)
                && kept.resource == *resource
                && kept.wanted == *wanted
        });
        if let Some(kept) = &kept
            && self.is_fresh(record, kept, now)
        {
            self.metrics.exchange_reused();
            return Ok(Arc::clone(kept));
        }
        let question = Some((resource.clone(), wanted.clone()));
        let outcome = self
            .sign_in(presented, record, question, Some(address))
            .await?;
        let token = match outcome {
            Outcome::SignedIn(signed_in) => signed_in.token,
            Outcome::Gone => return Err(Refusal::Stopped(Stopped::Disabled)),
            Outcome::Outage(error) => {
                return match kept {
                    Some(kept) if self.may_outlast(record, &kept, now) => {
                        self.note_outlasting(record.provider);
                        Ok(kept)
                    }
                    _ => Err(self.outage(record.provider, error)),
                };
            }
        };
        let Some(token) = token else {
            let reason = "a sign-in brought no token".to_owned();
            return Err(Refusal::Provider(Arc::new(idp::Error::Refused { reason })));
        };
        self.judge_token(record, &token, now)?;
        if !wanted.is_subset(&token.scopes) {
            let pairs = token.scopes.iter();
            let granted = pairs.map(|scope| (resource.clone(), scope.clone()));
            self.note_lack(record, &granted.collect()).await;
        }
        // One that gives less as well is not handed on anyway.
        if token.says_more && wanted.is_subset(&token.scopes) {
            return Err(Refusal::InvalidScope);
        }
        let passed = Passed {
            token: token.text.expose().into(),
            scope: token.scopes.to_string().into(),
            resource: resource.clone(),
            exp: token.exp,
        };
        let kept = Arc::new(Kept {
            record: Arc::clone(record),
            resource: resource.clone(),
            wanted: wanted.clone(),
            passed,
            iat: token.iat,
            at: self.now().as_second(),
            scopes: token.scopes,
        });
        self.passed.kept.insert(place, Arc::clone(&kept));
        self.metrics.exchange_passed();
        Ok(kept)
    }

    /// A provider that gives tokens of another life than is allowed is set up wrong: it is an outage, and somebody must know.
    fn judge_token(
        &self,
        record: &Record,
        token: &ProviderToken,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let Some(provider) = self.providers.at(record.provider) else {
            return Ok(());
        };
        let most = i64::try_from(provider.policy().max_token_lifetime.as_secs());
        let most = most.unwrap_or(i64::MAX);
        let lives = token.exp - token.iat;
        if lives <= most && token.exp > now.as_second() {
            return Ok(());
        }
        let reason = format!("its token lives {lives} seconds, and {most} are allowed");
        if let Some(figures) = self.provider_figures.get(usize::from(record.provider)) {
            figures.alarm();
        }
        let name = provider.name().as_str();
        self.raise_alarm(name, "identity_provider.token_lifetime", reason.clone());
        Err(Refusal::Provider(Arc::new(idp::Error::Refused { reason })))
    }

    /// Whether a kept token is new enough to be handed on again.
    fn is_fresh(&self, record: &Record, kept: &Kept, now: Timestamp) -> bool {
        let age = match self.providers.at(record.provider).map(|it| it.rights_age()) {
            Some(RightsAge::AtMost(age)) => i64::try_from(age.as_secs()).unwrap_or(i64::MAX),
            _ => i64::MAX,
        };
        let left = LEFT.min((kept.passed.exp - kept.iat) / 4);
        let now = now.as_second();
        now - kept.at < age && kept.passed.exp - now > left
    }

    /// Whether it may be handed on although the provider gives no answer.
    fn may_outlast(&self, record: &Record, kept: &Kept, now: Timestamp) -> bool {
        let Some(provider) = self.providers.at(record.provider) else {
            return false;
        };
        let (RightsAge::AtMost(age), Some(outlast)) =
            (provider.rights_age(), provider.policy().outlast)
        else {
            return false;
        };
        let now = now.as_second();
        let most = i64::try_from((age + outlast).as_secs()).unwrap_or(i64::MAX);
        now - kept.at < most && kept.passed.exp > now
    }
}
