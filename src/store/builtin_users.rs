//! The users of the built-in identity provider, which lives in this database.

use diesel::prelude::*;

use super::schema::{builtin_user_permissions, builtin_users};
use super::{Connection, Error, Timestamp};
use crate::domain::permission::Permissions;

/// A machine user.
#[derive(Clone, Debug)]
pub struct BuiltinUser {
    /// Its name, unique: `k_` and the user name of a generation.
    pub user_name: String,
    /// Its subject.
    pub subject: String,
    /// What its password must answer to.
    pub password_digest: Vec<u8>,
    /// Whom it stands for, a JSON object.
    pub attributes: String,
    /// Whether it may not sign in.
    pub disabled: bool,
}

/// The user of this name.
pub fn find(connection: &mut Connection, user_name: &str) -> Result<Option<BuiltinUser>, Error> {
    type Row = (String, String, Vec<u8>, String, Option<Timestamp>);
    let row: Option<Row> = builtin_users::table
        .find(user_name)
        .select((
            builtin_users::user_name,
            builtin_users::subject,
            builtin_users::password_digest,
            builtin_users::attributes,
            builtin_users::disabled_at,
        ))
        .first(connection)
        .optional()?;
    Ok(row.map(user))
}

/// All users.
pub fn all(connection: &mut Connection) -> Result<Vec<BuiltinUser>, Error> {
    type Row = (String, String, Vec<u8>, String, Option<Timestamp>);
    let rows: Vec<Row> = builtin_users::table
        .select((
            builtin_users::user_name,
            builtin_users::subject,
            builtin_users::password_digest,
            builtin_users::attributes,
            builtin_users::disabled_at,
        ))
        .load(connection)?;
    Ok(rows.into_iter().map(user).collect())
}

fn user(
    (user_name, subject, password_digest, attributes, disabled_at): (
        String,
        String,
        Vec<u8>,
        String,
        Option<Timestamp>,
    ),
) -> BuiltinUser {
    BuiltinUser {
        user_name,
        subject,
        password_digest,
        attributes,
        disabled: disabled_at.is_some(),
    }
}

/// Adds a user. A name that exists is a conflict over `builtin_users.user_name`.
pub fn insert(
    connection: &mut Connection,
    new: &BuiltinUser,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    diesel::insert_into(builtin_users::table)
        .values((
            builtin_users::user_name.eq(&new.user_name),
            builtin_users::subject.eq(&new.subject),
            builtin_users::password_digest.eq(&new.password_digest),
            builtin_users::attributes.eq(&new.attributes),
            builtin_users::created_at.eq(Timestamp::from(now)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Lets no other transaction change this user until this one ends; whether there is one. On PostgreSQL two that replace what it may do
/// would else add the same rows. SQLite has one writer anyway.
pub fn lock(connection: &mut Connection, user_name: &str) -> Result<bool, Error> {
    let rows = diesel::update(builtin_users::table.find(user_name))
        .set(builtin_users::subject.eq(builtin_users::subject))
        .execute(connection)?;
    Ok(rows == 1)
}

/// Replaces what a user may do.
pub fn set_permissions(
    connection: &mut Connection,
    user_name: &str,
    permissions: &Permissions,
) -> Result<(), Error> {
    let held =
        builtin_user_permissions::table.filter(builtin_user_permissions::user_name.eq(user_name));
    diesel::delete(held).execute(connection)?;
    for (resource, scopes) in permissions.iter() {
        for scope in scopes.iter() {
            diesel::insert_into(builtin_user_permissions::table)
                .values((
                    builtin_user_permissions::user_name.eq(user_name),
                    builtin_user_permissions::resource.eq(resource.as_str()),
                    builtin_user_permissions::scope.eq(scope.as_str()),
                ))
                .execute(connection)?;
        }
    }
    Ok(())
}

/// Replaces whom a user stands for; whether there is such a user.
pub fn set_attributes(
    connection: &mut Connection,
    user_name: &str,
    attributes: &str,
) -> Result<bool, Error> {
    let rows = diesel::update(builtin_users::table.find(user_name))
        .set(builtin_users::attributes.eq(attributes))
        .execute(connection)?;
    Ok(rows == 1)
}

/// What a user may do.
pub fn permissions(connection: &mut Connection, user_name: &str) -> Result<Permissions, Error> {
    let pairs: Vec<(String, String)> = builtin_user_permissions::table
        .filter(builtin_user_permissions::user_name.eq(user_name))
        .select((
            builtin_user_permissions::resource,
            builtin_user_permissions::scope,
        ))
        .load(connection)?;
    let parse = |(resource, scope): (String, String)| {
        let resource = resource
            .parse()
            .map_err(|error| Error::corrupt("builtin_user_permissions.resource", error))?;
        let scope = scope
            .parse()
            .map_err(|error| Error::corrupt("builtin_user_permissions.scope", error))?;
        Ok((resource, scope))
    };
    pairs.into_iter().map(parse).collect()
}

/// Replaces what a user's password must answer to; whether there is such a user.
pub fn set_password(
    connection: &mut Connection,
    user_name: &str,
    digest: &[u8],
) -> Result<bool, Error> {
    let rows = diesel::update(builtin_users::table.find(user_name))
        .set(builtin_users::password_digest.eq(digest))
        .execute(connection)?;
    Ok(rows == 1)
}

/// Removes a user; whether there was one.
pub fn delete(connection: &mut Connection, user_name: &str) -> Result<bool, Error> {
    Ok(diesel::delete(builtin_users::table.find(user_name)).execute(connection)? == 1)
}

/// How many users there are.
pub fn number(connection: &mut Connection) -> Result<i64, Error> {
    Ok(builtin_users::table.count().get_result(connection)?)
}
