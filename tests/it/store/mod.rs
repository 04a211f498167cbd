//! The store: what it promises to every caller, on both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod changes;
mod claims;
mod errors;
mod group_commit;
mod key_usage;
mod lost_commit;
mod migrations;
mod schema;
mod tls;
mod writes;

use diesel::QueryableByName;
use diesel::RunQueryDsl;
use diesel::sql_types::BigInt;
use kagiya::store::{Connection, Error, Store};

use crate::support::database::execute;

/// The statement that adds an organization named by `slug`.
fn organization(slug: &str) -> String {
    format!(
        "INSERT INTO organizations (id, name, slug, metadata, version, created_at, updated_at) \
         VALUES ('org_{slug}', 'An organization', '{slug}', '{{}}', 1, 0, 0)"
    )
}

/// Adds an organization in a write of its own.
async fn add(store: &Store, slug: &str) -> Result<(), Error> {
    let statement = organization(slug);
    store
        .write(move |tx| execute(tx, &statement).map(drop))
        .await
}

/// How many organizations there are.
async fn organizations(store: &Store) -> i64 {
    store
        .read(|connection| number(connection, "SELECT count(*) AS number FROM organizations"))
        .await
        .unwrap()
}

/// The number that `query` selects as `number`.
fn number(connection: &mut Connection, query: &str) -> Result<i64, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    let row: Row = diesel::sql_query(query).get_result(connection)?;
    Ok(row.number)
}
