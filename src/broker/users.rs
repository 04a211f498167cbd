//! People: made known by issuer and subject, shown, renamed and forgotten. They belong to the deployment; an organization sees its
//! members alone.

use serde_json::json;

use super::idempotency::Keep;
use super::{Broker, Caller, Conflict, Error, audit};
use crate::domain::audit::Origin;
use crate::domain::id::{OrganizationId, UserId};
use crate::domain::subject::Subject;
use crate::domain::user::User;
use crate::store::{self, Place, memberships, users};

/// How many ties of a person an answer names, of each kind.
const NAMED: usize = 10;

/// A person to be made known.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Who he is.
    pub subject: Subject,
    /// What people call him.
    pub name: Option<String>,
}

impl Broker {
    /// Makes a person known.
    ///
    /// # Errors
    /// One who is known already; a caller who is bound to an organization.
    pub async fn create_user(
        &self,
        new: NewUser,
        caller: &Caller,
        origin: Origin,
        keep: Option<Keep<'_, User>>,
    ) -> Result<User, Error> {
        caller.runs_the_deployment()?;
        let user = self.new_user(new);
        let event = self.event(&origin, "user.created", user.id.as_str(), None, told(&user));
        let kept = self.kept(keep, &user, None)?;
        let written = user.clone();
        let made = self.store.write(move |tx| {
            if let Some(known) = users::find_by_subject(tx, &written.subject)? {
                return Err(Error::from(Conflict::UserExists(known.id)));
            }
            users::insert(tx, &written)?;
            if let Some(kept) = &kept {
                kept.write(tx)?;
            }
            Ok(audit::append(tx, &event)?)
        });
        match made.await {
            // Made known by somebody else at the same moment.
            Err(Error::Store(error)) if error.conflicts_with("users.issuer_subject") => {
                match self.user_by_subject(&user.subject).await? {
                    Some(known) => Err(Conflict::UserExists(known.id).into()),
                    None => Err(error.into()),
                }
            }
            made => made.map(|()| user),
        }
    }

    fn new_user(&self, new: NewUser) -> User {
        let now = self.now();
        User {
            id: UserId::generate(&*self.random),
            subject: new.subject,
            name: new.name,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// The person whom his issuer names so, made known if he is new.
    pub(super) async fn known_user(
        &self,
        subject: Subject,
        origin: &Origin,
    ) -> Result<User, store::Error> {
        if let Some(known) = self.user_by_subject(&subject).await? {
            return Ok(known);
        }
        let user = self.new_user(NewUser {
            subject,
            name: None,
        });
        let event = self.event(origin, "user.created", user.id.as_str(), None, told(&user));
        let written = user.clone();
        let made = self.store.write(move |tx| {
            users::insert(tx, &written)?;
            audit::append(tx, &event)
        });
        match made.await {
            Ok(()) => Ok(user),
            // Somebody else made him known at the same moment.
            Err(error) if error.conflicts_with("users.issuer_subject") => {
                let known = self.user_by_subject(&user.subject).await?;
                known.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn user_by_subject(
        &self,
        subject: &Subject,
    ) -> Result<Option<User>, store::Error> {
        let subject = subject.clone();
        self.store
            .read(move |connection| users::find_by_subject(connection, &subject))
            .await
    }

    /// One person.
    ///
    /// # Errors
    /// Not there, or no member of an organization of which the caller may see the members.
    pub async fn user(&self, id: UserId, caller: &Caller) -> Result<User, Error> {
        let organizations = caller.organizations("users:read");
        let found = self.store.read(move |connection| {
            let seen = match organizations {
                None => true,
                Some(organizations) => any_membership(connection, &organizations, &id)?,
            };
            Ok::<_, store::Error>(users::find(connection, &id)?.filter(|_| seen))
        });
        found.await?.ok_or(Error::NotFound)
    }

    /// A page of people, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn users(
        &self,
        caller: &Caller,
        (issuer, subject): (Option<String>, Option<String>),
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<User>, Error> {
        let filter = users::Filter {
            members_of: caller.organizations("users:read"),
            issuer,
            subject,
        };
        let page = move |connection: &mut store::Connection| {
            users::list(connection, &filter, after.as_ref(), limit)
        };
        Ok(self.store.read(page).await?)
    }

    /// Gives a person another name, if he still has the version that the caller saw.
    ///
    /// # Errors
    /// Not there, or changed since.
    pub async fn update_user(
        &self,
        id: UserId,
        name: Option<Option<String>>,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<User, Error> {
        caller.runs_the_deployment()?;
        loop {
            let before = self.user(id, caller).await?;
            if !expected(before.version) {
                return Err(Error::Stale);
            }
            let after = User {
                name: name.clone().unwrap_or(before.name),
                updated_at: self.now(),
                ..before
            };
            let event = self.event(&origin, "user.updated", id.as_str(), None, told(&after));
            let written = after.clone();
            let updated = self.store.write(move |tx| {
                if !users::update(tx, &written)? {
                    return Ok(false);
                }
                audit::append(tx, &event)?;
                Ok::<_, store::Error>(true)
            });
            if updated.await? {
                let version = after.version + 1;
                return Ok(User { version, ..after });
            }
        }
    }

    /// Forgets a person who is no member anywhere and owns no key that lives.
    ///
    /// # Errors
    /// Not there, changed since, or tied; to what.
    pub async fn delete_user(
        &self,
        id: UserId,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<(), Error> {
        caller.runs_the_deployment()?;
        // Another change may come between reading and removing. Whoever named no version meant what is there then.
        loop {
            let found = self.user(id, caller).await?;
            if !expected(found.version) {
                return Err(Error::Stale);
            }
            let event = self.event(&origin, "user.deleted", id.as_str(), None, told(&found));
            let deleted = self.store.write(move |tx| {
                let ties = users::ties(tx, &id, NAMED)?;
                if !ties.is_empty() {
                    return Err(Error::from(Conflict::UserInUse(ties)));
                }
                let deleted = users::delete(tx, &found)?;
                if deleted {
                    audit::append(tx, &event)?;
                }
                Ok(deleted)
            });
            match deleted.await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                // Tied to something at the same moment.
                Err(Error::Store(error)) if error.conflicts_with(store::FOREIGN_KEY) => {
                    let ties = self
                        .store
                        .read(move |connection| users::ties(connection, &id, NAMED))
                        .await?;
                    return Err(Conflict::UserInUse(ties).into());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn any_membership(
    connection: &mut store::Connection,
    organizations: &[OrganizationId],
    user: &UserId,
) -> Result<bool, store::Error> {
    for organization in organizations {
        if memberships::is_member(connection, organization, user)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn told(user: &User) -> serde_json::Value {
    json!({"iss": user.subject.iss, "sub": user.subject.sub, "name": user.name})
}
