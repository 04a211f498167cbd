//! The exchange rules in memory, as a trade sees them: a snapshot of their tables, replaced whole when they or the catalogue change.

use std::collections::HashMap;
use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::catalogue::{Catalogue, KnownResource};
use crate::domain::exchange_rule::{ExchangeMode, ExchangeRule};
use crate::domain::id::{ApplicationId, ExchangeRuleId};
use crate::domain::scope::ScopeSet;
use crate::store::{self, exchange_rules};

/// A rule whose names were looked up.
#[derive(Debug)]
pub(in crate::broker) struct KnownRule {
    /// Its id.
    pub(in crate::broker) id: ExchangeRuleId,
    /// The audience of the tokens that are traded.
    pub(in crate::broker) source: Arc<KnownResource>,
    /// What they must permit.
    pub(in crate::broker) requires_scope: ScopeSet,
    /// The audience of the tokens that are given.
    pub(in crate::broker) target: Arc<KnownResource>,
    /// What they may permit.
    pub(in crate::broker) scopes: ScopeSet,
    /// Whether they name who acts.
    pub(in crate::broker) mode: ExchangeMode,
    /// Whether the subject must hold what is given.
    pub(in crate::broker) subject_must_hold: bool,
}

impl KnownRule {
    /// What it gives for a token with this scope. Within one resource a token never gets what it had not.
    pub(in crate::broker) fn gives(&self, scope: &ScopeSet) -> ScopeSet {
        if self.source.id == self.target.id {
            self.scopes.intersection(scope)
        } else {
            self.scopes.clone()
        }
    }
}

/// The snapshot.
#[derive(Default)]
pub(in crate::broker) struct KnownRules {
    by_application: HashMap<ApplicationId, Vec<Arc<KnownRule>>>,
    by_id: HashMap<ExchangeRuleId, Arc<KnownRule>>,
}

impl KnownRules {
    fn new(rules: Vec<ExchangeRule>, catalogue: &Catalogue) -> Self {
        let mut known = Self::default();
        for rule in rules {
            let source = catalogue.resource_by_id(&rule.subject_resource);
            let target = catalogue.resource_by_id(&rule.target_resource);
            // A resource that came or went between the two readings: the change that did it makes a new snapshot.
            let (Some(source), Some(target)) = (source, target) else {
                continue;
            };
            let scope = |id| catalogue.pair(id).map(|(_, scope)| scope.clone());
            let one = Arc::new(KnownRule {
                id: rule.id,
                source: Arc::clone(source),
                requires_scope: rule.requires_scope,
                target: Arc::clone(target),
                scopes: rule.permissions.iter().filter_map(scope).collect(),
                mode: rule.mode,
                subject_must_hold: rule.subject_must_hold,
            });
            known.by_id.insert(rule.id, Arc::clone(&one));
            known
                .by_application
                .entry(rule.application)
                .or_default()
                .push(one);
        }
        known
    }

    /// What an application may trade.
    pub(in crate::broker) fn of(&self, application: &ApplicationId) -> &[Arc<KnownRule>] {
        self.by_application
            .get(application)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The rule of this id, whosever it is.
    pub(in crate::broker) fn find(&self, id: &ExchangeRuleId) -> Option<&Arc<KnownRule>> {
        self.by_id.get(id)
    }
}

impl Broker {
    /// The rules as they are now.
    pub(in crate::broker) async fn known_rules(&self) -> Result<Arc<KnownRules>, store::Error> {
        if let Some(rules) = self.exchange_rules.current() {
            return Ok(rules);
        }
        let version = self.exchange_rules.wanted();
        let catalogue = self.catalogue().await?;
        let rules = self.store.read(exchange_rules::all).await?;
        Ok(self
            .exchange_rules
            .replace(version, KnownRules::new(rules, &catalogue)))
    }
}
