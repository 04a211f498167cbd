//! Who the caller is, and what he may give where.

use super::catalogue::Policy;
use super::grantor::of_organization;
use super::{Broker, Caller, Error, Standing};
use crate::domain::allowance::Allowance;
use crate::domain::id::{ApplicationId, KeyId, OrganizationId};
use crate::domain::permission::Permissions;
use crate::domain::user::{MemberRole, Membership, User};
use crate::store::{self, memberships, organizations, rights, users};

/// What a caller is told of himself.
#[derive(Clone, Debug)]
pub struct Me {
    /// The key that he is.
    pub key: Option<KeyId>,
    /// The application that it is.
    pub application: Option<ApplicationId>,
    /// The person that he is.
    pub user: Option<User>,
    /// Whether he runs the deployment.
    pub operator: bool,
    /// Where he may give what; of the operator, who may give anything anywhere, none is listed.
    pub organizations: Vec<GrantsIn>,
}

/// What a caller may give in one organization.
#[derive(Clone, Debug)]
pub struct GrantsIn {
    /// Where.
    pub id: OrganizationId,
    /// What people call it.
    pub name: String,
    /// What he is there, if he is a member.
    pub role: Option<MemberRole>,
    /// What he may give there.
    pub permissions: Permissions,
}

impl Broker {
    /// What the caller is told of himself.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn me(&self, caller: &Caller) -> Result<Me, Error> {
        let user = match caller.person() {
            Some(person) => Some(person.user.clone()),
            // An operator may be a person too.
            None => match caller.actor.parse() {
                Ok(id) => {
                    let found = self
                        .store
                        .read(move |connection| users::find(connection, &id));
                    found.await?
                }
                Err(_) => None,
            },
        };
        let organizations = match &caller.standing {
            Standing::Operator => Vec::new(),
            Standing::Key(record) => {
                let id = record.organization_id();
                vec![self.grants_of_machine(id, record.policy()).await?]
            }
            Standing::Application(client) => match client.organization_id() {
                Some(id) => vec![self.grants_of_machine(id, client.policy()).await?],
                None => Vec::new(),
            },
            Standing::Person(person) => {
                let mut organizations = Vec::new();
                for membership in &person.memberships {
                    organizations.extend(self.grants_of(membership.clone()).await?);
                }
                organizations
            }
        };
        Ok(Me {
            key: caller.key().map(|record| record.key_id()),
            application: caller.application().map(|client| client.id()),
            user,
            operator: caller.is_operator(),
            organizations,
        })
    }

    /// What a key or an application may give in its organization.
    async fn grants_of_machine(
        &self,
        id: OrganizationId,
        policy: &Policy,
    ) -> Result<GrantsIn, Error> {
        let found = self
            .store
            .read(move |connection| organizations::find(connection, &id))
            .await?
            .ok_or(Error::NotFound)?;
        // Rights on this API no machine gives.
        let held = policy.permissions();
        let given = held
            .iter()
            .filter(|(resource, _)| resource.as_str() != self.management_audience)
            .flat_map(|(resource, scopes)| {
                let pair =
                    |scope: &crate::domain::scope::ScopeToken| (resource.clone(), scope.clone());
                scopes.iter().map(pair).collect::<Vec<_>>()
            })
            .collect();
        Ok(GrantsIn {
            id,
            name: found.name,
            role: None,
            permissions: given,
        })
    }

    /// What a member may give; `None` if he left meanwhile.
    async fn grants_of(&self, membership: Membership) -> Result<Option<GrantsIn>, Error> {
        let (id, user) = (membership.organization_id, membership.user_id);
        let found = self.store.read(move |connection| {
            let organization = organizations::find(connection, &id)?;
            let member = memberships::find(connection, &id, &user)?;
            let (Some(organization), Some(member)) = (organization, member) else {
                return Ok(None);
            };
            let held = rights::of_member(connection, &member)?;
            let allowance = held.and(of_organization(connection, &id)?);
            Ok::<_, Error>(Some((organization.name, member.role, allowance)))
        });
        let Some((name, role, allowance)) = found.await? else {
            return Ok(None);
        };
        let catalogue = self.catalogue().await?;
        let mut ids = match allowance {
            Allowance::Only(ids) => ids.into_iter().collect::<Vec<_>>(),
            Allowance::Everything => catalogue.ids(),
        };
        if role != MemberRole::Admin {
            ids.retain(|id| {
                let pair = catalogue.pair(id);
                pair.is_some_and(|(resource, _)| !resource.reserved)
            });
        }
        ids.sort_unstable();
        Ok(Some(GrantsIn {
            id,
            name,
            role: Some(role),
            permissions: catalogue.policy(&ids).permissions(),
        }))
    }

    /// What a caller may see of what belongs to the deployment: all that the organizations may use in which he may call `scope`.
    pub(super) async fn allowance_of(
        &self,
        caller: &Caller,
        scope: &str,
    ) -> Result<Allowance, Error> {
        let Some(ids) = caller.organizations(scope) else {
            return Ok(Allowance::Everything);
        };
        let found = self.store.read(move |connection| {
            let mut all = std::collections::BTreeSet::new();
            for id in ids {
                match organizations::find(connection, &id)?.map(|found| found.permissions) {
                    Some(Some(permissions)) => all.extend(permissions),
                    Some(None) => return Ok(Allowance::Everything),
                    None => {}
                }
            }
            Ok::<_, store::Error>(Allowance::Only(all))
        });
        Ok(found.await?)
    }
}
