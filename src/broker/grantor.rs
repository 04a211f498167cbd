//! Nobody gives what he does not hold: what a key that manages keys may do to others.
//!
//! The operator may give anything. A key may create, rotate, enable or loosen only keys whose permissions are a subset of its own at
//! that moment and whose limits are at least as tight; rights on the management API it gives to nobody, and itself it never loosens.

use super::catalogue::{Catalogue, Policy};
use super::{Broker, Caller, Error};
use crate::domain::api_key::ApiKey;
use crate::domain::id::KeyId;
use crate::store;

impl Broker {
    /// Whether `caller` may have a key live that is as `wanted`.
    pub(super) async fn check_grant(
        &self,
        caller: &Caller,
        wanted: &ApiKey,
        catalogue: &Catalogue,
    ) -> Result<(), Error> {
        let Some(own) = caller.key() else {
            return Ok(());
        };
        if own.key_id() == wanted.id {
            return Err(Error::WouldWiden("a key never loosens itself".to_owned()));
        }
        check_permissions(own.policy(), &catalogue.policy(&wanted.permissions))?;
        let id: KeyId = own.key_id();
        let stored = self
            .store
            .read(move |connection| store::api_keys::find(connection, &id))
            .await?;
        let stored = stored.ok_or(Error::NotFound)?;
        check_limits(&stored.key, wanted)
    }
}

fn check_permissions(own: &Policy, wanted: &Policy) -> Result<(), Error> {
    for grant in &*wanted.grants {
        let identifier = &grant.resource.identifier;
        if grant.resource.reserved {
            return Err(Error::WouldWiden(format!(
                "rights on {identifier} are given by an operator alone"
            )));
        }
        let held = own.at(identifier.as_str());
        if let Some(scope) = grant
            .scopes
            .iter()
            .find(|scope| !held.is_some_and(|held| held.scopes.contains(scope)))
        {
            return Err(Error::WouldWiden(format!("{scope} at {identifier}")));
        }
    }
    Ok(())
}

fn check_limits(own: &ApiKey, wanted: &ApiKey) -> Result<(), Error> {
    let refused = |limit: &str| {
        Err(Error::WouldWiden(format!(
            "its {limit} must be at least as tight as the caller's"
        )))
    };
    if let Some(end) = own.lifecycle.expires_at
        && wanted
            .lifecycle
            .expires_at
            .is_none_or(|wanted| wanted > end)
    {
        return refused("expires_at");
    }
    if let Some(limit) = own.rate_limit
        && !wanted
            .rate_limit
            .is_some_and(|wanted| wanted.is_at_most(limit))
    {
        return refused("rate_limit");
    }
    if let Some(own) = &own.allowed_cidrs {
        let inside = |wanted: &ipnet::IpNet| own.iter().any(|network| network.contains(wanted));
        if !wanted
            .allowed_cidrs
            .as_ref()
            .is_some_and(|wanted| wanted.iter().all(inside))
        {
            return refused("allowed_cidrs");
        }
    }
    Ok(())
}
