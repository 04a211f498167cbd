//! Sessions: opened at each sign-in with a new secret, read at each request, ended on every node at once.

use jiff::SignedDuration;
use serde_json::json;

use super::{SignInFailure, Visitor, later};
use crate::broker::{Broker, Caller, Error, audit};
use crate::domain::audit::{AuditEvent, Origin};
use crate::domain::browser_secret::{BrowserSecret, SecretKind};
use crate::domain::id::UserId;
use crate::domain::sign_in::SignInMethod;
use crate::domain::user::User;
use crate::store::people::Person;
use crate::store::sessions::{self, Session};
use crate::store::{self, memberships, people, users};

/// How often it is noted that a session was used.
const SEEN_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// Characters of what a browser says of itself that are kept.
const LONGEST_AGENT: usize = 200;

/// A session that was just opened.
pub struct OpenedSession {
    /// What the browser is to hold.
    pub secret: BrowserSecret,
    /// When it ends.
    pub session: Session,
    /// Who signed in.
    pub user: User,
}

/// Who sits behind a request.
pub struct SignedIn {
    /// His session.
    pub session: Session,
    /// Who he is.
    pub user: User,
    /// What is known of him beside that.
    pub person: Option<Person>,
    /// What he may do, as of now.
    pub caller: Caller,
}

impl Broker {
    /// Whose session this is; `None` if it is nobody's any more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn signed_in(&self, secret: &BrowserSecret) -> Result<Option<SignedIn>, Error> {
        let (id, now) = (secret.digest(), self.now());
        let idle = self.settings.sign_in.session_idle;
        let found = self.store.read(move |connection| {
            let Some(session) = sessions::find(connection, &id)? else {
                return Ok(None);
            };
            if now >= session.expires_at || now >= later(session.seen_at, idle) {
                return Ok(None);
            }
            let Some(user) = users::find(connection, &session.user_id)? else {
                return Ok(None);
            };
            let person = people::find(connection, &user.id)?;
            let memberships = memberships::of_user(connection, &user.id)?;
            Ok::<_, store::Error>(Some((session, user, person, memberships)))
        });
        let Some((session, user, person, memberships)) = found.await? else {
            return Ok(None);
        };
        let caller = self.caller_from(user.clone(), person.as_ref(), memberships);
        let Some(caller) = caller else {
            return Ok(None);
        };
        if now.duration_since(session.seen_at) >= SEEN_EVERY {
            self.store
                .write(move |tx| sessions::touch(tx, &id, now))
                .await?;
        }
        Ok(Some(SignedIn {
            session,
            user,
            person,
            caller,
        }))
    }

    /// A session for somebody, to be written in the transaction that lets him in; with the row for the audit trail.
    pub(super) fn new_session(
        &self,
        user: UserId,
        method: SignInMethod,
        visitor: &Visitor,
    ) -> (BrowserSecret, Session, AuditEvent) {
        let now = self.now();
        let secret = BrowserSecret::generate(SecretKind::Session, &*self.random);
        let agent = visitor.agent.as_ref().map(|agent| {
            let shown = agent.chars().filter(|letter| !letter.is_control());
            shown.take(LONGEST_AGENT).collect()
        });
        let session = Session {
            id: secret.digest(),
            user_id: user,
            method,
            address: visitor.origin.address.map(|address| address.to_string()),
            agent,
            created_at: now,
            seen_at: now,
            expires_at: later(now, self.settings.sign_in.session_lifetime),
        };
        let origin = Origin {
            actor: user.to_string(),
            ..visitor.origin.clone()
        };
        let details = json!({"method": method.as_str()});
        let event = self.event(&origin, "session.started", user.as_str(), None, details);
        (secret, session, event)
    }

    /// Lets somebody in who has shown who he is, if he may come.
    pub(super) async fn let_in(
        &self,
        user: User,
        method: SignInMethod,
        visitor: &Visitor,
    ) -> Result<OpenedSession, SignInFailure> {
        let (secret, session, event) = self.new_session(user.id, method, visitor);
        let (written, id, now) = (session.clone(), user.id, self.now());
        let opened = self.store.write(move |tx| {
            let person = people::find(tx, &id)?.unwrap_or_else(|| Person::new(id, now));
            if person.disabled_at.is_some() {
                return Ok(false);
            }
            let seen = Person {
                last_sign_in_at: Some(now),
                ..person
            };
            people::put(tx, &seen)?;
            sessions::insert(tx, &written)?;
            audit::append(tx, &event)?;
            Ok::<_, store::Error>(true)
        });
        if !opened.await? {
            return Err(SignInFailure::Wrong);
        }
        Ok(OpenedSession {
            secret,
            session,
            user,
        })
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the database does not answer; then it goes on.
    pub async fn sign_out(&self, session: &Session, origin: &Origin) -> Result<(), Error> {
        let id = session.id;
        let event = self.event(
            origin,
            "session.ended",
            session.user_id.as_str(),
            None,
            json!({}),
        );
        let ended = self.store.write(move |tx| {
            if sessions::end(tx, &id)? {
                audit::append(tx, &event)?;
            }
            Ok::<_, store::Error>(())
        });
        Ok(ended.await?)
    }

    /// The sessions of somebody, the one used last first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sessions(&self, user: UserId) -> Result<Vec<Session>, Error> {
        let (now, idle) = (self.now(), self.settings.sign_in.session_idle);
        let mut found = self
            .store
            .read(move |connection| sessions::of_user(connection, &user))
            .await?;
        found.retain(|session| now < session.expires_at && now < later(session.seen_at, idle));
        Ok(found)
    }

    /// Ends all sessions of somebody but one, if one is to stay; how many ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_sessions(
        &self,
        user: UserId,
        but: Option<[u8; 32]>,
        origin: &Origin,
    ) -> Result<usize, Error> {
        let event = self.event(origin, "sessions.ended", user.as_str(), None, json!({}));
        let ended = self.store.write(move |tx| {
            let ended = sessions::end_all(tx, &user, but.as_ref())?;
            if ended > 0 {
                let details = json!({"count": ended});
                audit::append(tx, &AuditEvent { details, ..event })?;
            }
            Ok::<_, store::Error>(ended)
        });
        Ok(ended.await?)
    }
}
