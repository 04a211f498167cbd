//! What operators do about people: who is known, who waits, who runs the deployment, who may come at all.

use serde_json::json;

use super::link_use::make_operator;
use crate::broker::{Broker, Caller, Error, audit};
use crate::domain::audit::Origin;
use crate::domain::id::UserId;
use crate::domain::subject::Subject;
use crate::domain::user::{Membership, User};
use crate::store::people::{self, Filter, Person};
use crate::store::{self, Place, memberships, sessions, users};

/// A person as operators see him.
#[derive(Clone, Debug)]
pub struct ShownPerson {
    /// Who.
    pub user: User,
    /// What is known of him beside that.
    pub person: Option<Person>,
    /// Where he is what.
    pub memberships: Vec<Membership>,
    /// Whether the configuration makes him an operator.
    pub operator_by_configuration: bool,
}

impl ShownPerson {
    /// Whether he runs the deployment.
    pub fn is_operator(&self) -> bool {
        let granted = self
            .person
            .as_ref()
            .is_some_and(|person| person.operator_since.is_some());
        granted || self.operator_by_configuration
    }

    /// Whether he may not come.
    pub fn is_disabled(&self) -> bool {
        self.person
            .as_ref()
            .is_some_and(|person| person.disabled_at.is_some())
    }

    /// Whether he signs in here, without a provider.
    pub fn is_local(&self) -> bool {
        self.person
            .as_ref()
            .is_some_and(|person| person.login_name.is_some())
    }
}

impl Broker {
    /// A page of people, newest first: all, or those who wait, narrowed to those whose name or id holds a text.
    ///
    /// # Errors
    /// Not an operator, or the database does not answer.
    pub async fn people(
        &self,
        caller: &Caller,
        (waiting, text): (bool, Option<String>),
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<ShownPerson>, Error> {
        caller.runs_the_deployment()?;
        let operators = self.settings.operators.clone();
        let found = self.store.read(move |connection| {
            let waiting = waiting.then(|| known(connection, &operators)).transpose()?;
            let filter = Filter { waiting, text };
            let page = people::list(connection, &filter, after.as_ref(), limit)?;
            let mut shown = Vec::with_capacity(page.len());
            for (user, person) in page {
                let memberships = memberships::of_user(connection, &user.id)?;
                shown.push((user, person, memberships));
            }
            Ok::<_, store::Error>(shown)
        });
        let shown = |(user, person, memberships)| self.shown_person(user, person, memberships);
        Ok(found.await?.into_iter().map(shown).collect())
    }

    /// One of them.
    ///
    /// # Errors
    /// Not an operator, or not there.
    pub async fn person_shown(&self, id: UserId, caller: &Caller) -> Result<ShownPerson, Error> {
        caller.runs_the_deployment()?;
        let found = self.store.read(move |connection| {
            let Some(user) = users::find(connection, &id)? else {
                return Ok(None);
            };
            let person = people::find(connection, &id)?;
            let memberships = memberships::of_user(connection, &id)?;
            Ok::<_, store::Error>(Some((user, person, memberships)))
        });
        let (user, person, memberships) = found.await?.ok_or(Error::NotFound)?;
        Ok(self.shown_person(user, person, memberships))
    }

    fn shown_person(
        &self,
        user: User,
        person: Option<Person>,
        memberships: Vec<Membership>,
    ) -> ShownPerson {
        ShownPerson {
            operator_by_configuration: self.settings.operators.contains(&user.subject),
            user,
            person,
            memberships,
        }
    }

    /// How many signed in and belong nowhere.
    ///
    /// # Errors
    /// Not an operator, or the database does not answer.
    pub async fn people_waiting(&self, caller: &Caller) -> Result<i64, Error> {
        caller.runs_the_deployment()?;
        let operators = self.settings.operators.clone();
        let counted = self.store.read(move |connection| {
            let operators = known(connection, &operators)?;
            people::waiting(connection, &operators)
        });
        Ok(counted.await?)
    }

    /// Whether anybody has a password or passkey here.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_local_people(&self) -> Result<bool, Error> {
        if !self.settings.sign_in.local_accounts {
            return Ok(false);
        }
        Ok(self.store.read(people::any_local).await?)
    }

    /// Makes somebody an operator, or takes that from him; one whom the configuration names stays one.
    ///
    /// # Errors
    /// Not an operator with every right, not there, or himself.
    pub async fn set_operator(
        &self,
        id: UserId,
        operator: bool,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<ShownPerson, Error> {
        self.needs_every_right(caller)?;
        if !operator && *caller.actor == *id.as_str() {
            return Err(Error::Forbidden("nobody takes that from himself"));
        }
        self.person_shown(id, caller).await?;
        let (action, now) = (
            if operator {
                "operator.granted"
            } else {
                "operator.revoked"
            },
            self.now(),
        );
        let event = self.event(origin, action, id.as_str(), None, json!({}));
        let changed = self.store.write(move |tx| {
            if operator {
                make_operator(tx, &id, now)?;
            } else if let Some(person) = people::find(tx, &id)? {
                let operator_since = None;
                people::put(
                    tx,
                    &Person {
                        operator_since,
                        ..person
                    },
                )?;
            }
            audit::append(tx, &event)
        });
        match changed.await {
            Err(error) if error.conflicts_with(store::FOREIGN_KEY) => Err(Error::NotFound),
            Err(error) => Err(error.into()),
            Ok(()) => self.person_shown(id, caller).await,
        }
    }

    /// Lets somebody come no more, or again. His sessions end at once; his keys stay as they are.
    ///
    /// # Errors
    /// Not an operator with every right, not there, or himself.
    pub async fn set_person_disabled(
        &self,
        id: UserId,
        disabled: bool,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<(), Error> {
        self.needs_every_right(caller)?;
        if *caller.actor == *id.as_str() {
            return Err(Error::Forbidden("nobody does that to himself"));
        }
        self.person_shown(id, caller).await?;
        let action = if disabled {
            "person.disabled"
        } else {
            "person.enabled"
        };
        let now = self.now();
        let event = self.event(origin, action, id.as_str(), None, json!({}));
        let changed = self.store.write(move |tx| {
            let person = people::find(tx, &id)?.unwrap_or_else(|| Person::new(id, now));
            let disabled_at = disabled.then(|| person.disabled_at.unwrap_or(now));
            people::put(
                tx,
                &Person {
                    disabled_at,
                    ..person
                },
            )?;
            if disabled {
                sessions::end_all(tx, &id, None)?;
            }
            audit::append(tx, &event)
        });
        match changed.await {
            Err(error) if error.conflicts_with(store::FOREIGN_KEY) => Err(Error::NotFound),
            changed => Ok(changed?),
        }
    }

    /// Somebody gives himself another name.
    ///
    /// # Errors
    /// A name that cannot be.
    pub async fn rename_myself(
        &self,
        user: &User,
        name: &str,
        origin: &Origin,
    ) -> Result<(), Error> {
        let name =
            crate::domain::text::name(name).map_err(|error| Error::invalid("name", error))?;
        let (id, now) = (user.id, self.now());
        let details = json!({"name": name});
        let event = self.event(origin, "user.updated", id.as_str(), None, details);
        let renamed = self.store.write(move |tx| {
            let Some(found) = users::find(tx, &id)? else {
                return Err(Error::NotFound);
            };
            let after = User {
                name: Some(name),
                updated_at: now,
                ..found
            };
            if !users::update(tx, &after)? {
                return Err(Error::Stale);
            }
            Ok(audit::append(tx, &event)?)
        });
        renamed.await
    }
}

/// Which people these subjects are, as far as they are known.
fn known(
    connection: &mut store::Connection,
    subjects: &[Subject],
) -> Result<Vec<UserId>, store::Error> {
    let mut ids = Vec::new();
    for subject in subjects {
        ids.extend(users::find_by_subject(connection, subject)?.map(|user| user.id));
    }
    Ok(ids)
}
