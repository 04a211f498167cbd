//! Passkeys (WebAuthn level 3): added by somebody who signed in, and then a way to sign in.
//!
//! The verification is `passki`'s; what is ours is that a challenge belongs to one browser (it is sealed into its cookie), lasts ten
//! minutes, and is good for one answer. User verification is required: a passkey stands for name and password together.

use jiff::SignedDuration;
use passki::{
    AuthenticationCredential, AuthenticationOptions, AuthenticationState, Passki,
    RegistrationCredential, RegistrationOptions, RegistrationState, ResidentKeyRequirement,
    StoredPasskey, UserVerificationRequirement,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{OpenedSession, SignInFailure, Visitor};
use crate::broker::{Broker, Error, audit};
use crate::domain::audit::Origin;
use crate::domain::browser_secret::{BrowserSecret, SecretKind};
use crate::domain::id::UserId;
use crate::domain::sign_in::SignInMethod;
use crate::domain::text;
use crate::domain::user::User;
use crate::store::passkeys::{self, Passkey};
use crate::store::sessions;
use crate::store::{self, users};

/// How long a challenge can be answered.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// The most passkeys of one person.
const MOST: usize = 20;

/// The site that passkeys belong to.
#[derive(Clone, Debug)]
pub struct WebAuthnSite {
    /// The relying party id: the host of the issuer, which must be a name.
    pub host: String,
    /// The origin of its pages.
    pub origin: String,
    /// What the browser calls it.
    pub name: String,
}

/// A ceremony that was begun.
pub struct PasskeyCeremony {
    /// What the browser's `navigator.credentials` is given, in JSON.
    pub options: String,
    /// What the browser is to bring back with the answer.
    pub attempt: String,
}

/// What a browser keeps of a ceremony, sealed.
#[derive(Serialize, Deserialize)]
struct Attempt<T> {
    id: String,
    until: i64,
    user: Option<UserId>,
    state: T,
}

impl WebAuthnSite {
    fn passki(&self) -> Passki {
        Passki::new(&self.host, &[&self.origin], &self.name)
    }
}

impl Broker {
    /// Begins to sign somebody in by any passkey that he has for this site.
    ///
    /// # Errors
    /// A defect.
    pub fn begin_passkey_sign_in(&self, site: &WebAuthnSite) -> Result<PasskeyCeremony, Error> {
        let mut options = AuthenticationOptions::default();
        options.user_verification = UserVerificationRequirement::Required;
        let (challenge, state) = site
            .passki()
            .start_passkey_authentication(&[], options)
            .map_err(defect)?;
        self.ceremony(&challenge, None, state, "passkey sign-in")
    }

    /// Lets in who answers that.
    ///
    /// # Errors
    /// Not this browser's challenge, or no passkey of somebody who may come.
    pub async fn sign_in_with_passkey(
        &self,
        site: &WebAuthnSite,
        (attempt, answer): (&str, &str),
        visitor: &Visitor,
    ) -> Result<OpenedSession, SignInFailure> {
        if !self.settings.sign_in.local_accounts {
            return Err(SignInFailure::NotThatWay);
        }
        self.take_try(visitor.origin.address)?;
        let attempt: Attempt<AuthenticationState> =
            self.attempt(attempt, "passkey sign-in").await?;
        let credential: AuthenticationCredential =
            serde_json::from_str(answer).map_err(|_| SignInFailure::Wrong)?;
        let id = credential.raw_id.trim_end_matches('=').to_owned();
        let found = self.store.read(move |connection| {
            let Some(passkey) = passkeys::find(connection, &id)? else {
                return Ok(None);
            };
            let user = users::find(connection, &passkey.user_id)?;
            Ok::<_, store::Error>(user.map(|user| (passkey, user)))
        });
        let (passkey, user) = found.await?.ok_or(SignInFailure::Wrong)?;
        let mut stored: StoredPasskey = serde_json::from_str(&passkey.passkey).map_err(defect)?;
        let verified = site
            .passki()
            .finish_passkey_authentication(&credential, &attempt.state, &stored)
            .map_err(|_| SignInFailure::Wrong)?;
        let says = verified.user_handle.as_deref();
        if says.is_some_and(|says| says != user.id.as_str().as_bytes()) {
            return Err(SignInFailure::Wrong);
        }
        stored.counter = verified.counter;
        let after = serde_json::to_string(&stored).map_err(defect)?;
        let (before, id, now) = (passkey.passkey, passkey.id, self.now());
        let used = self.use_attempt(&attempt)?;
        let noted = self.store.write(move |tx| {
            used.write(tx)?;
            if !passkeys::note_use(tx, (&before, &after), &id, now)? {
                return Err(SignInFailure::Wrong);
            }
            Ok(())
        });
        noted.await?;
        self.let_in(user, SignInMethod::Passkey, visitor).await
    }

    /// Begins to add a passkey for somebody who signed in.
    ///
    /// # Errors
    /// He has as many as one may have, or the database does not answer.
    pub async fn begin_passkey(
        &self,
        site: &WebAuthnSite,
        user: &User,
    ) -> Result<PasskeyCeremony, Error> {
        let held = self.stored_passkeys(user.id).await?;
        if held.len() >= MOST {
            return Err(Error::invalid("passkey", "there are 20, and no more fit"));
        }
        let mut options = RegistrationOptions::default();
        options.resident_key = ResidentKeyRequirement::Required;
        options.user_verification = UserVerificationRequirement::Required;
        options.exclude_credentials = Some(&held);
        let name = user.name.clone().unwrap_or_else(|| user.id.to_string());
        let (challenge, state) = site
            .passki()
            .start_passkey_registration(user.id.as_str().as_bytes(), &name, &name, options)
            .map_err(defect)?;
        self.ceremony(&challenge, Some(user.id), state, "passkey")
    }

    /// Adds the passkey that answers that.
    ///
    /// # Errors
    /// Not this browser's challenge, or an answer that is not good.
    pub async fn add_passkey(
        &self,
        site: &WebAuthnSite,
        user: &User,
        (attempt, answer, name): (&str, &str, &str),
        origin: &Origin,
    ) -> Result<(), SignInFailure> {
        let attempt: Attempt<RegistrationState> = self.attempt(attempt, "passkey").await?;
        if attempt.user != Some(user.id) {
            return Err(SignInFailure::NoAttempt);
        }
        let name = text::name(name).map_err(|error| Error::invalid("name", error))?;
        let wrong = || Error::invalid("passkey", "the browser's answer is not good");
        let credential: RegistrationCredential =
            serde_json::from_str(answer).map_err(|_| wrong())?;
        let made = site
            .passki()
            .finish_passkey_registration(&credential, &attempt.state)
            .map_err(|_| wrong())?;
        let now = self.now();
        let passkey = Passkey {
            id: Passki::base64_encode(&made.credential_id),
            user_id: user.id,
            name,
            passkey: serde_json::to_string(&made).map_err(defect)?,
            created_at: now,
            last_used_at: None,
        };
        let details = json!({"name": passkey.name});
        let event = self.event(origin, "passkey.added", user.id.as_str(), None, details);
        let used = self.use_attempt(&attempt)?;
        let added = self.store.write(move |tx| {
            used.write(tx)?;
            passkeys::insert(tx, &passkey)?;
            audit::append(tx, &event)?;
            Ok::<_, SignInFailure>(())
        });
        match added.await {
            Err(SignInFailure::Other(Error::Store(error)))
                if error.conflicts_with("passkeys.id") =>
            {
                Err(Error::invalid("passkey", "it is known already").into())
            }
            added => added,
        }
    }

    /// Somebody's passkeys, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn passkeys(&self, user: UserId) -> Result<Vec<Passkey>, Error> {
        let held = self
            .store
            .read(move |connection| passkeys::of_user(connection, &user));
        Ok(held.await?)
    }

    /// Somebody takes a passkey of his away; his other sessions end, for it may be in other hands.
    ///
    /// # Errors
    /// Not there.
    pub async fn remove_passkey(
        &self,
        user: UserId,
        id: String,
        session: [u8; 32],
        origin: &Origin,
    ) -> Result<(), Error> {
        let event = self.event(origin, "passkey.removed", user.as_str(), None, json!({}));
        let removed = self.store.write(move |tx| {
            if !passkeys::delete(tx, &user, &id)? {
                return Err(Error::NotFound);
            }
            sessions::end_all(tx, &user, Some(&session))?;
            Ok(audit::append(tx, &event)?)
        });
        removed.await
    }

    async fn stored_passkeys(&self, user: UserId) -> Result<Vec<StoredPasskey>, Error> {
        let held = self.passkeys(user).await?;
        let read = |passkey: &Passkey| serde_json::from_str(&passkey.passkey).map_err(defect);
        held.iter().map(read).collect()
    }

    fn ceremony(
        &self,
        challenge: &impl Serialize,
        user: Option<UserId>,
        state: impl Serialize,
        purpose: &str,
    ) -> Result<PasskeyCeremony, Error> {
        let attempt = Attempt {
            id: BrowserSecret::generate(SecretKind::Attempt, &*self.random)
                .expose()
                .to_owned(),
            until: (self.now() + LIFETIME).as_second(),
            user,
            state,
        };
        let sealed = serde_json::to_vec(&attempt).map_err(defect)?;
        Ok(PasskeyCeremony {
            options: serde_json::to_string(challenge).map_err(defect)?,
            attempt: self.seal_for_browser(purpose, &sealed),
        })
    }

    async fn attempt<T: DeserializeOwned>(
        &self,
        sealed: &str,
        purpose: &str,
    ) -> Result<Attempt<T>, SignInFailure> {
        let opened = self.open_of_browser(purpose, sealed).await?;
        let opened = opened.ok_or(SignInFailure::NoAttempt)?;
        let attempt: Attempt<T> =
            serde_json::from_slice(opened.expose()).map_err(|_| SignInFailure::NoAttempt)?;
        if self.now().as_second() >= attempt.until {
            return Err(SignInFailure::NoAttempt);
        }
        Ok(attempt)
    }

    fn use_attempt<T>(&self, attempt: &Attempt<T>) -> Result<UsedAttempt, SignInFailure> {
        let secret = BrowserSecret::parse(SecretKind::Attempt, &attempt.id);
        Ok(UsedAttempt {
            id: secret.ok_or(SignInFailure::NoAttempt)?.digest(),
            until: self.now() + LIFETIME,
        })
    }
}

/// The one answer to an attempt, to be written with what comes of it.
pub(super) struct UsedAttempt {
    pub(super) id: [u8; 32],
    pub(super) until: jiff::Timestamp,
}

impl UsedAttempt {
    /// Notes it; an answer that came before is [`SignInFailure::NoAttempt`].
    pub(super) fn write(&self, tx: &mut store::Transaction<'_>) -> Result<(), SignInFailure> {
        match sessions::use_attempt(tx, &self.id, self.until) {
            Err(error) if error.conflicts_with("used_attempts.id") => Err(SignInFailure::NoAttempt),
            noted => Ok(noted?),
        }
    }
}

fn defect(error: impl ToString) -> Error {
    Error::Internal(error.to_string())
}
