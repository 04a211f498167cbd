//! Links are used: by somebody who has a session, by somebody new who makes himself an account, or for a new password.
//!
//! A link is used once: the row says so in the transaction of what it gives. An invitation gives what its maker may give at the moment
//! when it is accepted.

use serde_json::json;

use super::links::membership;
use super::passwords::own_name;
use super::{OpenedSession, SignInFailure, Visitor, by_link};
use crate::broker::grantor::Grantor;
use crate::broker::members::{Given, check_given};
use crate::broker::{Broker, Error, audit};
use crate::domain::audit::{AuditEvent, Origin};
use crate::domain::browser_secret::BrowserSecret;
use crate::domain::id::UserId;
use crate::domain::secret::SecretText;
use crate::domain::sign_in::{LinkPurpose, LoginName, NewPassword, SignInLink, SignInMethod};
use crate::domain::subject::{Subject, SubjectIssuer, SubjectName};
use crate::domain::text;
use crate::domain::user::{MemberRole, User};
use crate::store::people::Person;
use crate::store::{
    self, Change, Transaction, memberships, people, roles, sessions, sign_in_links, users,
};

/// An account that somebody makes for himself.
pub struct NewAccount {
    /// What people are to call him.
    pub name: String,
    /// The name by which he is to sign in.
    pub login_name: String,
    /// His password.
    pub password: SecretText,
}

/// How a link is used.
pub enum LinkUse {
    /// By somebody who has a session.
    By(User),
    /// By somebody new.
    NewAccount(NewAccount),
    /// For a new password.
    Password(SecretText),
}

impl Broker {
    /// Uses a link. A session is opened for whoever had none.
    ///
    /// # Errors
    /// No link that can be used, what was chosen cannot be, or its maker may not give any more what it gives.
    pub async fn use_link(
        &self,
        secret: &BrowserSecret,
        with: LinkUse,
        visitor: &Visitor,
    ) -> Result<Option<OpenedSession>, SignInFailure> {
        let seen = self.look_at_link(secret, visitor).await?;
        let link = seen.link;
        match (&link.purpose, with) {
            (LinkPurpose::Password { user }, LinkUse::Password(password)) => {
                let user = *user;
                self.choose_password(&link, user, &password, visitor)
                    .await
                    .map(Some)
            }
            (LinkPurpose::Password { .. }, _) | (_, LinkUse::Password(_)) => {
                Err(SignInFailure::NotThatWay)
            }
            (_, LinkUse::By(user)) => {
                self.take_link(link, user, None, visitor).await?;
                Ok(None)
            }
            (_, LinkUse::NewAccount(account)) => {
                if !self.settings.sign_in.local_accounts {
                    return Err(SignInFailure::NotThatWay);
                }
                let (user, person) = self.account(account).await?;
                self.take_link(link, user, Some(person), visitor).await
            }
        }
    }

    /// Somebody new, not written yet.
    async fn account(&self, account: NewAccount) -> Result<(User, Person), Error> {
        let name = text::name(&account.name).map_err(|error| Error::invalid("name", error))?;
        let login_name: LoginName = account
            .login_name
            .parse()
            .map_err(|error| Error::invalid("login_name", error))?;
        let password = NewPassword::new(account.password.expose(), &login_name)
            .map_err(|error| Error::invalid("password", error))?;
        let hash = self.hash_password(password).await?;
        let now = self.now();
        let id = UserId::generate(&*self.random);
        let named = |error: crate::domain::subject::ParseSubjectError| {
            Error::Internal(format!("a person of ours cannot be named: {error}"))
        };
        // His issuer is this deployment, and his name there the id that he has here.
        let user = User {
            id,
            subject: Subject {
                iss: SubjectIssuer::try_from(self.issuer().to_string()).map_err(named)?,
                sub: SubjectName::try_from(id.to_string()).map_err(named)?,
            },
            name: Some(name),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let person = Person {
            login_name: Some(login_name.as_str().to_owned()),
            password_hash: Some(hash),
            last_sign_in_at: Some(now),
            ..Person::new(id, now)
        };
        Ok((user, person))
    }

    /// The one use of an invitation or of a link for operators: `person` is somebody new, who is let in by it.
    async fn take_link(
        &self,
        link: SignInLink,
        user: User,
        person: Option<Person>,
        visitor: &Visitor,
    ) -> Result<Option<OpenedSession>, SignInFailure> {
        let now = self.now();
        let origin = Origin {
            actor: user.id.to_string(),
            ..visitor.origin.clone()
        };
        let opened = person
            .is_some()
            .then(|| self.new_session(user.id, SignInMethod::Link, visitor));
        let (secret, session, started) = match opened {
            None => (None, None, None),
            Some((secret, session, event)) => (Some(secret), Some(session), Some(event)),
        };
        let events = Events {
            created: self.event(
                &origin,
                "user.created",
                user.id.as_str(),
                None,
                json!({"name": user.name, "link": link.id}),
            ),
            gained: self.event(
                &Origin {
                    actor: by_link(&link.id),
                    ..origin.clone()
                },
                "operator.granted",
                user.id.as_str(),
                None,
                json!({"link": link.id}),
            ),
            started,
        };
        let catalogue = self.catalogue().await?;
        // Who made it gives it, as of now.
        let maker = self.maker_of(&link).await?;
        let grantor =
            maker.map(|maker| Grantor::of_person(maker, "organizations:write", &catalogue, now));
        let (written, session_row) = (user.clone(), session.clone());
        let taken = self.store.write(move |tx| {
            if !sign_in_links::take(tx, &link.id, &written.id, now)? {
                return Err(SignInFailure::NoSuchLink);
            }
            if let Some(person) = &person {
                users::insert(tx, &written)?;
                people::put(tx, person)?;
                audit::append(tx, &events.created)?;
            }
            match &link.purpose {
                LinkPurpose::Operator => make_operator(tx, &written.id, now)?,
                LinkPurpose::Invitation { .. } => {
                    let grantor = grantor.as_ref().ok_or(SignInFailure::NoSuchLink)?;
                    join(tx, grantor, &link, &written.id, now)?;
                }
                LinkPurpose::Password { .. } => return Err(SignInFailure::NotThatWay),
            }
            let event = match &link.purpose {
                LinkPurpose::Invitation {
                    organization,
                    role,
                    roles,
                } => AuditEvent {
                    action: "member.added".to_owned(),
                    organization_id: Some(*organization),
                    details: json!({"role": role, "roles": roles, "link": link.id}),
                    ..events.gained
                },
                _ => events.gained,
            };
            audit::append(tx, &event)?;
            if let (Some(session), Some(event)) = (&session_row, &events.started) {
                sessions::insert(tx, session)?;
                audit::append(tx, event)?;
            }
            Ok(())
        });
        match taken.await {
            Ok(()) => {}
            Err(SignInFailure::Other(Error::Store(error)))
                if error.conflicts_with("people.login_name") =>
            {
                return Err(Error::invalid("login_name", "somebody has that name already").into());
            }
            // He was let in by somebody who may not do so any more.
            Err(SignInFailure::Other(
                Error::BeyondGrantor(_)
                | Error::Forbidden(_)
                | Error::NotFound
                | Error::Invalid { .. },
            )) => return Err(SignInFailure::NoSuchLink),
            Err(error) => return Err(error),
        }
        Ok(match (secret, session) {
            (Some(secret), Some(session)) => Some(OpenedSession {
                secret,
                session,
                user,
            }),
            _ => None,
        })
    }

    /// Who made a link, if he still can give: `Some(None)` is an operator, `Some(Some(…))` a person with his own rights.
    async fn maker_of(&self, link: &SignInLink) -> Result<Option<Option<UserId>>, store::Error> {
        let Ok(maker) = link.created_by.parse::<UserId>() else {
            // The local operator, by his token.
            return Ok(Some(None));
        };
        let found = self
            .store
            .read(move |connection| users::find(connection, &maker))
            .await?;
        let Some(user) = found else { return Ok(None) };
        let caller = self.caller_of(user).await?;
        Ok(caller.map(|caller| (!caller.is_operator()).then_some(maker)))
    }

    async fn choose_password(
        &self,
        link: &SignInLink,
        user: UserId,
        password: &SecretText,
        visitor: &Visitor,
    ) -> Result<OpenedSession, SignInFailure> {
        let found = self.store.read(move |connection| {
            let person = people::find(connection, &user)?;
            Ok::<_, store::Error>(person.zip(users::find(connection, &user)?))
        });
        let (person, known) = found.await?.ok_or(SignInFailure::NoSuchLink)?;
        if person.disabled_at.is_some() {
            return Err(SignInFailure::NoSuchLink);
        }
        let chosen = NewPassword::new(password.expose(), &own_name(&person)?)
            .map_err(|error| Error::invalid("password", error))?;
        let hash = self.hash_password(chosen).await?;
        let now = self.now();
        let (secret, session, started) = self.new_session(user, SignInMethod::Link, visitor);
        let origin = Origin {
            actor: user.to_string(),
            ..visitor.origin.clone()
        };
        let details = json!({"link": link.id});
        let event = self.event(&origin, "password.changed", user.as_str(), None, details);
        let (id, written) = (link.id, session.clone());
        let changed = self.store.write(move |tx| {
            if !sign_in_links::take(tx, &id, &user, now)? {
                return Err(SignInFailure::NoSuchLink);
            }
            let person = people::find(tx, &user)?.ok_or(SignInFailure::NoSuchLink)?;
            if person.disabled_at.is_some() {
                return Err(SignInFailure::NoSuchLink);
            }
            people::put(
                tx,
                &Person {
                    password_hash: Some(hash),
                    last_sign_in_at: Some(now),
                    ..person
                },
            )?;
            // Whoever else was in with the old one is out.
            sessions::end_all(tx, &user, None)?;
            sessions::insert(tx, &written)?;
            audit::append(tx, &event)?;
            audit::append(tx, &started)?;
            Ok(())
        });
        changed.await?;
        Ok(OpenedSession {
            secret,
            session,
            user: known,
        })
    }
}

/// What goes into the audit trail when a link is used.
struct Events {
    created: AuditEvent,
    gained: AuditEvent,
    started: Option<AuditEvent>,
}

/// Makes somebody an operator.
pub(super) fn make_operator(
    tx: &mut Transaction<'_>,
    user: &UserId,
    now: jiff::Timestamp,
) -> Result<(), store::Error> {
    let person = people::find(tx, user)?.unwrap_or_else(|| Person::new(*user, now));
    let operator_since = person.operator_since.or(Some(now));
    people::put(
        tx,
        &Person {
            operator_since,
            ..person
        },
    )
}

/// Lets somebody join by an invitation. One who is a member already keeps what he has, and gets what it gives beside that.
fn join(
    tx: &mut Transaction<'_>,
    grantor: &Grantor,
    link: &SignInLink,
    user: &UserId,
    now: jiff::Timestamp,
) -> Result<(), SignInFailure> {
    let mut wanted = membership(link, *user, now).ok_or(SignInFailure::NoSuchLink)?;
    let held = roles::find_all(tx, &wanted.roles)?;
    // A role that was deleted since gives nothing.
    wanted
        .roles
        .retain(|id| held.iter().any(|role| role.id == *id));
    let organization = wanted.organization_id;
    let before = memberships::find(tx, &organization, user)?;
    if let Some(before) = &before {
        wanted.roles.extend(before.roles.iter().copied());
        wanted.roles.sort_unstable();
        wanted.roles.dedup();
        if before.role == MemberRole::Admin {
            wanted.role = MemberRole::Admin;
        }
        wanted.version = before.version;
        wanted.created_at = before.created_at;
    }
    check_given(tx, grantor, before.as_ref(), &Given::of(&wanted))?;
    match before {
        None => memberships::insert(tx, &wanted)?,
        Some(_) => {
            memberships::update(tx, &wanted)?;
        }
    }
    tx.changed(Change::Organization(organization));
    Ok(())
}
