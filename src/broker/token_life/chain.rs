//! What a traded token was made of, from itself back to the first of its chain, and what that leaves of it.

use super::Holder;
use crate::broker::exchange_rules::KnownRules;
use crate::domain::scope::ScopeSet;
use crate::store::exchanged_tokens::{ActorToken, ExchangedToken, MadeOf};
use crate::token::claims::VerifiedClaims;

/// The trades behind a token; none for a first token.
#[derive(Default)]
pub(super) struct Chain(Vec<ExchangedToken>);

/// A token that was traded, as the one made of it remembers it.
struct Traded<'a> {
    audience: &'a str,
    scope: &'a ScopeSet,
}

impl Chain {
    /// Of a token and all that it was made of, itself first.
    pub(super) fn new(found: Vec<ExchangedToken>) -> Self {
        Self(found)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the trade that made this token is on record.
    pub(super) fn begins_with(&self, jti: &str) -> bool {
        self.0.first().is_some_and(|token| token.jti == jti)
    }

    /// How many trades lie behind the token of these claims.
    pub(super) fn trades(&self, claims: &VerifiedClaims) -> u32 {
        let unrecorded = u32::from(claims.family.is_some());
        self.0.first().map_or(unrecorded, |token| token.depth)
    }

    /// The ids of all tokens in it.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|token| {
            let subject = match &token.subject {
                MadeOf::Own { jti, .. } => Some(jti.as_str()),
                MadeOf::Outside { .. } => None,
            };
            let actor = match &token.actor {
                Some(ActorToken::Own { jti, .. }) => Some(jti.as_str()),
                _ => None,
            };
            [Some(token.jti.as_str()), subject, actor]
                .into_iter()
                .flatten()
        })
    }

    /// Who signed the tokens that were traded.
    pub(super) fn kids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|token| {
            let subject = match &token.subject {
                MadeOf::Own { kid, .. } => Some(kid.as_str()),
                MadeOf::Outside { .. } => None,
            };
            let actor = match &token.actor {
                Some(ActorToken::Own { kid, .. }) => Some(kid.as_str()),
                _ => None,
            };
            [subject, actor].into_iter().flatten()
        })
    }

    /// Who asked for them.
    pub(super) fn clients(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|token| token.client_id.as_str())
    }

    /// Who acted by a token of his own: the subject, and the generation if he is a key.
    pub(super) fn actors(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().filter_map(|token| match &token.actor {
            Some(ActorToken::Own {
                subject,
                generation,
                ..
            }) => Some((
                subject.as_str(),
                generation.as_ref().map(|generation| generation.as_str()),
            )),
            _ => None,
        })
    }

    /// The trades of the subject, the newest first; those of actors left out.
    fn line(&self) -> Vec<&ExchangedToken> {
        let mut line: Vec<&ExchangedToken> = self.0.first().into_iter().collect();
        while let Some(MadeOf::Own { jti, .. }) = line.last().map(|token| &token.subject)
            && line.len() <= self.0.len()
        {
            match self.0.iter().find(|token| token.jti == *jti) {
                Some(token) => line.push(token),
                None => break,
            }
        }
        line
    }

    /// What is left of a scope at the end of the chain: each step is judged by what its holder and its rule give now.
    pub(super) fn scope_now(
        &self,
        audience: &str,
        scope: &ScopeSet,
        holder: &Holder,
        rules: &KnownRules,
    ) -> ScopeSet {
        let line = self.line();
        let made: Vec<Traded<'_>> = std::iter::once(Traded { audience, scope })
            .chain(line.iter().filter_map(|token| match &token.subject {
                MadeOf::Own {
                    audience, scope, ..
                } => Some(Traded { audience, scope }),
                MadeOf::Outside { .. } => None,
            }))
            .collect();
        // The last one is the first of the chain; each before it was made of the one behind it.
        let Some((first, others)) = made.split_last() else {
            return ScopeSet::default();
        };
        let mut before = first.audience;
        let mut held = holder.holds(first.audience, first.scope);
        for (token, trade) in others.iter().zip(line).rev() {
            if held.is_empty() {
                break;
            }
            held = match &trade.rule {
                None if token.audience == before => token.scope.intersection(&held),
                None => ScopeSet::default(),
                Some(id) => {
                    let rule = rules.find(id).filter(|rule| {
                        rule.source.identifier.as_str() == before
                            && rule.target.identifier.as_str() == token.audience
                            && rule.requires_scope.is_subset(&held)
                    });
                    match rule {
                        None => ScopeSet::default(),
                        Some(rule) => {
                            let given = token.scope.intersection(&rule.gives(&held));
                            if rule.subject_must_hold {
                                holder.holds(token.audience, &given)
                            } else {
                                given
                            }
                        }
                    }
                }
            };
            before = token.audience;
        }
        held
    }
}
