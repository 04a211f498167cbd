//! Passwords of people who sign in here: hashed with argon2id (RFC 9106), and tried only so often.
//!
//! A name that nobody has costs the same as a wrong password, and both get the same answer. Hashing runs on a thread that may be
//! slow, two at a time, so that a flood of tries starves nobody.

use std::net::IpAddr;
use std::sync::OnceLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use serde_json::json;

use super::{OpenedSession, SignInFailure, Visitor};
use crate::broker::{Broker, Error, audit};
use crate::domain::audit::Origin;
use crate::domain::secret::SecretText;
use crate::domain::sign_in::{LoginName, NewPassword, SignInMethod};
use crate::domain::user::User;
use crate::store::people::Person;
use crate::store::sessions;
use crate::store::{self, people, users};

/// Bytes of a salt (RFC 9106 §3.1).
const SALT: usize = 16;
/// The longest password that is tried.
const LONGEST: usize = 1024;

impl Broker {
    /// Lets somebody in by name and password.
    ///
    /// # Errors
    /// Wrong, too many tries, or the database does not answer.
    pub async fn sign_in_with_password(
        &self,
        name: &str,
        password: &SecretText,
        visitor: &Visitor,
    ) -> Result<OpenedSession, SignInFailure> {
        if !self.settings.sign_in.local_accounts {
            return Err(SignInFailure::NotThatWay);
        }
        self.take_try(visitor.origin.address)?;
        let Ok(name) = name.parse::<LoginName>() else {
            return Err(SignInFailure::Wrong);
        };
        self.sign_in_limits
            .names
            .take(name.as_str())
            .map_err(SignInFailure::TooMany)?;
        let looked_for = name.clone();
        let found = self.store.read(move |connection| {
            let Some(person) = people::find_by_login_name(connection, &looked_for)? else {
                return Ok(None);
            };
            let user = users::find(connection, &person.user_id)?;
            Ok::<_, store::Error>(user.map(|user| (person, user)))
        });
        let found = found.await?;
        let hash = found
            .as_ref()
            .and_then(|(person, _)| person.password_hash.clone());
        let matches = self.verify_password(hash, password).await?;
        match found {
            Some((person, user)) if matches && person.disabled_at.is_none() => {
                self.let_in(user, SignInMethod::Password, visitor).await
            }
            found => {
                if let Some((_, user)) = found {
                    self.note_failure(&user, visitor).await?;
                }
                Err(SignInFailure::Wrong)
            }
        }
    }

    /// Whether an address may try once more.
    pub(super) fn take_try(&self, address: Option<IpAddr>) -> Result<(), SignInFailure> {
        address.map_or(Ok(()), |address| {
            self.sign_in_limits
                .addresses
                .take(address)
                .map_err(SignInFailure::TooMany)
        })
    }

    /// A failed try at an account that exists is on record (OWASP ASVS 5.0 §16.3.1).
    async fn note_failure(&self, user: &User, visitor: &Visitor) -> Result<(), store::Error> {
        let origin = Origin {
            actor: "sign-in".to_owned(),
            ..visitor.origin.clone()
        };
        let details = json!({"method": SignInMethod::Password.as_str()});
        let event = self.event(&origin, "sign_in.failed", user.id.as_str(), None, details);
        self.store.write(move |tx| audit::append(tx, &event)).await
    }

    /// Hashes a password that somebody chose.
    pub(super) async fn hash_password(&self, password: NewPassword) -> Result<SecretText, Error> {
        let mut salt = [0u8; SALT];
        self.random.fill(&mut salt);
        self.hashing(move || hash(password.expose().as_bytes(), &salt))
            .await?
            .ok_or_else(|| Error::Internal("a password cannot be hashed".to_owned()))
    }

    async fn verify_password(
        &self,
        hash: Option<SecretText>,
        password: &SecretText,
    ) -> Result<bool, Error> {
        let password = password.clone();
        self.hashing(move || {
            let there = hash.is_some();
            let hash = hash.unwrap_or_else(nobody);
            let Ok(parsed) = PasswordHash::new(hash.expose()) else {
                return false;
            };
            let bytes = password.expose().as_bytes();
            let fits =
                bytes.len() <= LONGEST && Argon2::default().verify_password(bytes, &parsed).is_ok();
            fits && there
        })
        .await
    }

    async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self.sign_in_limits.hashes.acquire().await;
        let done = tokio::task::spawn_blocking(work).await;
        drop(permit);
        done.map_err(|error| Error::Internal(error.to_string()))
    }

    /// Somebody who signed in chooses another password. All his other sessions end.
    ///
    /// # Errors
    /// The present one is wrong, or the new one cannot be taken.
    pub async fn change_password(
        &self,
        user: &User,
        (present, new): (&SecretText, &SecretText),
        session: [u8; 32],
        origin: &Origin,
    ) -> Result<(), SignInFailure> {
        self.take_try(origin.address)?;
        let id = user.id;
        let person = self
            .store
            .read(move |connection| people::find(connection, &id))
            .await?
            .unwrap_or_else(|| Person::new(id, self.now()));
        let name = own_name(&person)?;
        if person.password_hash.is_some()
            && !self
                .verify_password(person.password_hash.clone(), present)
                .await?
        {
            return Err(Error::invalid("present", "is not the present password").into());
        }
        let chosen = NewPassword::new(new.expose(), &name)
            .map_err(|error| Error::invalid("password", error))?;
        let hash = self.hash_password(chosen).await?;
        let event = self.event(origin, "password.changed", id.as_str(), None, json!({}));
        let changed = self.store.write(move |tx| {
            let person = people::find(tx, &id)?.unwrap_or(person);
            let password_hash = Some(hash);
            people::put(
                tx,
                &Person {
                    password_hash,
                    ..person
                },
            )?;
            sessions::end_all(tx, &id, Some(&session))?;
            audit::append(tx, &event)
        });
        Ok(changed.await?)
    }
}

/// The name by which somebody signs in here.
pub(super) fn own_name(person: &Person) -> Result<LoginName, SignInFailure> {
    let name = person.login_name.as_deref().map(str::parse);
    match name {
        Some(Ok(name)) => Ok(name),
        _ => Err(SignInFailure::NotThatWay),
    }
}

fn hash(password: &[u8], salt: &[u8]) -> Option<SecretText> {
    // 19 MiB, two passes, one lane: the library's default, and what OWASP advises for argon2id.
    let hashed = Argon2::default().hash_password_with_salt(password, salt);
    hashed.ok().map(|hash| SecretText::new(hash.to_string()))
}

/// A hash that no password has, for names that nobody has.
fn nobody() -> SecretText {
    static NOBODY: OnceLock<SecretText> = OnceLock::new();
    NOBODY
        .get_or_init(|| {
            // Of no use to anybody: the answer is no whatever comes out.
            hash(b"nobody", &[0u8; SALT]).unwrap_or_else(|| SecretText::new(String::new()))
        })
        .clone()
}
