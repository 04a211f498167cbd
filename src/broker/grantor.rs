//! Nobody gives what he does not hold.
//!
//! The operator may give anything. A person gives at most what the organization may use and, unless he is its admin, his user roles
//! there bundle. A key or an application may create, rotate, enable or loosen only keys and applications whose permissions are a subset of
//! its own at that moment and whose limits are at least as tight. Rights on the management API are given by an operator or an
//! organization's admin alone, and no key and no application loosens itself.
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
use crate::domain::application::Application;
use crate::domain::id::{ApplicationId, CredentialId, KeyId, OrganizationId, PermissionId, UserId};
use crate::domain::limits::AllowedCidrs;
use crate::domain::role::Role;
use crate::domain::user::MemberRole;
use crate::store::{
    Connection, api_keys, applications, credentials, memberships, organizations, presented, rights,
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
    Application(ApplicationId),
    Person(UserId),
}

/// What he holds in an organization, as of this transaction.
struct Held {
    allowance: Allowance,
    /// What he is, as far as that bounds what he gives.
    limits: OwnLimits,
    /// Whether he may give rights on the management API.
    gives_management: bool,
}

/// What bounds what somebody gives, beside his permissions.
enum OwnLimits {
    /// He is a person.
    None,
    /// Those of the key that he is.
    Key(Box<ApiKey>),
    /// Those of the application that it is.
    Application {
        allowed_cidrs: Option<AllowedCidrs>,
        may_act: Option<ApplicationId>,
    },
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
            Standing::Application(client) => Who::Application(client.id()),
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
    /// A person as one who gives, by an act of his that comes to effect without him: an invitation of his is accepted.
    pub(super) fn of_person(
        person: Option<UserId>,
        scope: &'static str,
        catalogue: &Arc<Catalogue>,
        now: Timestamp,
    ) -> Self {
        Self {
            who: person.map_or(Who::Operator, Who::Person),
            scope,
            catalogue: Arc::clone(catalogue),
            now,
        }
    }

    /// Whether he may have a key live that is as `wanted`. To be asked before the key's own rows are locked.
    pub(super) fn check_key(&self, tx: &mut Connection, wanted: &ApiKey) -> Result<(), Error> {
        if let Who::Key(own, _) = self.who
            && own == wanted.id
        {
            return Err(Error::WouldWiden("a key never loosens itself".to_owned()));
        }
        let beside = Beside::Key(&wanted.id);
        let Some(held) = self.held(tx, Some(&wanted.organization_id), beside)? else {
            return Ok(());
        };
        self.check_permissions(&held, &wanted.permissions)?;
        held.limits.check_key(wanted)
    }

    /// Whether he may have an application live that is as `wanted`, with these roles; `existing`: it is there already. To be asked before
    /// its own row is locked.
    pub(super) fn check_application(
        &self,
        tx: &mut Connection,
        wanted: &Application,
        roles: &[Role],
        existing: Option<&ApplicationId>,
    ) -> Result<(), Error> {
        if let Who::Application(own) = self.who
            && own == wanted.id
        {
            let detail = "an application never loosens itself".to_owned();
            return Err(Error::WouldWiden(detail));
        }
        let beside = existing.map_or(Beside::Nothing, Beside::Application);
        let Some(held) = self.held(tx, wanted.organization_id.as_ref(), beside)? else {
            return Ok(());
        };
        for role in roles {
            self.check_permissions(&held, &role.permissions)?;
        }
        held.limits.check_application(wanted)
    }

    /// Whether he may have these permissions given to others of the deployment, in whatever way.
    pub(super) fn check_given(
        &self,
        tx: &mut Connection,
        permissions: &[PermissionId],
    ) -> Result<(), Error> {
        self.check_given_to(tx, None, permissions)
    }

    /// The same, where it is known to which application.
    pub(super) fn check_given_to(
        &self,
        tx: &mut Connection,
        application: Option<&ApplicationId>,
        permissions: &[PermissionId],
    ) -> Result<(), Error> {
        if let Who::Application(own) = &self.who
            && application == Some(own)
        {
            let detail = "an application never loosens itself".to_owned();
            return Err(Error::WouldWiden(detail));
        }
        match self.held(tx, None, Beside::Nothing)? {
            None => Ok(()),
            Some(held) => self.check_permissions(&held, permissions),
        }
    }

    /// Whether he holds everything, so that he may give what is not there yet.
    pub(super) fn check_everything(&self) -> Result<(), Error> {
        match self.who {
            Who::Operator => Ok(()),
            _ => Err(Error::WouldWiden("everything that will ever be".to_owned())),
        }
    }

    /// Whether he may give a member these roles, or make him an admin.
    pub(super) fn check_roles(
        &self,
        tx: &mut Connection,
        organization: &OrganizationId,
        given: &[Role],
        makes_admin: bool,
    ) -> Result<(), Error> {
        let Some(held) = self.held(tx, Some(organization), Beside::Nothing)? else {
            return Ok(());
        };
        if makes_admin && !matches!(held.limits, OwnLimits::None) {
            let detail = "only an operator or an admin makes an admin".to_owned();
            return Err(Error::WouldWiden(detail));
        }
        given
            .iter()
            .try_for_each(|role| self.check_permissions(&held, &role.permissions))
    }

    /// What he holds there, of the deployment if it is no organization; `None`: everything, as the operator. `beside` is what is dealt with:
    /// it and he are locked in one order.
    fn held(
        &self,
        tx: &mut Connection,
        organization: Option<&OrganizationId>,
        beside: Beside<'_>,
    ) -> Result<Option<Held>, Error> {
        const OF_THE_DEPLOYMENT: Error = Error::Forbidden("it belongs to the deployment");
        match self.who {
            Who::Operator => Ok(None),
            Who::Person(user) => {
                let organization = organization.ok_or(OF_THE_DEPLOYMENT)?;
                self.held_by_person(tx, organization, user).map(Some)
            }
            Who::Key(key, generation) => {
                let organization = organization.ok_or(OF_THE_DEPLOYMENT)?;
                let beside = match beside {
                    Beside::Key(other) => Some(other),
                    Beside::Application(_) | Beside::Nothing => None,
                };
                self.held_by_key(tx, (key, generation), organization, beside)
                    .map(Some)
            }
            Who::Application(id) => self
                .held_by_application(tx, id, organization, beside)
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
            limits: OwnLimits::None,
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
        let within = self.catalogue.within(&row.permissions, granted);
        let held = match &row.owner_rights {
            None => within,
            Some(rights) => self.catalogue.bounded(&within, rights),
        };
        let surroundings = Surroundings {
            catalogue: &self.catalogue,
            provider: 0,
            rights_until: None,
            passes_through: false,
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
            limits: OwnLimits::Key(Box::new(own)),
            gives_management: false,
        })
    }

    fn held_by_application(
        &self,
        tx: &mut Connection,
        id: ApplicationId,
        organization: Option<&OrganizationId>,
        beside: Beside<'_>,
    ) -> Result<Held, Error> {
        if let Some(organization) = organization {
            rights::hold_organization(tx, organization)?;
        }
        if let Beside::Application(other) = beside
            && *other < id
        {
            applications::lock(tx, other)?;
        }
        rights::hold_application(tx, &id)?;
        if let Beside::Application(other) = beside {
            applications::lock(tx, other)?;
        }
        let found = applications::client::find(tx, &id)?.ok_or(ENDED)?;
        let own = found.application;
        let is_elsewhere = own
            .organization_id
            .is_some_and(|its| organization != Some(&its));
        let lets_in = self.catalogue.management(self.scope);
        if own.disabled_at.is_some()
            || found.organization_disabled
            || is_elsewhere
            || lets_in.is_none_or(|scope| !found.permissions.contains(&scope))
        {
            return Err(ENDED);
        }
        Ok(Held {
            allowance: Allowance::only(found.permissions),
            limits: OwnLimits::Application {
                allowed_cidrs: own.allowed_cidrs,
                may_act: own.may_act,
            },
            gives_management: false,
        })
    }

    fn check_permissions(&self, held: &Held, wanted: &[PermissionId]) -> Result<(), Error> {
        let refused = |reason: String| match held.limits {
            OwnLimits::Key(_) | OwnLimits::Application { .. } => Error::WouldWiden(reason),
            OwnLimits::None => Error::BeyondGrantor(reason),
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

/// Who gives was stopped since he was let in.
const ENDED: Error = Error::Forbidden("the caller was stopped meanwhile");

/// What is dealt with, beside him who deals with it.
#[derive(Clone, Copy)]
enum Beside<'a> {
    Nothing,
    Key(&'a KeyId),
    Application(&'a ApplicationId),
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

impl OwnLimits {
    /// Whether a key's limits are at least as tight.
    fn check_key(&self, wanted: &ApiKey) -> Result<(), Error> {
        match self {
            Self::None => Ok(()),
            Self::Key(own) => {
                check_end_and_rate(own, wanted)?;
                check_networks(own.allowed_cidrs.as_ref(), wanted.allowed_cidrs.as_ref())?;
                // What the owner may not do, his keys do not give: another owner, or none, would take that bound away.
                if own.owner.is_some() && wanted.owner != own.owner {
                    return Err(looser("owner"));
                }
                check_may_act(own.may_act, wanted.may_act)
            }
            Self::Application {
                allowed_cidrs,
                may_act,
            } => {
                check_networks(allowed_cidrs.as_ref(), wanted.allowed_cidrs.as_ref())?;
                check_may_act(*may_act, wanted.may_act)
            }
        }
    }

    /// Whether an application's limits are at least as tight. It has no end, no rate and no owner: who has one of them makes none.
    fn check_application(&self, wanted: &Application) -> Result<(), Error> {
        let (allowed_cidrs, may_act) = match self {
            Self::None => return Ok(()),
            Self::Key(own) => {
                let bounds = [
                    ("expires_at", own.lifecycle.expires_at.is_some()),
                    ("rate_limit", own.rate_limit.is_some()),
                    ("owner", own.owner.is_some()),
                ];
                if let Some((limit, _)) = bounds.into_iter().find(|(_, bounds)| *bounds) {
                    return Err(looser(limit));
                }
                (own.allowed_cidrs.as_ref(), own.may_act)
            }
            Self::Application {
                allowed_cidrs,
                may_act,
            } => (allowed_cidrs.as_ref(), *may_act),
        };
        check_networks(allowed_cidrs, wanted.allowed_cidrs.as_ref())?;
        check_may_act(may_act, wanted.may_act)
    }
}

fn looser(limit: &str) -> Error {
    Error::WouldWiden(format!(
        "its {limit} must be at least as tight as the caller's"
    ))
}

fn check_end_and_rate(own: &ApiKey, wanted: &ApiKey) -> Result<(), Error> {
    let end = wanted.lifecycle.expires_at;
    if let Some(own) = own.lifecycle.expires_at
        && end.is_none_or(|wanted| wanted > own)
    {
        return Err(looser("expires_at"));
    }
    if let Some(own) = own.rate_limit
        && !wanted
            .rate_limit
            .is_some_and(|wanted| wanted.is_at_most(own))
    {
        return Err(looser("rate_limit"));
    }
    Ok(())
}

fn check_networks(own: Option<&AllowedCidrs>, wanted: Option<&AllowedCidrs>) -> Result<(), Error> {
    match own {
        Some(own) if !wanted.is_some_and(|wanted| wanted.is_within(own)) => {
            Err(looser("allowed_cidrs"))
        }
        _ => Ok(()),
    }
}

fn check_may_act(own: Option<ApplicationId>, wanted: Option<ApplicationId>) -> Result<(), Error> {
    match own {
        Some(_) if wanted != own => Err(looser("may_act")),
        _ => Ok(()),
    }
}
