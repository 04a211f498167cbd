//! Exchange rules: which application may trade whose tokens for what. They belong to the deployment.

mod known;

use serde_json::json;

use super::catalogue::Catalogue;
use super::idempotency::Keep;
use super::keys::gone;
use super::{Broker, Caller, Conflict, Error, audit};
use crate::domain::audit::Origin;
use crate::domain::exchange_rule::{ExchangeMode, ExchangeRule};
use crate::domain::id::{ApplicationId, ExchangeRuleId, ResourceId};
use crate::domain::permission::Permissions;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::{ScopeSet, ScopeToken};
use crate::store::{self, Change, Place, applications, exchange_rules};

pub(super) use self::known::{KnownRule, KnownRules};

/// A resource, by either of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceName {
    /// Its id.
    Id(ResourceId),
    /// Its identifier.
    Identifier(ResourceIdentifier),
}

/// A rule to be made.
#[derive(Clone, Debug)]
pub struct NewExchangeRule {
    /// Who may trade.
    pub application: ApplicationId,
    /// The audience of what it trades.
    pub subject_resource: ResourceName,
    /// What that must permit.
    pub requires_scope: Vec<ScopeToken>,
    /// The audience of what it gets.
    pub target_resource: ResourceName,
    /// What that may permit.
    pub scopes: Vec<ScopeToken>,
    /// How it trades.
    pub mode: ExchangeMode,
    /// Whether the subject must hold what is given.
    pub subject_must_hold: bool,
}

/// What is to change; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct ExchangeRuleChange {
    /// What a traded token must permit.
    pub requires_scope: Option<Vec<ScopeToken>>,
    /// What a token may permit that it gets.
    pub scopes: Option<Vec<ScopeToken>>,
    /// Whether tokens may name who acts.
    pub delegation: Option<bool>,
    /// Whether they need not.
    pub impersonation: Option<bool>,
    /// Whether the subject must hold what is given.
    pub subject_must_hold: Option<bool>,
}

/// A rule in words.
#[derive(Clone, Debug)]
pub struct ShownExchangeRule {
    /// What is on record.
    pub rule: ExchangeRule,
    /// The identifier of the subject's resource.
    pub subject_resource: ResourceIdentifier,
    /// The identifier of the target.
    pub target_resource: ResourceIdentifier,
    /// What it gives there.
    pub scopes: ScopeSet,
}

impl Broker {
    /// Makes one.
    ///
    /// # Errors
    /// What the request refers to is not there, such a rule is, or it would give more than the caller may.
    pub async fn create_exchange_rule(
        &self,
        new: NewExchangeRule,
        caller: &Caller,
        origin: Origin,
        keep: Option<Keep<'_, ShownExchangeRule>>,
    ) -> Result<ShownExchangeRule, Error> {
        caller.runs_the_deployment()?;
        let catalogue = self.catalogue().await?;
        let source = resource(&catalogue, &new.subject_resource, "subject_resource")?;
        let target = resource(&catalogue, &new.target_resource, "target_resource")?;
        self.check_exists(new.application, "application_id").await?;
        let now = self.now();
        let rule = ExchangeRule {
            id: ExchangeRuleId::generate(&*self.random),
            application: new.application,
            requires_scope: required(&catalogue, &source, new.requires_scope)?,
            permissions: self.given(&catalogue, &target, &new.scopes).await?,
            subject_resource: source,
            target_resource: target,
            mode: new.mode,
            subject_must_hold: new.subject_must_hold,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        check_mode(rule.mode)?;
        let shown = show(rule, &catalogue).ok_or(Error::NotFound)?;
        let grantor = caller.grantor("issuers:write", &catalogue, now);
        let (id, details) = (shown.rule.id, details(&shown));
        let event = self.event(&origin, "exchange_rule.created", id.as_str(), None, details);
        let kept = self.kept(keep, &shown, None)?;
        let written = shown.rule.clone();
        let made = self.store.write(move |tx| {
            grantor.check_given_to(tx, Some(&written.application), &written.permissions)?;
            exchange_rules::insert(tx, &written)?;
            if let Some(kept) = &kept {
                kept.write(tx)?;
            }
            tx.changed(Change::ExchangeRules);
            Ok::<_, Error>(audit::append(tx, &event)?)
        });
        made.await.map_err(taken)?;
        Ok(shown)
    }

    /// One of them.
    ///
    /// # Errors
    /// A caller who is bound to an organization, or not there.
    pub async fn exchange_rule(
        &self,
        id: ExchangeRuleId,
        caller: &Caller,
    ) -> Result<ShownExchangeRule, Error> {
        caller.runs_the_deployment()?;
        let found = self
            .store
            .read(move |connection| exchange_rules::find(connection, &id))
            .await?;
        let catalogue = self.catalogue().await?;
        found
            .and_then(|rule| show(rule, &catalogue))
            .ok_or(Error::NotFound)
    }

    /// A page of them, newest first.
    ///
    /// # Errors
    /// A caller who is bound to an organization.
    pub async fn exchange_rules(
        &self,
        caller: &Caller,
        application: Option<ApplicationId>,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<ShownExchangeRule>, Error> {
        caller.runs_the_deployment()?;
        let found = self.store.read(move |connection| {
            exchange_rules::list(connection, application.as_ref(), after.as_ref(), limit)
        });
        let found = found.await?;
        let catalogue = self.catalogue().await?;
        Ok(found
            .into_iter()
            .filter_map(|rule| show(rule, &catalogue))
            .collect())
    }

    /// Changes one, if it still has the version that the caller saw. Tokens that it gave follow at the next introspection.
    ///
    /// # Errors
    /// Not there, changed since, or more than the caller may give.
    pub async fn update_exchange_rule(
        &self,
        id: ExchangeRuleId,
        change: ExchangeRuleChange,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<ShownExchangeRule, Error> {
        // Another change may come between reading and writing. Whoever named no version meant what is there then.
        loop {
            let before = self.exchange_rule(id, caller).await?.rule;
            if !expected(before.version) {
                return Err(Error::Stale);
            }
            let catalogue = self.catalogue().await?;
            let after = self.rule_after(&before, change.clone(), &catalogue).await?;
            let shown = show(after.clone(), &catalogue).ok_or(Error::NotFound)?;
            let grantor = caller.grantor("issuers:write", &catalogue, self.now());
            let event = self.event(
                &origin,
                "exchange_rule.updated",
                id.as_str(),
                None,
                details(&shown),
            );
            let updated = self.store.write(move |tx| {
                if is_looser(&before, &after) {
                    grantor.check_given_to(tx, Some(&after.application), &after.permissions)?;
                }
                if !exchange_rules::update(tx, &after)? {
                    return Ok(false);
                }
                tx.changed(Change::ExchangeRules);
                audit::append(tx, &event)?;
                Ok::<_, Error>(true)
            });
            if updated.await.map_err(taken)? {
                return self.exchange_rule(id, caller).await;
            }
        }
    }

    /// Removes one. Tokens that it gave are dead at the next introspection.
    ///
    /// # Errors
    /// Not there, or changed since.
    pub async fn delete_exchange_rule(
        &self,
        id: ExchangeRuleId,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<(), Error> {
        loop {
            let found = self.exchange_rule(id, caller).await?;
            if !expected(found.rule.version) {
                return Err(Error::Stale);
            }
            let (version, details) = (found.rule.version, details(&found));
            let event = self.event(&origin, "exchange_rule.deleted", id.as_str(), None, details);
            let now = self.now();
            let deleted = self.store.write(move |tx| {
                if !exchange_rules::delete(tx, &id, version, now)? {
                    return Ok(false);
                }
                tx.changed(Change::ExchangeRules);
                audit::append(tx, &event)?;
                Ok::<_, Error>(true)
            });
            if deleted.await? {
                return Ok(());
            }
        }
    }

    /// Whether there is such an application.
    pub(super) async fn check_exists(
        &self,
        id: ApplicationId,
        field: impl Into<String>,
    ) -> Result<(), Error> {
        let there = self
            .store
            .read(move |connection| applications::exists(connection, &id));
        if there.await? {
            Ok(())
        } else {
            Err(Error::invalid(field, "there is no such application"))
        }
    }

    async fn rule_after(
        &self,
        before: &ExchangeRule,
        change: ExchangeRuleChange,
        catalogue: &Catalogue,
    ) -> Result<ExchangeRule, Error> {
        let after = ExchangeRule {
            requires_scope: match change.requires_scope {
                None => before.requires_scope.clone(),
                Some(names) => required(catalogue, &before.subject_resource, names)?,
            },
            permissions: match change.scopes {
                None => before.permissions.clone(),
                Some(names) => {
                    self.given(catalogue, &before.target_resource, &names)
                        .await?
                }
            },
            mode: ExchangeMode {
                delegation: change.delegation.unwrap_or(before.mode.delegation),
                impersonation: change.impersonation.unwrap_or(before.mode.impersonation),
            },
            subject_must_hold: change.subject_must_hold.unwrap_or(before.subject_must_hold),
            updated_at: self.now(),
            ..before.clone()
        };
        check_mode(after.mode)?;
        Ok(after)
    }

    async fn given(
        &self,
        catalogue: &Catalogue,
        target: &ResourceId,
        names: &[ScopeToken],
    ) -> Result<Vec<crate::domain::id::PermissionId>, Error> {
        if names.is_empty() {
            return Err(Error::invalid("scopes", "must name at least one scope"));
        }
        let resource = catalogue.resource_by_id(target).ok_or(Error::NotFound)?;
        let wanted: Permissions = names
            .iter()
            .map(|name| (resource.identifier.clone(), name.clone()))
            .collect();
        match self.resolve(&wanted).await {
            Err(missing @ Error::NoSuchPermission { .. }) => {
                Err(Error::invalid("scopes", missing.to_string()))
            }
            resolved => Ok(resolved?.0),
        }
    }
}

fn resource(
    catalogue: &Catalogue,
    name: &ResourceName,
    field: &'static str,
) -> Result<ResourceId, Error> {
    let found = match name {
        ResourceName::Id(id) => catalogue.resource_by_id(id),
        ResourceName::Identifier(identifier) => catalogue.resource(identifier),
    };
    found
        .map(|resource| resource.id)
        .ok_or_else(|| Error::invalid(field, "there is no such resource"))
}

/// Scopes that there are at the resource: a name that nobody can hold would be a rule that nobody can use.
fn required(
    catalogue: &Catalogue,
    source: &ResourceId,
    names: Vec<ScopeToken>,
) -> Result<ScopeSet, Error> {
    for name in &names {
        if catalogue.permission(source, name).is_none() {
            let reason = format!("there is no permission {name} at the subject_resource");
            return Err(Error::invalid("requires_scope", reason));
        }
    }
    Ok(names.into_iter().collect())
}

fn check_mode(mode: ExchangeMode) -> Result<(), Error> {
    if mode.delegation || mode.impersonation {
        Ok(())
    } else {
        Err(Error::invalid(
            "delegation",
            "one of delegation and impersonation must be true",
        ))
    }
}

/// Whether it lets do now what it did not.
fn is_looser(before: &ExchangeRule, after: &ExchangeRule) -> bool {
    let gives_more = after
        .permissions
        .iter()
        .any(|id| !before.permissions.contains(id));
    gives_more
        || !before.requires_scope.is_subset(&after.requires_scope)
        || (after.mode.delegation && !before.mode.delegation)
        || (after.mode.impersonation && !before.mode.impersonation)
        || (before.subject_must_hold && !after.subject_must_hold)
}

fn show(rule: ExchangeRule, catalogue: &Catalogue) -> Option<ShownExchangeRule> {
    let source = catalogue.resource_by_id(&rule.subject_resource)?;
    let target = catalogue.resource_by_id(&rule.target_resource)?;
    let scopes = rule
        .permissions
        .iter()
        .filter_map(|id| catalogue.pair(id))
        .map(|(_, scope)| scope.clone())
        .collect();
    Some(ShownExchangeRule {
        subject_resource: source.identifier.clone(),
        target_resource: target.identifier.clone(),
        scopes,
        rule,
    })
}

fn details(shown: &ShownExchangeRule) -> serde_json::Value {
    json!({
        "application": shown.rule.application, "subject_resource": shown.subject_resource,
        "requires_scope": shown.rule.requires_scope, "target_resource": shown.target_resource, "scopes": shown.scopes,
        "delegation": shown.rule.mode.delegation, "impersonation": shown.rule.mode.impersonation,
        "subject_must_hold": shown.rule.subject_must_hold,
    })
}

fn taken(error: Error) -> Error {
    match error {
        Error::Store(error) if error.conflicts_with(exchange_rules::TAKEN) => {
            Conflict::ExchangeRuleExists.into()
        }
        Error::Store(error) if error.conflicts_with(store::FOREIGN_KEY) => {
            gone(error, "application_id")
        }
        error => error,
    }
}
