//! The secrets of applications: what is stored of them is a digest.

use diesel::prelude::*;

use crate::domain::application::StoredSecret;
use crate::domain::id::{ApplicationId, ClientSecretId};
use crate::store::schema::application_secrets;
use crate::store::{Connection, Error, Place, Timestamp};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = application_secrets)]
struct Row {
    id: String,
    application_id: String,
    digest: Vec<u8>,
    digest_generation: i32,
    hint: String,
    expires_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl From<&StoredSecret> for Row {
    fn from(secret: &StoredSecret) -> Self {
        Self {
            id: secret.id.to_string(),
            application_id: secret.application_id.to_string(),
            digest: secret.digest.as_bytes().to_vec(),
            digest_generation: secret.digest_generation,
            hint: secret.hint.clone(),
            expires_at: secret.expires_at.map(Into::into),
            created_at: secret.created_at.into(),
        }
    }
}

impl TryFrom<Row> for StoredSecret {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: super::id(&row.id, "application_secrets.id")?,
            application_id: super::id(&row.application_id, "application_secrets.application_id")?,
            digest: crate::store::credentials::password_digest(&row.digest)?,
            digest_generation: row.digest_generation,
            hint: row.hint,
            expires_at: row.expires_at.map(Into::into),
            created_at: row.created_at.into(),
        })
    }
}

/// All of an application, oldest first.
pub fn of_application(
    connection: &mut Connection,
    application: &ApplicationId,
) -> Result<Vec<StoredSecret>, Error> {
    let rows: Vec<Row> = application_secrets::table
        .filter(application_secrets::application_id.eq(application.as_str()))
        .select(application_secrets::all_columns)
        .order((application_secrets::created_at, application_secrets::id))
        .load(connection)?;
    rows.into_iter().map(StoredSecret::try_from).collect()
}

/// Whose it is.
pub fn application_of(
    connection: &mut Connection,
    id: &ClientSecretId,
) -> Result<Option<ApplicationId>, Error> {
    let found: Option<String> = application_secrets::table
        .find(id.as_str())
        .select(application_secrets::application_id)
        .first(connection)
        .optional()?;
    let read = |id: String| super::id(&id, "application_secrets.application_id");
    found.map(read).transpose()
}

/// A page of them, newest first.
pub fn list(
    connection: &mut Connection,
    application: &ApplicationId,
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<StoredSecret>, Error> {
    let mut query = application_secrets::table
        .filter(application_secrets::application_id.eq(application.as_str()))
        .select(application_secrets::all_columns)
        .order((
            application_secrets::created_at.desc(),
            application_secrets::id.desc(),
        ))
        .limit(crate::store::count(limit))
        .into_boxed();
    if let Some(Place { at, id }) = after {
        let at = Timestamp::from(*at);
        query = query.filter(
            application_secrets::created_at
                .lt(at)
                .or(application_secrets::created_at
                    .eq(at)
                    .and(application_secrets::id.lt(id))),
        );
    }
    let rows: Vec<Row> = query.load(connection)?;
    rows.into_iter().map(StoredSecret::try_from).collect()
}

/// Records a new one. An application that is gone is a conflict over a reference.
pub fn insert(connection: &mut Connection, new: &StoredSecret) -> Result<(), Error> {
    diesel::insert_into(application_secrets::table)
        .values(Row::from(new))
        .execute(connection)?;
    Ok(())
}

/// Removes one. `false` if it is not there.
pub fn delete(
    connection: &mut Connection,
    application: &ApplicationId,
    id: &ClientSecretId,
) -> Result<bool, Error> {
    let target = application_secrets::table
        .find(id.as_str())
        .filter(application_secrets::application_id.eq(application.as_str()));
    Ok(diesel::delete(target).execute(connection)? == 1)
}

/// Removes all of an application, which proves itself in another way from now on.
pub fn delete_all(connection: &mut Connection, application: &ApplicationId) -> Result<(), Error> {
    let all = application_secrets::table
        .filter(application_secrets::application_id.eq(application.as_str()));
    diesel::delete(all).execute(connection)?;
    Ok(())
}
