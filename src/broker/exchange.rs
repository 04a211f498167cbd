//! The main job: a permanent key is traded for a short-lived, scoped token.
//!
//! A warm key takes no I/O and no lock that anyone holds for long. The token carries what is asked for and held: a scope that is
//! not held refuses the whole request, so nobody works with less than he believes.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::Broker;
use super::authentication::{Refusal, TagProof};
use super::catalogue::{Grant, Policy};
use super::rate::RateLimitState;
use super::record::{self, Record};
use super::reuse;
use super::usage::Granted;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeSet;
use crate::idp::AnswerMode;
use crate::token::mint::{AccessTokenClaims, Jti, Owner, mint};

/// What is asked for. An empty text is as good as none.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenRequest<'a> {
    /// The audience.
    pub resource: Option<&'a str>,
    /// Scopes, separated by spaces.
    pub scope: Option<&'a str>,
    /// Who asks.
    pub asker: Asker,
}

/// Who asks for a token: it decides for how long an equal request gets the same one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asker {
    /// The holder of the key.
    #[default]
    Holder,
    /// A gateway, for each request of the holder.
    Gateway,
}

/// What came of it.
pub struct Exchanged {
    /// The token.
    pub access_token: Arc<str>,
    /// For how many seconds it is good.
    pub expires_in: i64,
    /// What it permits.
    pub scope: Arc<str>,
    /// Whose it is.
    pub record: Arc<Record>,
    /// What is left of the key's own limit, if it has one.
    pub rate_limit: Option<RateLimitState>,
    /// Whose token it is.
    pub answer: AnswerMode,
}

/// Why nothing came of it.
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// Whose key it was, if it passed both proofs.
    pub holder: Option<Arc<Record>>,
}

impl Broker {
    /// Trades a key, whose tag may have been proven already.
    ///
    /// # Errors
    /// See [`Refusal`]; each is counted.
    pub async fn exchange(
        &self,
        presented: &[u8],
        proof: Option<TagProof>,
        address: IpAddr,
        request: TokenRequest<'_>,
    ) -> Result<Exchanged, Refused> {
        let refused = |refusal: Refusal, holder| {
            self.count_refusal(&refusal);
            Refused { refusal, holder }
        };
        let holder = match self.identify_with(presented, proof, Some(address)).await {
            Ok(holder) => holder,
            Err(refusal) => return Err(refused(refusal, None)),
        };
        let outcome = self
            .try_exchange(&holder, presented, address, request)
            .await;
        outcome.map_err(|refusal| {
            // An outage is not the key's doing.
            if !refusal.is_outage() {
                let asked = request.resource.and_then(|asked| holder.policy().at(asked));
                let resource = asked.map(|grant| &grant.resource.identifier);
                let second = record::seconds(self.now());
                self.usage.note_refusal(&holder, second, resource);
                self.note_why(&holder, &refusal, (request, address, self.now()));
            }
            refused(refusal, Some(holder))
        })
    }

    /// Whether there is such a resource, and all of these scopes at it.
    pub fn knows(&self, resource: &str, scope: Option<&str>) -> bool {
        // Where it is being read again, nobody is told that something is missing.
        let Some(catalogue) = self.catalogue.current() else {
            return true;
        };
        let known = resource
            .parse()
            .ok()
            .and_then(|resource| catalogue.resource(&resource));
        let Some(resource) = known else { return false };
        let scopes: Option<ScopeSet> = scope.unwrap_or_default().parse().ok();
        scopes.is_some_and(|scopes| {
            let mut scopes = scopes.iter();
            scopes.all(|scope| catalogue.permission(&resource.id, scope).is_some())
        })
    }

    /// Counts an exchange that came to nothing.
    pub fn count_refusal(&self, refusal: &Refusal) {
        self.metrics.refused(refusal.reason());
    }

    async fn try_exchange(
        &self,
        holder: &Arc<Record>,
        presented: &[u8],
        address: IpAddr,
        request: TokenRequest<'_>,
    ) -> Result<Exchanged, Refusal> {
        let (record, now) = self.authenticate(holder, presented, address).await?;
        let limit = record.extras().and_then(|extras| extras.rate_limit);
        let rate_limit = match limit {
            None => None,
            Some(limit) => Some(
                self.key_limits
                    .take(&record.key_id(), limit)
                    .map_err(Refusal::RateLimited)?,
            ),
        };
        if record.passes_through {
            // In a box: a way that must not make the future of every exchange larger.
            let passing = self.pass_through(&record, presented, address, (request, now));
            if let Some(passed) = Box::pin(passing).await? {
                let granted = Granted {
                    resource: &passed.resource,
                    scope: &passed.scope,
                };
                self.usage.note(&record, record::seconds(now), &granted);
                return Ok(Exchanged {
                    expires_in: passed.exp - now.as_second(),
                    access_token: passed.token,
                    scope: passed.scope,
                    record,
                    rate_limit,
                    answer: AnswerMode::Passthrough,
                });
            }
        }
        let resource = request.resource.filter(|resource| !resource.is_empty());
        let scope = request.scope.filter(|scope| !scope.is_empty());
        let reuse = match request.asker {
            Asker::Holder => &self.reuse,
            Asker::Gateway => &self.forward_auth_reuse,
        };
        if let Some(kept) = reuse.find(&record, (resource, scope), now.as_second()) {
            self.metrics.exchange_reused();
            let granted = Granted {
                resource: &kept.resource,
                scope: &kept.scope,
            };
            self.usage.note(&record, record::seconds(now), &granted);
            return Ok(Exchanged {
                access_token: kept.token,
                expires_in: kept.exp - now.as_second(),
                scope: kept.scope,
                record,
                rate_limit,
                answer: AnswerMode::Mint,
            });
        }
        let grant = target(&record, record.policy(), resource)?;
        let asked = scope.map(|scope| narrow(grant, scope)).transpose()?;
        let scopes = asked.as_ref().unwrap_or(&grant.scopes);
        let (token, exp) = self.mint(&record, grant, scopes, now)?;
        let token: Arc<str> = token.into();
        let granted: Arc<str> = asked.map_or_else(
            || Arc::clone(&grant.scope),
            |asked| asked.to_string().into(),
        );
        reuse.keep(&record, (resource, scope), || reuse::Token {
            token: Arc::clone(&token),
            resource: grant.resource.identifier.clone(),
            scope: Arc::clone(&granted),
            exp,
            minted_at: now.as_second(),
        });
        self.metrics.exchange_minted();
        let place = Granted {
            resource: &grant.resource.identifier,
            scope: &granted,
        };
        self.usage.note(&record, record::seconds(now), &place);
        Ok(Exchanged {
            access_token: token,
            expires_in: exp - now.as_second(),
            scope: granted,
            record,
            rate_limit,
            answer: AnswerMode::Mint,
        })
    }

    /// Signs a token for what was granted; with its `exp` in seconds since 1970.
    fn mint(
        &self,
        record: &Record,
        grant: &Grant,
        scopes: &ScopeSet,
        now: Timestamp,
    ) -> Result<(String, i64), Refusal> {
        let resource = &grant.resource;
        let lived_out = now.as_second() + i64::from(resource.token_lifetime);
        let exp = match record.last_second() {
            Some((last, ended)) if last <= now.as_second() => {
                return Err(Refusal::Stopped(ended));
            }
            Some((last, _)) => lived_out.min(last),
            None => lived_out,
        };
        let signing = self.signing.load();
        let no_key = || Refusal::NoSigningKey(format!("none for {}", resource.signing_algorithm));
        let key = signing
            .ring
            .active(resource.signing_algorithm)
            .ok_or_else(no_key)?;
        let metadata = record.metadata_for(resource);
        let may_act = record.extras().and_then(|extras| extras.may_act);
        let may_act = self.may_act_claim(may_act);
        let (sub, generation, organization) = (
            record.key_id(),
            record.credential_id(),
            record.organization_id(),
        );
        let claims = AccessTokenClaims {
            iss: self.settings.issuer.as_str(),
            sub: sub.as_str(),
            aud: resource.identifier.as_str(),
            exp: Timestamp::from_second(exp).unwrap_or(now),
            iat: now,
            jti: &Jti::generate(&*self.random),
            client_id: sub.as_str(),
            scope: scopes,
            org_id: Some(organization.as_str()),
            owner: record
                .extras()
                .and_then(|extras| extras.owner.as_ref())
                .map(|owner| Owner {
                    iss: owner.iss.as_str(),
                    sub: owner.sub.as_str(),
                }),
            generation: Some(generation.as_str()),
            family: None,
            act: None,
            may_act: may_act.as_ref(),
            metadata: &metadata,
        };
        let token = mint(key, &claims).map_err(|error| Refusal::NoSigningKey(error.to_string()))?;
        Ok((token, exp))
    }
}

/// The grant that is meant: the one named, else the default resource's, else the only one.
pub(super) fn target<'a>(
    record: &Record,
    policy: &'a Policy,
    resource: Option<&str>,
) -> Result<&'a Grant, Refusal> {
    let grants = &policy.grants;
    let found = match resource {
        Some(identifier) => policy.at(identifier),
        None => {
            let default = record.extras().and_then(|extras| extras.default_resource);
            match default.and_then(|id| grants.iter().find(|grant| grant.resource.id == id)) {
                Some(grant) => Some(grant),
                None => grants.first().filter(|_| grants.len() == 1),
            }
        }
    };
    found.ok_or_else(|| Refusal::InvalidTarget {
        possible: grants
            .iter()
            .map(|grant| ResourceIdentifier::to_string(&grant.resource.identifier))
            .collect(),
    })
}

/// What is asked for, if all of it is held.
pub(super) fn narrow(grant: &Grant, scope: &str) -> Result<ScopeSet, Refusal> {
    let asked: ScopeSet = scope.parse().map_err(|_| Refusal::InvalidScope)?;
    if asked.is_subset(&grant.scopes) {
        Ok(asked)
    } else {
        Err(Refusal::InvalidScope)
    }
}
