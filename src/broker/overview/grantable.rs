//! What somebody may give to a key, resource by resource, with what each permission lets do.

use std::collections::BTreeMap;

use crate::broker::grantor::of_organization;
use crate::broker::{Broker, Caller, Error, Standing};
use crate::domain::allowance::Allowance;
use crate::domain::id::{OrganizationId, PermissionId};
use crate::domain::permission::Permission;
use crate::domain::resource::{Resource, ResourceIdentifier};
use crate::domain::scope::ScopeToken;
use crate::domain::user::MemberRole;
use crate::store::{memberships, resources, rights};

/// A permission that somebody may give.
#[derive(Clone, Debug)]
pub struct Grantable {
    /// Its name.
    pub scope: ScopeToken,
    /// What it lets do.
    pub description: Option<String>,
}

/// What somebody may give at one resource.
#[derive(Clone, Debug)]
pub struct GrantableResource {
    /// Where.
    pub identifier: ResourceIdentifier,
    /// What people call it.
    pub name: Option<String>,
    /// Whether it is the management API.
    pub reserved: bool,
    /// What, in the order of the names.
    pub permissions: Vec<Grantable>,
}

impl GrantableResource {
    /// What people call it, or else its identifier.
    pub fn title(&self) -> String {
        let name = self.name.clone();
        name.unwrap_or_else(|| self.identifier.to_string())
    }
}

impl Broker {
    /// What the caller may give to a key in an organization, resource by resource.
    ///
    /// # Errors
    /// Not his organization.
    pub async fn grantable(
        &self,
        caller: &Caller,
        organization: OrganizationId,
    ) -> Result<Vec<GrantableResource>, Error> {
        caller.sees(&organization)?;
        let person = match &caller.standing {
            Standing::Operator => None,
            Standing::Person(person) => Some(person.user.id),
            Standing::Key(_) | Standing::Application(_) => {
                return Err(Error::Forbidden("it is for people"));
            }
        };
        let found = self.store.read(move |connection| {
            let of_organization = of_organization(connection, &organization)?;
            let (held, admin) = match person {
                None => (Allowance::Everything, true),
                Some(user) => {
                    let member = memberships::find(connection, &organization, &user)?
                        .ok_or(Error::NotFound)?;
                    (
                        rights::of_member(connection, &member)?,
                        member.role == MemberRole::Admin,
                    )
                }
            };
            let (resources, permissions) = resources::all(connection)?;
            Ok::<_, Error>((held.and(of_organization), admin, resources, permissions))
        });
        let (allowance, admin, resources, permissions) = found.await?;
        Ok(by_resource(resources, permissions, |resource, id| {
            (admin || !resource.reserved) && allowance.holds(id)
        }))
    }

    /// All that there is to be given in the deployment, resource by resource.
    ///
    /// # Errors
    /// Not an operator, or the database does not answer.
    pub async fn everything_grantable(
        &self,
        caller: &Caller,
    ) -> Result<Vec<GrantableResource>, Error> {
        caller.runs_the_deployment()?;
        let (resources, permissions) = self.store.read(resources::all).await?;
        Ok(by_resource(resources, permissions, |_, _| true))
    }
}

/// Permissions at their resources, as far as `may` lets; the management API comes last, for few keys are for it.
fn by_resource(
    resources: Vec<Resource>,
    permissions: Vec<Permission>,
    may: impl Fn(&Resource, &PermissionId) -> bool,
) -> Vec<GrantableResource> {
    let mut by_resource: BTreeMap<ResourceIdentifier, GrantableResource> = BTreeMap::new();
    for permission in permissions {
        let resource = resources
            .iter()
            .find(|resource| resource.id == permission.resource_id);
        let Some(resource) = resource.filter(|resource| may(resource, &permission.id)) else {
            continue;
        };
        let at = by_resource
            .entry(resource.identifier.clone())
            .or_insert_with(|| GrantableResource {
                identifier: resource.identifier.clone(),
                name: resource.name.clone(),
                reserved: resource.reserved,
                permissions: Vec::new(),
            });
        at.permissions.push(Grantable {
            scope: permission.name,
            description: permission.description,
        });
    }
    let mut all: Vec<GrantableResource> = by_resource.into_values().collect();
    all.sort_by_key(|resource| resource.reserved);
    for resource in &mut all {
        resource
            .permissions
            .sort_by(|one, other| one.scope.cmp(&other.scope));
    }
    all
}
