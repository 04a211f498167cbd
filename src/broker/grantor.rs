//! Nobody gives what he does not hold.
//!
//! The operator may give anything. A person gives at most what the organization may use and, unless he is its admin, his user roles
//! there bundle. A key may create, rotate, enable or loosen only keys whose permissions are a subset of its own at that moment and
//! whose limits are at least as tight. Rights on the management API are given by an operator or an organization's admin alone, and no
//! key loosens itself.
//!
//! What somebody holds is read inside the transaction that gives: a revocation or narrowing that was committed before is seen, one
//! that comes at the same moment waits for its end ([`crate::store::rights`]).

use std::sync::Arc;

use jiff::Timestamp;

use super::catalogue::Catalogue;
use super::record::{Record, Surroundings};
use super::{Caller, Error, Standing};
use crate::domain::allowance::Allowance;
use crate::domain::api_key::ApiKey;
use crate::domain::id::{CredentialId, KeyId, OrganizationId, PermissionId, UserId};
use crate::domain::role::Role;
use crate::domain::user::MemberRole;
use crate::store::{
    Connection, api_keys, credentials, memberships, organizations, presented, rights,
};

/// Somebody who is about to give something, to be asked again inside the transaction.
#[derive(Clone)]
pub(super) struct Grantor {
    who: Who,
    /// What he needs to be let in at all.
    scope: &'static str,
    catalogue: Arc<Catalogue>,
    now: Timestamp,
}

#[derive(Clone, Copy)]
enum Who {
    Operator,
    Key(KeyId, CredentialId),
    Person(UserId),
}

/// What he holds in an organization, as of this transaction.
struct Held {
    allowance: Allowance,
    /// The key that he is.
    key: Option<ApiKey>,
    /// Whether he may give rights on the management API.
    gives_management: bool,
}

impl Caller {
    /// The caller as one who gives, by a call that needs `scope`.
    pub(super) fn grantor(
        &self,
        scope: &'static str,
        catalogue: &Arc<Catalogue>,
        now: Timestamp,
    ) -> Grantor {
        let who = match &self.standing {
            Standing::Operator => Who::Operator,
            Standing::Key(record) => Who::Key(record.key_id(), record.credential_id()),
            Standing::Person(person) => Who::Person(person.user.id),
        };
        Grantor {
            who,
            scope,
            catalogue: Arc::clone(catalogue),
            now,
        }
    }
}

impl Grantor {
    /// Whether he may have a key live that is as `wanted`. To be asked before the key's own rows are locked.
    pub(super) fn check_key(&self, tx: &mut Connection, wanted: &ApiKey) -> Result<(), Error> {
        if let Who::Key(own, _) = self.who
            && own == wanted.id
        {
            return Err(Error::WouldWiden("a key never loosens itself".to_owned()));
        }
        let Some(held) = self.held(tx, &wanted.organization_id, Some(&wanted.id))? else {
            return Ok(());
        };
        self.check_permissions(&held, &wanted.permissions)?;
        held.key.map_or(Ok(()), |own| check_limits(&own, wanted))
    }

    /// Whether he may give a member these roles, or make him an admin.
    pub(super) fn check_roles(
        &self,
        tx: &mut Connection,
        organization: &OrganizationId,
        given: &[Role],
        makes_admin: bool,
    ) -> Result<(), Error> {
        let Some(held) = self.held(tx, organization, None)? else {
            return Ok(());
        };
        if makes_admin && held.key.is_some() {
            return Err(Error::WouldWiden("a key makes nobody an admin".to_owned()));
        }
        given
            .iter()
            .try_for_each(|role| self.check_permissions(&held, &role.permissions))
    }

    /// What he holds there; `None`: everything, as the operator. `beside` is the key that is dealt with: the two are locked in one order.
    fn held(
        &self,
        tx: &mut Connection,
        organization: &OrganizationId,
        beside: Option<&KeyId>,
    ) -> Result<Option<Held>, Error> {
        match self.who {
            Who::Operator => Ok(None),
            Who::Person(user) => self.held_by_person(tx, organization, user).map(Some),
            Who::Key(key, generation) => self
                .held_by_key(tx, (key, generation), organization, beside)
                .map(Some),
        }
    }

    fn held_by_person(
        &self,
        tx: &mut Connection,
        organization: &OrganizationId,
        user: UserId,
    ) -> Result<Held, Error> {
        rights::hold_organization(tx, organization)?;
        rights::hold_member(tx, organization, user.as_str())?;
        let member = memberships::find(tx, organization, &user)?.ok_or(Error::NotFound)?;
        if !super::caller::scopes_of(member.role).any(|held| held == self.scope) {
            return Err(Error::Forbidden("it takes an admin of the organization"));
        }
        let own = rights::of_member(tx, &member)?;
        Ok(Held {
            allowance: own.and(of_organization(tx, organization)?),
            key: None,
            gives_management: member.role == MemberRole::Admin,
        })
    }

    fn held_by_key(
        &self,
        tx: &mut Connection,
        (key, generation): (KeyId, CredentialId),
        organization: &OrganizationId,
        beside: Option<&KeyId>,
    ) -> Result<Held, Error> {
        const ENDED: Error = Error::Forbidden("the caller was stopped meanwhile");
        rights::hold_organization(tx, organization)?;
        if let Some(owner) = api_keys::find(tx, &key)?.and_then(|stored| stored.key.owner) {
            rights::hold_member(tx, organization, owner.as_str())?;
        }
        match beside {
            Some(other) if *other < key => {
                api_keys::lock(tx, other)?;
                rights::hold_key(tx, &key)?;
            }
            other => {
                rights::hold_key(tx, &key)?;
                other.map_or(Ok(()), |other| api_keys::lock(tx, other))?;
            }
        }
        let own = api_keys::find(tx, &key)?.ok_or(ENDED)?.key;
        let generation = credentials::find(tx, &generation)?.ok_or(ENDED)?;
        let row = presented::find(tx, &generation.user_name)?.ok_or(ENDED)?;
        let granted = row
            .provider_rights
            .as_ref()
            .and_then(|rights| rights.granted.as_ref());
        let held = self.catalogue.within(&row.permissions, granted);
        let surroundings = Surroundings {
            catalogue: &self.catalogue,
            provider: 0,
            rights_until: None,
        };
        let record = Record::new(row, &surroundings).ok_or(ENDED)?;
        let lets_in = self.catalogue.management(self.scope);
        if record.stopped(self.now).is_some()
            || own.organization_id != *organization
            || lets_in.is_none_or(|scope| !held.contains(&scope))
        {
            return Err(ENDED);
        }
        Ok(Held {
            allowance: Allowance::only(held),
            key: Some(own),
            gives_management: false,
        })
    }

    fn check_permissions(&self, held: &Held, wanted: &[PermissionId]) -> Result<(), Error> {
        let refused = |reason: String| match held.key {
            Some(_) => Error::WouldWiden(reason),
            None => Error::BeyondGrantor(reason),
        };
        for id in wanted {
            // One that is gone gives nothing.
            let Some((resource, scope)) = self.catalogue.pair(id) else {
                continue;
            };
            let identifier = &resource.identifier;
            if resource.reserved && !held.gives_management {
                return Err(refused(format!(
                    "rights on {identifier} are given by an operator or an organization's admin alone"
                )));
            }
            if !held.allowance.holds(id) {
                return Err(refused(format!("{scope} at {identifier}")));
            }
        }
        Ok(())
    }
}

/// What an organization may use.
pub(super) fn of_organization(
    connection: &mut Connection,
    id: &OrganizationId,
) -> Result<Allowance, Error> {
    let organization = organizations::find(connection, id)?.ok_or(Error::NotFound)?;
    Ok(organization
        .permissions
        .map_or(Allowance::Everything, Allowance::only))
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
    // What the owner may not do, his keys do not give: another owner, or none, would take that bound away.
    if own.owner.is_some() && wanted.owner != own.owner {
        return refused("owner");
    }
    Ok(())
}
