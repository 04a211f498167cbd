//! A key is rotated by whoever holds it: its active generation alone, and only where the key says so.
//!
//! It never widens: permissions and limits stay as they are on record, and the new user at the provider gets no more than the provider
//! grants the old one at that moment. A generation that was replaced may only ask again for the answer to its own call, by the
//! Idempotency-Key: the answer shows the one that replaced it, and is erased when that one is used or replaced.

use std::net::IpAddr;

use super::rotate::Rotating;
use super::{IssuedKey, Rotation};
use crate::broker::authentication::Refusal;
use crate::broker::idempotency::Keep;
use crate::broker::provider_rights::Outcome;
use crate::broker::record::Stopped;
use crate::broker::{Broker, Conflict, Error, Record};
use crate::domain::audit::Origin;
use crate::domain::permission::Permissions;
use crate::domain::plaintext_key::UnverifiedKey;
use crate::idp::RightsAge;
use crate::store::api_keys::{self, StoredKey};
use crate::store::{self, presented};

/// The holder of a key who may use it now, and what is on record of it.
pub struct RotatingHolder {
    /// The generation that he presented.
    pub record: Record,
    stored: StoredKey,
    /// All that the provider lets its user do, where it has a say.
    granted: Option<Permissions>,
}

impl Broker {
    /// Who presents a key from `address` and may use it now. Judged by what is on record and by what its provider says at this moment:
    /// neither the memory of this node nor an older word of the provider lets a key be replaced that was stopped there.
    ///
    /// # Errors
    /// As for any other use of the key.
    pub async fn rotating_holder(
        &self,
        presented: &[u8],
        address: IpAddr,
    ) -> Result<RotatingHolder, Refusal> {
        let id = self.identify(presented, Some(address)).await?.key_id();
        let key = UnverifiedKey::parse(presented, &self.settings.prefixes)
            .map_err(|_| Refusal::Malformed)?;
        let name = key.user_name();
        let found = self.store.read(move |connection| {
            // The key before what it is judged by: whatever changes in between, the rotation finds that the key is not as it was.
            let stored = api_keys::find(connection, &id)?;
            Ok::<_, store::Error>(stored.zip(presented::find(connection, &name)?))
        });
        let (stored, row) = found.await?.ok_or(Refusal::Unknown)?;
        let record = self.remembered(row, &*self.catalogue().await?)?;
        let record = record.ok_or(Refusal::Unknown)?;
        self.admit(&record, address, self.now())?;
        let provider = self.providers.at(record.provider);
        let granted = match provider.map(|provider| provider.rights_age()) {
            Some(RightsAge::AtMost(_)) => {
                match self
                    .sign_in(presented, &record, None, Some(address))
                    .await?
                {
                    Outcome::SignedIn(signed_in) => signed_in.granted,
                    Outcome::Gone => return Err(Refusal::Stopped(Stopped::Disabled)),
                    Outcome::Outage(error) => return Err(self.outage(record.provider, error)),
                }
            }
            Some(RightsAge::UntilChanged) | None => None,
        };
        Ok(RotatingHolder {
            record,
            stored,
            granted,
        })
    }

    /// Makes a new generation of the key whose holder this is, as an admin's rotation does.
    ///
    /// # Errors
    /// The key does not allow it, it was replaced already, changed since it was read, or the provider cannot be reached: then the old
    /// generation lives on and nothing is left of the new one.
    pub async fn rotate_own_key(
        &self,
        holder: RotatingHolder,
        rotation: Rotation,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
        keep: Option<Keep<'_, IssuedKey>>,
    ) -> Result<IssuedKey, Error> {
        holder.may_rotate()?;
        let stored = holder.stored;
        let active = stored.active.as_ref().ok_or(Conflict::KeyChanged)?;
        if active.id != holder.record.credential_id() {
            return Err(Error::Retiring);
        }
        if !expected(stored.key.epoch) {
            return Err(Error::Stale);
        }
        self.rotate(Rotating {
            stored,
            grantor: None,
            at_most: holder.granted,
            rotation,
            origin,
            keep,
        })
        .await
        .map_err(|error| super::outrun_by(error, expected))
    }
}

impl RotatingHolder {
    /// Whether the key lets its holder rotate it.
    ///
    /// # Errors
    /// It does not.
    pub fn may_rotate(&self) -> Result<(), Error> {
        if self.stored.key.self_rotate {
            Ok(())
        } else {
            Err(Error::SelfRotateNotAllowed)
        }
    }
}
