//! The two schemas are one: the same tables, columns, keys, references and states, and `schema.rs` describes them.

use std::collections::BTreeSet;

use diesel::QueryableByName;
use diesel::RunQueryDsl;
use diesel::sql_types::Text;
use kagiya::store::Error;

use crate::support::database::{Database, postgres_url};

#[tokio::test]
async fn schema_rs_describes_the_columns_of_sqlite() {
    let database = migrated(Database::empty_on_sqlite());
    // SQLite has one width of integers and keeps truth values in them.
    let described = described()
        .into_iter()
        .map(|line| line.replace("BigInt", "Integer").replace("Bool", "Integer"));
    assert_same(
        &described.collect(),
        &lines(&database, SQLITE_COLUMNS).await,
    );
}

#[tokio::test]
async fn schema_rs_describes_the_columns_of_postgresql() {
    let Some(database) = on_postgres() else {
        return;
    };
    assert_same(&described(), &lines(&database, POSTGRES_COLUMNS).await);
}

#[tokio::test]
async fn both_databases_have_the_same_indexes_references_and_states() {
    let Some(postgres) = on_postgres() else {
        return;
    };
    let sqlite = migrated(Database::empty_on_sqlite());
    for (on_sqlite, on_postgres) in [
        (SQLITE_INDEXES, POSTGRES_INDEXES),
        (SQLITE_REFERENCES, POSTGRES_REFERENCES),
    ] {
        let found = lines(&sqlite, on_sqlite).await;
        assert!(!found.is_empty());
        assert_same(&found, &lines(&postgres, on_postgres).await);
    }
    let checks = checks_of_sqlite(&lines(&sqlite, SQLITE_TABLES).await);
    assert!(!checks.is_empty());
    assert_same(
        &checks,
        &checks_of_postgres(&lines(&postgres, POSTGRES_CHECKS).await),
    );
}

#[tokio::test]
async fn every_unique_constraint_of_postgresql_has_the_name_that_errors_count_on() {
    let Some(postgres) = on_postgres() else {
        return;
    };
    let wrong = lines(&postgres, POSTGRES_UNIQUE_NAMES).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn on_postgres() -> Option<Database> {
    postgres_url().map(|server| migrated(Database::empty_on_postgres(&server)))
}

fn migrated(database: Database) -> Database {
    database.store.migrate().unwrap();
    database
}

/// `table.column Type` of everything in `schema.rs`.
fn described() -> BTreeSet<String> {
    let source = std::fs::read_to_string("src/store/schema.rs").unwrap();
    let mut table = String::new();
    let mut found = BTreeSet::new();
    for line in source.lines().map(str::trim) {
        if let Some((column, kind)) = line.split_once(" -> ")
            && let Some(kind) = kind.strip_suffix(',')
        {
            found.insert(format!("{table}.{column} {kind}"));
        } else if let Some((name, _)) = line
            .strip_suffix(") {")
            .and_then(|line| line.split_once(" ("))
        {
            table = name.to_owned();
        }
    }
    found
}

/// `table n` with the number of checks, and `table 'word'` for each word in them.
fn checks_of_sqlite(tables: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for statement in tables {
        // A table that was made anew and renamed has its name in quotes.
        let table = statement.split_whitespace().nth(2).unwrap();
        let table = table.trim_matches('"');
        // That a truth value is one needs no check on PostgreSQL.
        let checks = statement.matches("CHECK (").count() - statement.matches("IN (0, 1)").count();
        if checks > 0 {
            found.insert(format!("{table} {checks}"));
        }
        found.extend(quoted(statement).map(|word| format!("{table} '{word}'")));
    }
    found
}

fn checks_of_postgres(lines: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut tables: Vec<&str> = Vec::new();
    for line in lines {
        let (table, check) = line.split_once(' ').unwrap();
        tables.push(table);
        found.extend(quoted(check).map(|word| format!("{table} '{word}'")));
    }
    for table in &tables {
        let checks = tables.iter().filter(|other| *other == table).count();
        found.insert(format!("{table} {checks}"));
    }
    found
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('\'').skip(1).step_by(2)
}

fn assert_same(left: &BTreeSet<String>, right: &BTreeSet<String>) {
    let differences: Vec<_> = left.symmetric_difference(right).collect();
    assert!(differences.is_empty(), "only on one side: {differences:#?}");
}

/// The lines that `query` selects as `line`.
async fn lines(database: &Database, query: &'static str) -> BTreeSet<String> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        line: String,
    }
    let rows: Vec<Row> = database
        .store
        .read(move |connection| Ok::<_, Error>(diesel::sql_query(query).load(connection)?))
        .await
        .unwrap();
    rows.into_iter().map(|row| row.line).collect()
}

const SQLITE_TABLES: &str =
    "SELECT sql AS line FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
    AND name <> '__diesel_schema_migrations'";

const SQLITE_COLUMNS: &str = "SELECT m.name || '.' || c.name || ' '
        || iif(c.\"notnull\", '', 'Nullable<')
        || CASE c.type WHEN 'TEXT' THEN 'Text' WHEN 'BLOB' THEN 'Binary' WHEN 'INTEGER' THEN 'Integer' ELSE c.type END
        || iif(c.\"notnull\", '', '>') AS line
    FROM sqlite_master m JOIN pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name <> '__diesel_schema_migrations' AND m.name NOT LIKE 'sqlite_%'";

const POSTGRES_COLUMNS: &str = "SELECT table_name || '.' || column_name || ' '
        || CASE is_nullable WHEN 'NO' THEN '' ELSE 'Nullable<' END
        || CASE data_type WHEN 'text' THEN 'Text' WHEN 'bytea' THEN 'Binary' WHEN 'integer' THEN 'Integer'
            WHEN 'bigint' THEN 'BigInt' WHEN 'boolean' THEN 'Bool' ELSE data_type END
        || CASE is_nullable WHEN 'NO' THEN '' ELSE '>' END AS line
    FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name <> '__diesel_schema_migrations'";

const SQLITE_INDEXES: &str = "SELECT m.name || iif(i.\"unique\", ' unique ', ' ') || coalesce(
        (SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)), i.name) AS line
    FROM sqlite_master m JOIN pragma_index_list(m.name) i
    WHERE m.type = 'table' AND m.name <> '__diesel_schema_migrations'";

const POSTGRES_INDEXES: &str = "SELECT t.relname || CASE WHEN i.indisunique THEN ' unique ' ELSE ' ' END || coalesce(
        (SELECT string_agg(a.attname, ', ' ORDER BY k.position) FROM unnest(i.indkey) WITH ORDINALITY AS k (number, position)
            JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number), x.relname::text) AS line
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
    WHERE t.relnamespace = current_schema()::regnamespace AND t.relname <> '__diesel_schema_migrations'";

const SQLITE_REFERENCES: &str =
    "SELECT m.name || '.' || f.\"from\" || ' to ' || f.\"table\" || '.' || f.\"to\" || ' '
        || f.on_delete AS line
    FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'";

const POSTGRES_REFERENCES: &str = "SELECT c.conrelid::regclass || '.' || a.attname || ' to ' || c.confrelid::regclass || '.' || b.attname
        || ' ' || CASE c.confdeltype WHEN 'a' THEN 'NO ACTION' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL'
            ELSE c.confdeltype::text END AS line
    FROM pg_constraint c
        CROSS JOIN unnest(c.conkey, c.confkey) AS k (here, there)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.here
        JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.there
    WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace";

const POSTGRES_CHECKS: &str =
    "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) AS line
    FROM pg_constraint WHERE contype = 'c' AND connamespace = current_schema()::regnamespace";

const POSTGRES_UNIQUE_NAMES: &str = "SELECT conname AS line FROM (
        SELECT c.conname::text, c.conrelid::regclass || '_' || (
            SELECT string_agg(a.attname, '_' ORDER BY k.position) FROM unnest(c.conkey) WITH ORDINALITY AS k (number, position)
                JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number) || '_key' AS expected
        FROM pg_constraint c WHERE c.contype IN ('p', 'u') AND c.connamespace = current_schema()::regnamespace
            AND c.conrelid::regclass::text <> '__diesel_schema_migrations'
    ) names WHERE conname <> expected";
