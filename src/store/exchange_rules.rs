//! Exchange rules: which application may trade tokens for one resource for tokens for another.

use std::collections::HashMap;

use diesel::prelude::*;

use super::schema::{exchange_rule_permissions, exchange_rules};
use super::{Connection, Error, Place, Timestamp, revoked_tokens};
use crate::domain::exchange_rule::{ExchangeMode, ExchangeRule};
use crate::domain::id::{ApplicationId, ExchangeRuleId, PermissionId, ResourceId};

/// A rule for the same application, source and target is there already.
pub const TAKEN: &str = "exchange_rules.application_id_source_id_target_id";

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = exchange_rules)]
struct Row {
    id: String,
    application_id: String,
    source_id: String,
    requires_scope: String,
    target_id: String,
    delegation: bool,
    impersonation: bool,
    subject_must_hold: bool,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<&ExchangeRule> for Row {
    fn from(rule: &ExchangeRule) -> Self {
        Self {
            id: rule.id.to_string(),
            application_id: rule.application.to_string(),
            source_id: rule.subject_resource.to_string(),
            requires_scope: rule.requires_scope.to_string(),
            target_id: rule.target_resource.to_string(),
            delegation: rule.mode.delegation,
            impersonation: rule.mode.impersonation,
            subject_must_hold: rule.subject_must_hold,
            version: rule.version,
            created_at: rule.created_at.into(),
            updated_at: rule.updated_at.into(),
        }
    }
}

impl TryFrom<Row> for ExchangeRule {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        macro_rules! read {
            ($column:ident) => {
                row.$column.parse().map_err(|error| {
                    Error::corrupt(concat!("exchange_rules.", stringify!($column)), error)
                })?
            };
        }
        Ok(Self {
            id: read!(id),
            application: read!(application_id),
            subject_resource: read!(source_id),
            requires_scope: read!(requires_scope),
            target_resource: read!(target_id),
            permissions: Vec::new(),
            mode: ExchangeMode {
                delegation: row.delegation,
                impersonation: row.impersonation,
            },
            subject_must_hold: row.subject_must_hold,
            version: row.version,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}

fn with_permissions(
    connection: &mut Connection,
    rows: Vec<Row>,
) -> Result<Vec<ExchangeRule>, Error> {
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let pairs: Vec<(String, String)> = exchange_rule_permissions::table
        .filter(exchange_rule_permissions::rule_id.eq_any(ids))
        .order(exchange_rule_permissions::permission_id)
        .load(connection)?;
    let mut permissions: HashMap<String, Vec<PermissionId>> = HashMap::new();
    for (rule, permission) in pairs {
        let permission = permission
            .parse()
            .map_err(|error| Error::corrupt("exchange_rule_permissions.permission_id", error))?;
        permissions.entry(rule).or_default().push(permission);
    }
    let assemble = |row: Row| {
        let rule = ExchangeRule::try_from(row)?;
        Ok(ExchangeRule {
            permissions: permissions.remove(rule.id.as_str()).unwrap_or_default(),
            ..rule
        })
    };
    rows.into_iter().map(assemble).collect()
}

/// The rule of this id.
pub fn find(
    connection: &mut Connection,
    id: &ExchangeRuleId,
) -> Result<Option<ExchangeRule>, Error> {
    let rows: Vec<Row> = exchange_rules::table
        .find(id.as_str())
        .select(exchange_rules::all_columns)
        .load(connection)?;
    Ok(with_permissions(connection, rows)?.pop())
}

/// All rules.
pub fn all(connection: &mut Connection) -> Result<Vec<ExchangeRule>, Error> {
    let rows: Vec<Row> = exchange_rules::table
        .select(exchange_rules::all_columns)
        .load(connection)?;
    with_permissions(connection, rows)
}

/// A page of them, newest first: of all applications or of one.
pub fn list(
    connection: &mut Connection,
    application: Option<&ApplicationId>,
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<ExchangeRule>, Error> {
    let mut query = exchange_rules::table
        .select(exchange_rules::all_columns)
        .order((exchange_rules::created_at.desc(), exchange_rules::id.desc()))
        .limit(super::count(limit))
        .into_boxed();
    if let Some(id) = application {
        query = query.filter(exchange_rules::application_id.eq(id.as_str()));
    }
    if let Some(Place { at, id }) = after {
        let at = Timestamp::from(*at);
        query = query.filter(
            exchange_rules::created_at
                .lt(at)
                .or(exchange_rules::created_at
                    .eq(at)
                    .and(exchange_rules::id.lt(id))),
        );
    }
    let rows: Vec<Row> = query.load(connection)?;
    with_permissions(connection, rows)
}

/// Records a new one. One of the same application, source and target is a conflict over [`TAKEN`].
pub fn insert(connection: &mut Connection, new: &ExchangeRule) -> Result<(), Error> {
    diesel::insert_into(exchange_rules::table)
        .values(Row::from(new))
        .execute(connection)?;
    insert_permissions(connection, new)
}

/// Writes a changed one back; its version counts up. `false`, and nothing written, if it changed or went since it was read.
pub fn update(connection: &mut Connection, changed: &ExchangeRule) -> Result<bool, Error> {
    let row = Row {
        version: changed.version + 1,
        ..Row::from(changed)
    };
    let target = exchange_rules::table
        .find(changed.id.as_str())
        .filter(exchange_rules::version.eq(changed.version));
    if diesel::update(target).set(row).execute(connection)? == 0 {
        return Ok(false);
    }
    let old = exchange_rule_permissions::table
        .filter(exchange_rule_permissions::rule_id.eq(changed.id.as_str()));
    diesel::delete(old).execute(connection)?;
    insert_permissions(connection, changed)?;
    Ok(true)
}

fn insert_permissions(connection: &mut Connection, of: &ExchangeRule) -> Result<(), Error> {
    for permission in &of.permissions {
        diesel::insert_into(exchange_rule_permissions::table)
            .values((
                exchange_rule_permissions::rule_id.eq(of.id.as_str()),
                exchange_rule_permissions::permission_id.eq(permission.as_str()),
            ))
            .execute(connection)?;
    }
    Ok(())
}

/// Removes one, if it still has this version.
pub fn delete(
    connection: &mut Connection,
    id: &ExchangeRuleId,
    version: i64,
    now: jiff::Timestamp,
) -> Result<bool, Error> {
    let target = exchange_rules::table
        .find(id.as_str())
        .filter(exchange_rules::version.eq(version));
    if diesel::delete(target).execute(connection)? == 0 {
        return Ok(false);
    }
    revoked_tokens::note_removed(connection, id.as_str(), now)?;
    Ok(true)
}

/// Removes those of an application; how many there were.
pub fn delete_of_application(
    connection: &mut Connection,
    id: &ApplicationId,
    now: jiff::Timestamp,
) -> Result<usize, Error> {
    let of = exchange_rules::table.filter(exchange_rules::application_id.eq(id.as_str()));
    let ids = of.select(exchange_rules::id).load(connection)?;
    delete_all(connection, &ids, now)
}

/// Removes those from or to a resource; how many there were.
pub fn delete_of_resource(
    connection: &mut Connection,
    id: &ResourceId,
    now: jiff::Timestamp,
) -> Result<usize, Error> {
    let of = exchange_rules::table.filter(
        exchange_rules::source_id
            .eq(id.as_str())
            .or(exchange_rules::target_id.eq(id.as_str())),
    );
    let ids = of.select(exchange_rules::id).load(connection)?;
    delete_all(connection, &ids, now)
}

fn delete_all(
    connection: &mut Connection,
    ids: &[String],
    now: jiff::Timestamp,
) -> Result<usize, Error> {
    for id in ids {
        diesel::delete(exchange_rules::table.find(id)).execute(connection)?;
        revoked_tokens::note_removed(connection, id, now)?;
    }
    Ok(ids.len())
}
