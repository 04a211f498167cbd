//! The users of a key are brought in line with our record: what they may do, and whom they stand for.
//!
//! What is wanted is read before each write at the provider and again after it; where it moved meanwhile the write is done again. It ends
//! in the very transaction that saw that nothing had moved.

use jiff::Timestamp;

use crate::broker::{Broker, Error};
use crate::domain::api_key::ApiKey;
use crate::domain::credential::Credential;
use crate::domain::id::{DeploymentId, OperationId};
use crate::domain::lifecycle::CredentialState;
use crate::domain::permission::Permissions;
use crate::domain::random::Random;
use crate::domain::subject::Subject;
use crate::domain::user::User;
use crate::idp::{self, UserAttributes};
use crate::store::idp_claims::{self, Ending};
use crate::store::idp_operations::{self, Operation, OperationKind};
use crate::store::{self, Connection, Transaction, api_keys, credentials};

/// How often a write is done again because our record moved, before it is somebody else's turn.
const ROUNDS: usize = 4;

/// What the user of a generation is to be.
struct Wanted {
    permissions: Permissions,
    attributes: UserAttributes,
    version: Version,
}

/// Tells whether our record moved: the epoch of the key; none if the generation needs no user.
type Version = Option<i64>;

/// How one round ended.
enum Round {
    Ended,
    Moved,
}

impl Broker {
    /// Gives a user what our record says at this moment.
    pub(in crate::broker) async fn align(&self, operation: &Operation) -> Result<(), Error> {
        for _ in 0..ROUNDS {
            let began_at = self.now();
            let wanted = self.wanted(operation).await?;
            if let Some(wanted) = &wanted {
                self.write_user(operation, wanted).await?;
            }
            let version = wanted.and_then(|wanted| wanted.version);
            match self.end_if_unmoved(operation, version, began_at).await? {
                Round::Ended => return Ok(()),
                Round::Moved => {}
            }
        }
        Err(Error::Internal(
            "the key changes faster than its provider".to_owned(),
        ))
    }

    async fn write_user(&self, operation: &Operation, wanted: &Wanted) -> Result<(), Error> {
        let provider = self.provider(&operation.provider)?;
        let name = &operation.user_name;
        let written = match operation.kind {
            OperationKind::Describe => provider.set_attributes(name, &wanted.attributes),
            _ => provider.set_permissions(name, &wanted.permissions),
        };
        match self.ask(written).await {
            // Somebody removed it there: there is nothing to bring in line, and the next sign-in finds out.
            Ok(()) | Err(idp::Error::NoSuchUser) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn wanted(&self, operation: &Operation) -> Result<Option<Wanted>, Error> {
        let (generation, key) = (operation.credential_id, operation.key_id);
        let found = self.store.read(move |connection| {
            let version = version(connection, &generation, &key)?;
            Ok::<_, store::Error>((version, api_keys::find(connection, &key)?))
        });
        let (Some(version), Some(stored)) = found.await? else {
            return Ok(None);
        };
        let catalogue = self.catalogue().await?;
        let owner = stored.owner.as_ref();
        Ok(Some(Wanted {
            permissions: catalogue
                .policy(&stored.key.permissions)
                .permissions_elsewhere(),
            attributes: attributes(self.deployment, &stored.key, &generation, owner),
            version: Some(version),
        }))
    }

    async fn end_if_unmoved(
        &self,
        operation: &Operation,
        before: Version,
        began_at: Timestamp,
    ) -> Result<Round, Error> {
        let (operation, now) = (operation.clone(), self.now());
        let rest_at = self.rest_at(&operation.provider, now);
        let echo = self.settling(&operation.provider).answered;
        let ended = self.store.write(move |tx| {
            api_keys::lock(tx, &operation.key_id)?;
            if version(tx, &operation.credential_id, &operation.key_id)? != before {
                return Ok(Round::Moved);
            }
            let ending = idp_claims::finish(tx, &operation, (began_at, now), echo)?;
            if ending == Ending::Lost {
                idp_claims::disturb(tx, &operation.id, rest_at, now)?;
            }
            Ok::<_, store::Error>(Round::Ended)
        });
        Ok(ended.await?)
    }
}

fn version(
    connection: &mut Connection,
    generation: &crate::domain::id::CredentialId,
    key: &crate::domain::id::KeyId,
) -> Result<Version, store::Error> {
    // A pending one is being made by somebody else, who makes it as our record says, or begins anew.
    let lives = |state| {
        matches!(
            state,
            CredentialState::Active | CredentialState::Retiring { .. }
        )
    };
    match credentials::find(connection, generation)? {
        Some(found) if lives(found.state) => api_keys::epoch(connection, key),
        _ => Ok(None),
    }
}

/// Whom the user of a generation stands for.
pub(super) fn attributes(
    deployment_id: DeploymentId,
    key: &ApiKey,
    generation: &crate::domain::id::CredentialId,
    owner: Option<&User>,
) -> UserAttributes {
    UserAttributes {
        deployment_id,
        key_id: key.id,
        generation: *generation,
        organization_id: key.organization_id,
        owner: owner.map(|owner| Subject::clone(&owner.subject)),
        metadata: key.metadata.clone(),
    }
}

/// Has the provider told what the record says of the users of a key: what they may do, or whom they stand for.
pub(in crate::broker) fn follow(
    tx: &mut Transaction<'_>,
    kind: OperationKind,
    (key, generations): (&ApiKey, &[Credential]),
    (random, now): (&dyn Random, Timestamp),
) -> Result<(), store::Error> {
    for generation in generations {
        let id = OperationId::generate(random);
        let follows = Operation::new(id, kind, (&key.provider, generation), now);
        idp_operations::insert(tx, &follows, now)?;
    }
    Ok(())
}
