//! A token of ours is traded: narrowed by its own client, or by a rule for one at another resource.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::actor::Actor;
use super::{ExchangeRequest, Identity, TokenKind, act};
use crate::broker::catalogue::KnownResource;
use crate::broker::exchange_rules::KnownRule;
use crate::broker::grant::{BadToken, GrantRefusal, GrantedToken, NewToken, narrow};
use crate::broker::token_life::{Holder, Life, MOST_TRADES};
use crate::broker::{Broker, Client};
use crate::domain::audit::Origin;
use crate::domain::scope::ScopeSet;
use crate::store::exchanged_tokens::{ExchangedToken, MadeOf};
use crate::token::claims::VerifiedClaims;
use crate::token::mint::Owner;
use crate::token::verify::VerifiedToken;

/// What may be made of a token.
struct Way {
    target: Arc<KnownResource>,
    /// By which rule; without one its own client narrows it.
    rule: Option<Arc<KnownRule>>,
}

impl Broker {
    pub(super) async fn exchange_own(
        &self,
        client: &Client,
        request: &ExchangeRequest<'_>,
        origin: &Origin,
    ) -> Result<GrantedToken, GrantRefusal> {
        let bad = GrantRefusal::Subject;
        let is_ours = request
            .subject
            .issuer
            .is_none_or(|issuer| issuer == self.issuer().as_str());
        if request.subject.kind != TokenKind::AccessToken || !is_ours {
            return Err(bad(BadToken::Kind));
        }
        let verified = self
            .signing
            .load()
            .verifier
            .verify_for_any(request.subject.token, self.now())
            .map_err(|error| bad(BadToken::Own(error)))?;
        let outcome = self.trade_own(client, request, &verified, origin).await;
        if let Err(refusal) = &outcome {
            self.note_refused_trade(client, &verified.claims.sub, refusal, origin)
                .await;
        }
        outcome
    }

    async fn trade_own(
        &self,
        client: &Client,
        request: &ExchangeRequest<'_>,
        subject: &VerifiedToken,
        origin: &Origin,
    ) -> Result<GrantedToken, GrantRefusal> {
        let claims = &subject.claims;
        let life = self.life(subject).await?;
        let life = life.filter(|life| !life.scope.is_empty());
        let life = life.ok_or(GrantRefusal::Subject(BadToken::Dead))?;
        if matches!(life.holder, Holder::Operator) {
            return Err(GrantRefusal::Subject(BadToken::Kind));
        }
        if life.trades >= MOST_TRADES {
            return Err(GrantRefusal::TooManyTrades);
        }
        let way = self.way(client, request, claims).await?;
        let held = held(&way, &life)?;
        let asked = request.scope.filter(|scope| !scope.is_empty());
        let scopes = match asked {
            Some(scope) => narrow(&held, scope)?,
            None => held,
        };
        let actor = match request.actor {
            Some(presented) => Some(self.actor(client, presented).await?),
            None => None,
        };
        let act = self.act(client, &way, claims, actor.as_ref())?;
        let ends = [
            Some(claims.exp.as_second()),
            actor.as_ref().map(|actor| actor.exp.as_second()),
            life.holder.last_second(),
        ];
        let client_id = client.id();
        let metadata = life.holder.metadata_for(&way.target);
        let new = NewToken {
            sub: &claims.sub,
            client_id: client_id.as_str(),
            resource: &way.target,
            scopes: &scopes,
            last_second: ends.into_iter().flatten().min(),
            org_id: claims.org_id.as_deref(),
            owner: claims.owner.as_ref().map(|owner| Owner {
                iss: &owner.iss,
                sub: &owner.sub,
            }),
            generation: claims.generation.as_deref(),
            family: Some(claims.family()),
            act: act.as_ref(),
            // Who may act was said of the traded token, and of what is narrowed from it; of what a rule gives the rules speak.
            may_act: claims.may_act.as_ref().filter(|_| way.rule.is_none()),
            metadata: &metadata,
        };
        let now = self.now();
        let signed = self.sign(&new, now)?;
        if signed.exp <= now.as_second() {
            return Err(GrantRefusal::Subject(BadToken::Dead));
        }
        // Its family stands for the one token that it was made of, and no other key signed it: nothing else is to be known of it.
        let is_known_by_itself =
            way.rule.is_none() && claims.family.is_none() && signed.kid == subject.kid;
        if !is_known_by_itself {
            let trade = ExchangedToken {
                jti: signed.jti.to_string(),
                client_id: client_id.to_string(),
                rule: way.rule.as_ref().map(|rule| rule.id),
                subject: MadeOf::Own {
                    jti: claims.jti.clone(),
                    kid: subject.kid.clone(),
                    audience: claims.aud.concat(),
                    scope: claims.scope.clone(),
                },
                actor: actor.map(|actor| actor.token),
                depth: life.trades + 1,
                expires_at: Timestamp::from_second(signed.exp).unwrap_or(now),
            };
            self.record_trade(trade, &new, origin).await?;
        }
        self.metrics.token_exchange_granted();
        Ok(GrantedToken {
            access_token: signed.token,
            expires_in: signed.exp - now.as_second(),
            scope: scopes.to_string().into(),
        })
    }

    /// Which resource is meant, and what lets the client have a token for it.
    async fn way(
        &self,
        client: &Client,
        request: &ExchangeRequest<'_>,
        claims: &VerifiedClaims,
    ) -> Result<Way, GrantRefusal> {
        let catalogue = self.catalogue().await?;
        let rules = self.known_rules().await?;
        let of_client = rules.of(&client.id());
        let [audience] = claims.aud.as_slice() else {
            return Err(GrantRefusal::Subject(BadToken::Dead));
        };
        let from_here = || {
            of_client
                .iter()
                .filter(|rule| rule.source.identifier.as_str() == audience)
        };
        let is_its_client = claims.client_id == client.id().as_str();
        let narrows = is_its_client && request.actor.is_none();
        let source = audience
            .parse()
            .ok()
            .and_then(|identifier| catalogue.resource(&identifier));
        let resource = request.resource.filter(|resource| !resource.is_empty());
        let target = match resource {
            Some(name) => name
                .parse()
                .ok()
                .and_then(|identifier| catalogue.resource(&identifier)),
            None if narrows => source,
            None => {
                let mut targets = from_here().map(|rule| &rule.target);
                targets.next().filter(|_| targets.next().is_none())
            }
        };
        if let Some(target) = target {
            if narrows && !target.reserved && target.identifier.as_str() == audience {
                return Ok(Way {
                    target: Arc::clone(target),
                    rule: None,
                });
            }
            if let Some(rule) = from_here().find(|rule| rule.target.id == target.id) {
                return Ok(Way {
                    target: Arc::clone(target),
                    rule: Some(Arc::clone(rule)),
                });
            }
        }
        if of_client.is_empty() && !is_its_client {
            return Err(GrantRefusal::NoRules);
        }
        Err(GrantRefusal::InvalidTarget {
            possible: from_here()
                .map(|rule| rule.target.identifier.to_string())
                .collect(),
        })
    }

    /// Who acts in the new token.
    fn act(
        &self,
        client: &Client,
        way: &Way,
        claims: &VerifiedClaims,
        actor: Option<&Actor>,
    ) -> Result<Option<Value>, GrantRefusal> {
        let Some(rule) = &way.rule else {
            return Ok(claims.act.clone());
        };
        let ours = self.issuer().as_str();
        let itself = Identity {
            iss: ours.to_owned(),
            sub: client.id().to_string(),
            client_id: Some(client.id().to_string()),
        };
        let acting = actor.map_or(&itself, |actor| &actor.identity);
        if let Some(claim) = &claims.may_act
            && !acting.may_act(claim, ours, ours)
        {
            return Err(GrantRefusal::MayNotAct);
        }
        match actor {
            None if rule.mode.impersonation => Ok(claims.act.clone()),
            Some(_) if !rule.mode.delegation => Err(GrantRefusal::ActorNotTaken),
            _ => act::nested(acting, claims.act.as_ref(), ours).map(Some),
        }
    }
}

/// What the client may have at the target, before it is cut to what it asks for.
fn held(way: &Way, life: &Life) -> Result<ScopeSet, GrantRefusal> {
    let Some(rule) = &way.rule else {
        return Ok(life.scope.clone());
    };
    if !rule.requires_scope.is_subset(&life.scope) {
        return Err(GrantRefusal::SubjectLacksScope);
    }
    let given = rule.gives(&life.scope);
    let held = if rule.subject_must_hold {
        life.holder.holds(rule.target.identifier.as_str(), &given)
    } else {
        given
    };
    if held.is_empty() {
        return Err(GrantRefusal::InvalidTarget {
            possible: Vec::new(),
        });
    }
    Ok(held)
}
