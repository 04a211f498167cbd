//! Who uses a permission, or any permission of a resource: for whoever is about to remove it.

use diesel::prelude::*;

use super::schema::{
    api_key_permissions, api_keys, application_resources, applications, exchange_rule_permissions,
    exchange_rules, organization_permissions, permissions, role_permissions,
};
use super::{Connection, Error};
use crate::domain::id::{PermissionId, ResourceId};

/// By their ids: keys that are not revoked, roles, organizations that list it, and exchange rules that give it; at most `limit` of each.
pub fn of_permission(
    connection: &mut Connection,
    id: &PermissionId,
    limit: usize,
) -> Result<Vec<String>, Error> {
    of_permissions(connection, &[id.to_string()], limit)
}

/// The same of all permissions of a resource, and the applications that serve it or are meant for it where they name none.
pub fn of_resource(
    connection: &mut Connection,
    id: &ResourceId,
    limit: usize,
) -> Result<Vec<String>, Error> {
    let ids: Vec<String> = permissions::table
        .filter(permissions::resource_id.eq(id.as_str()))
        .select(permissions::id)
        .load(connection)?;
    let mut users = of_permissions(connection, &ids, limit)?;
    let serve: Vec<String> = application_resources::table
        .filter(application_resources::resource_id.eq(id.as_str()))
        .select(application_resources::application_id)
        .order(application_resources::application_id)
        .limit(super::count(limit))
        .load(connection)?;
    let rules: Vec<String> = exchange_rules::table
        .filter(
            exchange_rules::source_id
                .eq(id.as_str())
                .or(exchange_rules::target_id.eq(id.as_str())),
        )
        .select(exchange_rules::id)
        .order(exchange_rules::id)
        .limit(super::count(limit))
        .load(connection)?;
    let default: Vec<String> = applications::table
        .filter(applications::default_resource_id.eq(id.as_str()))
        .select(applications::id)
        .order(applications::id)
        .limit(super::count(limit))
        .load(connection)?;
    for user in serve.into_iter().chain(default).chain(rules) {
        if !users.contains(&user) {
            users.push(user);
        }
    }
    Ok(users)
}

fn of_permissions(
    connection: &mut Connection,
    ids: &[String],
    limit: usize,
) -> Result<Vec<String>, Error> {
    let limit = super::count(limit);
    let keys: Vec<String> = api_key_permissions::table
        .inner_join(api_keys::table)
        .filter(api_key_permissions::permission_id.eq_any(ids))
        .filter(api_keys::revoked_at.is_null())
        .select(api_keys::id)
        .distinct()
        .order(api_keys::id)
        .limit(limit)
        .load(connection)?;
    let roles: Vec<String> = role_permissions::table
        .filter(role_permissions::permission_id.eq_any(ids))
        .select(role_permissions::role_id)
        .distinct()
        .order(role_permissions::role_id)
        .limit(limit)
        .load(connection)?;
    let organizations: Vec<String> = organization_permissions::table
        .filter(organization_permissions::permission_id.eq_any(ids))
        .select(organization_permissions::organization_id)
        .distinct()
        .order(organization_permissions::organization_id)
        .limit(limit)
        .load(connection)?;
    let rules: Vec<String> = exchange_rule_permissions::table
        .filter(exchange_rule_permissions::permission_id.eq_any(ids))
        .select(exchange_rule_permissions::rule_id)
        .distinct()
        .order(exchange_rule_permissions::rule_id)
        .limit(limit)
        .load(connection)?;
    Ok(keys
        .into_iter()
        .chain(roles)
        .chain(organizations)
        .chain(rules)
        .collect())
}
