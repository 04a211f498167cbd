//! Which memberships a rule of the configuration gave: those alone a rule takes again.

use diesel::prelude::*;

use super::schema::ruled_memberships;
use super::{Connection, Error};
use crate::domain::id::{OrganizationId, UserId};

/// Where a rule made a person a member.
pub fn of_user(connection: &mut Connection, user: &UserId) -> Result<Vec<OrganizationId>, Error> {
    let ids: Vec<String> = ruled_memberships::table
        .filter(ruled_memberships::user_id.eq(user.as_str()))
        .select(ruled_memberships::organization_id)
        .load(connection)?;
    ids.iter()
        .map(|id| {
            id.parse()
                .map_err(|error| Error::corrupt("ruled_memberships.organization_id", error))
        })
        .collect()
}

/// Notes that a rule gave it.
pub fn note(
    connection: &mut Connection,
    organization: &OrganizationId,
    user: &UserId,
) -> Result<(), Error> {
    forget(connection, organization, user)?;
    diesel::insert_into(ruled_memberships::table)
        .values((
            ruled_memberships::organization_id.eq(organization.as_str()),
            ruled_memberships::user_id.eq(user.as_str()),
        ))
        .execute(connection)?;
    Ok(())
}

/// Notes that somebody changed it by hand: from now on no rule takes it.
pub fn forget(
    connection: &mut Connection,
    organization: &OrganizationId,
    user: &UserId,
) -> Result<(), Error> {
    diesel::delete(ruled_memberships::table.find((organization.as_str(), user.as_str())))
        .execute(connection)?;
    Ok(())
}
