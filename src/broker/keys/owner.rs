//! Whose a key is: as a request names him, as the caller may, and as it is made by whom.

use crate::broker::{Broker, Caller, Error};
use crate::domain::api_key::ApiKey;
use crate::domain::audit::Origin;
use crate::domain::id::{OrganizationId, UserId};
use crate::domain::subject::Subject;
use crate::domain::user::User;
use crate::store::{memberships, users};

/// The owner of a key, as a request names him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerName {
    /// By his id here.
    Id(UserId),
    /// As his issuer names him.
    Subject(Subject),
}

impl Broker {
    /// Whose a new key is: a member owns what he makes, and what a key makes has its owner, if nobody is named.
    pub(super) async fn owner_of_new(
        &self,
        named: Option<OwnerName>,
        organization: OrganizationId,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<Option<User>, Error> {
        let named = match named {
            Some(name) => Some(self.owner(name, organization, caller, origin).await?),
            None => None,
        };
        if let Some(person) = caller.person()
            && caller.is_plain_member(&organization)
        {
            return match named {
                Some(other) if other.id != person.user.id => {
                    Err(Error::Forbidden("a member owns the keys that he makes"))
                }
                _ => Ok(Some(person.user.clone())),
            };
        }
        match (named, caller.key()) {
            (None, Some(record)) => Ok(self.stored_key(record.key_id()).await?.owner),
            (named, _) => Ok(named),
        }
    }

    /// Whose a key is to be from now on.
    pub(super) async fn changed_owner(
        &self,
        key: &ApiKey,
        named: Option<OwnerName>,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<Option<User>, Error> {
        let organization = key.organization_id;
        let owner = match named {
            None => None,
            Some(name) => Some(self.owner(name, organization, caller, origin).await?),
        };
        let changes = owner.as_ref().map(|owner| owner.id) != key.owner;
        if changes && caller.is_plain_member(&organization) {
            return Err(Error::Forbidden("a member owns the keys that he makes"));
        }
        Ok(owner)
    }

    /// Whom a request names as the owner of a key in an organization. Only the operator names somebody who is no member there, and
    /// makes him known if he is new.
    async fn owner(
        &self,
        name: OwnerName,
        organization: OrganizationId,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<User, Error> {
        let nobody = || Error::invalid("owner", "there is no such person");
        let found = match &name {
            OwnerName::Id(id) => {
                let id = *id;
                let found = self
                    .store
                    .read(move |connection| users::find(connection, &id));
                found.await?
            }
            OwnerName::Subject(subject) => self.user_by_subject(subject).await?,
        };
        if caller.is_operator() {
            return match (found, name) {
                (Some(found), _) => Ok(found),
                (None, OwnerName::Id(_)) => Err(nobody()),
                (None, OwnerName::Subject(subject)) => Ok(self.known_user(subject, origin).await?),
            };
        }
        // A stranger is told as one who does not exist.
        let nobody = || Error::invalid("owner", "there is no such member of the organization");
        let found = found.ok_or_else(nobody)?;
        let id = found.id;
        let is_member = self
            .store
            .read(move |connection| memberships::is_member(connection, &organization, &id))
            .await?;
        is_member.then_some(found).ok_or_else(nobody)
    }
}
