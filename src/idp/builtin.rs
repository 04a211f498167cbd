//! The built-in identity provider: machine users in kagiya's own database, nothing else to run.
//!
//! It keeps of a password a plain BLAKE3 digest: the password is 256 random bits derived by a secret of ours, so nothing slower is
//! called for. Nobody but kagiya changes its users, so what our record grants is what it grants.

use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq;

use super::users::{login, user_name};
use super::{
    Answer, Error, FoundUser, IdentityProvider, Made, NewUser, RightsAge, Settling, SignIn,
    SignedIn, UserAttributes,
};
use crate::domain::clock::Clock;
use crate::domain::id::DeploymentId;
use crate::domain::permission::Permissions;
use crate::domain::plaintext_key::UserName;
use crate::domain::provider_name::ProviderName;
use crate::domain::secret::SecretText;
use crate::store::builtin_users::{self, BuiltinUser};
use crate::store::{self, Store};

const DIGEST_CONTEXT: &str =
    "kagiya 2026-11 built-in identity provider: digest of a machine user's password";

/// A write whose caller went away is done within the database's own time limit, and none is done twice.
const SETTLING: Settling = Settling {
    unanswered: Duration::from_secs(10),
    answered: Duration::ZERO,
};

/// The provider.
pub struct Builtin {
    name: ProviderName,
    store: Store,
    clock: Arc<dyn Clock>,
}

impl Builtin {
    /// The provider over this store, under the name that it always has.
    pub fn new(name: ProviderName, store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { name, store, clock }
    }
}

impl IdentityProvider for Builtin {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn rights_age(&self) -> RightsAge {
        RightsAge::UntilChanged
    }

    fn settling(&self) -> Settling {
        SETTLING
    }

    fn create<'a>(&'a self, user: &'a NewUser) -> Answer<'a, Made> {
        Box::pin(async move {
            let now = self.clock.now();
            let permissions = user.permissions.clone();
            let new = BuiltinUser {
                user_name: login(&user.user_name),
                subject: login(&user.user_name),
                password_digest: digest(&user.password).to_vec(),
                attributes: serde_json::to_string(&user.attributes).map_err(Error::unavailable)?,
                disabled: false,
            };
            let subject = new.subject.clone();
            let made = self.store.write(move |tx| {
                // Made before by a call whose answer was lost: from scratch, so that it is as asked.
                builtin_users::delete(tx, &new.user_name)?;
                builtin_users::insert(tx, &new, now)?;
                builtin_users::set_permissions(tx, &new.user_name, &permissions)
            });
            made.await.map_err(Error::from)?;
            Ok(Made {
                subject,
                credential: None,
            })
        })
    }

    fn set_permissions<'a>(
        &'a self,
        user_name: &'a UserName,
        permissions: &'a Permissions,
    ) -> Answer<'a, ()> {
        let (login, permissions) = (login(user_name), permissions.clone());
        Box::pin(async move {
            let found = self.store.write(move |tx| {
                let found = builtin_users::lock(tx, &login)?;
                if found {
                    builtin_users::set_permissions(tx, &login, &permissions)?;
                }
                Ok::<_, store::Error>(found)
            });
            if found.await? {
                Ok(())
            } else {
                Err(Error::NoSuchUser)
            }
        })
    }

    fn set_attributes<'a>(
        &'a self,
        user_name: &'a UserName,
        attributes: &'a UserAttributes,
    ) -> Answer<'a, ()> {
        let login = login(user_name);
        Box::pin(async move {
            let text = serde_json::to_string(attributes).map_err(Error::unavailable)?;
            let found = self
                .store
                .write(move |tx| builtin_users::set_attributes(tx, &login, &text));
            if found.await? {
                Ok(())
            } else {
                Err(Error::NoSuchUser)
            }
        })
    }

    fn repair<'a>(&'a self, user: &'a NewUser) -> Answer<'a, ()> {
        let (login, digest) = (login(&user.user_name), digest(&user.password).to_vec());
        Box::pin(async move {
            let found = self
                .store
                .write(move |tx| builtin_users::set_password(tx, &login, &digest));
            if found.await? {
                Ok(())
            } else {
                Err(Error::NoSuchUser)
            }
        })
    }

    fn authenticate<'a>(&'a self, sign_in: SignIn<'a>) -> Answer<'a, SignedIn> {
        let login = login(sign_in.user_name);
        let presented = digest(sign_in.password);
        Box::pin(async move {
            let found = self.store.read(move |connection| {
                let user = builtin_users::find(connection, &login)?;
                let permissions = builtin_users::permissions(connection, &login)?;
                Ok::<_, store::Error>(user.map(|user| (user, permissions)))
            });
            let (user, permissions) = found.await?.ok_or(Error::NoSuchUser)?;
            if !bool::from(user.password_digest.ct_eq(&presented)) {
                return Err(Error::Refused {
                    reason: "wrong password".to_owned(),
                });
            }
            if user.disabled {
                return Err(Error::Disabled);
            }
            Ok(SignedIn {
                granted: Some(permissions),
                token: None,
            })
        })
    }

    fn look_up<'a>(&'a self, user_name: &'a UserName) -> Answer<'a, Option<FoundUser>> {
        let login = login(user_name);
        Box::pin(async move {
            let found = self
                .store
                .read(move |connection| builtin_users::find(connection, &login));
            Ok(found.await?.map(found_user))
        })
    }

    fn delete<'a>(
        &'a self,
        user_name: &'a UserName,
        // Its users are in the database of this deployment, so they are of no other.
        _deployment: &'a DeploymentId,
    ) -> Answer<'a, ()> {
        let login = login(user_name);
        Box::pin(async move {
            self.store
                .write(move |tx| builtin_users::delete(tx, &login))
                .await?;
            Ok(())
        })
    }

    fn users<'a>(&'a self, _deployment: &'a DeploymentId) -> Answer<'a, Vec<FoundUser>> {
        Box::pin(async move {
            let all = self.store.read(builtin_users::all).await?;
            Ok(all.into_iter().map(found_user).collect())
        })
    }

    fn permissions_of<'a>(&'a self, user: &'a FoundUser) -> Answer<'a, Option<Permissions>> {
        let login = user.subject.clone();
        Box::pin(async move {
            let held = self
                .store
                .read(move |connection| builtin_users::permissions(connection, &login));
            Ok(Some(held.await?))
        })
    }

    fn health(&self) -> Answer<'_, ()> {
        Box::pin(async move { Ok(self.store.ping().await?) })
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::unavailable(error)
    }
}

fn found_user(user: BuiltinUser) -> FoundUser {
    let attributes: serde_json::Value = serde_json::from_str(&user.attributes).unwrap_or_default();
    FoundUser {
        user_name: user_name(&user.user_name),
        deployment: attributes["deployment_id"].as_str().map(str::to_owned),
        disabled: user.disabled,
        subject: user.subject,
    }
}

fn digest(password: &SecretText) -> [u8; 32] {
    blake3::derive_key(DIGEST_CONTEXT, password.expose().as_bytes())
}
