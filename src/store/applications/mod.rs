//! Machine-to-machine applications, their roles and the resources that they serve. Their secrets are in [`secrets`], what a client is
//! judged by in [`client`], who refers to one in [`users`].

pub mod client;
pub mod secrets;
pub mod users;

use std::collections::HashMap;

use diesel::prelude::*;

use super::row::{like, lower};
use super::schema::{application_resources, application_roles, applications};
use super::{Connection, Error, Place, Timestamp};
use crate::domain::application::Application;
use crate::domain::id::{ApplicationId, OrganizationId};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = applications, treat_none_as_null = true)]
struct Row {
    id: String,
    organization_id: Option<String>,
    name: String,
    description: Option<String>,
    auth_method: Option<String>,
    jwks: Option<String>,
    legacy_assertion_audience: bool,
    default_resource_id: Option<String>,
    allowed_cidrs: Option<String>,
    may_act_id: Option<String>,
    disabled_at: Option<Timestamp>,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<&Application> for Row {
    fn from(application: &Application) -> Self {
        let cidrs = application.allowed_cidrs.as_ref();
        Self {
            id: application.id.to_string(),
            organization_id: application.organization_id.map(|id| id.to_string()),
            name: application.name.clone(),
            description: application.description.clone(),
            auth_method: application
                .auth_method
                .map(|method| method.as_str().to_owned()),
            jwks: application.jwks.clone(),
            legacy_assertion_audience: application.legacy_assertion_audience,
            default_resource_id: application.default_resource.map(|id| id.to_string()),
            allowed_cidrs: cidrs.map(|cidrs| super::json(&cidrs.iter().collect::<Vec<_>>())),
            may_act_id: application.may_act.map(|id| id.to_string()),
            disabled_at: application.disabled_at.map(Into::into),
            version: application.version,
            created_at: application.created_at.into(),
            updated_at: application.updated_at.into(),
        }
    }
}

/// Reads an id of a column.
fn id<T: std::str::FromStr>(text: &str, place: &str) -> Result<T, Error>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error| Error::corrupt(place, error))
}

fn optional_id<T: std::str::FromStr>(text: Option<String>, place: &str) -> Result<Option<T>, Error>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.map(|text| id(&text, place)).transpose()
}

impl TryFrom<Row> for Application {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let method = row.auth_method.map(|method| method.parse()).transpose();
        Ok(Self {
            id: id(&row.id, "applications.id")?,
            organization_id: optional_id(row.organization_id, "applications.organization_id")?,
            name: row.name,
            description: row.description,
            auth_method: method
                .map_err(|error| Error::corrupt("applications.auth_method", error))?,
            jwks: row.jwks,
            legacy_assertion_audience: row.legacy_assertion_audience,
            default_resource: optional_id(
                row.default_resource_id,
                "applications.default_resource_id",
            )?,
            allowed_cidrs: allowed_cidrs(row.allowed_cidrs.as_deref())?,
            may_act: optional_id(row.may_act_id, "applications.may_act_id")?,
            disabled_at: row.disabled_at.map(Into::into),
            roles: Vec::new(),
            resources: Vec::new(),
            version: row.version,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}

fn allowed_cidrs(text: Option<&str>) -> Result<Option<crate::domain::limits::AllowedCidrs>, Error> {
    text.map(|text| super::parse_json(text, "applications.allowed_cidrs"))
        .transpose()
}

fn with_the_rest(connection: &mut Connection, rows: Vec<Row>) -> Result<Vec<Application>, Error> {
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let held: Vec<(String, String)> = application_roles::table
        .filter(application_roles::application_id.eq_any(ids.clone()))
        .order(application_roles::role_id)
        .load(connection)?;
    let served: Vec<(String, String)> = application_resources::table
        .filter(application_resources::application_id.eq_any(ids))
        .order(application_resources::resource_id)
        .load(connection)?;
    let (mut roles, mut resources) = (HashMap::new(), HashMap::new());
    for (application, role) in held {
        let role = id(&role, "application_roles.role_id")?;
        roles.entry(application).or_insert_with(Vec::new).push(role);
    }
    for (application, resource) in served {
        let resource = id(&resource, "application_resources.resource_id")?;
        let of_application = resources.entry(application).or_insert_with(Vec::new);
        of_application.push(resource);
    }
    let assemble = |row: Row| {
        let application = Application::try_from(row)?;
        let key = application.id.as_str();
        Ok(Application {
            roles: roles.remove(key).unwrap_or_default(),
            resources: resources.remove(key).unwrap_or_default(),
            ..application
        })
    };
    rows.into_iter().map(assemble).collect()
}

/// The application of this id.
pub fn find(connection: &mut Connection, id: &ApplicationId) -> Result<Option<Application>, Error> {
    let rows: Vec<Row> = applications::table
        .find(id.as_str())
        .select(applications::all_columns)
        .load(connection)?;
    Ok(with_the_rest(connection, rows)?.pop())
}

/// Whether there is one of this id.
pub fn exists(connection: &mut Connection, id: &ApplicationId) -> Result<bool, Error> {
    let there = applications::table.find(id.as_str());
    Ok(diesel::select(diesel::dsl::exists(there)).get_result(connection)?)
}

/// A page of them, newest first; of these organizations, and with this text in the name or the id, if any are given.
pub fn list(
    connection: &mut Connection,
    (organizations, text): (Option<&[OrganizationId]>, Option<&str>),
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<Application>, Error> {
    let mut query = applications::table
        .select(applications::all_columns)
        .order((applications::created_at.desc(), applications::id.desc()))
        .limit(super::count(limit))
        .into_boxed();
    if let Some(organizations) = organizations {
        let ids: Vec<String> = organizations.iter().map(ToString::to_string).collect();
        query = query.filter(applications::organization_id.eq_any(ids));
    }
    if let Some(text) = text {
        let pattern = like(text);
        query = query.filter(
            lower(applications::name)
                .like(pattern.clone())
                .escape('!')
                .or(applications::id.like(pattern).escape('!')),
        );
    }
    if let Some(Place { at, id }) = after {
        let at = Timestamp::from(*at);
        query = query.filter(
            applications::created_at
                .lt(at)
                .or(applications::created_at.eq(at).and(applications::id.lt(id))),
        );
    }
    let rows: Vec<Row> = query.load(connection)?;
    with_the_rest(connection, rows)
}

/// Records a new one with its roles and the resources that it serves. What is gone of those is a conflict over a reference.
pub fn insert(connection: &mut Connection, new: &Application) -> Result<(), Error> {
    diesel::insert_into(applications::table)
        .values(Row::from(new))
        .execute(connection)?;
    insert_roles(connection, new)?;
    insert_resources(connection, new)
}

/// Writes a changed one back with its roles and the resources that it serves; its version counts up. `false`, and nothing written, if
/// it changed or went since it was read.
pub fn update(connection: &mut Connection, changed: &Application) -> Result<bool, Error> {
    let row = Row {
        version: changed.version + 1,
        ..Row::from(changed)
    };
    let target = applications::table
        .find(changed.id.as_str())
        .filter(applications::version.eq(changed.version));
    if diesel::update(target).set(row).execute(connection)? == 0 {
        return Ok(false);
    }
    let id = changed.id.as_str();
    diesel::delete(application_roles::table.filter(application_roles::application_id.eq(id)))
        .execute(connection)?;
    diesel::delete(
        application_resources::table.filter(application_resources::application_id.eq(id)),
    )
    .execute(connection)?;
    insert_roles(connection, changed)?;
    insert_resources(connection, changed)?;
    Ok(true)
}

/// Counts a change of what hangs on one, such as its secrets. `false` if it is not there.
pub fn count_change(
    connection: &mut Connection,
    id: &ApplicationId,
    at: jiff::Timestamp,
) -> Result<bool, Error> {
    let change = (
        applications::version.eq(applications::version + 1),
        applications::updated_at.eq(Timestamp::from(at)),
    );
    let target = applications::table.find(id.as_str());
    Ok(diesel::update(target).set(change).execute(connection)? == 1)
}

/// Lets no other transaction change this application, or hold it, until this one ends.
pub fn lock(connection: &mut Connection, id: &ApplicationId) -> Result<(), Error> {
    diesel::update(applications::table.find(id.as_str()))
        .set(applications::version.eq(applications::version))
        .execute(connection)?;
    Ok(())
}

/// Removes one with its secrets. While something refers to it, it is a conflict over a reference.
pub fn delete(connection: &mut Connection, id: &ApplicationId) -> Result<bool, Error> {
    Ok(diesel::delete(applications::table.find(id.as_str())).execute(connection)? == 1)
}

/// Those of an organization, in the order of their ids.
pub fn of_organization(
    connection: &mut Connection,
    organization: &OrganizationId,
) -> Result<Vec<ApplicationId>, Error> {
    let ids: Vec<String> = applications::table
        .filter(applications::organization_id.eq(organization.as_str()))
        .select(applications::id)
        .order(applications::id)
        .load(connection)?;
    ids.iter().map(|text| id(text, "applications.id")).collect()
}

fn insert_roles(connection: &mut Connection, of: &Application) -> Result<(), Error> {
    for role in &of.roles {
        diesel::insert_into(application_roles::table)
            .values((
                application_roles::application_id.eq(of.id.as_str()),
                application_roles::role_id.eq(role.as_str()),
            ))
            .execute(connection)?;
    }
    Ok(())
}

fn insert_resources(connection: &mut Connection, of: &Application) -> Result<(), Error> {
    for resource in &of.resources {
        diesel::insert_into(application_resources::table)
            .values((
                application_resources::application_id.eq(of.id.as_str()),
                application_resources::resource_id.eq(resource.as_str()),
            ))
            .execute(connection)?;
    }
    Ok(())
}
