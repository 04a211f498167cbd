//! Who calls the management API, and what he may see there: the operator all of it, a key or an application its own organization (an
//! application that has none, all of it), a person the organizations that he is a member of, and in each what his role allows.

use std::sync::Arc;

use super::record::Record;
use super::{Client, Error};
use crate::domain::api_key::ApiKey;
use crate::domain::application::Application;
use crate::domain::id::{OrganizationId, UserId};
use crate::domain::scope::ScopeSet;
use crate::domain::user::{MemberRole, Membership, User};

/// What a member may call; of keys he sees and touches his own alone.
const OF_A_MEMBER: [&str; 5] = [
    "keys:read",
    "keys:write",
    "organizations:read",
    "resources:read",
    "roles:read",
];
/// What an organization's admin may call there beside that.
const OF_AN_ADMIN: [&str; 5] = [
    "organizations:write",
    "applications:read",
    "applications:write",
    "users:read",
    "audit:read",
];

/// A caller of the management API.
#[derive(Clone)]
pub struct Caller {
    /// The subject of his token; of a person, his id here.
    pub actor: Arc<str>,
    /// The organization that is meant where he names none: the only one that he sees.
    pub organization_id: Option<OrganizationId>,
    /// What he may call, somewhere.
    pub scopes: ScopeSet,
    /// Whence his rights come.
    pub standing: Standing,
}

/// Whence a caller's rights come.
#[derive(Clone)]
pub enum Standing {
    /// He runs the deployment.
    Operator,
    /// He is a key.
    Key(Arc<Record>),
    /// It is an application: of an organization, or of the deployment.
    Application(Arc<Client>),
    /// He is a person who signed in.
    Person(Arc<Person>),
}

/// A person who signed in, with the organizations that he was a member of when his call came in.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who he is.
    pub user: User,
    /// Where he is what.
    pub memberships: Vec<Membership>,
}

impl Person {
    /// What he may call in at least one organization.
    pub(super) fn scopes(&self) -> ScopeSet {
        let names = self
            .memberships
            .iter()
            .flat_map(|membership| scopes_of(membership.role));
        names.filter_map(|name| name.parse().ok()).collect()
    }

    fn membership(&self, organization: &OrganizationId) -> Option<&Membership> {
        self.memberships
            .iter()
            .find(|membership| membership.organization_id == *organization)
    }
}

/// What a role lets call.
pub(super) fn scopes_of(role: MemberRole) -> impl Iterator<Item = &'static str> {
    let further: &[&str] = match role {
        MemberRole::Member => &[],
        MemberRole::Admin => &OF_AN_ADMIN,
    };
    OF_A_MEMBER.into_iter().chain(further.iter().copied())
}

/// Organizations in which a caller sees keys: of some all, of others his own.
pub(super) struct KeysInReach {
    /// Where he sees all; `None`: everywhere.
    pub(super) all: Option<Vec<OrganizationId>>,
    /// Where he sees his own.
    pub(super) own: Option<(Vec<OrganizationId>, UserId)>,
}

impl Caller {
    /// Whether he runs the deployment.
    pub fn is_operator(&self) -> bool {
        matches!(self.standing, Standing::Operator)
    }

    /// The key that he is, if he is one.
    pub(super) fn key(&self) -> Option<&Arc<Record>> {
        match &self.standing {
            Standing::Key(record) => Some(record),
            Standing::Operator | Standing::Application(_) | Standing::Person(_) => None,
        }
    }

    /// The person that he is, if he is one who does not run the deployment.
    pub(super) fn person(&self) -> Option<&Person> {
        match &self.standing {
            Standing::Person(person) => Some(person),
            Standing::Operator | Standing::Key(_) | Standing::Application(_) => None,
        }
    }

    /// The application that it is, if it is one.
    pub(super) fn application(&self) -> Option<&Arc<Client>> {
        match &self.standing {
            Standing::Application(client) => Some(client),
            Standing::Operator | Standing::Key(_) | Standing::Person(_) => None,
        }
    }

    /// The organizations in which he may call what `scope` names; `None`: all. That his token holds the scope is checked before.
    pub(super) fn organizations(&self, scope: &str) -> Option<Vec<OrganizationId>> {
        match &self.standing {
            Standing::Operator => None,
            Standing::Key(record) => Some(vec![record.organization_id()]),
            Standing::Application(client) => client.organization_id().map(|id| vec![id]),
            Standing::Person(person) => {
                let there = person
                    .memberships
                    .iter()
                    .filter(|membership| scopes_of(membership.role).any(|held| held == scope));
                Some(there.map(|membership| membership.organization_id).collect())
            }
        }
    }

    /// The same, narrowed to the one that was asked for; an empty list if nothing can be in it.
    pub(super) fn within(
        &self,
        asked: Option<OrganizationId>,
        scope: &str,
    ) -> Option<Vec<OrganizationId>> {
        match (self.organizations(scope), asked) {
            (all, None) => all,
            (None, Some(asked)) => Some(vec![asked]),
            (Some(own), Some(asked)) => Some(own.into_iter().filter(|id| *id == asked).collect()),
        }
    }

    /// Whether an organization is his to see; if not, it is not there for him.
    pub(super) fn sees(&self, organization: &OrganizationId) -> Result<(), Error> {
        let there = match &self.standing {
            Standing::Operator => true,
            Standing::Key(record) => record.organization_id() == *organization,
            Standing::Application(client) => client
                .organization_id()
                .is_none_or(|id| id == *organization),
            Standing::Person(person) => person.membership(organization).is_some(),
        };
        there.then_some(()).ok_or(Error::NotFound)
    }

    /// Whether he may change an organization that he sees, and who is in it.
    pub(super) fn administers(&self, organization: &OrganizationId) -> Result<(), Error> {
        self.sees(organization)?;
        if self.is_plain_member(organization) {
            return Err(Error::Forbidden("it takes an admin of the organization"));
        }
        Ok(())
    }

    /// Whether he is a person who is no admin there.
    pub(super) fn is_plain_member(&self, organization: &OrganizationId) -> bool {
        let membership = self
            .person()
            .map(|person| person.membership(organization).map(|there| there.role));
        membership.is_some_and(|role| role != Some(MemberRole::Admin))
    }

    /// Whether a key is his to see: in his organization, and of a member who is no admin, his own.
    pub(super) fn sees_key(&self, key: &ApiKey) -> Result<(), Error> {
        self.sees(&key.organization_id)?;
        let his = self.person().map(|person| person.user.id);
        if self.is_plain_member(&key.organization_id) && key.owner != his {
            return Err(Error::NotFound);
        }
        Ok(())
    }

    /// Which keys a list may hold.
    pub(super) fn keys_in_reach(&self, asked: Option<OrganizationId>) -> KeysInReach {
        let all = self.within(asked, "keys:read");
        let (Some(person), Some(reach)) = (self.person(), &all) else {
            return KeysInReach { all, own: None };
        };
        let (own, all) = reach
            .iter()
            .copied()
            .partition(|organization| self.is_plain_member(organization));
        KeysInReach {
            all: Some(all),
            own: Some((own, person.user.id)),
        }
    }

    /// Whether an application is his to deal with, by a call that needs `scope`.
    pub(super) fn sees_application(
        &self,
        application: &Application,
        scope: &str,
    ) -> Result<(), Error> {
        match (self.organizations(scope), application.organization_id) {
            (None, _) => Ok(()),
            (Some(his), Some(its)) if his.contains(&its) => Ok(()),
            _ => Err(Error::NotFound),
        }
    }

    /// Whether he may change what belongs to the deployment: its operator, and an application that is the deployment's, as far as its
    /// token's scopes go and it gives nothing that it does not hold.
    pub(super) fn runs_the_deployment(&self) -> Result<(), Error> {
        let is_the_deployments = |client: &Arc<Client>| client.organization_id().is_none();
        if self.is_operator() || self.application().is_some_and(is_the_deployments) {
            return Ok(());
        }
        Err(Error::Forbidden("it belongs to the deployment"))
    }
}
