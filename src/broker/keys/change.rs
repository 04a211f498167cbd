//! A key's properties are changed: its name, its limits, its pause. Permissions are changed apart ([`super::permissions`]).

use jiff::Timestamp;
use serde_json::json;

use super::{ShownKey, follow, names, show};
use crate::broker::{Broker, Caller, Conflict, Error, OwnerName, audit};
use crate::domain::api_key::ApiKey;
use crate::domain::audit::Origin;
use crate::domain::id::{ApplicationId, KeyId};
use crate::domain::limits::{AllowedCidrs, RateLimit};
use crate::domain::metadata::Metadata;
use crate::domain::resource::ResourceIdentifier;
use crate::store::api_keys::{self, StoredKey};
use crate::store::idp_operations::OperationKind;
use crate::store::{Change, credentials};

/// What is to change; `None` leaves it, `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct KeyChange {
    /// What people call it.
    pub name: Option<String>,
    /// What people hang on it.
    pub metadata: Option<Metadata>,
    /// Whether it is paused.
    pub disabled: Option<bool>,
    /// From where it may come.
    pub allowed_cidrs: Option<Option<AllowedCidrs>>,
    /// How often it may be traded.
    pub rate_limit: Option<Option<RateLimit>>,
    /// When it ends.
    pub expires_at: Option<Option<Timestamp>>,
    /// The resource meant when none is named.
    pub default_resource: Option<Option<ResourceIdentifier>>,
    /// Whose it is.
    pub owner: Option<Option<OwnerName>>,
    /// Whether its holder may have it replaced.
    pub self_rotate: Option<bool>,
    /// Who may act for it.
    pub may_act: Option<Option<ApplicationId>>,
}

impl KeyChange {
    /// Whether it could let the key do what it could not do before.
    fn may_loosen(&self) -> bool {
        self.disabled == Some(false)
            || self.allowed_cidrs.is_some()
            || self.rate_limit.is_some()
            || self.expires_at.is_some()
            || self.owner.is_some()
            || self.self_rotate == Some(true)
            || self.may_act.is_some()
    }

    /// Names of what is to change, for the audit row.
    fn fields(&self) -> Vec<&'static str> {
        [
            ("name", self.name.is_some()),
            ("metadata", self.metadata.is_some()),
            ("disabled", self.disabled.is_some()),
            ("allowed_cidrs", self.allowed_cidrs.is_some()),
            ("rate_limit", self.rate_limit.is_some()),
            ("expires_at", self.expires_at.is_some()),
            ("default_resource", self.default_resource.is_some()),
            ("owner", self.owner.is_some()),
            ("self_rotate", self.self_rotate.is_some()),
            ("may_act", self.may_act.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, changes)| changes.then_some(name))
        .collect()
    }
}

impl Broker {
    /// Changes a key, if it still is as the caller saw it. It counts from the moment this returns.
    ///
    /// # Errors
    /// Not there, revoked, changed since, a value that cannot be, or a loosening beyond what the caller holds.
    pub async fn update_key(
        &self,
        id: KeyId,
        change: KeyChange,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<ShownKey, Error> {
        let stored = self.stored_key(id).await?;
        caller.sees_key(&stored.key)?;
        if stored.key.lifecycle.revoked_at.is_some() {
            return Err(Conflict::KeyRevoked.into());
        }
        if !expected(stored.key.epoch) {
            return Err(Error::Stale);
        }
        let now = self.now();
        let catalogue = self.catalogue().await?;
        let fields = change.fields();
        let loosens = change.may_loosen();
        let before = stored.key.clone();
        if let Some(named) = change.may_act {
            self.check_may_act(named).await?;
        }
        let owner = match change.owner.clone() {
            None => stored.owner.clone(),
            Some(named) => self.changed_owner(&before, named, caller, &origin).await?,
        };
        let after = ApiKey {
            owner: owner.as_ref().map(|owner| owner.id),
            ..self.changed(before.clone(), change, &catalogue, now)?
        };
        let grantor = (loosens && is_looser(&before, &after))
            .then(|| caller.grantor("keys:write", &catalogue, now));
        let details = json!({
            "changed": fields, "disabled": after.lifecycle.disabled_at.is_some(), "owner": after.owner,
            "self_rotate": after.self_rotate,
        });
        let event = self.event(
            &origin,
            "key.updated",
            id.as_str(),
            Some(after.organization_id),
            details,
        );
        let told = before.owner != after.owner || before.metadata != after.metadata;
        let (written, random) = (after.clone(), std::sync::Arc::clone(&self.random));
        let updated = self.store.write(move |tx| {
            if let Some(grantor) = grantor {
                grantor.check_key(tx, &written)?;
            }
            if !api_keys::update(tx, &written, now)? {
                return Ok(false);
            }
            let generations = credentials::unended(tx, &id)?;
            if told {
                let users = (&written, generations.as_slice());
                follow(tx, OperationKind::Describe, users, (&*random, now))?;
            }
            tx.changed(Change::Key {
                key: id,
                user_names: names(&generations),
            });
            audit::append(tx, &event)?;
            Ok::<_, Error>(true)
        });
        let updated = updated.await.map_err(|error| match error {
            Error::Store(error) => super::gone(error, "owner"),
            error => error,
        });
        if !updated? {
            return Err(super::outrun(expected));
        }
        if told {
            self.work.notify_one();
        }
        let key = ApiKey {
            epoch: after.epoch + 1,
            ..after
        };
        let stored = StoredKey {
            key,
            owner,
            ..stored
        };
        Ok(show(stored, &catalogue, now))
    }

    fn changed(
        &self,
        key: ApiKey,
        change: KeyChange,
        catalogue: &crate::broker::catalogue::Catalogue,
        now: Timestamp,
    ) -> Result<ApiKey, Error> {
        let mut lifecycle = key.lifecycle;
        match change.disabled {
            Some(true) => lifecycle = lifecycle.disable(now)?,
            Some(false) => lifecycle = lifecycle.enable()?,
            None => {}
        }
        if let Some(end) = change.expires_at {
            if end.is_some_and(|end| end <= now) {
                return Err(Error::invalid("expires_at", "must be in the future"));
            }
            lifecycle.expires_at = end;
        }
        let default_resource = match change.default_resource {
            None => key.default_resource,
            Some(None) => None,
            Some(Some(identifier)) => {
                let policy = catalogue.policy(&key.permissions);
                let grant = policy.at(identifier.as_str());
                let id = grant.map(|grant| grant.resource.id);
                Some(id.ok_or_else(|| {
                    Error::invalid(
                        "default_resource",
                        "must be one of the resources that the key has permissions on",
                    )
                })?)
            }
        };
        Ok(ApiKey {
            name: change.name.unwrap_or(key.name),
            metadata: change.metadata.unwrap_or(key.metadata),
            allowed_cidrs: change.allowed_cidrs.unwrap_or(key.allowed_cidrs),
            rate_limit: change.rate_limit.unwrap_or(key.rate_limit),
            may_act: change.may_act.unwrap_or(key.may_act),
            default_resource,
            self_rotate: change.self_rotate.unwrap_or(key.self_rotate),
            lifecycle,
            ..key
        })
    }
}

/// Whether a key may now do what it could not do before.
fn is_looser(before: &ApiKey, after: &ApiKey) -> bool {
    let enabled = before.lifecycle.disabled_at.is_some() && after.lifecycle.disabled_at.is_none();
    let longer = match (before.lifecycle.expires_at, after.lifecycle.expires_at) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(before), Some(after)) => after > before,
    };
    let faster = match (before.rate_limit, after.rate_limit) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(before), Some(after)) => !after.is_at_most(before),
    };
    let wider = match (&before.allowed_cidrs, &after.allowed_cidrs) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(before), Some(after)) => !after
            .iter()
            .all(|network| before.iter().any(|allowed| allowed.contains(network))),
    };
    // What the owner may not do, his keys do not give.
    let freed = before.owner.is_some() && before.owner != after.owner;
    // Whoever may rotate it may have it rotated by its holder; who may not, may not have that done for him either.
    let replaceable = !before.self_rotate && after.self_rotate;
    // Where nobody is named, whoever a rule lets may act.
    let others_may_act = before.may_act.is_some() && before.may_act != after.may_act;
    enabled || longer || faster || wider || freed || replaceable || others_may_act
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::OrganizationId;
    use crate::domain::lifecycle::KeyLifecycle;
    use crate::domain::random::SystemRandom;

    fn key() -> ApiKey {
        ApiKey {
            id: KeyId::generate(&SystemRandom),
            organization_id: OrganizationId::generate(&SystemRandom),
            owner: None,
            name: "k".to_owned(),
            provider: "builtin".parse().unwrap(),
            metadata: Metadata::default(),
            lifecycle: KeyLifecycle::pending(Timestamp::UNIX_EPOCH, None),
            rotated_at: None,
            allowed_cidrs: None,
            rate_limit: None,
            default_resource: None,
            may_act: None,
            permissions: Vec::new(),
            self_rotate: false,
            epoch: 1,
        }
    }

    #[test]
    fn taking_a_limit_away_or_wide_is_loosening_and_setting_one_is_not() {
        let cidrs = |text: &str| Some(AllowedCidrs::try_from(vec![text.to_owned()]).unwrap());
        let narrow = ApiKey {
            allowed_cidrs: cidrs("192.0.2.0/25"),
            ..key()
        };
        let wide = ApiKey {
            allowed_cidrs: cidrs("192.0.2.0/24"),
            ..key()
        };
        assert!(is_looser(&narrow, &wide) && is_looser(&wide, &key()));
        assert!(!is_looser(&wide, &narrow) && !is_looser(&key(), &wide));
        let limited = ApiKey {
            rate_limit: Some(RateLimit::new(1, 1).unwrap()),
            ..key()
        };
        assert!(is_looser(&limited, &key()) && !is_looser(&key(), &limited));
        let mut ending = key();
        ending.lifecycle.expires_at = Some(Timestamp::MAX);
        assert!(is_looser(&ending, &key()) && !is_looser(&key(), &ending));
        let mut paused = key();
        paused.lifecycle.disabled_at = Some(Timestamp::UNIX_EPOCH);
        assert!(is_looser(&paused, &key()) && !is_looser(&key(), &paused));
        let rotating = ApiKey {
            self_rotate: true,
            ..key()
        };
        assert!(is_looser(&key(), &rotating) && !is_looser(&rotating, &key()));
    }
}
