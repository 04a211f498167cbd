//! Looking at a key without a server: whose tag it bears. Nothing here says whether the key still works.

use super::StartError;
use super::secrets::PurposeSecrets;
use crate::domain::key_tag::KeyTagError;
use crate::domain::plaintext_key::UnverifiedKey;
use crate::domain::sealed::RootSecret;
use crate::store::{Store, deployment};

/// Whether one of this deployment's tag secrets made the tag of a key.
///
/// # Errors
/// A wrong root secret, or a database that no server ever started on or that does not answer. A tag that does not fit is an answer, no
/// error.
pub async fn tag_of(
    key: &UnverifiedKey<'_>,
    store: &Store,
    root: &RootSecret,
) -> Result<Result<(), KeyTagError>, StartError> {
    let deployment = store
        .read(deployment::find)
        .await?
        .ok_or(StartError::NotStarted)?;
    if !super::start::opens(root, &deployment) {
        return Err(StartError::WrongRootSecret);
    }
    let secrets = PurposeSecrets::load(store, root).await?;
    Ok(secrets.tags.verify(key))
}
